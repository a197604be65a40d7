//! A village with a past: hazards of the bench, as if their people had delivered them long ago.

use std::collections::HashMap;

use onegrid_core::net::now_ms;
use onegrid_core::wire::verdict::Status;
use onegrid_server::server::Server;

use super::answer::Refusal;
use crate::histories::{self, Cast, History, Written};

/// The grid of Wulin street that holds all of them.
const GRID: &str = "330105013003001";
/// The most hazards that one command brings.
pub(super) const RECORDS_MAX: usize = 20_000;
/// Records that the server gets at once.
const RECORDS_A_BUNDLE: usize = 500;

/// The histories, and the number of those that have been used.
#[derive(Default)]
pub(super) struct Past {
    histories: Vec<History>,
    used: usize,
}

impl Past {
    /// Brings `count` more hazards, with their whole histories or only as they were reported. The server
    /// runs without rules, because the histories already hold the moves that rules would make.
    pub(super) fn bring(
        &mut self,
        server: &Server,
        count: usize,
        whole: bool,
    ) -> Result<usize, Refusal> {
        if self.histories.is_empty() {
            self.histories = histories::read();
        }
        let mut cast = Cast::new(server.keys().certificates(), *server.keys().authority());
        let mut left = count;
        while left > 0 {
            let part = left.min(RECORDS_A_BUNDLE);
            let written: Vec<Written> = (self.used..self.used + part)
                .map(|case| self.write(&mut cast, case, whole))
                .collect();
            take_in(server, &written)?;
            self.used += part;
            left -= part;
        }
        Ok(self.used)
    }

    fn write(&self, cast: &mut Cast, case: usize, whole: bool) -> Written {
        let round = case / self.histories.len();
        let mut history = self.histories[case % self.histories.len()]
            .clone()
            .moved_to(GRID);
        if !whole {
            history.events.truncate(1);
        }
        cast.write(&history, round as u64)
    }
}

fn take_in(server: &Server, cases: &[Written]) -> Result<(), Refusal> {
    let taken = server.ingest(histories::bundle_of(cases), &HashMap::new(), now_ms())?;
    let refused = taken
        .lines
        .iter()
        .find(|line| line.verdict.status != Status::Accepted);
    match refused {
        None => Ok(()),
        Some(line) => Err(Refusal::new(
            line.verdict.status.code(),
            "the server does not accept a history of the bench",
        )),
    }
}
