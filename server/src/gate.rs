//! Whether phones may deliver now. Reading continues, and administrators may always write: a revocation needs little
//! room, and matters most on a bad day.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Problem, Result};
use crate::store::StoreError;

/// Reasons against work of phones; without one they may deliver.
#[derive(Debug, Default)]
pub struct Gate {
    is_full: AtomicBool,
    is_behind: AtomicBool,
}

impl Gate {
    /// Notes whether the disk has less room than its reserve.
    pub fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Notes whether the clock is behind the newest time in the store.
    pub fn set_behind(&self, is_behind: bool) {
        self.is_behind.store(is_behind, Ordering::Relaxed);
    }

    /// Refuses work that would be lost on a full disk, or judged by a wrong clock.
    pub fn check(&self) -> Result<()> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(StoreError::Full.into());
        }
        if self.is_behind.load(Ordering::Relaxed) {
            return Err(Problem::new("server.clock_behind"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::fixtures::{NOW, VOLUNTEER_WANG, VOLUNTEER_ZHAO};

    use crate::ingest::tests::world::TestServer;
    use crate::limits::SERVER_BEHIND_MS_MAX;

    #[test]
    fn full_disk_takes_revocations_and_no_work() {
        let world = TestServer::new();
        let gate = &world.server.shared.gate;
        let mut phone = world.phone(VOLUNTEER_WANG);
        let lost = world.phone(VOLUNTEER_ZHAO).session.device;
        let report = phone.report("gas");
        gate.set_full(true);
        let request = phone.ask(Some(phone.bundle(&[&report])), 0);
        let refused = phone.send(&world.server, &request).unwrap_err();
        assert_eq!(refused.code(), "store.full");
        assert!(world.server.revoke(lost, "zhang", NOW).unwrap());
        assert!(
            !phone.pull(&world.server, 1 << 20).is_empty(),
            "it reads on"
        );
        gate.set_full(false);
        phone.push(&world.server, &[&report]);
    }

    /// Otherwise all work of the day is held because of the clocks of the phones, and stays held.
    #[test]
    fn clock_behind_the_store_judges_nothing() {
        let world = TestServer::new();
        let server = &world.server;
        let mut phone = world.phone(VOLUNTEER_WANG);
        let report = phone.report("gas");
        let day_ms = 24 * 3_600_000;
        server.try_write(NOW).unwrap();
        server.try_write(NOW - SERVER_BEHIND_MS_MAX).unwrap();
        for _ in 0..2 {
            let problem = server.try_write(NOW - day_ms).unwrap_err();
            assert_eq!(problem.code(), "server.clock_behind", "and it stays so");
        }
        let request = phone.ask(Some(phone.bundle(&[&report])), 0);
        let refused = phone.send(server, &request).unwrap_err();
        assert_eq!(refused.code(), "server.clock_behind");
        assert_eq!(refused.class().http_status(), 503);
        server.try_write(NOW).unwrap();
        phone.push(server, &[&report]);

        // The clock was ahead before, and an administrator says so.
        server.try_write(NOW + 366 * day_ms).unwrap();
        server.try_write(NOW).unwrap_err();
        server.trust_clock(NOW).unwrap();
        server.try_write(NOW).unwrap();
        server.shared.gate.check().unwrap();
    }
}
