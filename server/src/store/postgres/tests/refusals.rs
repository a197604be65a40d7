//! Servers, databases and users that a node refuses, each with its own code.

use std::io::Write as _;

use super::server::connect;
use super::*;
use crate::store::postgres::convert::{Columns as _, values};

fn refusal(url: &str) -> StoreError {
    PostgresStore::open(url, PostgresOptions::default())
        .err()
        .expect("it is refused")
}

fn is_unsuitable(error: &StoreError, setting: &str) -> bool {
    matches!(error, StoreError::Unsuitable(found) if *found == setting)
}

#[test]
fn settings_that_could_lose_acknowledged_data_are_refused() {
    for setting in ["fsync", "full_page_writes"] {
        let Some(server) = Server::start(&[&format!("{setting} = off")]) else {
            return;
        };
        let error = refusal(&server.url("postgres"));
        assert!(is_unsuitable(&error, setting), "{error:?}");
        assert_eq!(error.code(), "store.unsuitable");
    }
    let database = Database::new().unwrap();
    drop(database.store());
    let admin = connect(&database.url);
    let name = database.url.split(['/', '?']).nth(3).unwrap();
    admin
        .run(&format!(
            "ALTER DATABASE {name} SET synchronous_commit = off"
        ))
        .unwrap();
    let error = refusal(&database.url);
    assert!(is_unsuitable(&error, "synchronous_commit"), "{error:?}");
    admin
        .run(&format!(
            "ALTER DATABASE {name} SET synchronous_commit = local"
        ))
        .unwrap();
    drop(database.store());
}

#[test]
fn database_in_another_encoding_is_refused() {
    let Some(server) = shared() else { return };
    connect(&server.url("postgres"))
        .run("CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        .unwrap();
    let error = refusal(&server.url("ascii"));
    assert!(is_unsuitable(&error, "server_encoding"), "{error:?}");
}

#[test]
fn newer_schema_is_refused_and_stays() {
    let Some(database) = Database::new() else {
        return;
    };
    note(&database.node(), "here", 1).unwrap();
    let admin = connect(&database.url);
    admin.run("UPDATE schema_version SET version = 99").unwrap();
    let error = refusal(&database.url);
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error:?}"
    );
    admin.run("UPDATE schema_version SET version = 1").unwrap();
    assert_eq!(noted(&database.node(), "here"), Some(1));
}

#[test]
fn database_of_another_program_is_refused_and_stays() {
    let Some(database) = Database::new() else {
        return;
    };
    let admin = connect(&database.url);
    admin.run("CREATE TABLE members (name text)").unwrap();
    let error = refusal(&database.url);
    assert_eq!(error.code(), "store.damaged", "{error:?}");
    let left = "SELECT relname::text FROM pg_class
                WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    assert_eq!(admin.all(left, values![]).unwrap().len(), 1);
}

#[test]
fn wrong_password_user_database_and_rights_are_denied() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let admin = connect(&server.url("postgres"));
    admin
        .run(
            "SET password_encryption = 'scram-sha-256';
             CREATE ROLE guarded LOGIN PASSWORD 'right: long';
             CREATE ROLE guest LOGIN",
        )
        .unwrap();
    admin.run("CREATE DATABASE mine OWNER guarded").unwrap();
    let rules = server.folder().join("data/pg_hba.conf");
    let before = std::fs::read(&rules).unwrap();
    let mut file = std::fs::File::create(&rules).unwrap();
    file.write_all(b"local all guarded scram-sha-256\n")
        .unwrap();
    file.write_all(&before).unwrap();
    admin.run("SELECT pg_reload_conf()").unwrap();
    let url = |user: &str, database: &str| {
        let folder = server.folder().to_str().unwrap();
        format!("postgres:///{database}?host={folder}&user={user}")
    };
    let with = |password: &str| PostgresOptions {
        password: Some(password.to_owned()),
        ..Default::default()
    };
    // The rules are read again a moment after the order.
    let guarded = url("guarded", "mine");
    super::server::until("the password is asked", || {
        PostgresStore::open(&guarded, with("wrong")).is_err()
    });
    let denied = PostgresStore::open(&guarded, with("wrong")).err().unwrap();
    assert_eq!(denied.code(), "store.denied", "{denied:?}");
    let said = format!("{denied:?} {:?}", with("right: long"));
    assert!(!said.contains("wrong:") && !said.contains("right: long"));
    for (user, database) in [("nobody", "mine"), ("guest", "nowhere"), ("guest", "mine")] {
        let denied = refusal(&url(user, database));
        assert_eq!(
            denied.code(),
            "store.denied",
            "{user} {database} {denied:?}"
        );
    }
    let store: Arc<dyn Store> =
        Arc::new(PostgresStore::open(&guarded, with("right: long")).unwrap());
    note(&store, "mine", 1).unwrap();
}

#[test]
fn user_without_a_free_connection_is_told_so() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let admin = connect(&server.url("postgres"));
    admin
        .run("CREATE ROLE few LOGIN CONNECTION LIMIT 1")
        .unwrap();
    admin.run("CREATE DATABASE small OWNER few").unwrap();
    let folder = server.folder().to_str().unwrap();
    let url = format!("postgres:///small?host={folder}&user=few");
    // The writer takes the only connection.
    let store: Arc<dyn Store> =
        Arc::new(PostgresStore::open(&url, PostgresOptions::default()).unwrap());
    note(&store, "a", 1).unwrap();
    let crowded = store.read(|tx| tx.meta("a")).unwrap_err();
    assert_eq!(crowded.code(), "store.crowded", "{crowded:?}");
    admin.run("ALTER ROLE few CONNECTION LIMIT 2").unwrap();
    super::server::until("a reader finds a place", || {
        store.read(|tx| tx.meta("a")).is_ok()
    });
}

#[test]
fn database_that_only_reads_says_so_and_is_read() {
    let Some(database) = Database::new() else {
        return;
    };
    note(&database.node(), "a", 1).unwrap();
    let admin = connect(&database.url);
    let name = database.url.split(['/', '?']).nth(3).unwrap();
    let set = |value: &str| {
        let order = format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
        admin.run(&order).unwrap();
    };
    set("on");
    let store = database.node();
    assert_eq!(noted(&store, "a"), Some(1));
    let refused = note(&store, "a", 2).unwrap_err();
    assert_eq!(refused.code(), "store.read_only", "{refused:?}");
    set("off");
    note(&database.node(), "a", 3).unwrap();
}

#[test]
fn nobody_at_the_address_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "postgres:///onegrid?host={}&user=onegrid",
        folder.path().to_str().unwrap()
    );
    assert_eq!(refusal(&url).code(), "store.unavailable");
}

#[test]
fn server_of_another_name_or_signer_is_refused() {
    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tls/ca.pem");
    let Some((_server, port)) = Server::start_with_tls() else {
        return;
    };
    let url = |rest: &str| format!("postgres://onegrid@127.0.0.1:{port}/postgres?{rest}");
    let encrypted = |url: &str| {
        drop(PostgresStore::open(url, PostgresOptions::default()).unwrap());
        let row = connect(url).one(
            "SELECT ssl::int::bigint FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            values![],
        );
        row.unwrap().unwrap().flag(0).unwrap()
    };
    assert!(encrypted(&url(&format!(
        "sslmode=verify-full&sslrootcert={ROOT}"
    ))));
    assert!(encrypted(&url("sslmode=require")));
    assert!(!encrypted(&url("sslmode=disable")));
    // The public authorities did not sign it.
    let refused = refusal(&url("sslmode=verify-full"));
    assert!(
        matches!(refused, StoreError::Address("certificate")),
        "{refused:?}"
    );
    // The right signer, another name: a foreign server.
    let other = format!(
        "postgres://onegrid@db.example:{port}/postgres?hostaddr=127.0.0.1&sslrootcert={ROOT}"
    );
    let refused = refusal(&other);
    assert!(
        matches!(refused, StoreError::Address("certificate")),
        "{refused:?}"
    );
}
