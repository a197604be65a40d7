//! The configuration as the program uses it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::Value;
use super::layers::Setting;
use crate::error::{Problem, Result};

/// Everything the server can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The listener.
    pub server: ServerConfig,
    /// Where data lives.
    pub store: StoreConfig,
    /// Automatic triage.
    pub rules: RulesConfig,
    /// Limits of requests.
    pub limits: LimitsConfig,
    /// The log.
    pub log: LogConfig,
}

/// The listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate and key; without them the server speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether a reverse proxy of ours stands in front and names the caller in `x-forwarded-for`.
    pub behind_proxy: bool,
}

/// PEM files of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Where data lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The folder of the database, keys and attachments.
    pub path: PathBuf,
}

/// Automatic triage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesConfig {
    /// The rules file; `None` takes the rules that are built in.
    pub path: Option<PathBuf>,
}

/// Limits of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Bytes of a request body.
    pub body_bytes_max: usize,
    /// Requests that are worked on at the same time; more are answered with “busy”.
    pub requests_max: usize,
    /// Requests that use the store at the same time; the others wait for their turn.
    pub workers_max: usize,
    /// Phones that wait for wake-ups at the same time.
    pub live_max: usize,
    /// Requests a minute from one address.
    pub address_per_minute: u32,
    /// Requests a minute of one device.
    pub device_per_minute: u32,
    /// Enrolments a minute from one address.
    pub enrolments_per_minute: u32,
    /// How long one request may take.
    pub request_wait_max: Duration,
    /// How long a stopping server waits for requests that are under way.
    pub stop_wait_max: Duration,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Lines for people or for machines.
    pub format: LogFormat,
    /// A filter of `tracing`.
    pub filter: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Takes the settings apart and checks what only holds for them together.
    pub(super) fn from_settings(settings: &[Setting]) -> Result<Self> {
        let get = |section: &str, name: &str| {
            settings
                .iter()
                .find(|s| s.key.section == section && s.key.name == name)
                .and_then(|s| s.value.as_ref())
        };
        let listen = address(get("server", "listen"));
        let plain = get("server", "plain") == Some(&Value::Bool(true));
        let tls = match (
            path(get("server", "tls_cert")),
            path(get("server", "tls_key")),
        ) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            _ => return Err(Problem::new("config.tls_half")),
        };
        if tls.is_none() && !plain && !listen.ip().is_loopback() {
            return Err(Problem::new("config.tls_missing").with("listen", listen));
        }
        let seconds = |name| Duration::from_secs(count(get("limits", name)));
        let format = match text(get("log", "format")).as_str() {
            "json" => LogFormat::Json,
            _ => LogFormat::Text,
        };
        Ok(Self {
            server: ServerConfig {
                listen,
                tls,
                behind_proxy: get("server", "behind_proxy") == Some(&Value::Bool(true)),
            },
            store: StoreConfig {
                path: path(get("store", "path")).unwrap_or_default(),
            },
            rules: RulesConfig {
                path: path(get("rules", "path")),
            },
            limits: LimitsConfig {
                body_bytes_max: size(get("limits", "body_bytes_max")),
                requests_max: size(get("limits", "requests_max")),
                workers_max: size(get("limits", "workers_max")),
                live_max: size(get("limits", "live_max")),
                address_per_minute: rate(get("limits", "address_per_minute")),
                device_per_minute: rate(get("limits", "device_per_minute")),
                enrolments_per_minute: rate(get("limits", "enrolments_per_minute")),
                request_wait_max: seconds("request_seconds_max"),
                stop_wait_max: seconds("stop_seconds_max"),
            },
            log: LogConfig {
                format,
                filter: text(get("log", "filter")),
            },
        })
    }
}

// Each setting below has a default of its own kind in KEYS (a test reads them all), so the other arm is
// never taken; it still is a value that starts safely.

fn address(value: Option<&Value>) -> SocketAddr {
    match value {
        Some(Value::Address(address)) => *address,
        _ => SocketAddr::from(([127, 0, 0, 1], 0)),
    }
}

fn path(value: Option<&Value>) -> Option<PathBuf> {
    match value {
        Some(Value::Path(path)) => Some(path.clone()),
        _ => None,
    }
}

fn count(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Count(count)) => *count,
        _ => 1,
    }
}

fn size(value: Option<&Value>) -> usize {
    usize::try_from(count(value)).unwrap_or(usize::MAX)
}

fn rate(value: Option<&Value>) -> u32 {
    u32::try_from(count(value)).unwrap_or(u32::MAX)
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    }
}
