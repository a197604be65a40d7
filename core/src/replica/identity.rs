//! The identity of a phone: the certificate, the keys of its deployment, and the person behind both.

use std::sync::Arc;

use rusqlite::Connection;

use super::error::ReplicaError;
use super::load::Certificates;
use super::table::certificate;
use super::table::meta::{self, Name};
use crate::id::{DeviceId, Hash, MemberId, UnitId};
use crate::trust::certificate::{Anchors, Certificate};
use crate::trust::peer_session::MeetingSecrets;
use crate::trust::sign::PublicKey;

/// The identity of this phone, once it is enrolled.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) anchors: Arc<Anchors>,
    pub(super) certificate: Arc<Certificate>,
    pub(super) secrets: Option<MeetingSecrets>,
}

/// The person who reads this phone. It decides which work is their own, and which causes are news to them.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    pub(super) member: Option<MemberId>,
    pub(super) units: Vec<UnitId>,
    /// This phone.
    pub(super) device: Option<DeviceId>,
}

impl Own {
    pub(super) fn of(identity: Option<&Identity>) -> Self {
        let Some(identity) = identity else {
            return Self::default();
        };
        let facts = identity.certificate.facts();
        Self {
            member: facts.member,
            units: facts
                .grants
                .iter()
                .filter_map(|one| one.scope.unit())
                .collect(),
            device: Some(facts.device),
        }
    }
}

/// A file that another phone was enrolled with is not opened: its key came with the keys of that one.
pub(super) fn is_of(
    device: DeviceId,
    conn: &Connection,
    certificates: &Certificates,
) -> Result<(), ReplicaError> {
    match of_file(conn, certificates)? {
        Some(identity) if identity.certificate.facts().device != device => {
            Err(ReplicaError::WrongKey)
        }
        _ => Ok(()),
    }
}

/// Reads the identity of the phone from a file.
pub(super) fn of_file(
    conn: &Connection,
    certificates: &Certificates,
) -> Result<Option<Identity>, ReplicaError> {
    let Some(root) = meta::get_fixed(conn, Name::Root)? else {
        return Ok(None);
    };
    let root = PublicKey::from_bytes(&root).map_err(|_| ReplicaError::Inconsistent)?;
    let Some(list) = certificate::server_keys(conn)? else {
        return Ok(None);
    };
    let anchors = Anchors::new(root, list).map_err(|_| ReplicaError::Inconsistent)?;
    let Some(hash) = meta::get_fixed(conn, Name::OwnCertificate)? else {
        return Ok(None);
    };
    let own = certificates.get(conn, Hash(hash))?;
    let secrets = certificate::secrets(conn)?;
    Ok(own.map(|certificate| Identity {
        anchors: Arc::new(anchors),
        certificate,
        secrets,
    }))
}
