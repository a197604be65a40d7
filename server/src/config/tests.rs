#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::path::PathBuf;

use onegrid_core::texts::Lang;

use super::*;
use crate::error::Problem;

fn load(file: Option<&str>, env: &[(&str, &str)], flags: &[&str]) -> Result<Effective, Problem> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onegrid.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    Effective::load(&Inputs {
        file: file.map(|_| path),
        env: env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        flags: flags.iter().map(|f| (*f).to_owned()).collect(),
    })
}

fn refused(file: Option<&str>, env: &[(&str, &str)], flags: &[&str]) -> Problem {
    load(file, env, flags).unwrap_err()
}

fn source<'a>(effective: &'a Effective, name: &str) -> &'a Source {
    &effective
        .settings
        .iter()
        .find(|s| s.key.name == name)
        .unwrap()
        .source
}

#[test]
fn every_default_is_a_value_of_its_kind_and_the_defaults_start() {
    for key in KEYS {
        if let Some(raw) = key.default {
            assert!(key.kind.read(raw).is_some(), "{}", key.dotted());
        }
    }
    let effective = load(None, &[], &[]).unwrap();
    assert!(effective.config.server.listen.ip().is_loopback());
    assert!(
        effective
            .settings
            .iter()
            .all(|s| s.source == Source::Default)
    );
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let file = "[limits]\nbody_bytes_max = 10_000\nrequests_max = 5\n\n[log]\nformat = \"json\"\n";
    let env = [
        ("ONEGRID_LIMITS__REQUESTS_MAX", "6"),
        ("ONEGRID_LOG__FORMAT", "text"),
        ("HOME", "/"),
    ];
    let effective = load(Some(file), &env, &["log.format=json", "log.format = text"]).unwrap();
    let config = &effective.config;
    assert_eq!(config.limits.body_bytes_max, 10_000);
    assert_eq!(config.limits.requests_max, 6);
    assert_eq!(config.log.format, LogFormat::Text);
    assert!(matches!(
        source(&effective, "body_bytes_max"),
        Source::File(_, 2)
    ));
    assert_eq!(
        *source(&effective, "requests_max"),
        Source::Env("ONEGRID_LIMITS__REQUESTS_MAX".into())
    );
    assert_eq!(*source(&effective, "format"), Source::Flag);
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_one_on_every_layer() {
    for problem in [
        refused(Some("[server]\nlistn = \"x\"\n"), &[], &[]),
        refused(None, &[("ONEGRID_SERVER__LISTN", "x")], &[]),
        refused(None, &[], &["server.listn=x"]),
        refused(None, &[], &["store.listen=x"]),
    ] {
        assert_eq!(problem.code(), "config.unknown_key");
        assert!(
            problem.sentence(Lang::En).contains("server.listen"),
            "{problem:?}"
        );
    }
    let stray = refused(None, &[("ONEGRID_STORE_PATH", "x")], &[]);
    assert!(stray.sentence(Lang::Zh).contains("ONEGRID_STORE__PATH"));
    let far = refused(None, &[], &["colour.of_sky=blue"]);
    assert!(far.sentence(Lang::En).contains("check-config"));
}

#[test]
fn a_wrong_value_names_setting_source_and_what_is_expected() {
    let file = "[server]\n\nlisten = \"nowhere\"\n";
    let problem = refused(Some(file), &[], &[]);
    assert_eq!(problem.code(), "config.bad_value");
    let sentence = problem.sentence(Lang::En);
    assert!(
        sentence.contains("server.listen") && sentence.contains("line 3"),
        "{sentence}"
    );

    for text in [
        "[limits]\nrequests_max = 0\n",
        "[limits]\nrequests_max = -1\n",
        "[limits]\nrequests_max = 99999999999999999999999\n",
        "[limits]\nrequests_max = \"7\"\n",
        "[limits]\nrequests_max = 0x10\n",
        "[server]\nplain = \"yes\"\n",
        "[server]\nplain = 1\n",
        "[store]\npath = \"\"\n",
        "[store]\npath = [1]\n",
        "[log]\nformat = \"xml\"\n",
        "[log]\nfilter = \"a=b=c\"\n",
        "[log]\nfilter = \"inf\"\n",
        "[log]\nfilter = \"warn,关\"\n",
    ] {
        assert_eq!(
            refused(Some(text), &[], &[]).code(),
            "config.bad_value",
            "{text}"
        );
    }
}

#[test]
fn a_file_that_is_no_configuration_is_refused_with_its_line() {
    let problem = refused(
        Some("[server]\nlisten = \"127.0.0.1:1\"\nplain = = 1\n"),
        &[],
        &[],
    );
    assert_eq!(problem.code(), "config.syntax");
    assert!(problem.sentence(Lang::En).contains("Line 3"), "{problem:?}");
    assert_eq!(
        refused(Some("listen = 1\n"), &[], &[]).code(),
        "config.no_section"
    );
    assert_eq!(refused(None, &[], &["listen"]).code(), "config.no_value");
    let endless = "#".repeat(300_000);
    assert_eq!(refused(Some(&endless), &[], &[]).code(), "config.too_large");
    let missing = Inputs {
        file: Some(PathBuf::from("no/such/file")),
        ..Inputs::default()
    };
    assert_eq!(
        Effective::load(&missing).unwrap_err().code(),
        "config.unreadable"
    );
}

#[test]
fn a_server_open_to_others_needs_tls_or_a_word_that_a_proxy_does_it() {
    let open = "server.listen=0.0.0.0:443";
    assert_eq!(refused(None, &[], &[open]).code(), "config.tls_missing");
    assert!(load(None, &[], &[open, "server.plain=true"]).is_ok());
    assert_eq!(
        refused(None, &[], &["server.tls_cert=a.pem"]).code(),
        "config.tls_half"
    );
    let tls = load(
        None,
        &[],
        &[open, "server.tls_cert=a.pem", "server.tls_key=b.pem"],
    )
    .unwrap();
    assert_eq!(tls.config.server.tls.unwrap().key, PathBuf::from("b.pem"));
}

#[test]
fn a_path_in_the_file_counts_from_the_file() {
    let effective = load(Some("[store]\npath = \"data\"\n"), &[], &[]).unwrap();
    assert!(effective.config.store.path.is_absolute());
    let flag = load(None, &[], &["store.path=data"]).unwrap();
    assert_eq!(flag.config.store.path, PathBuf::from("data"));
}
