#![allow(clippy::unwrap_used, reason = "tests")]

use jpeg_encoder::SamplingFactor;

use super::*;
use crate::media::samples::{PLAIN, Style, behind_start, exif, photo, segment};

fn cleaned(bytes: &[u8]) -> Photo {
    let photo = clean(bytes).unwrap();
    assert_eq!(
        clean(photo.bytes()).as_ref(),
        Ok(&photo),
        "cleaning is idempotent"
    );
    photo
}

/// The markers of a clean photo, those of scans included.
fn markers(bytes: &[u8]) -> Vec<u8> {
    let pairs = bytes.windows(2).filter(|pair| pair[0] == 0xff);
    pairs
        .map(|pair| pair[1])
        .filter(|code| !matches!(code, 0 | 0xff))
        .collect()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The place of the first segment with this marker.
fn place_of(bytes: &[u8], marker: u8) -> usize {
    bytes
        .windows(2)
        .position(|pair| pair == [0xff, marker])
        .unwrap()
}

fn decoded(bytes: &[u8]) -> Vec<u8> {
    jpeg_decoder::Decoder::new(bytes).decode().unwrap()
}

#[test]
fn photo_without_extras_keeps_its_picture() {
    for sampling in [
        SamplingFactor::F_1_1,
        SamplingFactor::F_2_1,
        SamplingFactor::F_2_2,
    ] {
        for is_grey in [false, true] {
            let style = Style {
                sampling,
                is_grey,
                ..PLAIN
            };
            let bytes = photo(style);
            let clean = cleaned(&bytes);
            assert_eq!((clean.width(), clean.height()), (style.width, style.height));
            assert_eq!(decoded(clean.bytes()), decoded(&bytes));
        }
    }
}

#[test]
fn progressive_and_restart_markers_survive() {
    for is_progressive in [false, true] {
        for interval in [Some(1), Some(3), Some(1_000), None] {
            let bytes = photo(Style {
                is_progressive,
                interval,
                ..PLAIN
            });
            let clean = cleaned(&bytes);
            assert_eq!(clean.is_progressive(), is_progressive);
            assert_eq!(decoded(clean.bytes()), decoded(&bytes));
            let restarts = markers(&bytes)
                .iter()
                .filter(|m| (0xd0..=0xd7).contains(*m))
                .count();
            let kept = markers(clean.bytes());
            assert_eq!(
                kept.iter().filter(|m| (0xd0..=0xd7).contains(*m)).count(),
                restarts
            );
            assert_eq!(restarts > 0, matches!(interval, Some(1 | 3)));
        }
    }
}

#[test]
fn camera_facts_leave_and_orientation_stays() {
    for (number, expected) in [(6, Orientation::QuarterRight), (1, Orientation::Upright)] {
        let extras = [
            segment(0xe1, &exif(number)),
            segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x>SecretXmp</x>"),
            segment(0xe2, b"MPF\0SecretSecondPicture"),
            segment(0xed, b"Photoshop 3.0\0SecretIptc"),
            segment(0xfe, b"SecretComment"),
            segment(0xe4, b"SecretVendor"),
        ];
        let clean = cleaned(&behind_start(&photo(PLAIN), &extras.concat()));
        assert_eq!(clean.orientation(), expected);
        assert!(!holds(clean.bytes(), b"Secret") && !holds(clean.bytes(), b"GPS"));
        let has_exif = holds(clean.bytes(), b"Exif\0\0");
        assert_eq!(has_exif, expected != Orientation::Upright);
        let shown = if has_exif { (64, 96) } else { (96, 64) };
        assert_eq!(clean.shown_size(), shown);
    }
}

#[test]
fn bytes_after_the_end_marker_are_cut() {
    let bytes = photo(PLAIN);
    let clean = cleaned(&bytes);
    let film = [&bytes[..], b"\0\0\0\x18ftypmp42", &bytes, b"tail"].concat();
    assert_eq!(cleaned(&film), clean);
}

/// A file that is a photo and an archive, a page or a script at once.
#[test]
fn polyglot_keeps_no_foreign_bytes() {
    let foreign: [&[u8]; 3] = [
        b"PK\x03\x04foreign",
        b"<script>foreign</script>",
        b"%PDF-1.7 foreign",
    ];
    for words in foreign {
        let bytes = photo(PLAIN);
        let places = [
            segment(0xfe, words),
            segment(0xe0, words),
            segment(0xef, words),
        ]
        .concat();
        let bytes = [behind_start(&bytes, &places), words.to_vec()].concat();
        assert!(!holds(cleaned(&bytes).bytes(), b"foreign"));
    }
}

/// 8,000 × 6,000 pixels in the header, and not a byte of them behind it.
#[test]
fn huge_photo_is_refused_by_its_header() {
    let frame = |marker, height: u16, width: u16| {
        let mut data = vec![8];
        data.extend(height.to_be_bytes());
        data.extend(width.to_be_bytes());
        data.extend([1, 1, 0x11, 0]);
        clean(&[&[0xff, 0xd8][..], &segment(marker, &data)].concat())
    };
    assert_eq!(frame(0xc0, 6_000, 8_000), Err(MediaError::TooManyPixels));
    assert_eq!(frame(0xc0, 65_535, 65_535), Err(MediaError::TooManyPixels));
    assert_eq!(frame(0xc2, 3_000, 4_000), Err(MediaError::TooManyPixels));
    assert_eq!(
        frame(0xc0, 3_000, 4_000),
        Err(MediaError::Damaged),
        "its scans are missing"
    );
    assert_eq!(frame(0xc0, 17, 16_385), Err(MediaError::TooManyPixels));
    assert_eq!(frame(0xc0, 65_535, 24), Err(MediaError::TooManyPixels));
    assert_eq!(frame(0xc0, 0, 4_000), Err(MediaError::NeedsJpeg));
    assert_eq!(frame(0xc0, 100, 0), Err(MediaError::Damaged));
}

#[test]
fn rare_forms_are_told_to_convert() {
    for marker in [0xc3, 0xc5, 0xc7, 0xc9, 0xca, 0xcc, 0xcf, 0xf7, 0xde] {
        let bytes = [&[0xff, 0xd8][..], &segment(marker, &[0; 20])].concat();
        assert_eq!(clean(&bytes), Err(MediaError::NeedsJpeg), "{marker:x}");
    }
    let at = place_of(&photo(PLAIN), 0xc0);
    let change = |offset: usize, value: u8| {
        let mut bytes = photo(PLAIN);
        bytes[at + offset] = value;
        clean(&bytes)
    };
    assert_eq!(change(4, 12), Err(MediaError::NeedsJpeg), "12 bits");
    assert_eq!(
        change(9, 4),
        Err(MediaError::Damaged),
        "a component that is not listed"
    );
    assert_eq!(
        change(11, 0x05),
        Err(MediaError::Damaged),
        "no blocks across"
    );
    assert_eq!(
        change(12, 9),
        Err(MediaError::Damaged),
        "a table that does not exist"
    );
}

#[test]
fn hostile_lengths_of_segments_are_refused() {
    let bytes = photo(PLAIN);
    for marker in [0xe0, 0xdb, 0xc0, 0xc4, 0xda] {
        let at = place_of(&bytes, marker) + 2;
        for length in [0_u16, 1, 2, 3, 0x7fff, 0xffff] {
            let mut other = bytes.clone();
            other[at..at + 2].copy_from_slice(&length.to_be_bytes());
            let outcome = clean(&other);
            let is_empty_app = marker == 0xe0 && length == 2;
            assert!(outcome.is_err() || is_empty_app, "{marker:x} {length}");
        }
    }
}

#[test]
fn photo_cut_anywhere_is_refused() {
    let styles = [
        PLAIN,
        Style {
            interval: Some(2),
            ..PLAIN
        },
        Style {
            is_progressive: true,
            ..PLAIN
        },
    ];
    for style in styles {
        let bytes = photo(style);
        for end in 0..bytes.len() {
            assert_eq!(clean(&bytes[..end]), Err(MediaError::Damaged), "{end}");
        }
    }
}

/// A photo whose second half is lost, and whose end marker an app wrote anyway.
#[test]
fn lost_intervals_are_noticed() {
    let bytes = photo(Style {
        interval: Some(2),
        ..PLAIN
    });
    let restarts: Vec<usize> = (0..bytes.len() - 1)
        .filter(|at| bytes[*at] == 0xff && (0xd0..=0xd7).contains(&bytes[at + 1]))
        .collect();
    assert!(restarts.len() > 9);
    let short = [&bytes[..restarts[4]], &[0xff, 0xd9]].concat();
    assert_eq!(clean(&short), Err(MediaError::Damaged));
    let without_one = [&bytes[..restarts[4]], &bytes[restarts[5]..]].concat();
    assert_eq!(clean(&without_one), Err(MediaError::Damaged));
    let mut out_of_order = bytes.clone();
    out_of_order[restarts[2] + 1] ^= 1;
    assert_eq!(clean(&out_of_order), Err(MediaError::Damaged));
    let at = place_of(&bytes, 0xdd);
    let mut no_interval = bytes.clone();
    no_interval[at + 4..at + 6].fill(0);
    assert_eq!(
        clean(&no_interval),
        Err(MediaError::Damaged),
        "restarts without an interval"
    );
}

#[test]
fn scans_without_their_tables_are_refused() {
    let bytes = photo(PLAIN);
    for marker in [0xdb, 0xc4] {
        let mut other = bytes.clone();
        while let Some(at) = other.windows(2).position(|pair| pair == [0xff, marker]) {
            other[at + 1] = 0xfe;
        }
        assert_eq!(clean(&other), Err(MediaError::Damaged), "{marker:x}");
    }
    let scan = place_of(&bytes, 0xda);
    let again = [&bytes[..bytes.len() - 2], &bytes[scan..]].concat();
    assert_eq!(
        clean(&again),
        Err(MediaError::Damaged),
        "every component twice"
    );
}

/// Each scan visits all pixels, so many short ones would cost a decoder hours.
#[test]
fn too_many_scans_are_refused() {
    let bytes = photo(Style {
        is_progressive: true,
        is_grey: true,
        ..PLAIN
    });
    // A refinement of the first coefficients may repeat.
    let component = bytes[place_of(&bytes, 0xc2) + 10];
    let refine = segment(0xda, &[1, component, 0, 0, 0, 0x10]);
    let many = |count: usize| {
        let scans = [refine.clone(), vec![0x55; 4]].concat().repeat(count);
        clean(&[&bytes[..bytes.len() - 2], &scans, &[0xff, 0xd9]].concat())
    };
    assert!(many(1).is_ok());
    assert_eq!(many(PHOTO_SCANS_MAX), Err(MediaError::NeedsJpeg));
}

/// A profile with the colours of Display P3 and a name, a serial number and a maker of its own.
fn talkative_profile() -> Vec<u8> {
    let mut data = profile::display_p3();
    let name = data
        .windows(8)
        .position(|part| part == b"\0D\0i\0s\0p")
        .unwrap();
    data[name..name + 20].copy_from_slice(b"Secret 30.274,120.15");
    let header = b"ICC_PROFILE\0\x01\x01".len();
    data[header + 48..header + 56].copy_from_slice(b"SecretNo");
    data.extend(b"Secret tail");
    let size = u32::try_from(data.len() - header).unwrap();
    data[header..header + 4].copy_from_slice(&size.to_be_bytes());
    data
}

#[test]
fn display_p3_is_written_anew_without_its_texts() {
    let talkative = talkative_profile();
    let clean = cleaned(&behind_start(&photo(PLAIN), &segment(0xe2, &talkative)));
    assert!(!holds(clean.bytes(), b"Secret"));
    assert!(holds(clean.bytes(), &profile::display_p3()));
    // Another software rounds the numbers in another way.
    let mut rounded = talkative;
    let red = rounded.windows(8).position(|part| part == b"XYZ \0\0\0\0");
    // The first one is white; red, green and blue follow.
    rounded[red.unwrap() + 8 + 20 + 44 + 3] ^= 0x1f;
    let other = cleaned(&behind_start(&photo(PLAIN), &segment(0xe2, &rounded)));
    assert_eq!(other, clean);
}

#[test]
fn other_colour_profiles_leave() {
    let p3 = profile::display_p3();
    let change = |at: usize, value: u8| {
        let mut data = p3.clone();
        data[at] = value;
        cleaned(&behind_start(&photo(PLAIN), &segment(0xe2, &data)))
    };
    let header = b"ICC_PROFILE\0\x01\x01".len();
    let red = p3
        .windows(4)
        .rposition(|part| part == [0, 0, 0x83, 0xdf])
        .unwrap();
    let changes = [
        ("in two pieces", header - 1, 2),
        ("the second piece", header - 2, 2),
        ("another length", header + 3, 0),
        ("no profile", header + 36, b'x'),
        ("other colours", red + 2, 0x70),
    ];
    for (name, at, value) in changes {
        assert!(!holds(change(at, value).bytes(), b"ICC_PROFILE"), "{name}");
    }
    assert!(holds(change(0, b'I').bytes(), b"ICC_PROFILE"));
}

/// RGB without a transform is marked by Adobe's segment alone.
#[test]
fn transform_of_colours_stays() {
    let mut bytes = photo(PLAIN);
    let jfif = place_of(&bytes, 0xe0);
    bytes.drain(jfif..jfif + 18);
    let adobe = |transform| {
        segment(
            0xee,
            &[b"Adobe\0\x64secr".as_slice(), &[transform]].concat(),
        )
    };
    let rgb = behind_start(&bytes, &adobe(0));
    let clean = cleaned(&rgb);
    assert_eq!(decoded(clean.bytes()), decoded(&rgb));
    assert_ne!(decoded(clean.bytes()), decoded(&bytes));
    assert!(!holds(clean.bytes(), b"secr"));
}

#[test]
fn fill_bytes_leave() {
    let bytes = photo(PLAIN);
    let at = place_of(&bytes, 0xdb);
    let filled = [&bytes[..at], &[0xff; 5], &bytes[at..]].concat();
    let end = filled.len() - 2;
    let filled = [&filled[..end], &[0xff; 3], &filled[end..]].concat();
    assert_eq!(cleaned(&filled), cleaned(&bytes));
}

#[test]
fn damaged_exif_costs_the_orientation_alone() {
    let whole = exif(6);
    for end in 0..whole.len() {
        let clean = cleaned(&behind_start(&photo(PLAIN), &segment(0xe1, &whole[..end])));
        assert_eq!(clean.width(), 96);
    }
    for (at, value) in [(10, 0xff), (13, 0xff), (14, 0xff), (15, 0xff), (6, b'X')] {
        let mut other = whole.clone();
        other[at] = value;
        drop(cleaned(&behind_start(
            &photo(PLAIN),
            &segment(0xe1, &other),
        )));
    }
    let none = cleaned(&behind_start(&photo(PLAIN), &segment(0xe1, &exif(9))));
    assert_eq!(none.orientation(), Orientation::Upright);
}

/// Codes of one bit are two at most; a decoder that believes in three reads outside of its table.
#[test]
fn overfull_table_of_codes_is_refused() {
    let with = |codes: u8| {
        let mut table = vec![0x03, codes];
        table.resize(17, 0);
        table.extend(vec![1; usize::from(codes)]);
        clean(&behind_start(&photo(PLAIN), &segment(0xc4, &table)))
    };
    assert!(with(2).is_ok());
    assert_eq!(with(3), Err(MediaError::Damaged));
}

#[test]
fn extras_between_scans_leave() {
    let bytes = photo(Style {
        is_progressive: true,
        ..PLAIN
    });
    let last = bytes
        .windows(2)
        .rposition(|pair| pair == [0xff, 0xda])
        .unwrap();
    let extra = segment(0xe1, &exif(6));
    let filled = [&bytes[..last], &extra, &bytes[last..]].concat();
    assert_eq!(cleaned(&filled), cleaned(&bytes));
}
