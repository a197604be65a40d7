//! Times of commands.

use onegrid_core::system::now_ms;

pub(super) use crate::admin::time::local;

/// The present time in milliseconds UTC.
pub(super) fn now() -> i64 {
    now_ms()
}
