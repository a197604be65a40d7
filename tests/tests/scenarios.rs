//! Every scenario of `mobile-bindings/scenarios`, played through `onegrid-ffi` against the testbed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use onegrid_tests::scenario::sdk::FfiSdk;
use onegrid_tests::scenario::{Scenario, play};
use onegrid_tests::testbed::Client;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../mobile-bindings/scenarios")
}

fn played(name: &str) {
    let scenario = Scenario::read(&folder().join(format!("{name}.json")))
        .unwrap_or_else(|why| panic!("{name}: {why}"));
    assert_eq!(scenario.name, name, "the name is that of the file");
    let mut testbed = Client::start(env!("CARGO_BIN_EXE_testbed"), &[]);
    let mut sdk = FfiSdk::default();
    if let Err(why) = play(&scenario, &mut testbed, &mut sdk) {
        panic!("{why}");
    }
}

macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {
        const PLAYED: &[&str] = &[$(stringify!($name)),+];

        $(
            #[test]
            fn $name() {
                played(stringify!($name));
            }
        )+
    };
}

scenarios!(
    bad_invitations,
    courier,
    dispute,
    first_sync_on_a_bad_line,
    gas_cylinders,
    joint_call,
    live_and_listeners,
    lost_key,
    meeting,
    patrol,
    photos_before_and_after,
    revoked_phone,
    shared_device,
    suspend_in_a_sync,
    two_people_one_visit,
    two_phones_one_hazard,
    visits_offline_round,
);

#[test]
fn every_file_of_the_folder_is_played() {
    let files = std::fs::read_dir(folder()).expect("the scenarios are part of the project");
    let files: BTreeSet<String> = files
        .filter_map(|file| {
            let name = file.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".json")?.to_owned())
        })
        .collect();
    let played: BTreeSet<String> = PLAYED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(files, played);
}
