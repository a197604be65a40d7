//! A phone that rescues its replica, to be killed: `killed_rescue FOLDER SEED STREAM NOW_MS`.
#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

use std::path::PathBuf;

use onegrid_tests::killed::life::bytes_of;
use onegrid_tests::town::Card;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("FOLDER SEED STREAM NOW_MS");
    let folder = PathBuf::from(next());
    let seed = bytes_of(&next()).unwrap().try_into().unwrap();
    let stream = next().parse().unwrap();
    let now_ms = next().parse().unwrap();
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let mut phone = Card { name, seed }.at(folder, stream);
    phone.rescue(now_ms).unwrap();
    phone.close();
}
