//! Verdicts have a rank: a settled one stays, is taken upon settled envelopes only, and never yields to a pack that
//! knows less.

use onegrid_core::wire::pack::PackContent;

use super::*;

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
