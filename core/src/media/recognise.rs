//! The format of bytes by their first ones. Names and declared types are never asked.

/// A format, as far as the treatment of the bytes depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognised {
    /// JPEG.
    Jpeg,
    /// The family of MP4 that can hold a recording.
    Mp4,
    /// HEIC, AVIF, PNG, WebP, GIF, TIFF with raw formats, BMP, JPEG XL, JPEG 2000.
    OtherPicture,
    /// Ogg, AMR, WAV, MP3, AAC without MP4, CAF, `FLAC`, Matroska with `WebM`, `QuickTime`.
    OtherSound,
    /// None of these.
    Unknown,
}

/// Beginnings of pictures in other formats.
const PICTURES: [&[u8]; 9] = [
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"BM",
    b"\xff\x0a",
    b"\0\0\0\x0cJXL ",
    b"\0\0\0\x0cjP  ",
    b"\xff\x4f\xff\x51",
];

/// Beginnings of sound and film in other formats.
const SOUNDS: [&[u8]; 6] = [
    b"OggS",
    b"#!AMR",
    b"ID3",
    b"caff",
    b"fLaC",
    b"\x1a\x45\xdf\xa3",
];

/// Brands of pictures in the boxes of MP4.
const PICTURE_BRANDS: [&[u8]; 10] = [
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis",
];

/// Recognises the format of bytes.
#[must_use]
pub fn recognise(bytes: &[u8]) -> Recognised {
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Recognised::Jpeg;
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return match bytes.get(8..12) {
            Some(brand) if PICTURE_BRANDS.contains(&brand) => Recognised::OtherPicture,
            Some(b"qt  ") => Recognised::OtherSound,
            Some(_) => Recognised::Mp4,
            None => Recognised::Unknown,
        };
    }
    if bytes.starts_with(b"RIFF") {
        return match bytes.get(8..12) {
            Some(b"WEBP") => Recognised::OtherPicture,
            Some(b"WAVE" | b"AVI ") => Recognised::OtherSound,
            _ => Recognised::Unknown,
        };
    }
    if PICTURES.iter().any(|start| bytes.starts_with(start)) {
        return Recognised::OtherPicture;
    }
    // The frames of MP3 and of AAC without MP4 begin with eleven bits that are set.
    let is_frame = matches!(bytes, [0xff, second, ..] if second & 0xe0 == 0xe0);
    if is_frame || SOUNDS.iter().any(|start| bytes.starts_with(start)) {
        return Recognised::OtherSound;
    }
    Recognised::Unknown
}
