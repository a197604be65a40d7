//! The health of the periodic tasks, as `/healthz` shows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::error::{Problem, Result};
use crate::limits::STUCK_AFTER;

/// The failures of a task that `/healthz` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concern {
    /// The task tries the store, so all its failures count, and a run that does not end.
    Store,
    /// Only panics count. Other failures are of single records and are logged.
    Panics,
}

/// The tasks of a node; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulses(Arc<Mutex<Vec<Pulse>>>);

/// One task.
#[derive(Debug, Clone)]
pub(super) struct Pulse {
    concern: Concern,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Begin of the run under way.
    since: Option<Instant>,
    /// Code of the last failure; `None` after a success.
    failing: Option<&'static str>,
}

impl Pulses {
    /// Adds a task that has not run yet.
    pub(super) fn add(&self, concern: Concern) -> Pulse {
        let pulse = Pulse {
            concern,
            state: Arc::default(),
        };
        self.lock().push(pulse.clone());
        pulse
    }

    /// Returns the first failure.
    pub(super) fn check(&self) -> Result<()> {
        self.lock().iter().try_for_each(Pulse::check)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Pulse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pulse {
    pub(super) fn begin(&self) {
        self.lock().since = Some(Instant::now());
    }

    pub(super) fn end(&self, outcome: Result<()>) {
        let counts = self.concern == Concern::Store;
        let failing = outcome.err().filter(|_| counts);
        *self.lock() = State {
            since: None,
            failing: failing.map(|problem| problem.code()),
        };
    }

    pub(super) fn panicked(&self) {
        *self.lock() = State {
            since: None,
            failing: Some("server.task_failing"),
        };
    }

    fn check(&self) -> Result<()> {
        let state = self.lock();
        if let Some(code) = state.failing {
            return Err(Problem::new(code));
        }
        let is_stuck = state
            .since
            .is_some_and(|since| since.elapsed() > STUCK_AFTER);
        if is_stuck && self.concern == Concern::Store {
            return Err(Problem::new("server.task_failing"));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use std::time::Duration;

    use super::*;

    fn code(pulses: &Pulses) -> Option<&'static str> {
        pulses.check().err().map(|problem| problem.code())
    }

    #[tokio::test(start_paused = true)]
    async fn failure_shows_until_the_next_success() {
        let pulses = Pulses::default();
        let (store, deadlines) = (pulses.add(Concern::Store), pulses.add(Concern::Panics));
        assert_eq!(code(&pulses), None);
        for failure in ["store.full", "store.read_only"] {
            store.begin();
            store.end(Err(Problem::new(failure)));
            assert_eq!(code(&pulses), Some(failure));
            store.begin();
            assert_eq!(code(&pulses), Some(failure), "the next run has not ended");
            store.end(Ok(()));
            assert_eq!(code(&pulses), None);
        }
        deadlines.end(Err(Problem::new("store.damaged")));
        assert_eq!(code(&pulses), None, "one record is damaged, not the server");
        deadlines.panicked();
        assert_eq!(code(&pulses), Some("server.task_failing"));
        deadlines.end(Ok(()));
        assert_eq!(code(&pulses), None);
    }

    #[tokio::test(start_paused = true)]
    async fn trial_that_does_not_end_shows() {
        let pulses = Pulses::default();
        let (store, release) = (pulses.add(Concern::Store), pulses.add(Concern::Panics));
        release.begin();
        store.begin();
        tokio::time::advance(STUCK_AFTER).await;
        assert_eq!(code(&pulses), None, "a large import");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(code(&pulses), Some("server.task_failing"));
        store.end(Ok(()));
        assert_eq!(code(&pulses), None, "a release may take long");
    }
}
