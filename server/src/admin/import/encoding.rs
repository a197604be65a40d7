//! Decoding of a table: UTF-8 with or without a byte order mark, UTF-16 with one, otherwise
//! GB18030, which Excel writes in China.
//!
//! **Invariant.** UTF-8 with a damaged character is refused. As GB18030, its names would be other names.

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
        let gb18030 = || GB18030.decode_without_bom_handling_and_without_replacement(bytes);
        utf8.or_else(|| gb18030().filter(|_| !is_damaged_utf8(bytes)))
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

/// Returns the line of the first character that is damaged in a text of UTF-8, from 1.
pub(super) fn damaged_line(bytes: &[u8]) -> Option<u64> {
    let (marked, mark_bytes) = Encoding::for_bom(bytes).unwrap_or((UTF_8, 0));
    let text = &bytes[mark_bytes..];
    if marked != UTF_8 || (mark_bytes == 0 && !is_damaged_utf8(text)) {
        return None;
    }
    let damaged = std::str::from_utf8(text).err()?;
    let before = &text[..damaged.valid_up_to()];
    let ends = (0..before.len()).filter(|at| match before[*at] {
        b'\n' => true,
        b'\r' => before.get(*at + 1) != Some(&b'\n'),
        _ => false,
    });
    Some(1 + ends.count() as u64)
}

/// Whether bytes that are no UTF-8 were UTF-8 once: they have no fewer whole Chinese characters of UTF-8 than
/// damaged places. In GB18030 hardly any bytes look like such a character.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut whole, mut damaged) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| c.len_utf8() > 2).count();
        damaged += usize::from(!chunk.invalid().is_empty());
    }
    damaged > 0 && whole >= damaged
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

    /// Read as GB18030, such a file renames everybody.
    #[test]
    fn utf8_with_a_damaged_byte_is_no_gb18030() {
        let table = "external_id,public_name\n2006,东二人员6\n2008,东二人员\n";
        let refused = Err("import.unreadable_encoding");
        let cut = &table.as_bytes()[..table.len() - 2];
        assert_eq!(text_of(cut), refused);
        for at in (0..table.len()).filter(|at| table.as_bytes()[*at] >= 0x80) {
            for other in [0x80, 0xb0, 0xff, b'?'] {
                let mut damaged = table.as_bytes().to_vec();
                damaged[at] = other;
                // Some bytes make another character.
                if std::str::from_utf8(&damaged).is_err() {
                    assert_eq!(text_of(&damaged), refused, "{at} {other}");
                }
            }
        }
        let names = "志愿者甲,网格员,拱墅区,武林街道,张三,李四,王五,赵六,联通\n";
        for name in names.trim().split(',') {
            let (gb18030, ..) = GB18030.encode(name);
            assert_eq!(text_of(&gb18030).as_deref(), Ok(name));
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
