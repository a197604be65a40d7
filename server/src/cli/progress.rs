//! Progress of a long command.

use std::io::Write as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar on standard error; without a terminal, one line for each tenth.
pub(super) struct Bar(Option<ProgressBar>);

impl Bar {
    pub(super) fn new(wanted: bool) -> Self {
        Self(wanted.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        }))
    }

    pub(super) fn on(&self) -> impl FnMut(usize, usize) + '_ {
        let mut tenth = 0;
        move |done, all| {
            let Some(bar) = &self.0 else { return };
            if !bar.is_hidden() {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
                return;
            }
            let now = done * 10 / all.max(1);
            if now > tenth {
                tenth = now;
                // Work continues without a reader of its progress.
                let _ = writeln!(std::io::stderr(), "{} % ({done}/{all})", now * 10);
            }
        }
    }

    pub(super) fn end(self) {
        if let Some(bar) = self.0 {
            bar.finish();
        }
    }
}
