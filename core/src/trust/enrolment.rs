//! Enrolment: a phone turns an invitation into a certificate.
//!
//! The request is signed twice: by the invitation's key (it was invited) and by the device's own key (it
//! holds it). Both signatures cover the device's key, so whoever listens can not put another phone in its
//! place. The answer is believed only if its root key is the one that the invitation pins; everything else
//! in it is signed under that root.

use minicbor::{Decode, Encode};

use super::certificate::{Anchors, Certificate, CertificateError, RawCertificate, ServerKey};
use super::invitation::{Invitation, InvitationId, RootPin, Ticket};
use super::read::{read, write};
use super::sign::{Authority, PublicKey, Purpose, SecretKey};
use crate::id::DeviceId;
use crate::limits::{DEVICE_NAME_CHARS_MAX, ENROLMENT_BYTES_MAX, SERVER_KEYS_MAX};
use crate::wire::envelope::DirectoryMark;

const VERSION: u8 = 1;

/// Why a phone is not enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// The message is not of the form of an enrolment.
    #[error("enrolment.malformed")]
    Malformed,
    /// Written by a newer app than this code knows.
    #[error("enrolment.newer")]
    Newer,
    /// No such invitation.
    #[error("enrolment.unknown")]
    Unknown,
    /// The invitation is too old.
    #[error("enrolment.expired")]
    Expired,
    /// Another phone has used the invitation.
    #[error("enrolment.used")]
    Used,
    /// The request is not signed by the invitation and by the device.
    #[error("enrolment.bad_proof")]
    BadProof,
    /// The answer comes from another deployment than the invitation: something in between answered.
    #[error("enrolment.wrong_authority")]
    WrongAuthority,
    /// The certificate in the answer is not this phone's, or not of this deployment.
    #[error("enrolment.bad_answer")]
    BadAnswer,
}

impl EnrolmentError {
    /// Every error.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::Newer,
        Self::Unknown,
        Self::Expired,
        Self::Used,
        Self::BadProof,
        Self::WrongAuthority,
        Self::BadAnswer,
    ];

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "enrolment.malformed",
            Self::Newer => "enrolment.newer",
            Self::Unknown => "enrolment.unknown",
            Self::Expired => "enrolment.expired",
            Self::Used => "enrolment.used",
            Self::BadProof => "enrolment.bad_proof",
            Self::WrongAuthority => "enrolment.wrong_authority",
            Self::BadAnswer => "enrolment.bad_answer",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Asked {
    #[n(0)]
    version: u8,
    #[n(1)]
    invitation: InvitationId,
    #[cbor(n(2), with = "minicbor::bytes")]
    device_key: [u8; 32],
    #[n(3)]
    device_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct SignedAsk {
    #[cbor(n(0), with = "minicbor::bytes")]
    asked: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    by_invitation: [u8; 64],
    #[cbor(n(2), with = "minicbor::bytes")]
    by_device: [u8; 64],
}

/// The root key that a ticket leads to. A QR code holds it; with a short code the phone first asks the server
/// to show it (`shown`), and believes what the pin agrees with.
pub fn pinned_root(ticket: &Ticket, shown: Option<&[u8]>) -> Result<PublicKey, EnrolmentError> {
    let bytes = match (&ticket.pin, shown) {
        (RootPin::Key(key), None) => *key,
        (_, Some(shown)) => shown.try_into().map_err(|_| EnrolmentError::Malformed)?,
        (RootPin::Authority(_), None) => return Err(EnrolmentError::Malformed),
    };
    PublicKey::from_bytes(&bytes)
        .ok()
        .filter(|root| ticket.pin.matches(root))
        .ok_or(EnrolmentError::WrongAuthority)
}

/// A request whose form is right. What it proves is checked against the stored invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentRequest {
    asked: Asked,
    signed: SignedAsk,
    device_key: PublicKey,
}

/// The device that an invitation lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Its key, of which it has proved possession.
    pub device_key: PublicKey,
    /// The name that its owner gave it, at most [`DEVICE_NAME_CHARS_MAX`] characters.
    pub device_name: String,
}

impl EnrolmentRequest {
    /// The phone asks. The name is cut to its limit. The authority is that of [`pinned_root`].
    #[must_use]
    pub fn write(
        ticket: &Ticket,
        authority: &Authority,
        device: &SecretKey,
        device_name: &str,
    ) -> Vec<u8> {
        let invitation_key = ticket.secret.key();
        let asked = write(&Asked {
            version: VERSION,
            invitation: InvitationId::of(&invitation_key.public()),
            device_key: *device.public().as_bytes(),
            device_name: device_name.chars().take(DEVICE_NAME_CHARS_MAX).collect(),
        });
        let by_invitation = invitation_key.sign(Purpose::Invitation, authority, &[&asked]);
        let by_device = device.sign(Purpose::Enrolment, authority, &[&asked]);
        write(&SignedAsk {
            asked,
            by_invitation,
            by_device,
        })
    }

    /// The server reads a request.
    pub fn read(bytes: &[u8]) -> Result<Self, EnrolmentError> {
        let signed: SignedAsk =
            read(bytes, 3, ENROLMENT_BYTES_MAX).ok_or(EnrolmentError::Malformed)?;
        let asked: Asked =
            read(&signed.asked, 4, ENROLMENT_BYTES_MAX).ok_or(EnrolmentError::Malformed)?;
        if asked.version != VERSION {
            return Err(EnrolmentError::Newer);
        }
        if asked.device_name.chars().count() > DEVICE_NAME_CHARS_MAX {
            return Err(EnrolmentError::Malformed);
        }
        let device_key =
            PublicKey::from_bytes(&asked.device_key).map_err(|_| EnrolmentError::BadProof)?;
        Ok(Self {
            asked,
            signed,
            device_key,
        })
    }

    /// The invitation that it names, to look it up.
    #[must_use]
    pub fn invitation(&self) -> InvitationId {
        self.asked.invitation
    }

    /// The server checks the request against the invitation. `redeemed_by` is the device that has used the
    /// invitation: the same device may ask again, because the answer may have been lost on the way.
    pub fn admit(
        &self,
        invitation: &Invitation,
        redeemed_by: Option<DeviceId>,
        authority: &Authority,
        now_ms: i64,
    ) -> Result<Admitted, EnrolmentError> {
        if invitation.id != self.asked.invitation {
            return Err(EnrolmentError::Unknown);
        }
        let verifier =
            PublicKey::from_bytes(&invitation.verifier).map_err(|_| EnrolmentError::BadProof)?;
        let asked: &[&[u8]] = &[&self.signed.asked];
        verifier
            .verify(
                Purpose::Invitation,
                authority,
                asked,
                &self.signed.by_invitation,
            )
            .and_then(|()| {
                let by_device = &self.signed.by_device;
                self.device_key
                    .verify(Purpose::Enrolment, authority, asked, by_device)
            })
            .map_err(|_| EnrolmentError::BadProof)?;
        // After the proofs: only who holds the invitation learns what became of it.
        let same_device = redeemed_by == Some(self.device_key.device());
        if redeemed_by.is_some() && !same_device {
            return Err(EnrolmentError::Used);
        }
        if now_ms > invitation.expires_ms && !same_device {
            return Err(EnrolmentError::Expired);
        }
        let device_name = self.asked.device_name.clone();
        Ok(Admitted {
            device_key: self.device_key,
            device_name,
        })
    }
}

/// The server's answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EnrolmentAnswer {
    /// The phone's certificate. It names the first directory mark.
    #[n(0)]
    pub certificate: RawCertificate,
    /// The root key of the deployment.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub root: [u8; 32],
    /// The server keys that it has certified.
    #[n(2)]
    pub server_keys: Vec<ServerKey>,
    /// Server time, milliseconds UTC.
    #[n(3)]
    pub time_ms: i64,
}

/// What an enrolled phone keeps.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// Who the phone is.
    pub certificate: Certificate,
    /// Whom it trusts.
    pub anchors: Anchors,
    /// The server keys as received, to store.
    pub server_keys: Vec<ServerKey>,
    /// Where the directory stood.
    pub directory: DirectoryMark,
    /// Server time, milliseconds UTC; unsigned, a hint for a phone whose clock is off.
    pub time_ms: i64,
}

impl EnrolmentAnswer {
    /// The server writes it.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        write(self)
    }

    /// The phone reads it and believes nothing that the invitation's pin does not lead to.
    pub fn check(
        bytes: &[u8],
        ticket: &Ticket,
        device: &PublicKey,
    ) -> Result<Enrolled, EnrolmentError> {
        let answer: Self = read(bytes, 4, ENROLMENT_BYTES_MAX).ok_or(EnrolmentError::Malformed)?;
        let root =
            PublicKey::from_bytes(&answer.root).map_err(|_| EnrolmentError::WrongAuthority)?;
        if !ticket.pin.matches(&root) {
            return Err(EnrolmentError::WrongAuthority);
        }
        if answer.server_keys.len() > SERVER_KEYS_MAX {
            return Err(EnrolmentError::Malformed);
        }
        let anchors =
            Anchors::new(root, &answer.server_keys).map_err(|_| EnrolmentError::BadAnswer)?;
        let certificate = Certificate::verify(answer.certificate, &anchors)
            .map_err(|_: CertificateError| EnrolmentError::BadAnswer)?;
        if certificate.device_key() != device || certificate.facts().member.is_none() {
            return Err(EnrolmentError::BadAnswer);
        }
        let directory = certificate.facts().issued_at;
        let server_keys = answer.server_keys;
        Ok(Enrolled {
            certificate,
            anchors,
            server_keys,
            directory,
            time_ms: answer.time_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::id::MemberId;
    use crate::trust::certificate::{Facts, ServerPurpose};

    struct Deployment {
        root: SecretKey,
        issuer: SecretKey,
        issuing: ServerKey,
        authority: Authority,
    }

    fn deployment(rng: &mut ChaCha20Rng) -> Deployment {
        let (root, issuer) = (SecretKey::generate(rng), SecretKey::generate(rng));
        let issuing = ServerKey::issue(&root, &issuer.public(), ServerPurpose::Certificates, 0);
        let authority = Authority::of_root(&root.public());
        Deployment {
            root,
            issuer,
            issuing,
            authority,
        }
    }

    impl Deployment {
        fn answer(&self, device: &PublicKey) -> EnrolmentAnswer {
            let facts = Facts {
                version: 1,
                device: device.device(),
                device_key: *device.as_bytes(),
                member: Some(MemberId([1; 16])),
                grants: Vec::new(),
                issued_ms: 5,
                expires_ms: 500,
                issued_at: DirectoryMark {
                    generation: 2,
                    position: 9,
                },
                issuer: self.issuer.public().device(),
            };
            let certificate = Certificate::issue(&facts, &self.issuer, &self.authority).unwrap();
            EnrolmentAnswer {
                certificate: certificate.raw().clone(),
                root: *self.root.public().as_bytes(),
                server_keys: vec![self.issuing.clone()],
                time_ms: 5,
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
        let here = deployment(&mut rng);
        let (invitation, secret) =
            Invitation::create(None, MemberId([1; 16]), Vec::new(), 0, 100, &mut rng);
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
            let asked = EnrolmentRequest::write(ticket, &c.here.authority, &c.device, "李的手机");
            let request = EnrolmentRequest::read(&asked).unwrap();
            assert_eq!(request.invitation(), c.invitation.id);
            let admitted = request
                .admit(&c.invitation, None, &c.here.authority, 100)
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
            let asked = EnrolmentRequest::write(&c.tickets[0], &c.here.authority, device, "");
            EnrolmentRequest::read(&asked).unwrap()
        };
        let admit = |request: &EnrolmentRequest, by, now| {
            request
                .admit(&c.invitation, by, &c.here.authority, now)
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
        let (another, _) =
            Invitation::create(None, MemberId([1; 16]), Vec::new(), 0, 100, &mut c.rng);
        let unknown = first.admit(&another, None, &c.here.authority, 50).err();
        assert_eq!(unknown, Some(EnrolmentError::Unknown));
    }

    #[test]
    fn who_listens_to_an_enrolment_can_not_enrol_another_phone() {
        let mut c = case();
        let asked = EnrolmentRequest::write(&c.tickets[0], &c.here.authority, &c.device, "a");
        let signed: SignedAsk = minicbor::decode(&asked).unwrap();
        let thief = SecretKey::generate(&mut c.rng);
        let mut changed: Asked = minicbor::decode(&signed.asked).unwrap();
        changed.device_key = *thief.public().as_bytes();
        let changed = write(&changed);
        let by_device = thief.sign(Purpose::Enrolment, &c.here.authority, &[&changed]);
        let forged = write(&SignedAsk {
            asked: changed,
            by_device,
            ..signed.clone()
        });
        let admit = |bytes: &[u8], authority: &Authority| {
            EnrolmentRequest::read(bytes)?.admit(&c.invitation, None, authority, 1)
        };
        assert_eq!(
            admit(&forged, &c.here.authority),
            Err(EnrolmentError::BadProof)
        );
        // A key that the phone does not hold, and another deployment.
        let unheld = write(&SignedAsk {
            by_device: signed.by_invitation,
            ..signed
        });
        assert_eq!(
            admit(&unheld, &c.here.authority),
            Err(EnrolmentError::BadProof)
        );
        let elsewhere = deployment(&mut c.rng).authority;
        assert_eq!(admit(&asked, &elsewhere), Err(EnrolmentError::BadProof));
    }

    #[test]
    fn an_answer_by_somebody_in_between_is_not_believed() {
        let mut c = case();
        let between = deployment(&mut c.rng);
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
        let asked = EnrolmentRequest::write(&c.tickets[0], &c.here.authority, &c.device, "a");
        for bit in 0..asked.len() * 8 {
            let mut flipped = asked.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let admitted = EnrolmentRequest::read(&flipped)
                .and_then(|request| request.admit(&c.invitation, None, &c.here.authority, 1));
            assert!(admitted.is_err(), "bit {bit}");
        }
        for len in 0..asked.len() {
            assert_eq!(
                EnrolmentRequest::read(&asked[..len]),
                Err(EnrolmentError::Malformed)
            );
        }
    }
}
