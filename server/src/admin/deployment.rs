//! A deployment in its folder: made, opened, copied, brought back and checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onegrid_core::domain::StreamId;
use onegrid_core::id::RecordId;
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::Envelope;
use rand_core::CryptoRng;

use crate::error::{Problem, Result};
use crate::ingest::records;
use crate::keys::{Keys, write_secret};
use crate::registry::{audit, directory};
use crate::rules::Rules;
use crate::server::Server;
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Counts, Reader, Store};

/// The database in the folder.
pub const DATABASE: &str = "onegrid.db";
/// The server's keys in the folder.
pub const KEYS: &str = "server.keys";

fn open_store(path: &Path) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(SqliteStore::open(path, SqliteOptions::default())?))
}

fn unwritable(path: &Path) -> impl Fn(std::io::Error) -> Problem + '_ {
    move |error| {
        Problem::new("keys.unwritable")
            .with("path", path.display())
            .because(&error)
    }
}

/// Makes a deployment in a folder. The root key goes into a file of its own, to be kept offline.
pub fn init(folder: &Path, root_file: &Path, now_ms: i64, rng: &mut dyn CryptoRng) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(unwritable(folder))?;
    if folder.join(DATABASE).exists() {
        return Err(Problem::new("store.initialised"));
    }
    let (keys, root) = Keys::create(now_ms, rng)?;
    write_secret(root_file, root.seed().as_slice())?;
    keys.write(&folder.join(KEYS))?;
    let store = open_store(&folder.join(DATABASE))?;
    Server::prepare(&store, &keys, now_ms)
}

/// Opens the deployment in a folder.
pub fn open(folder: &Path, rules: Rules) -> Result<Server> {
    let database = folder.join(DATABASE);
    if !database.exists() {
        return Err(Problem::new("store.not_initialised"));
    }
    Server::open(
        open_store(&database)?,
        Keys::read(&folder.join(KEYS))?,
        rules,
    )
}

/// Copies the database of a running deployment into a new file and opens the copy once, so that a backup
/// that can not be used is not taken for one. The file of the keys is copied apart, once.
pub fn backup(server: &Server, to: &Path, now_ms: i64) -> Result<PathBuf> {
    if to.exists() {
        return Err(Problem::new("keys.exist").with("path", to.display()));
    }
    server.store().write::<_, Problem>(move |tx| {
        audit::note(tx, now_ms, "admin", "server.backup", "")?;
        Ok(())
    })?;
    server.store().backup(to)?;
    let copy = open_store(to)?;
    let (ours, theirs) = (
        server.store().read(|tx| tx.audit_last())?,
        copy.read(|tx| tx.audit_last())?,
    );
    if theirs.is_none() || ours.map(|row| row.no) < theirs.map(|row| row.no) {
        return Err(Problem::new("store.damaged"));
    }
    Ok(to.to_owned())
}

/// Brings a backup back into a folder that holds the keys. A new, higher generation begins: the phones give
/// back what the backup does not know. `at_least` is a generation that phones have seen, where one is known.
pub fn restore(from: &Path, folder: &Path, at_least: u32, now_ms: i64) -> Result<u32> {
    let database = folder.join(DATABASE);
    if database.exists() {
        return Err(Problem::new("store.initialised"));
    }
    if !from.exists() {
        return Err(Problem::new("keys.unreadable").with("path", from.display()));
    }
    let source = open_store(from)?;
    source.backup(&database)?;
    drop(source);
    let store = open_store(&database)?;
    store.write::<_, Problem>(move |tx| {
        let generation = directory::generation(tx)?.max(at_least).saturating_add(1);
        directory::set_generation(tx, generation)?;
        directory::bump_policy(tx)?;
        tx.forget_visitors()?;
        audit::note(
            tx,
            now_ms,
            "admin",
            "server.restored",
            &generation.to_string(),
        )?;
        Ok(generation)
    })
}

/// What a check of everything found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Records that were walked.
    pub records: u64,
    /// Envelopes whose signatures were checked again.
    pub envelopes: u64,
    /// Streams whose digests were made again.
    pub streams: u64,
    /// Lines of the audit log.
    pub audit: u64,
    /// What is wrong: ids with a stable word.
    pub faults: Vec<String>,
}

/// Walks everything: signatures, records with their content, digests of streams, the audit log.
pub fn verify(server: &Server) -> Result<Verified> {
    server.store().read::<_, Problem>(|tx| {
        let mut found = Verified::default();
        let mut after = None;
        loop {
            let page = tx.records(after, RECORDS_A_STEP)?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for row in &page {
                found.records += 1;
                verify_record(server, tx, row.id, row.digest, &mut found)?;
            }
        }
        for stream in tx.streams()? {
            found.streams += 1;
            verify_stream(tx, stream, &mut found)?;
        }
        match audit::verify(tx)? {
            Ok(lines) => found.audit = lines,
            Err(line) => found.faults.push(format!("audit {line}")),
        }
        Ok(found)
    })
}

const RECORDS_A_STEP: usize = 500;

fn verify_record(
    server: &Server,
    tx: &dyn Reader,
    id: RecordId,
    digest: Digest,
    found: &mut Verified,
) -> Result<()> {
    for stored in tx.envelopes(id)? {
        found.envelopes += 1;
        let certificate = tx
            .certificate(stored.certificate)?
            .and_then(|raw| Certificate::verify(raw, server.keys().anchors()).ok())
            .map(Arc::new);
        let hash = stored.raw.hash();
        let signed = certificate.is_some_and(|certificate| {
            Envelope::parse(stored.raw).is_ok_and(|envelope| {
                envelope
                    .verify(&certificate, server.keys().authority())
                    .is_ok()
            })
        });
        if !signed {
            found
                .faults
                .push(format!("envelope {}", hash.envelope_id()));
        }
    }
    match records::load(tx, &server.certificates, id) {
        Ok(record) if record.digest() == digest && record.document().is_some() => {}
        _ => found.faults.push(format!("record {id}")),
    }
    Ok(())
}

fn verify_stream(tx: &dyn Reader, stream: StreamId, found: &mut Verified) -> Result<()> {
    let sum: Digest = tx
        .stream_items(stream)?
        .into_iter()
        .map(|item| item.digest)
        .sum();
    let head = tx.head(stream)?;
    if head.digest != sum || tx.digest_at(stream, head.position)? != Some(sum) {
        found.faults.push(format!("stream {stream}"));
    }
    Ok(())
}

/// How the deployment stands.
pub fn status(server: &Server) -> Result<(u32, Counts)> {
    Ok(server
        .store()
        .read(|tx| Ok::<_, crate::store::StoreError>((directory::generation(tx)?, tx.counts()?)))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_restored_deployment_has_a_higher_generation_and_verifies() {
        let here = tempfile::tempdir().unwrap();
        let folder = here.path().join("data");
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        init(&folder, &here.path().join("root.key"), 5, &mut rng).unwrap();
        let twice = init(&folder, &here.path().join("other.key"), 5, &mut rng);
        assert_eq!(twice.unwrap_err().code(), "store.initialised");
        let server = open(&folder, Rules::none()).unwrap();
        assert_eq!(status(&server).unwrap().0, 1);
        let copy = backup(&server, &here.path().join("backup.db"), 6).unwrap();
        drop(server);
        let again = here.path().join("again");
        std::fs::create_dir(&again).unwrap();
        std::fs::copy(folder.join(KEYS), again.join(KEYS)).unwrap();
        assert_eq!(restore(&copy, &again, 4, 7).unwrap(), 5);
        let server = open(&again, Rules::none()).unwrap();
        assert_eq!(server.generation().unwrap(), 5);
        assert_eq!(verify(&server).unwrap().faults, Vec::<String>::new());
        assert_eq!(
            open(here.path(), Rules::none()).err().unwrap().code(),
            "store.not_initialised"
        );
    }
}
