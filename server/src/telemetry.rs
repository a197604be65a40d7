//! The log of the process, also for panics.
//!
//! **Invariant:** no personal data. A request is logged by its route template, never by address, query or
//! body. A panic is logged by its place in the code, never by its message, which may quote a person's text.
//! Libraries log warnings and errors only, whatever the filter says, because at finer levels they print
//! addresses and headers.

use tracing::{Level, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt};

use crate::config::{LogConfig, LogFormat};

/// Starts the log on standard error. Only the first call of a process has an effect, so tests and the demo
/// may call it again.
pub fn init(config: &LogConfig) {
    // An error means that the process already has a log.
    let _ = tracing::subscriber::set_global_default(subscriber(config, std::io::stderr));
    hook_panics();
}

/// Logs panics with their place only.
fn hook_panics() {
    std::panic::set_hook(Box::new(|panic| {
        // A change that makes automerge panic is refused with a code, so it is not a bug of the server.
        if onegrid_core::crdt::is_guarded() {
            return;
        }
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

fn subscriber<W>(config: &LogConfig, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let ours =
        filter_fn(|line| line.target().starts_with("onegrid") || *line.level() <= Level::WARN);
    let lines = fmt::layer().with_ansi(false).with_writer(writer);
    let lines = match config.format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let chosen = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    Registry::default().with(lines.with_filter(ours).with_filter(chosen))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Log lines of this thread since the start.
    #[derive(Clone, Default)]
    pub(crate) struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Heard {
        /// Logs all lines of this thread, at the finest level, until the guard is dropped.
        pub(crate) fn start(format: LogFormat) -> (Self, tracing::subscriber::DefaultGuard) {
            let heard = Self::default();
            let guard = heard.listen(format);
            (heard, guard)
        }

        /// Logs the lines of this thread, too.
        pub(crate) fn listen(&self, format: LogFormat) -> tracing::subscriber::DefaultGuard {
            let config = LogConfig {
                format,
                filter: "trace".to_owned(),
            };
            let writer = self.clone();
            tracing::subscriber::set_default(subscriber(&config, move || writer.clone()))
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn libraries_are_heard_from_warnings_upwards_only() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let (heard, guard) = Heard::start(format);
            tracing::trace!(target: "hyper::proto", "host: 10.1.2.3");
            tracing::warn!(target: "hyper::proto", "a warning");
            tracing::trace!("of ours");
            drop(guard);
            let text = heard.text();
            assert!(!text.contains("10.1.2.3"), "{text}");
            assert!(
                text.contains("a warning") && text.contains("of ours"),
                "{text}"
            );
        }
    }
}
