//! Scenario 11: the server is lost and comes back from an older backup; the phones give back the data that it
//! lacks.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod rejudged;
mod restored;
mod story;
mod strays;

use std::collections::BTreeMap;

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::content::{Field, FieldValue};
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::sync::report::Incident;
use onegrid_core::wire::verdict::Verdict;
use onegrid_server::rules::Rules;
use onegrid_tests::town::{Extent, Fault, GRID, Phone, STREET, Town, VILLAGE};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use story::*;

#[test]
fn records_that_survive_only_in_packs_come_back_and_work_goes_on_upon_them() {
    let mut story = story(11);
    let town = &mut story.town;
    drop(story.writer);
    drop(story.early);
    town.restore(&story.backup);
    let report = story.late.sync(town);
    assert!(report.equal, "{report:?}");
    is_whole(town);
    let mut other = town.enrol("grid two", "grid_worker", GRID, "");
    for record in &story.records {
        say(town, &mut story.late, *record, "the command room goes on");
    }
    for _ in 0..2 {
        for phone in [&mut story.late, &mut other] {
            let report = phone.sync(town);
            assert!(report.equal, "{}: {report:?}", phone.name);
        }
    }
    for record in &story.records {
        let (here, there) = (
            story.late.replica().row(*record).unwrap().unwrap(),
            other.replica().row(*record).unwrap().unwrap(),
        );
        assert_eq!(here.title, there.title);
        assert!(!here.provisional && here.undelivered == 0);
    }
    is_whole(town);
}

#[test]
fn overlapping_parts_in_any_order_make_everybody_equal() {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut story = story(12);
        story.town.restore(&story.backup);
        let town = &mut story.town;
        let mut phones = [story.writer, story.early, story.late];
        for place in order {
            let report = phones[place].sync(town);
            assert!(report.equal, "{order:?} {}: {report:?}", phones[place].name);
        }
        for phone in &mut phones {
            let report = phone.sync(town);
            assert!(report.equal, "{order:?} {}: {report:?}", phone.name);
            for record in &story.records {
                let row = phone.replica().row(*record).unwrap().unwrap();
                assert!(!row.provisional && row.undelivered == 0, "{order:?}");
            }
        }
        is_whole(town);
    }
}

/// Lets one of the phones make a random act. The order of the syncs decides the envelopes that each phone
/// holds in packs, and those that it holds alone.
fn something_happens(town: &mut Town, phones: &mut [Phone], rng: &mut ChaCha20Rng) {
    let count = u32::try_from(phones.len()).unwrap();
    let who = (rng.next_u32() % count) as usize;
    let rows = phones[who].replica().rows().unwrap();
    let words = format!("words {}", rng.next_u32());
    match rng.next_u32() % 9 {
        0 | 1 => {
            report(town, &mut phones[who], &words);
        }
        2 | 3 if !rows.is_empty() => {
            let record = rows[rng.next_u32() as usize % rows.len()].id;
            say(town, &mut phones[who], record, &words);
        }
        4 => {
            // The server has the envelope, and the phone does not know that, so it will send the envelope
            // again.
            phones[who].turn(town, Fault::AnswerLost);
            phones[who].wake();
        }
        5 if who > 0 => {
            let (one, rest) = phones.split_at_mut(who);
            one[who - 1].meet(&mut rest[0], town);
        }
        _ => {
            phones[who].sync(town);
        }
    }
}

/// Checks that no envelope that a phone held as settled is lost, and that no phone differs from the server in
/// an envelope or a verdict.
fn nothing_is_lost(
    town: &Town,
    phones: &mut [Phone],
    before: &BTreeMap<RecordId, BTreeMap<EnvelopeId, Verdict>>,
    seed: u64,
) {
    for (record, lines) in before {
        let now: BTreeMap<EnvelopeId, Verdict> = there(town, *record)
            .into_iter()
            .map(|line| (line.id, line.verdict))
            .collect();
        for (id, verdict) in lines {
            let kept = now.get(id);
            assert!(kept.is_some(), "seed {seed}: {record} lost {id}");
            assert!(kept.is_some_and(|kept| !verdict.is_later_than(kept)));
        }
    }
    for phone in phones {
        for (record, lines) in held(phone) {
            assert_eq!(lines, there(town, record), "seed {seed}: {}", phone.name);
        }
        assert_eq!(phone.replica().undelivered().unwrap(), 0, "seed {seed}");
    }
}

fn a_scattered_history_comes_back(seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut town = Town::small(seed).with_categories();
    let mut phones = vec![
        town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties"),
        town.enrol("grid", "grid_worker", GRID, ""),
        town.enrol("grid two", "grid_worker", GRID, ""),
        town.enrol("room", "dispatcher", STREET, "wulin-command-room"),
        town.enrol("room two", "dispatcher", STREET, "wulin-command-room"),
    ];
    let mut backups = vec![town.backup()];
    for _ in 0..=(rng.next_u32() % 2) {
        for _ in 0..6 + rng.next_u32() % 20 {
            something_happens(&mut town, &mut phones, &mut rng);
            if rng.next_u32().is_multiple_of(6) {
                backups.push(town.backup());
            }
        }
        if phones.len() > 3 && rng.next_u32().is_multiple_of(3) {
            phones.remove(rng.next_u32() as usize % phones.len());
        }
        let place = rng.next_u32() as usize % backups.len();
        town.pass(1_000);
        town.restore(&backups[place]);
        for _ in 0..rng.next_u32() % 6 {
            something_happens(&mut town, &mut phones, &mut rng);
        }
    }
    let mut before: BTreeMap<RecordId, BTreeMap<EnvelopeId, Verdict>> = BTreeMap::new();
    for phone in &mut phones {
        for (record, lines) in held(phone) {
            let known = before.entry(record).or_default();
            for line in lines {
                let kept = known.entry(line.id).or_insert(line.verdict);
                if line.verdict.is_later_than(kept) {
                    *kept = line.verdict;
                }
            }
        }
    }
    for round in 0..3 {
        for at in (1..phones.len()).rev() {
            phones.swap(at, rng.next_u32() as usize % (at + 1));
        }
        for phone in &mut phones {
            let report = phone.sync(&mut town);
            let what = format!("seed {seed} round {round} {}: {report:?}", phone.name);
            assert!(report.equal, "{what}");
            assert!(!report.incidents.contains(&Incident::Unrepaired), "{what}");
            assert!(round < 2 || report.incidents.is_empty(), "{what}");
        }
    }
    is_whole(&town);
    nothing_is_lost(&town, &mut phones, &before, seed);
}

#[test]
fn a_history_scattered_over_packs_and_single_envelopes_comes_back_whole() {
    for seed in 0..12 {
        a_scattered_history_comes_back(seed);
    }
}

#[test]
#[ignore = "minutes: many more histories"]
fn many_scattered_histories_come_back_whole() {
    for seed in 1_000..1_300 {
        a_scattered_history_comes_back(seed);
    }
}

/// The author uploads a lost envelope again, without knowing that the server had accepted it; a reader has the
/// earlier verdict. Both hold the same envelopes, but different verdicts.
#[test]
fn a_verdict_that_was_given_anew_reaches_those_who_know_the_old_one() {
    let mut town = Town::small(15).with_categories();
    let mut writer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut reader = town.enrol("grid", "grid_worker", GRID, "");
    for phone in [&mut writer, &mut reader] {
        phone.sync(&mut town);
    }
    let backup = town.backup();
    let record = report(&mut town, &mut writer, "accepted twice");
    writer.turn(&mut town, Fault::AnswerLost);
    reader.sync(&mut town);
    let old = held(&mut reader)[&record].clone();
    town.pass(60_000);
    town.restore(&backup);
    writer.wake();
    writer.sync(&mut town);
    let new = there(&town, record);
    assert_ne!(old, new, "judged anew");
    assert!(reader.sync(&mut town).equal);
    assert_eq!(held(&mut reader)[&record], there(&town, record));
    assert!(writer.sync(&mut town).equal);
    assert_eq!(held(&mut writer)[&record], there(&town, record));
    is_whole(&town);
}

#[test]
fn who_was_not_told_the_author_gives_back_what_the_author_never_will() {
    let mut town = Town::with(21, Extent::Whole, Rules::none()).with_categories();
    let mut writer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut room = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
    let mut gas = town.enrol("gas", "handler", "", "gas-company");
    let backup = town.backup();
    // A certificate that the backup does not know.
    town.describe("dama", "team_lead", VILLAGE, "wulin-aunties");
    writer.sync(&mut town);
    let record = report(&mut town, &mut writer, "gas bottles");
    writer.sync(&mut town);
    room.sync(&mut town);
    dispatch_to_gas(&mut town, &mut room, record);
    room.sync(&mut town);
    gas.sync(&mut town);
    // The pack proves itself, but a later single envelope needs its author's certificate.
    say(&mut town, &mut writer, record, "ten of them by now");
    for phone in [&mut writer, &mut gas, &mut room] {
        phone.sync(&mut town);
    }
    let before = held(&mut gas);
    assert!(!before[&record].is_empty());

    let loaded = gas.replica().load(record).unwrap().unwrap();
    assert_eq!(loaded.state().unwrap().reporter, None);

    town.restore(&backup);
    let report = gas.sync(&mut town);
    assert!(report.equal, "{report:?}");
    assert_eq!(held(&mut gas), before);
    assert_eq!(there(&town, record), before[&record]);
    is_whole(&town);
    room.sync(&mut town);
    let loaded = room.replica().load(record).unwrap().unwrap();
    assert_eq!(
        loaded.state().unwrap().reporter,
        writer.replica().own_member()
    );
}

#[test]
fn a_revocation_that_the_backup_does_not_know_comes_back_before_the_work() {
    let mut story = story(13);
    let town = &mut story.town;
    let device = story.writer.device();
    let now = town.now_ms;
    town.server().revoke(device, "admin", now).unwrap();
    story.late.sync(town);
    town.restore(&story.backup);
    assert!(story.late.sync(town).equal);
    let record = report(town, &mut story.writer, "after the loss");
    assert!(story.writer.try_sync(town).is_err(), "cut off again");
    assert!(story.late.sync(town).equal);
    assert!(story.late.replica().row(record).unwrap().is_none());
    // The records that the phone had delivered before stay.
    for record in &story.records {
        assert!(story.late.replica().row(*record).unwrap().is_some());
    }
    is_whole(town);
}

#[test]
fn two_phones_with_one_key_lose_nothing() {
    let mut town = Town::small(14);
    let mut phone = town.enrol("grid", "grid_worker", GRID, "");
    let mut reader = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
    phone.sync(&mut town);
    let record = report(&mut town, &mut phone, "the one");
    phone.sync(&mut town);
    phone.close();
    let under = town.folder().join("clones");
    let mut clone = phone.clone_to("clone", &under, true);
    phone.reopen();
    let mut records = vec![record];
    for (twin, title) in [(&mut phone, "mine"), (&mut clone, "the twin's")] {
        records.push(report(&mut town, twin, title));
        let now = twin.clock_ms(&town);
        let value = FieldValue::Text(title.to_owned());
        let edit = FieldEdit::set(Field::Title, value);
        twin.replica().edit(record, &[edit], now).unwrap();
    }
    for _ in 0..4 {
        phone.sync(&mut town);
        clone.sync(&mut town);
        reader.sync(&mut town);
    }
    for phone in [&mut phone, &mut clone, &mut reader] {
        assert!(phone.sync(&mut town).equal, "{}", phone.name);
        for record in &records {
            assert!(phone.replica().row(*record).unwrap().is_some());
        }
        assert_eq!(phone.replica().undelivered().unwrap(), 0);
    }
    is_whole(&town);
}
