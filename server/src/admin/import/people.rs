//! A list of people for invitations: the external ids of a table, or of its first column without a
//! header.
//!
//! It reads the same files as [`super::members`], so a list may be cut out of the imported table.

use super::members::EXTERNAL_ID;
use super::table::{Cell, rows_of};
use super::{BadRow, Place};
use crate::limits::IMPORT_TITLES_MAX;

/// A person of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Line of the file.
    pub line: u64,
    /// Id that the office uses.
    pub external_id: String,
}

impl Listed {
    /// Refuses the row for this reason.
    #[must_use]
    pub fn refused(&self, file: &str, code: &'static str) -> BadRow {
        let values = vec![("member", self.external_id.clone())];
        BadRow::new(file, Place::Line(self.line), code, &self.external_id).with(values)
    }
}

/// Reads the people of a list. Every bad row is named.
pub fn parse_people(file: &str, bytes: &[u8]) -> Result<Vec<Listed>, Vec<BadRow>> {
    let whole = |code, value: &str| vec![BadRow::new(file, Place::File, code, value)];
    let rows = rows_of(bytes).map_err(|(code, value)| whole(code, &value))?;
    let is_header = |cell: &Cell| cell.as_ref().is_ok_and(|text| EXTERNAL_ID.is_called(text));
    let mut first = rows.iter().take(IMPORT_TITLES_MAX + 1).enumerate();
    let header = first.find_map(|(at, (_, cells))| {
        let column = cells.iter().position(is_header)?;
        Some((at + 1, column))
    });
    let (begin, column) = header.unwrap_or((0, 0));
    let (mut listed, mut bad) = (Vec::new(), Vec::new());
    for (line, cells) in &rows[begin..] {
        let refuse = |code| BadRow::new(file, Place::Line(*line), code, "");
        match cells.get(column) {
            Some(Ok(external_id)) if !external_id.is_empty() => listed.push(Listed {
                line: *line,
                external_id: external_id.clone(),
            }),
            Some(Err(code)) => bad.push(refuse(code)),
            _ => bad.push(refuse("import.no_external_id")),
        }
    }
    if listed.is_empty() && bad.is_empty() {
        let code = if header.is_some() {
            "import.no_rows"
        } else {
            "import.empty_file"
        };
        bad = whole(code, "");
    }
    if bad.is_empty() { Ok(listed) } else { Err(bad) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    fn ids(bytes: &[u8]) -> Vec<(u64, String)> {
        let listed = parse_people("list.csv", bytes).unwrap();
        let pair = |one: Listed| (one.line, one.external_id);
        listed.into_iter().map(pair).collect()
    }

    fn codes(bytes: &[u8]) -> Vec<(Option<u64>, &'static str)> {
        let bad = parse_people("list.csv", bytes).unwrap_err();
        bad.iter().map(|row| (row.line(), row.code)).collect()
    }

    #[test]
    fn list_is_read_like_an_import() {
        let two = [(1, "1001".to_owned()), (2, "1002".to_owned())];
        assert_eq!(ids(b"1001\n1002\n"), two);
        assert_eq!(ids("１００１\n1002\n".as_bytes()), two, "full-width digits");
        assert_eq!(ids("\u{feff}1001;王\r\n1002;李\r\n".as_bytes()), two);
        // “工号,姓名”, “2,王” in GBK, as a spreadsheet writes it.
        let gbk = b"\xb9\xa4\xba\xc5,\xd0\xd5\xc3\xfb\n1001,\xcd\xf5\n";
        assert_eq!(ids(gbk), [(2, "1001".to_owned())]);
        let named = "名单\n姓名,工号\n王,1001\n\n李,1002\n";
        let third = [(3, "1001".to_owned()), (5, "1002".to_owned())];
        assert_eq!(ids(named.as_bytes()), third);
    }

    #[test]
    fn each_bad_row_is_named_with_its_line() {
        let gaps = "工号,姓名\n,王\n1001,李\n,赵\n".as_bytes();
        let code = "import.no_external_id";
        assert_eq!(codes(gaps), [(Some(2), code), (Some(4), code)]);
        assert_eq!(codes(b""), [(None, "import.empty_file")]);
        assert_eq!(codes("工号\n".as_bytes()), [(None, "import.no_rows")]);
    }
}
