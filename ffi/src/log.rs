//! Passes the log of the core to the host: filtered here, and handed over on a thread of its own.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, Once, PoisonError};

use onegrid_core::net::now_ms;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

use crate::error::Answer;
use crate::host::LogSink;
use crate::types::{LogLevel, LogLine};

/// Lines that may wait for the sink; further lines are counted and left out.
const LINES_WAITING_MAX: usize = 256;
/// The limit of characters in one line.
const LINE_CHARS_MAX: usize = 512;

static LEVEL: AtomicU8 = AtomicU8::new(0);
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);
static SINK: Mutex<Option<SyncSender<LogLine>>> = Mutex::new(None);
static INSTALLED: Once = Once::new();

/// Sends the log of the SDK to this sink from now on, in place of an earlier sink.
#[uniffi::export]
pub fn set_log_sink(sink: Arc<dyn LogSink>, level: LogLevel) -> Answer<()> {
    crate::error::guarded(|| {
        let (sender, receiver) = sync_channel::<LogLine>(LINES_WAITING_MAX);
        std::thread::Builder::new()
            .name("onegrid-log".to_owned())
            .spawn(move || {
                while let Ok(line) = receiver.recv() {
                    // A failure of the sink cannot be reported through the sink.
                    drop(sink.log(line));
                }
            })
            .map_err(|_| crate::error::OneGridError::of("phone.bug"))?;
        *SINK.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        LEVEL.store(rank(level), Ordering::Relaxed);
        INSTALLED.call_once(|| {
            // An app with its own subscriber of `tracing` keeps it, and then this sink gets no lines.
            drop(tracing::subscriber::set_global_default(
                Registry::default().with(ToSink),
            ));
        });
        Ok(())
    })
}

/// Ends the log.
#[uniffi::export]
pub fn clear_log_sink() -> Answer<()> {
    LEVEL.store(0, Ordering::Relaxed);
    *SINK.lock().unwrap_or_else(PoisonError::into_inner) = None;
    Ok(())
}

/// Lines that were left out because the sink was slower than the log.
pub(crate) fn left_out() -> u64 {
    LEFT_OUT.load(Ordering::Relaxed)
}

fn rank(level: LogLevel) -> u8 {
    match level {
        LogLevel::Error => 1,
        LogLevel::Warn => 2,
        LogLevel::Info => 3,
        LogLevel::Debug => 4,
    }
}

fn level_of(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

struct ToSink;

impl<S: Subscriber> Layer<S> for ToSink {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        // Only lines of OneGrid pass, because a library may log addresses and paths.
        let ours = meta.target().starts_with("onegrid");
        let level = level_of(*meta.level());
        if !ours || *meta.level() == Level::TRACE || rank(level) > LEVEL.load(Ordering::Relaxed) {
            return;
        }
        let mut text = Line(String::new());
        event.record(&mut text);
        let line = LogLine {
            level,
            at_ms: now_ms(),
            target: meta.target().to_owned(),
            text: text.0.chars().take(LINE_CHARS_MAX).collect(),
        };
        let sink = SINK.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(sink) = sink
            && let Err(TrySendError::Full(_)) = sink.try_send(line)
        {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Line(String);

impl Line {
    fn push(&mut self, field: &Field, value: &dyn std::fmt::Display) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        let written = if field.name() == "message" {
            write!(self.0, "{value}")
        } else {
            write!(self.0, "{}={value}", field.name())
        };
        debug_assert!(written.is_ok(), "writing to a String never fails");
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.push(field, &format_args!("{value:?}"));
    }
}
