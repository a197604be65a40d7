//! A phone in a process of its own, to be killed. `killed_phone FOLDER SEED STREAM STORY NOW_MS`
//! lives a story; `killed_phone meet ADDRESS FOLDER SEED STREAM` calls another phone, or with `-`
//! waits for its call.
#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

use std::path::PathBuf;

use onegrid_tests::killed::life::{Life, bytes_of};
use onegrid_tests::killed::meeting::meet;
use onegrid_tests::sim::chance::Chance;
use onegrid_tests::town::Card;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("FOLDER SEED STREAM STORY NOW_MS");
    let mut folder = next();
    let address = (folder == "meet").then(&mut next);
    if address.is_some() {
        folder = next();
    }
    let folder = PathBuf::from(folder);
    let seed = bytes_of(&next()).unwrap().try_into().unwrap();
    let stream = next().parse().unwrap();
    if let Some(address) = address {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let phone = Card { name, seed }.open_at(folder, stream);
        return meet(phone, address.parse().ok(), &mut std::io::stdout().lock());
    }
    let story = Chance::new(next().parse().unwrap());
    let now_ms = next().parse().unwrap();
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let life = Life {
        phone: Card { name, seed }.open_at(folder, stream),
        story,
        now_ms,
        out: &mut std::io::stdout().lock(),
        answers: &mut std::io::stdin().lock(),
    };
    life.live();
}
