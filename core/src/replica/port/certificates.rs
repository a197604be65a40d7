//! Certificates from outside, and the envelopes that they prove.

use super::super::error::ReplicaError;
use super::super::table::envelope::{self, Origin};
use super::super::table::{certificate, sealed, unnamed};
use super::intake::Intake;
use crate::trust::certificate::{Certificate, RawCertificate};
use crate::wire::envelope::{Envelope, VerifiedEnvelope};
use crate::wire::sealed::SealedCertificate;

impl Intake<'_, '_> {
    /// Stores valid certificates. Others are left out.
    pub(super) fn certificates(
        &mut self,
        raw: &[RawCertificate],
        known_in: Option<u32>,
    ) -> Result<(), ReplicaError> {
        for raw in raw {
            let Ok(verified) = Certificate::verify(raw.clone(), self.writing.anchors()) else {
                tracing::warn!(code = "trust.bad_certificate", "a certificate was left out");
                continue;
            };
            certificate::insert(self.writing.conn, &verified)?;
            // Projections of records that came before it show its author, and perhaps more.
            for record in unnamed::take(self.writing.conn, verified.hash())? {
                self.writing.reload(record)?;
            }
            if let Some(generation) = known_in {
                certificate::set_known_in(self.writing.conn, verified.hash(), generation)?;
            }
        }
        Ok(())
    }

    /// Keeps what the server sealed, unread, for a server that lost it. From another phone only what the
    /// records that came before name: else it could fill this one with anything.
    pub(super) fn sealed(&self, sealed: &[SealedCertificate]) -> Result<(), ReplicaError> {
        for one in sealed {
            if self.origin == Origin::Server {
                sealed::put(self.writing.conn, one)?;
            } else if self.named.contains(&one.certificate) {
                sealed::put_unchecked(self.writing.conn, one)?;
            }
        }
        Ok(())
    }

    /// Puts the genuine signature in the place of a broken one. Another phone can bring a broken one for an
    /// accepted envelope while its certificate is withheld. The certificate decides; where it is still withheld, the
    /// server's copy counts.
    pub(super) fn mend_signature(&mut self, envelope: Envelope) -> Result<(), ReplicaError> {
        let (conn, id) = (self.writing.conn, envelope.id());
        let signature = envelope.raw().signature;
        let stored = envelope::signature(conn, id)?;
        if stored.is_none_or(|stored| stored == signature) {
            return Ok(());
        }
        let hash = envelope.header().certificate;
        let genuine = match self.writing.certificates.get(conn, hash)? {
            Some(certificate) => {
                let authority = *self.writing.anchors().authority();
                envelope.verify(&certificate, &authority).is_ok()
            }
            None => self.origin == Origin::Server,
        };
        if genuine {
            envelope::set_signature(conn, id, &signature)?;
        }
        Ok(())
    }

    /// Returns the envelope with its certificate, when its author signed it. Where the server attests it
    /// and withholds the certificate, the server's word is enough.
    pub(super) fn verified(
        &mut self,
        envelope: Envelope,
        attested: bool,
    ) -> Result<Option<VerifiedEnvelope>, ReplicaError> {
        let hash = envelope.header().certificate;
        let found = self.writing.certificates.get(self.writing.conn, hash)?;
        match found {
            Some(certificate) => {
                let authority = *self.writing.anchors().authority();
                match envelope.verify(&certificate, &authority) {
                    Ok(verified) => Ok(Some(verified)),
                    Err(error) => {
                        tracing::warn!(code = error.code(), "an envelope was left out");
                        Ok(None)
                    }
                }
            }
            None if attested => Ok(Some(VerifiedEnvelope::vouched(envelope))),
            None => {
                tracing::warn!(code = "trust.wrong_certificate", "an envelope was left out");
                Ok(None)
            }
        }
    }
}
