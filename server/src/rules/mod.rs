//! Rules of automatic triage, from a TOML file that administrators edit.
//!
//! A rule applies to categories or to whole classes of them. It sets the severity of a case, the unit for
//! its dispatch and the deadlines. The first rule that names the category applies, otherwise the first for
//! its class, otherwise the first for `any`.

use std::collections::BTreeMap;
use std::path::Path;

use onegrid_core::domain::area::AreaLevel;
use onegrid_core::domain::case::Severity;
use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::unit::UnitKind;
use onegrid_core::domain::{AreaPath, Code};
use onegrid_core::id::{Hash, UnitId};
use serde::Deserialize;

use crate::config::line_at;
use crate::directory::heirs::in_charge;
use crate::directory::routing::nearest;
use crate::directory::unit_id;
use crate::error::{Problem, Result};
use crate::limits::{RULE_MINUTES_MAX, RULES_BYTES_MAX, RULES_MAX};

const BUILT_IN: &str = include_str!("../../seed/rules.toml");
const MINUTE_MS: i64 = 60_000;

/// Rules in the order of their file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    list: Vec<Rule>,
    by_category: BTreeMap<String, usize>,
    /// SHA-256 of the text.
    source: [u8; 32],
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Name that the rule's moves carry.
    pub code: Code,
    /// Severity of a matching case.
    pub severity: Severity,
    /// Target of automatic dispatch; `None` leaves dispatch to people.
    pub dispatch: Option<Target>,
    /// Time to accept, milliseconds.
    pub accept_ms: Option<i64>,
    /// Time to arrive, milliseconds.
    pub arrive_ms: Option<i64>,
    /// Time to resolve, milliseconds.
    pub resolve_ms: Option<i64>,
    /// Whether a missed deadline raises the case one level.
    pub escalate: bool,
}

/// Target of automatic dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The unit with this id.
    Unit(UnitId),
    /// The nearest unit of this kind that is responsible for the place.
    Kind(UnitKind),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    rule: Vec<RuleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    code: String,
    categories: Vec<String>,
    severity: String,
    dispatch_unit: Option<String>,
    dispatch_kind: Option<String>,
    accept_minutes: Option<i64>,
    arrive_minutes: Option<i64>,
    resolve_minutes: Option<i64>,
    #[serde(default)]
    escalate: bool,
}

impl Rules {
    /// Rules that the binary contains.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN, "rules.toml").expect("a test reads the rules that are built in")
    }

    /// An empty set of rules, which makes no automatic moves.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a file; without a path, returns the built-in rules.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::built_in());
        };
        let unreadable = |error: &dyn std::error::Error| {
            Problem::new("rules.unreadable")
                .with("path", path.display())
                .because(error)
        };
        let size = std::fs::metadata(path)
            .map_err(|error| unreadable(&error))?
            .len();
        if size > RULES_BYTES_MAX {
            return Err(bad(&path.display(), "too_large"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses rules from text. Errors use `name` as the file's name.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| {
            // The line alone: the path may name any file of the server's user, and its text stays unseen.
            Problem::new("rules.malformed").with("path", name).with(
                "line",
                line_at(text, error.span().map_or(0, |span| span.start)),
            )
        })?;
        if file.version != 1 || file.rule.len() > RULES_MAX {
            return Err(bad(&name, "version"));
        }
        let mut rules = Self {
            source: Hash::of(&[text.as_bytes()]).0,
            ..Self::default()
        };
        for written in file.rule {
            let rule = Rule::of(&written).ok_or_else(|| bad(&name, &written.code))?;
            let place = rules.list.len();
            for category in written.categories {
                // The first rule that names a category applies to it.
                rules.by_category.entry(category).or_insert(place);
            }
            rules.list.push(rule);
        }
        Ok(rules)
    }

    /// Rule that applies to a category.
    #[must_use]
    pub fn find(&self, category: &str, directory: &Directory) -> Option<&Rule> {
        let class = directory
            .categories
            .get(category)
            .and_then(|known| known.class.as_ref());
        let place = self
            .by_category
            .get(category)
            .or_else(|| self.by_category.get(class?.as_str()))
            .or_else(|| self.by_category.get("any"))?;
        self.list.get(*place)
    }

    /// Whether the rule for a category raises a case one level after a missed deadline.
    #[must_use]
    pub fn escalates(&self, category: &str, directory: &Directory) -> bool {
        self.find(category, directory)
            .is_some_and(|rule| rule.escalate)
    }

    /// SHA-256 of the text that the rules were parsed from; zeros for no rules.
    #[must_use]
    pub fn source(&self) -> Hash {
        Hash(self.source)
    }

    /// Rule with this code.
    #[must_use]
    pub fn named(&self, code: &str) -> Option<&Rule> {
        self.list.iter().find(|rule| rule.code.as_str() == code)
    }
}

impl Rule {
    fn of(written: &RuleEntry) -> Option<Self> {
        let minutes = |minutes: Option<i64>| match minutes {
            None => Some(None),
            Some(minutes) if (1..=RULE_MINUTES_MAX).contains(&minutes) => {
                Some(Some(minutes * MINUTE_MS))
            }
            Some(_) => None,
        };
        let dispatch = match (&written.dispatch_unit, &written.dispatch_kind) {
            (None, None) => None,
            (Some(unit), None) => {
                Some(Target::Unit(unit.parse().unwrap_or_else(|_| unit_id(unit))))
            }
            (None, Some(kind)) => Some(Target::Kind(kind.parse().ok()?)),
            (Some(_), Some(_)) => return None,
        };
        Some(Self {
            code: Code::new(written.code.clone()).ok()?,
            severity: Severity::from_name(&written.severity)?,
            dispatch,
            accept_ms: minutes(written.accept_minutes)?,
            arrive_ms: minutes(written.arrive_minutes)?,
            resolve_ms: minutes(written.resolve_minutes)?,
            escalate: written.escalate,
        })
    }

    /// Unit that gets a case at this place now (ms UTC); `None` if the directory has none.
    #[must_use]
    pub fn unit(&self, place: &AreaPath, directory: &Directory, now_ms: i64) -> Option<UnitId> {
        match self.dispatch? {
            Target::Unit(id) => {
                let in_charge = in_charge(&directory.areas, place, now_ms);
                let unit = directory.units.get(&id)?;
                let is_here = in_charge.contains(&unit.area) && unit.dissolved_at_ms.is_none();
                is_here.then_some(id)
            }
            Target::Kind(kind) => nearest(directory, kind, place, now_ms),
        }
    }
}

/// Next level up, for an escalation; `None` for the district.
#[must_use]
pub fn level_above(level: AreaLevel) -> Option<AreaLevel> {
    level.above()
}

fn bad(path: &dyn std::fmt::Display, rule: &str) -> Problem {
    Problem::new("rules.bad_rule")
        .with("path", path)
        .with("rule", rule)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::texts::Lang;

    use super::*;

    #[test]
    fn the_built_in_rules_speak_of_every_category() {
        let rules = Rules::built_in();
        let directory = Directory {
            categories: onegrid_core::domain::category::Categories::built_in(),
            ..Directory::default()
        };
        for category in directory.categories.iter() {
            assert!(
                rules.find(category.code.as_str(), &directory).is_some(),
                "{category:?}"
            );
        }
        let gas = rules.find("gas", &directory).unwrap();
        assert_eq!(gas.resolve_ms, Some(24 * 60 * MINUTE_MS));
        assert_eq!(rules.named(gas.code.as_str()), Some(gas));
    }

    #[test]
    fn a_file_with_a_mistake_is_named_with_its_rule() {
        let rule = |more: &str| {
            format!("version = 1\n[[rule]]\ncode = \"r\"\ncategories = [\"gas\"]\n{more}\n")
        };
        assert!(Rules::parse(&rule("severity = \"serious\""), "f").is_ok());
        for (text, code) in [
            (rule("severity = \"awful\""), "rules.bad_rule"),
            (
                rule("severity = \"serious\"\naccept_minutes = 0"),
                "rules.bad_rule",
            ),
            (
                rule("severity = \"serious\"\ndispatch_kind = \"nobody\""),
                "rules.bad_rule",
            ),
            (
                rule("severity = \"serious\"\nsurprise = 1"),
                "rules.malformed",
            ),
            ("version = 2".to_owned(), "rules.bad_rule"),
            ("version = ".to_owned(), "rules.malformed"),
        ] {
            assert_eq!(Rules::parse(&text, "f").unwrap_err().code(), code, "{text}");
        }
        let wrong = Rules::parse("version = 1\n\nrule = 7\n", "f").unwrap_err();
        let sentence = wrong.sentence(Lang::En);
        assert!(sentence.contains("Line 3"), "{sentence}");
        // The path may name any file of the server's user.
        let secret = Rules::parse("root:$6$salt$hash:19000\n", "/etc/shadow").unwrap_err();
        let all = format!("{secret:?} {}", secret.sentence(Lang::En));
        assert!(!all.contains("$6$"), "{all}");
    }
}
