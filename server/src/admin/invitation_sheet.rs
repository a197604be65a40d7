//! Invitations on paper: a page of HTML for printing, with one slip for each person.
//!
//! The page is on the disk before its invitations count, beside its path (`.part`), and gets its
//! name afterwards. So no code is lost when the disk is full or the machine stops.
//!
//! The page is one file, without network. It holds secrets until the invitations end, so its owner
//! alone can read it.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use onegrid_core::texts::{Lang, say};
use qrcode::{Color, QrCode};

use super::new_file::NewFile;
use crate::error::{Problem, Result};

/// An invitation of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slip {
    /// Name that colleagues see.
    pub name: String,
    /// Id that the office uses.
    pub external_id: String,
    /// Area in the order of [`Lang::ALL`].
    pub area: [String; 2],
    /// Short code.
    pub code: String,
    /// Text of the QR code.
    pub qr: String,
    /// End of the invitation, local time.
    pub until: String,
}

/// A page that is written and has not got its name yet. Without [`Self::keep`] it is removed again: its codes
/// open nothing.
#[derive(Debug)]
pub struct Sheet {
    path: PathBuf,
    file: NewFile,
}

impl Sheet {
    /// Writes a new page beside its path. A file that exists stays as it is.
    pub fn write(path: &Path, slips: &[Slip]) -> Result<Self> {
        refuse_existing(path)?;
        let page = page(slips)?;
        let written = || {
            let mut file = NewFile::create(path)?;
            file.write_all(page.as_bytes())?;
            file.sync()?;
            Ok(file)
        };
        Ok(Self {
            path: path.to_owned(),
            file: written().map_err(|error| failed(path, &error))?,
        })
    }

    /// Gives the page its name.
    pub fn keep(mut self) -> Result<()> {
        self.file
            .finish()
            .map_err(|error| failed(&self.path, &error))
    }
}

/// Refuses a path where a page is, or the page of a command that was cut off: its codes may be open.
pub fn refuse_existing(path: &Path) -> Result<()> {
    let is_there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
    if is_there(path) {
        return Err(Problem::new("invite.sheet_exists").with("path", path.display()));
    }
    let part = NewFile::part_of(path);
    if is_there(&part) {
        return Err(Problem::new("invite.sheet_cut_off").with("path", part.display()));
    }
    Ok(())
}

fn failed(path: &Path, error: &std::io::Error) -> Problem {
    let code = match error.kind() {
        ErrorKind::AlreadyExists => "invite.sheet_exists",
        _ => "invite.sheet_unwritable",
    };
    Problem::new(code)
        .with("path", path.display())
        .because(error)
}

const STYLE: &str = "\
@page{size:A4;margin:12mm}\
*{box-sizing:border-box}\
body{margin:0;font:11pt/1.45 'Noto Sans CJK SC','Source Han Sans SC','Microsoft YaHei',sans-serif}\
main{display:grid;grid-template-columns:1fr 1fr;gap:6mm}\
article{border:.3mm dashed #888;border-radius:2mm;padding:5mm;break-inside:avoid}\
h2{margin:0;font-size:15pt}\
p{margin:1mm 0}\
svg{display:block;width:52mm;height:52mm;margin:2mm auto}\
code{font:600 12pt/1.4 ui-monospace,monospace;letter-spacing:.06em;overflow-wrap:anywhere}\
small{color:#444}\
@media screen{body{padding:6mm;max-width:210mm;margin:auto}}";

/// The whole page. Chinese comes first on each slip, English below it.
fn page(slips: &[Slip]) -> Result<String> {
    let title = say("sheet.title", Lang::Zh, &[]);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"zh-CN\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    for slip in slips {
        // Writing into a String cannot fail.
        let _ = writeln!(
            page,
            "<article>\n<h2>{}</h2>\n<p>{}</p>\n{}\n<p><code>{}</code></p>",
            escaped(&slip.name),
            escaped(&slip.external_id),
            picture(&slip.qr)?,
            escaped(&slip.code),
        );
        for (lang, area) in Lang::ALL.into_iter().zip(&slip.area) {
            let values = [("area", area.as_str()), ("until", slip.until.as_str())];
            let said = escaped(&say("sheet.how", lang, &values));
            let tag = match lang {
                Lang::Zh => "zh-CN",
                Lang::En => "en",
            };
            let _ = writeln!(page, "<p lang=\"{tag}\"><small>{said}</small></p>");
        }
        page.push_str("</article>\n");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(page)
}

/// A QR code as a vector image: one path of its dark modules, with the white border that scanners need.
fn picture(text: &str) -> Result<String> {
    const BORDER: usize = 4;
    let code =
        QrCode::new(text).map_err(|error| Problem::new("server.internal").because(&error))?;
    let width = code.width();
    let mut path = String::new();
    for (index, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (index % width + BORDER, index / width + BORDER);
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    let size = width + 2 * BORDER;
    Ok(format!(
        "<svg viewBox=\"0 0 {size} {size}\" role=\"img\" shape-rendering=\"crispEdges\">\
         <rect width=\"{size}\" height=\"{size}\" fill=\"#fff\"/><path d=\"{path}\"/></svg>"
    ))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    fn slip(name: &str) -> Slip {
        Slip {
            name: name.to_owned(),
            external_id: "W-1".to_owned(),
            area: ["中北社区 330105013003".to_owned(), "Zhongbei".to_owned()],
            code: "ABCD-EFGH".to_owned(),
            qr: "ONEGRID1:TEXT".to_owned(),
            until: "2026-11-22 09:02".to_owned(),
        }
    }

    #[test]
    fn sheet_has_one_slip_for_each_person_in_both_languages() {
        let page = page(&[slip("王阿姨"), slip("李四")]).unwrap();
        assert_eq!(page.matches("<article>").count(), 2);
        assert_eq!(page.matches("<svg").count(), 2);
        for part in [
            "王阿姨",
            "李四",
            "W-1",
            "ABCD-EFGH",
            "中北社区 330105013003",
            "Zhongbei",
            "2026-11-22 09:02",
            "break-inside:avoid",
            "lang=\"en\"",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("http"), "it works without network");
        assert!(!page.contains('{') || !page.contains("{area}"));
    }

    #[test]
    fn name_is_text_and_never_markup() {
        let page = page(&[slip("<script>\"'&")]).unwrap();
        assert!(page.contains("<h2>&lt;script&gt;&quot;&#39;&amp;</h2>"));
        assert!(!page.contains("<script"));
    }

    /// The picture has the dark modules of the code.
    #[test]
    fn picture_shows_the_code() {
        let code = QrCode::new("ONEGRID1:TEXT").unwrap();
        let dark = code.to_colors().into_iter();
        let dark = dark.filter(|color| *color == Color::Dark).count();
        let picture = picture("ONEGRID1:TEXT").unwrap();
        assert_eq!(picture.matches("h1v1h-1z").count(), dark);
        // The corner of the finder pattern, inside the border.
        assert!(picture.contains("\"M4 4h1"));
    }

    #[test]
    fn sheet_is_new_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.html");
        let sheet = Sheet::write(&path, &[slip("王阿姨")]).unwrap();
        assert!(!path.exists(), "it has its name when its invitations count");
        let second = Sheet::write(&path, &[]).unwrap_err();
        assert_eq!(second.code(), "invite.sheet_cut_off");
        sheet.keep().unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let again = Sheet::write(&path, &[]).unwrap_err();
        assert_eq!(again.code(), "invite.sheet_exists");
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept.contains("王阿姨"));
        let other = folder.path().join("other.html");
        drop(Sheet::write(&other, &[slip("李四")]).unwrap());
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "a page without invitations is removed");
    }
}
