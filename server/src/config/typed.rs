//! The configuration in the types that the program uses.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::database::{DatabaseUrl, Password};
use super::keys::Value;
use super::layers::Setting;
use super::network::Network;
use crate::error::{Problem, Result};

/// The whole configuration of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Address and encryption.
    pub server: ServerConfig,
    /// Place of the data.
    pub store: StoreConfig,
    /// Photos and recordings.
    pub files: FilesConfig,
    /// Automatic triage.
    pub rules: RulesConfig,
    /// Backups that the server makes; `None` without a folder.
    pub backup: Option<BackupConfig>,
    /// Limits of requests.
    pub limits: LimitsConfig,
    /// Form and filter of the log.
    pub log: LogConfig,
}

/// Settings of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free port.
    pub listen: SocketAddr,
    /// Certificate and key; without them the server speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether a trusted reverse proxy passes on the caller's address in `x-forwarded-for`.
    pub behind_proxy: bool,
    /// Proxies that a request passes, if there is one.
    pub proxy_hops: usize,
    /// Addresses of the last proxy; empty if any address may be it.
    pub proxy_from: Vec<Network>,
}

/// PEM files of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain that begins with the server's own certificate.
    pub cert: PathBuf,
    /// Private key of the server's certificate.
    pub key: PathBuf,
}

/// Place of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Folder of the database, keys and attachments.
    pub path: PathBuf,
    /// Connections of the server that read at the same time.
    pub readers: usize,
    /// Database server that several nodes share; `None` for a database in the folder.
    pub database: Option<DatabaseConfig>,
}

/// A database server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// Its address.
    pub url: DatabaseUrl,
    /// Password, if the address has none.
    pub password: Option<Password>,
}

/// Settings of photos and recordings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesConfig {
    /// Folder of photos and recordings, which all nodes of a deployment share; `None` for one in the data folder.
    pub path: Option<PathBuf>,
    /// Free bytes of the disk below which no photo or recording is taken, so that records still fit.
    pub free_bytes_min: u64,
}

/// Settings of automatic triage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesConfig {
    /// Rules file; `None` means the built-in rules.
    pub path: Option<PathBuf>,
}

/// Settings of the backups that the server makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupConfig {
    /// Folder that holds one folder for each backup.
    pub folder: PathBuf,
    /// Time between two backups.
    pub every: Duration,
    /// Whole backups that stay.
    pub keep: usize,
}

/// Limits of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Bytes of a request body.
    pub body_bytes_max: usize,
    /// Connections that are open at the same time; further ones are closed at once.
    pub connections_max: usize,
    /// Connections from one address (one /64 of IPv6) that are open at the same time.
    pub address_connections_max: usize,
    /// Requests that run at the same time; further requests are answered with “busy”.
    pub requests_max: usize,
    /// Requests that use the store at the same time; further requests wait.
    pub workers_max: usize,
    /// Wake-up connections that are open at the same time.
    pub live_max: usize,
    /// Requests a minute from one address.
    pub address_per_minute: u32,
    /// Requests a minute from one device.
    pub device_per_minute: u32,
    /// Enrolments a minute from one address.
    pub enrolments_per_minute: u32,
    /// Longest time of one request.
    pub request_wait_max: Duration,
    /// Longest time that a stopping server waits for running requests.
    pub stop_wait_max: Duration,
}

/// Settings of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Format of the lines.
    pub format: LogFormat,
    /// A filter of `tracing`.
    pub filter: String,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text for people.
    Text,
    /// One JSON object a line for programs.
    Json,
}

impl Config {
    /// Converts the settings to types, and checks the rules that concern several settings.
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
                proxy_hops: size(get("server", "proxy_hops")),
                proxy_from: networks(get("server", "proxy_from")),
            },
            store: StoreConfig {
                path: path(get("store", "path")).unwrap_or_default(),
                readers: size(get("store", "readers")),
                database: database(get("store", "url"), get("store", "password_file"))?,
            },
            files: FilesConfig {
                path: path(get("files", "path")),
                free_bytes_min: count(get("files", "free_bytes_min")),
            },
            rules: RulesConfig {
                path: path(get("rules", "path")),
            },
            backup: path(get("backup", "folder")).map(|folder| BackupConfig {
                folder,
                every: Duration::from_hours(count(get("backup", "every_hours"))),
                keep: size(get("backup", "keep")),
            }),
            limits: LimitsConfig {
                body_bytes_max: size(get("limits", "body_bytes_max")),
                connections_max: size(get("limits", "connections_max")),
                address_connections_max: size(get("limits", "address_connections_max")),
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

// Each setting below has a default of its own kind in KEYS (a test reads them all), so the fallback arm
// is unreachable. Its value would still start the server safely.

fn address(value: Option<&Value>) -> SocketAddr {
    match value {
        Some(Value::Address(address)) => *address,
        _ => SocketAddr::from(([127, 0, 0, 1], 0)),
    }
}

fn database(url: Option<&Value>, password_file: Option<&Value>) -> Result<Option<DatabaseConfig>> {
    let Some(Value::Database(url)) = url else {
        return Ok(None);
    };
    let password = path(password_file).map(|file| Password::read(&file));
    Ok(Some(DatabaseConfig {
        url: url.clone(),
        password: password.transpose()?,
    }))
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

fn networks(value: Option<&Value>) -> Vec<Network> {
    match value {
        Some(Value::Networks(networks)) => networks.clone(),
        _ => Vec::new(),
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    }
}
