//! Enrolment: a phone turns an invitation into a certificate.
//!
//! The request is signed twice. The invitation's key proves that the phone was invited, and the
//! device's own key proves that the phone holds it. Both signatures cover the device's key, so an
//! eavesdropper cannot put another phone in its place. The phone believes the answer only if its
//! root key is the one that the invitation pins; that root signs everything else in the answer.

use minicbor::{Decode, Encode};

use super::certificate::{Anchors, Certificate, CertificateError, RawCertificate, ServerKeys};
use super::invitation::{Invitation, InvitationId, RootPin, Ticket};
use super::peer_session::MeetingSecrets;
use super::read::{read, write};
use super::sign::{Authority, PublicKey, Purpose, SecretKey};
use crate::domain::directory::DirectoryMark;
use crate::id::DeviceId;
use crate::limits::{DEVICE_NAME_CHARS_MAX, ENROLMENT_BYTES_MAX};

const VERSION: u8 = 1;

coded_error! {
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
        /// The answer is from another deployment than the invitation, so something in between answered.
        #[error("enrolment.wrong_authority")]
        WrongAuthority,
        /// The certificate in the answer is not this phone's, or not of this deployment.
        #[error("enrolment.bad_answer")]
        BadAnswer,
    }
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

/// The root key that a ticket pins. A QR code holds it. With a short code the phone first asks the
/// server to show it (`shown`), and believes the key that agrees with the pin.
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

/// A request whose form is right. Its proofs are checked against the stored invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentRequest {
    asked: Asked,
    signed: SignedAsk,
    device_key: PublicKey,
}

/// The device that an invitation lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The public key of the device. The device has proved that it holds the secret key.
    pub device_key: PublicKey,
    /// The name that its owner gave it, at most [`DEVICE_NAME_CHARS_MAX`] characters.
    pub device_name: String,
}

impl EnrolmentRequest {
    /// Writes the phone's request and cuts the name to its limit. The authority is the one of
    /// [`pinned_root`].
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

    /// The server checks the request against the invitation. `redeemed_by` is the device that has
    /// used the invitation. The same device may ask again, because the answer may have been lost on
    /// the way.
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
        // This check follows the proofs, so only the holder of the invitation learns its state.
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
    /// The list of server keys.
    #[n(2)]
    pub server_keys: ServerKeys,
    /// Server time, milliseconds UTC.
    #[n(3)]
    pub time_ms: i64,
    /// The secrets that the phones of the deployment share.
    #[n(4)]
    pub secrets: MeetingSecrets,
}

/// The data that an enrolled phone keeps.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// The certificate of the phone.
    pub certificate: Certificate,
    /// The keys that the phone trusts.
    pub anchors: Anchors,
    /// The secrets that the phones of the deployment share.
    pub secrets: MeetingSecrets,
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

    /// The phone reads the answer and believes only statements under the root key that the
    /// invitation pins.
    pub fn check(
        bytes: &[u8],
        ticket: &Ticket,
        device: &PublicKey,
    ) -> Result<Enrolled, EnrolmentError> {
        let answer: Self = read(bytes, 5, ENROLMENT_BYTES_MAX).ok_or(EnrolmentError::Malformed)?;
        let root =
            PublicKey::from_bytes(&answer.root).map_err(|_| EnrolmentError::WrongAuthority)?;
        if !ticket.pin.matches(&root) {
            return Err(EnrolmentError::WrongAuthority);
        }
        let anchors =
            Anchors::new(root, answer.server_keys).map_err(|_| EnrolmentError::BadAnswer)?;
        let certificate = Certificate::verify(answer.certificate, &anchors)
            .map_err(|_: CertificateError| EnrolmentError::BadAnswer)?;
        if certificate.device_key() != device || certificate.facts().member.is_none() {
            return Err(EnrolmentError::BadAnswer);
        }
        let directory = certificate.facts().issued_at;
        Ok(Enrolled {
            certificate,
            anchors,
            secrets: answer.secrets,
            directory,
            time_ms: answer.time_ms,
        })
    }
}

#[cfg(test)]
#[path = "enrolment_tests.rs"]
mod tests;
