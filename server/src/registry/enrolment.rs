//! Invitations, and their redemption by phones.

use onegrid_core::id::MemberId;
use onegrid_core::trust::enrolment::{EnrolmentAnswer, EnrolmentError, EnrolmentRequest};
use onegrid_core::trust::invitation::{Invitation, InvitationSecret, Ticket};
use rand_core::CryptoRng;

use super::{audit, devices};
use crate::directory;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::INVITATION_MS_MAX;
use crate::shared::Shared;
use crate::store::InvitationRow;

/// A new invitation with its secret, also as a short code.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// The part that the server keeps.
    pub invitation: Invitation,
    /// The part that only the invited person gets.
    pub secret: InvitationSecret,
    /// Short code that a person can type; it contains the secret.
    pub code: String,
}

impl NewInvitation {
    /// Text of the QR code for a server of this deployment at this address.
    #[must_use]
    pub fn qr(&self, keys: &Keys, address: &str) -> String {
        Ticket::qr_text(&self.secret, keys.anchors().root(), address)
    }
}

/// Invites one more phone of a member, once, for `valid_ms` milliseconds.
pub fn invite(
    shared: &Shared,
    member: MemberId,
    valid_ms: i64,
    actor: &str,
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<NewInvitation> {
    let row = shared
        .store
        .read(|tx| tx.member(member))?
        .ok_or_else(|| Problem::new("registry.unknown_member").with("member", member))?;
    let valid_ms = valid_ms.clamp(1, INVITATION_MS_MAX);
    let expires_ms = now_ms.saturating_add(valid_ms);
    let (invitation, secret) =
        Invitation::create(None, member, row.grants, now_ms, expires_ms, rng);
    let data = minicbor::to_vec(&invitation).expect("writing CBOR to memory does not fail");
    let stored = InvitationRow {
        id: invitation.id.0,
        data,
        expires_ms,
        redeemed_by: None,
        redeemed_ms: None,
    };
    let actor = actor.to_owned();
    shared.store.write::<_, Problem>(move |tx| {
        tx.put_invitation(&stored)?;
        audit::note(tx, now_ms, &actor, "invitation.made", &member.to_string())?;
        Ok(())
    })?;
    let code = Ticket::code_text(&secret, shared.keys.anchors().root());
    Ok(NewInvitation {
        invitation,
        secret,
        code,
    })
}

/// Redeems an invitation for a phone. A repeated request of the same device gets the same
/// certificate.
pub fn enrol(shared: &Shared, bytes: &[u8], now_ms: i64) -> Result<Vec<u8>> {
    let request = EnrolmentRequest::read(bytes).map_err(refused)?;
    let keys = std::sync::Arc::clone(&shared.keys);
    let certificate = shared.store.write::<_, Problem>(move |tx| {
        let id = request.invitation().0;
        let row = tx
            .invitation(id)?
            .ok_or_else(|| refused(EnrolmentError::Unknown))?;
        let invitation: Invitation = minicbor::decode(&row.data)
            .map_err(|error| Problem::new("store.damaged").because(&error))?;
        let admitted = request
            .admit(&invitation, row.redeemed_by, keys.authority(), now_ms)
            .map_err(refused)?;
        let device = admitted.device_key.device();
        if devices::revoked_ms(tx, device)?.is_some() {
            return Err(Problem::new("session.revoked"));
        }
        if let Some(known) = tx
            .device(device)?
            .filter(|_| row.redeemed_by == Some(device))
        {
            let raw = tx.certificate(known.certificate)?;
            return raw.ok_or_else(|| Problem::new("store.damaged"));
        }
        if tx.device(device)?.is_some() {
            // A device that already enrolled cannot redeem another invitation.
            return Err(refused(EnrolmentError::Used));
        }
        // The member's grants may have changed since the invitation was made.
        let grants = tx
            .member(invitation.member)?
            .map_or(invitation.grants, |member| member.grants);
        let mark = directory::mark(tx)?;
        let key = admitted.device_key;
        let certificate = devices::issue(tx, &keys, &key, invitation.member, grants, mark, now_ms)?;
        devices::put(tx, &certificate, now_ms)?;
        tx.put_invitation(&InvitationRow {
            redeemed_by: Some(device),
            redeemed_ms: Some(now_ms),
            ..row
        })?;
        audit::note(
            tx,
            now_ms,
            &invitation.member.to_string(),
            "device.enrolled",
            &device.to_string(),
        )?;
        Ok(certificate.raw().clone())
    })?;
    let answer = EnrolmentAnswer {
        certificate,
        root: *shared.keys.anchors().root().as_bytes(),
        server_keys: shared.keys.anchors().list().clone(),
        time_ms: now_ms,
        secrets: shared.keys.secrets().clone(),
    };
    Ok(answer.write())
}

fn refused(error: EnrolmentError) -> Problem {
    Problem::new(error.code())
}
