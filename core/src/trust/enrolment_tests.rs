#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::fixtures::{Deployment, VOLUNTEER_WANG, facts};
use crate::trust::certificate::Facts;

impl Deployment {
    fn answer(&self, device: &PublicKey) -> EnrolmentAnswer {
        let facts = Facts {
            issued_ms: 5,
            expires_ms: 500,
            issued_at: DirectoryMark {
                generation: 2,
                position: 9,
            },
            ..facts(device, VOLUNTEER_WANG.member(), Vec::new())
        };
        let certificate = self.certify(&facts);
        EnrolmentAnswer {
            certificate: certificate.raw().clone(),
            root: *self.root.public().as_bytes(),
            server_keys: self.anchors.list().clone(),
            time_ms: 5,
            secrets: self.secrets.clone(),
        }
    }
}

struct Case {
    rng: ChaCha20Rng,
    here: Deployment,
    invitation: Invitation,
    tickets: [Ticket; 2],
    device: SecretKey,
}

fn case() -> Case {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let here = Deployment::generate(&mut rng);
    let (invitation, secret) =
        Invitation::create(None, VOLUNTEER_WANG.member(), Vec::new(), 0, 100, &mut rng);
    let root = here.root.public();
    let tickets = [
        Ticket::parse(&Ticket::code_text(&secret, &root)).unwrap(),
        Ticket::parse(&Ticket::qr_text(&secret, &root, "http://a")).unwrap(),
    ];
    let device = SecretKey::generate(&mut rng);
    Case {
        rng,
        here,
        invitation,
        tickets,
        device,
    }
}

#[test]
fn a_phone_is_enrolled_by_code_and_by_qr() {
    let c = case();
    let root = c.here.root.public();
    for ticket in &c.tickets {
        assert_eq!(pinned_root(ticket, Some(root.as_bytes())), Ok(root));
        let asked = EnrolmentRequest::write(ticket, c.here.authority(), &c.device, "李的手机");
        let request = EnrolmentRequest::read(&asked).unwrap();
        assert_eq!(request.invitation(), c.invitation.id);
        let admitted = request
            .admit(&c.invitation, None, c.here.authority(), 100)
            .unwrap();
        assert_eq!(admitted.device_name, "李的手机");
        let answer = c.here.answer(&admitted.device_key).write();
        let enrolled = EnrolmentAnswer::check(&answer, ticket, &c.device.public()).unwrap();
        assert_eq!(
            enrolled.directory,
            DirectoryMark {
                generation: 2,
                position: 9
            }
        );
        assert_eq!(enrolled.anchors.root(), &root);
    }
    assert_eq!(
        pinned_root(&c.tickets[0], None),
        Err(EnrolmentError::Malformed)
    );
    assert_eq!(pinned_root(&c.tickets[1], None), Ok(root));
}

#[test]
fn one_invitation_lets_in_one_phone_in_time() {
    let mut c = case();
    let read = |device: &SecretKey| {
        let asked = EnrolmentRequest::write(&c.tickets[0], c.here.authority(), device, "");
        EnrolmentRequest::read(&asked).unwrap()
    };
    let admit = |request: &EnrolmentRequest, by, now| {
        request
            .admit(&c.invitation, by, c.here.authority(), now)
            .err()
    };
    let first = read(&c.device);
    assert_eq!(admit(&first, None, 101), Some(EnrolmentError::Expired));
    let by = Some(c.device.public().device());
    assert_eq!(
        admit(&first, by, 200),
        None,
        "its answer was lost: the same phone asks again"
    );
    let second = read(&SecretKey::generate(&mut c.rng));
    assert_eq!(admit(&second, by, 50), Some(EnrolmentError::Used));
    let (another, _) = Invitation::create(
        None,
        VOLUNTEER_WANG.member(),
        Vec::new(),
        0,
        100,
        &mut c.rng,
    );
    let unknown = first.admit(&another, None, c.here.authority(), 50).err();
    assert_eq!(unknown, Some(EnrolmentError::Unknown));
}

#[test]
fn who_listens_to_an_enrolment_can_not_enrol_another_phone() {
    let mut c = case();
    let asked = EnrolmentRequest::write(&c.tickets[0], c.here.authority(), &c.device, "a");
    let signed: SignedAsk = minicbor::decode(&asked).unwrap();
    let thief = SecretKey::generate(&mut c.rng);
    let mut changed: Asked = minicbor::decode(&signed.asked).unwrap();
    changed.device_key = *thief.public().as_bytes();
    let changed = write(&changed);
    let by_device = thief.sign(Purpose::Enrolment, c.here.authority(), &[&changed]);
    let forged = write(&SignedAsk {
        asked: changed,
        by_device,
        ..signed.clone()
    });
    let admit = |bytes: &[u8], authority: &Authority| {
        EnrolmentRequest::read(bytes)?.admit(&c.invitation, None, authority, 1)
    };
    assert_eq!(
        admit(&forged, c.here.authority()),
        Err(EnrolmentError::BadProof)
    );
    // A key that the phone does not hold, and another deployment.
    let unheld = write(&SignedAsk {
        by_device: signed.by_invitation,
        ..signed
    });
    assert_eq!(
        admit(&unheld, c.here.authority()),
        Err(EnrolmentError::BadProof)
    );
    let elsewhere = *Deployment::generate(&mut c.rng).authority();
    assert_eq!(admit(&asked, &elsewhere), Err(EnrolmentError::BadProof));
}

#[test]
fn an_answer_by_somebody_in_between_is_not_believed() {
    let mut c = case();
    let between = Deployment::generate(&mut c.rng);
    let other_phone = SecretKey::generate(&mut c.rng).public();
    let mut mixed = between.answer(&c.device.public());
    mixed.root = *c.here.root.public().as_bytes();
    let mut foreign = c.here.answer(&c.device.public());
    foreign.certificate = between.answer(&c.device.public()).certificate;
    for (answer, why) in [
        (
            between.answer(&c.device.public()),
            EnrolmentError::WrongAuthority,
        ),
        (mixed, EnrolmentError::BadAnswer),
        (foreign, EnrolmentError::BadAnswer),
        (c.here.answer(&other_phone), EnrolmentError::BadAnswer),
    ] {
        for ticket in &c.tickets {
            let checked = EnrolmentAnswer::check(&answer.write(), ticket, &c.device.public());
            assert_eq!(checked.err(), Some(why));
        }
    }
    let shown = between.root.public();
    for ticket in &c.tickets {
        let shown = pinned_root(ticket, Some(shown.as_bytes()));
        assert_eq!(shown, Err(EnrolmentError::WrongAuthority));
    }
}

#[test]
fn no_altered_request_is_admitted() {
    let c = case();
    let asked = EnrolmentRequest::write(&c.tickets[0], c.here.authority(), &c.device, "a");
    for bit in 0..asked.len() * 8 {
        let mut flipped = asked.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let admitted = EnrolmentRequest::read(&flipped)
            .and_then(|request| request.admit(&c.invitation, None, c.here.authority(), 1));
        assert!(admitted.is_err(), "bit {bit}");
    }
    for len in 0..asked.len() {
        assert_eq!(
            EnrolmentRequest::read(&asked[..len]),
            Err(EnrolmentError::Malformed)
        );
    }
}
