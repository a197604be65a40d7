//! Random histories by people who see different parts of them. Every order gives the same record.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::writers::record_of;
use super::*;
use crate::domain::kinds::hazard;

fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    usize::try_from(rng.next_u64() % n as u64).unwrap()
}

/// A step of one person upon what that person sees.
fn step_of(rng: &mut ChaCha8Rng, phone: &mut Writer, record: &Record) -> VerifiedEnvelope {
    let n = i64::try_from(below(rng, 4)).unwrap() + 1;
    match below(rng, 6) {
        0 => phone.act(record, &comment("note")),
        1 if n > 2 => phone.act(record, &triage()),
        1 => phone.act(record, &dispatch()),
        2 => {
            let danger = DangerRemains {
                attachments: Vec::new(),
                text: None,
            };
            phone.act(record, &Event::DangerRemains(danger))
        }
        3 => match record.state().and_then(|state| state.assignments().first()) {
            Some(assignment) => {
                let done = step(assignment.id);
                let event = if n > 2 {
                    Event::Accept(done)
                } else {
                    Event::Resolve(done)
                };
                phone.act(record, &event)
            }
            None => phone.act(record, &comment("nothing to take")),
        },
        _ => match record.document().unwrap().edit(phone.actor, &[severity(n)]) {
            Ok(change) => phone.raw_change(record, &record.heads(), change),
            Err(_) => phone.act(record, &comment("same already")),
        },
    }
}

/// Each person keeps its own view, and now and then two meet.
fn history(seed: u64) -> (Vec<VerifiedEnvelope>, Vec<crate::wire::verdict::Verdict>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let deployment = Deployment::new();
    let mut phones = [
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
        deployment.writer(DISPATCHER_ZHOU),
        deployment.writer(HANDLER_SHEN),
    ];
    let genesis = phones[0].report("a");
    let mut all = vec![genesis.clone()];
    let mut views: Vec<Vec<VerifiedEnvelope>> = vec![vec![genesis]; phones.len()];
    for _ in 0..14 {
        let who = below(&mut rng, phones.len());
        let seen: Vec<&VerifiedEnvelope> = views[who].iter().collect();
        let record = record_of(&seen);
        let step = step_of(&mut rng, &mut phones[who], &record);
        views[who].push(step.clone());
        all.push(step);
        if below(&mut rng, 3) == 0 {
            let other = below(&mut rng, phones.len());
            let news = views[who].clone();
            for envelope in news {
                if views[other]
                    .iter()
                    .all(|known| known.envelope().id() != envelope.envelope().id())
                {
                    views[other].push(envelope);
                }
            }
        }
    }
    let verdicts = (0..all.len())
        .map(|n| {
            let status = match below(&mut rng, 8) {
                0 if n > 0 => Status::Void(VoidReason::NotPermitted),
                1 if n > 0 => Status::Held(HeldReason::Revoked),
                _ => Status::Accepted,
            };
            verdict(status, 10_000 + i64::try_from(n).unwrap())
        })
        .collect();
    (all, verdicts)
}

fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
}

fn view(record: &Record) -> String {
    let content = record.document().map(|document| {
        let kind = hazard::KIND.spec().unwrap();
        (document.content(kind), document.heads())
    });
    let counted: std::collections::BTreeSet<EnvelopeId> = record
        .nodes()
        .iter()
        .filter(|node| node.counts())
        .map(|node| node.id)
        .collect();
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}",
        record.digest(),
        record.state(),
        content,
        counted
    )
}

#[test]
fn every_order_and_division_of_the_same_envelopes_and_verdicts_gives_the_same_record() {
    for seed in 0..60 {
        let (all, verdicts) = history(seed);
        for judged_share in [0, 2, 1] {
            let mut expected = None;
            for order in 0..4 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed * 100 + order);
                let mut envelopes = all.clone();
                let mut known: Vec<_> = all
                    .iter()
                    .zip(&verdicts)
                    .enumerate()
                    .filter(|(n, _)| judged_share > 0 && n % judged_share == 0)
                    .map(|(_, (envelope, verdict))| (envelope.envelope().id(), *verdict))
                    .collect();
                if order > 0 {
                    shuffle(&mut rng, &mut envelopes);
                    shuffle(&mut rng, &mut known);
                }
                let mut record = Record::new(all[0].envelope().record());
                // Envelopes arrive in parts until nothing is missing; verdicts arrive in between and twice.
                while record.nodes().len() < all.len() {
                    let size = 1 + below(&mut rng, 5);
                    for part in envelopes.chunks(size) {
                        record.admit(part);
                        if !known.is_empty() {
                            let (id, verdict) = known[below(&mut rng, known.len())];
                            record.set_verdict(id, verdict);
                        }
                    }
                }
                record.set_verdicts(known);
                let seen = view(&record);
                let expected = expected.get_or_insert_with(|| seen.clone());
                assert_eq!(
                    *expected, seen,
                    "seed {seed}, order {order}, share {judged_share}"
                );
            }
        }
    }
}

#[test]
fn a_record_loaded_from_its_parts_is_the_same_record() {
    for seed in 100..140 {
        let (all, verdicts) = history(seed);
        let mut record = Record::new(all[0].envelope().record());
        record.admit(&all);
        record.set_verdicts(
            all.iter()
                .zip(&verdicts)
                .map(|(envelope, verdict)| (envelope.envelope().id(), *verdict)),
        );
        let envelopes = all
            .iter()
            .zip(&verdicts)
            .rev()
            .map(|(verified, verdict)| StoredEnvelope {
                verified: verified.clone(),
                verdict: Some(*verdict),
            })
            .collect();
        let past = StoredRecord {
            envelopes,
            ..StoredRecord::default()
        };
        let loaded = Record::load(record.id(), past).unwrap();
        assert_eq!(view(&loaded), view(&record), "seed {seed}");
    }
}
