//! Limits that only the server has. What both sides must agree on stands in `onegrid_core::limits`.

use std::time::Duration;

/// Bytes of a configuration file.
pub const CONFIG_BYTES_MAX: u64 = 256 * 1_024;
/// The largest request body that a configuration may allow, in bytes.
pub const BODY_BYTES_CEILING: u64 = 256 * 1_024 * 1_024;
/// Bytes of a TLS certificate chain or key file.
pub const TLS_FILE_BYTES_MAX: u64 = 1_024 * 1_024;
/// How long a connection may take to send the head of a request.
pub const HEAD_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long a TLS handshake may take.
pub const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);

// Imports.

/// Bytes of one imported file.
pub const IMPORT_FILE_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Rows of one imported table.
pub const IMPORT_ROWS_MAX: usize = 200_000;
/// Columns of one imported table.
pub const IMPORT_COLUMNS_MAX: usize = 64;
/// Bytes of one cell of an imported table.
pub const IMPORT_CELL_BYTES_MAX: usize = 4_000;
/// Bad rows that are reported one by one; beyond that the import stops.
pub const IMPORT_BAD_ROWS_MAX: usize = 10_000;
/// Areas that one row of a table of members may name.
pub const IMPORT_AREAS_PER_ROW_MAX: usize = 64;
/// Points of one imported polygon, over all its rings: the check for crossings is quadratic.
pub const IMPORT_POLYGON_POINTS_MAX: usize = 20_000;
/// Jobs that share one durable transaction of the store.
pub const JOBS_PER_COMMIT_MAX: usize = 64;
/// Jobs that wait for the writer of the store; who comes later waits before queueing.
pub const JOBS_WAITING_MAX: usize = 256;

/// Records that an export reads at once.
pub const EXPORT_RECORDS_A_STEP: usize = 200;

// Keys, sessions, certificates.

/// Bytes of the file of the server's keys.
pub const KEY_FILE_BYTES_MAX: u64 = 64 * 1_024;
/// How long a certificate allows reading, milliseconds.
pub const CERTIFICATE_MS: i64 = 400 * 24 * 3_600 * 1_000;
/// How long before its end a certificate is renewed when its phone comes, milliseconds.
pub const RENEW_BEFORE_MS: i64 = 100 * 24 * 3_600 * 1_000;
/// How long an invitation may be valid, milliseconds.
pub const INVITATION_MS_MAX: i64 = 30 * 24 * 3_600 * 1_000;
/// Handshakes that wait for their second message.
pub const HANDSHAKES_WAITING_MAX: usize = 4_096;
/// Verified certificates kept in memory.
pub const CERTIFICATES_CACHED_MAX: usize = 8_192;

// Ingest.

/// Attempts to store a bundle while revocations or roles change under it.
pub const INGEST_ROUNDS_MAX: usize = 8;
/// Signatures that one thread verifies before others are asked to help.
pub const VERIFY_ALONE_MAX: usize = 32;
/// Threads that verify signatures or judge records of one bundle.
pub const VERIFY_THREADS_MAX: usize = 8;
/// Records that one thread judges before others are asked to help.
pub const PLAN_ALONE_MAX: usize = 4;
/// Records kept in memory: about 20 kB each.
pub const RECORDS_CACHED_MAX: usize = 2_048;
/// How long work under a role that has since changed is accepted, milliseconds.
pub const ROLE_GRACE_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// How far a device's clock may be ahead, milliseconds.
pub const CLOCK_AHEAD_MS_MAX: i64 = 24 * 3_600 * 1_000;
/// How old work may be by the device's clock when it arrives, milliseconds.
pub const CLOCK_BEHIND_MS_MAX: i64 = 400 * 24 * 3_600 * 1_000;
/// Envelopes of one device in a day beyond which a person looks at what comes. A phone that was offline for weeks
/// brings some ten thousand.
pub const DEVICE_DAY_ENVELOPES_HELD: u64 = 100_000;
/// Envelopes of one device in a day beyond which nothing is taken.
pub const DEVICE_DAY_ENVELOPES_MAX: u64 = 200_000;
/// Bytes of one device in a day beyond which nothing is taken.
pub const DEVICE_DAY_BYTES_MAX: u64 = 512 * 1_024 * 1_024;
/// Envelopes of one record that are stored, whatever their verdicts: what goes beyond the limit that all replicas
/// share is void, and there has to be an end to that too.
pub const RECORD_STORED_MAX: usize = 2 * onegrid_core::limits::RECORD_ENTRIES_MAX;
/// Envelopes of one device that are kept although this version can not read them.
pub const UNREAD_ENVELOPES_MAX: u64 = 2_000;
/// Their bytes.
pub const UNREAD_BYTES_MAX: u64 = 8 * 1_024 * 1_024;
/// Such envelopes that are read at once at a start.
pub const UNREAD_ROWS_A_STEP: usize = 64;
/// Entries of the review queue that a start looks through for what it understands now.
pub const RELEASE_REVIEWS_MAX: usize = 100_000;
/// Automatic moves that one change of a record may set off.
pub const AUTOMATIC_MOVES_MAX: usize = 8;
/// Overdue cases that one tick looks at.
pub const DUE_PER_TICK_MAX: usize = 200;

// Feed.

/// Certificates that a device is remembered to have, so that its next page leaves them out.
pub const CERTIFICATES_REMEMBERED_MAX: usize = 4_096;
/// Cursor sets of devices kept in memory.
pub const CURSOR_SETS_CACHED_MAX: usize = 512;
/// Rows of a feed that are read at once.
pub const FEED_ROWS_A_STEP: usize = 256;
/// Records of a first load that are read at once.
pub const PACKS_A_STEP: usize = 64;
/// Packs that are made for one page; those that are there already only count by their bytes. So that everybody
/// gets an answer when a crowd comes for the first time. Smaller pages cost bytes: packs share a page's frame.
pub const PACKS_MADE_A_PAGE_MAX: usize = 1_024;
/// By how much a page is expected to shrink when compressed.
pub const INFLATION_EXPECTED: usize = 2;

// The reading log.

/// How long the reading log keeps a line, days.
pub const READINGS_KEPT_DAYS: i64 = 180;
/// Lines of the reading log that are read at once.
pub const READINGS_A_STEP: usize = 1_000;

// Rules.

/// Bytes of a rules file.
pub const RULES_BYTES_MAX: u64 = 256 * 1_024;
/// Rules of one file.
pub const RULES_MAX: usize = 1_000;
/// The longest time that a rule may give, minutes.
pub const RULE_MINUTES_MAX: i64 = 366 * 24 * 60;

// HTTP.

/// Bodies of the largest allowed size that are held in memory together; smaller ones count by their size.
pub const BODIES_AT_ONCE_MAX: usize = 32;
/// Callers whose requests are counted one by one.
pub const RATE_CALLERS_MAX: usize = 100_000;
/// Wake-up connections of one device; the driver of a phone holds one, a broken one may linger.
pub const LIVE_PER_DEVICE_MAX: usize = 4;
/// Bytes of a message that a phone sends on a wake-up connection.
pub const LIVE_MESSAGE_BYTES_MAX: usize = 1_024;
/// Messages that a phone may send on one wake-up connection, answers to pings not counted.
pub const LIVE_MESSAGES_MAX: usize = 1_000;
/// How often the server asks whether the phone is still there.
pub const LIVE_PING_EVERY: Duration = Duration::from_secs(30);
/// Silence after which a phone counts as gone.
pub const LIVE_SILENCE_MAX: Duration = Duration::from_secs(75);
/// How long a message to a phone may take to leave.
pub const LIVE_SEND_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pause between two wake-ups of one connection: what is new in it wakes once.
pub const LIVE_WAKE_PAUSE: Duration = Duration::from_millis(200);
/// How often a node looks for revocations and changes by other processes.
pub const LOOK_EVERY: Duration = Duration::from_millis(400);
/// Lines of the audit log that one such look reads.
pub const AUDIT_ROWS_A_LOOK: usize = 256;
/// How often the rules look for overdue cases.
pub const TICK_EVERY: Duration = Duration::from_secs(15);
/// How often sessions that are over are removed.
pub const SWEEP_EVERY: Duration = Duration::from_mins(10);
