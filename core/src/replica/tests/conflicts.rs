//! Two people, no network: everything both wrote is kept, and the conflict can be read and settled.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::server::*;
use super::writing::triage;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::case::Party;
use crate::domain::content::{Field, FieldValue};
use crate::domain::kinds::hazard;
use crate::id::RecordId;
use crate::texts::Lang;

fn severity(number: i64) -> Vec<FieldEdit> {
    vec![FieldEdit::set(
        Field::Own(&hazard::SEVERITY),
        FieldValue::Number(number),
    )]
}

/// Two phones that edited the severity without knowing of each other, both synced.
fn two_severities(town: &Deployment) -> (Server<'_>, FilePhone, FilePhone, RecordId) {
    let mut server = Server::new(town);
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    worker
        .replica()
        .edit(record, &severity(3), NOW + 1)
        .unwrap();
    dispatcher
        .replica()
        .edit(record, &severity(1), NOW + 2)
        .unwrap();
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    server.settle(&mut worker);
    (server, worker, dispatcher, record)
}

#[test]
fn a_conflict_of_a_field_says_who_wrote_what_and_what_holds_now() {
    let town = Deployment::new();
    let (_, mut worker, mut dispatcher, record) = two_severities(&town);
    let cards = worker.replica().view(record).unwrap().unwrap().conflicts;
    assert_eq!(cards.len(), 1);
    let card = &cards[0];
    assert_eq!(card.people.len(), 2);
    for (lang, words) in [
        (Lang::Zh, ["严重程度", "“严重”", "“一般”", "都已保留"]),
        (
            Lang::En,
            ["severity", "“serious”", "“general”", "both kept"],
        ),
    ] {
        for word in words {
            assert!(
                card.sentence(lang).contains(word),
                "{word}: {}",
                card.sentence(lang)
            );
        }
        assert!(
            !card.sentence(lang).contains('{'),
            "{}",
            card.sentence(lang)
        );
    }
    let there = dispatcher
        .replica()
        .view(record)
        .unwrap()
        .unwrap()
        .conflicts;
    assert_eq!(cards, there, "both phones say the same");
    assert_eq!(worker.replica().row(record).unwrap().unwrap().conflicts, 1);
    let filter = Filter {
        in_conflict: true,
        ..Filter::default()
    };
    assert_eq!(worker.replica().count(&filter).unwrap(), 1);
}

#[test]
fn settling_ends_the_conflict_everywhere_and_can_be_taken_back() {
    let town = Deployment::new();
    let (mut server, mut worker, mut dispatcher, record) = two_severities(&town);
    let shown = worker.replica().row(record).unwrap().unwrap().severity;
    let other = if shown == 3 { 1 } else { 3 };
    let value = FieldValue::Number(other.into());
    let settled = worker
        .replica()
        .settle(record, &Field::Own(&hazard::SEVERITY), value, NOW + 10)
        .unwrap();
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    for phone in [&mut worker, &mut dispatcher] {
        let row = phone.replica().row(record).unwrap().unwrap();
        assert_eq!((row.severity, row.conflicts), (other, 0));
    }
    let was = worker.replica().settled_by(record, settled).unwrap();
    assert_eq!(
        was[0].versions.len(),
        2,
        "what both wrote can still be read"
    );
    let again = worker.replica().settle(
        record,
        &Field::Own(&hazard::SEVERITY),
        FieldValue::Number(2),
        NOW + 11,
    );
    assert_eq!(again.unwrap_err().code(), "replica.no_conflict");

    worker
        .replica()
        .undo_settle(record, settled, NOW + 12)
        .unwrap();
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    assert_eq!(
        dispatcher.replica().row(record).unwrap().unwrap().severity,
        shown
    );
    let twice = worker
        .replica()
        .undo_settle(record, settled, NOW + 13)
        .unwrap_err();
    assert_eq!(twice.code(), "replica.nothing_to_undo");
}

#[test]
fn two_dispatches_are_both_kept_and_the_card_names_them() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut one, mut two) = (town.phone(DISPATCHER_ZHOU), town.phone(DISPATCHER_GAO));
    let record = one.replica().report(&draft("煤气罐"), NOW).unwrap();
    one.replica().act(record, &triage(), None, NOW).unwrap();
    server.settle(&mut one);
    server.settle(&mut two);
    one.replica()
        .act(record, &dispatch_to(Party::Unit(GAS)), None, NOW + 1)
        .unwrap();
    two.replica()
        .act(record, &dispatch_to(Party::Unit(TEAM)), None, NOW + 2)
        .unwrap();
    server.settle(&mut one);
    server.settle(&mut two);
    server.settle(&mut one);
    let view = one.replica().view(record).unwrap().unwrap();
    assert_eq!(view.state.unwrap().assignments().len(), 2);
    assert!(view.conflicts[0].sentence(Lang::Zh).contains("派单"));
    assert!(view.conflicts[0].sentence(Lang::En).contains("dispatch"));
    assert!(matches!(
        view.conflicts[0].subject,
        ConflictSubject::Workflow(_)
    ));
}

/// The server's own author sees that the other record cannot take this one over.
#[test]
fn broken_merge_is_told_to_the_people_concerned() {
    use crate::domain::case::payload::{Merge, MergeFault, MergeUndone};
    use crate::domain::case::{Event, Stage};
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let [record, into] =
        ["一层气瓶", "二层气瓶"].map(|title| worker.replica().report(&draft(title), NOW).unwrap());
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    let merge = Event::Merge(Merge { into, note: None });
    let merge = dispatcher.replica().act(record, &merge, None, NOW).unwrap();
    server.settle(&mut dispatcher);
    let mut system = town.phone(HANDLER_SHEN.acting_as(Role::System, Workplace::District));
    server.settle(&mut system);
    let fault = MergeFault::Dismissed;
    let undone = Event::MergeUndone(MergeUndone { merge, fault });
    system.replica().act(record, &undone, None, NOW).unwrap();
    server.settle(&mut system);
    for phone in [&mut worker, &mut dispatcher] {
        server.settle(phone);
        let view = phone.replica().view(record).unwrap().unwrap();
        assert!(view.row.open && view.row.conflicts == 1);
        assert_eq!(view.state.unwrap().stage(), Stage::Reported);
        let card = &view.conflicts[0];
        assert!(
            card.zh.contains("二层气瓶") && card.zh.contains("不予受理"),
            "{}",
            card.zh
        );
        assert!(card.people.contains(&DISPATCHER_ZHOU.member()));
        assert!(
            !card.zh.contains('{') && !card.en.contains('{'),
            "{}",
            card.en
        );
        let news = phone.replica().notifications(0, 50).unwrap();
        let kinds: Vec<_> = news.iter().map(|one| one.kind).collect();
        assert!(kinds.contains(&crate::domain::notification::NotificationKind::Conflict));
    }
}

/// Random people on four phones, partly offline; at the end all agree, and projections are what the
/// envelopes say.
fn history(seed: u64) {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut phones = [
        town.phone(GRID_WORKER_CHEN),
        town.phone(DISPATCHER_ZHOU),
        town.phone(VOLUNTEER_SUN),
        town.phone(HANDLER_YU),
    ];
    let mut records: Vec<RecordId> = Vec::new();
    for step in 0..60_i64 {
        let at = usize::try_from(rng.next_u32() % 4).unwrap();
        let now = NOW + step * 1_000;
        let known: Vec<RecordId> = records
            .iter()
            .copied()
            .filter(|record| phones[at].replica().row(*record).unwrap().is_some())
            .collect();
        let pick = |rng: &mut ChaCha8Rng| {
            known
                .get(usize::try_from(rng.next_u32()).unwrap() % known.len().max(1))
                .copied()
        };
        let record = pick(&mut rng);
        let replica = phones[at].replica();
        match (rng.next_u32() % 8, record) {
            (0, _) | (_, None) => records.push(replica.report(&draft("隐患"), now).unwrap()),
            (1, Some(record)) => drop(replica.edit(record, &severity(1 + step % 4), now)),
            (2, Some(record)) => {
                let words = FieldEdit::text(Field::Description, format!("第 {step} 步"));
                drop(replica.edit(record, &[words], now));
            }
            (3, Some(record)) => drop(replica.comment(record, said("看到了"), now)),
            (4, Some(record)) => {
                drop(replica.act(record, &triage(), None, now));
                drop(replica.act(record, &dispatch_to(Party::Unit(GAS)), None, now));
            }
            (5, Some(_)) => {
                phones[at].crash();
                phones[at].reopen();
            }
            _ => drop(server.sync(&mut phones[at])),
        }
    }
    for _ in 0..2 {
        for phone in &mut phones {
            server.settle(phone);
        }
    }
    let rows = |phone: &mut FilePhone| -> Vec<RecordRow> {
        let rows = phone.replica().rows().unwrap();
        rows.into_iter()
            .map(|row| RecordRow { mine: false, ..row })
            .collect()
    };
    let expected = rows(&mut phones[0]);
    for phone in &mut phones {
        assert_eq!(rows(phone), expected, "seed {seed}");
        let before = phone.replica().rows().unwrap();
        phone.replica().rebuild().unwrap();
        assert_eq!(
            phone.replica().rows().unwrap(),
            before,
            "seed {seed}: rebuilt"
        );
    }
    let mut fresh = town.phone(DISPATCHER_MA);
    server.load(&mut fresh);
    assert_eq!(rows(&mut fresh), expected, "seed {seed}: from packs");
}

#[test]
fn random_histories_end_equal_on_every_phone_and_projections_follow_from_envelopes() {
    for seed in 0..6 {
        history(seed);
    }
}
