//! New server keys in three steps, so that the root key never comes to the server.
//!
//! ```text
//!  server: request ─▶ file ─▶ offline machine: sign ─▶ file ─▶ server: install
//! ```
//!
//! **Invariant:** until the last step the present keys stay in use, and each step can be given again. The
//! new secret keys wait in the data folder and never leave it. The server signs again what it keeps when it
//! first opens with other keys ([`crate::server::Server::open`]). A last step that breaks off between the new
//! generation and the new keys leaves a store that no server opens, until the step is given again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minicbor::{Decode, Encode};
use onegrid_core::trust::certificate::{ServerKeys, ServerPurpose};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::data_dir::{DataDir, sync_parent, unusable, with_suffix};
use super::setup::read_root;
use crate::directory;
use crate::error::{Problem, Result};
use crate::keys::{Ending, Keys, Proposal, Successor, write_secret};
use crate::limits::KEY_FILE_BYTES_MAX;
use crate::registry::audit;
use crate::registry::members::Stamp;
use crate::store::Store;

const REQUEST_HEAD: &str = "onegrid key request v1\n";
const LIST_HEAD: &str = "onegrid key list v1\n";

/// Effects of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installation {
    /// The number of the list.
    pub number: u64,
    /// The generation from now on, where a key left the list and the server therefore starts a new one.
    pub generation: Option<u32>,
}

/// Makes new secret keys, which wait in the data folder, and writes the request for their list. An
/// earlier request that was not installed is forgotten.
pub fn request(
    data: &DataDir,
    to: &Path,
    endings: &BTreeMap<ServerPurpose, Ending>,
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Proposal> {
    let keys = data.read_keys()?;
    let (successor, proposal) = keys.succeed(endings, now_ms, rng);
    // The keys that wait are replaced last: a list for them may be on its way.
    let next = next(data);
    let part = with_suffix(&next, "part");
    remove_if_there(&part)?;
    let bytes = minicbor::to_vec(&successor).expect("writing CBOR to memory does not fail");
    write_secret(&part, &Zeroizing::new(bytes))?;
    write_text(to, REQUEST_HEAD, &proposal)?;
    std::fs::rename(&part, &next).map_err(|error| unusable(&next, &error))?;
    sync_parent(&next)?;
    Ok(proposal)
}

/// Signs the request with the root key. Needs no data folder.
pub fn sign(request: &Path, root_key: &Path, to: &Path) -> Result<ServerKeys> {
    let proposal: Proposal = parse_text(&read_file(request)?, REQUEST_HEAD)
        .ok_or_else(|| Problem::new("keys.request_damaged").with("path", request.display()))?;
    let root = read_root(root_key)
        .ok_or_else(|| Problem::new("keys.no_root_key").with("path", root_key.display()))?;
    let list = proposal.sign(&root)?;
    write_text(to, LIST_HEAD, &list)?;
    Ok(list)
}

/// Takes the new keys into use. The server must be stopped, and every command that could sign with the present
/// keys must have ended.
pub fn install(data: &DataDir, list: &Path, actor: &str, now_ms: i64) -> Result<Installation> {
    let list = read_list(list)?;
    let _lock = data.lock()?;
    let alone = data.claim()?;
    let present = data.read_keys()?;
    let next = next(data);
    let keys = present.take_over(&read_successor(&next)?, &list)?;
    // Everything that needs room on the disk comes before the new generation.
    let part = prepare(data, &present, &keys)?;
    let store = data.store_alone(&alone, now_ms)?;
    let stamp = Stamp { actor, now_ms };
    let generation = leave(&store, &present, &keys, stamp)?;
    drop(store);
    let place = data.keys();
    std::fs::rename(&part, &place).map_err(|error| unusable(&place, &error))?;
    sync_parent(&place)?;
    std::fs::remove_file(&next).map_err(|error| unusable(&next, &error))?;
    Ok(Installation {
        number: list.number,
        generation,
    })
}

/// After a key left the list, verdicts that a thief signed with it may have any generation up to
/// its bound. The server continues above that bound, so its own verdicts overrule them and phones
/// compare everything.
fn leave(
    store: &Arc<dyn Store>,
    present: &Keys,
    keys: &Keys,
    stamp: Stamp<'_>,
) -> Result<Option<u32>> {
    let Some(bound) = present.leaked_generation_max(keys.anchors().list()) else {
        return Ok(None);
    };
    let now_ms = stamp.now_ms;
    let seconds = u32::try_from(now_ms / 1_000).unwrap_or_default();
    let certified = keys.anchors().clone();
    let actor = stamp.actor.to_owned();
    store.write::<_, Problem>(move |tx| {
        let highest = directory::generation(tx)?.max(bound);
        let generation = highest.saturating_add(1).max(seconds);
        if !certified.certifies(generation) {
            return Err(Problem::new("keys.generation_not_listed"));
        }
        directory::set_generation(tx, generation)?;
        directory::bump_policy(tx)?;
        audit::note(
            tx,
            now_ms,
            &actor,
            "server.key_leaked",
            &generation.to_string(),
        )?;
        Ok(Some(generation))
    })
}

/// Writes the new keys beside the present ones, and a copy of those under a name that stays. Returns the path of
/// the new ones.
fn prepare(data: &DataDir, present: &Keys, keys: &Keys) -> Result<PathBuf> {
    let place = data.keys();
    let number = present.anchors().list().number;
    let aside = with_suffix(&place, &format!("before-{number}"));
    remove_if_there(&aside)?;
    present.write(&aside)?;
    let part = with_suffix(&place, "part");
    remove_if_there(&part)?;
    keys.write(&part)?;
    sync_parent(&part)?;
    Ok(part)
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unusable(path, &error)),
        _ => Ok(()),
    }
}

fn next(data: &DataDir) -> PathBuf {
    with_suffix(&data.keys(), "next")
}

fn read_successor(path: &Path) -> Result<Successor> {
    if !path.exists() {
        return Err(Problem::new("keys.nothing_requested").with("path", path.display()));
    }
    let bytes = Zeroizing::new(read_file(path)?);
    minicbor::decode(&bytes).map_err(|_| damaged(path))
}

/// A file for people to carry: a line that says what it is, and the CBOR in hexadecimal.
fn write_text<T: Encode<()>>(path: &Path, head: &str, value: &T) -> Result<()> {
    let bytes = minicbor::to_vec(value).expect("writing CBOR to memory does not fail");
    let mut text = head.to_owned();
    for line in bytes.chunks(32) {
        for byte in line {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    write_secret(path, text.as_bytes())
}

/// Reads a signed list. A request looks alike, so a person may take the one for the other.
fn read_list(path: &Path) -> Result<ServerKeys> {
    let bytes = read_file(path)?;
    let code = if bytes.starts_with(REQUEST_HEAD.as_bytes()) {
        "keys.list_unsigned"
    } else {
        "keys.list_damaged"
    };
    parse_text(&bytes, LIST_HEAD).ok_or_else(|| Problem::new(code).with("path", path.display()))
}

/// Parses a file of [`write_text`]; `None` if it is damaged or has another head.
fn parse_text<T: for<'b> Decode<'b, ()>>(bytes: &[u8], head: &str) -> Option<T> {
    let hex = std::str::from_utf8(bytes).ok()?.strip_prefix(head)?;
    let digits: Option<Vec<u8>> = hex
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    minicbor::decode(&bytes).ok()
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |error: std::io::Error| {
        Problem::new("keys.unreadable")
            .with("path", path.display())
            .because(&error)
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(KEY_FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

fn damaged(path: &Path) -> Problem {
    Problem::new("keys.damaged").with("path", path.display())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::admin::setup;
    use crate::rules::Rules;
    use crate::server::Server;

    const NOW: i64 = 1_760_000_000_000;

    struct Office {
        folder: tempfile::TempDir,
        data: DataDir,
        rng: ChaCha20Rng,
    }

    impl Office {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let data = DataDir::at(&folder.path().join("data"));
            let mut rng = ChaCha20Rng::seed_from_u64(8);
            setup::prepare(&data, &folder.path().join("root.key"), NOW, &mut rng).unwrap();
            Self { folder, data, rng }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn request(&mut self, name: &str, now_ms: i64) -> Result<Proposal> {
            let leaked = BTreeMap::from([(ServerPurpose::Receipts, Ending::Leaked)]);
            let to = self.path(name);
            request(&self.data, &to, &leaked, now_ms, &mut self.rng)
        }

        fn open(&self) -> Result<()> {
            let keys = self.data.read_keys()?;
            Server::open(self.data.store()?, keys, Rules::none()).map(drop)
        }

        fn sign(&self, request: &str, list: &str) {
            let root = self.path("root.key");
            sign(&self.path(request), &root, &self.path(list)).unwrap();
        }
    }

    /// The list for them may be on its way from the offline machine.
    #[test]
    fn refused_request_leaves_the_keys_that_wait() {
        let mut office = Office::new();
        office.request("request", NOW + 1).unwrap();
        office.sign("request", "list");
        let again = office.request("request", NOW + 2).unwrap_err();
        assert_eq!(again.code(), "keys.exist");
        install(&office.data, &office.path("list"), "zhang", NOW + 3).unwrap();
    }

    /// A command with the old keys in memory goes on signing with them.
    #[test]
    fn installation_waits_for_no_command_and_is_refused() {
        let mut office = Office::new();
        office.request("request", NOW + 1).unwrap();
        office.sign("request", "list");
        let command = office.data.store().unwrap();
        let refused = install(&office.data, &office.path("list"), "zhang", NOW + 2).unwrap_err();
        assert_eq!(refused.code(), "data.in_use");
        drop(command);
        install(&office.data, &office.path("list"), "zhang", NOW + 2).unwrap();
    }

    /// Phones refuse a generation that no listed key certifies.
    #[test]
    fn broken_off_installation_is_named_and_can_be_repeated() {
        let mut office = Office::new();
        office.request("request", NOW + 1).unwrap();
        office.sign("request", "list");
        let present = office.data.read_keys().unwrap();
        let successor = read_successor(&next(&office.data)).unwrap();
        let list = read_list(&office.path("list")).unwrap();
        let keys = present.take_over(&successor, &list).unwrap();
        let store = office.data.store().unwrap();
        let stamp = Stamp {
            actor: "zhang",
            now_ms: NOW + 2,
        };
        let raised = leave(&store, &present, &keys, stamp).unwrap();
        assert!(raised.is_some());
        drop(store);
        assert_eq!(office.open().unwrap_err().code(), "keys.install_unfinished");
        install(&office.data, &office.path("list"), "zhang", NOW + 3).unwrap();
        office.open().unwrap();
    }
}
