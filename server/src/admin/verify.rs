//! Checks all stored data: the seal over all rows, the audit chain, certificates, every envelope
//! with its signature, every record with its digest, every stream position by position, the
//! directory, the templates of checklists, and the photos and recordings.

use std::collections::BTreeMap;

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{EnvelopeId, Hash};
use onegrid_core::media::attachment_id;
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::Envelope;
use onegrid_core::wire::signed_entry::SignedEntry;

use crate::blobs::files::Files;
use crate::directory;
use crate::error::{Phrase, Problem, Result};
use crate::ingest::row_of;
use crate::registry::{anchor, audit};
use crate::server::Server;
use crate::store::{AttachmentFile, AttachmentKey, Reader, RecordRow, StoreError, StoreResult};

/// Counts and findings of a check.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// Checked records.
    pub records: u64,
    /// Checked envelopes.
    pub envelopes: u64,
    /// Checked positions of streams.
    pub positions: u64,
    /// Checked lines of the audit log.
    pub audit: u64,
    /// Checked photos and recordings.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Findings, each as a sentence, up to a fixed number.
    pub wrong: Vec<Phrase>,
}

/// Rows that are read at once.
const STEP: usize = 500;
/// Versions of templates that are read at once; each has up to 256 KiB.
const TEMPLATES_A_STEP: usize = 20;
/// Limit of listed findings.
const WRONG_MAX: usize = 1_000;

/// Checks all stored data on one snapshot, so that a running server can continue. `progress` receives
/// the records done and the records in all.
pub fn verify(server: &Server, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport> {
    server.store().read::<_, Problem>(|tx| {
        let mut walk = Walk {
            server,
            tx,
            certificates: BTreeMap::new(),
            found: VerifyReport::default(),
        };
        walk.seal()?;
        walk.audit()?;
        walk.devices()?;
        walk.records(progress)?;
        walk.unread()?;
        walk.streams()?;
        walk.templates()?;
        Ok(walk.found)
    })
}

/// Depth of the check of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileCheck {
    /// Reads every byte.
    Full,
    /// Looks at the lengths alone.
    Fast,
}

/// Checks that each photo or recording in the store has its file, with the right length and hash, and that the
/// files without a row can be read. Adds the result to a report.
pub fn verify_files(
    server: &Server,
    files: &Files,
    check: FileCheck,
    report: &mut VerifyReport,
) -> Result<()> {
    let mut after = None;
    loop {
        let rows = server.store().read(|tx| tx.attachment_files(after, STEP))?;
        let Some(last) = rows.last() else {
            return verify_strays(server, files, check, report);
        };
        after = Some(last.key);
        for row in rows {
            report.files += 1;
            report.bytes += row.bytes;
            let found = match check {
                FileCheck::Full => hash_of(files, &row),
                FileCheck::Fast => length_of(files, &row),
            };
            let finding = match found {
                Ok(Finding::Sound) => continue,
                Ok(Finding::Absent) => "verify.attachment_absent",
                // A file that cannot be read is as bad as a wrong one.
                Ok(Finding::Wrong) | Err(_) => "verify.attachment",
            };
            report.note(finding, format!("{} {}", row.key.record, row.key.id));
        }
    }
}

/// Checks that the files without a row can be read. The clean-up cannot give such a file its row, or remove it.
fn verify_strays(
    server: &Server,
    files: &Files,
    check: FileCheck,
    report: &mut VerifyReport,
) -> Result<()> {
    for folder in 0..=u8::MAX {
        let Ok(keys) = files.keys(folder) else {
            report.note("verify.attachment_stray", format!("{folder:02x}"));
            continue;
        };
        let strays = server.store().read::<_, Problem>(|tx| {
            let mut strays = Vec::new();
            for key in keys {
                if tx.attachment_file(key)?.is_none() {
                    strays.push(key);
                }
            }
            Ok(strays)
        })?;
        for key in strays {
            if !can_be_read(files, key, check) {
                report.note(
                    "verify.attachment_stray",
                    format!("{} {}", key.record, key.id),
                );
            }
        }
    }
    Ok(())
}

fn can_be_read(files: &Files, key: AttachmentKey, check: FileCheck) -> bool {
    let mut file = match files.open(key) {
        Ok(Some(file)) => file,
        // The server may remove it meanwhile.
        Ok(None) => return true,
        Err(_) => return false,
    };
    let is_file = file.metadata().is_ok_and(|found| found.is_file());
    let is_read = match check {
        FileCheck::Full => std::io::copy(&mut file, &mut std::io::sink()).is_ok(),
        FileCheck::Fast => true,
    };
    is_file && is_read
}

/// Whether the file of a row is here, can be read, and is the right one.
pub(super) fn is_sound(files: &Files, row: &AttachmentFile) -> bool {
    matches!(hash_of(files, row), Ok(Finding::Sound))
}

enum Finding {
    Sound,
    Absent,
    Wrong,
}

fn length_of(files: &Files, row: &AttachmentFile) -> std::io::Result<Finding> {
    let Some(file) = files.open(row.key)? else {
        return Ok(Finding::Absent);
    };
    let is_sound = file.metadata()?.len() == row.bytes;
    Ok(if is_sound {
        Finding::Sound
    } else {
        Finding::Wrong
    })
}

fn hash_of(files: &Files, row: &AttachmentFile) -> std::io::Result<Finding> {
    match length_of(files, row)? {
        Finding::Sound => {}
        other => return Ok(other),
    }
    let bytes = files.read(row.key, row.bytes)?.unwrap_or_default();
    let is_sound = attachment_id(&row.salt, &bytes) == row.key.id;
    Ok(if is_sound {
        Finding::Sound
    } else {
        Finding::Wrong
    })
}

impl VerifyReport {
    fn note(&mut self, code: &'static str, what: impl ToString) {
        if self.wrong.len() < WRONG_MAX {
            self.wrong.push(Phrase::new(code).with("what", what));
        }
    }
}

struct Walk<'a> {
    server: &'a Server,
    tx: &'a dyn Reader,
    certificates: BTreeMap<Hash, Option<std::sync::Arc<Certificate>>>,
    found: VerifyReport,
}

impl Walk<'_> {
    /// Counts damage of one thing as a finding. The value is then `None`, and the check continues.
    fn readable<T>(
        &mut self,
        code: &'static str,
        what: impl ToString,
        read: StoreResult<T>,
    ) -> StoreResult<Option<T>> {
        match read {
            Err(error) if error.is_local() => {
                self.wrong(code, what);
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    fn wrong(&mut self, code: &'static str, what: impl ToString) {
        self.found.note(code, what);
    }

    /// Checks that no other program has changed the store. The sums cover every row, also those that follow
    /// from no other.
    fn seal(&mut self) -> StoreResult<()> {
        let Some(report) = self.server.store().seal_report()? else {
            return Ok(());
        };
        if !report.is_whole {
            self.wrong("verify.pages", "");
        }
        if !report.is_sealed {
            self.wrong("verify.seal", "");
        }
        for table in report.changed {
            self.wrong("verify.rows", table);
        }
        Ok(())
    }

    fn audit(&mut self) -> StoreResult<()> {
        match audit::verify(self.tx)? {
            Ok(lines) => self.found.audit = lines,
            Err(line) => self.wrong("verify.audit", line),
        }
        for line in anchor::contradictions(self.tx)? {
            self.wrong("verify.anchor", line);
        }
        Ok(())
    }

    fn devices(&mut self) -> StoreResult<()> {
        let revoked = directory::read(self.tx)?.revoked;
        for device in self.tx.devices()? {
            if device.revoked_ms.is_some() != revoked.contains_key(&device.id) {
                self.wrong("verify.revocation", device.id);
            }
            let certificate = self.certificate(device.certificate);
            let certificate = self.readable("verify.certificate", device.id, certificate)?;
            let Some(certificate) = certificate else {
                continue;
            };
            if certificate.is_none_or(|known| known.facts().device != device.id) {
                self.wrong("verify.certificate", device.id);
            }
        }
        Ok(())
    }

    /// Loads a certificate and checks its signature once.
    fn certificate(&mut self, hash: Hash) -> StoreResult<Option<std::sync::Arc<Certificate>>> {
        if let Some(known) = self.certificates.get(&hash) {
            return Ok(known.clone());
        }
        let anchors = self.server.keys().anchors();
        let checked = self
            .tx
            .certificate(hash)?
            .and_then(|raw| Certificate::verify(raw, anchors).ok())
            .filter(|certificate| certificate.hash() == hash)
            .map(std::sync::Arc::new);
        self.certificates.insert(hash, checked.clone());
        Ok(checked)
    }

    fn records(&mut self, progress: &mut dyn FnMut(u64, u64)) -> StoreResult<()> {
        let all = self.tx.counts()?.records;
        let mut after = None;
        loop {
            let rows = self.tx.records(after, STEP)?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(last.id);
            for row in &rows {
                self.record(row)?;
                self.found.records += 1;
            }
            progress(self.found.records, all);
        }
    }

    fn record(&mut self, row: &RecordRow) -> StoreResult<()> {
        let (id, digest) = (row.id, row.digest);
        let bases = self.tx.base_packs(id);
        let bases = self.readable("verify.record", id, bases)?;
        for base in bases.unwrap_or_default() {
            let signed = base.proof.verify(self.server.keys().anchors()).is_ok();
            if !signed || !base.proof.covers(&base.pack) {
                self.wrong("verify.record", id);
            }
        }
        let envelopes = self.tx.envelopes(id);
        let envelopes = self.readable("verify.record", id, envelopes)?;
        for stored in envelopes.unwrap_or_default() {
            self.found.envelopes += 1;
            let envelope_id: EnvelopeId = stored.raw.hash().envelope_id();
            let certificate = self.certificate(stored.certificate);
            let certificate = self.readable("verify.certificate", envelope_id, certificate)?;
            let Some(certificate) = certificate else {
                continue;
            };
            let Some(certificate) = certificate else {
                self.wrong("verify.certificate", envelope_id);
                continue;
            };
            let authority = self.server.keys().authority();
            let checked = Envelope::parse(stored.raw)
                .ok()
                .filter(|envelope| envelope.record() == id)
                .and_then(|envelope| envelope.verify(&certificate, authority).ok());
            if checked.is_none() {
                self.wrong("verify.envelope", envelope_id);
            }
        }
        let settled = self.tx.settled(id);
        if let Some(settled) = self.readable("verify.digest", id, settled)?
            && settled.into_iter().collect::<Digest>() != digest
        {
            self.wrong("verify.digest", id);
        }
        match crate::records::load(self.tx, &self.server.shared.certificates, id) {
            Ok(record) if record.digest() == digest => {
                // The next look of the rules depends on more than the record, so only the seal covers it.
                if row_of(&record, row.due_ms, row.changed_ms).as_ref() != Some(row) {
                    self.wrong("verify.row", id);
                }
            }
            Ok(_) | Err(StoreError::Row(_) | StoreError::Missing(_)) => {
                self.wrong("verify.record", id);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Checks the envelopes that this version cannot read yet. Only the match of bytes and id can be
    /// checked.
    fn unread(&mut self) -> StoreResult<()> {
        let mut after = 0;
        loop {
            let rows = self.tx.unread_held(after, STEP)?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            after = *last;
            for (_, row) in &rows {
                self.found.envelopes += 1;
                if self.tx.unread(&row.raw)?.is_none() {
                    self.wrong("verify.envelope", row.raw.hash().envelope_id());
                }
            }
        }
    }

    /// Checks that each version of a template has its hash, and that the directory carries the same bytes.
    fn templates(&mut self) -> StoreResult<()> {
        let templates = directory::read(self.tx)?.templates;
        let mut after = (String::new(), 0);
        loop {
            let page = self.tx.templates((&after.0, after.1), TEMPLATES_A_STEP)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = (last.id.clone(), last.version);
            for row in page {
                let entry = row
                    .id
                    .parse()
                    .ok()
                    .and_then(|id| templates.get(&id, row.version));
                let same = entry.is_some_and(|entry| entry.to_bytes() == row.bytes);
                if !same || Hash::of(&[&row.bytes]) != row.hash {
                    self.wrong("verify.template", format!("{} {}", row.id, row.version));
                }
            }
        }
    }

    fn streams(&mut self) -> StoreResult<()> {
        for stream in self.tx.streams()? {
            self.stream(stream)?;
        }
        Ok(())
    }

    fn stream(&mut self, stream: StreamId) -> StoreResult<()> {
        let name = stream.to_string();
        let head = self.tx.head(stream)?;
        let mut position = 0;
        loop {
            let rows = self.tx.feed(stream, position, STEP)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                position += 1;
                self.found.positions += 1;
                if row.position != position {
                    self.wrong("verify.gap", format!("{name} {position}"));
                    return Ok(());
                }
            }
        }
        let items = self.tx.stream_items(stream)?;
        let sum = items.iter().map(|item| item.digest).sum::<Digest>();
        if position != head.position || sum != head.digest {
            self.wrong("verify.stream", &name);
        }
        self.directory(stream, &name)
    }

    fn directory(&mut self, stream: StreamId, name: &str) -> StoreResult<()> {
        if !matches!(
            stream,
            StreamId::DirectoryBase | StreamId::DirectoryVillage(_)
        ) {
            return Ok(());
        }
        let mut after = 0;
        loop {
            let page = self.tx.current(stream, after, STEP)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.position;
            for entry in page {
                let anchors = self.server.keys().anchors();
                let signed = SignedEntry::from_bytes(&entry.data);
                if signed.and_then(|signed| signed.verify(anchors)).is_err() {
                    self.wrong("verify.entry", format!("{name} {}", entry.position));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
pub(crate) mod tests;
