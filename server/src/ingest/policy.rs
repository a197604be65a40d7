//! The checks of an envelope that only the server can make: revocations, changed roles, the
//! directory, the clock. Each check can hold an envelope for a person to decide. No check refuses
//! it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use onegrid_core::domain::area::Area;
use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::case::payload::Partner;
use onegrid_core::domain::case::{Event, Move, Party, RecordState};
use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::domain::{AreaPath, Grant};
use onegrid_core::id::{AreaId, DeviceId, EnvelopeId, Hash, MemberId, UnitId};
use onegrid_core::limits::{CLOCK_AHEAD_MS_MAX, CLOCK_BEHIND_MS_MAX};
use onegrid_core::record::{Node, NodeBody, Record};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::wire::verdict::{HeldReason, Status, Verdict};

use super::bundle::CheckedBundle;
use crate::directory::heirs::{in_charge, with_former_areas};
use crate::directory::{self, View, Views};
use crate::error::Result;
use crate::limits::ROLE_GRACE_MS;
use crate::shared::Shared;
use crate::store::{DeviceRow, MemberRow, Reader, StoreResult};

/// The facts that a decision builds on. They are read from one snapshot and checked again in the
/// transaction that stores.
pub(crate) struct Ground {
    pub(super) view: Arc<View>,
    pub(super) mark: DirectoryMark,
    pub(super) devices: HashMap<DeviceId, DeviceRow>,
    pub(super) members: HashMap<MemberId, MemberRow>,
    /// Verdicts on stored envelopes. An envelope that a pack left out as void and that was accepted
    /// later is absent, because its content arrives now.
    pub(super) known: HashMap<EnvelopeId, Verdict>,
    /// When the envelopes arrived, if earlier than now, ms UTC. The facts of that time decide.
    pub(super) arrived_ms: Option<i64>,
    /// Devices that wrote so much today that a person has to look at it.
    pub(super) busy: HashSet<DeviceId>,
}

pub(super) fn ground(
    shared: &Shared,
    checked: &CheckedBundle,
    attested: &HashMap<Hash, Verdict>,
) -> Result<Ground> {
    let ground = shared.store.read(|tx| {
        let mut ground = bare_ground(&shared.views, tx)?;
        ground.arrived_ms = checked.arrived_ms;
        ground.busy.clone_from(&checked.busy);
        for envelope in &checked.verified {
            let envelope = envelope.envelope();
            let (id, hash) = (envelope.id(), envelope.hash());
            if let Some((stored, verdict)) = checked.known(tx, id, envelope.raw())? {
                let lacks_content = stored.is_none()
                    && matches!(verdict.status, Status::Void(_))
                    && attested.get(&hash).is_some_and(|given| {
                        given.status.is_accepted() && given.is_later_than(&verdict)
                    });
                if !lacks_content {
                    ground.known.insert(id, verdict);
                }
            }
        }
        for unread in &checked.unread {
            let known = checked.known(tx, unread.id, &unread.raw)?;
            ground
                .known
                .extend(known.map(|(_, verdict)| (unread.id, verdict)));
        }
        for certificate in checked.certificates.values() {
            let facts = certificate.facts();
            ground
                .devices
                .extend(tx.device(facts.device)?.map(|row| (row.id, row)));
            if let Some(member) = facts.member {
                ground
                    .members
                    .extend(tx.member(member)?.map(|row| (row.id, row)));
            }
        }
        Ok::<_, crate::store::StoreError>(ground)
    })?;
    Ok(ground)
}

pub(super) fn bare_ground(views: &Views, tx: &dyn Reader) -> StoreResult<Ground> {
    Ok(Ground {
        view: views.at(tx)?,
        mark: directory::mark(tx)?,
        devices: HashMap::new(),
        members: HashMap::new(),
        known: HashMap::new(),
        arrived_ms: None,
        busy: HashSet::new(),
    })
}

impl Ground {
    /// The reason why a new envelope has to wait for a person, if there is one. `seen` is the
    /// newest place of the directory that its author has claimed so far in the record, because an
    /// author forgets nothing.
    pub(super) fn holds(
        &self,
        record: &Record,
        node: &Node,
        seen: DirectoryMark,
        now_ms: i64,
    ) -> Option<HeldReason> {
        let certificate = node.certificate.as_deref()?;
        let member = certificate.facts().member?;
        let now_ms = self.arrived_ms.unwrap_or(now_ms);
        // Envelopes that the device delivered before stay. A restored store may not know the device
        // any more.
        let known = self.devices.get(&node.author);
        let revoked_ms = known
            .and_then(|row| row.revoked_ms)
            .or_else(|| self.view.directory.revoked.get(&node.author).copied());
        // The store may not have known the device when its member was switched off.
        let member = self.members.get(&member);
        let disabled_ms = member.and_then(|member| member.disabled_ms);
        let cut_off = |at_ms| self.arrived_ms.is_none_or(|since| at_ms <= since);
        if revoked_ms.is_some_and(cut_off) || disabled_ms.is_some_and(cut_off) {
            return Some(HeldReason::Revoked);
        }
        if self.role_has_changed(node, certificate, seen, now_ms)
            || self.hides_a_party(record, node, certificate)
        {
            return Some(HeldReason::RoleChanged);
        }
        let early = node.clock_ms < now_ms.saturating_sub(CLOCK_BEHIND_MS_MAX);
        if early || node.clock_ms > now_ms.saturating_add(CLOCK_AHEAD_MS_MAX) {
            return Some(HeldReason::Clock);
        }
        let fits = self.fits(record, &node.body, seen, now_ms);
        // An author cannot have seen a place that the directory has not reached.
        if !fits || node.directory_seen > self.mark {
            return Some(HeldReason::Directory);
        }
        self.busy
            .contains(&node.author)
            .then_some(HeldReason::TooMany)
    }

    /// Whether the directory has the places that an envelope names, or had them when its author
    /// last read it.
    fn fits(&self, record: &Record, body: &NodeBody, seen: DirectoryMark, now_ms: i64) -> bool {
        let View {
            directory, moves, ..
        } = &*self.view;
        let path = match body {
            NodeBody::Genesis { facts, .. } => Some(facts.home),
            NodeBody::Event { event, .. } => match &**event {
                Event::Transfer(transfer) => Some(transfer.to),
                Event::Share(share) => match share.with {
                    Partner::Area(path) => Some(path),
                    Partner::Party(_) => None,
                },
                Event::Triage(triage) => {
                    let home = record.genesis().map(|facts| facts.home);
                    let Some((home, grid)) = home.zip(triage.grid) else {
                        return true;
                    };
                    if lies_in(&directory.areas, grid, &home, now_ms) {
                        return true;
                    }
                    home.with_grid(grid)
                }
                _ => None,
            },
            _ => None,
        };
        path.is_none_or(|path| moves.allow(&directory.areas, &path, seen, now_ms))
    }

    /// Whether the member no longer has the grant, and the author knew that or is too late.
    fn role_has_changed(
        &self,
        node: &Node,
        certificate: &Certificate,
        seen: DirectoryMark,
        now_ms: i64,
    ) -> bool {
        let facts = certificate.facts();
        let Some(member) = facts.member.and_then(|member| self.members.get(&member)) else {
            return false;
        };
        let Some(grant) = facts.grants.get(usize::from(node.grant)) else {
            return true;
        };
        if member.grants.contains(grant) {
            return false;
        }
        // A role that the member has in place of an ended area counts like one of its own.
        let areas = &self.view.directory.areas;
        if with_former_areas(&member.grants, areas, now_ms).contains(grant) {
            return false;
        }
        let had_seen = seen >= member.granted_at;
        had_seen || now_ms.saturating_sub(member.changed_ms) > ROLE_GRACE_MS
    }

    /// Whether the certificate is from before its member joined a unit that the case was sent to,
    /// and the move is closed to members of that unit. `may` knows the units of the certificate
    /// alone.
    fn hides_a_party(&self, record: &Record, node: &Node, certificate: &Certificate) -> bool {
        let closed = match &node.body {
            NodeBody::Event { event, .. } => event.movement().is_some_and(Move::is_closed_to_party),
            _ => false,
        };
        let facts = certificate.facts();
        let member = facts.member.and_then(|member| self.members.get(&member));
        let Some(member) = member.filter(|_| closed) else {
            return false;
        };
        let units = |grants: &[Grant]| -> Vec<UnitId> {
            grants
                .iter()
                .filter_map(|grant| grant.scope.unit())
                .collect()
        };
        let named = units(&facts.grants);
        let sent_to = |unit: UnitId| {
            let mut assignments = record
                .state()
                .into_iter()
                .flat_map(RecordState::assignments);
            assignments.any(|assignment| assignment.to == Party::Unit(unit))
        };
        let present = units(&member.grants);
        present
            .iter()
            .any(|unit| !named.contains(unit) && sent_to(*unit))
    }
}

/// Whether a grid lies in the village of a record, or in a village that is in charge of it now. A
/// record keeps the path of its birth, and its grid may have moved since.
fn lies_in(areas: &Areas, grid: AreaId, home: &AreaPath, now_ms: i64) -> bool {
    let village = areas.get(grid).and_then(Area::parent);
    village.is_some_and(|village| in_charge(areas, home, now_ms).contains(&village))
}
