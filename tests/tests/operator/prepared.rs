//! A deployment is made: all of it or nothing, also when the command is broken off and given again.

use std::path::Path;

use onegrid_server::admin::data_dir::DataDir;
use onegrid_tests::onegrid::Operator;

#[test]
fn a_deployment_is_made_once_and_its_root_key_leaves_the_folder() {
    let operator = Operator::new();
    let early = operator.run(&["status"]);
    assert_eq!(early.code, 3, "{early:?}");
    assert!(early.err.contains("data.not_prepared"), "{early:?}");
    operator.ok(&["init", "--root-key", "root.key"]);
    let root = std::fs::read_to_string(operator.path("root.key")).unwrap();
    assert!(root.starts_with("onegrid root key v1\n"));
    let twice = operator.run(&["init", "--root-key", "second.key"]);
    assert_eq!(twice.code, 3, "{twice:?}");
    assert!(twice.err.contains("data.prepared"), "{twice:?}");
    assert!(!operator.path("second.key").exists());
}

#[test]
fn a_root_key_that_is_there_is_never_overwritten() {
    let operator = Operator::new();
    std::fs::write(operator.path("root.key"), "of another deployment").unwrap();
    let refused = operator.run(&["init", "--root-key", "root.key"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("keys.exist"), "{refused:?}");
    let kept = std::fs::read_to_string(operator.path("root.key")).unwrap();
    assert_eq!(kept, "of another deployment");
    operator.ok(&["init", "--root-key", "other.key"]);
    operator.ok(&["verify"]);
}

/// A deployment whose last steps have not been made: all is ready, the root key has its file.
fn broken_off(with_keys_in_place: bool) -> Operator {
    let operator = Operator::new();
    operator.ok(&["init", "--root-key", "root.key"]);
    let data = DataDir::at(&operator.path("data"));
    let ready = DataDir::at(&operator.path("data/preparing"));
    ready.make().unwrap();
    std::fs::rename(data.database(), ready.database()).unwrap();
    if !with_keys_in_place {
        std::fs::rename(data.keys(), ready.keys()).unwrap();
    }
    operator
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn an_init_that_was_broken_off_goes_on_with_the_root_key_that_has_its_file() {
    for with_keys_in_place in [false, true] {
        let operator = broken_off(with_keys_in_place);
        let root = bytes(&operator.path("root.key"));
        let serve = operator.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(serve.err.contains("data.not_prepared"), "{serve:?}");
        operator.ok(&["init", "--root-key", "root.key"]);
        assert_eq!(bytes(&operator.path("root.key")), root);
        operator.ok(&["verify"]);
        operator.serve().stop();
        assert!(!operator.path("data/preparing").exists());
    }
}

#[test]
fn what_is_ready_under_another_root_key_is_not_gone_on_with() {
    let operator = broken_off(false);
    operator.ok(&["init", "--root-key", "second.key"]);
    operator.ok(&["verify"]);
    let operator = broken_off(true);
    let keys = bytes(&operator.path("data/server.keys"));
    let refused = operator.run(&["init", "--root-key", "second.key"]);
    assert!(refused.err.contains("data.prepared"), "{refused:?}");
    assert!(!operator.path("second.key").exists());
    assert_eq!(bytes(&operator.path("data/server.keys")), keys);
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The paths of a folder that other users can open.
#[cfg(unix)]
fn open_in(folder: &Path) -> Vec<std::path::PathBuf> {
    let inside = std::fs::read_dir(folder).unwrap();
    let inside = inside.map(|entry| entry.unwrap().path());
    let all = std::iter::once(folder.to_owned()).chain(inside);
    all.filter(|path| mode(path) & 0o077 != 0).collect()
}

#[cfg(unix)]
#[test]
fn files_of_a_deployment_are_for_their_owner_alone() {
    let none = Vec::<std::path::PathBuf>::new();
    let operator = Operator::new();
    // The operator has made the folder, with access for others.
    std::fs::create_dir(operator.path("data")).unwrap();
    open_to_all(&operator.path("data"));
    operator.ok(&["init", "--root-key", "root.key"]);
    let data = operator.path("data");
    assert_eq!(open_in(&data), none);
    for name in ["onegrid.db", "server.keys"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    let server = operator.serve();
    operator.ok(&["status"]);
    assert!(data.join("onegrid.db-wal").exists());
    assert_eq!(open_in(&data), none);
    operator.ok(&["backup", "copy"]);
    assert_eq!(open_in(&operator.path("copy")), none);
    server.stop();

    // A deployment of an older version is open to others, and so are its backups.
    for path in [
        data.clone(),
        data.join("onegrid.db"),
        data.join("server.keys"),
        operator.path("copy"),
        operator.path("copy/onegrid.db"),
    ] {
        open_to_all(&path);
    }
    let server = operator.serve();
    assert_eq!(open_in(&data), none);
    server.stop();
    operator.ok(&["restore", "copy"]);
    assert_eq!(open_in(&data), none);
}

#[test]
fn lock_file_exists_only_while_a_server_runs() {
    let operator = Operator::new();
    operator.ok(&["init", "--root-key", "root.key"]);
    let lock = operator.path("data/serve.lock");
    assert!(!lock.exists());
    let server = operator.serve();
    assert!(lock.exists());
    server.stop();
    assert!(!lock.exists());
    // A killed server leaves the file, which is no lock any more.
    operator.serve().kill();
    assert!(lock.exists());
    let status = operator.json(&["status", "--json"]);
    assert_eq!(status["serving"], false);
    operator.serve().stop();
    assert!(!lock.exists());
}
