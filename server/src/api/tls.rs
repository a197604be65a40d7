//! TLS of the listener: rustls with ring, TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1. Renewed files are taken while the
//! server runs.

use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::validity::ends_ms;
use crate::config::TlsFiles;
use crate::error::{Phrase, Problem, Result};
use crate::limits::{TLS_ENDS_SOON_MS, TLS_FILE_BYTES_MAX};

/// The certificate of the listener. New connections use the newest one.
#[derive(Debug)]
pub struct Tls {
    current: RwLock<Current>,
}

#[derive(Debug, Clone)]
struct Current {
    config: Arc<ServerConfig>,
    /// The last instant of the certificate, ms UTC; `None` if it has another form.
    ends_ms: Option<i64>,
    /// Whether other users of this machine can read the key.
    key_is_open: bool,
}

impl Tls {
    /// Reads certificate chain and key. Refuses files that are unreadable or empty, and a key that does
    /// not fit the certificate.
    pub fn load(files: &TlsFiles) -> Result<Self> {
        Ok(Self {
            current: RwLock::new(Current::load(files)?),
        })
    }

    /// Takes renewed files. The certificate before stays when they cannot be used.
    pub fn reload(&self, files: &TlsFiles) -> Result<()> {
        let next = Current::load(files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Accepts a connection with the newest certificate.
    #[must_use]
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current().config)
    }

    /// Warnings about the files for an administrator, at an instant (ms UTC).
    #[must_use]
    pub fn warnings(&self, now_ms: i64) -> Vec<Phrase> {
        let Current {
            ends_ms,
            key_is_open,
            ..
        } = self.current();
        let soon_ms = now_ms.saturating_add(TLS_ENDS_SOON_MS);
        let ending = match ends_ms {
            Some(ends_ms) if ends_ms < now_ms => Some("tls.expired"),
            Some(ends_ms) if ends_ms < soon_ms => Some("tls.expires_soon"),
            _ => None,
        };
        let open = key_is_open.then_some("tls.key_open");
        ending.into_iter().chain(open).map(Phrase::new).collect()
    }

    fn current(&self) -> Current {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Current {
    fn load(files: &TlsFiles) -> Result<Self> {
        let broken = |file: &Path, error: &dyn std::error::Error| {
            Problem::new("config.tls_unreadable")
                .with("file", file.display())
                .because(error)
        };
        let cert_pem = read(&files.cert).map_err(|e| broken(&files.cert, &e))?;
        let key_pem = read(&files.key).map_err(|e| broken(&files.key, &e))?;
        let chain = CertificateDer::pem_slice_iter(&cert_pem)
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|e| broken(&files.cert, &e))?;
        let key = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|e| broken(&files.key, &e))?;
        let ends_ms = chain.first().and_then(|own| ends_ms(own));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Problem::new("server.internal").because(&e))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| broken(&files.cert, &e))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            ends_ms,
            key_is_open: is_open_to_all(&files.key),
        })
    }
}

/// Whether every user of this machine can read the file. A group may read it on purpose.
fn is_open_to_all(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(TLS_FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    const CERT: &str = include_str!("../../../tests/data/tls/server.pem");
    const KEY: &str = include_str!("../../../tests/data/tls/server.key");
    /// 2126-10-29 00:26:14 UTC, as openssl says.
    const ENDS_MS: i64 = 4_948_907_174_000;

    fn files() -> (tempfile::TempDir, TlsFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            cert: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
        };
        std::fs::write(&files.cert, CERT).unwrap();
        std::fs::write(&files.key, KEY).unwrap();
        set_mode(&files.key, 0o600);
        (folder, files)
    }

    fn set_mode(path: &Path, mode: u32) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, permissions).unwrap();
        }
    }

    fn codes(tls: &Tls, now_ms: i64) -> Vec<&'static str> {
        tls.warnings(now_ms).iter().map(Phrase::code).collect()
    }

    #[test]
    fn certificate_near_its_end_is_named() {
        let (_folder, files) = files();
        let tls = Tls::load(&files).unwrap();
        assert_eq!(codes(&tls, ENDS_MS - TLS_ENDS_SOON_MS), [""; 0]);
        let soon = ENDS_MS - TLS_ENDS_SOON_MS + 1;
        assert_eq!(codes(&tls, soon), ["tls.expires_soon"]);
        assert_eq!(codes(&tls, ENDS_MS), ["tls.expires_soon"]);
        assert_eq!(codes(&tls, ENDS_MS + 1), ["tls.expired"]);
    }

    #[test]
    fn key_that_everybody_reads_is_named() {
        let (_folder, files) = files();
        set_mode(&files.key, 0o644);
        let tls = Tls::load(&files).unwrap();
        assert_eq!(codes(&tls, 0), ["tls.key_open"]);
        set_mode(&files.key, 0o640);
        tls.reload(&files).unwrap();
        assert_eq!(codes(&tls, 0), [""; 0]);
    }

    #[test]
    fn renewed_files_are_taken_and_broken_ones_are_not() {
        let (_folder, files) = files();
        let tls = Tls::load(&files).unwrap();
        let first = tls.current().config;
        tls.reload(&files).unwrap();
        let second = tls.current().config;
        assert!(!Arc::ptr_eq(&first, &second), "read anew");
        std::fs::write(&files.cert, "no certificate").unwrap();
        let problem = tls.reload(&files).unwrap_err();
        assert_eq!(problem.code(), "config.tls_unreadable");
        assert!(Arc::ptr_eq(&second, &tls.current().config), "kept");
    }
}
