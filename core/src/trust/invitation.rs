//! Invitations: a member with the right to invite lets one more phone in, once, for a short time.
//!
//! An invitation is a secret of 80 bits that is a key. The server stores only its public half, so
//! neither a look into the server's store nor an eavesdropper on the enrolment obtains the means to
//! enrol. People carry it as QR text or as a short code of 32 characters. Both pin the root key of
//! the deployment, so a phone that is led to another server finds out before it believes anything.
//!
//! One invitation has both forms. 80 bits are enough, because an attacker can try the secret only
//! against the server, which counts, or against its store, where each guess costs a scalar
//! multiplication.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::read::{read, write};
use super::sign::{PublicKey, SecretKey};
use crate::base32;
use crate::domain::role::Grant;
use crate::id::{Hash, MemberId};
use crate::limits::{INVITATION_BYTES_MAX, SERVER_ADDRESS_BYTES_MAX};

const SECRET_BYTES: usize = 10;
const PIN_BYTES: usize = 8;
const CHECK_BYTES: usize = 2;
const QR_PREFIX: &str = "ONEGRID1:";

coded_error! {
    /// Why a text is no invitation.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum InvitationError {
        /// The code has fewer or more characters than a code has.
        #[error("invitation.length")]
        Length,
        /// The code holds a character that none has.
        #[error("invitation.character")]
        Character,
        /// A character is wrong, because the check at the end does not agree.
        #[error("invitation.typo")]
        Typo,
        /// The QR code is not one of OneGrid, or of a newer version.
        #[error("invitation.not_ours")]
        NotOurs,
    }
}

impl InvitationError {
    /// Every error.
    pub const ALL: [Self; 4] = [Self::Length, Self::Character, Self::Typo, Self::NotOurs];
}

/// Names an invitation; made from its public half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct InvitationId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// The secret that the invited person carries. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct InvitationSecret(Zeroizing<[u8; SECRET_BYTES]>);

impl InvitationSecret {
    /// A new secret.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        rng.fill_bytes(secret.as_mut_slice());
        Self(secret)
    }

    /// The key that the secret is the seed of.
    #[must_use]
    pub fn key(&self) -> SecretKey {
        let seed = Zeroizing::new(Hash::of(&[b"onegrid.invitation", self.0.as_slice()]).0);
        SecretKey::from_seed(&seed)
    }
}

impl std::fmt::Debug for InvitationSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InvitationSecret(..)")
    }
}

/// The server's record of an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Invitation {
    /// Its name.
    #[n(0)]
    pub id: InvitationId,
    /// Public half of the secret.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub verifier: [u8; 32],
    /// The member who invited; absent when the administrator did.
    #[n(2)]
    pub inviter: Option<MemberId>,
    /// The person who enrols.
    #[n(3)]
    pub member: MemberId,
    /// The roles that the certificate will hold.
    #[n(4)]
    pub grants: Vec<Grant>,
    /// When it was made, milliseconds UTC.
    #[n(5)]
    pub created_ms: i64,
    /// Until when it can be redeemed, milliseconds UTC.
    #[n(6)]
    pub expires_ms: i64,
}

impl Invitation {
    /// Makes an invitation. Whether the inviter may invite to these roles is for the caller to judge.
    pub fn create(
        inviter: Option<MemberId>,
        member: MemberId,
        grants: Vec<Grant>,
        created_ms: i64,
        expires_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> (Self, InvitationSecret) {
        let secret = InvitationSecret::generate(rng);
        let public = secret.key().public();
        let invitation = Self {
            id: InvitationId::of(&public),
            verifier: *public.as_bytes(),
            inviter,
            member,
            grants,
            created_ms,
            expires_ms,
        };
        (invitation, secret)
    }
}

impl InvitationId {
    /// The id of the invitation with this public half.
    #[must_use]
    pub fn of(verifier: &PublicKey) -> Self {
        Self(Hash::of(&[b"onegrid.invitation.id", verifier.as_bytes()]).first16())
    }
}

/// The part of the root key that an invitation carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootPin {
    /// The whole key (QR).
    Key([u8; 32]),
    /// The first 64 bits of the authority, the key's hash (short code).
    Authority([u8; PIN_BYTES]),
}

impl RootPin {
    /// Whether this is the deployment that the inviter meant.
    #[must_use]
    pub fn matches(&self, root: &PublicKey) -> bool {
        match self {
            Self::Key(key) => key == root.as_bytes(),
            Self::Authority(start) => pin_of(root) == *start,
        }
    }
}

/// An invitation as the invited person carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The secret.
    pub secret: InvitationSecret,
    /// The deployment that it is for.
    pub pin: RootPin,
    /// The server's address, where the ticket holds it (QR).
    pub address: Option<String>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct QrPayload {
    #[cbor(n(0), with = "minicbor::bytes")]
    secret: [u8; SECRET_BYTES],
    #[cbor(n(1), with = "minicbor::bytes")]
    root: [u8; 32],
    #[n(2)]
    address: String,
}

impl Ticket {
    /// Reads text that a person typed or a camera saw. A short code ignores case, blanks and
    /// dashes, and reads O as 0 and I or L as 1.
    pub fn parse(text: &str) -> Result<Self, InvitationError> {
        let text = text.trim();
        match text.get(..QR_PREFIX.len()) {
            Some(start) if start.eq_ignore_ascii_case(QR_PREFIX) => {
                Self::parse_qr(&text[QR_PREFIX.len()..])
            }
            _ if text.contains(':') => Err(InvitationError::NotOurs),
            _ => Self::parse_code(text),
        }
    }

    fn parse_qr(text: &str) -> Result<Self, InvitationError> {
        if text.len() > INVITATION_BYTES_MAX {
            return Err(InvitationError::NotOurs);
        }
        let bytes = base32::decode(text).ok_or(InvitationError::NotOurs)?;
        let payload = checked(&bytes).ok_or(InvitationError::Typo)?;
        let payload: QrPayload =
            read(payload, 3, INVITATION_BYTES_MAX).ok_or(InvitationError::NotOurs)?;
        if payload.address.len() > SERVER_ADDRESS_BYTES_MAX {
            return Err(InvitationError::NotOurs);
        }
        Ok(Self {
            secret: InvitationSecret(Zeroizing::new(payload.secret)),
            pin: RootPin::Key(payload.root),
            address: Some(payload.address),
        })
    }

    fn parse_code(text: &str) -> Result<Self, InvitationError> {
        const CHARACTERS: usize = (SECRET_BYTES + PIN_BYTES + CHECK_BYTES) * 8 / 5;
        let plain: Zeroizing<String> = Zeroizing::new(
            text.chars()
                .filter(|c| !c.is_whitespace() && *c != '-')
                .collect(),
        );
        if !plain.chars().all(base32::is_symbol) {
            return Err(InvitationError::Character);
        }
        if plain.len() != CHARACTERS {
            return Err(InvitationError::Length);
        }
        let bytes = Zeroizing::new(base32::decode(&plain).ok_or(InvitationError::Character)?);
        let payload = checked(&bytes).ok_or(InvitationError::Typo)?;
        let (secret, pin) = payload
            .split_at_checked(SECRET_BYTES)
            .ok_or(InvitationError::Length)?;
        Ok(Self {
            secret: InvitationSecret(Zeroizing::new(
                secret.try_into().map_err(|_| InvitationError::Length)?,
            )),
            pin: RootPin::Authority(pin.try_into().map_err(|_| InvitationError::Length)?),
            address: None,
        })
    }

    /// The text of a QR code: upper case and digits only, which a QR code packs tightly.
    #[must_use]
    pub fn qr_text(secret: &InvitationSecret, root: &PublicKey, address: &str) -> String {
        let payload = write(&QrPayload {
            secret: *secret.0,
            root: *root.as_bytes(),
            address: address.to_owned(),
        });
        format!("{QR_PREFIX}{}", base32::encode(&with_check(&payload)))
    }

    /// The short code: eight groups of four characters.
    #[must_use]
    pub fn code_text(secret: &InvitationSecret, root: &PublicKey) -> String {
        let mut payload = Zeroizing::new(secret.0.to_vec());
        payload.extend_from_slice(&pin_of(root));
        let plain = Zeroizing::new(base32::encode(&with_check(&payload)));
        let mut grouped = String::with_capacity(plain.len() + plain.len() / 4);
        for (index, symbol) in plain.chars().enumerate() {
            if index > 0 && index % 4 == 0 {
                grouped.push('-');
            }
            grouped.push(symbol);
        }
        grouped
    }
}

fn pin_of(root: &PublicKey) -> [u8; PIN_BYTES] {
    let mut pin = [0; PIN_BYTES];
    pin.copy_from_slice(&Hash::of(&[root.as_bytes()]).0[..PIN_BYTES]);
    pin
}

fn check_of(payload: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = Hash::of(&[b"onegrid.invitation.check", payload]);
    [hash.0[0], hash.0[1]]
}

fn with_check(payload: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([payload, &check_of(payload)].concat())
}

fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (payload, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_BYTES)?)?;
    (check_of(payload) == check).then_some(payload)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn made() -> (InvitationSecret, PublicKey) {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let root = SecretKey::generate(&mut rng).public();
        (InvitationSecret::generate(&mut rng), root)
    }

    #[test]
    fn code_and_qr_carry_the_same_secret_and_pin_the_same_root() {
        let (secret, root) = made();
        let code = Ticket::code_text(&secret, &root);
        assert_eq!((code.len(), code.matches('-').count()), (39, 7));
        let qr = Ticket::qr_text(&secret, &root, "https://grid.example:8443");
        assert!(
            qr.bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b':')
        );
        let (by_code, by_qr) = (Ticket::parse(&code).unwrap(), Ticket::parse(&qr).unwrap());
        assert_eq!((&by_code.secret, &by_qr.secret), (&secret, &secret));
        assert_eq!(by_qr.address.as_deref(), Some("https://grid.example:8443"));
        let other = SecretKey::from_seed(&[8; 32]).public();
        for ticket in [by_code, by_qr] {
            assert!(ticket.pin.matches(&root));
            assert!(!ticket.pin.matches(&other));
        }
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let (secret, root) = made();
        let code = Ticket::code_text(&secret, &root);
        let sloppy = code
            .to_lowercase()
            .replace('-', " ")
            .replace('0', "o")
            .replace('1', "L");
        assert_eq!(
            Ticket::parse(&format!("  {sloppy}\n")).unwrap().secret,
            secret
        );
    }

    #[test]
    fn every_single_typo_and_every_swap_of_neighbours_is_found() {
        let (secret, root) = made();
        let code: Vec<char> = Ticket::code_text(&secret, &root).chars().collect();
        let mut missed = 0;
        for at in (0..code.len()).filter(|at| code[*at] != '-') {
            for symbol in "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
                .chars()
                .filter(|s| *s != code[at])
            {
                let mut typo = code.clone();
                typo[at] = symbol;
                missed += usize::from(Ticket::parse(&typo.iter().collect::<String>()).is_ok());
            }
        }
        for at in 1..code.len() {
            let mut swapped = code.clone();
            swapped.swap(at - 1, at);
            if swapped != code && code[at] != '-' && code[at - 1] != '-' {
                missed += usize::from(Ticket::parse(&swapped.iter().collect::<String>()).is_ok());
            }
        }
        assert_eq!(missed, 0);
    }

    #[test]
    fn what_is_no_invitation_is_told_apart() {
        let (secret, root) = made();
        let code = Ticket::code_text(&secret, &root);
        let parse = |text: &str| Ticket::parse(text).err();
        assert_eq!(parse(&code[..38]), Some(InvitationError::Length));
        assert_eq!(parse(""), Some(InvitationError::Length));
        assert_eq!(parse("邀请码"), Some(InvitationError::Character));
        assert_eq!(
            parse(&format!("{}U", &code[..38])),
            Some(InvitationError::Character)
        );
        assert_eq!(
            parse("https://example.org/"),
            Some(InvitationError::NotOurs)
        );
        let qr = Ticket::qr_text(&secret, &root, "a");
        for end in 0..qr.len() {
            assert!(parse(&qr[..end]).is_some());
        }
        assert_eq!(
            parse(&format!("{qr}{}", "0".repeat(4_096))),
            Some(InvitationError::NotOurs)
        );
        assert_eq!(format!("{secret:?}"), "InvitationSecret(..)");
    }
}
