#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::fixtures::Deployment;
use crate::limits::PEER_IDS_MAX;
use crate::sync::testing::{FileState, MemoryReplica, accepted, record};
use crate::trust::certificate::Facts;
use crate::wire::verdict::{Attestation, AttestedEnvelope};

struct Meeting {
    rng: ChaCha20Rng,
    deployment: Deployment,
    a: MemoryReplica,
    b: MemoryReplica,
}

fn meeting(seed: u64) -> Meeting {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let deployment = Deployment::generate(&mut rng);
    let (a, b) = (
        MemoryReplica::new(&deployment, &mut rng),
        MemoryReplica::new(&deployment, &mut rng),
    );
    Meeting {
        rng,
        deployment,
        a,
        b,
    }
}

impl Meeting {
    fn write(&mut self, at_a: usize, at_b: usize) {
        for at in 0..at_a + at_b {
            let record = record(&mut self.rng, 30);
            let phone = if at < at_a { &mut self.a } else { &mut self.b };
            phone.write(record, &mut self.rng);
        }
    }

    /// Runs both ends over a pipe that cuts bytes anywhere and breaks after `bytes_max`.
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
fn verdicts_travel_along_with_their_envelopes() {
    let mut m = meeting(2);
    m.write(20, 0);
    let line = |held: &crate::sync::testing::Held| AttestedEnvelope {
        hash: held.raw.hash(),
        verdict: accepted(5, 1),
        at: Vec::new(),
    };
    let lines = m.a.held.values().map(line).collect();
    let authority = *m.deployment.anchors.authority();
    m.a.attestations = vec![Attestation::sign(
        1,
        5,
        lines,
        &m.deployment.server,
        &authority,
    )];
    m.meet(usize::MAX).unwrap();
    assert_eq!(m.b.held.len(), 20);
    assert!(
        m.b.held
            .values()
            .all(|held| held.verdict == Some(accepted(5, 1)))
    );
}

/// Runs the handshake of two phones; the channel of both is open afterwards.
fn opened(m: &mut Meeting) -> (Peer, Peer) {
    let mut caller = Peer::call(&m.a, &mut m.rng).unwrap();
    let mut listener = Peer::listen(&m.b).unwrap();
    for _ in 0..2 {
        let forth = caller.output();
        listener.received(&mut m.b, &forth, 0, &mut m.rng).unwrap();
        let back = listener.output();
        caller.received(&mut m.a, &back, 0, &mut m.rng).unwrap();
    }
    assert!(caller.peer().is_some() && listener.peer().is_some());
    (caller, listener)
}

#[test]
fn record_not_shared_is_answered_like_absent_one() {
    let mut m = meeting(3);
    let (secret, absent) = (RecordId([255; 16]), RecordId([254; 16]));
    let id = m.b.write(secret, &mut m.rng);
    m.write(5, 5);
    let (_, mut listener) = opened(&mut m);
    let unknown = EnvelopeId([7; 16]);
    let mut ask = |record, ids: &[EnvelopeId]| {
        let asked = [RecordIds {
            record,
            ids: ids.to_vec(),
        }];
        let shared = HashSet::new();
        match listener.found(&m.b, &shared, &asked) {
            Ok(PeerMessage::Found {
                bundle,
                lacks,
                more,
                ..
            }) => (bundle.is_empty(), lacks, more),
            other => panic!("{other:?}"),
        }
    };
    for record in [secret, absent] {
        assert_eq!(ask(record, &[]), (true, Vec::new(), false));
        assert_eq!(ask(record, &[unknown]), (true, vec![unknown], false));
        assert_eq!(ask(record, &[id]), (true, vec![id], false));
    }
    m.meet(usize::MAX).unwrap();
    assert!(!m.a.held.contains_key(&id));
}

#[test]
fn caller_names_nothing_of_record_not_shared() {
    let mut m = meeting(31);
    let secret = RecordId([255; 16]);
    m.a.write(secret, &mut m.rng);
    let (caller, _) = opened(&mut m);
    // A listener with a changed app says that it has something of it.
    assert_eq!(caller.ids_of(&m.a, &secret).unwrap().ids, []);
    let id = m.a.write(RecordId([1; 16]), &mut m.rng);
    assert_eq!(caller.ids_of(&m.a, &RecordId([1; 16])).unwrap().ids, [id]);
}

#[test]
fn observer_of_whole_meeting_sees_no_id() {
    let mut m = meeting(32);
    m.write(40, 40);
    let mut caller = Peer::call(&m.a, &mut m.rng).unwrap();
    let mut listener = Peer::listen(&m.b).unwrap();
    let mut seen = Vec::new();
    loop {
        let forth = caller.output();
        listener.received(&mut m.b, &forth, 0, &mut m.rng).unwrap();
        let back = listener.output();
        caller.received(&mut m.a, &back, 0, &mut m.rng).unwrap();
        if forth.is_empty() && back.is_empty() {
            break;
        }
        seen.extend(forth);
        seen.extend(back);
    }
    assert!(caller.is_done() && m.a.held.len() == m.b.held.len());
    let mut names: Vec<[u8; 16]> = Vec::new();
    for phone in [&m.a, &m.b] {
        let facts = phone.identity.certificate.facts();
        names.extend([facts.device.0, facts.member.unwrap().0]);
        names.push(phone.identity.certificate.hash().first16());
        for (id, held) in &phone.held {
            names.extend([id.0, held.record.0]);
        }
    }
    let windows: HashSet<&[u8]> = seen.windows(16).collect();
    assert!(names.iter().all(|name| !windows.contains(name.as_slice())));
}

#[test]
fn recorded_meeting_played_again_changes_nothing() {
    let mut m = meeting(33);
    m.write(5, 0);
    let mut caller = Peer::call(&m.a, &mut m.rng).unwrap();
    let mut listener = Peer::listen(&m.b).unwrap();
    let mut recorded = Vec::new();
    while !caller.is_done() {
        let forth = caller.output();
        listener.received(&mut m.b, &forth, 0, &mut m.rng).unwrap();
        recorded.push(forth);
        let back = listener.output();
        caller.received(&mut m.a, &back, 0, &mut m.rng).unwrap();
    }
    let mut again = MemoryReplica::new(&m.deployment, &mut m.rng);
    for at in 0..2 {
        // To a third phone, and to the same one.
        let phone = if at == 0 { &mut again } else { &mut m.b };
        let before = phone.held.len();
        let mut listener = Peer::listen(phone).unwrap();
        let refused = recorded
            .iter()
            .find_map(|bytes| listener.received(phone, bytes, 0, &mut m.rng).err());
        assert_eq!(refused, Some(PeerError::Session(SessionError::BadMac)));
        assert_eq!(phone.held.len(), before);
        assert!(listener.peer().is_none());
    }
}

#[test]
fn stranger_gets_one_reply_and_nothing_more() {
    let mut m = meeting(34);
    let elsewhere = Deployment::generate(&mut m.rng);
    let mut stranger = MemoryReplica::new(&elsewhere, &mut m.rng);
    m.write(5, 5);
    let mut caller = Peer::call(&stranger, &mut m.rng).unwrap();
    let mut listener = Peer::listen(&m.b).unwrap();
    let hello = caller.output();
    listener.received(&mut m.b, &hello, 0, &mut m.rng).unwrap();
    let reply = listener.output();
    let given_up = caller.received(&mut stranger, &reply, 0, &mut m.rng);
    assert_eq!(
        given_up,
        Err(PeerError::Session(SessionError::WrongAuthority))
    );
    // As a listener it gets a hello, and a hello holds fresh random bytes alone.
    let mut caller = Peer::call(&m.a, &mut m.rng).unwrap();
    let mut listener = Peer::listen(&stranger).unwrap();
    let hello = caller.output();
    listener
        .received(&mut stranger, &hello, 0, &mut m.rng)
        .unwrap();
    let reply = listener.output();
    let refused = caller.received(&mut m.a, &reply, 0, &mut m.rng);
    assert_eq!(
        refused,
        Err(PeerError::Session(SessionError::WrongAuthority))
    );
    assert!(caller.output().is_empty());
}

#[test]
fn message_past_its_limit_is_refused_unread() {
    let announced = |len: usize| u32::try_from(len).unwrap().to_be_bytes();
    let too_large = Err(PeerError::Frame(FrameError::TooLarge));
    // Before the other side has proved its key.
    let mut m = meeting(35);
    for (len, refused) in [
        (SESSION_MESSAGE_BYTES_MAX, Ok(())),
        (SESSION_MESSAGE_BYTES_MAX + 1, too_large),
    ] {
        let mut listener = Peer::listen(&m.b).unwrap();
        let heard = listener.received(&mut m.b, &announced(len), 0, &mut m.rng);
        assert_eq!(heard, refused);
    }
    // Afterwards.
    for (len, refused) in [
        (PEER_MESSAGE_BYTES_MAX, Ok(())),
        (PEER_MESSAGE_BYTES_MAX + 1, too_large),
    ] {
        let (_, mut listener) = opened(&mut m);
        let heard = listener.received(&mut m.b, &announced(len), 0, &mut m.rng);
        assert_eq!(heard, refused);
    }
}

#[test]
fn list_past_its_limit_is_refused() {
    let ids = |count| RecordIds {
        record: RecordId([1; 16]),
        ids: vec![EnvelopeId([2; 16]); count],
    };
    let found = |count| PeerMessage::Found {
        give_back: GiveBack::default(),
        bundle: Bundle::default(),
        lacks: vec![EnvelopeId([2; 16]); count],
        more: false,
    };
    let at_and_past: [(PeerMessage, PeerMessage); 4] = [
        (
            PeerMessage::Compare(vec![ids(0); PEER_RECORDS_MAX]),
            PeerMessage::Compare(vec![ids(0); PEER_RECORDS_MAX + 1]),
        ),
        (
            PeerMessage::Compare(vec![ids(REPAIR_IDS_MAX)]),
            PeerMessage::Compare(vec![ids(REPAIR_IDS_MAX + 1)]),
        ),
        (
            PeerMessage::Revocations(vec![ByteVec::from(Vec::new()); GIVE_BACK_DIRECTORY_MAX]),
            PeerMessage::Revocations(vec![ByteVec::from(Vec::new()); GIVE_BACK_DIRECTORY_MAX + 1]),
        ),
        (found(PEER_IDS_MAX), found(PEER_IDS_MAX + 1)),
    ];
    for (at, past) in at_and_past {
        let read = |message: &PeerMessage| {
            minicbor::decode::<PeerMessage>(&minicbor::to_vec(message).unwrap()).is_ok()
        };
        assert!(read(&at));
        assert!(!read(&past));
    }
}

#[test]
fn a_revoked_phone_is_refused_even_if_it_brings_the_news_itself() {
    let device = |phone: &MemoryReplica| phone.identity.certificate.facts().device.0.to_vec();
    let mut m = meeting(4);
    m.write(5, 5);
    m.b.revocations.push(device(&m.a));
    assert_eq!(m.meet(usize::MAX).unwrap_err().code(), "peer.revoked");
    // The listener knows nothing; the caller carries its own revocation.
    let mut m = meeting(5);
    m.write(5, 5);
    m.a.revocations.push(device(&m.a));
    assert_eq!(m.meet(usize::MAX).unwrap_err().code(), "peer.revoked");
    assert_eq!((m.a.held.len(), m.b.held.len()), (5, 5));
    // A third phone's revocation is sent over.
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

/// The listener may not read the record, so it carries the caller's work sealed; the caller has nothing
/// of the listener's.
#[test]
fn sealed_work_goes_over_before_the_end() {
    let mut m = meeting(31);
    let hidden = RecordId([255; 16]);
    let written: Vec<_> = (0..3).map(|_| m.a.write(hidden, &mut m.rng)).collect();
    m.write(4, 0);
    let report = m.meet(usize::MAX).unwrap();
    assert_eq!(
        (report.given, report.parcel_given, report.parcel_taken),
        (4, true, false)
    );
    assert!(m.a.parcels.is_empty());
    assert!(m.b.ids(&hidden).is_empty());
    let bytes = &m.b.parcels[0].bytes;
    for id in &written {
        assert!(!bytes.windows(16).any(|part| part == id.0));
    }
    assert!(!bytes.windows(16).any(|part| part == hidden.0));
    let authority = *m.deployment.anchors.authority();
    let sealed = crate::trust::parcel::SealedParcel::from_bytes(bytes).unwrap();
    let content = m.deployment.parcels.open(&sealed, &authority).unwrap();
    let bundle: Bundle = frame::decode(&content, content.len()).unwrap();
    assert_eq!(bundle.envelopes.len(), 3);
    // Again with more work: the newer parcel takes the place of the older one, from either side.
    m.a.write(hidden, &mut m.rng);
    std::mem::swap(&mut m.a, &mut m.b);
    let report = m.meet(usize::MAX).unwrap();
    assert_eq!((report.parcel_given, report.parcel_taken), (false, true));
    assert_eq!(m.a.parcels.len(), 1);
}

#[test]
fn wanted_files_go_both_ways_and_resume() {
    let mut m = meeting(41);
    let [shared, hidden] = [3, 255].map(|n| RecordId([n; 16]));
    for record in [shared, hidden] {
        m.a.write(record, &mut m.rng);
    }
    m.meet(usize::MAX).unwrap();
    // Bytes that do not compress.
    let mut large = vec![0; 300_000];
    m.rng.fill_bytes(&mut large);
    let of_a = m.a.hold(shared, &large, FileState::Held);
    m.b.want(of_a, large.len());
    let of_b = m.b.hold(shared, b"small", FileState::Waiting);
    m.a.want(of_b, 5);
    let damaged = m.b.hold(shared, b"sound", FileState::Held);
    m.b.files.files.get_mut(&damaged).unwrap().bytes = b"other".to_vec();
    m.a.want(damaged, 5);
    // The record is not shared, so its photo is neither asked for nor given.
    let of_hidden = m.a.hold(hidden, b"hidden", FileState::Held);
    m.b.want(of_hidden, 6);
    let nowhere = FileName {
        record: shared,
        id: crate::id::Hash([9; 32]),
    };
    m.a.want(nowhere, 7);
    let here = |m: &Meeting| m.b.files.files[&of_a].bytes.len();
    let mut meetings = 0;
    while here(&m) < large.len() {
        let before = here(&m);
        let _ = m.meet(90_000);
        meetings += 1;
        assert!(here(&m) > before, "it resumes");
    }
    assert!(meetings > 2);
    m.meet(usize::MAX).unwrap();
    assert_eq!(m.b.files.files[&of_a].state, FileState::Held);
    assert_eq!(m.a.files.files[&of_b].bytes, b"small");
    assert!(m.a.files.unsound > 0);
    for (phone, name) in [(&m.a, damaged), (&m.b, of_hidden), (&m.a, nowhere)] {
        assert!(phone.files.files[&name].bytes.is_empty(), "{name:?}");
    }
}

/// A phone without room for a photo takes the work all the same.
#[test]
fn failing_files_do_not_fail_the_meeting() {
    let mut m = meeting(42);
    let record = RecordId([3; 16]);
    m.a.write(record, &mut m.rng);
    m.meet(usize::MAX).unwrap();
    let name = m.a.hold(record, b"photo", FileState::Held);
    m.b.want(name, 5);
    m.b.files.is_full = true;
    m.a.write(record, &mut m.rng);
    let report = m.meet(usize::MAX).unwrap();
    assert_eq!((report.given, report.files_taken), (1, 0));
    assert!(m.b.files.files[&name].bytes.is_empty());
    m.b.files.is_full = false;
    std::mem::swap(&mut m.a, &mut m.b);
    assert_eq!(m.meet(usize::MAX).unwrap().files_taken, 1);
}

/// Lets the certificate of a phone run out. `meet` runs at time 0.
fn expire(deployment: &Deployment, phone: &mut MemoryReplica) {
    let facts = Facts {
        expires_ms: 0,
        ..phone.identity.certificate.facts().clone()
    };
    phone.identity.certificate = Arc::new(deployment.certify(&facts));
}

#[test]
fn phone_with_expired_certificate_gets_no_record() {
    // The listener's certificate has run out, then the caller's.
    let mut m = meeting(51);
    let both = RecordId([9; 16]);
    m.write(3, 3);
    m.a.write(both, &mut m.rng);
    m.meet(usize::MAX).unwrap();
    m.write(4, 5);
    m.a.write(both, &mut m.rng);
    m.b.write(both, &mut m.rng);
    expire(&m.deployment, &mut m.b);
    m.meet(usize::MAX).unwrap();
    assert_eq!(m.b.held.len(), 7 + 6, "expiry limits reading");
    assert_eq!(m.a.held.len(), 7 + 5 + 6, "its own work arrives");
    std::mem::swap(&mut m.a, &mut m.b);
    m.a.write(both, &mut m.rng);
    m.meet(usize::MAX).unwrap();
    assert_eq!(m.a.held.len(), 7 + 6 + 1, "expiry limits reading");
    assert_eq!(m.b.held.len(), 7 + 5 + 6 + 1, "its own work arrives");
}

/// The expired phone has far more than one message holds, and its new work is at the end.
#[test]
fn work_of_an_expired_phone_arrives_behind_known_work() {
    let mut m = meeting(52);
    let known = RecordId([1; 16]);
    for _ in 0..2_000 {
        m.b.write(known, &mut m.rng);
    }
    m.meet(usize::MAX).unwrap();
    let late = m.b.write(RecordId([2; 16]), &mut m.rng);
    expire(&m.deployment, &mut m.b);
    let report = m.meet(usize::MAX).unwrap();
    assert!(m.a.held.contains_key(&late));
    assert_eq!(report.taken, 1);
}

#[test]
fn phone_with_expired_certificate_gets_no_file() {
    let mut m = meeting(53);
    let record = RecordId([3; 16]);
    m.a.write(record, &mut m.rng);
    m.meet(usize::MAX).unwrap();
    let photo = m.a.hold(record, b"photo", FileState::Held);
    m.b.want(photo, 5);
    expire(&m.deployment, &mut m.b);
    m.meet(usize::MAX).unwrap();
    assert!(m.b.files.files[&photo].bytes.is_empty());
}

#[test]
fn phone_without_proof_is_named_the_other_one() {
    let mut m = meeting(54);
    let elsewhere = Deployment::generate(&mut m.rng);
    let facts = m.b.identity.certificate.facts().clone();
    m.b.identity.certificate = Arc::new(elsewhere.certify(&facts));
    assert_eq!(m.meet(usize::MAX).unwrap_err().code(), "peer.not_proved");
    for refused in [
        SessionError::BadClientProof,
        SessionError::BadServerProof,
        SessionError::BadCertificate,
    ] {
        assert_eq!(PeerError::from(refused), PeerError::NotProved);
    }
}
