//! The waiting times of a person on a phone without a network, in a process of its own: the parent
//! starts it with the folder of a replica, and it prints its figures.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use onegrid_core::replica::{FileKey, MarkerFile, Replica, ReplicaOptions, StdDisk};
use onegrid_core::trust::sign::SecretKey;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::figures;
use super::table::{Table, percentiles};

/// Starts this program with the argument `child` and the folder, and puts the printed figures into
/// the table.
pub(super) fn run(
    table: &mut Table,
    bench: &str,
    child: &str,
    (folder, signer): (&Path, &SecretKey),
) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .arg(child)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(&*signer.seed()).unwrap();
    drop(input);
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "the phone's process ended well");
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        assert!(figures::take_down(table, bench, line), "{line}");
    }
}

/// Reads the seed from the parent. Returns the options of the replica in the folder, as often as
/// they are needed.
pub(super) fn options(folder: &Path) -> impl Fn() -> ReplicaOptions {
    let mut seed = [0; 32];
    std::io::stdin().read_exact(&mut seed).unwrap();
    move || ReplicaOptions {
        path: folder.join("replica.db"),
        disk: Arc::new(StdDisk),
        file_key: FileKey::new(seed),
        marker: Box::new(MarkerFile::new(folder.join("marker"))),
        signer: SecretKey::from_seed(&seed),
        entropy: Box::new(ChaCha20Rng::from_seed([9; 32])),
    }
}

/// Opens and closes the replica again and again. `max_ms` is the budget of the median and of the
/// p99.
pub(super) fn opening(name: &str, options: &impl Fn() -> ReplicaOptions, max_ms: f64) {
    let mut samples = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let replica = Replica::open(options()).unwrap();
        samples.push(start.elapsed().as_secs_f64() * 1e3);
        replica.close().unwrap();
    }
    say(name, &mut samples, Some(max_ms), Some(max_ms));
}

/// Measures the same work again and again. `max_ms` is the budget of the median and of the p99.
pub(super) fn timed(name: &str, times: usize, max_ms: f64, mut work: impl FnMut()) {
    let mut samples: Vec<f64> = (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    say(name, &mut samples, Some(max_ms), Some(max_ms));
}

/// Prints the median and the p99 of samples in ms with their budgets.
pub(super) fn say(name: &str, samples: &mut [f64], median_max: Option<f64>, p99_max: Option<f64>) {
    let (median, p99) = percentiles(samples);
    figures::say(&format!("{name}, median"), median, "ms", median_max);
    figures::say(&format!("{name}, p99"), p99, "ms", p99_max);
}
