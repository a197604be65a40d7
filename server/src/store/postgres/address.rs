//! The address of a database: `postgres://user@host:port/database?sslmode=verify-full&sslrootcert=/path`.

use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::store::{StoreError, StoreResult};

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    /// Nothing is encrypted: for this machine, or a network with encryption of its own.
    None,
    /// Encrypted, but anybody could answer.
    Encrypted,
    /// Encrypted, and the certificate fits the name of the host.
    Verified,
}

/// An address that was read.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) protection: Protection,
    /// File with the certificates that may sign the server's; `None` for the public authorities.
    pub(super) roots: Option<PathBuf>,
}

impl Address {
    pub(super) fn parse(url: &str) -> StoreResult<Self> {
        let is_url = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        if !is_url {
            return Err(StoreError::Address("scheme"));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut kept, mut mode, mut roots) = (Vec::new(), None, None);
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => roots = Some(PathBuf::from(decoded(value)?)),
                _ => kept.push(part),
            }
        }
        let mut plain = base.to_owned();
        if !kept.is_empty() {
            plain.push('?');
            plain.push_str(&kept.join("&"));
        }
        let mut config: Config = plain.parse().map_err(|_| StoreError::Address("form"))?;
        if config.get_hosts().is_empty() {
            return Err(StoreError::Address("host"));
        }
        if config.get_dbname().is_none() {
            return Err(StoreError::Address("database"));
        }
        let protection = match mode {
            None if config.get_hosts().iter().all(is_local) => Protection::None,
            None | Some("verify-full") => Protection::Verified,
            Some("require") => Protection::Encrypted,
            Some("disable") => Protection::None,
            Some(_) => return Err(StoreError::Address("sslmode")),
        };
        config.ssl_mode(match protection {
            Protection::None => SslMode::Disable,
            Protection::Encrypted | Protection::Verified => SslMode::Require,
        });
        Ok(Self {
            config,
            protection,
            roots,
        })
    }
}

/// Whether the host is this machine, so that no network in between can read.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// Reads `%2F` and its like.
fn decoded(value: &str) -> StoreResult<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
            let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
            bytes.push(byte.ok_or(StoreError::Address("sslrootcert"))?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).map_err(|_| StoreError::Address("sslrootcert"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    #[test]
    fn address_of_another_machine_is_verified_by_default() {
        for (url, expected) in [
            ("postgres://og@db.example/onegrid", Protection::Verified),
            ("postgresql://og@10.0.0.5/onegrid", Protection::Verified),
            (
                "postgres://og@127.0.0.1,db.example/onegrid",
                Protection::Verified,
            ),
            ("postgres://og@127.0.0.1:5433/onegrid", Protection::None),
            ("postgres://og@localhost/onegrid", Protection::None),
            (
                "postgres:///onegrid?host=/run/postgresql&user=og",
                Protection::None,
            ),
            (
                "postgres://og@db.example/onegrid?sslmode=disable",
                Protection::None,
            ),
            (
                "postgres://og@localhost/onegrid?sslmode=require",
                Protection::Encrypted,
            ),
        ] {
            assert_eq!(Address::parse(url).unwrap().protection, expected, "{url}");
        }
        let named = "postgres://og@db.example/onegrid?sslrootcert=%2Fetc%2Fog%2Fca.pem&user=x";
        let named = Address::parse(named).unwrap();
        assert_eq!(named.roots, Some(PathBuf::from("/etc/og/ca.pem")));
        assert_eq!(named.config.get_user(), Some("x"));
    }

    #[test]
    fn address_that_leaves_something_open_is_refused() {
        for (url, expected) in [
            ("mysql://og@db/onegrid", "scheme"),
            ("postgres://og@db/onegrid?sslmode=prefer", "sslmode"),
            ("postgres://og@db/onegrid?what=1", "form"),
            ("postgres://og@db", "database"),
            ("postgres:///onegrid", "host"),
            ("postgres://og@db/onegrid?sslrootcert=%2", "sslrootcert"),
        ] {
            let refused = Address::parse(url).err();
            assert!(
                matches!(&refused, Some(StoreError::Address(part)) if *part == expected),
                "{url}: {refused:?}"
            );
        }
    }
}
