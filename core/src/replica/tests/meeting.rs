//! Phones that meet use the same admission. The work is provisional until the server has judged it, and
//! only readers of a record receive it.

use super::server::*;
use super::writing::triage;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::Audience;
use crate::domain::case::Party;
use crate::domain::content::Field;
use crate::domain::directory::{DirectoryEntry, Revocation};
use crate::id::RecordId;
use crate::sync::peer::{Peer, PeerError};
use crate::sync::port::{GiveAsk, PeerPort};
use crate::trust::channel::ChannelKey;
use crate::trust::peer_session::MeetingDigests;
use crate::wire::signed_entry::SignedEntry;

/// Two phones meet, and `a` calls. Returns the count that each took over.
pub(super) fn meet(a: &mut FilePhone, b: &mut FilePhone) -> Result<(u32, u32), PeerError> {
    let mut rng =
        ChaCha8Rng::seed_from_u64(u64::from(a.person.seed) << 8 | u64::from(b.person.seed));
    let mut caller = Peer::call(a.replica(), &mut rng)?;
    let mut listener = Peer::listen(b.replica())?;
    loop {
        let (forth, back) = (caller.output(), listener.output());
        if forth.is_empty() && back.is_empty() {
            assert!(caller.is_done() && listener.is_done());
            return Ok((caller.report().taken, listener.report().taken));
        }
        listener.received(b.replica(), &forth, NOW + 50, &mut rng)?;
        caller.received(a.replica(), &back, NOW + 50, &mut rng)?;
    }
}

pub(super) fn revocation(town: &Deployment, phone: &FilePhone) -> Vec<u8> {
    let device = phone.person.device();
    let entry = DirectoryEntry::Revocation(Revocation {
        device,
        revoked_at_ms: NOW,
    });
    let signed = SignedEntry::sign(&entry, &town.server, town.anchors.authority());
    minicbor::to_vec(&signed).unwrap()
}

pub(super) fn ids(phone: &mut FilePhone, record: RecordId) -> Vec<crate::id::EnvelopeId> {
    phone.replica().all_ids(record).unwrap()
}

#[test]
fn two_phones_converge_and_what_came_stays_provisional_until_the_verdict() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let first = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    let second = dispatcher.replica().report(&draft("井盖"), NOW).unwrap();
    assert_eq!(meet(&mut worker, &mut dispatcher).unwrap(), (1, 1));
    // Each works on with the other's envelopes, and they meet again.
    dispatcher
        .replica()
        .act(first, &triage(), None, NOW + 60)
        .unwrap();
    worker
        .replica()
        .comment(second, said("看过了"), NOW + 60)
        .unwrap();
    assert_eq!(meet(&mut dispatcher, &mut worker).unwrap(), (1, 1));
    assert_eq!(meet(&mut worker, &mut dispatcher).unwrap(), (0, 0));
    for record in [first, second] {
        assert_eq!(ids(&mut worker, record), ids(&mut dispatcher, record));
        for phone in [&mut worker, &mut dispatcher] {
            assert!(phone.replica().row(record).unwrap().unwrap().provisional);
        }
    }
    // One of them brings everything to the server, the other learns the verdicts.
    server.settle(&mut dispatcher);
    server.settle(&mut worker);
    for record in [first, second] {
        for phone in [&mut worker, &mut dispatcher] {
            let row = phone.replica().row(record).unwrap().unwrap();
            assert!(!row.provisional && row.undelivered == 0, "{row:?}");
        }
    }
}

#[test]
fn a_revoked_phone_is_not_met_and_its_late_work_is_carried_but_not_applied() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut thief, mut worker, mut dispatcher) = (
        town.phone(GRID_WORKER_CHEN),
        town.phone(GRID_WORKER_LIN),
        town.phone(DISPATCHER_GAO),
    );
    let record = thief.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut thief);
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    let title = [FieldEdit::text(Field::Title, "什么也没有")];
    let late = thief.replica().edit(record, &title, NOW + 1).unwrap();
    // The worker does not know the revocation and accepts the edit; the dispatcher knows it.
    meet(&mut thief, &mut worker).unwrap();
    assert_eq!(
        worker.replica().row(record).unwrap().unwrap().title,
        "什么也没有"
    );
    let revoked = [revocation(&town, &thief)];
    dispatcher
        .replica()
        .apply_revocations(&revoked, NOW + 2)
        .unwrap();
    assert!(meet(&mut thief, &mut dispatcher).is_err());
    assert!(!ids(&mut dispatcher, record).contains(&late));
    meet(&mut worker, &mut dispatcher).unwrap();
    assert!(ids(&mut dispatcher, record).contains(&late), "carried");
    assert_eq!(
        dispatcher.replica().row(record).unwrap().unwrap().title,
        "煤气罐",
        "not applied"
    );
    // It reaches the server with the next sync, which decides.
    server.verdicts.insert(late, REVOKED);
    server.sync(&mut dispatcher);
    assert_eq!(
        dispatcher.replica().row(record).unwrap().unwrap().title,
        "煤气罐"
    );
    // A server that came back from a backup is asked again.
    server.generation = 2;
    server.sync(&mut dispatcher);
    assert_eq!(dispatcher.replica().undelivered().unwrap(), 1);
    assert_eq!(
        dispatcher.replica().row(record).unwrap().unwrap().title,
        "煤气罐",
        "asked about, and still not applied"
    );
    let accepted = crate::wire::verdict::Status::Accepted;
    server.change_verdict(record, late, accepted);
    server.sync(&mut dispatcher);
    let loaded = dispatcher.replica().load(record).unwrap().unwrap();
    assert!(loaded.counts(late));
    // The news of the revocation went over to the worker in the same meeting.
    assert!(meet(&mut thief, &mut worker).is_err());
}

#[test]
fn a_revocation_that_the_server_did_not_sign_is_left_out() {
    let town = Deployment::new();
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let entry = DirectoryEntry::Revocation(Revocation {
        device: DISPATCHER_ZHOU.device(),
        revoked_at_ms: NOW,
    });
    let by_a_phone = SignedEntry::sign(&entry, &GRID_WORKER_CHEN.key(), town.anchors.authority());
    let forged = [minicbor::to_vec(&by_a_phone).unwrap(), vec![0xff; 40]];
    worker.replica().apply_revocations(&forged, NOW).unwrap();
    worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    assert_eq!(meet(&mut worker, &mut dispatcher).unwrap(), (0, 1));
}

#[test]
fn what_the_other_may_not_read_is_neither_told_nor_handed_over() {
    let town = Deployment::new();
    let (mut worker, mut handler) = (town.phone(GRID_WORKER_CHEN), town.phone(HANDLER_LU));
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    let restricted = Draft {
        audience: Audience::Restricted,
        ..draft("线索")
    };
    let secret = worker.replica().report(&restricted, NOW).unwrap();
    assert_eq!(meet(&mut worker, &mut handler).unwrap(), (0, 0));
    assert!(handler.replica().rows().unwrap().is_empty());
    // A request by name brings no record either.
    let peer = handler.replica().certificate().unwrap().clone();
    let ask = GiveAsk {
        records: vec![record, secret],
        envelopes: ids(&mut worker, record),
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    };
    let given = worker.replica().give_to_peer(&ask, &peer).unwrap();
    assert!(given.bundle.is_empty() && given.give_back.packs.is_empty());
    assert_eq!(given.absent, ids(&mut worker, record));
    let mut colleague = town.phone(GRID_WORKER_XU);
    let colleague = colleague.replica().certificate().unwrap().clone();
    let digests = MeetingDigests::new(ChannelKey::from_bytes([7; 32]));
    let told = worker.replica().shared_items(&colleague, &digests).unwrap();
    let told: Vec<RecordId> = told.iter().map(|item| item.record).collect();
    assert_eq!(told, [record], "a tip of somebody else is not even named");
}

#[test]
fn a_phone_that_pushes_what_one_may_not_read_leaves_nothing_behind() {
    let town = Deployment::new();
    let (mut worker, mut handler) = (town.phone(GRID_WORKER_CHEN), town.phone(HANDLER_LU));
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    // A changed app sends any envelopes that it likes.
    let colleague = town
        .phone(DISPATCHER_GAO)
        .replica()
        .certificate()
        .unwrap()
        .clone();
    let ask = GiveAsk {
        records: vec![record],
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    };
    let given = worker.replica().give_to_peer(&ask, &colleague).unwrap();
    assert_eq!(given.bundle.envelopes.len(), 1);
    let peer = worker.replica().certificate().unwrap().clone();
    handler
        .replica()
        .apply_peer(&given, &peer, NOW + 1)
        .unwrap();
    assert!(handler.replica().view(record).unwrap().is_none());
    assert!(ids(&mut handler, record).is_empty());
}

#[test]
fn the_permission_table_and_the_gate_hold_on_the_way_from_phone_to_phone() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut volunteer, mut worker, mut dispatcher) = (
        town.phone(VOLUNTEER_WANG),
        town.phone(GRID_WORKER_LIN),
        town.phone(DISPATCHER_GAO),
    );
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    dispatcher
        .replica()
        .act(record, &triage(), None, NOW + 10)
        .unwrap();
    let given = {
        let peer = worker.replica().certificate().unwrap().clone();
        let ask = GiveAsk {
            records: vec![record],
            bytes_max: 1 << 20,
            ..GiveAsk::default()
        };
        dispatcher.replica().give_to_peer(&ask, &peer).unwrap()
    };
    let peer = dispatcher.replica().certificate().unwrap().clone();
    // Damage in the body, damage in the signature, and a triage in the name of an author without that
    // right: none counts.
    let triage_at = given.bundle.envelopes.len() - 1;
    for damage in 0..2 {
        let mut bad = given.clone();
        let raw = &mut bad.bundle.envelopes[triage_at];
        match damage {
            0 => *raw.body.last_mut().unwrap() ^= 1,
            _ => raw.signature[9] ^= 1,
        }
        worker.replica().apply_peer(&bad, &peer, NOW + 11).unwrap();
        assert_eq!(ids(&mut worker, record).len(), 1, "left out");
    }
    let forbidden = {
        let writer = volunteer.writer();
        let genuine =
            crate::wire::envelope::Envelope::parse(given.bundle.envelopes[triage_at].clone())
                .unwrap();
        let header = crate::wire::envelope::Header {
            author: writer.certificate.facts().device,
            certificate: writer.certificate.hash(),
            ..genuine.header().clone()
        };
        let sealed = writer.sign(header, genuine.body());
        let mut bundle = given.clone();
        bundle
            .bundle
            .certificates
            .push(writer.certificate.raw().clone());
        bundle.bundle.envelopes[triage_at] = sealed.raw().clone();
        bundle
    };
    let stage = |phone: &mut FilePhone| phone.replica().row(record).unwrap().unwrap().stage;
    let before = stage(&mut worker);
    worker
        .replica()
        .apply_peer(&forbidden, &peer, NOW + 12)
        .unwrap();
    assert_eq!(stage(&mut worker), before, "a volunteer triages nothing");
    worker
        .replica()
        .apply_peer(&given, &peer, NOW + 13)
        .unwrap();
    assert_ne!(stage(&mut worker), before, "the dispatcher does");
}

#[test]
fn reporter_and_witnesses_stay_unknown_to_a_unit_that_is_responsible() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut dispatcher, mut handler) = (
        town.phone(GRID_WORKER_CHEN),
        town.phone(DISPATCHER_ZHOU),
        town.phone(HANDLER_SHEN),
    );
    let (mut witness, mut colleague) = (town.phone(GRID_WORKER_HU), town.phone(HANDLER_FENG));
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut witness);
    let words = said("我也看到了");
    witness.replica().comment(record, words, NOW + 1).unwrap();
    server.settle(&mut witness);
    server.settle(&mut dispatcher);
    dispatcher
        .replica()
        .act(record, &triage(), None, NOW + 10)
        .unwrap();
    dispatcher
        .replica()
        .act(record, &dispatch_to(Party::Unit(GAS)), None, NOW + 11)
        .unwrap();
    server.settle(&mut dispatcher);
    let certificates = [&mut worker, &mut witness]
        .map(|phone| phone.replica().certificate().unwrap().raw().clone());
    let ask = GiveAsk {
        records: vec![record],
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    };
    for (phone, told) in [(&mut handler, false), (&mut worker, true)] {
        let peer = phone.replica().certificate().unwrap().clone();
        let given = dispatcher.replica().give_to_peer(&ask, &peer).unwrap();
        for certificate in &certificates {
            assert_eq!(given.bundle.certificates.contains(certificate), told);
        }
    }
    meet(&mut dispatcher, &mut handler).unwrap();
    let seen = handler.replica().view(record).unwrap().unwrap();
    assert_eq!(
        seen.row.title, "煤气罐",
        "what is dispatched to it, it reads"
    );
    // Colleagues know each other, so the words of one reach the other before any server has them.
    let words = said("已到现场");
    handler.replica().comment(record, words, NOW + 60).unwrap();
    meet(&mut handler, &mut colleague).unwrap();
    let seen = colleague.replica().view(record).unwrap().unwrap();
    let told: Vec<_> = seen
        .comments
        .iter()
        .map(|said| said.text.as_str())
        .collect();
    assert_eq!(told, ["我也看到了", "已到现场"]);
    // The words of a witness wait for the server, because without a name they have no proof.
    server.settle(&mut worker);
    let words = said("还有明火");
    let unheard = worker.replica().comment(record, words, NOW + 70).unwrap();
    meet(&mut worker, &mut handler).unwrap();
    let loaded = handler.replica().load(record).unwrap().unwrap();
    assert!(loaded.node(unheard).is_none());
}

/// A member who joined the responsible unit shows a certificate from before.
#[test]
fn older_certificate_names_no_witness() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut dispatcher, mut handler) = (
        town.phone(GRID_WORKER_CHEN),
        town.phone(DISPATCHER_ZHOU),
        town.phone(HANDLER_SHEN),
    );
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    for (after, event) in [(10, triage()), (11, dispatch_to(Party::Unit(GAS)))] {
        let dispatcher = dispatcher.replica();
        dispatcher.act(record, &event, None, NOW + after).unwrap();
    }
    server.settle(&mut dispatcher);
    meet(&mut dispatcher, &mut handler).unwrap();
    let words = said("已到现场");
    handler.replica().comment(record, words, NOW + 60).unwrap();
    meet(&mut handler, &mut dispatcher).unwrap();
    let name = worker.replica().certificate().unwrap().raw().clone();
    let ask = GiveAsk {
        records: vec![record],
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    };
    let old = town.certificate(HANDLER_SHEN.acting_as(Role::GridWorker, Workplace::Grid));
    let given = dispatcher.replica().give_to_peer(&ask, &old).unwrap();
    assert!(!given.bundle.envelopes.is_empty());
    assert!(!given.bundle.certificates.contains(&name));
}

#[test]
fn carried_words_of_witness_name_nobody_to_responsible_unit() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut dispatcher, mut handler) = (
        town.phone(GRID_WORKER_CHEN),
        town.phone(DISPATCHER_ZHOU),
        town.phone(HANDLER_SHEN),
    );
    let mut witness = town.phone(GRID_WORKER_HU);
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut witness);
    server.settle(&mut dispatcher);
    let to_gas = dispatch();
    for (event, at_ms) in [(triage(), NOW + 10), (to_gas, NOW + 11)] {
        dispatcher
            .replica()
            .act(record, &event, None, at_ms)
            .unwrap();
    }
    server.settle(&mut dispatcher);
    // The clock of the witness is wrong, so the dispatcher carries the words and does not apply them.
    let year_ms = 365 * 24 * 3_600_000;
    let words = said("还有明火");
    let late = witness
        .replica()
        .comment(record, words, NOW + year_ms)
        .unwrap();
    meet(&mut witness, &mut dispatcher).unwrap();
    assert!(ids(&mut dispatcher, record).contains(&late), "carried");

    let ask = GiveAsk {
        records: vec![record],
        envelopes: vec![late],
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    };
    let name = witness.replica().certificate().unwrap().raw().clone();
    let peer = handler.replica().certificate().unwrap().clone();
    let given = dispatcher.replica().give_to_peer(&ask, &peer).unwrap();
    assert!(!given.bundle.certificates.contains(&name));
    meet(&mut dispatcher, &mut handler).unwrap();
    let loaded = handler.replica().load(record).unwrap().unwrap();
    assert!(loaded.node(late).is_none());
    let names = loaded
        .nodes()
        .iter()
        .filter_map(|node| node.certificate.as_ref());
    assert!(names.into_iter().all(|known| known.raw() != &name));
}

#[test]
fn what_the_server_sealed_another_phone_brings_with_its_record_and_never_replaces() {
    use crate::id::Hash;
    use crate::replica::table::sealed;
    use crate::wire::sealed::SealedCertificate;

    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let (mut handler, mut colleague) = (town.phone(HANDLER_SHEN), town.phone(HANDLER_FENG));
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    for (after, event) in [(10, triage()), (11, dispatch_to(Party::Unit(GAS)))] {
        let dispatcher = dispatcher.replica();
        dispatcher.act(record, &event, None, NOW + after).unwrap();
    }
    server.settle(&mut dispatcher);
    server.settle(&mut handler);
    let reporter = worker.replica().certificate().unwrap().hash();
    let sealed = |certificate: Hash, bytes: &[u8]| SealedCertificate {
        certificate,
        bytes: bytes.to_vec(),
    };
    let kept = |phone: &mut FilePhone, hash: Hash| {
        let found = sealed::get(phone.replica().conn().unwrap(), hash).unwrap();
        found.map(|sealed| sealed.bytes)
    };
    let of_the_server = sealed(reporter, b"of the server");
    sealed::put(handler.replica().conn().unwrap(), &of_the_server).unwrap();
    meet(&mut handler, &mut colleague).unwrap();
    let carried = Some(of_the_server.bytes);
    assert_eq!(kept(&mut colleague, reporter), carried);

    let peer = handler.replica().certificate().unwrap().clone();
    let ask = GiveAsk {
        records: vec![record],
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    };
    let own = colleague.replica().certificate().unwrap().clone();
    let mut given = handler.replica().give_to_peer(&ask, &own).unwrap();
    let foreign = Hash([9; 32]);
    given.give_back.sealed = vec![sealed(reporter, b"rubbish"), sealed(foreign, b"rubbish")];
    colleague
        .replica()
        .apply_peer(&given, &peer, NOW + 20)
        .unwrap();
    assert_eq!(kept(&mut colleague, reporter), carried);
    assert_eq!(kept(&mut colleague, foreign), None, "no record names it");
    sealed::put(
        colleague.replica().conn().unwrap(),
        &sealed(reporter, b"anew"),
    )
    .unwrap();
    assert_eq!(kept(&mut colleague, reporter), Some(b"anew".to_vec()));
}

/// A colleague puts the worker's change into an envelope of its own, and that one arrives first.
#[test]
fn forged_copy_before_a_meeting_leaves_the_change() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_LIN), town.phone(DISPATCHER_GAO));
    let mut forger = town.phone(GRID_WORKER_HU);
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    let edits = [FieldEdit::text(Field::Address, "武林路133号")];
    worker.replica().edit(record, &edits, NOW + 10).unwrap();

    let peer = forger.replica().certificate().unwrap().clone();
    let ask = GiveAsk {
        records: vec![record],
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    };
    let mut given = worker.replica().give_to_peer(&ask, &peer).unwrap();
    let honest = given.bundle.envelopes.pop().unwrap();
    let honest = crate::wire::envelope::Envelope::parse(honest).unwrap();
    let header = crate::wire::envelope::Header {
        author: peer.facts().device,
        certificate: peer.hash(),
        ..honest.header().clone()
    };
    let forged = forger.writer().sign(header, honest.body());
    given.bundle.certificates.push(peer.raw().clone());
    given.bundle.envelopes.push(forged.raw().clone());
    dispatcher
        .replica()
        .apply_peer(&given, &peer, NOW + 11)
        .unwrap();

    meet(&mut worker, &mut dispatcher).unwrap();
    let shown = |phone: &mut FilePhone| {
        let loaded = phone.replica().load(record).unwrap().unwrap();
        assert!(!loaded.counts(forged.id()) && loaded.counts(honest.id()));
        loaded.document().unwrap().field(&Field::Address)
    };
    assert!(shown(&mut dispatcher).is_some());
    // The dispatcher builds on it, and the worker sees that.
    let more = [FieldEdit::text(Field::Address, "武林路135号")];
    dispatcher.replica().edit(record, &more, NOW + 20).unwrap();
    let seen = shown(&mut dispatcher);
    meet(&mut worker, &mut dispatcher).unwrap();
    assert_eq!(shown(&mut worker), seen);
    server.settle(&mut dispatcher);
    server.settle(&mut worker);
    assert_eq!(shown(&mut worker), seen);
    assert_eq!(shown(&mut dispatcher), seen);
}
