//! The keys behind a walk: the server prints checkpoints, and the phone of the lead takes people in.

use super::certificate::{Anchors, ServerPurpose, Stamp};
use super::sign::{Authority, PublicKey, Purpose, SecretKey};
use crate::domain::walk::Seals;
use crate::domain::walk::checkpoint::{CheckpointCode, CheckpointError, DEPLOYMENT_BYTES};
use crate::domain::walk::join::JoinProof;
use crate::domain::walk::section::SectionId;
use crate::id::RecordId;

/// The keys that a replica or server asks about one walk.
#[derive(Debug, Clone, Copy)]
pub struct WalkSeals<'a> {
    /// The root key and the server keys.
    pub anchors: &'a Anchors,
    /// The key of the phone that made the record; `None` where its certificate is withheld.
    pub lead: Option<&'a PublicKey>,
}

/// The bytes that tell one deployment from another in a code that people scan.
#[must_use]
pub fn deployment_mark(authority: &Authority) -> [u8; DEPLOYMENT_BYTES] {
    let mut mark = [0; DEPLOYMENT_BYTES];
    mark.copy_from_slice(&authority.0.as_bytes()[..DEPLOYMENT_BYTES]);
    mark
}

/// A server key makes the code of a checkpoint, for the printer. `key` is the one that signs receipts.
#[must_use]
pub fn print_checkpoint(
    section: SectionId,
    checkpoint: u16,
    stamp: Stamp,
    (key, authority): (&SecretKey, &Authority),
) -> CheckpointCode {
    let mut code = CheckpointCode {
        deployment: deployment_mark(authority),
        section,
        checkpoint,
        printed_ms: stamp.time_ms,
        generation: stamp.generation,
        signature: [0; 64],
    };
    code.signature = key.sign(Purpose::Checkpoint, authority, &[&code.signed_bytes()]);
    code
}

impl WalkSeals<'_> {
    /// Checks the code of a checkpoint before a scan of it is kept.
    pub fn check(&self, code: &CheckpointCode) -> Result<(), CheckpointError> {
        if code.deployment != deployment_mark(self.anchors.authority()) {
            return Err(CheckpointError::OtherDistrict);
        }
        let stamp = Stamp {
            time_ms: code.printed_ms,
            generation: code.generation,
        };
        let (bytes, authority) = (code.signed_bytes(), self.anchors.authority());
        let is_signed_by = |key: &PublicKey| {
            key.verify(Purpose::Checkpoint, authority, &[&bytes], &code.signature)
                .is_ok()
        };
        let mut keys = self.anchors.signers(ServerPurpose::Receipts, stamp);
        if keys.any(is_signed_by) {
            Ok(())
        } else {
            Err(CheckpointError::NotGenuine)
        }
    }
}

impl Seals for WalkSeals<'_> {
    fn is_of_lead(&self, record: RecordId, proof: &JoinProof) -> bool {
        let bytes = JoinProof::signed_bytes(record, proof.made_ms, proof.minutes);
        self.lead.is_some_and(|key| {
            let authority = self.anchors.authority();
            key.verify(Purpose::JoinCode, authority, &[&bytes], &proof.signature)
                .is_ok()
        })
    }

    fn is_printed(&self, code: &CheckpointCode) -> bool {
        self.check(code).is_ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fixtures::Deployment;

    fn printed(town: &Deployment) -> CheckpointCode {
        let stamp = Stamp {
            time_ms: 5,
            generation: 1,
        };
        let section = SectionId::new("wulin-7").unwrap();
        print_checkpoint(section, 3, stamp, (&town.server, town.authority()))
    }

    fn refusal(town: &Deployment, code: &CheckpointCode) -> Option<&'static str> {
        let seals = WalkSeals {
            anchors: &town.anchors,
            lead: None,
        };
        seals.check(code).err().map(|error| error.code())
    }

    #[test]
    fn checkpoint_of_the_server_alone_is_genuine() {
        let (town, other) = (Deployment::new(), Deployment::of_root(9));
        let code = printed(&town);
        assert_eq!(refusal(&town, &code), None);
        assert_eq!(refusal(&other, &code), Some("checkpoint.other_district"));
        let moved = CheckpointCode {
            deployment: deployment_mark(other.authority()),
            ..code.clone()
        };
        assert_eq!(refusal(&other, &moved), Some("checkpoint.not_genuine"));
        for forged in [
            CheckpointCode {
                checkpoint: 4,
                ..code.clone()
            },
            CheckpointCode {
                printed_ms: 6,
                ..code.clone()
            },
            CheckpointCode {
                generation: 2,
                ..code.clone()
            },
            CheckpointCode {
                section: SectionId::new("wulin-8").unwrap(),
                ..code
            },
        ] {
            assert_eq!(refusal(&town, &forged), Some("checkpoint.not_genuine"));
        }
    }

    #[test]
    fn proof_is_of_one_lead_and_record() {
        let (town, key) = (Deployment::new(), SecretKey::from_seed(&[3; 32]));
        let record = RecordId([1; 16]);
        let bytes = JoinProof::signed_bytes(record, 7, 10);
        let signature = key.sign(Purpose::JoinCode, town.authority(), &[&bytes]);
        let proof = JoinProof {
            made_ms: 7,
            minutes: 10,
            signature,
        };
        let stranger = SecretKey::from_seed(&[4; 32]).public();
        let asked = |lead: Option<&PublicKey>, record, proof: JoinProof| {
            WalkSeals {
                anchors: &town.anchors,
                lead,
            }
            .is_of_lead(record, &proof)
        };
        let lead = key.public();
        assert!(asked(Some(&lead), record, proof));
        assert!(!asked(Some(&lead), RecordId([2; 16]), proof));
        assert!(!asked(
            Some(&lead),
            record,
            JoinProof {
                minutes: 60,
                ..proof
            }
        ));
        assert!(!asked(
            Some(&lead),
            record,
            JoinProof {
                made_ms: 8,
                ..proof
            }
        ));
        assert!(!asked(Some(&stranger), record, proof));
        assert!(!asked(None, record, proof));
    }
}
