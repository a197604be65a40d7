//! TLS of the listener: rustls with ring, TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsFiles;
use crate::error::{Problem, Result};
use crate::limits::TLS_FILE_BYTES_MAX;

/// Reads certificate chain and key. Refuses files that are unreadable or empty, and a key that does
/// not fit the certificate.
pub fn load(files: &TlsFiles) -> Result<Arc<ServerConfig>> {
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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Problem::new("server.internal").because(&e))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| broken(&files.cert, &e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(TLS_FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
