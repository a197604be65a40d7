//! Makes `dictionary.bin` and measures its gain.
//!
//! `cargo test -p onegrid-core --lib -- --ignored rebuild_the_dictionary` makes it anew from the
//! samples. The dictionary is part of the protocol, so do that only together with a new form byte
//! of frames.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::{HashMap, HashSet};

use super::super::sample_messages::messages;
use super::*;
use crate::id::Hash;

const BYTES: usize = 16 * 1_024;
const WINDOW: usize = 8;
const SEGMENT: usize = 64;

/// Picks what occurs in most samples: out of each of as many stretches as segments fit, the segment whose
/// windows occur in most samples, without those that were picked before.
fn train(samples: &[Vec<u8>]) -> Vec<u8> {
    let mut occurs: HashMap<&[u8], u32> = HashMap::new();
    for sample in samples {
        for window in sample.windows(WINDOW).collect::<HashSet<_>>() {
            *occurs.entry(window).or_default() += 1;
        }
    }
    occurs.retain(|_, samples| *samples > 3);
    let all = samples.concat();
    let mut picked: Vec<(u64, Vec<u8>)> = Vec::new();
    for stretch in all.chunks(all.len() / (BYTES / SEGMENT) + 1) {
        let score = |segment: &[u8]| -> u64 {
            let windows: HashSet<&[u8]> = segment.windows(WINDOW).collect();
            windows
                .into_iter()
                .map(|w| u64::from(occurs.get(w).copied().unwrap_or(0)))
                .sum()
        };
        let best = stretch
            .windows(SEGMENT)
            .map(|segment| (score(segment), segment))
            .max();
        if let Some((score, segment)) = best {
            picked.push((score, segment.to_vec()));
            segment.windows(WINDOW).for_each(|window| {
                occurs.remove(window);
            });
        }
    }
    // The most useful segment is last, because zstd reaches it by the shortest distance.
    picked.sort();
    picked
        .into_iter()
        .flat_map(|(_, segment)| segment)
        .collect()
}

#[test]
#[ignore = "writes the dictionary anew, which changes the protocol"]
fn rebuild_the_dictionary() {
    let samples: Vec<_> = (0..60).flat_map(messages).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/wire/dictionary.bin");
    std::fs::write(path, train(&samples)).unwrap();
}

#[test]
fn the_dictionary_never_changes() {
    assert_eq!(
        Hash::of(&[DICTIONARY]).to_string(),
        "7ed4cd831c124591ccae0b96086c5c208c14930b7e868e6c6dba7d2dccab7735",
        "frames of other versions could no longer be read"
    );
}

#[test]
fn it_saves_a_fifth_of_small_messages_that_it_has_not_seen() {
    let (mut with, mut without) = (0, 0);
    for message in (1_000..1_010).flat_map(messages) {
        let frame = deflate(&message, Effort::Usual).unwrap();
        assert_eq!(inflate(&frame).unwrap(), message);
        with += frame.len();
        without += zstd::bulk::compress(&message, LEVEL).unwrap().len() + 2;
    }
    assert!(with * 5 < without * 4, "{with} of {without}");
}
