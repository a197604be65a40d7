//! Every sentence that reaches a person, in Chinese and English, under one stable code.
//!
//! The table is `texts.tsv`: `code<TAB>zh<TAB>en`, one line for each code, and `#` starts a comment. A code
//! is `area.reason`. It never changes once released; the sentences may change. A sentence says what happened
//! and what to do next. `{name}` is a placeholder that [`fill`] replaces; both languages have the same
//! placeholders. `{name|one|many}` chooses between two words by a number, as in
//! `{count} {count|row is|rows are} wrong`.
//!
//! **Not here:** reading the locale of the process (the caller hands the values in).

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

const TABLE: &str = include_str!("texts.tsv");

/// A language of the user interface. Chinese is the product's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// Chinese as written in mainland China (zh-CN).
    #[default]
    Zh,
    /// English.
    En,
}

/// A text that names no language of OneGrid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lang.unknown")]
pub struct UnknownLang;

impl Lang {
    /// Both languages, the default first.
    pub const ALL: [Self; 2] = [Self::Zh, Self::En];

    /// The tag as written in `--lang` and in `Content-Language`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    /// Chooses by POSIX locale values in falling rank (`LC_ALL`, `LC_MESSAGES`, `LANG`). The first value that
    /// is set decides. A Chinese locale gives Chinese; `C`, `POSIX` or no value gives the default; others
    /// give English.
    pub fn from_locale<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let Some(first) = values.into_iter().map(str::trim).find(|v| !v.is_empty()) else {
            return Self::default();
        };
        let language = first.split(['_', '-', '.', '@']).next().unwrap_or_default();
        match language {
            "C" | "POSIX" => Self::default(),
            _ if language.eq_ignore_ascii_case("zh") => Self::Zh,
            _ => Self::En,
        }
    }

    /// Chooses by an HTTP `Accept-Language` value: the known language with the highest weight, and the first
    /// of equals. `None` when the value names neither language, so that the caller's default holds.
    #[must_use]
    pub fn from_accept_language(value: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for item in value.split(',') {
            let mut parts = item.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(Some(1.0), |q| q.parse::<f32>().ok().filter(|q| *q > 0.0));
            let (Ok(lang), Some(weight)) = (tag.parse::<Self>(), weight) else {
                continue;
            };
            if best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, lang));
            }
        }
        best.map(|(_, lang)| lang)
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl FromStr for Lang {
    type Err = UnknownLang;

    /// Reads `zh`, `en` or a tag that starts with one of them (`zh-CN`, `en_GB`), in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let language = text.split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|lang| language.eq_ignore_ascii_case(lang.tag()))
            .ok_or(UnknownLang)
    }
}

struct Line {
    zh: &'static str,
    en: &'static str,
}

/// Lines with a wrong column count are left out here and refused by the test below.
static LINES: LazyLock<HashMap<&'static str, Line>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let (code, zh, en) = (columns.next()?, columns.next()?, columns.next()?);
            columns.next().is_none().then_some((code, Line { zh, en }))
        })
        .collect()
});

/// The sentence of a code, with its placeholders still in it; `None` when the table has no such code.
#[must_use]
pub fn text(code: &str, lang: Lang) -> Option<&'static str> {
    LINES.get(code).map(|line| match lang {
        Lang::Zh => line.zh,
        Lang::En => line.en,
    })
}

/// The sentence of a code with its placeholders filled. A code without a line gives the code itself, because
/// a person can still report it.
#[must_use]
pub fn say(code: &str, lang: Lang, values: &[(&str, &str)]) -> String {
    text(code, lang).map_or_else(|| code.to_owned(), |template| fill(template, values))
}

/// The code of a word as a kind says it, `area.name_kind`, or else as all kinds do, `area.name`.
#[must_use]
pub fn word_code(area: &str, name: &str, kind: &str) -> String {
    let own = format!("{area}.{name}_{kind}");
    if LINES.contains_key(own.as_str()) {
        own
    } else {
        format!("{area}.{name}")
    }
}

/// Every code of the table, in no particular order.
pub fn codes() -> impl Iterator<Item = &'static str> {
    LINES.keys().copied()
}

/// Replaces each `{name}` by its value, and each `{name|one|many}` by `one` if the value is 1, otherwise by
/// `many`. Values are never scanned again, so a value that itself contains braces stays as it is; a placeholder
/// without a value stays visible.
#[must_use]
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, from_brace) = rest.split_at(open);
        out.push_str(before);
        let Some(close) = from_brace.find('}') else {
            rest = from_brace;
            break;
        };
        let (name, words) = parts(&from_brace[1..close]);
        let value = values.iter().find(|(key, _)| *key == name);
        out.push_str(match (value, words) {
            (None, _) => &from_brace[..=close],
            (Some((_, value)), None) => value,
            (Some((_, "1")), Some((one, _))) => one,
            (Some(_), Some((_, many))) => many,
        });
        rest = &from_brace[close + 1..];
    }
    out.push_str(rest);
    out
}

/// Splits a placeholder into its name and, if it has them, the words for one and for many.
fn parts(placeholder: &str) -> (&str, Option<(&str, &str)>) {
    match placeholder.split_once('|') {
        Some((name, words)) => (name, words.split_once('|')),
        None => (placeholder, None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use std::collections::BTreeSet;

    use super::*;

    fn placeholders(template: &str) -> BTreeSet<&str> {
        template
            .split('{')
            .skip(1)
            .filter_map(|part| Some(parts(part.split_once('}')?.0).0))
            .collect()
    }

    /// Names of placeholders that count something.
    const COUNTS: [&str; 19] = [
        "accepted",
        "all",
        "areas",
        "audit",
        "bytes",
        "changed",
        "count",
        "devices",
        "envelopes",
        "members",
        "open",
        "people",
        "phones",
        "positions",
        "records",
        "seconds",
        "steps",
        "streams",
        "units",
    ];

    #[test]
    fn every_count_of_one_has_its_word() {
        let verbs = ["is", "was", "has", "awaits"];
        for code in codes() {
            let english = text(code, Lang::En).unwrap();
            let names = placeholders(english).into_iter();
            let values: Vec<(&str, &str)> = names
                .map(|name| (name, if COUNTS.contains(&name) { "1" } else { "x" }))
                .collect();
            let sentence = fill(english, &values);
            assert!(!sentence.contains('|'), "{code}: a word is missing");
            for after in sentence.split("1 ").skip(1) {
                let word = after.split(|c: char| !c.is_ascii_alphabetic()).next();
                let word = word.unwrap_or_default();
                let plural = word.ends_with('s') && !verbs.contains(&word);
                assert!(!plural && word != "are", "{code}: {sentence}");
            }
        }
    }

    #[test]
    fn every_line_has_one_code_two_sentences_and_the_same_placeholders() {
        let mut seen = BTreeSet::new();
        for (index, line) in TABLE.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = format!("core/src/texts.tsv:{}", index + 1);
            let columns: Vec<&str> = line.split('\t').collect();
            assert_eq!(columns.len(), 3, "{at}: expected code<TAB>zh<TAB>en");
            let (code, zh, en) = (columns[0], columns[1], columns[2]);
            let good = |part: &str| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b == b'_' || b.is_ascii_lowercase() || b.is_ascii_digit())
            };
            assert!(
                code.split_once('.')
                    .is_some_and(|(area, reason)| good(area) && good(reason)),
                "{at}: `{code}` is not area.reason"
            );
            assert!(
                seen.insert(code),
                "{at}: `{code}` stands twice; keep one line"
            );
            assert!(
                !zh.trim().is_empty() && !en.trim().is_empty(),
                "{at}: empty sentence"
            );
            assert_eq!(
                placeholders(zh),
                placeholders(en),
                "{at}: placeholders differ"
            );
        }
        assert_eq!(seen.len(), codes().count());
    }

    #[test]
    fn the_first_locale_that_is_set_decides_and_nothing_means_chinese() {
        assert_eq!(
            Lang::from_locale(["", "zh_CN.UTF-8", "en_US.UTF-8"]),
            Lang::Zh
        );
        assert_eq!(Lang::from_locale(["en_GB.UTF-8", "zh_CN.UTF-8"]), Lang::En);
        assert_eq!(Lang::from_locale(["de_DE"]), Lang::En);
        assert_eq!(Lang::from_locale(["C.UTF-8"]), Lang::Zh);
        assert_eq!(Lang::from_locale(["", "  "]), Lang::Zh);
        assert_eq!("zh-Hans-CN".parse(), Ok(Lang::Zh));
        assert_eq!("fr".parse::<Lang>(), Err(UnknownLang));
    }

    #[test]
    fn accept_language_goes_by_weight_and_leaves_unknown_languages_out() {
        assert_eq!(
            Lang::from_accept_language("fr, en;q=0.4, zh-CN;q=0.9"),
            Some(Lang::Zh)
        );
        assert_eq!(Lang::from_accept_language("en-US,en;q=0.5"), Some(Lang::En));
        assert_eq!(
            Lang::from_accept_language("zh;q=0, en;q=0.1"),
            Some(Lang::En)
        );
        assert_eq!(Lang::from_accept_language("fr;q=1, *;q=0.1"), None);
        assert_eq!(Lang::from_accept_language("en;q=x"), None);
    }

    #[test]
    fn filling_never_reads_a_value_again_and_shows_what_is_missing() {
        let values = [("a", "{b}"), ("b", "2")];
        assert_eq!(fill("{a} {b} {c} {", &values), "{b} 2 {c} {");
        assert_eq!(fill("无占位符", &values), "无占位符");
    }

    #[test]
    fn filling_chooses_the_word_by_the_number() {
        let rows = "{n} {n|row is|rows are} wrong, {m|one|many}";
        assert_eq!(fill(rows, &[("n", "1")]), "1 row is wrong, {m|one|many}");
        assert_eq!(
            fill(rows, &[("n", "0"), ("m", "1")]),
            "0 rows are wrong, one"
        );
        assert_eq!(
            fill(rows, &[("n", "11"), ("m", "x")]),
            "11 rows are wrong, many"
        );
    }

    #[test]
    fn a_code_without_a_line_is_shown_as_it_is() {
        assert_eq!(say("no.such", Lang::En, &[]), "no.such");
        assert!(say("id.malformed", Lang::Zh, &[("expected", "UUID")]).contains("UUID"));
    }
}
