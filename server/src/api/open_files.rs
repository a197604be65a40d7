//! The number of files that the process may open, which also limits its connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::OPEN_FILES_RESERVED;

/// Raises the soft limit of open files to the hard limit, and returns the limit in force; `None`
/// means no limit.
pub(super) fn raise_open_files() -> Option<u64> {
    let now = getrlimit(Resource::Nofile);
    if now.current == now.maximum {
        return now.current;
    }
    let raised = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    // A system that forbids it leaves the old limit in force.
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current
}

/// Returns the number of connections that fit beside the files of the store.
pub(super) fn connections_within(files_max: Option<u64>, wanted: usize) -> usize {
    let Some(files_max) = files_max else {
        return wanted;
    };
    let files_max = usize::try_from(files_max).unwrap_or(usize::MAX);
    let reserved = OPEN_FILES_RESERVED.min(files_max / 2);
    wanted.min(files_max - reserved).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_store() {
        assert_eq!(connections_within(None, 24_000), 24_000);
        assert_eq!(connections_within(Some(1_048_576), 24_000), 24_000);
        assert_eq!(
            connections_within(Some(1_024), 24_000),
            1_024 - OPEN_FILES_RESERVED
        );
        assert_eq!(connections_within(Some(100), 24_000), 50);
        assert_eq!(connections_within(Some(0), 24_000), 1);
    }

    #[test]
    fn soft_limit_is_raised_to_the_hard_limit() {
        let raised = raise_open_files();
        assert_eq!(raised, getrlimit(Resource::Nofile).maximum);
    }
}
