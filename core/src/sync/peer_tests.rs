#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::sync::testing::{Keys, Phone, accepted, record};
use crate::wire::verdict::{Attestation, AttestedEnvelope};

struct Meeting {
    rng: ChaCha20Rng,
    keys: Keys,
    a: Phone,
    b: Phone,
}

fn meeting(seed: u64) -> Meeting {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let keys = Keys::new(&mut rng);
    let (a, b) = (Phone::new(&keys, &mut rng), Phone::new(&keys, &mut rng));
    Meeting { rng, keys, a, b }
}

impl Meeting {
    fn write(&mut self, at_a: usize, at_b: usize) {
        for at in 0..at_a + at_b {
            let record = record(&mut self.rng, 30);
            let phone = if at < at_a { &mut self.a } else { &mut self.b };
            phone.write(record, &mut self.rng);
        }
    }

    /// Both ends over a pipe that cuts bytes anyhow and breaks after `bytes_max`.
    fn meet(&mut self, mut bytes_max: usize) -> Result<PeerReport, PeerError> {
        let mut caller = Peer::call(&self.a, &mut self.rng)?;
        let mut listener = Peer::listen(&self.b)?;
        let (mut to_a, mut to_b): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
        loop {
            to_b.extend(caller.output());
            to_a.extend(listener.output());
            if bytes_max == 0 {
                return Ok(caller.report());
            }
            if to_a.is_empty() && to_b.is_empty() {
                assert!(
                    caller.is_done() && listener.is_done(),
                    "both come to their end"
                );
                return Ok(caller.report());
            }
            let forth =
                to_a.is_empty() || (!to_b.is_empty() && self.rng.next_u32().is_multiple_of(2));
            let pipe = if forth { &mut to_b } else { &mut to_a };
            let count = (1 + self.rng.next_u32() as usize % 5_000)
                .min(pipe.len())
                .min(bytes_max);
            bytes_max -= count;
            let bytes: Vec<u8> = pipe.drain(..count).collect();
            if forth {
                listener.received(&mut self.b, &bytes, 0, &mut self.rng)?;
            } else {
                caller.received(&mut self.a, &bytes, 0, &mut self.rng)?;
            }
        }
    }

    fn assert_equal(&self) {
        assert_eq!(
            self.a.held.keys().collect::<Vec<_>>(),
            self.b.held.keys().collect::<Vec<_>>()
        );
    }
}

#[test]
fn after_a_meeting_both_hold_the_same() {
    for seed in 0..30 {
        let mut m = meeting(seed);
        let (at_a, at_b) = (
            m.rng.next_u32() as usize % 90,
            m.rng.next_u32() as usize % 90,
        );
        m.write(at_a, at_b);
        let report = m.meet(usize::MAX).unwrap();
        m.assert_equal();
        assert_eq!(
            (report.given as usize, report.taken as usize),
            (at_a, at_b),
            "seed {seed}"
        );
        let again = m.meet(usize::MAX).unwrap();
        assert_eq!((again.given, again.taken), (0, 0));
        assert!(again.bytes_up + again.bytes_down < 5_000);
    }
}

#[test]
fn more_than_a_message_holds_goes_over_in_parts() {
    let mut m = meeting(1);
    for phone in [&mut m.a, &mut m.b] {
        let record = RecordId([7; 16]);
        for _ in 0..2_000 {
            phone.write(record, &mut m.rng);
        }
    }
    let report = m.meet(usize::MAX).unwrap();
    m.assert_equal();
    assert!(report.messages > 6, "{report:?}");
}

#[test]
fn a_broken_pipe_loses_nothing_and_the_next_meeting_goes_on() {
    for seed in 0..40 {
        let mut m = meeting(100 + seed);
        m.write(60, 60);
        for _ in 0..6 {
            let bytes_max = m.rng.next_u32() as usize % 40_000;
            m.meet(bytes_max).unwrap();
            m.write(2, 2);
        }
        m.meet(usize::MAX).unwrap();
        m.assert_equal();
    }
}

#[test]
fn verdicts_travel_along_and_false_ones_take_nothing_in() {
    let mut m = meeting(2);
    m.write(20, 0);
    let lines = |phone: &Phone| {
        let line = |held: &crate::sync::testing::Held| AttestedEnvelope {
            hash: held.raw.hash(),
            verdict: accepted(5, 1),
            at: Vec::new(),
        };
        phone.held.values().map(line).collect::<Vec<_>>()
    };
    let authority = *m.keys.anchors.authority();
    let signed = Attestation::sign(1, 5, lines(&m.a), &m.keys.receipts, &authority);
    let forged = Attestation {
        time_ms: 6,
        ..signed.clone()
    };
    m.a.attestations = vec![forged];
    assert_eq!(m.meet(usize::MAX), Err(PeerError::BadProof));
    assert!(m.b.held.is_empty());
    m.a.attestations = vec![signed];
    m.meet(usize::MAX).unwrap();
    assert_eq!(m.b.held.len(), 20);
    assert!(
        m.b.held
            .values()
            .all(|held| held.verdict == Some(accepted(5, 1)))
    );
}

#[test]
fn what_is_not_shared_is_neither_told_nor_given() {
    let mut m = meeting(3);
    let secret = RecordId([255; 16]);
    let id = m.b.write(secret, &mut m.rng);
    m.write(5, 5);
    m.meet(usize::MAX).unwrap();
    assert!(!m.a.held.contains_key(&id));
    // A caller that asks for it by name gets nothing either.
    let items = PeerPort::shared_items(&m.b, &m.a.identity.certificate).unwrap();
    let mut listener = Peer::listen(&m.b).unwrap();
    let asked = [RecordIds {
        record: secret,
        ids: Vec::new(),
    }];
    let Ok(PeerMessage::Found {
        bundle,
        lacks,
        more,
        ..
    }) = listener.found(&m.b, &items, &asked)
    else {
        panic!()
    };
    assert!(bundle.is_empty() && lacks.is_empty() && !more);
}

#[test]
fn a_revoked_phone_is_refused_even_if_it_brings_the_news_itself() {
    let device = |phone: &Phone| phone.identity.certificate.facts().device.0.to_vec();
    let mut m = meeting(4);
    m.write(5, 5);
    m.b.revocations.push(device(&m.a));
    assert_eq!(
        m.meet(usize::MAX),
        Err(PeerError::Session(SessionError::Revoked))
    );
    // The listener knows nothing; the caller carries its own revocation.
    let mut m = meeting(5);
    m.write(5, 5);
    m.a.revocations.push(device(&m.a));
    assert_eq!(
        m.meet(usize::MAX),
        Err(PeerError::Session(SessionError::Revoked))
    );
    assert_eq!((m.a.held.len(), m.b.held.len()), (5, 5));
    // A third phone's revocation goes over.
    let mut m = meeting(6);
    m.a.revocations.push(vec![8; 16]);
    m.meet(usize::MAX).unwrap();
    assert_eq!(m.b.revocations, vec![vec![8; 16]]);
}

#[test]
fn altered_bytes_end_the_meeting_and_change_nothing_by_themselves() {
    for seed in 0..200 {
        let mut m = meeting(200 + seed);
        m.write(10, 10);
        let (a, b) = (m.a.held.len(), m.b.held.len());
        let mut caller = Peer::call(&m.a, &mut m.rng).unwrap();
        let mut listener = Peer::listen(&m.b).unwrap();
        let target = m.rng.next_u32() % 8;
        let mut refused = false;
        for turn in 0..40 {
            let forth = turn % 2 == 0;
            let mut bytes = if forth {
                caller.output()
            } else {
                listener.output()
            };
            if turn == target && !bytes.is_empty() {
                let at = m.rng.next_u32() as usize % bytes.len();
                bytes[at] ^= 1 << (m.rng.next_u32() % 8);
            }
            let taken = if forth {
                listener.received(&mut m.b, &bytes, 0, &mut m.rng)
            } else {
                caller.received(&mut m.a, &bytes, 0, &mut m.rng)
            };
            if taken.is_err() {
                refused = true;
                break;
            }
        }
        // Either it was noticed, or the altered length left the other end waiting for more bytes.
        assert!(
            refused || !(caller.is_done() && listener.is_done()),
            "seed {seed}"
        );
        assert!(m.a.held.len() >= a && m.b.held.len() >= b);
        assert!(
            m.a.held
                .keys()
                .all(|id| m.a.held[id].raw.hash().envelope_id() == *id)
        );
    }
}

#[test]
fn messages_out_of_turn_and_of_monstrous_length_are_refused() {
    let mut m = meeting(7);
    let mut listener = Peer::listen(&m.b).unwrap();
    let huge = u32::MAX.to_be_bytes();
    let refused = listener.received(&mut m.b, &huge, 0, &mut m.rng);
    assert_eq!(refused, Err(PeerError::Frame(FrameError::TooLarge)));
    let refused = listener.received(&mut m.b, &[0, 0, 0, 0], 0, &mut m.rng);
    assert!(refused.is_err());
    let mut caller = Peer::call(&m.a, &mut m.rng).unwrap();
    let hello = caller.output();
    // Its own hello comes back.
    assert!(caller.received(&mut m.a, &hello, 0, &mut m.rng).is_err());
}
