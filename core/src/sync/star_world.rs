//! A server and phones in memory, and the faults between them.

use super::*;

pub(super) struct FaultyNetwork {
    pub(super) rng: ChaCha20Rng,
    pub(super) server: Server,
    pub(super) phones: Vec<(MemoryReplica, Star)>,
    pub(super) now: i64,
    pub(super) old_reply: Option<Reply>,
}

impl FaultyNetwork {
    pub(super) fn new(seed: u64, phones: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let deployment = Deployment::generate(&mut rng);
        let phones = (0..phones)
            .map(|_| (MemoryReplica::new(&deployment, &mut rng), Star::new()))
            .collect();
        let server = Server::new(deployment);
        Self {
            rng,
            server,
            phones,
            now: 1_000_000,
            old_reply: None,
        }
    }

    pub(super) fn write(&mut self, phone: usize, count: usize) {
        for _ in 0..count {
            let record = record(&mut self.rng, 40);
            self.phones[phone].0.write(record, &mut self.rng);
        }
    }

    /// Runs one sync to its end without faults.
    pub(super) fn sync(&mut self, phone: usize) -> Report {
        self.run(phone, 0)
            .expect("without faults a sync comes to its end")
    }

    /// Runs one sync; of 100 exchanges, `faults` go wrong. `None` when the sync does not end.
    pub(super) fn run(&mut self, phone: usize, faults: u32) -> Option<Report> {
        for _ in 0..3_000 {
            let (port, star) = &mut self.phones[phone];
            let step = match star.next(port, self.now, &mut self.rng) {
                Ok(step) => step,
                Err(error) => panic!("{error}"),
            };
            match step {
                Step::Done(report) => return Some(report),
                Step::Wait { until_ms } => self.now = until_ms,
                Step::Awaiting => panic!("nobody waits here"),
                Step::Send(request) => self.exchange(phone, &request, faults),
            }
        }
        None
    }

    pub(super) fn exchange(&mut self, phone: usize, request: &Request, faults: u32) {
        self.now += 20;
        let fault = if self.rng.next_u32() % 100 < faults {
            self.rng.next_u32() % 8
        } else {
            99
        };
        let (port, star) = &mut self.phones[phone];
        if fault == 0 {
            return star.failed(self.now, &mut self.rng);
        }
        let mut reply = self.server.handle(request, self.now, &mut self.rng);
        match fault {
            1 => return star.failed(self.now, &mut self.rng),
            2 => reply = self.server.handle(request, self.now, &mut self.rng),
            3 => {
                let at = self.rng.next_u32() as usize % reply.body.len();
                reply.body[at] ^= 1 << (self.rng.next_u32() % 8);
            }
            4 => reply
                .body
                .truncate(self.rng.next_u32() as usize % reply.body.len()),
            5 => reply = self.old_reply.clone().unwrap_or(reply),
            6 => port.broken = true,
            7 => self.server.sessions.clear(),
            _ => {}
        }
        if self.rng.next_u32().is_multiple_of(4) && reply.status == 200 {
            self.old_reply = Some(reply.clone());
        }
        let before = (port.held.clone(), port.cursors.clone());
        let incoming = Incoming {
            status: reply.status,
            mac: reply.mac.as_deref(),
            body: &reply.body,
        };
        let taken = star.received(port, incoming, self.now, &mut self.rng);
        let altered = (3..=5).contains(&fault) && request.path == crate::sync::paths::SYNC_PATH;
        if taken.is_err() || (altered && fault != 5) {
            assert!(
                taken.is_err() || fault != 3,
                "an altered answer was taken: seedless {}",
                request.path
            );
            if taken.is_err() {
                assert_eq!(
                    before,
                    (port.held.clone(), port.cursors.clone()),
                    "nothing changes"
                );
            }
        }
        port.broken = false;
    }

    pub(super) fn assert_equal(&mut self) {
        for round in 0..2 {
            for phone in 0..self.phones.len() {
                let report = self.sync(phone);
                assert!(report.equal || round == 0, "phone {phone}: {report:?}");
            }
        }
        let there: Vec<_> = self.server.envelopes.keys().copied().collect();
        for (port, _) in &self.phones {
            let here: Vec<_> = port.held.keys().copied().collect();
            assert_eq!(here, there);
            assert!(port.held.values().all(|held| held.verdict.is_some()));
        }
    }
}
