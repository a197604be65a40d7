//! Envelopes that only a pack lists, as void and without content.

use super::*;

#[test]
fn what_a_pack_left_out_as_void_is_let_in_when_its_content_comes() {
    let verdict = |status, at_ms| Verdict {
        status,
        at_ms,
        generation: 1,
    };
    let void = verdict(Status::Void(VoidReason::NotPermitted), NOW);
    let accepted = verdict(Status::Accepted, NOW + 5);
    let (early, late) = (TestServer::new(), TestServer::new());
    let ((mut author, _), _) = (people(&early), people(&late));
    let genesis = author.report("gas");
    let edit = retitle(&mut author, &[&genesis], "counts after all");
    for (world, verdict) in [(&early, void), (&late, accepted)] {
        author.push(&world.server, &[&genesis]);
        let attested = HashMap::from([(edit.hash(), verdict)]);
        let bundle = author.bundle(&[&edit]);
        world.server.ingest(bundle, &attested, NOW).unwrap();
    }
    let (early, late) = (
        packs_of(&early, GRID_WORKER_HU),
        packs_of(&late, GRID_WORKER_HU),
    );
    for in_a_pack in [false, true] {
        let new = TestServer::new();
        let (_, mut giver) = people(&new);
        let mut other = new.phone(GRID_WORKER_LIN);
        give(&new, &mut giver, early.clone(), &[&author]);
        other.pull(&new.server, 1_000_000);
        if in_a_pack {
            give(&new, &mut giver, late.clone(), &[&author]);
        } else {
            let attested = HashMap::from([(edit.hash(), accepted)]);
            crate::ingest::release_given_back(&new.server.intake, &attested, NOW + 9).unwrap();
            let bundle = author.bundle(&[&edit]);
            new.server.ingest(bundle, &attested, NOW + 9).unwrap();
        }
        is_whole(&new);
        let told = held_by(&other.pull(&new.server, 1_000_000)).0;
        assert!(told.contains(&edit.id()));
        let mut reader = new.phone(GRID_WORKER_XU);
        let seen = unpacked(reader.pull(&new.reopened(), 1_000_000));
        let title = |record: &Record| record.document().unwrap().field(&Field::Title);
        let expected = Some(FieldValue::Text("counts after all".into()));
        assert_eq!(seen.iter().map(title).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn a_move_of_a_rule_that_a_pack_told_of_as_void_is_made_again_and_stays_void() {
    let rules = "version = 1\n[[rule]]\ncode = \"gas\"\ncategories = [\"gas\"]\n\
                 severity = \"serious\"\ndispatch_kind = \"utility\"\naccept_minutes = 30\nescalate = true\n";
    let world = || TestServer::with(Rules::parse(rules, "test").unwrap());
    let late = NOW + 31 * 60_000;
    let (first, told) = (world(), world());
    let ((mut author, _), _) = (people(&first), people(&told));
    let genesis = author.report("gas");
    let record = genesis.record();
    author.push(&first.server, &[&genesis]);
    author.push(&told.server, &[&genesis]);
    assert_eq!(first.server.tick(late).unwrap(), 1);
    let envelopes = |world: &TestServer| {
        let read = |tx: &dyn crate::store::Reader| tx.envelopes(record);
        world.server.store().read(read).unwrap()
    };
    let up = envelopes(&first).pop().unwrap();
    let up = Envelope::parse(up.raw).unwrap();
    let void = Verdict {
        status: Status::Void(VoidReason::CaseNotNow),
        at_ms: late,
        generation: 1,
    };
    let bundle = Bundle {
        certificates: vec![told.keys.author_certificate().raw().clone()],
        envelopes: vec![up.raw().clone()],
    };
    let attested = HashMap::from([(up.hash(), void)]);
    told.server.ingest(bundle, &attested, late).unwrap();
    let packs = packs_of(&told, GRID_WORKER_HU);

    let new = world();
    let (_, mut giver) = people(&new);
    let mut other = new.phone(GRID_WORKER_LIN);
    give(&new, &mut giver, packs, &[&author]);
    other.pull(&new.server, 1_000_000);
    assert_eq!(envelopes(&new).len(), 0, "all of it stands in a pack");
    new.server.tick(late + 9).unwrap();
    let made = envelopes(&new);
    assert_eq!(made.len(), 1);
    assert_eq!(Envelope::parse(made[0].raw.clone()).unwrap().id(), up.id());
    assert_eq!(made[0].verdict, void, "what was told stays");
    is_whole(&new);
    assert_eq!(new.server.tick(late + 10).unwrap(), 0, "and only once");
    is_whole(&new);
}
