//! The line between a phone and the server, and its faults.

use onegrid_core::sync::report::Report;
use onegrid_core::sync::star::{Incoming, Request, Step};
use onegrid_core::wire::measure::Measure;

use super::server::Reply;
use super::{Phone, Town};

/// The fault of one request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// The request never arrives.
    RequestLost,
    /// The server handles the request, and the answer never arrives.
    AnswerLost,
    /// The request arrives twice; the second answer reaches the phone.
    Twice,
    /// The answer of an earlier request arrives in place of this one's.
    Stale,
    /// The answer ends after this many bytes.
    Cut(usize),
    /// A bit of the answer is flipped.
    Flip(usize),
    /// The answer is under way and arrives at the next turn, whatever happens until then.
    Slow,
    /// The server crashes after it has handled the request, before the answer leaves.
    ServerCrash,
    /// The phone crashes before the answer arrives.
    PhoneCrash,
}

/// The result of one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The sync is over.
    Done(Report),
    /// The phone waits before it tries again.
    Waits,
    /// The request was answered, and the phone accepted the answer.
    Answered,
    /// The answer is under way.
    Awaited,
    /// No answer came.
    Lost,
    /// The phone refused the answer, or could not ask; the code gives the reason.
    Failed(String),
}

/// Turns of one sync. A machine that needs more never comes to rest.
const TURNS_MAX: usize = 3_000;

impl Phone {
    /// Syncs over a line without faults until all is done.
    pub fn sync(&mut self, town: &mut Town) -> Report {
        self.try_sync(town).unwrap()
    }

    /// Syncs over a line without faults; the error is the code of the last failure.
    pub fn try_sync(&mut self, town: &mut Town) -> Result<Report, String> {
        let mut failures = 0;
        for _ in 0..TURNS_MAX {
            match self.turn(town, Fault::None) {
                Turn::Done(report) => return Ok(report),
                Turn::Waits => self.star.wake(),
                Turn::Answered | Turn::Awaited => {}
                Turn::Lost => return Err("sync.offline".to_owned()),
                Turn::Failed(code) => {
                    failures += 1;
                    if failures > 8 {
                        return Err(code);
                    }
                }
            }
        }
        Err("sync never comes to rest".to_owned())
    }

    /// Asks over a line without faults how much this phone lacks.
    pub fn plan(&mut self, town: &mut Town) -> Measure {
        self.plan_and_report(town).0
    }

    /// Measures what a sync would cost; returns also the report of the exchange.
    pub fn plan_and_report(&mut self, town: &mut Town) -> (Measure, Report) {
        self.star.begin_plan();
        let report = self.sync(town);
        (self.star.take_measure().unwrap(), report)
    }

    /// The work of the sync under way so far.
    #[must_use]
    pub fn progress(&self) -> &Report {
        self.star.progress()
    }

    /// Caps the pages of the requests that follow, in compressed bytes.
    pub fn cap_page(&mut self, bytes_max: Option<u64>) {
        self.star.cap_page(bytes_max);
    }

    /// Ends the wait of the machine, because the network is back.
    pub fn wake(&mut self) {
        self.star.wake();
    }

    /// Runs one step of the machine with this fault on the line.
    pub fn turn(&mut self, town: &mut Town, fault: Fault) -> Turn {
        let now_ms = self.clock_ms(town);
        let (replica, star, rng) = self.parts();
        match star.next(replica, now_ms, rng) {
            Ok(Step::Send(request)) => self.carry(town, &request, fault),
            Ok(Step::Done(report)) => Turn::Done(report),
            Ok(Step::Wait { .. }) => Turn::Waits,
            Ok(Step::Awaiting) => {
                let reply = self.under_way.take();
                self.take(town, reply)
            }
            Err(error) => Turn::Failed(error.code().to_owned()),
        }
    }

    fn carry(&mut self, town: &mut Town, request: &Request, fault: Fault) -> Turn {
        let reply = match fault {
            Fault::RequestLost => None,
            Fault::AnswerLost => {
                self.stale = town.post(request);
                None
            }
            Fault::Twice => {
                self.stale = town.post(request);
                town.post(request)
            }
            Fault::Stale => {
                let answer = town.post(request);
                std::mem::replace(&mut self.stale, answer.clone()).or(answer)
            }
            Fault::Cut(at) => town.post(request).map(|reply| cut(reply, at)),
            Fault::Flip(at) => town.post(request).map(|reply| flip(reply, at)),
            Fault::None => town.post(request),
            Fault::Slow => {
                self.under_way = town.post(request);
                return Turn::Awaited;
            }
            Fault::ServerCrash => {
                town.post(request);
                town.crash_server();
                town.reopen_server();
                None
            }
            Fault::PhoneCrash => {
                town.post(request);
                self.crash();
                self.reopen();
                return Turn::Lost;
            }
        };
        self.take(town, reply)
    }

    fn take(&mut self, town: &Town, reply: Option<Reply>) -> Turn {
        let now_ms = self.clock_ms(town);
        let (replica, star, rng) = self.parts();
        let Some(reply) = reply else {
            star.failed(now_ms, rng);
            return Turn::Lost;
        };
        let incoming = Incoming {
            status: reply.status,
            mac: reply.mac.as_deref(),
            body: &reply.body,
        };
        match star.received(replica, incoming, now_ms, rng) {
            Ok(()) => Turn::Answered,
            Err(error) => Turn::Failed(error.code().to_owned()),
        }
    }
}

fn cut(mut reply: Reply, at: usize) -> Reply {
    let at = at % reply.body.len().max(1);
    reply.body.truncate(at);
    reply
}

fn flip(mut reply: Reply, at: usize) -> Reply {
    let bits = reply.body.len() * 8;
    if bits > 0 {
        let at = at % bits;
        reply.body[at / 8] ^= 1 << (at % 8);
    }
    reply
}
