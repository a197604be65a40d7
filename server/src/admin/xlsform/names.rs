//! The sheets and columns of a workbook.
//!
//! Columns that `XLSForm` does not have (`min`, `max`, `decimals`, `unit`, and most settings) have names that
//! other readers of `XLSForm` pass over.

use onegrid_core::texts::Lang;

/// A column.
pub(super) struct Column {
    /// Its name in the code; unique in its sheet.
    pub(super) key: &'static str,
    /// Its heading in a workbook that OneGrid writes.
    pub(super) heading: &'static str,
    /// Its heading without the language.
    base: &'static str,
    /// The language, for words.
    lang: Option<Lang>,
    /// Whether a sheet without it is unreadable.
    pub(super) required: bool,
}

/// A sheet with its columns, in the order of writing.
pub(super) struct SheetNames {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
}

const fn plain(name: &'static str) -> Column {
    Column {
        key: name,
        heading: name,
        base: name,
        lang: None,
        required: false,
    }
}

const fn needed(name: &'static str) -> Column {
    Column {
        required: true,
        ..plain(name)
    }
}

macro_rules! words {
    ($base:literal, zh) => {
        Column {
            key: concat!($base, "_zh"),
            heading: concat!($base, "::中文 (zh)"),
            base: $base,
            lang: Some(Lang::Zh),
            required: false,
        }
    };
    ($base:literal, en) => {
        Column {
            key: concat!($base, "_en"),
            heading: concat!($base, "::English (en)"),
            base: $base,
            lang: Some(Lang::En),
            required: false,
        }
    };
}

const LABEL_ZH: Column = Column {
    required: true,
    ..words!("label", zh)
};

/// The heading of the version in `settings`.
pub(super) const VERSION: &str = "version";

/// The questions.
pub(super) static SURVEY: SheetNames = SheetNames {
    name: "survey",
    columns: &[
        needed("type"),
        needed("name"),
        LABEL_ZH,
        words!("label", en),
        words!("hint", zh),
        words!("hint", en),
        plain("relevant"),
        plain("required"),
        plain("constraint"),
        words!("constraint_message", zh),
        words!("constraint_message", en),
        plain("default"),
        plain("min"),
        plain("max"),
        plain("decimals"),
        words!("unit", zh),
        words!("unit", en),
    ],
};

/// The lists of choices.
pub(super) static CHOICES: SheetNames = SheetNames {
    name: "choices",
    columns: &[
        needed("list_name"),
        needed("name"),
        LABEL_ZH,
        words!("label", en),
    ],
};

/// The facts about the whole template, in one row.
pub(super) static SETTINGS: SheetNames = SheetNames {
    name: "settings",
    columns: &[
        needed("form_title"),
        plain("form_title_en"),
        needed("form_id"),
        needed(VERSION),
        // XLSForm calls the root of the answers `data` without it, and no question may have that name then.
        plain("name"),
        plain("default_language"),
        plain("about"),
        plain("about_en"),
        plain("volunteers"),
        plain("restricted_place"),
        plain("next_visit_days"),
        plain("next_visit_workdays"),
    ],
};

/// Sheets that `XLSForm` gives a meaning which templates do not have. Other sheets are notes of their authors.
pub(super) const UNSUPPORTED_SHEETS: [&str; 3] = ["entities", "external_choices", "osm"];

/// The list of the type `yes_no`. No list of a template has capitals, so it never has this name.
pub(super) const YES_NO_LIST: &str = "Yes_No";

/// The name of the root of the answers for other readers. No question has capitals, so none has this name.
pub(super) const ROOT_NAME: &str = "Form";

/// A name that `XLSForm` keeps for facts about the filled-in form.
pub(super) const RESERVED_NAME: &str = "meta";

/// The language of a workbook that OneGrid writes.
pub(super) const DEFAULT_LANGUAGE: &str = "中文 (zh)";

impl SheetNames {
    /// The column of a heading. A heading of words without a language means Chinese.
    pub(super) fn find(&self, heading: &str) -> Option<&'static Column> {
        let heading = heading.trim().to_lowercase();
        let (base, lang) = match heading.split_once("::") {
            Some((base, lang)) => (base, Some(lang_of(lang.trim())?)),
            None => (heading.as_str(), None),
        };
        let base = base.trim().replace(' ', "_");
        let base = match base.as_str() {
            "relevance" => "relevant",
            "value" if self.name == CHOICES.name => "name",
            base => base,
        };
        let found = self.columns.iter().find(|column| {
            let spoken = lang.or(column.lang.is_some().then_some(Lang::Zh));
            column.base == base && column.lang == spoken
        });
        found.filter(|column| column.lang.is_some() || lang.is_none())
    }

    /// The heading that OneGrid writes for a column.
    pub(super) fn heading(&self, key: &str) -> &str {
        let found = self.columns.iter().find(|column| column.key == key);
        found.map_or("", |column| column.heading)
    }
}

/// The language of a heading: a tag in brackets at its end, or its name alone.
fn lang_of(text: &str) -> Option<Lang> {
    let tag = text
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once('('));
    let tag = tag.map_or(text, |(_, tag)| tag.trim());
    let tag = tag.split(['-', '_']).next().unwrap_or_default();
    Some(match tag {
        "zh" | "中文" | "chinese" | "汉语" => Lang::Zh,
        "en" | "english" | "英文" | "英语" => Lang::En,
        _ => return None,
    })
}
