//! The data of a store as tables of plain cells, so that another backend can take them over.
//!
//! Every backend has the same tables with the same columns. The seal is left out, because each store counts its rows
//! anew when it opens.

use onegrid_core::wire::digest::Digest;
use ring::digest::{Context, SHA256};

use super::StoreResult;

/// The value of one column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// No value.
    Null,
    /// A number; a truth value is 0 or 1.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A table that every backend has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns; the cells of a row have this order.
    pub columns: &'static [&'static str],
    /// The columns of its primary key, which orders the rows.
    pub key: &'static [&'static str],
}

/// One end of a copy: a store that nothing else uses meanwhile.
pub trait CopyEnd {
    /// Rows after a key, in the bytewise order of their keys, at most `count_max`.
    fn rows(
        &self,
        table: &Table,
        after: Option<&[Cell]>,
        count_max: usize,
    ) -> StoreResult<Vec<Vec<Cell>>>;

    /// Writes rows in one durable transaction. A row replaces the one with the same key.
    fn put(&self, table: &Table, rows: &[Vec<Cell>]) -> StoreResult<()>;

    /// Deletes all rows of a table.
    fn clear(&self, table: &Table) -> StoreResult<()>;
}

impl Table {
    /// The cells of the primary key of a row.
    #[must_use]
    pub fn key_of(&self, row: &[Cell]) -> Vec<Cell> {
        let at = |column: &&str| self.columns.iter().position(|name| name == column);
        let places = self.key.iter().filter_map(at);
        places.filter_map(|at| row.get(at).cloned()).collect()
    }

    /// Digest of one row. The sum over all rows is the digest of the table.
    #[must_use]
    pub fn digest_of(&self, row: &[Cell]) -> Digest {
        let mut context = Context::new(&SHA256);
        context.update(self.name.as_bytes());
        for cell in row {
            let (kind, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Int(number) => (1, &number.to_be_bytes()),
                Cell::Text(text) => (2, text.as_bytes()),
                Cell::Bytes(bytes) => (3, bytes),
            };
            context.update(&[kind]);
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        }
        let mut first = [0; 16];
        first.copy_from_slice(&context.finish().as_ref()[..16]);
        Digest::from_bytes(first)
    }
}

const fn table(
    name: &'static str,
    columns: &'static [&'static str],
    key: &'static [&'static str],
) -> Table {
    Table { name, columns, key }
}

/// All tables but the seal. A table follows those that its rows name, and the notes come last.
pub const TABLES: &[Table] = &[
    table(
        "certificates",
        &["no", "hash", "device", "facts", "signature"],
        &["no"],
    ),
    table(
        "records",
        &[
            "no",
            "id",
            "kind",
            "audience",
            "home",
            "created_ms",
            "open",
            "state",
            "category",
            "lat_e7",
            "lon_e7",
            "due_ms",
            "digest",
            "changed_ms",
            "merged_into",
        ],
        &["no"],
    ),
    table("streams", &["no", "id", "head", "digest"], &["no"]),
    table(
        "envelopes",
        &[
            "no",
            "id",
            "record_id",
            "author",
            "certificate_no",
            "header",
            "body",
            "signature",
            "status",
            "verdict",
        ],
        &["no"],
    ),
    table("packs", &["record_no", "digest", "pack"], &["record_no"]),
    table(
        "base_packs",
        &["hash", "record_id", "pack", "proof"],
        &["hash"],
    ),
    table("base_proofs", &["hash", "proof"], &["hash"]),
    table(
        "feed",
        &["stream_no", "position", "kind", "subject", "data", "digest"],
        &["stream_no", "position"],
    ),
    table(
        "stream_records",
        &[
            "stream_no",
            "record_no",
            "open",
            "created_ms",
            "turned_at",
            "added_at",
        ],
        &["stream_no", "record_no"],
    ),
    table(
        "stream_certificates",
        &["stream_no", "certificate_no", "position"],
        &["stream_no", "certificate_no"],
    ),
    table(
        "stream_entries",
        &["stream_no", "name", "position", "data"],
        &["stream_no", "name"],
    ),
    table(
        "members",
        &[
            "id",
            "public_name",
            "area",
            "grants",
            "granted_at",
            "changed_ms",
            "disabled_ms",
        ],
        &["id"],
    ),
    table(
        "devices",
        &[
            "id",
            "public_key",
            "member",
            "certificate",
            "enrolled_ms",
            "revoked_ms",
        ],
        &["id"],
    ),
    table(
        "invitations",
        &["id", "data", "expires_ms", "redeemed_by", "redeemed_ms"],
        &["id"],
    ),
    table(
        "reviews",
        &[
            "envelope_id",
            "since_ms",
            "decided_ms",
            "accepted",
            "decided_by",
        ],
        &["envelope_id"],
    ),
    table(
        "audit",
        &["no", "at_ms", "actor", "action", "subject", "hash"],
        &["no"],
    ),
    table("cursors", &["device", "hash", "cursors"], &["device"]),
    table(
        "sessions",
        &["id", "device", "secret", "expires_ms"],
        &["id"],
    ),
    table(
        "readings",
        &["day", "device", "record_id", "member", "stream", "first_ms"],
        &["day", "device", "record_id"],
    ),
    table(
        "written",
        &["day", "device", "envelopes", "bytes"],
        &["day", "device"],
    ),
    table(
        "unread",
        &[
            "no",
            "id",
            "device",
            "header",
            "body",
            "signature",
            "since_ms",
            "held",
            "verdict",
        ],
        &["no"],
    ),
    table(
        "templates",
        &[
            "id",
            "version",
            "bytes",
            "hash",
            "imported_ms",
            "imported_by",
        ],
        &["id", "version"],
    ),
    table(
        "attachment_descriptions",
        &[
            "record_id",
            "id",
            "envelope_id",
            "author",
            "media",
            "bytes",
            "salt",
        ],
        &["record_id", "id", "envelope_id"],
    ),
    table(
        "attachment_files",
        &["record_id", "id", "media", "bytes", "salt", "stored_ms"],
        &["record_id", "id"],
    ),
    table(
        "attachment_orphans",
        &["record_id", "id", "since_ms"],
        &["record_id", "id"],
    ),
    table(
        "uploads",
        &[
            "device",
            "record_id",
            "id",
            "bytes",
            "durable",
            "begun_ms",
            "touched_ms",
        ],
        &["device", "record_id", "id"],
    ),
    table(
        "upload_days",
        &["day", "device", "files", "bytes"],
        &["day", "device"],
    ),
    table(
        "parcels",
        &["hash", "day", "courier", "bytes", "outcome"],
        &["hash"],
    ),
    table(
        "parcels_brought",
        &["day", "courier", "parcels", "bytes"],
        &["day", "courier"],
    ),
    table("external_ids", &["id", "external_id"], &["id"]),
    table(
        "admins",
        &["name", "roles", "added_ms", "disabled_ms"],
        &["name"],
    ),
    table("meta", &["name", "value"], &["name"]),
];
