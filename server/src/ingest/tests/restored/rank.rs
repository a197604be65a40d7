//! Verdicts have a rank: a settled one stays, is taken upon settled envelopes only, and never yields to a pack that
//! knows less.

use onegrid_core::wire::pack::PackContent;

use super::*;

fn accepted(at_ms: i64) -> Verdict {
    Verdict {
        status: Status::Accepted,
        at_ms,
        generation: 1,
    }
}

/// The same deployment with one record and two comments on it, and the packs after each.
fn packs_of_two() -> (Phone, Envelope, Vec<PackBatch>, Vec<PackBatch>) {
    let old = World::new();
    let (mut author, _) = people(&old);
    let genesis = author.report("gas");
    let first = author.act(genesis.record(), &[genesis.id()], &comment("a"));
    let second = author.act(genesis.record(), &[first.id()], &comment("b"));
    author.push(&old.server, &[&genesis, &first]);
    let early = packs_of(&old, 20);
    author.push(&old.server, &[&second]);
    let late = packs_of(&old, 21);
    (author, first, early, late)
}

/// A pack that lists the same envelopes, one of them as void and without its content, would lose what was said.
#[test]
fn base_that_is_whole_stays_beside_a_later_pack() {
    let new = World::new();
    let (_, mut giver) = people(&new);
    let (author, first, early, late) = packs_of_two();
    let mut pack = Pack::from_bytes(&late[0].packs[0]).unwrap();
    let entry = pack.entries.iter_mut().find(|entry| entry.id == first.id());
    let entry = entry.unwrap();
    entry.content = PackContent::Stub {
        body_kind: 3,
        change: None,
    };
    entry.verdict = Verdict {
        status: Status::Void(VoidReason::Limit),
        at_ms: entry.verdict.at_ms - 1,
        generation: 1,
    };
    let bytes = pack.to_bytes().unwrap();
    let (key, authority) = (new.keys.packs(), new.keys.authority());
    let void = PackBatch::sign(vec![bytes], 1, NOW + 60_000, key, authority);
    give(&new, &mut giver, early, &[&author]);
    give(&new, &mut giver, vec![void], &[&author]);

    is_whole(&new);
    let seen = packs_of(&new, 22);
    let pack = Pack::from_bytes(&seen[0].packs[0]).unwrap();
    assert_eq!(pack.entries.len(), 3);
    let entry = pack.entries.iter().find(|entry| entry.id == first.id());
    let entry = entry.unwrap();
    assert_eq!(entry.verdict.status, Status::Accepted);
    assert!(matches!(entry.content, PackContent::Event(_)));
}

/// Readers get nothing of a held envelope, so they could not place what builds on it.
#[test]
fn settled_verdict_on_a_held_parent_waits_for_the_parent() {
    let new = World::new();
    let (mut author, mut giver) = people(&new);
    let genesis = author.report("gas");
    let record = genesis.record();
    author.push(&new.server, &[&genesis]);
    let first = author.act(record, &[genesis.id()], &comment("a"));
    let device = author.certificate.facts().device;
    new.server.revoke(device, "admin", NOW).unwrap();
    let request = giver.ask(Some(author.bundle(&[&first])), 0);
    let answer = giver.send(&new.server, &request).unwrap();
    assert_eq!(statuses(&answer), [Status::Held(HeldReason::Revoked)]);

    let second = giver.act(record, &[first.id()], &comment("b"));
    let attested = HashMap::from([(second.hash(), accepted(NOW + 5))]);
    let give_second = |attested: &HashMap<_, _>| {
        new.server
            .release_given_back(attested, NOW + 9_000)
            .unwrap();
        let bundle = giver.bundle(&[&second]);
        let ingested = new.server.ingest(bundle, attested, NOW + 9_000).unwrap();
        ingested.lines[0].verdict.status
    };
    let held = Status::Held(HeldReason::ParentHeld);
    assert_eq!(give_second(&attested), held);
    assert_eq!(give_second(&attested), held);
    assert_eq!(ids(&new, record), BTreeSet::from([genesis.id()]));
    // The parent's own verdict releases both, in the order of the graph and not of their times.
    let both = HashMap::from([
        (first.hash(), accepted(NOW + 6)),
        (second.hash(), accepted(NOW + 5)),
    ]);
    assert_eq!(give_second(&both), Status::Accepted);
    let all = BTreeSet::from([genesis.id(), first.id(), second.id()]);
    assert_eq!(ids(&new, record), all);
    is_whole(&new);
}
