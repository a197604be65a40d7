//! Invitations, and their redemption by phones.

use onegrid_core::id::{DeviceId, MemberId};
use onegrid_core::trust::enrolment::{EnrolmentAnswer, EnrolmentError, EnrolmentRequest};
use onegrid_core::trust::invitation::{Invitation, InvitationId, InvitationSecret, Ticket};
use rand_core::CryptoRng;

use super::{audit, devices, slices};
use crate::directory;
use crate::error::{Phrase, Problem, Result};
use crate::keys::Keys;
use crate::limits::{INVITATION_MS_MAX, LIST_ROWS_A_STEP};
use crate::shared::Shared;
use crate::store::{InvitationRow, MemberRow, Reader, Writer};

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
    let made = draft_all(shared, &[member], valid_ms, now_ms, rng)?;
    store_all(shared, &made, actor, now_ms)?;
    let made = made.into_iter().next();
    made.ok_or_else(|| Problem::new("server.internal"))
}

/// Makes an invitation for one more phone of each member. It counts once it is stored, so that the
/// codes are safe before that. Fails if a member is unknown or switched off.
pub fn draft_all(
    shared: &Shared,
    members: &[MemberId],
    valid_ms: i64,
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<NewInvitation>> {
    let expires_ms = now_ms.saturating_add(valid_ms.clamp(1, INVITATION_MS_MAX));
    let rows = shared.store.read::<_, Problem>(|tx| {
        members
            .iter()
            .map(|member| invitable(tx, *member))
            .collect::<Result<Vec<MemberRow>>>()
    })?;
    let mut made = Vec::with_capacity(rows.len());
    for row in rows {
        let (invitation, secret) =
            Invitation::create(None, row.id, row.grants, now_ms, expires_ms, rng);
        made.push(NewInvitation {
            code: Ticket::code_text(&secret, shared.keys.anchors().root()),
            invitation,
            secret,
        });
    }
    Ok(made)
}

/// Stores new invitations, in short transactions. If one of them fails, all are cancelled again,
/// because nobody gets their codes.
pub fn store_all(shared: &Shared, made: &[NewInvitation], actor: &str, now_ms: i64) -> Result<()> {
    let row = |one: &NewInvitation| {
        let invitation = &one.invitation;
        let data = minicbor::to_vec(invitation).expect("writing CBOR to memory does not fail");
        let row = InvitationRow {
            id: invitation.id.0,
            data,
            expires_ms: invitation.expires_ms,
            redeemed_by: None,
            redeemed_ms: None,
        };
        (row, invitation.member)
    };
    let rows = made.iter().map(row).collect();
    let by = actor.to_owned();
    let store_some = move |tx: &mut dyn Writer,
                           turns: &mut slices::Turns<'_, (InvitationRow, MemberId)>,
                           (): &mut ()| {
        for (row, member) in turns {
            tx.put_invitation(row)?;
            audit::note(tx, now_ms, &by, "invitation.made", &member.to_string())?;
        }
        Ok(0)
    };
    match slices::run(&shared.store, rows, store_some, &mut |_| {}) {
        Ok(_) => Ok(()),
        Err(problem) => Err(withdraw(shared, made, actor, now_ms, problem)),
    }
}

/// Cancels new invitations whose codes are lost because of a problem. Returns the problem, or the
/// one that open invitations may be left.
pub fn withdraw(
    shared: &Shared,
    made: &[NewInvitation],
    actor: &str,
    now_ms: i64,
    problem: Problem,
) -> Problem {
    let ids = made.iter().map(|one| one.invitation.id).collect();
    match cancel(shared, ids, actor, now_ms) {
        Ok(_) => problem,
        Err(also) => Problem::new("invite.left_open")
            .with("count", made.len())
            .with_phrase("reason", Phrase::new(problem.code()))
            .because(&std::io::Error::other(also.code())),
    }
}

fn invitable(tx: &dyn Reader, member: MemberId) -> Result<MemberRow> {
    let row = tx.member(member)?;
    let row = row.ok_or_else(|| Problem::new("registry.unknown_member").with("member", member))?;
    if row.disabled_ms.is_some() {
        return Err(Problem::new("registry.member_disabled").with("member", member));
    }
    Ok(row)
}

/// An invitation that the server keeps, without its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuedInvitation {
    /// Its id.
    pub id: InvitationId,
    /// The invited member.
    pub member: MemberId,
    /// Server time of its making, ms UTC.
    pub created_ms: i64,
    /// Last time for redemption, ms UTC.
    pub expires_ms: i64,
    /// The device that redeemed it, with the server time, ms UTC.
    pub redeemed: Option<(DeviceId, i64)>,
}

impl IssuedInvitation {
    /// Whether a phone can still redeem it.
    #[must_use]
    pub fn is_open(&self, now_ms: i64) -> bool {
        self.redeemed.is_none() && now_ms <= self.expires_ms
    }
}

/// Returns every invitation in the order of its making.
pub fn all(shared: &Shared) -> Result<Vec<IssuedInvitation>> {
    let mut found = shared.store.read::<_, Problem>(|tx| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let rows = tx.invitations(after, LIST_ROWS_A_STEP)?;
            let Some(last) = rows.last() else {
                return Ok(found);
            };
            after = Some(last.id);
            for row in &rows {
                found.push(issued(row)?);
            }
        }
    })?;
    found.sort_by_key(|one| (one.created_ms, one.id));
    Ok(found)
}

fn issued(row: &InvitationRow) -> Result<IssuedInvitation> {
    let invitation: Invitation = minicbor::decode(&row.data)
        .map_err(|error| Problem::new("store.damaged").because(&error))?;
    Ok(IssuedInvitation {
        id: invitation.id,
        member: invitation.member,
        created_ms: invitation.created_ms,
        expires_ms: row.expires_ms,
        redeemed: row.redeemed_by.zip(row.redeemed_ms),
    })
}

/// Ids of a member's invitations that no phone has redeemed, expired ones included.
pub(super) fn open_of(shared: &Shared, member: MemberId) -> Result<Vec<[u8; 16]>> {
    let unused = |one: &IssuedInvitation| one.member == member && one.redeemed.is_none();
    let found = all(shared)?.into_iter().filter(unused);
    Ok(found.map(|one| one.id.0).collect())
}

/// Cancels invitations that no phone has redeemed, and returns their number.
pub fn cancel(shared: &Shared, ids: Vec<InvitationId>, actor: &str, now_ms: i64) -> Result<usize> {
    let actor = actor.to_owned();
    let cancel_some =
        move |tx: &mut dyn Writer, turns: &mut slices::Turns<'_, InvitationId>, (): &mut ()| {
            let mut cancelled = 0;
            for id in turns {
                let Some(row) = tx.invitation(id.0)? else {
                    continue;
                };
                if tx.drop_invitation(id.0)? {
                    let member = issued(&row)?.member.to_string();
                    audit::note(tx, now_ms, &actor, "invitation.cancelled", &member)?;
                    cancelled += 1;
                }
            }
            Ok(cancelled)
        };
    slices::run(&shared.store, ids, cancel_some, &mut |_| {})
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
        let member = tx.member(invitation.member)?;
        if member.is_some_and(|member| member.disabled_ms.is_some()) {
            // Like a cancelled invitation.
            return Err(refused(EnrolmentError::Unknown));
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use std::collections::BTreeSet;

    use onegrid_core::fixtures::{NOW, VOLUNTEER_WANG, VOLUNTEER_ZHAO};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::ingest::tests::world::TestServer;

    #[test]
    fn many_are_invited_at_once_or_nobody() {
        let world = TestServer::new();
        let server = &world.server;
        world.member(VOLUNTEER_WANG, vec![]);
        world.member(VOLUNTEER_ZHAO, vec![]);
        let (wang, zhao) = (VOLUNTEER_WANG.member(), VOLUNTEER_ZHAO.member());
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let unknown = MemberId([9; 16]);
        let refused = server.draft_invitations(&[wang, unknown], 60_000, NOW, &mut rng);
        assert_eq!(refused.unwrap_err().code(), "registry.unknown_member");
        let made = server.draft_invitations(&[wang, zhao], 60_000, NOW, &mut rng);
        let made = made.unwrap();
        assert_eq!(
            server.invitations().unwrap(),
            [],
            "the codes are safe first"
        );
        server.store_invitations(&made, "zhang", NOW).unwrap();
        let codes: BTreeSet<&str> = made.iter().map(|one| one.code.as_str()).collect();
        assert_eq!(codes.len(), 2);
        let members: Vec<MemberId> = made.iter().map(|one| one.invitation.member).collect();
        assert_eq!(members, [wang, zhao], "in the order of the people");
        assert_eq!(server.invitations().unwrap().len(), 2);
        // The codes are lost, so exactly these are cancelled.
        let other = server.invite(wang, 60_000, "zhang", NOW, &mut rng).unwrap();
        let lost = server.withdraw_invitations(&made, "zhang", NOW, Problem::new("cli.output"));
        assert_eq!(lost.code(), "cli.output");
        let left = server.invitations().unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].id, other.invitation.id);
    }

    #[test]
    fn cancelled_invitation_is_gone_and_a_used_one_stays() {
        let world = TestServer::new();
        let server = &world.server;
        let phone = world.phone(VOLUNTEER_WANG);
        let used = server.invitations().unwrap();
        assert_eq!(used[0].redeemed.unwrap().0, phone.session.device);
        assert!(!used[0].is_open(NOW));
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let made = server.invite(phone.member, 60_000, "zhang", NOW + 1, &mut rng);
        let made = made.unwrap();
        let all = server.invitations().unwrap();
        assert!(all[1].is_open(NOW + 60_001) && !all[1].is_open(NOW + 60_002));
        let ids = vec![used[0].id, made.invitation.id, made.invitation.id];
        let cancelled = server.cancel_invitations(ids, "zhang", NOW + 2).unwrap();
        assert_eq!(cancelled, 1);
        assert_eq!(server.invitations().unwrap(), used);
        let last = server.store().read(|tx| tx.audit_last()).unwrap().unwrap();
        let line = (&*last.actor, &*last.action, &*last.subject);
        let member = phone.member.to_string();
        assert_eq!(line, ("zhang", "invitation.cancelled", &*member));
    }
}
