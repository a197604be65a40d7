#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::fixtures::{Deployment, GRID_WORKER_CHEN, NOW, Person, VOLUNTEER_WANG, facts};
use crate::trust::certificate::Facts;
use crate::trust::peer_session::MeetingSecrets;
use crate::trust::sign::SecretKey;

struct SealingPhone {
    key: SecretKey,
    certificate: Certificate,
    deployment: Deployment,
    secrets: MeetingSecrets,
}

impl SealingPhone {
    fn of(n: u8, person: Person) -> Self {
        let deployment = Deployment::of_root(n);
        Self {
            key: person.key(),
            certificate: deployment.certificate(person),
            secrets: deployment.secrets.clone(),
            deployment,
        }
    }

    fn me(&self) -> Me<'_> {
        Me {
            key: &self.key,
            certificate: &self.certificate,
            anchors: &self.deployment.anchors,
            secrets: &self.secrets,
        }
    }
}

fn pair() -> (SealingPhone, SealingPhone, ChaCha20Rng) {
    let asking = SealingPhone::of(1, GRID_WORKER_CHEN);
    let giving = SealingPhone::of(1, VOLUNTEER_WANG);
    (asking, giving, ChaCha20Rng::seed_from_u64(7))
}

fn asked(phone: &SealingPhone, rng: &mut ChaCha20Rng) -> (PendingRequest, Vec<u8>) {
    RequestDraft::new(rng).seal(phone.me(), None, NOW, rng)
}

#[test]
fn bundle_opens_for_the_phone_that_asked_alone() {
    let (b, a, mut rng) = pair();
    let (pending, request) = asked(&b, &mut rng);
    let (of_another, _) = asked(&b, &mut rng);
    let opened = OpenedRequest::open(&request, a.me(), NOW + 1).unwrap();
    assert_eq!(opened.peer(), &b.certificate);
    let messages = vec![vec![1; 10], vec![2; 200_000]];
    let file = opened.seal(a.me(), &messages, &mut rng).unwrap();
    let came = pending.open(&file, b.me()).unwrap().unwrap();
    assert_eq!(came.messages, messages);
    assert_eq!(came.peer, a.certificate);
    assert!(of_another.open(&file, b.me()).unwrap().is_none());
    let kept = minicbor::to_vec(&pending).unwrap();
    let kept: PendingRequest = minicbor::decode(&kept).unwrap();
    assert_eq!(kept, pending, "it survives a restart");
}

#[test]
fn damaged_and_cut_files_are_refused_whole() {
    let (b, a, mut rng) = pair();
    let (pending, request) = asked(&b, &mut rng);
    for at in 0..request.len() {
        let mut damaged = request.clone();
        damaged[at] ^= 1;
        // A wrap for an absent secret is random, so a change there is not seen.
        if let Ok(opened) = OpenedRequest::open(&damaged, a.me(), NOW) {
            assert_eq!(opened.peer(), &b.certificate);
            let after = HEAD_BYTES + SALT_BYTES + WRAP_BYTES;
            assert!((after..after + WRAP_BYTES).contains(&at), "byte {at}");
        }
    }
    let opened = OpenedRequest::open(&request, a.me(), NOW).unwrap();
    let messages = vec![vec![3; 3 * BUNDLE_CHUNK_BYTES]];
    let file = opened.seal(a.me(), &messages, &mut rng).unwrap();
    let head = HEAD_BYTES + 32;
    let chunk = BUNDLE_CHUNK_BYTES + MAC_BYTES;
    let chunks = (file.len() - head).div_ceil(chunk);
    let cuts = (1..chunks).map(|count| head + count * chunk);
    for cut in cuts.chain([file.len() - 1]) {
        let refused = pending.open(&file[..cut], b.me()).unwrap_err();
        assert_eq!(refused, SealError::Damaged, "cut at {cut}");
    }
    for at in [
        0,
        HEAD_BYTES - 1,
        HEAD_BYTES,
        head,
        head + chunk,
        file.len() - 1,
    ] {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        let opened = pending.open(&damaged, b.me());
        assert!(!matches!(opened, Ok(Some(_))), "byte {at}");
    }
}

#[test]
fn requests_of_others_and_of_other_times_are_refused() {
    let (b, a, mut rng) = pair();
    let (_, request) = asked(&b, &mut rng);
    let refused = |request: &[u8], phone: &SealingPhone, now_ms| {
        OpenedRequest::open(request, phone.me(), now_ms).unwrap_err()
    };
    let foreign = SealingPhone::of(3, VOLUNTEER_WANG);
    assert_eq!(refused(&request, &foreign, NOW), SealError::OtherDeployment);
    let late = NOW + BUNDLE_REQUEST_MS_MAX + 1;
    assert_eq!(refused(&request, &a, late), SealError::RequestExpired);
    let early = NOW - CLOCK_AHEAD_MS_MAX - 1;
    assert_eq!(refused(&request, &a, early), SealError::RequestExpired);
    let own = SessionError::SameDevice.into();
    assert_eq!(refused(&request, &b, NOW), own);
    for garbage in [&b""[..], b"OneGridR", b"something else", &[0; 5_000]] {
        assert_eq!(refused(garbage, &a, NOW), SealError::NotARequest);
    }
    assert_eq!(refused(b"OneGridR\x02...", &a, NOW), SealError::Newer);
    // A certificate that ran out, and one of a key that signs no longer.
    let mut over = SealingPhone::of(1, GRID_WORKER_CHEN);
    let old = facts(&over.key.public(), GRID_WORKER_CHEN.member(), Vec::new());
    over.certificate = over.deployment.certify(&Facts {
        expires_ms: NOW,
        ..old.clone()
    });
    let (_, request) = asked(&over, &mut rng);
    assert_eq!(refused(&request, &a, NOW), SealError::CertificateExpired);
    let retired = SecretKey::generate(&mut rng);
    over.certificate =
        Certificate::issue(&old, &retired, over.deployment.anchors.authority()).unwrap();
    let (_, request) = asked(&over, &mut rng);
    let unknown = SessionError::BadCertificate.into();
    assert_eq!(refused(&request, &a, NOW), unknown);
}

/// A member of the deployment cannot make a request or a bundle in the name of another one.
#[test]
fn foreign_certificate_without_its_key_is_refused() {
    let (b, a, mut rng) = pair();
    let mut thief = SealingPhone::of(1, GRID_WORKER_CHEN);
    thief.key = SecretKey::generate(&mut rng);
    let (_, request) = asked(&thief, &mut rng);
    let refused = OpenedRequest::open(&request, a.me(), NOW).unwrap_err();
    assert_eq!(refused, SessionError::BadClientProof.into());
    let (pending, request) = asked(&b, &mut rng);
    let mut thief = SealingPhone::of(1, VOLUNTEER_WANG);
    thief.key = SecretKey::generate(&mut rng);
    let opened = OpenedRequest::open(&request, thief.me(), NOW).unwrap();
    let file = opened.seal(thief.me(), &[], &mut rng).unwrap();
    let refused = pending.open(&file, b.me()).unwrap_err();
    assert_eq!(refused, SessionError::BadServerProof.into());
}

#[test]
fn secret_before_the_newest_still_opens_requests() {
    let (mut b, a, mut rng) = pair();
    b.secrets = b.secrets.rotate(&mut rng);
    let (_, request) = asked(&b, &mut rng);
    assert!(OpenedRequest::open(&request, a.me(), NOW).is_ok());
    b.secrets = b.secrets.rotate(&mut rng);
    let (_, request) = asked(&b, &mut rng);
    let refused = OpenedRequest::open(&request, a.me(), NOW).unwrap_err();
    assert_eq!(refused, SealError::OtherDeployment);
}

#[test]
fn files_have_few_sizes() {
    let (b, a, mut rng) = pair();
    let mut sizes = std::collections::BTreeSet::new();
    for count in 0..200 {
        let held = vec![[7; 8]; count * 3];
        let (_, request) = RequestDraft::new(&mut rng).seal(b.me(), Some(&held), NOW, &mut rng);
        sizes.insert(request.len());
        let opened = OpenedRequest::open(&request, a.me(), NOW).unwrap();
        let messages = [vec![1; count * 20]];
        let file = opened.seal(a.me(), &messages[..count.min(1)], &mut rng);
        sizes.insert(file.unwrap().len() + (1 << 32));
    }
    assert!(sizes.len() <= 14, "{sizes:?}");
}
