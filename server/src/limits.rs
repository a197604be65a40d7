//! Limits that only the server has. Limits shared with phones are in `onegrid_core::limits`.

use std::time::Duration;

/// Bytes of a configuration file.
pub const CONFIG_BYTES_MAX: u64 = 256 * 1_024;
/// Largest request body that a configuration may allow, in bytes.
pub const BODY_BYTES_CEILING: u64 = 256 * 1_024 * 1_024;
/// Bytes of a TLS certificate chain or key file.
pub const TLS_FILE_BYTES_MAX: u64 = 1_024 * 1_024;
/// Longest time for the head of a request.
pub const HEAD_WAIT_MAX: Duration = Duration::from_secs(20);
/// Bytes that a connection of HTTP/1.1 reads ahead, and bytes of the head of a request.
pub const CONNECTION_BUFFER_BYTES_MAX: usize = 64 * 1_024;
/// Longest time of a TLS handshake: two round trips and some kilobytes on a slow line.
pub const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(20);

// Connections.

/// How long a peer may take no byte while bytes wait for it. A line of 500 bytes a second
/// takes a piece sooner.
pub const ANSWER_SILENCE_MAX: Duration = Duration::from_mins(1);
/// Bytes of an answer that are handed to a connection at once.
pub const ANSWER_PIECE_BYTES: usize = 16 * 1_024;
/// Bytes that the system keeps for a connection until its peer confirms them; Linux doubles the
/// number.
pub const SOCKET_SEND_BYTES: usize = 64 * 1_024;
/// Time of a connection to end after it was told so.
pub const FAREWELL_WAIT_MAX: Duration = Duration::from_secs(5);
/// Requests that run at the same time on one connection of HTTP/2.
pub const HTTP2_STREAMS_MAX: u32 = 16;
/// Bytes of request bodies that a connection of HTTP/2 may send before a route reads them.
pub const HTTP2_WINDOW_BYTES: u32 = 128 * 1_024;
/// Time for the first bytes of a request body; afterwards the longest pause of a body that kept its
/// rate.
pub const BODY_GRACE: Duration = Duration::from_secs(20);
/// Lowest rate of a request body in bytes a second, a tenth of a line of GPRS.
pub const BODY_BYTES_A_SECOND_MIN: u32 = 100;
/// Open files that connections leave to the store and to photos.
pub const OPEN_FILES_RESERVED: usize = 320;
/// Further connections from this machine itself when all places are taken.
pub const LOCAL_CONNECTIONS_RESERVED: usize = 16;
/// Pause after a connection could not be accepted.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Span of time whose log lines about one code are counted.
pub const QUIET_LINE_EVERY: Duration = Duration::from_mins(1);
/// One address runs at most this part of `limits.requests_max` at the same time.
pub const REQUESTS_SHARE: usize = 8;
/// Requests that one address may run in any case, because an office or a mobile network may have
/// one address for all its phones.
pub const REQUESTS_OF_ADDRESS_MIN: usize = 16;
/// Log lines a minute about refusals with one code.
pub const REFUSAL_LINES_A_MINUTE: u32 = 1;
/// Log lines a minute about faults of the server with one code.
pub const FAULT_LINES_A_MINUTE: u32 = 30;

// Imports.

/// Members whose grants change in one transaction: with signatures for their phones about 20 ms.
pub const CHANGED_PER_SLICE_MAX: usize = 50;

/// Bytes of one imported file.
pub const IMPORT_FILE_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Rows of one imported table.
pub const IMPORT_ROWS_MAX: usize = 200_000;
/// Columns of one imported table.
pub const IMPORT_COLUMNS_MAX: usize = 64;
/// Bytes of one cell of an imported table.
pub const IMPORT_CELL_BYTES_MAX: usize = 4_000;
/// Bad rows that are reported one by one; the import stops at this number.
pub const IMPORT_BAD_ROWS_MAX: usize = 10_000;
/// Rows of a list of records that are stored at a time.
pub const LIST_ROWS_A_BUNDLE: usize = 100;
/// Areas that one row of a table of members may name.
pub const IMPORT_AREAS_PER_ROW_MAX: usize = 64;
/// Bytes of one imported workbook, or template in JSON.
pub const XLSFORM_FILE_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Bytes of all parts of one imported workbook, once they are unpacked.
pub const XLSFORM_UNPACKED_BYTES_MAX: u64 = 16 * 1_024 * 1_024;
/// Parts of one imported workbook, such as sheets, styles and pictures.
pub const XLSFORM_PARTS_MAX: usize = 512;
/// Sheets of one imported workbook.
pub const XLSFORM_SHEETS_MAX: usize = 32;
/// Rows of one sheet of an imported workbook.
pub const XLSFORM_ROWS_MAX: u32 = 20_000;
/// Filled cells of an imported workbook.
pub const XLSFORM_CELLS_MAX: usize = 200_000;
/// Bytes of one cell of an imported workbook.
pub const XLSFORM_CELL_BYTES_MAX: usize = 16 * 1_024;
/// Broken rules of one imported template that are reported at once, because each costs another check of the rest.
pub const XLSFORM_CHECKS_MAX: usize = 100;
/// Versions of templates that one deployment keeps, the shipped ones included. Every phone holds them all.
pub const TEMPLATES_MAX: usize = 500;
/// Bytes of all these versions together, MiB.
pub const TEMPLATES_MIB_MAX: usize = 8;
/// Points of one imported polygon, over all its rings, because the check for crossings takes quadratic time.
pub const IMPORT_POLYGON_POINTS_MAX: usize = 20_000;
/// Lines about changes that an import prints; `--json` has them all.
pub const CHANGES_SHOWN_MAX: usize = 200;
/// Lines above the header of an imported table, such as its title.
pub const IMPORT_TITLES_MAX: usize = 5;
/// Bytes of all parts of an imported workbook of areas, units or members, once they are unpacked.
pub const IMPORT_UNPACKED_BYTES_MAX: u64 = 128 * 1_024 * 1_024;
/// Filled cells of an imported workbook of areas, units or members.
pub const IMPORT_CELLS_MAX: usize = 2_000_000;
/// Items of one transaction of a long work of an administrator.
pub const SLICE_ROWS_MAX: usize = 500;
/// Time after which such a transaction takes no further item.
pub const SLICE_TIME_MAX: Duration = Duration::from_millis(40);
/// Shortest pause between two of them, so that other processes write. `SQLite` asks again after at most
/// 25 ms while it has waited less than 130 ms.
pub const SLICE_REST_MIN: Duration = Duration::from_millis(30);
/// Longest pause between two of them.
pub const SLICE_REST_MAX: Duration = Duration::from_millis(200);
/// Invitations or lines of a log that a command reads at once.
pub const LIST_ROWS_A_STEP: usize = 1_000;
/// Jobs that share one durable transaction of the store.
pub const JOBS_PER_COMMIT_MAX: usize = 64;
/// Jobs in the queue of the store's writer; callers wait while it is full.
pub const JOBS_WAITING_MAX: usize = 256;

/// Records that an export reads at once.
pub const EXPORT_RECORDS_A_STEP: usize = 200;

// Keys, sessions, certificates.

/// Bytes of the file of the server's keys.
pub const KEY_FILE_BYTES_MAX: u64 = 64 * 1_024;
/// A server key also vouches for this time before its making, milliseconds. Clocks are set back by
/// less.
pub const SERVER_KEY_SLACK_MS: i64 = 24 * 3_600 * 1_000;
/// A retired key still vouches for this time after the request for its successor, milliseconds. In
/// this time the list is signed and installed.
pub const KEY_HANDOVER_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// Distance between the present generation and the highest one of a new list of server keys, in the
/// seconds that generations count. It is enough for restores of the next five years.
pub const GENERATION_SPAN_S: u32 = 5 * 365 * 24 * 3_600;
/// Bytes of a certificate beside its grants.
pub const CERTIFICATE_REST_BYTES: usize = 512;
/// Reading period of a certificate, milliseconds.
pub const CERTIFICATE_MS: i64 = 400 * 24 * 3_600 * 1_000;
/// Remaining reading period that causes renewal when the phone connects, milliseconds.
pub const RENEW_BEFORE_MS: i64 = 100 * 24 * 3_600 * 1_000;
/// Longest validity of an invitation, milliseconds.
pub const INVITATION_MS_MAX: i64 = 30 * 24 * 3_600 * 1_000;
/// Verified certificates in the memory cache.
pub const CERTIFICATES_CACHED_MAX: usize = 8_192;

/// Accounts of administrators.
pub const ADMINS_MAX: usize = 500;
/// Characters of the name of an administrator.
pub const ADMIN_NAME_CHARS_MAX: usize = 32;

// Ingest.

/// Attempts to store a bundle when revocations or roles change at the same time.
pub const INGEST_ROUNDS_MAX: usize = 8;
/// Signatures that one thread verifies before other threads help.
pub const VERIFY_ALONE_MAX: usize = 32;
/// Threads that verify signatures or judge records of one bundle.
pub const VERIFY_THREADS_MAX: usize = 8;
/// Records that one thread judges before other threads help.
pub const PLAN_ALONE_MAX: usize = 4;
/// Records in the memory cache, about 20 kB each.
pub const RECORDS_CACHED_MAX: usize = 2_048;
/// Grace period for work under a previous role, milliseconds.
pub const ROLE_GRACE_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// Envelopes of one device in a day; further ones are held for review. A phone that was offline for weeks
/// sends about ten thousand.
pub const DEVICE_DAY_ENVELOPES_HELD: u64 = 100_000;
/// Envelopes of one device in a day; further ones are refused until the next day.
pub const DEVICE_DAY_ENVELOPES_MAX: u64 = 200_000;
/// Bytes of one device in a day; further envelopes are refused until the next day.
pub const DEVICE_DAY_BYTES_MAX: u64 = 512 * 1_024 * 1_024;
/// Content operations of one upload. A phone sends a mebibyte at a time, and a written character
/// takes at least one byte; only deletions take less.
pub const UPLOAD_OPERATIONS_MAX: u64 = 1_500_000;
/// Stored envelopes of one record, with any verdict, at which the server makes no further moves of its own.
/// Phones write no more than the limit that all replicas share, so the server can act in a full record.
pub const RECORD_STORED_MAX: usize = 2 * onegrid_core::limits::RECORD_ENTRIES_MAX;
/// Stored bytes of one record, with any verdict.
pub const RECORD_STORED_BYTES_MAX: usize = 3 * 1_024 * 1_024;
/// One of so many equal parts of a record's room is reserved for authors within their share, for dangers and
/// for the server.
pub const RECORD_RESERVE_PARTS: u64 = 4;
/// Parcels of other phones that one device may bring in a day; further ones are refused.
pub const DEVICE_DAY_PARCELS_MAX: u64 = 256;
/// Bytes of the parcels that one device may bring in a day.
pub const DEVICE_DAY_PARCEL_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// Unreadable envelopes that are kept for one device.
pub const UNREAD_ENVELOPES_MAX: u64 = 2_000;
/// Bytes of the unreadable envelopes that are kept for one device.
pub const UNREAD_BYTES_MAX: u64 = 8 * 1_024 * 1_024;
/// Unreadable envelopes that a starting server reads at once.
pub const UNREAD_ROWS_A_STEP: usize = 64;
/// Entries of the review queue that a starting server examines for newly readable ones.
pub const RELEASE_REVIEWS_MAX: usize = 100_000;
/// Automatic moves that one change of a record may cause.
pub const AUTOMATIC_MOVES_MAX: usize = 8;
/// Records merged into one that are examined together.
pub const MERGED_PER_LOOK_MAX: usize = 64;
/// Cases that one tick handles.
pub const DUE_PER_TICK_MAX: usize = 200;
/// Open cases that one slice routes anew after a change of the directory or the rules. A slice takes about a
/// second when every case changes.
pub const ROUTED_PER_SLICE_MAX: usize = 200;
/// Time until the next look at a due record that is damaged or allows no move, milliseconds.
pub const DUE_AGAIN_MS: i64 = 3_600_000;
/// Time until the next look at a due record whose work failed for another reason, milliseconds.
pub const DUE_RETRY_MS: i64 = 5 * 60 * 1_000;
/// Due records in a row whose work fails before a tick ends.
pub const DUE_FAILURES_MAX: usize = 32;
/// Due records that are put off in memory.
pub const DUE_PUT_OFF_MAX: usize = 10_000;

// Feed.

/// Certificates that a device is known to have, so that its next page omits them.
pub const CERTIFICATES_REMEMBERED_MAX: usize = 4_096;
/// Cursor sets of devices in the memory cache.
pub const CURSOR_SETS_CACHED_MAX: usize = 512;
/// Rows of a feed that are read at once.
pub const FEED_ROWS_A_STEP: usize = 256;
/// Records of a first load that are read at once.
pub const PACKS_A_STEP: usize = 64;
/// Packs that the server makes for one page; stored packs only count by their bytes. The limit lets every
/// phone get an answer when many connect for the first time. Smaller pages would cost bytes, because packs
/// share a page's frame.
pub const PACKS_MADE_A_PAGE_MAX: usize = 1_024;
/// Cases that a new reader gets before the directory: enough to fill a screen and to scroll a little.
pub const FIRST_CASES_MAX: usize = 20;
/// Largest requested page, in compressed bytes, at which the reader's line counts as slow.
pub const SLOW_LINE_PAGE_BYTES_MAX: u32 = 64 * 1_024;
/// Expected ratio of uncompressed to compressed bytes of a page.
pub const INFLATION_EXPECTED: usize = 3;
/// Bytes of a page before compression at which it is full. The last item of a page may go beyond by
/// its own size.
pub const PAGE_PLAIN_BYTES_MAX: usize = 6 * 1_024 * 1_024;
/// Records whose number and photos one measure looks at, and entries of directories and bulletins. Each costs a
/// look-up in an index, so that a measure takes no longer than a page.
pub const MEASURE_ROWS_MAX: usize = 20_000;
/// Things of each kind that a measure compresses, evenly spread over all of their kind: a page of them.
pub const MEASURE_SAMPLE_MAX: usize = 256;
/// Entries of a stream that a measure draws beside each other.
pub(crate) const MEASURE_RUN: usize = 16;
/// Bytes of such a sample before compression at which it ends.
pub const MEASURE_SAMPLE_BYTES_MAX: usize = 3 * 1_024 * 1_024;
/// Bytes that a repair gives at least, where the page of the same answer leaves room.
pub const REPAIR_PAGE_BYTES_MIN: usize = 64 * 1_024;
/// Bytes of answers to the steps of a repair; the reader asks the other steps again.
pub const REPAIR_ANSWERS_BYTES_MAX: usize = 2 * 1_024 * 1_024;
/// Bytes of sealed certificates in one answer.
pub const SEALED_ANSWER_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of a line of a receipt, with positions in a dozen streams.
const RECEIPT_LINE_BYTES: usize = 256;
/// Bytes that an entry of a pack costs at most when it is void.
const STUB_BYTES: usize = 184;

// An answer has room for everything that it may hold, without any compression.
const _: () = {
    use onegrid_core::limits as both;
    let page = PAGE_PLAIN_BYTES_MAX + both::PACK_BYTES_MAX + both::MESSAGE_REST_BYTES;
    let receipt = both::OUTBOX_ENVELOPES_MAX * RECEIPT_LINE_BYTES;
    let repair = REPAIR_ANSWERS_BYTES_MAX + both::RECONCILE_BYTES_MAX;
    assert!(page + receipt + repair + SEALED_ANSWER_BYTES_MAX <= both::RESPONSE_BYTES_MAX);
    assert!(REPAIR_PAGE_BYTES_MIN <= PAGE_PLAIN_BYTES_MAX);
    assert!(both::RECORD_BYTES_MAX + RECORD_STORED_MAX * STUB_BYTES <= both::PACK_BYTES_MAX);
    assert!(RECORD_STORED_MAX <= both::PACK_ENTRIES_MAX);
    // The reserve has room for several authors.
    let entries = both::RECORD_ENTRIES_MAX as u64 / RECORD_RESERVE_PARTS;
    assert!(3 * both::RECORD_SHARE_ENTRIES <= entries);
    let bytes = RECORD_STORED_BYTES_MAX as u64 / RECORD_RESERVE_PARTS;
    assert!(3 * both::RECORD_SHARE_BYTES <= bytes);
    assert!(RECORD_STORED_BYTES_MAX + both::MESSAGE_REST_BYTES <= both::REQUEST_BYTES_MAX);
    assert!(PAGE_PLAIN_BYTES_MAX / VERDICT_ENTRY_BYTES <= both::ATTESTED_MAX);
};

/// Bytes that an entry of a feed costs beside the envelope, pack or data that it names.
pub const ENTRY_BYTES: usize = 8;
/// Bytes of an entry that names a record or an envelope by its id.
pub const NAMED_ENTRY_BYTES: usize = 24;
/// Bytes of an entry that tells a changed verdict, with its line in the proof.
pub const VERDICT_ENTRY_BYTES: usize = 64;

// Attachments.

/// Bytes that a device may upload to attachments in a day; further ones are refused until the next day.
pub const DEVICE_DAY_ATTACHMENT_BYTES_MAX: u64 = 2 * 1_024 * 1_024 * 1_024;
/// Uploads that a device may begin in a day; further ones are refused until the next day.
pub const DEVICE_DAY_ATTACHMENTS_MAX: u64 = 2_000;
/// Uploads of a device that are open at the same time. One more ends the one that rested longest.
pub const UPLOADS_OPEN_PER_DEVICE_MAX: usize = 16;
/// Rest after which an upload is forgotten, milliseconds.
pub const UPLOAD_IDLE_MS_MAX: i64 = 7 * 24 * 3_600 * 1_000;
/// Bytes of an upload that may be lost in a power cut.
pub const UPLOAD_SYNC_BYTES: u64 = 1_024 * 1_024;
/// Bytes of an upload or download that are handed to the disk at once.
pub const UPLOAD_PIECE_BYTES: usize = 32 * 1_024;
/// Pieces of a download between two looks at the rights of its reader.
pub const DOWNLOAD_PIECES_A_LOOK: u64 = 16;
/// Uploads and downloads that run at the same time.
pub const TRANSFERS_MAX: usize = 256;
/// Checks of whole uploads that run at the same time. Each holds a file in memory.
pub const CHECKS_AT_ONCE_MAX: usize = 1;
/// Uploads and downloads of one device that run at the same time.
pub const TRANSFERS_PER_DEVICE_MAX: usize = 8;
/// Silence after which an upload ends, and the grace time of its lowest rate.
pub const TRANSFER_SILENCE_MAX: Duration = Duration::from_secs(30);
/// Time that a new request waits until an earlier one lets go of the same upload.
pub const TAKE_OVER_WAIT_MAX: Duration = Duration::from_secs(2);
/// Seconds until the next attempt when that time was not enough.
pub const TAKE_OVER_AGAIN_S: u32 = 2;
/// Descriptions of one file whose salt is tried.
pub const SALTS_TRIED_MAX: usize = 8;
/// Time that a file without a description that counts is kept, milliseconds.
pub const ORPHAN_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// Rows and files that one step of the clean-up examines.
pub const CLEAN_UP_ROWS_A_STEP: usize = 500;

// The reading log.

/// Days before the reading log deletes a line.
pub const READINGS_KEPT_DAYS: i64 = 180;
/// Days without a line in the reading log and in the audit log after which the server deletes no line, because
/// its clock may be ahead.
pub const READINGS_SWEEP_GAP_DAYS_MAX: i64 = 60;
/// Lines of the reading log that are read at once.
pub const READINGS_A_STEP: usize = 1_000;

// Rules.

/// Bytes of a rules file.
pub const RULES_BYTES_MAX: u64 = 256 * 1_024;
/// Rules in one file.
pub const RULES_MAX: usize = 1_000;
/// Longest time that a rule may set, minutes.
pub const RULE_MINUTES_MAX: i64 = 366 * 24 * 60;

// HTTP.

/// Number of largest bodies that fit into memory together; smaller bodies count by their size.
pub const BODIES_AT_ONCE_MAX: usize = 32;
/// Bytes of all bodies of callers that have proved nothing, such as handshakes: a thousand of the
/// largest.
pub const STRANGER_BODIES_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Syncs of one device at the same time. A phone's driver makes one, but a broken connection may
/// linger.
pub const SYNCS_PER_DEVICE_MAX: usize = 4;
/// Callers whose requests are counted separately.
pub const RATE_CALLERS_MAX: usize = 100_000;
/// Wake-up connections of one device. A phone's driver holds one, but a broken connection may linger.
pub const LIVE_PER_DEVICE_MAX: usize = 4;
/// Bytes of one message from a phone on a wake-up connection.
pub const LIVE_MESSAGE_BYTES_MAX: usize = 1_024;
/// Messages from a phone on one wake-up connection; answers to pings do not count.
pub const LIVE_MESSAGES_MAX: usize = 1_000;
/// Time between two pings to a phone.
pub const LIVE_PING_EVERY: Duration = Duration::from_secs(30);
/// Silence after which a phone counts as gone.
pub const LIVE_SILENCE_MAX: Duration = Duration::from_secs(75);
/// Longest time for sending one message to a phone.
pub const LIVE_SEND_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pause between two wake-ups of one connection; all changes within it cause one wake-up.
pub const LIVE_WAKE_PAUSE: Duration = Duration::from_millis(200);
/// Phones that one change wakes at once; with more, the wake-ups spread.
pub const WAKE_SPREAD_DEVICES: usize = 200;
/// Longest time over which the wake-ups of one change spread, milliseconds.
pub const WAKE_SPREAD_MS_MAX: u32 = 5_000;
/// Bytes that a wake-up connection reads at once. Phones only answer pings.
pub const LIVE_BUFFER_BYTES: usize = 1_024;
/// Bytes of a file with the password of a database.
pub const PASSWORD_FILE_BYTES_MAX: u64 = 4_096;
/// Rows of a table that a copy between databases reads at once.
pub const COPY_ROWS_A_STEP: usize = 200;
/// Time between two looks at the heads of all streams with a phone. They replace the lost hints of other nodes.
pub const FOLLOW_EVERY: Duration = Duration::from_secs(3);
/// Time between two looks for revocations and changes by other processes.
pub const LOOK_EVERY: Duration = Duration::from_millis(400);
/// Lines of the audit log that one look reads.
pub const AUDIT_ROWS_A_LOOK: usize = 8_192;
/// Time before the end of the TLS certificate from which the server warns, milliseconds.
pub const TLS_ENDS_SOON_MS: i64 = 14 * 24 * 3_600 * 1_000;
/// Time between two searches for overdue cases.
pub const TICK_EVERY: Duration = Duration::from_secs(15);
/// Time between two slices of open cases that are routed anew.
pub const ROUTE_EVERY: Duration = Duration::from_secs(1);
/// Time between two trial writes that tell whether the store takes data.
pub const TRIAL_EVERY: Duration = Duration::from_secs(15);
/// Time without an end of a look or a trial write after which the server counts as stuck. A large
/// import takes ten seconds of it.
pub const STUCK_AFTER: Duration = Duration::from_mins(2);
/// Longest pause before a task that panicked runs again.
pub const RESTART_PAUSE_MAX: Duration = Duration::from_mins(10);
/// Free bytes of the disk below which the server counts as full, although the log of the database
/// may still have room for a small write.
pub const DISK_FREE_BYTES_MIN: u64 = 16 * 1_024 * 1_024;
/// Bytes of the disk that are kept for revocations. One takes a few pages of the database and of its log.
pub const DISK_RESERVE_BYTES: u64 = 8 * 1_024 * 1_024;
/// Time by which the clock may be behind the newest time in the store, ms. Nodes differ by less.
pub const SERVER_BEHIND_MS_MAX: i64 = 10 * 60 * 1_000;
/// Time between two looks whether a backup is due.
pub const BACKUP_LOOK_EVERY: Duration = Duration::from_mins(1);
/// Time until a backup that failed is made again. A shorter plan is followed.
pub const BACKUP_RETRY: Duration = Duration::from_mins(10);
/// Time between two removals of ended sessions.
pub const SWEEP_EVERY: Duration = Duration::from_mins(10);
/// Time between two steps of the clean-up of files. 256 steps look at every file.
pub const CLEAN_UP_EVERY: Duration = Duration::from_mins(2);
/// Further attempts to lock the data folder, because a command that looks whether a server runs holds it for a moment.
pub const LOCK_RETRIES_MAX: u32 = 50;
/// Time between two attempts to lock the data folder.
pub const LOCK_TRY_WAIT: Duration = Duration::from_millis(10);
/// Bytes of the address that a serving process notes for other processes.
pub const SERVED_ADDRESS_BYTES_MAX: u64 = 256;
