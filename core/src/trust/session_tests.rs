#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::fixtures::{Deployment, VOLUNTEER_WANG, facts};
use crate::trust::certificate::ServerKey;
use crate::trust::request_mac::RequestTag;

/// A server and a phone, each with what it trusts.
struct SessionEnds {
    deployment: Deployment,
    /// The anchors of both ends.
    anchors: Anchors,
    phone: SecretKey,
    certificate: Certificate,
    sealing: HandshakeKey,
    rng: ChaCha20Rng,
}

fn ends(seed: u64) -> SessionEnds {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let deployment = Deployment::generate(&mut rng);
    SessionEnds {
        anchors: (*deployment.anchors).clone(),
        phone: VOLUNTEER_WANG.key(),
        certificate: deployment.certificate(VOLUNTEER_WANG),
        sealing: HandshakeKey::generate(&mut rng),
        deployment,
        rng,
    }
}

impl SessionEnds {
    fn start(&mut self) -> (ClientHandshake, Vec<u8>) {
        ClientHandshake::start(self.anchors.authority(), &mut self.rng)
    }

    fn answer(&mut self, hello: &[u8]) -> Result<(ServerHandshake, Vec<u8>), SessionError> {
        ServerHandshake::answer(
            hello,
            &self.deployment.server,
            &self.anchors,
            &self.sealing,
            0,
            &mut self.rng,
        )
    }

    fn prove(
        &self,
        handshake: ClientHandshake,
        server_hello: &[u8],
    ) -> Result<(ClientAwaiting, Vec<u8>), SessionError> {
        handshake.prove(server_hello, &self.anchors, &self.phone, &self.certificate)
    }

    fn finish(&self, waiting: ServerHandshake, prove: &[u8]) -> Result<Proven, SessionError> {
        let certify = |raw| Certificate::verify(raw, &self.anchors).ok();
        waiting.finish(prove, self.anchors.authority(), 10, certify, |_| Ok(()))
    }

    fn grant(&mut self, proven: Proven) -> (Session, Vec<u8>) {
        let (id, secrets) = (
            SessionId::generate(&mut self.rng),
            self.deployment.secrets.clone(),
        );
        proven.grant(3, secrets, None, 10, id)
    }
}

#[test]
fn both_ends_open_the_same_session() {
    let mut w = ends(1);
    let (client, hello) = w.start();
    let (waiting, server_hello) = w.answer(&hello).unwrap();
    let (awaiting, prove) = w.prove(client, &server_hello).unwrap();
    assert_eq!(SessionMessage::of(&hello), Ok(SessionMessage::Hello));
    assert_eq!(SessionMessage::of(&prove), Ok(SessionMessage::Prove));
    let carried = ServerHandshake::open(&prove, &w.sealing).unwrap();
    assert_eq!(
        (carried.id(), carried.ends_ms()),
        (waiting.id(), waiting.ends_ms())
    );
    assert_eq!(
        SessionMessage::of(&server_hello),
        Err(SessionError::Malformed)
    );
    let proven = w.finish(carried, &prove).unwrap();
    assert_eq!(proven.certificate(), &w.certificate);
    let (at_server, grant) = w.grant(proven);
    // The phone's clock is years off; the length of the session is not.
    let (at_phone, welcome) = awaiting.finish(&grant, -9_000).unwrap();
    assert_eq!(at_phone.expires_ms, -9_000 + SESSION_MS);
    assert_eq!(at_server.expires_ms, 10 + SESSION_MS);
    assert_eq!(welcome.grant.generation, 3);
    assert_eq!(welcome.grant.secrets, w.deployment.secrets);
    assert_eq!(&welcome.server_keys, w.anchors.list());
    assert_eq!((at_phone.id, &at_phone.key), (at_server.id, &at_server.key));
    assert_eq!(at_server.device, w.phone.public().device());
    let tag = at_phone.tag(0, "POST", "/v1/sync", b"x");
    let tag = RequestTag::parse(&tag.session_header(), &tag.mac_header()).unwrap();
    assert_eq!(
        at_server.check_request(&tag, "POST", "/v1/sync", b"x", 20),
        Ok(())
    );
}

#[test]
fn a_relay_with_keys_of_its_own_is_refused_by_the_phone() {
    let mut w = ends(2);
    let (client, hello) = w.start();
    // The relay swaps the phone's fresh key for one of its own, towards the real server.
    let mine = Ephemeral::generate(&mut w.rng);
    let mut swapped: Hello = minicbor::decode(&hello).unwrap();
    swapped.ephemeral = mine.public();
    let (_, server_hello) = w.answer(&write(&swapped)).unwrap();
    assert_eq!(
        w.prove(client, &server_hello).err(),
        Some(SessionError::BadServerProof)
    );
    // It swaps the server's fresh key in the answer.
    let (client, hello) = w.start();
    let (_, server_hello) = w.answer(&hello).unwrap();
    let mut signed: ServerHello = minicbor::decode(&server_hello).unwrap();
    let mut offer: ServerOffer = minicbor::decode(&signed.said).unwrap();
    offer.ephemeral = mine.public();
    signed.said = write(&offer);
    assert_eq!(
        w.prove(client, &write(&signed)).err(),
        Some(SessionError::BadServerProof)
    );
    // It plays the server with a key that the root has not certified.
    let (client, hello) = w.start();
    let (false_root, false_key) = (
        SecretKey::generate(&mut w.rng),
        SecretKey::generate(&mut w.rng),
    );
    let entry = ServerKey::new(&false_key.public(), ServerPurpose::Receipts, 0, 9);
    let forged = ServerKeys {
        number: 2,
        ..ServerKeys::sign(&false_root, 2, vec![entry])
    };
    let mut signed: ServerHello = minicbor::decode(&w.answer(&hello).unwrap().1).unwrap();
    let mut offer: ServerOffer = minicbor::decode(&signed.said).unwrap();
    offer.server_keys = forged;
    signed.said = write(&offer);
    let said = said(&hello, &signed.said).hash();
    let authority = w.anchors.authority();
    signed.signature = false_key.sign(Purpose::SessionServer, authority, &[said.as_bytes()]);
    let answer = write(&signed);
    assert_eq!(
        w.prove(client, &answer).err(),
        Some(SessionError::UnknownServer)
    );
}

#[test]
fn a_relay_with_keys_of_its_own_is_refused_by_the_server() {
    let mut w = ends(3);
    // The relay speaks to the server itself and shows the phone's certificate, which it has seen.
    let relay = SecretKey::generate(&mut w.rng);
    let (client, hello) = w.start();
    let (waiting, server_hello) = w.answer(&hello).unwrap();
    let (_, prove) = client
        .prove(&server_hello, &w.anchors, &relay, &w.certificate)
        .unwrap();
    assert_eq!(
        w.finish(waiting, &prove).err(),
        Some(SessionError::BadClientProof)
    );
    // With a certificate of its own making.
    let grants = vec![VOLUNTEER_WANG.grant()];
    let claims = facts(&relay.public(), VOLUNTEER_WANG.member(), grants);
    let own = Certificate::issue(&claims, &relay, w.anchors.authority()).unwrap();
    let (client, hello) = w.start();
    let (waiting, server_hello) = w.answer(&hello).unwrap();
    let (_, prove) = client
        .prove(&server_hello, &w.anchors, &relay, &own)
        .unwrap();
    assert_eq!(
        w.finish(waiting, &prove).err(),
        Some(SessionError::BadCertificate)
    );
}

#[test]
fn a_key_for_another_purpose_does_not_speak_for_the_server() {
    let mut w = ends(4);
    let key = ServerKey::new(&w.deployment.server.public(), ServerPurpose::Packs, 0, 9);
    let list = ServerKeys::sign(&w.deployment.root, 1, vec![key]);
    w.anchors = Anchors::new(w.deployment.root.public(), list).unwrap();
    let (client, hello) = w.start();
    let (_, server_hello) = w.answer(&hello).unwrap();
    assert_eq!(
        w.prove(client, &server_hello).err(),
        Some(SessionError::BadServerProof)
    );
}

/// A list of this number with the server's key for receipts, ended or not.
fn list(w: &SessionEnds, number: u64, until_ms: Option<i64>, generation_max: u32) -> Anchors {
    let key = w.deployment.server.public();
    let entry = ServerKey {
        until_ms,
        ..ServerKey::new(&key, ServerPurpose::Receipts, 0, generation_max)
    };
    let list = ServerKeys::sign(&w.deployment.root, number, vec![entry]);
    Anchors::new(w.deployment.root.public(), list).unwrap()
}

#[test]
fn newer_list_is_learnt_and_older_list_refused() {
    let mut w = ends(40);
    let (older, newer) = (list(&w, 5, None, 9), list(&w, 6, None, 9));
    for (phone, server, learnt) in [
        (&older, &newer, Ok(6)),
        (&newer, &newer, Ok(6)),
        (&newer, &older, Err(SessionError::OlderKeys)),
    ] {
        let (client, hello) = w.start();
        w.anchors = server.clone();
        let (_, server_hello) = w.answer(&hello).unwrap();
        let awaiting = client.prove(&server_hello, phone, &w.phone, &w.certificate);
        assert_eq!(awaiting.map(|(a, _)| a.server_keys.number), learnt);
    }
}

#[test]
fn retired_key_opens_no_session() {
    let mut w = ends(41);
    let (client, hello) = w.start();
    w.anchors = list(&w, 5, Some(1_000), 9);
    let (_, server_hello) = w.answer(&hello).unwrap();
    let refused = w.prove(client, &server_hello).err();
    assert_eq!(refused, Some(SessionError::BadServerProof));
}

#[test]
fn generation_above_the_bound_opens_no_session() {
    let mut w = ends(42);
    let with_issuer = w.anchors.clone();
    for (generation_max, opened) in [(3, true), (2, false)] {
        let (client, hello) = w.start();
        w.anchors = list(&w, 5, None, generation_max);
        let (waiting, server_hello) = w.answer(&hello).unwrap();
        let (awaiting, prove) = w.prove(client, &server_hello).unwrap();
        w.anchors = with_issuer.clone();
        let proven = w.finish(waiting, &prove).unwrap();
        let (_, grant) = w.grant(proven);
        let finished = awaiting.finish(&grant, 0).map(drop);
        let expected = if opened {
            Ok(())
        } else {
            Err(SessionError::UncertifiedGeneration)
        };
        assert_eq!(finished, expected);
    }
}

#[test]
fn a_proof_is_good_once_and_for_its_own_handshake() {
    let mut w = ends(5);
    let (client, hello) = w.start();
    let (waiting, server_hello) = w.answer(&hello).unwrap();
    let (_, prove) = w.prove(client, &server_hello).unwrap();
    w.finish(waiting, &prove).unwrap();
    // The same hello and proof again. The server has a fresh key and nonce, so the handshake is
    // fresh too, and its state in an old proof opens nothing.
    let (waiting, fresh) = w.answer(&hello).unwrap();
    let mut renamed: ClientProve = minicbor::decode(&prove).unwrap();
    renamed.sealed = minicbor::decode::<ServerHello>(&fresh).unwrap().sealed;
    let renamed = write(&renamed);
    let carried = ServerHandshake::open(&renamed, &w.sealing).unwrap();
    assert_eq!(carried.id(), waiting.id());
    for state in [carried, waiting] {
        let refused = w.finish(state, &renamed).err();
        assert_eq!(refused, Some(SessionError::BadClientProof));
    }
    let other = HandshakeKey::generate(&mut w.rng);
    let refused = ServerHandshake::open(&prove, &other).err();
    assert_eq!(refused, Some(SessionError::HandshakeOver));
}

#[test]
fn a_handshake_that_takes_too_long_is_over() {
    let mut w = ends(6);
    let (client, hello) = w.start();
    let (waiting, server_hello) = w.answer(&hello).unwrap();
    let (_, prove) = w.prove(client, &server_hello).unwrap();
    let late = waiting.ends_ms() + 1;
    let certify = |raw| Certificate::verify(raw, &w.anchors).ok();
    let late = waiting.finish(&prove, w.anchors.authority(), late, certify, |_| Ok(()));
    assert_eq!(late.err(), Some(SessionError::HandshakeOver));
}

#[test]
fn nobody_talks_the_two_into_an_older_version() {
    let mut w = ends(7);
    let authority = *w.anchors.authority();
    let (client, hello) = ClientHandshake::start_with(&[2, 1], &authority, &mut w.rng);
    let mut stripped: Hello = minicbor::decode(&hello).unwrap();
    stripped.versions = vec![1];
    let (_, server_hello) = w.answer(&write(&stripped)).unwrap();
    assert_eq!(
        w.prove(client, &server_hello).err(),
        Some(SessionError::BadServerProof)
    );
    // Without a relay they meet at the best that both speak.
    let (client, hello) = ClientHandshake::start_with(&[2, 1], &authority, &mut w.rng);
    let (_, server_hello) = w.answer(&hello).unwrap();
    assert!(w.prove(client, &server_hello).is_ok());
    for versions in [&[2, 9][..], &[]] {
        let (_, hello) = ClientHandshake::start_with(versions, &authority, &mut w.rng);
        assert_eq!(w.answer(&hello).err(), Some(SessionError::NoCommonVersion));
    }
}

#[test]
fn a_phone_of_another_deployment_is_told_so() {
    let mut w = ends(8);
    let elsewhere = Authority(Hash([9; 32]));
    let (_, hello) = ClientHandshake::start(&elsewhere, &mut w.rng);
    assert_eq!(w.answer(&hello).err(), Some(SessionError::WrongAuthority));
}

#[test]
fn a_revoked_device_gets_no_session() {
    let mut w = ends(9);
    let (client, hello) = w.start();
    let (waiting, server_hello) = w.answer(&hello).unwrap();
    let (_, prove) = w.prove(client, &server_hello).unwrap();
    let device = w.phone.public().device();
    let certify = |raw| Certificate::verify(raw, &w.anchors).ok();
    let authority = w.anchors.authority();
    let refused = waiting.finish(&prove, authority, 10, certify, |certificate| {
        if certificate.facts().device == device {
            Err(SessionError::Revoked)
        } else {
            Ok(())
        }
    });
    assert_eq!(refused.err(), Some(SessionError::Revoked));
}

#[test]
fn a_weak_key_is_refused_on_both_ends() {
    let mut w = ends(10);
    let (client, hello) = w.start();
    let mut weak: Hello = minicbor::decode(&hello).unwrap();
    weak.ephemeral = [0; 32];
    let weak = write(&weak);
    // A phone of its own accord offers a weak key, and signs it.
    let client = ClientHandshake {
        hello: weak.clone(),
        ..client
    };
    let (waiting, server_hello) = w.answer(&weak).unwrap();
    let (_, prove) = w.prove(client, &server_hello).unwrap();
    assert_eq!(w.finish(waiting, &prove).err(), Some(SessionError::WeakKey));
    // A server of its own accord does.
    let (client, hello) = w.start();
    let (_, server_hello) = w.answer(&hello).unwrap();
    let signed: ServerHello = minicbor::decode(&server_hello).unwrap();
    let mut offer: ServerOffer = minicbor::decode(&signed.said).unwrap();
    offer.ephemeral = [0; 32];
    let offer = write(&offer);
    let hash = said(&hello, &offer).hash();
    let signature = w.deployment.server.sign(
        Purpose::SessionServer,
        w.anchors.authority(),
        &[hash.as_bytes()],
    );
    let answer = write(&ServerHello {
        said: offer,
        signature,
        sealed: signed.sealed,
    });
    assert_eq!(w.prove(client, &answer).err(), Some(SessionError::WeakKey));
}

/// Flips each bit of each message, cuts and lengthens it. No variant opens a session or causes a
/// panic.
#[test]
fn no_altered_message_opens_a_session() {
    fn variants(message: &[u8]) -> Vec<Vec<u8>> {
        let mut variants: Vec<Vec<u8>> = (0..message.len() * 8)
            .map(|bit| {
                let mut flipped = message.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            })
            .collect();
        variants.extend((0..message.len()).map(|len| message[..len].to_vec()));
        variants.push([message, &[0]].concat());
        variants.push(vec![0x80; SESSION_MESSAGE_BYTES_MAX + 1]);
        variants
    }
    let mut w = ends(11);
    let (client, hello) = w.start();
    let (waiting, server_hello) = w.answer(&hello).unwrap();
    let again = |client: &ClientHandshake| ClientHandshake {
        ephemeral: Ephemeral::from_secret(*client.ephemeral.secret()),
        hello: client.hello.clone(),
        versions: client.versions.clone(),
    };
    for altered in variants(&hello) {
        if let Ok((_, answer)) = w.answer(&altered) {
            assert!(
                w.prove(again(&client), &answer).is_err(),
                "hello {altered:02x?}"
            );
        }
    }
    for altered in variants(&server_hello) {
        // The phone returns the sealed state unread, and the server refuses a changed one.
        if let Ok((_, prove)) = w.prove(again(&client), &altered) {
            let state = ServerHandshake::open(&prove, &w.sealing);
            assert!(state.is_err(), "server hello {altered:02x?}");
        }
    }
    let (awaiting, prove) = w.prove(client, &server_hello).unwrap();
    let mut altered_proofs = variants(&prove);
    // Verifying a signature for each bit of a certificate takes long; a third shows the same.
    let offset = usize::try_from(w.rng.next_u32() % 3).unwrap();
    altered_proofs = altered_proofs.into_iter().skip(offset).step_by(3).collect();
    for altered in altered_proofs {
        if let Ok(state) = ServerHandshake::open(&altered, &w.sealing) {
            assert!(w.finish(state, &altered).is_err(), "proof {altered:02x?}");
        }
    }
    let proven = w.finish(waiting, &prove).unwrap();
    let (_, grant) = w.grant(proven);
    for altered in variants(&grant) {
        let state = ClientAwaiting {
            channel: awaiting.channel.clone(),
            device: awaiting.device,
            certificate: awaiting.certificate,
            server_keys: awaiting.server_keys.clone(),
            generation_max: awaiting.generation_max,
        };
        assert!(state.finish(&altered, 0).is_err(), "grant {altered:02x?}");
    }
    assert!(awaiting.finish(&grant, 0).is_ok());
}
