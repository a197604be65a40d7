//! A failing disk turns single bits of a backup: of its database, its keys or its photos.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::kept::{Deployment, deployment, findings, opened};
use super::*;
use crate::admin::backup;
use crate::admin::data_dir::DataDir;
use crate::admin::verify::FileCheck;
use crate::admin::verify::tests::{Contents, contents, found};

/// Bits that `make test` turns in each kind of file. `BIT_FLIPS` sets another number.
const FLIPS: u64 = 60;

/// A restored backup: the rows of its database and the bytes of its photo.
#[derive(PartialEq)]
struct Restored {
    rows: Contents,
    photo: Vec<u8>,
}

/// Restores a backup; `None` if the restore or a check says that something is wrong.
fn restored(it: &Deployment, from: &Path, to: &DataDir) -> Option<Restored> {
    let result = backup::restore(to, from, None, NOW + 1_000).ok()?;
    let (server, blobs) = opened(to, &it.bench.world);
    let is_sound = result.lost == 0
        && found(&server).is_ok_and(|said| said.is_empty())
        && findings(&server, &to.files(), FileCheck::Full).is_empty();
    let (mut rows, whole) = contents(&to.database()).ok()?;
    // Each restore draws new numbers for its seal, which `found` has checked.
    rows.retain(|(table, _)| table != "seal");
    (is_sound && whole == "ok").then(|| Restored {
        rows,
        photo: read(&blobs, device(&it.phone), it.key),
    })
}

#[allow(clippy::print_stdout, reason = "a long run tells its figures")]
#[test]
fn flipped_bit_of_a_backup_is_found_or_harmless() {
    let it = deployment();
    let folder = it.bench.folder.path();
    let sound = folder.join("sound");
    backup::backup(&it.data, &sound, "zhang", NOW).unwrap();
    let backup = DataDir::at(&sound);
    let before = restored(&it, &sound, &DataDir::at(&folder.join("before"))).unwrap();
    assert_eq!(before.photo, it.bytes);
    let flips = std::env::var("BIT_FLIPS").map_or(FLIPS, |text| text.parse().unwrap());
    let files = [
        backup.database(),
        backup.keys(),
        backup.files().path(it.key),
    ];
    for (kind, file) in files.iter().enumerate() {
        let bytes = std::fs::read(file).unwrap();
        let (mut noticed, mut harmless) = (0, 0);
        for seed in 0..flips {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let bit = rng.next_u64() % (bytes.len() as u64 * 8);
            let mut flipped = bytes.clone();
            flipped[(bit / 8) as usize] ^= 1 << (bit % 8);
            // The file of a backup may be the same file under another name, so the old one makes room.
            std::fs::remove_file(file).unwrap();
            std::fs::write(file, flipped).unwrap();
            let to = DataDir::at(&folder.join(format!("{kind}-{seed}")));
            match restored(&it, &sound, &to) {
                None => noticed += 1,
                Some(after) => {
                    assert!(after == before, "file {kind}, seed {seed}: bit {bit}");
                    harmless += 1;
                }
            }
            std::fs::remove_dir_all(to.path()).unwrap_or_default();
        }
        std::fs::remove_file(file).unwrap();
        std::fs::write(file, &bytes).unwrap();
        println!("file {kind}: {flips} bits turned, {noticed} noticed, {harmless} harmless");
        assert!(noticed > 0);
    }
}
