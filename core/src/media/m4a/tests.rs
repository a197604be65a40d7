#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::media::samples::{Voice, boxed};

fn cleaned(bytes: &[u8]) -> Recording {
    let recording = clean(bytes).unwrap();
    assert_eq!(
        clean(recording.bytes()).as_ref(),
        Ok(&recording),
        "cleaning is idempotent"
    );
    recording
}

fn place_of(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[test]
fn samples_stay_where_they_are() {
    for movie_first in [false, true] {
        let voice = Voice {
            movie_first,
            ..Voice::default()
        };
        let bytes = voice.bytes();
        let clean = cleaned(&bytes);
        assert_eq!(clean.bytes().len(), bytes.len());
        let samples = voice.samples.concat();
        assert_eq!(
            place_of(clean.bytes(), &samples),
            place_of(&bytes, &samples)
        );
        assert_eq!(clean.duration_ms(), 100 * 1_024 * 1_000 / 44_100);
    }
}

/// Phones write the place into `udta`, and times and names elsewhere.
#[test]
fn location_of_a_recording_is_blanked() {
    let place = boxed(
        b"udta",
        &boxed(b"\xa9xyz", b"\0\x12\x15\xc7+30.2741+120.1551/"),
    );
    let voice = Voice {
        movie_extra: place.clone(),
        top_extra: boxed(b"uuid", b"0123456789abcdef+30.2741 somewhere"),
        ..Voice::default()
    };
    let bytes = voice.bytes();
    let clean = cleaned(&bytes);
    assert_eq!(clean.bytes().len(), bytes.len());
    for secret in [
        &b"30.2741"[..],
        b"xyz",
        b"Zhang",
        b"private",
        b"Vend",
        b"\xde\xad\xbe\xef",
    ] {
        assert!(place_of(&bytes, secret).is_some() && place_of(clean.bytes(), secret).is_none());
    }
    assert!(place_of(clean.bytes(), &voice.samples.concat()).is_some());
}

/// Headers have a language, and bytes that players pass over.
#[test]
fn headers_carry_no_words() {
    let plain = Voice::default().bytes();
    // Behind kind, version and flags: times, number of the track, and everything behind the length.
    let words = [
        (b"mvhd", 24..104),
        (b"tkhd", 16..24),
        (b"tkhd", 28..88),
        (b"mdhd", 24..28),
        (b"smhd", 4..12),
    ];
    for (kind, places) in words {
        let mut talkative = plain.clone();
        let at = place_of(&plain, kind).unwrap();
        for place in places {
            talkative[at + place] = b'x';
        }
        assert_eq!(cleaned(&talkative), cleaned(&plain), "{kind:?}");
    }
    let clean = cleaned(&plain);
    let at = place_of(clean.bytes(), b"mdhd").unwrap();
    assert_eq!(clean.bytes()[at + 24..at + 26], [0x55, 0xc4], "no language");
}

#[test]
fn bytes_between_samples_are_zeroed() {
    let voice = Voice {
        before_samples: b"hidden words".repeat(100),
        ..Voice::default()
    };
    let clean = cleaned(&voice.bytes());
    assert_eq!(place_of(clean.bytes(), b"hidden"), None);
    assert!(place_of(clean.bytes(), &voice.samples.concat()).is_some());
}

#[test]
fn boxes_behind_the_end_are_cut() {
    let plain = Voice::default();
    let trailer = [
        boxed(b"free", b"hidden"),
        boxed(b"zip ", b"PK\x03\x04hidden"),
    ]
    .concat();
    let voice = Voice {
        trailer,
        ..Voice::default()
    };
    assert_eq!(cleaned(&voice.bytes()), cleaned(&plain.bytes()));
    let voice = Voice {
        trailer: b"PK\x03\x04 hidden".to_vec(),
        ..Voice::default()
    };
    assert_eq!(clean(&voice.bytes()), Err(MediaError::Damaged));
}

#[test]
fn other_contents_are_told_to_record_again() {
    let others = [
        Voice {
            handler: *b"vide",
            ..Voice::default()
        },
        Voice {
            codec: 0x6b,
            ..Voice::default()
        },
        Voice {
            second_track: true,
            ..Voice::default()
        },
        Voice {
            movie_extra: boxed(b"mvex", &[]),
            ..Voice::default()
        },
        Voice {
            top_extra: boxed(b"moof", &[]),
            ..Voice::default()
        },
    ];
    for (at, voice) in others.iter().enumerate() {
        assert_eq!(clean(&voice.bytes()), Err(MediaError::NeedsM4a), "{at}");
    }
    let mut elsewhere = Voice::default().bytes();
    let at = place_of(&elsewhere, b"url \0\0\0\x01").unwrap();
    elsewhere[at + 7] = 0;
    assert_eq!(
        clean(&elsewhere),
        Err(MediaError::NeedsM4a),
        "samples in another file"
    );
}

#[test]
fn recording_cut_anywhere_is_refused() {
    let bytes = Voice::default().bytes();
    for end in 0..bytes.len() {
        assert!(clean(&bytes[..end]).is_err(), "{end}");
    }
}

/// Every number of four bytes in the description, set to what a hostile writer would try.
#[test]
fn hostile_lengths_of_boxes_are_refused() {
    for movie_first in [false, true] {
        let bytes = Voice {
            movie_first,
            ..Voice::default()
        }
        .bytes();
        let movie = place_of(&bytes, b"moov").unwrap() - 4;
        let end = if movie_first {
            place_of(&bytes, b"mdat").unwrap() - 4
        } else {
            bytes.len()
        };
        for at in movie..end - 4 {
            for value in [0, 1, 7, 8, 9, 0x7fff_ffff, u32::MAX] {
                let mut other = bytes.clone();
                other[at..at + 4].copy_from_slice(&value.to_be_bytes());
                if let Ok(recording) = clean(&other) {
                    assert_eq!(clean(recording.bytes()).as_ref(), Ok(&recording));
                }
            }
        }
    }
}

#[test]
fn samples_outside_the_data_are_refused() {
    let bytes = Voice::default().bytes();
    let at = place_of(&bytes, b"stco").unwrap() + 12;
    for value in [0_u32, 1, 40, 4_000_000_000] {
        let mut other = bytes.clone();
        other[at..at + 4].copy_from_slice(&value.to_be_bytes());
        assert_eq!(clean(&other), Err(MediaError::Damaged), "{value}");
    }
    let at = place_of(&bytes, b"stsz").unwrap() + 12;
    let mut other = bytes.clone();
    other[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(clean(&other), Err(MediaError::TooLarge));
}

#[test]
fn open_end_of_the_last_box_is_closed() {
    let bytes = Voice {
        movie_first: true,
        ..Voice::default()
    }
    .bytes();
    let mut open = bytes.clone();
    let at = place_of(&bytes, b"mdat").unwrap() - 4;
    open[at..at + 4].fill(0);
    assert_eq!(cleaned(&open), cleaned(&bytes));
}

#[test]
fn hour_long_recording_is_refused() {
    let mut bytes = Voice::default().bytes();
    let at = place_of(&bytes, b"stts").unwrap() + 16;
    bytes[at..at + 4].copy_from_slice(&(44_100 * 36_u32).to_be_bytes());
    assert_eq!(clean(&bytes), Err(MediaError::TooLarge));
}
