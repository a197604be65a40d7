//! Notices, notifications, the tally, and lines of the log.

/// News about the person's own words: they were refused, held, or written again. The app must show it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Notice {
    /// The number of the notice, for `notices_seen`.
    pub no: i64,
    /// The time, ms UTC.
    pub at_ms: i64,
    /// The stable code.
    pub code: String,
    /// The sentence in Chinese.
    pub zh: String,
    /// The sentence in English.
    pub en: String,
    /// The record that the notice is about.
    pub record: Option<String>,
    /// The person's own words, if the notice is about some.
    pub detail: String,
}

/// A message that the phone should show for a new event. It holds no content, so a lock screen may show it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Notification {
    /// The number of the notification, for `notifications_taken`.
    pub no: i64,
    /// The time, ms UTC.
    pub at_ms: i64,
    /// The stable code.
    pub code: String,
    /// The sentence in Chinese.
    pub zh: String,
    /// The sentence in English.
    pub en: String,
    /// The record that the notification is about.
    pub record: Option<String>,
}

/// A piece of work that does not count, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Uncounted {
    /// The record.
    pub record: String,
    /// The person's own words.
    pub words: String,
    /// The stable code of the reason.
    pub code: String,
    /// The reason in Chinese.
    pub zh: String,
    /// The reason in English.
    pub en: String,
}

/// The member's work, and how much of it counts.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Tally {
    /// The number of recorded pieces of work. A photo counts with the report, move, answer or comment that it was
    /// added with; alone it is a piece of its own.
    pub recorded: u64,
    /// The number of pieces that the server accepted, so that they count.
    pub counted: u64,
    /// The number of undelivered pieces.
    pub waiting: u64,
    /// The number of pieces that are held for review.
    pub held: u64,
    /// The pieces that do not count, at most 200, newest first.
    pub uncounted: Vec<Uncounted>,
    /// “148 recorded, 148 counted” in Chinese.
    pub zh: String,
    /// “148 recorded, 148 counted” in English.
    pub en: String,
}

/// The verbosity of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// Errors only.
    Error,
    /// Errors and warnings.
    Warn,
    /// Errors, warnings and events.
    Info,
    /// Errors, warnings, events and their details.
    Debug,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LogLine {
    /// The severity.
    pub level: LogLevel,
    /// The time, ms UTC.
    pub at_ms: i64,
    /// The module.
    pub target: String,
    /// The event: codes and counts.
    pub text: String,
}
