//! Accounts when the database does not open.

use super::*;

/// Whether an account is asked must not hang on limits that the caller sets.
#[test]
fn command_without_an_open_store_is_refused_unasked() {
    let desk = Desk::with_demo();
    desk.ok(&["admins", "add", "boss", "--role", "operator"]);
    let database = std::path::Path::new(&desk.path("data")).join("onegrid.db");
    std::fs::write(database, "no database").unwrap();
    let request = desk.path("request");
    let ran = desk.run(&["keys", "request", &request, "--actor", "aud"]);
    assert_ne!(ran.code, 0, "{}", ran.out);
    assert!(ran.err.contains("[store."), "{}", ran.err);
    assert!(!std::path::Path::new(&request).exists());
    let verified = desk.run(&["verify", "--actor", "aud"]);
    assert!(!verified.err.contains("[admin."), "{}", verified.err);
    assert_ne!(verified.code, 0);
}
