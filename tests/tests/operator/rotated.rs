//! The server's keys change; the root key stays on a machine of its own.

use onegrid_core::net::Roots;
use onegrid_tests::onegrid::{OnlinePhone, Operator, way_to};

/// Requests, signs and installs; the server must be stopped.
fn change(operator: &Operator, name: &str, options: &[&str]) {
    let (request, list) = (format!("{name}.request"), format!("{name}.list"));
    let mut args = vec!["keys", "request", request.as_str()];
    args.extend_from_slice(options);
    operator.ok(&args);
    operator.ok(&["keys", "sign", &request, &list, "--root-key", "root.key"]);
    operator.ok(&["keys", "install", &list]);
}

const ALL_LEAKED: [&str; 6] = [
    "--leaked",
    "certificates",
    "--leaked",
    "receipts",
    "--leaked",
    "packs",
];

fn number(phone: &OnlinePhone) -> u64 {
    phone.replica().anchors().unwrap().list().number
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_follow_to_new_keys_and_lose_nothing() {
    for options in [
        &["--retire", "receipts", "--retire", "packs"][..],
        &ALL_LEAKED,
    ] {
        let operator = Operator::with_demo();
        let server = operator.serve();
        let way = way_to(&server.url, Roots::default());
        let code = operator.invite("demo-lead");
        let mut phone = OnlinePhone::enrol(&code, &way).await.unwrap();
        let before = phone.report("换钥之前");
        phone.sync().await;
        let listed = number(&phone);
        let offline = phone.report("换钥之时");
        let served = operator.run(&["keys", "install", "nothing"]);
        assert_ne!(served.code, 0, "{served:?}");
        server.stop();
        change(&operator, "change", options);

        let server = operator.serve();
        let way = way_to(&server.url, Roots::default());
        phone.move_to(&way);
        phone.sync().await;
        assert!(number(&phone) > listed);
        // A phone that knows the new keys alone reads everything, the authors included.
        let fresh = OnlinePhone::enrol(&operator.invite("demo-lead"), &way)
            .await
            .unwrap();
        fresh.sync().await;
        for (record, title) in [(before, "换钥之前"), (offline, "换钥之时")] {
            assert_eq!(fresh.title(record).as_deref(), Some(title));
            let loaded = fresh.replica().load(record).unwrap().unwrap();
            assert!(loaded.nodes()[0].certificate.is_some());
        }
        server.stop();
        operator.ok(&["verify"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_with_older_keys_is_refused() {
    let operator = Operator::with_demo();
    operator.ok(&["backup", "before"]);
    let elsewhere = Operator::new();
    elsewhere.ok(&["restore", operator.path("before").to_str().unwrap()]);
    change(&operator, "change", &ALL_LEAKED);
    let server = operator.serve();
    let way = way_to(&server.url, Roots::default());
    let mut phone = OnlinePhone::enrol(&operator.invite("demo-lead"), &way)
        .await
        .unwrap();
    phone.sync().await;
    let imitated = elsewhere.serve();
    phone.move_to(&way_to(&imitated.url, Roots::default()));
    let refused = phone.driver.sync_once().await.err().unwrap();
    assert_eq!(refused.code(), "session.older_keys");
    // The same backup under the keys of today is this deployment again.
    server.stop();
    operator.ok(&["restore", "before"]);
    let restored = operator.serve();
    phone.move_to(&way_to(&restored.url, Roots::default()));
    phone.sync().await;
}

#[test]
fn list_of_another_request_is_not_installed() {
    let operator = Operator::with_demo();
    let installed = |list: &str| operator.run(&["keys", "install", list]);
    operator.ok(&["keys", "request", "one", "--retire", "receipts"]);
    operator.ok(&["keys", "request", "two", "--retire", "receipts"]);
    for name in ["one", "two"] {
        let list = format!("{name}.list");
        operator.ok(&["keys", "sign", name, &list, "--root-key", "root.key"]);
    }
    let of_another = installed("one.list");
    assert!(
        of_another.err.contains("keys.list_of_another_request"),
        "{of_another:?}"
    );
    assert_eq!(installed("two.list").code, 0);
    let again = installed("two.list");
    assert!(again.err.contains("keys.nothing_requested"), "{again:?}");
    let other = Operator::with_demo();
    let root = other.path("root.key");
    let foreign = operator.run(&[
        "keys",
        "sign",
        "two",
        "foreign.list",
        "--root-key",
        root.to_str().unwrap(),
    ]);
    assert!(
        foreign.err.contains("keys.of_another_deployment"),
        "{foreign:?}"
    );
    assert!(operator.out(&["keys", "list"]).contains("receipts"));
}

#[test]
fn list_without_the_roots_signature_names_the_next_step() {
    let requested = || {
        let one = Operator::with_demo();
        one.ok(&["keys", "request", "request"]);
        one.ok(&["keys", "sign", "request", "list", "--root-key", "root.key"]);
        one
    };
    // The list of the other deployment is older, and its number is lower than any number here.
    let (other, operator) = (requested(), requested());
    let refused = |code: i32, args: &[&str], expected: &str, next: &str| {
        let ran = operator.run(args);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.err.contains(&format!("[{expected}]")), "{ran:?}");
        assert!(ran.err.contains(next), "{ran:?}");
    };
    let install = |list| ["keys", "install", list];
    let (foreign, sign) = (other.path("list"), "onegrid keys sign");
    let foreign = foreign.to_str().unwrap();
    refused(4, &install("request"), "keys.list_unsigned", sign);
    refused(4, &install(foreign), "keys.list_not_signed", sign);
    std::fs::write(operator.path("noise"), "onegrid key list v1\n00").unwrap();
    refused(3, &install("noise"), "keys.list_damaged", sign);
    let by = |request, root| ["keys", "sign", request, "new", "--root-key", root];
    let request = "onegrid keys request";
    refused(3, &by("list", "root.key"), "keys.request_damaged", request);
    refused(3, &by("request", "list"), "keys.no_root_key", "--root-key");
    operator.ok(&install("list"));
}
