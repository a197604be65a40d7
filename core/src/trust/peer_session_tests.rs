#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::id::MemberId;
use crate::trust::certificate::{Facts, ServerKey, ServerPurpose};
use crate::wire::envelope::DirectoryMark;

struct Phone {
    key: SecretKey,
    certificate: Certificate,
    anchors: Anchors,
}

impl Phone {
    fn me(&self) -> Me<'_> {
        Me {
            key: &self.key,
            certificate: &self.certificate,
            anchors: &self.anchors,
        }
    }
}

fn phones(rng: &mut ChaCha20Rng, count: usize) -> Vec<Phone> {
    let (root, issuer) = (SecretKey::generate(rng), SecretKey::generate(rng));
    let issuing = ServerKey::issue(&root, &issuer.public(), ServerPurpose::Certificates, 0);
    let anchors = Anchors::new(root.public(), &[issuing]).unwrap();
    let mut make = || {
        let key = SecretKey::generate(rng);
        let facts = Facts {
            version: 1,
            device: key.public().device(),
            device_key: *key.public().as_bytes(),
            member: Some(MemberId([5; 16])),
            grants: Vec::new(),
            issued_ms: 0,
            expires_ms: 0,
            issued_at: DirectoryMark::default(),
            issuer: issuer.public().device(),
        };
        let certificate = Certificate::issue(&facts, &issuer, anchors.authority()).unwrap();
        Phone {
            key,
            certificate,
            anchors: anchors.clone(),
        }
    };
    (0..count).map(|_| make()).collect()
}

#[allow(clippy::unnecessary_wraps, reason = "the shape of the hook")]
fn anybody(_: &Certificate) -> Result<(), SessionError> {
    Ok(())
}

#[test]
fn two_phones_know_each_other_and_their_messages_are_numbered() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let phones = phones(&mut rng, 2);
    let (a, b) = (&phones[0], &phones[1]);
    let (caller, hello) = Caller::start(a.me(), &mut rng);
    let (listener, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    let (mut at_a, proof) = caller.prove(&reply, a.me(), anybody).unwrap();
    let mut at_b = listener.finish(&proof, b.me(), anybody).unwrap();
    assert_eq!(at_a.peer(), &b.certificate);
    assert_eq!(at_b.peer(), &a.certificate);
    let (first, second) = (at_a.seal(b"1"), at_a.seal(b"2"));
    assert_eq!(
        at_b.open(b"2", &second),
        Err(SessionError::BadMac),
        "one was left out"
    );
    assert_eq!(at_b.open(b"1", &first), Ok(()));
    assert_eq!(
        at_b.open(b"1", &first),
        Err(SessionError::BadMac),
        "doubled"
    );
    assert_eq!(
        at_a.open(b"2", &second),
        Err(SessionError::BadMac),
        "reflected"
    );
    assert_eq!(
        at_b.open(b"x", &second),
        Err(SessionError::BadMac),
        "altered"
    );
    assert_eq!(at_b.open(b"2", &second), Ok(()));
}

#[test]
fn a_relay_without_a_key_of_either_is_refused_by_both() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let phones = phones(&mut rng, 2);
    let (a, b) = (&phones[0], &phones[1]);
    let relay = SecretKey::generate(&mut rng);
    // Towards the caller: the listener's certificate, another key.
    let as_b = Me {
        key: &relay,
        ..b.me()
    };
    let (caller, hello) = Caller::start(a.me(), &mut rng);
    let (_, reply) = Listener::answer(&hello, as_b, &mut rng).unwrap();
    let refused = caller.prove(&reply, a.me(), anybody).err();
    assert_eq!(refused, Some(SessionError::BadServerProof));
    // Towards the listener: the caller's certificate, another key.
    let as_a = Me {
        key: &relay,
        ..a.me()
    };
    let (caller, hello) = Caller::start(as_a, &mut rng);
    let (listener, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    let (_, proof) = caller.prove(&reply, as_a, anybody).unwrap();
    assert_eq!(
        listener.finish(&proof, b.me(), anybody).err(),
        Some(SessionError::BadClientProof)
    );
}

#[test]
fn revoked_phones_strangers_and_the_phone_itself_are_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let here = phones(&mut rng, 2);
    let (a, b) = (&here[0], &here[1]);
    let revoked = |_: &Certificate| Err(SessionError::Revoked);
    let (caller, hello) = Caller::start(a.me(), &mut rng);
    let (listener, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    let (_, proof) = caller.prove(&reply, a.me(), anybody).unwrap();
    assert_eq!(
        listener.finish(&proof, b.me(), revoked).err(),
        Some(SessionError::Revoked)
    );
    let (caller, hello) = Caller::start(a.me(), &mut rng);
    let (_, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    assert_eq!(
        caller.prove(&reply, a.me(), revoked).err(),
        Some(SessionError::Revoked)
    );

    let elsewhere = phones(&mut rng, 1);
    let (_, hello) = Caller::start(elsewhere[0].me(), &mut rng);
    let refused = Listener::answer(&hello, b.me(), &mut rng).err();
    assert_eq!(refused, Some(SessionError::WrongAuthority));
    let liar = Me {
        certificate: &elsewhere[0].certificate,
        ..b.me()
    };
    let (caller, hello) = Caller::start(a.me(), &mut rng);
    let (_, reply) = Listener::answer(&hello, liar, &mut rng).unwrap();
    assert_eq!(
        caller.prove(&reply, a.me(), anybody).err(),
        Some(SessionError::BadCertificate)
    );

    let (caller, hello) = Caller::start(a.me(), &mut rng);
    let (_, reply) = Listener::answer(&hello, a.me(), &mut rng).unwrap();
    assert_eq!(
        caller.prove(&reply, a.me(), anybody).err(),
        Some(SessionError::SameDevice)
    );
}

#[test]
fn no_altered_message_opens_a_channel() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let phones = phones(&mut rng, 2);
    let (a, b) = (&phones[0], &phones[1]);
    let flips = |message: &[u8]| -> Vec<Vec<u8>> {
        let flip = |bit: usize| {
            let mut flipped = message.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        };
        (0..message.len() * 8).step_by(5).map(flip).collect()
    };
    let again = |caller: &Caller| Caller {
        ephemeral: Ephemeral::from_secret(*caller.ephemeral.secret()),
        hello: caller.hello.clone(),
    };
    let (caller, hello) = Caller::start(a.me(), &mut rng);
    for altered in flips(&hello) {
        if let Ok((_, reply)) = Listener::answer(&altered, b.me(), &mut rng) {
            assert!(again(&caller).prove(&reply, a.me(), anybody).is_err());
        }
    }
    let (listener, reply) = Listener::answer(&hello, b.me(), &mut rng).unwrap();
    for altered in flips(&reply) {
        assert!(again(&caller).prove(&altered, a.me(), anybody).is_err());
    }
    let (_, proof) = caller.prove(&reply, a.me(), anybody).unwrap();
    for altered in flips(&proof) {
        let state = Listener {
            ephemeral: Ephemeral::from_secret(*listener.ephemeral.secret()),
            theirs: listener.theirs,
            heard: listener.heard,
        };
        assert!(state.finish(&altered, b.me(), anybody).is_err());
    }
    assert!(listener.finish(&proof, b.me(), anybody).is_ok());
}
