//! All settings, with their defaults and the parsing of their values.

use std::net::SocketAddr;
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use super::database::DatabaseUrl;
use super::network::{Network, listed};
use crate::error::Phrase;
use crate::limits;

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Section of the file.
    pub section: &'static str,
    /// Name in its section.
    pub name: &'static str,
    /// Required form of the value.
    pub kind: Kind,
    /// Value that applies if no layer sets one; `None` means that the setting is then absent.
    pub default: Option<&'static str>,
}

/// Required form of a value.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// IP address and port.
    Address,
    /// A path. A relative path starts at the folder of the file that sets it, otherwise at the
    /// working directory.
    Path,
    /// `true` or `false`.
    Bool,
    /// A whole number; both bounds are included.
    Count {
        /// Smallest allowed value.
        min: u64,
        /// Largest allowed value.
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A filter of `tracing`.
    Filter,
    /// IP addresses or networks such as `10.0.0.0/8`, with commas between them.
    Networks,
    /// The address of a database server.
    Database,
}

/// A parsed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Address`].
    Address(SocketAddr),
    /// Of [`Kind::Path`].
    Path(PathBuf),
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Count`].
    Count(u64),
    /// Of [`Kind::Choice`] and [`Kind::Filter`].
    Text(String),
    /// Of [`Kind::Networks`].
    Networks(Vec<Network>),
    /// Of [`Kind::Database`].
    Database(DatabaseUrl),
}

const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
) -> Key {
    Key {
        section,
        name,
        kind,
        default,
    }
}

const fn count(min: u64, max: u64) -> Kind {
    Kind::Count { min, max }
}

/// All settings, in the order of `check-config`.
pub const KEYS: &[Key] = &[
    key("server", "listen", Kind::Address, Some("127.0.0.1:8787")),
    key("server", "tls_cert", Kind::Path, None),
    key("server", "tls_key", Kind::Path, None),
    key("server", "plain", Kind::Bool, Some("false")),
    key("server", "behind_proxy", Kind::Bool, Some("false")),
    key("server", "proxy_hops", count(1, 8), Some("1")),
    key("server", "proxy_from", Kind::Networks, None),
    key("store", "path", Kind::Path, Some("onegrid-data")),
    key("store", "readers", count(1, 64), Some("4")),
    key("store", "url", Kind::Database, None),
    key("store", "password_file", Kind::Path, None),
    key("files", "path", Kind::Path, None),
    key(
        "files",
        "free_bytes_min",
        count(1_024 * 1_024, i64::MAX as u64),
        Some("1073741824"),
    ),
    key("rules", "path", Kind::Path, None),
    key("backup", "folder", Kind::Path, None),
    key("backup", "every_hours", count(1, 8_760), Some("24")),
    key("backup", "keep", count(1, 10_000), Some("14")),
    key(
        "limits",
        "body_bytes_max",
        count(4_096, limits::BODY_BYTES_CEILING),
        Some("8388608"),
    ),
    key(
        "limits",
        "connections_max",
        count(1, 1_000_000),
        Some("24000"),
    ),
    key(
        "limits",
        "address_connections_max",
        count(1, 1_000_000),
        Some("4000"),
    ),
    key("limits", "requests_max", count(1, 1_000_000), Some("1024")),
    key("limits", "workers_max", count(1, 512), Some("32")),
    key("limits", "live_max", count(1, 1_000_000), Some("20000")),
    key(
        "limits",
        "address_per_minute",
        count(1, 10_000_000),
        Some("12000"),
    ),
    key(
        "limits",
        "device_per_minute",
        count(1, 1_000_000),
        Some("600"),
    ),
    key(
        "limits",
        "enrolments_per_minute",
        count(1, 1_000_000),
        Some("120"),
    ),
    key("limits", "request_seconds_max", count(1, 3_600), Some("60")),
    key("limits", "stop_seconds_max", count(1, 600), Some("10")),
    key(
        "log",
        "format",
        Kind::Choice(&["text", "json"]),
        Some("text"),
    ),
    key("log", "filter", Kind::Filter, Some("info")),
];

impl Key {
    /// `section.name`, as the command line expects it.
    #[must_use]
    pub fn dotted(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// Environment variable of the setting.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("ONEGRID_{}__{}", self.section, self.name).to_ascii_uppercase()
    }
}

/// Whether a directive of a filter names its level. A bare word that is no level is taken for the name of a part
/// of the program, and then nothing else is logged.
fn says_a_level(directive: &str) -> bool {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let word = directive.trim().to_lowercase();
    word.contains('=') || levels.contains(&&*word)
}

impl Kind {
    /// Parses a value; `None` if it is not of this kind.
    #[must_use]
    pub fn read(self, raw: &str) -> Option<Value> {
        match self {
            Self::Address => raw.parse().ok().map(Value::Address),
            Self::Path => (!raw.is_empty()).then(|| Value::Path(PathBuf::from(raw))),
            Self::Bool => raw.parse().ok().map(Value::Bool),
            Self::Count { min, max } => raw
                .parse()
                .ok()
                .filter(|n| (min..=max).contains(n))
                .map(Value::Count),
            Self::Choice(words) => words.contains(&raw).then(|| Value::Text(raw.to_owned())),
            Self::Filter => EnvFilter::try_new(raw)
                .ok()
                .filter(|_| raw.split(',').all(says_a_level))
                .map(|_| Value::Text(raw.to_owned())),
            Self::Networks => {
                let networks = raw.split(',').map(|part| part.trim().parse().ok());
                networks.collect::<Option<Vec<_>>>().map(Value::Networks)
            }
            Self::Database => DatabaseUrl::parse(raw).map(Value::Database),
        }
    }

    /// Expected form, as a sentence for people.
    #[must_use]
    pub fn expected(self) -> Phrase {
        match self {
            Self::Address => Phrase::new("config.expect_address"),
            Self::Path => Phrase::new("config.expect_path"),
            Self::Bool => Phrase::new("config.expect_bool"),
            Self::Count { min, max } => Phrase::new("config.expect_count")
                .with("min", min)
                .with("max", max),
            Self::Choice(words) => {
                Phrase::new("config.expect_choice").with("choices", words.join(", "))
            }
            Self::Filter => Phrase::new("config.expect_filter"),
            Self::Networks => Phrase::new("config.expect_networks"),
            Self::Database => Phrase::new("config.expect_database"),
        }
    }
}

impl Value {
    /// Formats the value for the file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        match self {
            Self::Address(address) => format!("\"{address}\""),
            Self::Path(path) => toml::Value::from(path.to_string_lossy().into_owned()).to_string(),
            Self::Bool(flag) => flag.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Text(text) => toml::Value::from(text.as_str()).to_string(),
            Self::Database(url) => toml::Value::from(url.to_string()).to_string(),
            Self::Networks(networks) => toml::Value::from(listed(networks)).to_string(),
        }
    }
}
