//! The address of a database server, which may carry a password that no output shows.

use std::fmt;
use std::path::Path;

use crate::error::{Problem, Result};
use crate::limits::PASSWORD_FILE_BYTES_MAX;

/// An address `postgres://user@host:port/database?sslmode=verify-full`.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Parses an address; `None` for another kind of address, and for a password among the options, where it
    /// could not be hidden.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let rest = SCHEMES.iter().find_map(|scheme| raw.strip_prefix(scheme))?;
        let options = rest.split_once('?').map_or("", |(_, options)| options);
        let has_password = options
            .split('&')
            .any(|option| option.to_ascii_lowercase().starts_with("password="));
        (!rest.is_empty() && !has_password).then(|| Self(raw.to_owned()))
    }

    /// The address with its password, for the connection alone.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// Whether the address carries a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password().is_some()
    }

    /// Place of the password in the text.
    fn password(&self) -> Option<std::ops::Range<usize>> {
        let begin = self.0.find("://")? + 3;
        let rest = &self.0[begin..];
        let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
        let user = &authority[..authority.rfind('@')?];
        let colon = user.find(':')?;
        Some(begin + colon + 1..begin + user.len())
    }
}

impl fmt::Display for DatabaseUrl {
    /// Shows the address without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.password() {
            Some(hidden) => write!(f, "{}***{}", &self.0[..hidden.start], &self.0[hidden.end..]),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A password. Nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a password of the environment.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Reads the first line of a file.
    pub fn read(path: &Path) -> Result<Self> {
        let unreadable = |error: &dyn std::error::Error| {
            Problem::new("config.unreadable")
                .with("file", path.display())
                .because(error)
        };
        let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
        let mut text = String::new();
        std::io::Read::read_to_string(
            &mut std::io::Read::take(file, PASSWORD_FILE_BYTES_MAX),
            &mut text,
        )
        .map_err(|error| unreadable(&error))?;
        Ok(Self(text.lines().next().unwrap_or_default().to_owned()))
    }

    /// The password, for the connection alone.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    #[test]
    fn address_is_shown_without_its_password() {
        let shown = |raw| DatabaseUrl::parse(raw).map(|url| format!("{url} {url:?}"));
        for (raw, expected) in [
            (
                "postgres://og:s3cr:et@db:5432/og",
                "postgres://og:***@db:5432/og",
            ),
            ("postgres://og:a@b@db/og?x=1", "postgres://og:***@db/og?x=1"),
            (
                "postgresql://og@db/og?host=/run/og@1:2",
                "postgresql://og@db/og?host=/run/og@1:2",
            ),
            ("postgres:///og?host=/tmp", "postgres:///og?host=/tmp"),
        ] {
            assert_eq!(shown(raw).unwrap(), format!("{expected} {expected}"));
        }
        for raw in [
            "mysql://db/og",
            "postgres://",
            "/var/lib",
            "postgres://db/og?Password=x",
        ] {
            assert_eq!(shown(raw), None, "{raw}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "geheim\nmore\n").unwrap();
        let password = Password::read(&file).unwrap();
        assert_eq!(
            (password.secret(), format!("{password:?}").as_str()),
            ("geheim", "***")
        );
    }
}
