//! Members and their grants. A change of grants creates new certificates for all devices of the member. A
//! member who is switched off keeps name, grants and delivered work, and loses every device and invitation.

use std::collections::BTreeSet;

use onegrid_core::domain::directory::{Access, Directory, DirectoryEntry, MemberName};
use onegrid_core::domain::role::Grant;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{AreaId, Hash, MemberId};
use onegrid_core::limits::ACCESS_STREAMS_MAX;
use onegrid_core::trust::sign::{Authority, PublicKey};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::signed_entry::SignedEntry;

use super::{audit, devices, enrolment, revocation, rights, slices};
use crate::directory;
use crate::directory::routing::{At, read_by};
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::CHANGED_PER_SLICE_MAX;
use crate::shared::Shared;
use crate::store::{Entry, MemberRow, NewEntry, Reader, StoreResult, Writer};

/// Code of the directory entry for “this member's grants have changed”. Its position decides whether an
/// author had seen the change.
const GRANTS_CHANGED: u16 = 7;

/// A member as an administrator describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// OneGrid's id of the person, not the office's.
    pub id: MemberId,
    /// Name that colleagues see.
    pub public_name: Option<String>,
    /// Area whose directory carries the name.
    pub area: AreaId,
    /// All roles of the member.
    pub grants: Vec<Grant>,
}

/// Derives the id of a member from the id that an office uses. Each import derives the same id, and another
/// deployment derives a different one.
#[must_use]
pub fn id_of_external(authority: &Authority, external_id: &str) -> MemberId {
    MemberId::v8(&Hash::of(&[
        b"onegrid.member",
        authority.0.as_bytes(),
        external_id.as_bytes(),
    ]))
}

/// The person or program that changes members, and the time.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// Actor in the audit log.
    pub actor: &'a str,
    /// Server time, ms UTC.
    pub now_ms: i64,
}

/// Writes members, and returns how many of them changed. All changes of rights count as one change of the
/// policy, so that uploads under way are judged again once.
pub fn put_all<'m>(
    tx: &mut dyn Writer,
    keys: &Keys,
    members: impl Iterator<Item = &'m MemberDescription>,
    stamp: Stamp<'_>,
    places: &mut Places,
) -> Result<usize> {
    let (mut changed, mut rights) = (0, false);
    for described in members {
        let effect = put(tx, keys, described, stamp, places)?;
        changed += usize::from(effect != Effect::None);
        rights |= effect == Effect::Rights;
    }
    if rights {
        places.bump_policy(tx)?;
    }
    Ok(changed)
}

/// Effect of writing a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The member was described like this already.
    None,
    /// The name or the area changed, or the member is new, so that no upload depends on it.
    Description,
    /// A decision about an upload may depend on the change.
    Rights,
}

/// Writes one member. The caller counts a change of rights as a change of the policy.
pub(super) fn put(
    tx: &mut dyn Writer,
    keys: &Keys,
    described: &MemberDescription,
    stamp: Stamp<'_>,
    places: &mut Places,
) -> Result<Effect> {
    let Stamp { actor, now_ms } = stamp;
    let known = tx.member(described.id)?;
    let same_grants = known
        .as_ref()
        .is_some_and(|known| same_set(&known.grants, &described.grants));
    let same = same_grants
        && known.as_ref().is_some_and(|known| {
            known.public_name == described.public_name && known.area == described.area
        });
    if same {
        return Ok(Effect::None);
    }
    publish_name(tx, keys, described, known.as_ref())?;
    if known.is_some() && !same_grants {
        let payload =
            minicbor::to_vec((described.id, now_ms)).expect("writing CBOR to memory does not fail");
        let changed = DirectoryEntry::Unknown {
            code: GRANTS_CHANGED,
            payload,
        };
        places.unharmed(tx, |tx| directory::publish(tx, keys, &[changed]))?;
    }
    let granted_at = match &known {
        Some(known) if same_grants => known.granted_at,
        _ => directory::mark(tx)?,
    };
    let granted_ms = match &known {
        Some(known) if same_grants => known.changed_ms,
        _ => now_ms,
    };
    let grants = match &known {
        // The certificates of the devices have this order.
        Some(known) if same_grants => known.grants.clone(),
        _ => described.grants.clone(),
    };
    tx.put_member(&MemberRow {
        id: described.id,
        public_name: described.public_name.clone(),
        area: described.area,
        grants,
        granted_at,
        changed_ms: granted_ms,
        disabled_ms: known.as_ref().and_then(|known| known.disabled_ms),
    })?;
    let mut effect = Effect::Description;
    if !same_grants {
        let before = known.as_ref().map_or(&[][..], |known| &known.grants);
        let has_phone = reissue(tx, keys, described, now_ms)?;
        if has_phone {
            announce(tx, keys, described, before, places, now_ms)?;
        }
        if has_phone || known.is_some() {
            effect = Effect::Rights;
        }
    }
    let action = if known.is_some() {
        "member.changed"
    } else {
        "member.added"
    };
    let subject = rights::subject(tx, places.at(tx)?, described, known.as_ref())?;
    audit::note(tx, now_ms, actor, action, &subject)?;
    Ok(effect)
}

/// Publishes the name of a member. A member who moves leaves the directory of the previous area.
fn publish_name(
    tx: &mut dyn Writer,
    keys: &Keys,
    described: &MemberDescription,
    known: Option<&MemberRow>,
) -> StoreResult<()> {
    let moved = known.filter(|known| known.area != described.area);
    let names: Vec<DirectoryEntry> = moved
        .map(|known| (known.area, None))
        .into_iter()
        .chain([(described.area, described.public_name.clone())])
        .map(|(area, public_name)| {
            DirectoryEntry::MemberName(MemberName {
                member: described.id,
                public_name,
                area,
            })
        })
        .collect();
    directory::publish(tx, keys, &names).map(drop)
}

/// Whether two lists hold the same grants, in any order.
#[must_use]
pub fn same_set(one: &[Grant], other: &[Grant]) -> bool {
    let is_within = |one: &[Grant], other: &[Grant]| one.iter().all(|grant| other.contains(grant));
    is_within(one, other) && is_within(other, one)
}

/// Removes the repetitions of a list of grants; the first of equal ones stays.
pub fn without_repetition(grants: &mut Vec<Grant>) {
    let mut seen: Vec<Grant> = Vec::with_capacity(grants.len());
    grants.retain(|grant| {
        let is_new = !seen.contains(grant);
        if is_new {
            seen.push(grant.clone());
        }
        is_new
    });
}

/// Changes one member as `alter` describes, from the newest state, and returns whether anything changed.
pub fn change(
    shared: &Shared,
    member: MemberId,
    actor: &str,
    now_ms: i64,
    alter: impl Fn(&mut MemberDescription) -> Result<()> + Send + 'static,
) -> Result<bool> {
    let (actor, keys) = (actor.to_owned(), std::sync::Arc::clone(&shared.keys));
    let changed = shared.store.write::<_, Problem>(move |tx| {
        let row = known(tx, member)?;
        let mut described = MemberDescription {
            id: row.id,
            public_name: row.public_name,
            area: row.area,
            grants: row.grants,
        };
        alter(&mut described)?;
        // A move may bring two roles to the same place.
        without_repetition(&mut described.grants);
        let stamp = Stamp {
            actor: &actor,
            now_ms,
        };
        let one = std::iter::once(&described);
        put_all(tx, &keys, one, stamp, &mut Places::default())
    })?;
    shared.wakeups.notify_all();
    Ok(changed > 0)
}

/// Changes members in short transactions, each from its newest state and under the present directory. `change`
/// returns `None` for a member who stays. Returns the number of members who changed.
pub(super) fn change_all(
    shared: &Shared,
    members: Vec<MemberId>,
    actor: &str,
    now_ms: i64,
    change: impl Fn(MemberRow, &Directory) -> Option<MemberDescription> + Send + Sync + 'static,
) -> Result<usize> {
    let (actor, keys) = (actor.to_owned(), std::sync::Arc::clone(&shared.keys));
    let change_some =
        move |tx: &mut dyn Writer, turns: &mut slices::Turns<'_, MemberId>, places: &mut Places| {
            let mut described = Vec::new();
            for member in turns.take(CHANGED_PER_SLICE_MAX) {
                if let Some(row) = tx.member(*member)? {
                    described.extend(change(row, places.at(tx)?));
                }
            }
            let stamp = Stamp {
                actor: &actor,
                now_ms,
            };
            put_all(tx, &keys, described.iter(), stamp, places)
        };
    let changed = slices::run(&shared.store, members, change_some, &mut |_| {});
    // Also after an error, because earlier slices stay.
    shared.wakeups.notify_all();
    changed
}

fn known(tx: &dyn Reader, member: MemberId) -> Result<MemberRow> {
    let unknown = || Problem::new("registry.unknown_member").with("member", member);
    tx.member(member)?.ok_or_else(unknown)
}

/// Result of switching a member off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwitchedOff {
    /// Devices that were revoked now.
    pub devices: usize,
    /// Invitations that were cancelled now.
    pub invitations: usize,
    /// Whether the member was switched off already.
    pub already: bool,
}

/// Switches a member off: every device is revoked and every open invitation cancelled. The work that the
/// devices had delivered stays; their later work waits for review.
pub fn disable(shared: &Shared, member: MemberId, actor: &str, now_ms: i64) -> Result<SwitchedOff> {
    // A search through all invitations has no place in a transaction that writes. An invitation that is made
    // meanwhile opens nothing, because no phone enrols for a member who is switched off.
    let open = enrolment::open_of(shared, member)?;
    let (actor, keys) = (actor.to_owned(), std::sync::Arc::clone(&shared.keys));
    let (done, cut) = shared.store.write::<_, Problem>(move |tx| {
        let row = known(tx, member)?;
        let already = row.disabled_ms.is_some();
        let mut cut = Vec::new();
        for device in tx.devices_of(member)? {
            if revocation::revoke_in(tx, &keys, &device, &actor, now_ms)? {
                cut.push(device.id);
            }
        }
        let mut invitations = 0;
        for id in &open {
            invitations += usize::from(tx.drop_invitation(*id)?);
        }
        if !already {
            tx.put_member(&MemberRow {
                disabled_ms: Some(now_ms),
                ..row
            })?;
            // Uploads under way are judged again, also if the store knows no device of the member.
            directory::bump_policy(tx)?;
            audit::note(tx, now_ms, &actor, "member.disabled", &member.to_string())?;
        }
        let done = SwitchedOff {
            devices: cut.len(),
            invitations,
            already,
        };
        Ok((done, cut))
    })?;
    revocation::cut_off(shared, &cut);
    Ok(done)
}

/// Switches a member on again. The old devices stay revoked, so the member needs an invitation. Returns false
/// if the member was not switched off.
pub fn enable(shared: &Shared, member: MemberId, actor: &str, now_ms: i64) -> Result<bool> {
    let actor = actor.to_owned();
    shared.store.write::<_, Problem>(move |tx| {
        let row = known(tx, member)?;
        if row.disabled_ms.is_none() {
            return Ok(false);
        }
        tx.put_member(&MemberRow {
            disabled_ms: None,
            ..row
        })?;
        audit::note(tx, now_ms, &actor, "member.enabled", &member.to_string())?;
        Ok(true)
    })
}

/// Issues new certificates for all phones of the member, and returns whether there is any phone. The phones'
/// sessions end: with its next session a phone gets the new certificate, before it reads that its roles have
/// changed.
fn reissue(
    tx: &mut dyn Writer,
    keys: &Keys,
    described: &MemberDescription,
    now_ms: i64,
) -> Result<bool> {
    let mark = directory::mark(tx)?;
    let mut any = false;
    for device in tx.devices_of(described.id)? {
        if device.revoked_ms.is_some() {
            continue;
        }
        let key = PublicKey::from_bytes(&device.public_key)
            .map_err(|error| Problem::new("store.damaged").because(&error))?;
        let grants = described.grants.clone();
        let certificate = devices::issue(tx, keys, &key, described.id, grants, mark, now_ms)?;
        devices::put(tx, &certificate, now_ms)?;
        tx.end_sessions(device.id)?;
        any = true;
    }
    Ok(any)
}

/// Announces lost and gained streams to the member, in the member's own stream.
fn announce(
    tx: &mut dyn Writer,
    keys: &Keys,
    described: &MemberDescription,
    before: &[Grant],
    places: &mut Places,
    now_ms: i64,
) -> StoreResult<()> {
    let directory = places.at(tx)?;
    let at = At { directory, now_ms };
    let had = read_by(described.id, before, at);
    let has = read_by(described.id, &described.grants, at);
    let only = |one: &BTreeSet<StreamId>, other: &BTreeSet<StreamId>| {
        let rest = one.difference(other).copied();
        rest.take(ACCESS_STREAMS_MAX).collect()
    };
    let access = DirectoryEntry::Access(Access {
        member: described.id,
        at_ms: now_ms,
        lost: only(&had, &has),
        gained: only(&has, &had),
    });
    let data = SignedEntry::sign(&access, keys.receipts(), keys.authority()).to_bytes();
    let (entry, adds) = (Entry::Directory(data), Digest::EMPTY);
    tx.append(StreamId::Member(described.id), &[NewEntry { entry, adds }])?;
    Ok(())
}

/// The directory, read on first use and again after a change by others.
#[derive(Debug, Default)]
pub struct Places(Option<(u64, Directory)>);

impl Places {
    fn at(&mut self, tx: &dyn Reader) -> StoreResult<&Directory> {
        let policy = directory::policy(tx)?;
        let known = match self.0.take() {
            Some((of, directory)) if of == policy => (of, directory),
            _ => (policy, directory::read(tx)?),
        };
        Ok(&self.0.insert(known).1)
    }

    /// Counts a change of grants, which leaves places as they are.
    pub(super) fn bump_policy(&mut self, tx: &mut dyn Writer) -> StoreResult<()> {
        self.unharmed(tx, |tx| directory::bump_policy(tx))
    }

    /// Runs a change of the policy that leaves places as they are.
    fn unharmed<T>(
        &mut self,
        tx: &mut dyn Writer,
        change: impl FnOnce(&mut dyn Writer) -> StoreResult<T>,
    ) -> StoreResult<T> {
        let before = directory::policy(tx)?;
        let done = change(tx)?;
        let after = directory::policy(tx)?;
        if let Some((policy, _)) = &mut self.0
            && *policy == before
        {
            *policy = after;
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::fixtures::{GRID_WORKER_CHEN, NOW, VOLUNTEER_WANG, VOLUNTEER_ZHAO};
    use onegrid_core::trust::enrolment::EnrolmentRequest;
    use onegrid_core::trust::invitation::Ticket;
    use onegrid_core::wire::verdict::{HeldReason, Status};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::ingest::tests::world::{TestServer, session};

    /// Tries to enrol another phone with this code.
    fn enrol(world: &TestServer, code: &str) -> Result<()> {
        let ticket = Ticket::parse(code).unwrap();
        let key = onegrid_core::trust::sign::SecretKey::from_seed(&[77; 32]);
        let authority = world.keys.authority();
        let asked = EnrolmentRequest::write(&ticket, authority, &key, "phone");
        world.server.handle_enrol(&asked, NOW + 50).map(drop)
    }

    #[test]
    fn disabled_member_syncs_no_more_and_keeps_delivered_work() {
        let world = TestServer::new();
        let server = &world.server;
        let mut phone = world.phone(VOLUNTEER_WANG);
        let mut other = world.phone(VOLUNTEER_ZHAO);
        let before = phone.report("送达之前");
        phone.push(server, &[&before]);
        let member = VOLUNTEER_WANG.member();
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let invited = server.invite(member, 60_000, "zhang", NOW, &mut rng);
        let invited = invited.unwrap();
        let done = server.disable_member(member, "zhang", NOW + 10).unwrap();
        let expected = SwitchedOff {
            devices: 1,
            invitations: 1,
            already: false,
        };
        assert_eq!(done, expected);

        let late = phone.report("停用之后");
        let request = phone.ask(Some(phone.bundle(&[&late])), 0);
        let refused = phone.send(server, &request).unwrap_err();
        assert!(
            ["session.unknown", "session.revoked"].contains(&refused.code()),
            "{}",
            refused.code()
        );
        // A colleague brings the late work; it waits for a person.
        let mut bundle = other.bundle(&[&late]);
        bundle.certificates.push(phone.certificate.raw().clone());
        let request = other.ask(Some(bundle), 0);
        other.send(server, &request).unwrap();
        let verdict = |id| server.store().read(|tx| tx.verdict(id)).unwrap().unwrap().1;
        assert_eq!(verdict(late.id()).status, Status::Held(HeldReason::Revoked));
        assert!(verdict(before.id()).status.is_accepted(), "it stays");

        let code = enrol(&world, &invited.code).unwrap_err().code();
        assert_eq!(code, "enrolment.unknown");
        let again = server.invite(member, 60_000, "zhang", NOW, &mut rng);
        assert_eq!(again.unwrap_err().code(), "registry.member_disabled");
        let once_more = server.disable_member(member, "zhang", NOW + 20).unwrap();
        let nothing = SwitchedOff {
            devices: 0,
            invitations: 0,
            already: true,
        };
        assert_eq!(once_more, nothing);
    }

    #[test]
    fn enabled_member_enrols_a_new_phone_and_old_ones_stay_revoked() {
        let world = TestServer::new();
        let server = &world.server;
        let old = world.phone(VOLUNTEER_WANG).session.device;
        let member = VOLUNTEER_WANG.member();
        assert!(!server.enable_member(member, "zhang", NOW).unwrap());
        server.disable_member(member, "zhang", NOW + 10).unwrap();
        assert!(server.enable_member(member, "zhang", NOW + 20).unwrap());
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let invited = server.invite(member, 60_000, "zhang", NOW, &mut rng);
        enrol(&world, &invited.unwrap().code).unwrap();
        let devices = server.store().read(|tx| tx.devices_of(member)).unwrap();
        let revoked = |id| {
            let found = devices.iter().find(|row| row.id == id);
            found.unwrap().revoked_ms.is_some()
        };
        assert_eq!(devices.len(), 2);
        assert!(revoked(old));
        assert_eq!(
            devices
                .iter()
                .filter(|row| row.revoked_ms.is_none())
                .count(),
            1
        );
    }

    /// A restored server may know the member and not the phone.
    #[test]
    fn phone_unknown_at_the_switch_off_stays_outside() {
        let mut phone = TestServer::new().phone(VOLUNTEER_WANG);
        let world = TestServer::new();
        let server = &world.server;
        let mut other = world.phone(VOLUNTEER_ZHAO);
        world.member(VOLUNTEER_WANG, vec![VOLUNTEER_WANG.grant()]);
        let member = VOLUNTEER_WANG.member();
        let done = server.disable_member(member, "zhang", NOW + 10).unwrap();
        assert_eq!(done.devices, 0);
        let late = phone.report("停用之后");
        let mut bundle = other.bundle(&[&late]);
        bundle.certificates.push(phone.certificate.raw().clone());
        let request = other.ask(Some(bundle), 0);
        other.send(server, &request).unwrap();
        let verdict = server.store().read(|tx| tx.verdict(late.id())).unwrap();
        let status = verdict.unwrap().1.status;
        assert_eq!(status, Status::Held(HeldReason::Revoked));

        let (mut rng, key) = (ChaCha20Rng::seed_from_u64(5), VOLUNTEER_WANG.key());
        for _ in 0..2 {
            let (keys, own) = (&world.keys, &phone.certificate);
            let refused = session(server, keys, &key, own, &mut rng, NOW + 20);
            assert_eq!(refused.unwrap_err().code(), "session.revoked");
        }
        let devices = server.store().read(|tx| tx.devices_of(member)).unwrap();
        let revoked: Vec<_> = devices.iter().map(|row| row.revoked_ms).collect();
        assert_eq!(revoked, [Some(NOW + 20)], "it is taken in and revoked");
    }

    /// The rule asks the member, so that it does not depend on the list of devices alone.
    #[test]
    fn open_session_of_a_disabled_member_reads_nothing() {
        let world = TestServer::new();
        let server = &world.server;
        let mut phone = world.phone(VOLUNTEER_WANG);
        let member = VOLUNTEER_WANG.member();
        let off = server.store().write::<_, Problem>(move |tx| {
            let row = known(tx, member)?;
            let disabled_ms = Some(NOW);
            Ok(tx.put_member(&MemberRow { disabled_ms, ..row })?)
        });
        off.unwrap();
        let request = phone.ask(None, 1_000);
        let refused = phone.send(server, &request).unwrap_err();
        assert_eq!(refused.code(), "session.revoked");
        let (mut rng, key) = (ChaCha20Rng::seed_from_u64(5), VOLUNTEER_WANG.key());
        let (keys, own) = (&world.keys, &phone.certificate);
        let refused = session(server, keys, &key, own, &mut rng, NOW + 20);
        assert_eq!(refused.unwrap_err().code(), "session.revoked");
    }

    #[test]
    fn repeated_grant_hides_no_new_one() {
        let (one, other) = (VOLUNTEER_WANG.grant(), GRID_WORKER_CHEN.grant());
        let pair = |a: &Grant, b: &Grant| vec![a.clone(), b.clone()];
        assert!(!same_set(&pair(&one, &other), &pair(&one, &one)));
        assert!(!same_set(&pair(&one, &one), &pair(&one, &other)));
        assert!(same_set(&pair(&one, &other), &pair(&other, &one)));
        assert!(same_set(&pair(&one, &one), std::slice::from_ref(&one)));

        let world = TestServer::new();
        let member = VOLUNTEER_WANG.member();
        world.member(VOLUNTEER_WANG, vec![one.clone()]);
        let twice = pair(&one, &one);
        let grants = || {
            let row = world.server.store().read(|tx| tx.member(member));
            row.unwrap().unwrap().grants
        };
        let change = |to: Vec<Grant>| {
            let changed = world
                .server
                .change_member(member, "zhang", NOW, move |described| {
                    described.grants.clone_from(&to);
                    Ok(())
                });
            changed.unwrap()
        };
        assert!(!change(twice), "nothing is new");
        assert!(change(vec![other.clone(), one.clone(), other.clone()]));
        assert_eq!(grants(), pair(&other, &one));
        // An older version stored a role twice.
        world.member(VOLUNTEER_WANG, pair(&one, &one));
        world.member(VOLUNTEER_WANG, pair(&one, &other));
        assert_eq!(grants(), pair(&one, &other));
    }

    /// A member who is switched off while the phone enrols stays outside.
    #[test]
    fn invitation_made_meanwhile_opens_nothing() {
        let world = TestServer::new();
        let server = &world.server;
        world.member(VOLUNTEER_WANG, vec![VOLUNTEER_WANG.grant()]);
        let member = VOLUNTEER_WANG.member();
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let invited = server.invite(member, 60_000, "zhang", NOW, &mut rng);
        let row = invited.as_ref().unwrap().invitation.id.0;
        let kept = server
            .store()
            .read(|tx| tx.invitation(row))
            .unwrap()
            .unwrap();
        server.disable_member(member, "zhang", NOW + 10).unwrap();
        let back = server
            .store()
            .write::<_, Problem>(move |tx| Ok(tx.put_invitation(&kept)?));
        back.unwrap();
        let refused = enrol(&world, &invited.unwrap().code).unwrap_err();
        assert_eq!(refused.code(), "enrolment.unknown");
    }

    #[test]
    fn change_keeps_everything_that_it_does_not_name() {
        let world = TestServer::new();
        let server = &world.server;
        world.member(VOLUNTEER_WANG, vec![VOLUNTEER_WANG.grant()]);
        let member = VOLUNTEER_WANG.member();
        let row = || {
            server
                .store()
                .read(|tx| tx.member(member))
                .unwrap()
                .unwrap()
        };
        let before = row();
        let changed = server.change_member(member, "zhang", NOW + 10, |described| {
            described.grants.clear();
            Ok(())
        });
        assert!(changed.unwrap());
        let after = row();
        assert_eq!(after.grants, []);
        assert_eq!(
            (after.public_name, after.area),
            (before.public_name, before.area)
        );
        let none = server.change_member(member, "zhang", NOW + 20, |_| Ok(()));
        assert!(!none.unwrap());
        let failed = server.change_member(member, "zhang", NOW + 30, |described| {
            described.public_name = None;
            Err(Problem::new("registry.role_not_held"))
        });
        assert!(failed.is_err());
        assert!(row().public_name.is_some());
    }
}
