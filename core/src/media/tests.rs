#![allow(clippy::unwrap_used, reason = "tests")]

use super::samples::{PLAIN, Voice, photo};
use super::*;

#[test]
fn heic_png_webp_are_told_to_convert() {
    let pictures: [&[u8]; 8] = [
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"RIFF\x24\0\0\0WEBPVP8 ",
        b"GIF89a\x01\0\x01\0",
        b"II*\0\x08\0\0\0",
        b"BM\x46\0\0\0",
        b"\0\0\0\x0cJXL \r\n\x87\n",
    ];
    for bytes in pictures {
        assert_eq!(clean(bytes), Err(MediaError::NeedsJpeg), "{bytes:?}");
    }
    let sounds: [&[u8]; 8] = [
        b"OggS\0\x02OpusHead",
        b"#!AMR\n\x3c",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"ID3\x04\0\0",
        b"\xff\xf1\x50\x80",
        b"caff\0\x01\0\0",
        b"\x1a\x45\xdf\xa3\x9f",
        b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
    ];
    for bytes in sounds {
        assert_eq!(clean(bytes), Err(MediaError::NeedsM4a), "{bytes:?}");
    }
    for bytes in [
        &b""[..],
        b"\xff",
        b"\xff\xd8",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"<html>",
        b"MZ",
    ] {
        assert_eq!(clean(bytes), Err(MediaError::Unknown), "{bytes:?}");
    }
}

#[test]
fn check_takes_clean_bytes_of_their_type_alone() {
    let clean_photo = clean(&photo(PLAIN)).unwrap().bytes().to_vec();
    let clean_voice = clean(&Voice::default().bytes()).unwrap().bytes().to_vec();
    assert!(check(MediaType::Jpeg, &clean_photo).is_ok());
    assert!(check(MediaType::M4a, &clean_voice).is_ok());
    assert_eq!(
        check(MediaType::M4a, &clean_photo),
        Err(MediaError::Damaged)
    );
    assert_eq!(
        check(MediaType::Jpeg, &clean_voice),
        Err(MediaError::Damaged)
    );
    let behind = [clean_photo, b"x".to_vec()].concat();
    assert_eq!(check(MediaType::Jpeg, &behind), Err(MediaError::Damaged));
    let unclean = Voice::default().bytes();
    assert_eq!(check(MediaType::M4a, &unclean), Err(MediaError::Damaged));
}

#[test]
fn too_many_bytes_are_refused() {
    let mut bytes = photo(PLAIN);
    bytes.resize(MEDIA_INPUT_BYTES_MAX, 0);
    assert!(clean(&bytes).is_ok(), "everything behind the end is cut");
    bytes.push(0);
    assert_eq!(clean(&bytes), Err(MediaError::TooLarge));
    bytes.truncate(ATTACHMENT_BYTES_MAX + 1);
    assert_eq!(check(MediaType::Jpeg, &bytes), Err(MediaError::TooLarge));
}

/// Equal photos in two records must not be linkable, and one photo has one id however it was read.
#[test]
fn salt_and_content_make_the_id() {
    let bytes = photo(PLAIN);
    let id = attachment_id(&[1; 16], &bytes);
    assert_ne!(id, attachment_id(&[2; 16], &bytes));
    assert_ne!(id, attachment_id(&[1; 16], &bytes[1..]));
    let mut hasher = IdHasher::new(&[1; 16]);
    bytes.chunks(7).for_each(|part| hasher.update(part));
    assert_eq!(hasher.finish(), id);
    let golden = attachment_id(&[0; 16], b"abc").to_string();
    assert_eq!(
        golden,
        "4a082ac7db259f970ef45214b9cb40cbb55580c53bc92a9ec2c82a723ffdb502"
    );
}

/// Bytes that differ from a good file in a few places: flipped, cut out, doubled, or with a number that lies.
#[test]
fn mutants_never_panic_and_cleaning_is_idempotent() {
    let mut mutants = super::samples::Mutants::new(1);
    let mut taken = 0;
    for _ in 0..20_000 {
        taken += u32::from(super::samples::try_mutant(&mutants.next_one()));
    }
    assert!(
        taken > 1_000,
        "mutants that stay sound are tried, too: {taken}"
    );
}
