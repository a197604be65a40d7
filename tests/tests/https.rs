//! The listener with TLS, met by a real client.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use onegrid_server::api::{self, Listener, Patience, Shell, Shutdown};
use onegrid_server::config::{Config, Effective, Inputs};
use onegrid_server::metrics::Metrics;
use reqwest::Certificate;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("data/tls")
        .join(name)
}

fn config(cert: &std::path::Path, key: &std::path::Path) -> Config {
    let flags = vec![
        "server.listen=127.0.0.1:0".to_owned(),
        format!("server.tls_cert={}", cert.display()),
        format!("server.tls_key={}", key.display()),
    ];
    Effective::load(&Inputs {
        flags,
        ..Inputs::default()
    })
    .unwrap()
    .config
}

#[tokio::test]
async fn a_client_that_trusts_the_root_speaks_http2_and_one_that_speaks_plain_gets_nothing() {
    let config = config(&file("server.pem"), &file("server.key"));
    let shell = Shell::new(&config, Metrics::new(), Arc::new(|| Ok(())));
    let listener = Listener::bind(&config).unwrap();
    let (address, url) = (listener.address(), listener.url());
    assert!(url.starts_with("https://"));
    let (trigger, shutdown) = Shutdown::new();
    let served =
        tokio::spawn(listener.serve(api::shell(Router::new(), Router::new(), &shell), shutdown));

    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = Certificate::from_pem(&std::fs::read(file("ca.pem")).unwrap()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([root])
        .build()
        .unwrap();
    let answer = client.get(format!("{url}/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);

    let stranger = reqwest::Client::builder()
        .tls_certs_only([])
        .build()
        .unwrap();
    assert!(stranger.get(format!("{url}/healthz")).send().await.is_err());

    let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard).await;
    assert!(
        !String::from_utf8_lossy(&heard).contains("HTTP/1.1"),
        "{heard:?}"
    );

    drop(client);
    trigger.stop();
    served.await.unwrap().unwrap();
}

/// One peer never begins the handshake, and one ends it and then says nothing.
#[tokio::test]
async fn silent_peers_of_a_tls_listener_are_closed() {
    use std::io::Read as _;
    let config = config(&file("server.pem"), &file("server.key"));
    let shell = Shell::new(&config, Metrics::new(), Arc::new(|| Ok(())));
    let wait = std::time::Duration::from_millis(500);
    let listener = Listener::bind(&config).unwrap().with_patience(Patience {
        handshake: wait,
        head: wait,
        farewell: wait,
        ..Patience::default()
    });
    let address = listener.address();
    let (_trigger, shutdown) = Shutdown::new();
    tokio::spawn(listener.serve(api::shell(Router::new(), Router::new(), &shell), shutdown));

    let mut before = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(before.read(&mut [0; 1]).await.unwrap_or_default(), 0);

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    let root = rustls::pki_types::CertificateDer::from_pem_file(file("ca.pem")).unwrap();
    roots.add(root).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let ended = tokio::task::spawn_blocking(move || {
        let name = "127.0.0.1".try_into().unwrap();
        let session = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
        let socket = std::net::TcpStream::connect(address).unwrap();
        let mut stream = rustls::StreamOwned::new(session, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream.read(&mut [0; 1]).unwrap_or_default()
    });
    assert_eq!(ended.await.unwrap(), 0);
}

#[test]
fn certificate_and_key_that_do_not_fit_are_refused_before_anything_listens() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, b"").unwrap();
    for (cert, key) in [
        (file("server.pem"), file("other.key")),
        (file("server.key"), file("server.key")),
        (file("server.pem"), file("server.pem")),
        (empty.clone(), file("server.key")),
        (file("server.pem"), empty.clone()),
        (file("no_such.pem"), file("server.key")),
    ] {
        let problem = Listener::bind(&config(&cert, &key)).unwrap_err();
        assert_eq!(problem.code(), "config.tls_unreadable", "{cert:?} {key:?}");
    }
}
