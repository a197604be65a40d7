//! The layers of the configuration, and their order.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::database::Password;
use super::keys::{KEYS, Key, Kind, Value};
use super::line_at;
use super::typed::Config;
use crate::error::{Phrase, Problem, Result};
use crate::limits::CONFIG_BYTES_MAX;

const PREFIX: &str = "ONEGRID_";
/// The variable that all programs of `PostgreSQL` read.
pub const PGPASSWORD: &str = "PGPASSWORD";
/// Lowest similarity for a suggestion: Jaro-Winkler, where 1 means equal.
const SUGGEST_FROM: f64 = 0.8;

/// Input of the configuration. The command line fills it; nothing here reads the process.
#[derive(Debug, Default, Clone)]
pub struct Inputs {
    /// Configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// The whole environment; variables without the prefix are ignored.
    pub env: Vec<(String, String)>,
    /// `section.key=value` from `--set` and from flags of commands. Later ones override earlier ones.
    pub flags: Vec<String>,
}

/// Origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The default, because no layer sets a value.
    Default,
    /// File and line, from 1.
    File(PathBuf, usize),
    /// Name of an environment variable.
    Env(String),
    /// The command line.
    Flag,
}

/// One setting with its effective value.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Definition of the setting.
    pub key: &'static Key,
    /// Effective value; `None` if the setting is absent.
    pub value: Option<Value>,
    /// Origin of the value.
    pub source: Source,
}

/// The effective configuration, typed and as a list of settings with their origins.
#[derive(Debug, Clone)]
pub struct Effective {
    /// Typed, for the program.
    pub config: Config,
    /// Listed for people, in the order of [`KEYS`].
    pub settings: Vec<Setting>,
}

impl Source {
    /// Describes the origin for people.
    #[must_use]
    pub fn phrase(&self) -> Phrase {
        match self {
            Self::Default => Phrase::new("config.from_default"),
            Self::File(path, line) => Phrase::new("config.from_file")
                .with("file", path.display())
                .with("line", line),
            Self::Env(name) => Phrase::new("config.from_env").with("name", name),
            Self::Flag => Phrase::new("config.from_flag"),
        }
    }
}

type Chosen = BTreeMap<(&'static str, &'static str), (Value, Source)>;

impl Effective {
    /// Merges the layers and checks the result. It refuses unknown settings, values of the wrong kind,
    /// and combinations that cannot start (half a TLS pair, or a public address without TLS).
    pub fn load(inputs: &Inputs) -> Result<Self> {
        let mut chosen = Chosen::new();
        if let Some(path) = &inputs.file {
            read_file(path, &mut chosen)?;
        }
        read_env(&inputs.env, &mut chosen)?;
        for flag in &inputs.flags {
            let problem = || Problem::new("config.no_value").with("text", flag);
            let (dotted, raw) = flag.split_once('=').ok_or_else(problem)?;
            let (section, name) = dotted.trim().split_once('.').ok_or_else(problem)?;
            let key = find(section, name, &Source::Flag)?;
            insert(&mut chosen, key, raw.trim(), Source::Flag)?;
        }
        let settings: Vec<Setting> = KEYS.iter().map(|key| setting(key, &mut chosen)).collect();
        let mut config = Config::from_settings(&settings)?;
        if let Some(database) = &mut config.store.database
            && database.password.is_none()
            && !database.url.has_password()
        {
            let given = inputs.env.iter().find(|(name, _)| name == PGPASSWORD);
            database.password = given.map(|(_, text)| Password::new(text));
        }
        Ok(Self { config, settings })
    }
}

fn setting(key: &'static Key, chosen: &mut Chosen) -> Setting {
    if let Some((value, source)) = chosen.remove(&(key.section, key.name)) {
        return Setting {
            key,
            value: Some(value),
            source,
        };
    }
    let value = key.default.and_then(|raw| key.kind.read(raw));
    Setting {
        key,
        value,
        source: Source::Default,
    }
}

fn insert(chosen: &mut Chosen, key: &'static Key, raw: &str, source: Source) -> Result<()> {
    let Some(mut value) = key.kind.read(raw) else {
        return Err(bad_value(key, raw, &source));
    };
    if let (Value::Path(path), Source::File(file, _)) = (&mut value, &source)
        && path.is_relative()
        && let Some(folder) = file.parent()
    {
        *path = folder.join(&path);
    }
    chosen.insert((key.section, key.name), (value, source));
    Ok(())
}

fn bad_value(key: &Key, raw: &str, source: &Source) -> Problem {
    // It may carry a password.
    let shown = match key.kind {
        Kind::Database => "***",
        _ => raw,
    };
    Problem::new("config.bad_value")
        .with("key", key.dotted())
        .with("value", shown)
        .with_phrase("expected", key.kind.expected())
        .with_phrase("source", source.phrase())
}

fn find(section: &str, name: &str, source: &Source) -> Result<&'static Key> {
    KEYS.iter()
        .find(|key| key.section == section && key.name == name)
        .ok_or_else(|| {
            let dotted = format!("{section}.{name}");
            Problem::new("config.unknown_key")
                .with("key", &dotted)
                .with_phrase("source", source.phrase())
                .with_phrase("hint", suggestion(&dotted))
        })
}

/// Suggests the most similar setting. The name alone is compared too, so that a right name in a wrong
/// section is found.
fn suggestion(dotted: &str) -> Phrase {
    let name = dotted.rsplit('.').next().unwrap_or(dotted);
    let nearest = KEYS
        .iter()
        .map(|key| {
            let whole = strsim::jaro_winkler(dotted, &key.dotted());
            (whole.max(strsim::jaro_winkler(name, key.name)), key)
        })
        .filter(|(score, _)| *score >= SUGGEST_FROM)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, key)) => Phrase::new("cli.hint_similar").with("similar", key.dotted()),
        None => Phrase::new("config.hint_check"),
    }
}

fn read_env(env: &[(String, String)], chosen: &mut Chosen) -> Result<()> {
    for (variable, raw) in env {
        let Some((section, name)) = variable
            .strip_prefix(PREFIX)
            .and_then(|v| v.split_once("__"))
        else {
            refuse_single_underscore(variable)?;
            continue;
        };
        let source = Source::Env(variable.clone());
        let key = find(
            &section.to_ascii_lowercase(),
            &name.to_ascii_lowercase(),
            &source,
        )?;
        insert(chosen, key, raw, source)?;
    }
    Ok(())
}

/// `ONEGRID_STORE_PATH` is a likely slip for `ONEGRID_STORE__PATH`. If it were ignored, the server would
/// start on the wrong data.
fn refuse_single_underscore(variable: &str) -> Result<()> {
    match KEYS
        .iter()
        .find(|key| key.variable().replacen("__", "_", 1) == variable)
    {
        None => Ok(()),
        Some(key) => Err(Problem::new("config.unknown_key")
            .with("key", variable)
            .with_phrase("source", Source::Env(variable.to_owned()).phrase())
            .with_phrase(
                "hint",
                Phrase::new("cli.hint_similar").with("similar", key.variable()),
            )),
    }
}

fn read_file(path: &Path, chosen: &mut Chosen) -> Result<()> {
    let unreadable = |error: &dyn std::error::Error| {
        Problem::new("config.unreadable")
            .with("file", path.display())
            .because(error)
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .map_err(|e| unreadable(&e))?
        .take(CONFIG_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|e| unreadable(&e))?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(Problem::new("config.too_large")
            .with("file", path.display())
            .with("max", CONFIG_BYTES_MAX));
    }
    let line_of = |at: usize| line_at(&text, at);
    let document = DeTable::parse(&text).map_err(|error| {
        Problem::new("config.syntax")
            .with("file", path.display())
            .with("line", line_of(error.span().map_or(0, |span| span.start)))
            .because(&error)
    })?;
    for (section, content) in document.get_ref() {
        let section_source = Source::File(path.to_owned(), line_of(section.span().start));
        let DeValue::Table(keys) = content.get_ref() else {
            return Err(Problem::new("config.no_section")
                .with("key", section.get_ref())
                .with_phrase("source", section_source.phrase()));
        };
        for (name, value) in keys {
            let source = Source::File(path.to_owned(), line_of(name.span().start));
            let key = find(section.get_ref(), name.get_ref(), &source)?;
            let raw = scalar(key, value.get_ref())
                .ok_or_else(|| bad_value(key, value.get_ref().type_str(), &source))?;
            insert(chosen, key, &raw, source)?;
        }
    }
    Ok(())
}

/// Text of a TOML value, if its TOML type fits the setting.
fn scalar(key: &Key, value: &DeValue<'_>) -> Option<String> {
    match (key.kind, value) {
        (Kind::Bool, DeValue::Boolean(flag)) => Some(flag.to_string()),
        (Kind::Count { .. }, DeValue::Integer(number)) => {
            Some(number.as_str().replace('_', "")).filter(|_| number.radix() == 10)
        }
        (Kind::Bool | Kind::Count { .. }, _) => None,
        (_, DeValue::String(text)) => Some(text.to_string()),
        _ => None,
    }
}
