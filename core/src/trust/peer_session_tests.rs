#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::fixtures::{Deployment, VOLUNTEER_WANG, facts};
use crate::trust::certificate::{ServerKey, ServerPurpose};

struct PeerPhone {
    key: SecretKey,
    certificate: Certificate,
    anchors: Anchors,
    secrets: MeetingSecrets,
}

impl PeerPhone {
    fn me(&self) -> Me<'_> {
        Me {
            key: &self.key,
            certificate: &self.certificate,
            anchors: &self.anchors,
            secrets: &self.secrets,
        }
    }
}

impl Deployment {
    fn listing(&self, number: u64, issuer: &SecretKey) -> Anchors {
        let entry = ServerKey::new(&issuer.public(), ServerPurpose::Certificates, 0, 9);
        let list = ServerKeys::sign(&self.root, number, vec![entry]);
        Anchors::new(self.root.public(), list).unwrap()
    }

    fn peer(&self, rng: &mut ChaCha20Rng) -> PeerPhone {
        self.peer_of(1, &self.server, rng)
    }

    /// A phone that has met the list of this number, and whose certificate the only key in it signed.
    fn peer_of(&self, number: u64, issuer: &SecretKey, rng: &mut ChaCha20Rng) -> PeerPhone {
        let key = SecretKey::generate(rng);
        let facts = facts(&key.public(), VOLUNTEER_WANG.member(), Vec::new());
        let anchors = self.listing(number, issuer);
        let certificate = Certificate::issue(&facts, issuer, anchors.authority()).unwrap();
        PeerPhone {
            key,
            certificate,
            anchors,
            secrets: self.secrets.clone(),
        }
    }
}

/// Two phones of one deployment.
fn phones(rng: &mut ChaCha20Rng) -> (PeerPhone, PeerPhone) {
    let deployment = Deployment::generate(rng);
    (deployment.peer(rng), deployment.peer(rng))
}

#[allow(clippy::unnecessary_wraps, reason = "the shape of the hook")]
fn anybody(_: &Certificate) -> Result<(), SessionError> {
    Ok(())
}

/// All four messages of a handshake and the two ends.
struct Met {
    messages: [Vec<u8>; 4],
    at_a: PeerChannel,
    at_b: PeerChannel,
}

fn try_meet(a: Me<'_>, b: Me<'_>, rng: &mut ChaCha20Rng) -> Result<Met, SessionError> {
    let (caller, hello) = Caller::start(rng);
    let (listener, reply) = Listener::answer(&hello, b, rng)?;
    let (caller, introduction) = caller.introduce(&reply, a)?;
    let (at_b, answer) = listener.finish(&introduction, b, anybody)?;
    let at_a = caller.finish(&answer, a, anybody)?;
    Ok(Met {
        messages: [hello, reply, introduction, answer],
        at_a,
        at_b,
    })
}

fn meet(a: &PeerPhone, b: &PeerPhone, rng: &mut ChaCha20Rng) -> Met {
    try_meet(a.me(), b.me(), rng).unwrap()
}

#[test]
fn two_phones_know_each_other_and_number_their_messages() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (a, b) = phones(&mut rng);
    let Met {
        mut at_a, mut at_b, ..
    } = meet(&a, &b, &mut rng);
    assert_eq!(at_a.peer(), &b.certificate);
    assert_eq!(at_b.peer(), &a.certificate);
    let held = Hash([7; 32]);
    assert_eq!(at_a.digests().of(&held), at_b.digests().of(&held));
    let (first, second) = (at_a.seal(b"1"), at_a.seal(b"2"));
    assert_eq!(at_b.open(&first), Ok(b"1".to_vec()));
    assert_eq!(at_b.open(&first), Err(SessionError::BadMac), "doubled");
    assert_eq!(at_a.open(&second), Err(SessionError::BadMac), "reflected");
    let mut at_b = meet(&a, &b, &mut rng).at_b;
    assert_eq!(
        at_b.open(&second),
        Err(SessionError::BadMac),
        "of another meeting"
    );
    let Met {
        mut at_a, mut at_b, ..
    } = meet(&a, &b, &mut rng);
    let (_, second) = (at_a.seal(b"1"), at_a.seal(b"2"));
    assert_eq!(
        at_b.open(&second),
        Err(SessionError::BadMac),
        "one left out"
    );
}

#[test]
fn digest_of_another_meeting_is_another_digest() {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let (a, b) = phones(&mut rng);
    let digests = [1, 2].map(|_| meet(&a, &b, &mut rng).at_a.digests().of(&Hash([7; 32])));
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn observer_sees_no_certificate_and_no_two_equal_messages() {
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    let (a, b) = phones(&mut rng);
    let seen = [1, 2].map(|_| meet(&a, &b, &mut rng).messages);
    for (first, second) in seen[0].iter().zip(&seen[1]) {
        let longest = first
            .windows(12)
            .filter(|part| second.windows(12).any(|other| other == *part));
        assert_eq!(longest.count(), 0, "nothing ties one meeting to the next");
    }
    for bytes in seen.iter().flatten() {
        for phone in [&a, &b] {
            let facts = phone.certificate.facts();
            let parts: [&[u8]; 4] = [
                &facts.device.0,
                &facts.device_key,
                &facts.member.unwrap().0,
                phone.anchors.authority().0.as_bytes(),
            ];
            for part in parts {
                assert!(!bytes.windows(part.len()).any(|window| window == part));
            }
        }
    }
}

#[test]
fn stranger_learns_from_neither_side_who_is_there() {
    let mut rng = ChaCha20Rng::seed_from_u64(13);
    let (a, b) = phones(&mut rng);
    // It has the root key and even a stolen certificate, and not the secret.
    let stranger = PeerPhone {
        key: SecretKey::generate(&mut rng),
        certificate: a.certificate.clone(),
        anchors: a.anchors.clone(),
        secrets: MeetingSecrets::generate(&mut rng),
    };
    // The stranger answers a phone that calls. The phone recognises no tag and stays silent.
    let (caller, hello) = Caller::start(&mut rng);
    let (_, reply) = Listener::answer(&hello, stranger.me(), &mut rng).unwrap();
    let refused = caller.introduce(&reply, a.me()).err();
    assert_eq!(refused, Some(SessionError::WrongAuthority));
    // The stranger calls. The reply to every caller holds only fresh random bytes, and no message
    // follows it.
    let (caller, hello) = Caller::start(&mut rng);
    let (listener, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    let unrecognised = caller.introduce(&reply, stranger.me()).err();
    assert_eq!(unrecognised, Some(SessionError::WrongAuthority));
    let silent = listener.finish(&[0; 300], b.me(), anybody).err();
    assert_eq!(silent, Some(SessionError::BadMac));
}

#[test]
fn member_without_valid_certificate_learns_no_name() {
    let mut rng = ChaCha20Rng::seed_from_u64(14);
    let deployment = Deployment::generate(&mut rng);
    let (a, b) = (deployment.peer(&mut rng), deployment.peer(&mut rng));
    // A secret that leaked opens the tags and nothing more, as long as the caller is the stranger.
    let relay = SecretKey::generate(&mut rng);
    let liar = Me {
        key: &relay,
        ..a.me()
    };
    let refused = try_meet(liar, b.me(), &mut rng).err();
    assert_eq!(refused, Some(SessionError::BadClientProof));
    let own = Deployment::generate(&mut rng).peer(&mut rng);
    let foreign = Me {
        certificate: &own.certificate,
        key: &own.key,
        ..a.me()
    };
    let refused = try_meet(foreign, b.me(), &mut rng).err();
    assert_eq!(refused, Some(SessionError::BadCertificate));
}

#[test]
fn phone_in_between_is_found_by_both() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let deployment = Deployment::generate(&mut rng);
    let (a, b) = (deployment.peer(&mut rng), deployment.peer(&mut rng));
    // A member with a changed app relays between the two: it agrees on a key with each and hands on
    // their messages.
    let relay = deployment.peer(&mut rng);
    let (caller, hello) = Caller::start(&mut rng);
    let (towards_a, reply_to_a) = Listener::answer(&hello, relay.me(), &mut rng).unwrap();
    let (caller, from_a) = caller.introduce(&reply_to_a, a.me()).unwrap();
    let agreed = towards_a
        .ephemeral
        .agree(&towards_a.theirs, &towards_a.said.hash());
    let mut keys = Keys::new(&agreed.unwrap(), &deployment.secrets.newest);
    let introduction_of_a = keys.forth.open(&from_a).unwrap();

    let (towards_b, hello) = Caller::start(&mut rng);
    let (listener, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    let read: Reply = read(&reply, 2, SESSION_MESSAGE_BYTES_MAX).unwrap();
    let offer: Offer = minicbor::decode(&read.offer).unwrap();
    let said = offered(&hello, &read.offer).with(&read.tags);
    let agreed = towards_b.ephemeral.agree(&offer.ephemeral, &said.hash());
    let mut keys_b = Keys::new(&agreed.unwrap(), &deployment.secrets.newest);
    let handed_on = keys_b.forth.seal(&introduction_of_a);
    let refused = listener.finish(&handed_on, b.me(), anybody).err();
    assert_eq!(refused, Some(SessionError::BadClientProof));
    // Towards the caller it can only repeat an introduction of another meeting, or make one of its own.
    let stolen = introduction(b.me(), said, Side::Listener);
    let refused = caller
        .finish(&keys.back.seal(&stolen), a.me(), anybody)
        .err();
    assert_eq!(refused, Some(SessionError::BadServerProof));
}

#[test]
fn replayed_meeting_is_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(15);
    let (a, b) = phones(&mut rng);
    let [hello, reply, introduction, answer] = meet(&a, &b, &mut rng).messages;
    // The caller's messages, again.
    let (listener, _) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    let refused = listener.finish(&introduction, b.me(), anybody).err();
    assert_eq!(refused, Some(SessionError::BadMac));
    // The listener's messages, to another call.
    let (caller, _) = Caller::start(&mut rng);
    let refused = caller.introduce(&reply, a.me()).err();
    assert_eq!(refused, Some(SessionError::WrongAuthority));
    let (caller, hello) = Caller::start(&mut rng);
    let (_, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    let (caller, _) = caller.introduce(&reply, a.me()).unwrap();
    let refused = caller.finish(&answer, a.me(), anybody).err();
    assert_eq!(refused, Some(SessionError::BadMac));
}

#[test]
fn revoked_phone_and_phone_itself_are_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (a, b) = phones(&mut rng);
    let revoked = |_: &Certificate| Err(SessionError::Revoked);
    let (caller, hello) = Caller::start(&mut rng);
    let (listener, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    let (_, introduction) = caller.introduce(&reply, a.me()).unwrap();
    let refused = listener.finish(&introduction, b.me(), revoked).err();
    assert_eq!(
        refused,
        Some(SessionError::Revoked),
        "and b has said nothing"
    );
    let (caller, hello) = Caller::start(&mut rng);
    let (listener, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    let (caller, introduction) = caller.introduce(&reply, a.me()).unwrap();
    let (_, answer) = listener.finish(&introduction, b.me(), anybody).unwrap();
    let refused = caller.finish(&answer, a.me(), revoked).err();
    assert_eq!(refused, Some(SessionError::Revoked));
    let refused = try_meet(a.me(), a.me(), &mut rng).err();
    assert_eq!(refused, Some(SessionError::SameDevice));
}

#[test]
fn phones_on_both_sides_of_new_secret_meet() {
    let mut rng = ChaCha20Rng::seed_from_u64(16);
    let (mut a, b) = phones(&mut rng);
    a.secrets = a.secrets.clone().rotate(&mut rng);
    meet(&a, &b, &mut rng);
    meet(&b, &a, &mut rng);
    a.secrets = a.secrets.clone().rotate(&mut rng);
    let refused = try_meet(a.me(), b.me(), &mut rng).err();
    assert_eq!(refused, Some(SessionError::WrongAuthority));
}

#[test]
fn newer_list_of_keys_spreads_and_decides() {
    let mut rng = ChaCha20Rng::seed_from_u64(17);
    let deployment = Deployment::generate(&mut rng);
    let leaked = &deployment.server;
    let fresh = SecretKey::generate(&mut rng);
    let (behind, ahead) = (
        deployment.peer_of(1, leaked, &mut rng),
        deployment.peer_of(2, &fresh, &mut rng),
    );
    // A phone with a certificate of the key that left the list is not met by one that knows of it.
    let refused = try_meet(behind.me(), ahead.me(), &mut rng).err();
    assert_eq!(refused, Some(SessionError::BadCertificate));
    // A phone that has not heard of it learns the list and verifies by it.
    let renewed = PeerPhone {
        anchors: behind.anchors.clone(),
        ..deployment.peer_of(2, &fresh, &mut rng)
    };
    let met = meet(&renewed, &ahead, &mut rng);
    assert_eq!(met.at_a.newer_keys(), Some(ahead.anchors.list()));
    assert_eq!(met.at_b.newer_keys(), None);
}

#[test]
fn no_altered_message_opens_a_channel() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (a, b) = phones(&mut rng);
    let flips = |message: &[u8]| -> Vec<Vec<u8>> {
        let flip = |bit: usize| {
            let mut flipped = message.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        };
        (0..message.len() * 8).step_by(5).map(flip).collect()
    };
    let (caller, hello) = Caller::start(&mut rng);
    let again = |caller: &Caller| Caller {
        ephemeral: Ephemeral::from_secret(*caller.ephemeral.secret()),
        hello: caller.hello.clone(),
        expected: None,
    };
    for altered in flips(&hello) {
        if let Ok((_, reply)) = Listener::answer(&altered, b.me(), &mut rng) {
            assert!(again(&caller).introduce(&reply, a.me()).is_err());
        }
    }
    let (listener, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    for altered in flips(&reply) {
        // The tag of an absent secret is random. An altered one means nothing, but the signature
        // covers it.
        if let Ok((_, introduction)) = again(&caller).introduce(&altered, a.me()) {
            let state = listener_again(&listener);
            assert!(state.finish(&introduction, b.me(), anybody).is_err());
        }
    }
    let (_, introduction) = again(&caller).introduce(&reply, a.me()).unwrap();
    for altered in flips(&introduction) {
        let state = listener_again(&listener);
        assert!(state.finish(&altered, b.me(), anybody).is_err());
    }
    let (_, answer) = listener_again(&listener)
        .finish(&introduction, b.me(), anybody)
        .unwrap();
    for altered in flips(&answer) {
        let (caller, _) = again(&caller).introduce(&reply, a.me()).unwrap();
        assert!(caller.finish(&altered, a.me(), anybody).is_err());
    }
    let (caller, _) = again(&caller).introduce(&reply, a.me()).unwrap();
    assert!(caller.finish(&answer, a.me(), anybody).is_ok());
}

fn listener_again(listener: &Listener) -> Listener {
    Listener {
        ephemeral: Ephemeral::from_secret(*listener.ephemeral.secret()),
        theirs: listener.theirs,
        said: listener.said,
    }
}

#[test]
fn versions_at_their_limit_are_read_and_past_it_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(18);
    let (_, b) = phones(&mut rng);
    for (count, good) in [(VERSIONS_MAX, true), (VERSIONS_MAX + 1, false)] {
        let hello = write(&Hello {
            versions: vec![VERSIONS[0]; count],
            ephemeral: Ephemeral::generate(&mut rng).public(),
            nonce: [0; 16],
        });
        assert_eq!(Listener::answer(&hello, b.me(), &mut rng).is_ok(), good);
    }
    let newer = write(&Hello {
        versions: vec![99],
        ephemeral: [1; 32],
        nonce: [0; 16],
    });
    let refused = Listener::answer(&newer, b.me(), &mut rng).err();
    assert_eq!(refused, Some(SessionError::NoCommonVersion));
}
