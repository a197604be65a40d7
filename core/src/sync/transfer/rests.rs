//! Files that failed for a reason of their own: each may try once more at once, and then rests, longer each time.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{FILE_REST_MS_FIRST, FILE_REST_MS_MAX, FRUITLESS_REQUESTS_MAX};
use crate::wire::transfer::FileName;

/// The rest after so many earlier ones, milliseconds.
pub(super) fn rest_ms(earlier: u32) -> i64 {
    FILE_REST_MS_FIRST
        .saturating_mul(1 << earlier.min(20))
        .min(FILE_REST_MS_MAX)
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    faults: u32,
    from_ms: i64,
    until_ms: i64,
}

/// The files with faults.
#[derive(Debug, Default)]
pub(super) struct Rests {
    rests: BTreeMap<FileName, Rest>,
    /// Requests in a row that moved no byte of a file, though the server answered.
    fruitless: BTreeMap<FileName, u32>,
}

impl Rests {
    /// Notes a fault after which a second try is sensible. Returns whether the file may try at once.
    pub(super) fn fault(&mut self, name: &FileName, now_ms: i64) -> bool {
        if self.rests.contains_key(name) {
            self.rest(name, now_ms);
            return false;
        }
        let rest = Rest {
            faults: 0,
            from_ms: now_ms,
            until_ms: now_ms,
        };
        self.rests.insert(*name, rest);
        true
    }

    /// Notes a request that moved no byte of a file, though the server answered. The file rests after some of
    /// them in a row. Returns whether it rests now.
    pub(super) fn fruitless(&mut self, name: &FileName, now_ms: i64) -> bool {
        let count = self.fruitless.entry(*name).or_default();
        *count += 1;
        if *count < FRUITLESS_REQUESTS_MAX {
            return false;
        }
        self.rest(name, now_ms);
        true
    }

    /// Bytes of a file have moved.
    pub(super) fn moved(&mut self, name: &FileName) {
        self.fruitless.remove(name);
    }

    /// Lets a file rest.
    pub(super) fn rest(&mut self, name: &FileName, now_ms: i64) {
        let faults = self.rests.get(name).map_or(0, |rest| rest.faults);
        let length_ms = rest_ms(faults);
        let rest = Rest {
            faults: faults.saturating_add(1),
            from_ms: now_ms,
            until_ms: now_ms.saturating_add(length_ms),
        };
        self.fruitless.remove(name);
        self.rests.insert(*name, rest);
    }

    /// Forgets the faults of a file, because it succeeded.
    pub(super) fn clear(&mut self, name: &FileName) {
        self.fruitless.remove(name);
        self.rests.remove(name);
    }

    /// The files that rest now. A clock that was set back ends a rest.
    pub(super) fn resting(&self, now_ms: i64) -> BTreeSet<FileName> {
        let rests = self.rests.iter();
        let resting = rests.filter(|(_, rest)| (rest.from_ms..rest.until_ms).contains(&now_ms));
        resting.map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Hash, RecordId};

    #[test]
    fn second_fault_rests_and_each_longer() {
        let name = FileName {
            record: RecordId([1; 16]),
            id: Hash([2; 32]),
        };
        let mut rests = Rests::default();
        assert!(rests.fault(&name, 0) && rests.resting(0).is_empty());
        let mut now_ms = 0;
        for doublings in 0..4 {
            assert!(!rests.fault(&name, now_ms));
            let length_ms = FILE_REST_MS_FIRST << doublings;
            assert_eq!(rests.resting(now_ms + length_ms - 1).len(), 1);
            assert!(rests.resting(now_ms - 1).is_empty(), "a clock set back");
            now_ms += length_ms;
            assert!(rests.resting(now_ms).is_empty());
        }
        for _ in 0..40 {
            rests.rest(&name, now_ms);
        }
        assert!(rests.resting(now_ms + FILE_REST_MS_MAX).is_empty());
        rests.clear(&name);
        assert!(rests.fault(&name, now_ms));
    }
}
