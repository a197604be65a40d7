//! Lines of the log about things that strangers cause: counted always, written seldom.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::error::{Class, Problem};
use crate::limits::{FAULT_LINES_A_MINUTE, QUIET_LINE_EVERY, REFUSAL_LINES_A_MINUTE};

/// Remembers the lines of the last minute by code; clones share it. Codes are few, so memory is
/// bounded.
#[derive(Debug, Clone, Default)]
pub(super) struct QuietLog(Arc<Mutex<HashMap<&'static str, Minute>>>);

#[derive(Debug)]
struct Minute {
    began: Instant,
    written: u32,
    unwritten: u64,
}

impl QuietLog {
    /// Logs a problem, unless its code was logged often enough in this minute. A fault of the
    /// server has more lines than a refusal, because each may have another cause.
    pub(super) fn problem(&self, problem: &Problem) {
        let lines_max = if problem.class() == Class::Internal {
            FAULT_LINES_A_MINUTE
        } else {
            REFUSAL_LINES_A_MINUTE
        };
        let Some(unwritten) = self.turn(problem.code(), lines_max, Instant::now()) else {
            return;
        };
        if unwritten > 0 {
            tracing::info!(
                code = problem.code(),
                count = unwritten,
                "not logged before"
            );
        }
        problem.log();
    }

    /// Returns the number of lines that were left out before, if a line may be written now.
    pub(super) fn turn(&self, code: &'static str, lines_max: u32, now: Instant) -> Option<u64> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = codes.entry(code).or_insert(Minute {
            began: now,
            written: 0,
            unwritten: 0,
        });
        if now.saturating_duration_since(minute.began) >= QUIET_LINE_EVERY {
            minute.began = now;
            minute.written = 0;
        }
        if minute.written >= lines_max {
            minute.unwritten += 1;
            return None;
        }
        minute.written += 1;
        Some(std::mem::take(&mut minute.unwritten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_of_one_code_is_one_line_a_minute() {
        let (quiet, start) = (QuietLog::default(), Instant::now());
        assert_eq!(quiet.turn("http.not_found", 1, start), Some(0));
        for _ in 0..1_000 {
            assert_eq!(quiet.turn("http.not_found", 1, start), None);
        }
        assert_eq!(quiet.turn("http.busy", 1, start), Some(0), "another code");
        let later = start + QUIET_LINE_EVERY;
        assert_eq!(quiet.turn("http.not_found", 1, later), Some(1_000));
        assert_eq!(quiet.turn("http.not_found", 1, later), None);
    }
}
