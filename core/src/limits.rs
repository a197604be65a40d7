//! Every limit on input from outside, in one place. Zero never means “no limit”.
//!
//! Limits on the content of records are counts, never time, memory or merged size: every replica must
//! refuse the same things.

/// Parents of one envelope (heads of the record's DAG that its author had seen).
pub const PARENTS_MAX: usize = 16;
/// Bytes of an envelope's header.
pub const HEADER_BYTES_MAX: usize = 1_024;
/// Bytes of an envelope's body.
pub const BODY_BYTES_MAX: usize = 256 * 1_024;
/// Arrays and maps of CBOR inside each other.
pub const CBOR_DEPTH_MAX: usize = 16;

// Directory.

/// Bytes of a name (of an area, unit, person or category) in UTF-8.
pub const NAME_BYTES_MAX: usize = 120;
/// Points of one ring, the closing one included.
pub const AREA_RING_POINTS_MAX: usize = 10_000;
/// Rings of one area's boundary, over all its polygons.
pub const AREA_RINGS_MAX: usize = 256;
/// Polygons of one area's boundary.
pub const AREA_POLYGONS_MAX: usize = 64;
/// Versions of one area or zone.
pub const AREA_VERSIONS_MAX: usize = 256;
/// Areas that take over when one is dissolved.
pub const AREA_SUCCESSORS_MAX: usize = 64;
/// Areas of one version of a zone.
pub const ZONE_AREAS_MAX: usize = 4_096;
/// Bytes of a category's code.
pub const CATEGORY_CODE_BYTES_MAX: usize = 32;
/// Categories and classes of one deployment.
pub const CATEGORIES_MAX: usize = 1_000;
/// Bytes of a table of categories.
pub const CATEGORY_TABLE_BYTES_MAX: usize = 256 * 1_024;
/// Bytes of one directory entry.
pub const DIRECTORY_ENTRY_BYTES_MAX: usize = 512 * 1_024;
/// Streams that the announcement of a change of access names one by one.
pub const ACCESS_STREAMS_MAX: usize = 1_000;

// Attachments: photos and recordings.

/// Bytes of a photo or recording as a host hands it in, before cleaning. A photo may have a short film
/// behind its end.
pub const MEDIA_INPUT_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Bytes of a cleaned photo or recording.
pub const ATTACHMENT_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// Pixels of a photo. A phone that shows it needs 4 bytes for each.
pub const PHOTO_PIXELS_MAX: u64 = 25_000_000;
/// Pixels along one side of a photo. Decoders count lines in 16 bits, with some to spare.
pub const PHOTO_SIDE_MAX: u16 = 16_384;
/// Pixels of a progressive photo. A decoder needs up to 6 bytes for each.
pub const PROGRESSIVE_PIXELS_MAX: u64 = 8_300_000;
/// Segments of a photo before its end.
pub const PHOTO_SEGMENTS_MAX: usize = 1_024;
/// Tables of a photo: a progressive one may have new codes for each scan.
pub const PHOTO_TABLES_MAX: usize = 512;
/// Scans of a photo. Each may visit every pixel at the cost of a few bytes.
pub const PHOTO_SCANS_MAX: usize = 64;
/// Bytes of a thumbnail, which travels inside its record.
pub const THUMBNAIL_BYTES_MAX: usize = 6 * 1_024;
/// Pixels along the longer side of a thumbnail.
pub const THUMBNAIL_SIDE_MAX: u16 = 224;
/// Boxes of one level of a recording.
pub const RECORDING_BOXES_MAX: usize = 64;
/// Bytes of the first box of a recording, which lists its brands.
pub const RECORDING_BRANDS_BYTES_MAX: usize = 128;
/// Samples of a recording: 90 minutes of AAC at 48 kHz.
pub const RECORDING_SAMPLES_MAX: u32 = 262_144;
/// Length of a recording, milliseconds.
pub const RECORDING_MS_MAX: u64 = 30 * 60 * 1_000;
/// Bytes of one segment of a sealed file, without its tag.
pub const SEALED_SEGMENT_BYTES: usize = 64 * 1_024;
/// Bytes of a phone's disk that photos and recordings leave free, so that the replica can still write.
pub const FREE_BYTES_RESERVED: u64 = 32 * 1_024 * 1_024;
/// Free bytes of a phone's disk below which a replica removes files that the server has.
pub const FREE_BYTES_LOW: u64 = 256 * 1_024 * 1_024;
/// Sealed files that one write of a replica removes from the disk. Later writes remove the others.
pub const SWEPT_FILES_MAX: usize = 64;
/// Days that a photo or recording may wait for its first use, between two syncs and by the clock of
/// the server.
pub const STAGED_DAYS_MAX: i64 = 7;

// The phone's replica.

/// Page cache of a replica, KiB.
pub const REPLICA_CACHE_KIB: i64 = 4_096;
/// Page cache of a further reader of a replica, KiB.
pub const READER_CACHE_KIB: i64 = 1_024;
/// Idle connections of readers that a replica keeps open.
pub const READERS_IDLE_MAX: usize = 4;
/// How long a suspended replica waits for a read that runs, milliseconds.
pub const READERS_WAIT_MS_MAX: u64 = 300;
/// Bytes of an answer that are applied in one transaction, so that a phone that is about to sleep waits some
/// 50 ms at most, and a page needs memory for the records of one slice alone.
pub const SLICE_BYTES: usize = 48 * 1_024;
/// The cost of one item of an answer beside its bytes, in bytes.
pub const SLICE_ITEM_BYTES: usize = 512;
/// Certificates, or entries of a feed, that are applied in one part.
pub const SLICE_ITEMS: usize = 32;
/// Records that are withdrawn in one transaction.
pub const SLICE_RECORDS: usize = 64;
/// Page cache of the second copy of its outbox, KiB.
pub const OUTBOX_COPY_CACHE_KIB: i64 = 256;
/// Prepared statements that a replica keeps.
pub const REPLICA_STATEMENTS_CACHED: usize = 96;
/// Local writes that the marker reserves at a time.
pub const MARKER_BLOCK_WRITES: u64 = 64;
/// Characters of one record that full-text search covers.
pub const SEARCH_TEXT_CHARS_MAX: usize = 8_192;
/// Words of one search.
pub const SEARCH_QUERY_TERMS_MAX: usize = 16;
/// Rows of one page of a list, and of one search.
pub const LIST_ROWS_MAX: usize = 200;
/// Changed fields of one edit that a timeline names one by one.
pub const STORY_CHANGES_MAX: usize = 20;
/// Points of one map window.
pub const MAP_POINTS_MAX: usize = 5_000;
/// Cells along one side of a map window with more points. Each cell shows some of its own.
pub const MAP_CELLS_ACROSS: usize = 64;
/// Codes of kinds, and of stages, in one filter.
pub const FILTER_CODES_MAX: usize = 64;
/// Radius in metres of a list of records nearby.
pub const NEAR_RADIUS_M_MAX: u32 = 100_000;
/// Grids that a person may choose from when the position does not decide.
pub const LOCATE_CANDIDATES_MAX: usize = 20;
/// Boundaries of grids that are read for one position.
pub const LOCATE_ROWS_MAX: usize = 200;
/// Radius in metres of the search for grids around a position, however bad the position is.
pub const LOCATE_RADIUS_M_MAX: u32 = 2_000;
/// Radius in metres of the search for grids around a position of unknown accuracy.
pub const LOCATE_RADIUS_M_UNKNOWN: u32 = 200;
/// Records and directory entries whose projections are made again in one transaction.
pub const REBUILD_SLICE_ROWS: usize = 64;
/// Attestations that are checked in one transaction, to learn whether they are still needed.
pub const PRUNE_SLICE_ROWS: usize = 256;
/// Records that an answer about changes names one by one.
pub const CHANGES_MAX: usize = 1_000;
/// Rows of each index that the database reads to learn how selective it is.
pub const ANALYSIS_ROWS_MAX: u32 = 400;
/// Certificates that a replica keeps in memory.
pub const CERTIFICATES_CACHED: usize = 512;
/// Records that a replica keeps in memory as it read them last, of about 25 kB each.
pub const RECORDS_CACHED: usize = 32;
/// Templates of the directory that a connection keeps in memory.
pub const TEMPLATES_CACHED: usize = 32;
/// Merges in a row that a phone follows from a subject to the record that continues.
pub const MERGES_FOLLOWED_MAX: usize = 16;
/// Signatures that a process remembers, each of 33 bytes.
pub const SIGNATURES_REMEMBERED: usize = 4_096;
/// Content documents that a replica or server keeps as it made them from their raw changes, of about 20 kB each.
pub const REBUILDS_REMEMBERED: usize = 128;
/// Bytes of raw changes of such a document; a larger one is made anew each time.
pub const REBUILD_REMEMBERED_BYTES_MAX: usize = 16 * 1_024;
/// Characters of a description that replace a missing title.
pub const TITLE_SHOWN_CHARS_MAX: usize = 60;

// Accounts and secrets of a device.

/// Accounts of one device, those set aside not counted.
pub const ACCOUNTS_MAX: usize = 16;
/// Folders of accounts that are read, those set aside included; a device with more is refused.
pub const ACCOUNT_FOLDERS_READ_MAX: usize = 4_096;
/// Characters of the public name of an account.
pub const ACCOUNT_NAME_CHARS_MAX: usize = 40;
/// Fewest characters of a PIN.
pub const PIN_CHARS_MIN: usize = 4;
/// Most characters of a PIN.
pub const PIN_CHARS_MAX: usize = 32;
/// Wrong tries of a PIN before the first pause.
pub const PIN_TRIES_FREE: u32 = 5;
/// First pause after wrong tries of a PIN, milliseconds; doubled with each further one.
pub const PIN_PAUSE_MS_FIRST: i64 = 30 * 1_000;
/// Longest pause after wrong tries of a PIN, milliseconds.
pub const PIN_PAUSE_MS_MAX: i64 = 60 * 60 * 1_000;
/// Memory that a stored entry may ask for to try a PIN, KiB.
pub const PIN_MEMORY_KIB_MAX: u32 = 128 * 1_024;
/// Passes over that memory.
pub const PIN_PASSES_MAX: u32 = 16;
/// Lanes of that memory.
pub const PIN_LANES_MAX: u32 = 4;
/// Bytes of the name of an entry of a key store.
pub const VAULT_NAME_BYTES_MAX: usize = 64;
/// Bytes of an entry of a key store.
pub const VAULT_ENTRY_BYTES_MAX: usize = 4 * 1_024;

// Positions.

/// Largest accuracy radius of a position in metres; a larger one says nothing about where the person was.
pub const POSITION_ACCURACY_M_MAX: u32 = 100_000;
/// Largest age of a fix when it was used, ms: one day.
pub const POSITION_FIX_AGE_MS_MAX: u32 = 86_400_000;

// Events and records.

/// Characters of a text that a person types into an event.
pub const TEXT_CHARS_MAX: usize = 2_000;
/// Bytes of a machine code (category, rule).
pub const CODE_BYTES_MAX: usize = 48;
/// Time for a late danger report, milliseconds: as long as late work counts under an old role. Within this
/// time after it accepted an ending, the server lets a danger take the ending back when its author had not
/// seen the ending. A later danger leaves the ending in force and asks for review.
pub const DANGER_LATE_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// Largest accepted lead of a device's clock, milliseconds. The server holds an envelope beyond it, and a phone
/// applies none from a meeting.
pub const CLOCK_AHEAD_MS_MAX: i64 = 24 * 3_600 * 1_000;
/// Largest accepted age of arriving work by the device's clock, milliseconds.
pub const CLOCK_BEHIND_MS_MAX: i64 = 400 * 24 * 3_600 * 1_000;
/// Attachments named by one event.
pub const EVENT_ATTACHMENTS_MAX: usize = 16;
/// Members mentioned in one comment.
pub const MENTIONS_MAX: usize = 32;
/// Bytes of the data of one event.
pub const EVENT_BYTES_MAX: usize = 16 * 1_024;
/// Envelopes of one record. The fold is linear in a history without forks. Each real merge of two branches
/// costs one more pass, so a record made of forks alone costs at most half the square of this.
pub const RECORD_ENTRIES_MAX: usize = 4_096;
/// Envelopes of one author in one record, with any verdict, that the reserve of the record takes. While the
/// record has room beside its reserve, an author may write more.
pub const RECORD_SHARE_ENTRIES: u64 = 256;
/// Bytes of one author in one record, with any verdict, that the reserve of the record takes. In a record
/// beyond its budget, the words of authors with more give way first.
pub const RECORD_SHARE_BYTES: u64 = 256 * 1_024;
/// Dangers of one author in one record that the reserve takes although the author is above the share.
pub const RECORD_SHARE_DANGERS: u64 = 16;
/// Members whom a Genesis may name as readers. Each of them reads the record in a stream of its own.
pub const NAMED_MAX: usize = 64;
/// Bytes of a record's pack with the certificates of its authors. The server enforces it with
/// void verdicts on the envelopes that would exceed it.
pub const RECORD_BYTES_MAX: usize = 2 * 1_024 * 1_024;
/// Bytes of a certificate's facts.
pub const CERTIFICATE_BYTES_MAX: usize = 8 * 1_024;
/// Grants of one certificate.
pub const GRANTS_MAX: usize = 64;

// Content changes and saved content documents.

/// Bytes of one raw content change (it travels inside an envelope's body).
pub const CHANGE_BYTES_MAX: usize = BODY_BYTES_MAX - 1_024;
/// Operations of one content change; also the rows of any of its columns. A character is an operation, so a
/// change can put one whole description in the place of another.
pub const CHANGE_OPS_MAX: usize = 12_000;
/// Bytes of keys and values of one content change once run lengths are written out.
pub const CHANGE_TEXT_BYTES_MAX: usize = 512 * 1_024;
/// Changes that one content change depends on directly. When more people wrote at the same time, an edit
/// builds on some of their changes.
pub const CHANGE_DEPS_MAX: usize = 64;
/// Other authors that one content change refers to.
pub const CHANGE_ACTORS_MAX: usize = 256;
/// Bytes of a key of a content document.
pub const CONTENT_KEY_BYTES_MAX: usize = 128;
/// Containers that a Genesis may make.
pub const CONTENT_CONTAINERS_MAX: usize = 32;
/// Content changes of one author on one record, over all its installation epochs. The quotas of an envelope
/// count all envelopes of its author that it had seen. An accepted change is never refused because of them.
pub const CHANGES_PER_AUTHOR_MAX: u64 = 2_000;
/// Operations of one author on one record, over all its changes. A hostile author writes 5,000 of them in a hundred
/// bytes.
pub const OPS_PER_AUTHOR_MAX: u64 = 50_000;
/// Installation epochs of one author on one record.
pub const EPOCHS_PER_AUTHOR_MAX: usize = 64;
/// Highest operation counter of a content document.
pub const OP_COUNTER_MAX: u64 = 1 << 30;
/// Bytes of a saved content document in a pack.
pub const SAVED_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// Operations of a saved content document in a pack.
pub const SAVED_OPS_MAX: usize = 200_000;
/// Changes of a saved content document in a pack.
pub const SAVED_CHANGES_MAX: usize = 20_000;
/// Authors of a saved content document in a pack.
pub const SAVED_ACTORS_MAX: usize = 2_048;
/// Bytes of keys and values of a saved content document once run lengths are written out.
pub const SAVED_TEXT_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Characters of a short field (title, address, caption, contact) that a person may write.
pub const SHORT_TEXT_CHARS_MAX: usize = 500;
/// Records that one record names as those that it came from.
pub const RECORD_LINKS_MAX: usize = 20;
/// Money of one dispute or reward, in fen: 100 thousand million yuan.
pub const AMOUNT_FEN_MAX: i64 = 10_000_000_000_000;
/// Characters of an answer that a person may write.
pub const ANSWER_CHARS_MAX: usize = 4_000;
/// Characters of a description that a person may write.
pub const DESCRIPTION_CHARS_MAX: usize = 5_000;
/// Characters that may be inserted or deleted in a description until it is replaced rather than compared.
pub const DIFFERENCES_MAX: usize = 256;
/// Characters of a description that are shown. Concurrent writing may make it longer than one person may.
pub const DESCRIPTION_SHOWN_CHARS_MAX: usize = 100_000;
/// Characters of an entry that one device writes for itself.
pub const LOG_CHARS_MAX: usize = 4_000;
/// Bytes of the id of such an entry.
pub const LOG_ID_BYTES_MAX: usize = 40;
/// Answers of one record that are read, and as many attachments and log entries. If there are more,
/// devices take turns, each with its oldest ones first.
pub const CONTENT_ENTRIES_MAX: usize = 1_000;

// Checklists.

/// Bytes of a template of questions, or of a task list, in JSON.
pub const FORM_BYTES_MAX: usize = 256 * 1_024;
/// Questions, notes, sections and repeats of one template.
pub const FORM_ITEMS_MAX: usize = 500;
/// Sections and repeats inside each other, the items of a template counted as one more.
pub const FORM_SECTION_DEPTH_MAX: usize = 4;
/// Choices of one list.
pub const FORM_CHOICES_MAX: usize = 200;
/// Choices of all lists of one template.
pub const FORM_CHOICES_ALL_MAX: usize = 2_000;
/// Bytes of the id of a question, choice or template. With the id of a row it fits into the key of an answer.
pub const FORM_NAME_BYTES_MAX: usize = 40;
/// Characters of a label, hint or message of a template, in each language.
pub const FORM_WORDS_CHARS_MAX: usize = 1_000;
/// Bytes of one expression.
pub const FORM_EXPRESSION_BYTES_MAX: usize = 2_000;
/// Steps of one expression: its values, operators and calls.
pub const FORM_EXPRESSION_STEPS_MAX: usize = 256;
/// Brackets, signs and operators of one expression that wait for their end.
pub const FORM_EXPRESSION_DEPTH_MAX: usize = 32;
/// Rows of one repeat that count.
pub const FORM_ROWS_MAX: usize = 100;
/// Answers and marks of rows that one form reads.
pub const FORM_ANSWERS_MAX: usize = CONTENT_ENTRIES_MAX;
/// Classes, items and clauses of one task list.
pub const TASK_CLAUSES_MAX: usize = 1_000;
/// Years after its first day in which a task recurs, whatever its rule says.
pub const TASK_RULE_YEARS_MAX: i32 = 5;
/// Days that a rule of recurrence gives at once: each day of a year, and some.
pub const TASK_OCCURRENCES_MAX: usize = 400;
/// Records of feedback that a task names.
pub const TASK_FEEDBACK_MAX: usize = 64;
/// Open records that the handover of a shift names.
pub const SHIFT_OPEN_MAX: usize = 64;

// Walks: tracks, checkpoints, sections.

/// Points of one part of a track: an hour, at a point every 5 s.
pub const TRACK_POINTS_MAX: usize = 720;
/// Bytes of one part of a track. Its text fits into a log entry.
pub const TRACK_BYTES_MAX: usize = 2_400;
/// Parts of the track of one device in one record that are read.
pub const TRACK_PARTS_MAX: usize = 200;
/// Scans of one device in one record that are read.
pub const SCANS_MAX: usize = 400;
/// Characters of the text of a printed checkpoint.
pub const CHECKPOINT_CODE_CHARS_MAX: usize = 320;
/// Bytes of the id of a section.
pub const SECTION_ID_BYTES_MAX: usize = 40;
/// Points of the line of a section.
pub const SECTION_POINTS_MAX: usize = 2_000;
/// Metres of the line of a section.
pub const SECTION_LENGTH_M_MAX: u32 = 50_000;
/// Checkpoints of a section.
pub const SECTION_CHECKPOINTS_MAX: usize = 200;
/// Targets of a section.
pub const SECTION_TARGETS_MAX: usize = 16;
/// Walks of one question about coverage.
pub const COVERAGE_WALKS_MAX: usize = 10_000;
/// Longest time of a walk that was never ended, milliseconds.
pub const WALK_MS_MAX: i64 = 12 * 3_600 * 1_000;
/// Minutes that a join code may be valid.
pub const JOIN_MINUTES_MAX: u8 = 60;
/// Largest lead of the clock of the phone that shows a join code, milliseconds.
pub const JOIN_CLOCK_MS_MAX: i64 = 5 * 60 * 1_000;
/// Devices that one join code brings in.
pub const JOIN_DEVICES_MAX: usize = 50;
/// Longest time from joining until the server hears of it, milliseconds. A later one is kept and does not count.
pub const JOIN_HEARD_MS_MAX: i64 = 3 * 86_400 * 1_000;
/// Characters of a join code: a QR code of version 25 holds no more in its lowest level of correction.
pub const JOIN_CODE_CHARS_MAX: usize = 1_853;

// --- wire: messages, frames, batches, packs ---

/// Bytes of one compressed request to the server.
pub const REQUEST_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Bytes of one compressed answer of the server.
pub const RESPONSE_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Bytes of a message after inflation.
pub const INFLATED_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Largest ratio of a message after inflation to its compressed size, beyond [`INFLATION_FREE_BYTES`].
pub const INFLATION_RATIO_MAX: usize = 64;
/// Bytes that any message may inflate to, however small it is.
pub const INFLATION_FREE_BYTES: usize = 256 * 1_024;
/// Bytes of a compressed page that a reader asks for when it has no reason for another size. Larger pages
/// compress better, but a page that is lost on a bad line has to be sent again.
pub const PAGE_BYTES_DEFAULT: u32 = 1_024 * 1_024;
/// Bytes of the first compressed page on a new line: about three seconds at 50 kbit/s.
pub const PAGE_BYTES_FIRST: u32 = 16 * 1_024;
/// The smallest page that a reader falls back to on a bad line, compressed bytes.
pub const PAGE_BYTES_MIN: u32 = 4 * 1_024;
/// Bytes of a compressed page that a reader may ask for.
pub const PAGE_BYTES_MAX: u32 = 4 * 1_024 * 1_024;
/// Cursors of one reader, and streams of one answer.
pub const CURSORS_MAX: usize = 4_096;
/// Bytes of the key at which loading a stream continues.
pub const CURSOR_AFTER_BYTES_MAX: usize = 64;
/// Envelopes of one batch.
pub const BATCH_ENVELOPES_MAX: usize = 65_536;
/// Certificates of one batch.
pub const BATCH_CERTIFICATES_MAX: usize = 16_384;
/// Lines of one attestation: the envelopes of a page, and the verdicts that changed.
pub const ATTESTED_MAX: usize = 2 * BATCH_ENVELOPES_MAX;
/// Segments of one page.
pub const SEGMENTS_MAX: usize = CURSORS_MAX;
/// Entries of one segment.
pub const SEGMENT_ENTRIES_MAX: usize = 65_536;
/// Bytes of a directory entry with its signature, or of a bulletin, in a feed.
pub const FEED_BYTES_MAX: usize = 576 * 1_024;
/// Repair steps of one message.
pub const REPAIR_STEPS_MAX: usize = 256;
/// Bytes of one reconciliation message.
pub const RECONCILE_BYTES_MAX: usize = 256 * 1_024;
/// Ids in one repair step.
pub const REPAIR_IDS_MAX: usize = 65_536;
/// Attestations given back in one request.
pub const GIVE_BACK_ATTESTATIONS_MAX: usize = 4_096;
/// Directory entries given back in one request.
pub const GIVE_BACK_DIRECTORY_MAX: usize = 4_096;
/// Sealed certificates in one message.
pub const SEALED_MAX: usize = 8_192;
/// Bytes of one of them: a certificate, filled up and with its code.
pub const SEALED_BYTES_MAX: usize = 9 * 1_024;
/// Batches of packs in one message.
pub const PACK_BATCHES_MAX: usize = 4_096;
/// Packs under one signature.
pub const PACKS_MAX: usize = 4_096;
/// Envelopes of one record that a pack names.
pub const PACK_ENTRIES_MAX: usize = 65_536;
/// Bytes of one pack: the budget of a record, and room for the void envelopes beyond it.
pub const PACK_BYTES_MAX: usize = 3_584 * 1_024;
/// How many times larger than their batch packs may be once each is alone. All packs of a message together
/// grow to no more than the message may be after inflation.
pub const PACK_GROWTH_MAX: usize = 16;
/// Bytes of one part of the header facts in a pack.
pub const PACK_FACTS_BYTES_MAX: usize = 4_096;

// --- trust: sessions, invitations, enrolment ---

/// Bytes of one message of a handshake.
pub const SESSION_MESSAGE_BYTES_MAX: usize = 32 * 1_024;
/// Versions that one side offers.
pub const VERSIONS_MAX: usize = 16;
/// Server keys in use at a time.
pub const SERVER_KEYS_MAX: usize = 32;
/// How long a session lasts, milliseconds; every answer may prolong it.
pub const SESSION_MS: i64 = 15 * 60 * 1_000;
/// How long a handshake may take, milliseconds.
pub const HANDSHAKE_MS_MAX: i64 = 60 * 1_000;
/// Bytes of the state of a handshake that a server seals and a phone carries.
pub const SEALED_HANDSHAKE_BYTES_MAX: usize = 512;
/// Bytes of an enrolment request or answer.
pub const ENROLMENT_BYTES_MAX: usize = 32 * 1_024;
/// Characters of the text of an invitation.
pub const INVITATION_BYTES_MAX: usize = 1_024;
/// Bytes of a server's address in an invitation.
pub const SERVER_ADDRESS_BYTES_MAX: usize = 256;
/// Characters of the name that a person gives to a phone.
pub const DEVICE_NAME_CHARS_MAX: usize = 64;

// --- sync: retries, repair, meetings ---

/// Bytes of envelopes in one upload, not compressed.
pub const OUTBOX_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of envelopes in the first upload on a new line, not compressed.
pub const OUTBOX_BYTES_FIRST: usize = 64 * 1_024;
/// Bytes of envelopes in one upload on a line that keeps breaking.
pub const OUTBOX_BYTES_MIN: usize = 8 * 1_024;
/// Time that one request with its answer should take, milliseconds. A cut costs no more than this time.
/// Shorter requests spend more on round trips, and their pages compress badly. The value was tried in a model
/// of a line that is cut every 30 s, with a round trip of a second, and then on the bench of that line.
pub const REQUEST_MS_WISHED: i64 = 9_000;
/// How many times larger the next request may be than the last one.
pub const REQUEST_GROWTH_MAX: i64 = 8;
/// Envelopes in one upload.
pub const OUTBOX_ENVELOPES_MAX: usize = 8_192;
/// Pause after the first request that was lost on a line that worked until then, milliseconds.
pub const RETRY_MS_CUT: i64 = 200;
/// First pause after a failure, milliseconds; doubled each time.
pub const RETRY_MS_FIRST: i64 = 1_000;
/// Longest pause after failures, milliseconds.
pub const RETRY_MS_MAX: i64 = 5 * 60 * 1_000;
/// Answers in a row without progress, before a sync ends.
pub const SYNC_STANDSTILL_MAX: u32 = 3;
/// Bytes of one frame of reconciliation (at least 4,096).
pub const RECONCILE_FRAME_BYTES: u64 = 64 * 1_024;
/// Rounds of reconciliation of one stream.
pub const RECONCILE_ROUNDS_MAX: u32 = 1_024;
/// Bytes of repair steps in one request.
pub const REPAIR_ASK_BYTES: usize = 512 * 1_024;
/// Records, and envelopes, that one step wants.
pub const REPAIR_WANT_MAX: usize = 256;
/// Repairs in one sync with one generation of the server.
pub const REPAIR_ATTEMPTS_MAX: u32 = 8;
/// Bytes of one message between two phones.
pub const PEER_MESSAGE_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Bytes of envelopes in one message between two phones, not compressed.
pub const PEER_GIVE_BYTES: usize = 256 * 1_024;
/// Records compared in one message between two phones.
pub const PEER_RECORDS_MAX: usize = 128;
/// Envelopes named in one message between two phones. A caller stays below half of it, unless a record grew meanwhile.
pub const PEER_IDS_MAX: usize = 2 * REPAIR_IDS_MAX;
/// Bytes of the attestations that go with envelopes handed over at a time.
pub const GIVE_PROOF_BYTES_MAX: usize = 1_024 * 1_024;
/// Lines of an attestation that a phone gives to another one. It examines each of them.
pub const PEER_ATTESTED_MAX: usize = 2_048;
/// Bytes of the undelivered envelopes that a phone keeps for others.
pub const PEER_UNJUDGED_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// Bytes of the undelivered envelopes of one author that another phone keeps. The author keeps all of them.
pub const PEER_UNJUDGED_AUTHOR_BYTES_MAX: u64 = 8 * 1_024 * 1_024;
/// Bytes that each of these envelopes counts beyond its own, for its rows and their indexes.
pub const PEER_UNJUDGED_REST_BYTES: u64 = 1_024;
/// Bytes of one piece of a file in a meeting.
pub const PEER_FILE_BYTES: usize = 64 * 1_024;
/// Messages of one meeting of two phones.
pub const PEER_MESSAGES_MAX: u32 = 100_000;
/// Bytes of the first piece of a file on a new line.
pub const PIECE_BYTES_FIRST: u64 = 128 * 1_024;
/// The smallest piece of a file, on a line that keeps breaking.
pub const PIECE_BYTES_MIN: u64 = 32 * 1_024;
/// The largest piece of a file. A sender holds one piece in memory.
pub const PIECE_BYTES_MAX: u64 = 1_024 * 1_024;
/// Time that one piece should take, milliseconds. New work of the person waits for one piece at most. A cut
/// loses no piece, because the server keeps the bytes that came.
pub const PIECE_MS_WISHED: i64 = 3_000;
/// Bytes of a download that are kept at a time.
pub const ARRIVAL_BYTES_MAX: usize = 64 * 1_024;
/// Requests about files in a row that meet a closed connection, before the phone waits.
pub const STALE_CONNECTIONS_MAX: u32 = 3;
/// Requests in a row that move no byte of a file, though the server answers, before the file rests.
pub const FRUITLESS_REQUESTS_MAX: u32 = 3;
/// First rest of a file that failed for a reason of its own, milliseconds; doubled each time.
pub const FILE_REST_MS_FIRST: i64 = 60 * 1_000;
/// Longest rest of a file that failed for a reason of its own, milliseconds.
pub const FILE_REST_MS_MAX: i64 = 6 * 3_600 * 1_000;
/// Longest wait that a server may ask for before the next upload, milliseconds: the rest of a day.
pub const UPLOAD_WAIT_MS_MAX: i64 = 24 * 3_600 * 1_000;
/// Span over which the pace of a transfer is measured, milliseconds.
pub const PACE_WINDOW_MS: i64 = 30 * 1_000;
/// Bytes that have to be transferred before a pace is told.
pub const PACE_BYTES_MIN: u64 = 64 * 1_024;
/// Exchanges with the server over which the pace of a line is measured.
pub const LINE_EXCHANGES: usize = 8;
/// Bytes of the smallest exchange that counts: smaller ones tell the round trip and not the pace.
pub const LINE_EXCHANGE_BYTES_MIN: u64 = 4 * 1_024;
/// Bytes that have to be exchanged before the pace of a line is told.
pub const LINE_BYTES_MIN: u64 = 8 * 1_024;
/// Bytes of a plan for connection and session.
pub const PLAN_SESSION_BYTES: u64 = 6 * 1_024;
/// One of so many equal parts of a plan is added for the requests and the frames of pages.
pub const PLAN_FRAMES_PART: u64 = 48;
/// Bytes of the smallest content of a parcel with its padding; each larger one is a power of two.
pub const PARCEL_CONTENT_BYTES_MIN: usize = 4 * 1_024;
/// Bytes of the largest content of a parcel with its padding.
pub const PARCEL_CONTENT_BYTES_MAX: usize = 512 * 1_024;
/// Bytes of a sealed parcel.
pub const PARCEL_BYTES_MAX: usize = PARCEL_CONTENT_BYTES_MAX + 256;
/// Envelopes of one parcel.
pub const PARCEL_ENVELOPES_MAX: usize = 4_096;
/// Parcels that a phone carries for others; the oldest gives way to a new one.
pub const PARCELS_CARRIED_MAX: usize = 32;
/// Bytes of the parcels that a phone carries for others.
pub const PARCELS_CARRIED_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// Age at which a phone drops a parcel that it carries, milliseconds. A server opens parcels for a key
/// that was retired for as long.
pub const PARCEL_AGE_MS_MAX: i64 = 14 * 24 * 3_600 * 1_000;
/// First rest of a parcel that the server does not take now, milliseconds; doubled each time.
pub const PARCEL_REST_MS_FIRST: i64 = 3_600 * 1_000;
/// Parcels of one request.
pub const PARCELS_PER_REQUEST_MAX: usize = 16;
/// Bytes of one meeting of two phones, both ways.
pub const MEETING_BYTES_MAX: u64 = 256 * 1_024 * 1_024;
/// Bytes that a meeting reads from its pipe, or writes into it, at a time.
pub const MEETING_PIECE_BYTES: usize = 64 * 1_024;
/// Time without a byte from the other phone, or without room for one, before a meeting ends, milliseconds.
pub const MEETING_SILENCE_MS_MAX: u64 = 30 * 1_000;
/// Time until the other phone has proved its key, milliseconds.
pub const MEETING_HANDSHAKE_MS_MAX: u64 = 15 * 1_000;
/// Time of one meeting, milliseconds.
pub const MEETING_MS_MAX: u64 = 30 * 60 * 1_000;
/// Time for a connection to one address of another phone, milliseconds.
pub const MEETING_CONNECT_MS_MAX: u64 = 5 * 1_000;
/// Calls that a listener answers at the same time, until one of the phones has proved its key. One more ends
/// the oldest.
pub const MEETING_CALLS_MAX: usize = 8;
/// Failed calls in a row before a listener pauses between calls.
pub const MEETING_TRIES_MAX: u32 = 32;
/// First pause of a listener after too many failed calls, milliseconds; doubled with each further one.
pub const MEETING_PAUSE_MS_FIRST: u64 = 50;
/// Longest pause of a listener between calls, milliseconds.
pub const MEETING_PAUSE_MS_MAX: u64 = 2_000;
/// Addresses of one code of a meeting.
pub const MEETING_ADDRESSES_MAX: usize = 4;
/// Characters of the text of a code of a meeting.
pub const MEETING_CODE_CHARS_MAX: usize = 512;
/// Bytes of the name of a hotspot.
pub const HOTSPOT_NAME_BYTES_MAX: usize = 32;
/// Bytes of the password of a hotspot.
pub const HOTSPOT_PASSWORD_BYTES_MAX: usize = 63;
/// Bytes of a request for a bundle file.
pub const BUNDLE_REQUEST_BYTES_MAX: usize = 1_024 * 1_024;
/// Characters of a request for a bundle file as a QR code.
pub const BUNDLE_REQUEST_CODE_CHARS_MAX: usize = 2_900;
/// How long a request for a bundle file is answered, and its answers are opened, milliseconds.
pub const BUNDLE_REQUEST_MS_MAX: i64 = 7 * 24 * 3_600 * 1_000;
/// Requests for bundle files that a phone keeps. A new one takes the place of the oldest.
pub const BUNDLE_REQUESTS_MAX: usize = 8;
/// Digests of records in one request for a bundle file.
pub const BUNDLE_DIGESTS_MAX: usize = 65_536;
/// Bundle files that a phone remembers as imported, for each request.
pub const BUNDLE_IMPORTS_MAX: usize = 64;
/// Bytes of a bundle file.
pub const BUNDLE_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Bytes of the messages in a bundle file. The file is filled up to at most an eighth more.
pub const BUNDLE_CONTENT_BYTES_MAX: usize = 12 * 1_024 * 1_024;
/// Bytes that are encrypted as one piece of a bundle file.
pub const BUNDLE_CHUNK_BYTES: usize = 64 * 1_024;
/// Files of one question which of them the server lacks.
pub const NEEDED_MAX: usize = 4_096;
/// Bytes of that question and of its answer.
pub const NEEDED_BYTES_MAX: usize = 256 * 1_024;
/// Bytes of a message beside the pack, page or envelope that fills it: cursors, certificates, proofs.
pub const MESSAGE_REST_BYTES: usize = 384 * 1_024;
/// Bytes of a signature with its signer and lengths.
const SIGNED_REST_BYTES: usize = 1_024;
/// Bytes of an id of 16 bytes in CBOR.
const ID_SPELLED_BYTES: usize = 17;

// Each thing fits what carries it, in its longest spelling, since no compression can be counted on.
const _: () = {
    assert!(CHANGE_BYTES_MAX < BODY_BYTES_MAX && EVENT_BYTES_MAX < BODY_BYTES_MAX);
    assert!(2 * DESCRIPTION_CHARS_MAX < CHANGE_OPS_MAX);
    assert!(
        CHANGE_OPS_MAX as u64 <= OPS_PER_AUTHOR_MAX && OPS_PER_AUTHOR_MAX <= SAVED_OPS_MAX as u64
    );
    assert!(NAMED_MAX * ID_SPELLED_BYTES + 512 <= PACK_FACTS_BYTES_MAX);
    assert!(RECORD_BYTES_MAX < PACK_BYTES_MAX && RECORD_BYTES_MAX <= SAVED_BYTES_MAX);
    assert!(RECORD_ENTRIES_MAX < PACK_ENTRIES_MAX && PACK_ENTRIES_MAX <= REPAIR_IDS_MAX);
    assert!(RECORD_SHARE_DANGERS * EVENT_BYTES_MAX as u64 <= RECORD_SHARE_BYTES);
    assert!(CERTIFICATE_BYTES_MAX + SIGNED_REST_BYTES <= SEALED_BYTES_MAX);
    assert!(DIRECTORY_ENTRY_BYTES_MAX + SIGNED_REST_BYTES <= FEED_BYTES_MAX);
    assert!(PACK_BYTES_MAX + MESSAGE_REST_BYTES <= REQUEST_BYTES_MAX);
    assert!(PACK_BYTES_MAX + MESSAGE_REST_BYTES <= PEER_MESSAGE_BYTES_MAX);
    assert!(PEER_MESSAGE_BYTES_MAX < BUNDLE_CONTENT_BYTES_MAX);
    // The largest record fits one message between two phones, so a new reader gets it whole.
    assert!(PEER_GIVE_BYTES <= RECORD_BYTES_MAX);
    assert!(RECORD_BYTES_MAX + GIVE_PROOF_BYTES_MAX + MESSAGE_REST_BYTES <= PEER_MESSAGE_BYTES_MAX);
    assert!(RECORD_BYTES_MAX as u64 <= PEER_UNJUDGED_AUTHOR_BYTES_MAX);
    assert!(PEER_UNJUDGED_AUTHOR_BYTES_MAX <= PEER_UNJUDGED_BYTES_MAX);
    assert!(BUNDLE_CONTENT_BYTES_MAX / 8 * 9 + MESSAGE_REST_BYTES <= BUNDLE_BYTES_MAX);
    assert!(BUNDLE_DIGESTS_MAX * 8 / 8 * 9 + MESSAGE_REST_BYTES <= BUNDLE_REQUEST_BYTES_MAX);
    assert!(OUTBOX_BYTES_MAX + BODY_BYTES_MAX + MESSAGE_REST_BYTES <= REQUEST_BYTES_MAX);
    // The largest envelope fits a parcel with the certificates that it needs.
    assert!(
        BODY_BYTES_MAX + HEADER_BYTES_MAX + 4 * (CERTIFICATE_BYTES_MAX + SIGNED_REST_BYTES)
            <= PARCEL_CONTENT_BYTES_MAX
    );
    assert!(PARCEL_BYTES_MAX + MESSAGE_REST_BYTES <= PEER_MESSAGE_BYTES_MAX);
    assert!(OUTBOX_BYTES_MAX + PARCEL_BYTES_MAX + MESSAGE_REST_BYTES <= REQUEST_BYTES_MAX);
    assert!(PARCEL_ENVELOPES_MAX <= BATCH_ENVELOPES_MAX);
    assert!(OUTBOX_ENVELOPES_MAX <= BATCH_ENVELOPES_MAX);
    assert!(PIECE_BYTES_MIN <= PIECE_BYTES_FIRST && PIECE_BYTES_FIRST <= PIECE_BYTES_MAX);
    assert!(NEEDED_MAX * (3 * ID_SPELLED_BYTES + 4) <= NEEDED_BYTES_MAX);
    assert!(PACK_BYTES_MAX + FEED_BYTES_MAX + MESSAGE_REST_BYTES <= RESPONSE_BYTES_MAX);
    assert!(PAGE_BYTES_FIRST <= PAGE_BYTES_DEFAULT && PAGE_BYTES_DEFAULT <= PAGE_BYTES_MAX);
    assert!(REQUEST_BYTES_MAX <= INFLATED_BYTES_MAX && RESPONSE_BYTES_MAX <= INFLATED_BYTES_MAX);
};
