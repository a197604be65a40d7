//! Every limit on what comes from outside, in one place. Zero never means “no limit”.
//!
//! Limits on the content of records are counts, never time, memory or merged size: every replica must
//! refuse the same things.

/// Parents of one envelope (heads of the record's DAG that its author had seen).
pub const PARENTS_MAX: usize = 16;
/// Bytes of an envelope's header.
pub const HEADER_BYTES_MAX: usize = 1_024;
/// Bytes of an envelope's body.
pub const BODY_BYTES_MAX: usize = 256 * 1_024;
/// Nesting of any CBOR that is read.
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

// Positions.

/// Largest accuracy radius of a position in metres; more says nothing about where somebody was.
pub const POSITION_ACCURACY_M_MAX: u32 = 100_000;
/// Largest age of a fix when it was used, ms: one day.
pub const POSITION_FIX_AGE_MS_MAX: u32 = 86_400_000;

// Events and records.

/// Characters of a text that a person types into an event.
pub const TEXT_CHARS_MAX: usize = 2_000;
/// Bytes of a machine code (category, rule).
pub const CODE_BYTES_MAX: usize = 48;
/// Attachments named by one event.
pub const EVENT_ATTACHMENTS_MAX: usize = 16;
/// Members mentioned in one comment.
pub const MENTIONS_MAX: usize = 32;
/// Bytes of the data of one event.
pub const EVENT_BYTES_MAX: usize = 16 * 1_024;
/// Envelopes of one record. The fold is linear in a history without forks; each real merge of two branches
/// costs one more pass, so a record that is nothing but forks costs at most half the square of this.
pub const RECORD_ENTRIES_MAX: usize = 4_096;
/// Bytes of a certificate's facts.
pub const CERTIFICATE_BYTES_MAX: usize = 8 * 1_024;
/// Grants of one certificate.
pub const GRANTS_MAX: usize = 64;
