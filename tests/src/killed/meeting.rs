//! A meeting over TCP, with one side in a process of its own.
//!
//! Each line on the standard output of that process is one word and its values.
//!
//! | line | meaning |
//! |---|---|
//! | `listens ADDRESS` | the phone waits for a call |
//! | `met TAKEN FILES` | the meeting came to its end: new envelopes and photos |
//! | `failed CODE` | the meeting ended early |

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use onegrid_core::net::Cancel;
use onegrid_core::net::meeting::{MeetingDriver, MeetingError, MeetingListener, MeetingReport};
use onegrid_core::replica::Replica;
use onegrid_core::sync::shared::Shared;

use crate::town::Phone;

/// The address of every listener.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The end of a meeting.
pub type Ended = Result<MeetingReport, MeetingError>;

/// A phone that meets over TCP; its replica is shared with the thread of the meeting.
pub struct Meeting {
    replica: Arc<Shared<Replica>>,
    /// The driver.
    pub driver: MeetingDriver<Arc<Shared<Replica>>>,
    /// Ends the wait for a call.
    pub cancel: Cancel,
}

impl Meeting {
    /// Takes the phone.
    #[must_use]
    pub fn of(phone: Phone) -> Self {
        let replica = Arc::new(Shared::new(phone.into_replica()));
        let cancel = Cancel::new();
        let driver = MeetingDriver::new(Arc::clone(&replica), cancel.clone());
        Self {
            replica,
            driver,
            cancel,
        }
    }

    /// Closes the app in order. The thread of a call that was left ends on its own, soon after its
    /// pipe was closed.
    pub fn close(self) {
        drop(self.driver);
        let mut replica = self.replica;
        let last = loop {
            match Arc::try_unwrap(replica) {
                Ok(last) => break last,
                Err(shared) => replica = shared,
            }
            std::thread::yield_now();
        };
        last.into_inner().close().unwrap();
    }
}

/// Runs work of the network on this thread.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// Calls the phone at an address, or without one waits for a call; says how it went.
pub fn meet(phone: Phone, address: Option<SocketAddr>, out: &mut dyn Write) {
    let meeting = Meeting::of(phone);
    let ended: Ended = wait(async {
        let driver = &meeting.driver;
        if let Some(address) = address {
            return driver.call(&[address], None).await;
        }
        let listener = MeetingListener::bind(HERE).await?;
        tell(out, &format!("listens {}", listener.address()));
        driver.accept(&listener).await
    });
    meeting.close();
    match ended {
        Ok(MeetingReport { report, .. }) => {
            tell(out, &format!("met {} {}", report.taken, report.files_taken));
        }
        Err(error) => tell(out, &format!("failed {}", error.code())),
    }
}

fn tell(out: &mut dyn Write, line: &str) {
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
