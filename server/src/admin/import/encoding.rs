//! Decoding of a table: UTF-8 with or without a byte order mark, UTF-16 with one, otherwise
//! GB18030, which Excel writes in China.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, UTF_8};

use crate::limits::IMPORT_FILE_BYTES_MAX;

/// Decodes a file, or returns the code for refusing it.
pub(super) fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    if bytes.len() > IMPORT_FILE_BYTES_MAX {
        return Err("import.file_too_large");
    }
    let text = if let Some((marked, mark_bytes)) = Encoding::for_bom(bytes) {
        marked.decode_without_bom_handling_and_without_replacement(&bytes[mark_bytes..])
    } else {
        let utf8 = UTF_8.decode_without_bom_handling_and_without_replacement(bytes);
        utf8.or_else(|| GB18030.decode_without_bom_handling_and_without_replacement(bytes))
    };
    let text = text.ok_or("import.unreadable_encoding")?;
    // Spreadsheets and archives can decode as text, but they always contain control characters.
    let binary = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(|c| binary(c) || c == '\u{fffd}') {
        return Err("import.not_text");
    }
    if text.trim().is_empty() {
        return Err("import.empty_file");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_same_table_reads_the_same_from_every_encoding() {
        let table = "编号,姓名\n1,志愿者甲\n";
        let utf16 = |to: fn(u16) -> [u8; 2], mark: [u8; 2]| {
            let units = table.encode_utf16().flat_map(to);
            mark.into_iter().chain(units).collect::<Vec<u8>>()
        };
        let marked = [b"\xef\xbb\xbf", table.as_bytes()].concat();
        let (gb18030, _, lossy) = GB18030.encode(table);
        assert!(!lossy);
        let files = [
            table.as_bytes().to_vec(),
            marked,
            gb18030.into_owned(),
            utf16(u16::to_le_bytes, [0xff, 0xfe]),
            utf16(u16::to_be_bytes, [0xfe, 0xff]),
        ];
        for file in files {
            assert_eq!(text_of(&file).unwrap(), table);
        }
    }

    #[test]
    fn what_is_no_text_is_refused_by_name() {
        assert_eq!(text_of(b""), Err("import.empty_file"));
        assert_eq!(text_of(b"\xef\xbb\xbf \n"), Err("import.empty_file"));
        assert_eq!(
            text_of(b"PK\x03\x04\x14\x00\x06\x00"),
            Err("import.not_text")
        );
        assert_eq!(
            text_of(b"name,\xff\xff\n"),
            Err("import.unreadable_encoding")
        );
        assert_eq!(
            text_of(b"\xef\xbb\xbfname\xc3\x28"),
            Err("import.unreadable_encoding")
        );
        assert_eq!(
            text_of(b"\xff\xfea\x00b"),
            Err("import.unreadable_encoding"),
            "half a unit"
        );
        let large = vec![b'a'; IMPORT_FILE_BYTES_MAX + 1];
        assert_eq!(text_of(&large), Err("import.file_too_large"));
    }
}
