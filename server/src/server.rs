//! A sync node: all actions of the server, as plain synchronous functions over a store.
//!
//! ```text
//!  bytes ─▶ registry (who is it) ─▶ sync ─▶ ingest (judge, order, store) ─▶ receipt
//!                                      └──▶ feed (choose new entries that it may read) ─▶ page
//! ```
//!
//! [`Server`] composes the parts and holds no rule: each method hands the state of the node to a
//! function of one part. No part uses this module.
//!
//! **Not here:** sockets, HTTP, clocks and random sources. Callers pass `now_ms` and `rng`, so that
//! a simulator can drive the same code.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::form::Template;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, MemberId};
use onegrid_core::trust::invitation::InvitationId;
use onegrid_core::trust::request_mac::RequestTag;
use onegrid_core::trust::session::Session;
use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::verdict::Verdict;
use rand_core::CryptoRng;
use tokio::sync::watch;

use crate::blobs::{BlobCeilings, Blobs};
use crate::directory;
use crate::error::{Problem, Result};
use crate::feed::cursor_memory::CursorMemory;
use crate::feed::readings::{self, Sought};
use crate::ingest::ration::Ceilings;
use crate::ingest::{
    self, IngestResult, Intake, ListRow, Listed, RoutingState, RowResult, Waiting,
};
use crate::keys::Keys;
use crate::limits::SERVER_BEHIND_MS_MAX;
use crate::registry::admins::{self, AdminRole};
use crate::registry::enrolment::{self, IssuedInvitation, NewInvitation};
use crate::registry::import::{self, Compared, ImportCounts, WorkClock};
use crate::registry::members::{self, MemberDescription, SwitchedOff};
use crate::registry::sessions::{self, Handshakes};
use crate::registry::templates::PutResult;
use crate::registry::{anchor, audit, devices, renewal, revocation, templates, zones};
use crate::rules::Rules;
use crate::shared::Shared;
use crate::store::{ReadingRow, Store};
use crate::sync::{self, SyncAnswer};
use crate::wakeups::Wake;

/// A sync node.
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    pub(crate) intake: Intake,
    handshakes: Handshakes,
    remembered: CursorMemory,
}

/// Opening, and the state that callers may see.
impl Server {
    /// Key of a note in the store: the root public key.
    pub(crate) const ROOT: &str = "root";
    /// Key of a note in the store: time of the last trial write, ms UTC.
    pub(crate) const TRIAL: &str = "trial";
    /// Key of a note in the store: the root public key of a deployment that is being copied into it; empty once the
    /// copy is whole.
    pub(crate) const COPY: &str = "copy";

    /// Opens a node over a store that `init` has prepared.
    pub fn open(store: Arc<dyn Store>, keys: Keys, rules: Rules) -> Result<Self> {
        let (root, copy) =
            store.read::<_, Problem>(|tx| Ok((tx.meta(Self::ROOT)?, tx.meta(Self::COPY)?)))?;
        if copy.is_some_and(|of| !of.is_empty()) {
            return Err(Problem::new("store.incomplete"));
        }
        match root {
            None => return Err(Problem::new("store.not_initialised")),
            Some(root) if root != keys.anchors().root().as_bytes() => {
                return Err(Problem::new("keys.of_another_deployment"));
            }
            Some(_) => {}
        }
        let generation = store.read(|tx| directory::generation(tx))?;
        if !keys.anchors().certifies(generation) {
            // An installation of keys raised it and was broken off before the keys were in place.
            return Err(Problem::new("keys.install_unfinished").with("generation", generation));
        }
        // A write without the key would break the seal, so this comes first.
        store.seal_with(&keys.seal_key())?;
        sign_again(&store, &keys)?;
        let shared = Arc::new(Shared::new(store, keys));
        Ok(Self {
            intake: Intake::new(Arc::clone(&shared), rules),
            shared,
            handshakes: Handshakes::default(),
            remembered: CursorMemory::default(),
        })
    }

    /// Replaces the ceilings of the limits, for tests and for deployments with known needs.
    #[must_use]
    pub fn with_ceilings(mut self, ceilings: Ceilings) -> Self {
        self.intake.ceilings = ceilings;
        self
    }

    /// Prepares an empty store for a deployment: generation 1, its root key, and the server's own
    /// author.
    pub fn prepare(store: &Arc<dyn Store>, keys: &Keys, now_ms: i64) -> Result<()> {
        store.seal_with(&keys.seal_key())?;
        let root = *keys.anchors().root().as_bytes();
        let author = Arc::clone(keys.author_certificate());
        store.write(move |tx| {
            if tx.meta(Self::ROOT)?.is_some() {
                return Err(Problem::new("store.initialised"));
            }
            tx.set_meta(Self::ROOT, &root)?;
            directory::set_generation(tx, 1)?;
            devices::put_author(tx, &author, now_ms)?;
            audit::note(tx, now_ms, "admin", "server.init", "")?;
            Ok(())
        })
    }

    /// Opens the photos and recordings of this node in a folder, which the nodes of a deployment share.
    pub fn open_files(&self, folder: &Path, ceilings: BlobCeilings) -> Result<Blobs> {
        Blobs::open(Arc::clone(&self.shared), folder, ceilings)
    }

    /// SHA-256 of the text of the rules in force.
    #[must_use]
    pub fn rules_source(&self) -> Hash {
        self.intake.rules().source()
    }

    /// Replaces the rules of automatic moves. Open cases follow with the time.
    pub fn set_rules(&self, rules: Rules) {
        self.intake.set_rules(rules);
    }

    /// The store of this node.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// The keys of this deployment.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    /// Generation of the data.
    pub fn generation(&self) -> Result<u32> {
        self.shared.generation()
    }
}

/// Requests of phones.
impl Server {
    /// Redeems an invitation for a phone. A repeated request of the same device gets the same
    /// certificate.
    pub fn handle_enrol(&self, bytes: &[u8], now_ms: i64) -> Result<Vec<u8>> {
        enrolment::enrol(&self.shared, bytes, now_ms)
    }

    /// Answers the first message of a handshake.
    pub fn handle_hello(
        &self,
        bytes: &[u8],
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>> {
        sessions::hello(&self.shared, &self.handshakes, bytes, now_ms, rng)
    }

    /// Answers the second message of a handshake and opens the session.
    pub fn handle_prove(&self, bytes: &[u8], now_ms: i64) -> Result<Vec<u8>> {
        sessions::prove(&self.shared, bytes, now_ms)
    }

    /// Returns the device of the session that the headers of a request name, before the body has
    /// arrived. The caller has proved nothing yet.
    pub fn claimed(&self, headers: (&str, &str), now_ms: i64) -> Result<DeviceId> {
        sessions::claimed(&self.shared.store, headers, now_ms)
    }

    /// Checks the two headers of a request against its session.
    pub fn authenticate(
        &self,
        headers: (&str, &str),
        request: (&str, &str),
        body: &[u8],
        now_ms: i64,
    ) -> Result<(Session, RequestTag)> {
        sessions::authenticate(&self.shared.store, headers, request, body, now_ms)
    }

    /// Handles the `POST` of a sync request with its two headers.
    pub fn handle_sync(
        &self,
        headers: (&str, &str),
        path: &str,
        body: &[u8],
        now_ms: i64,
    ) -> Result<SyncAnswer> {
        let (session, tag) = self.authenticate(headers, ("POST", path), body, now_ms)?;
        self.answer_sync(&session, &tag, body, now_ms)
    }

    /// Answers a request after [`Self::authenticate`] has checked its session and code.
    pub fn answer_sync(
        &self,
        session: &Session,
        tag: &RequestTag,
        body: &[u8],
        now_ms: i64,
    ) -> Result<SyncAnswer> {
        let remembered = &self.remembered;
        sync::answer(&self.intake, remembered, session, tag, body, now_ms)
    }

    /// Subscribes to news in the streams that a device may read. A wake-up is only a hint; the data
    /// always travel by [`Self::handle_sync`].
    pub fn subscribe(&self, device: DeviceId, now_ms: i64) -> Result<watch::Receiver<Wake>> {
        sync::subscribe(&self.shared, device, now_ms)
    }

    /// Ingests a bundle. `attested` are verdicts that this deployment signed before, by hash. Their
    /// envelopes are not judged again.
    pub fn ingest(
        &self,
        bundle: Bundle,
        attested: &HashMap<Hash, Verdict>,
        now_ms: i64,
    ) -> Result<IngestResult> {
        ingest::ingest(&self.intake, bundle, attested, now_ms)
    }
}

/// Commands of an administrator.
impl Server {
    /// Stores a version of a template of checklists and publishes it to the phones.
    pub fn put_template(&self, template: &Template, actor: &str, now_ms: i64) -> Result<PutResult> {
        templates::put(&self.shared, template, actor, now_ms)
    }

    /// Publishes the templates that the program brings along, unless they are published already.
    pub fn put_shipped_templates(&self, now_ms: i64) -> Result<()> {
        templates::put_shipped(&self.shared, now_ms)
    }

    /// Invites one more phone of a member, once, for `valid_ms` milliseconds.
    pub fn invite(
        &self,
        member: MemberId,
        valid_ms: i64,
        actor: &str,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<NewInvitation> {
        enrolment::invite(&self.shared, member, valid_ms, actor, now_ms, rng)
    }

    /// Makes an invitation for one more phone of each member. It counts once it is stored.
    pub fn draft_invitations(
        &self,
        members: &[MemberId],
        valid_ms: i64,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<NewInvitation>> {
        enrolment::draft_all(&self.shared, members, valid_ms, now_ms, rng)
    }

    /// Stores new invitations: all of them or none.
    pub fn store_invitations(
        &self,
        made: &[NewInvitation],
        actor: &str,
        now_ms: i64,
    ) -> Result<()> {
        enrolment::store_all(&self.shared, made, actor, now_ms)
    }

    /// Cancels new invitations whose codes are lost because of a problem, and returns the problem
    /// to tell.
    pub fn withdraw_invitations(
        &self,
        made: &[NewInvitation],
        actor: &str,
        now_ms: i64,
        problem: Problem,
    ) -> Problem {
        enrolment::withdraw(&self.shared, made, actor, now_ms, problem)
    }

    /// Returns every invitation, redeemed or not, in the order of its making.
    pub fn invitations(&self) -> Result<Vec<IssuedInvitation>> {
        enrolment::all(&self.shared)
    }

    /// Cancels invitations that no phone has redeemed, and returns their number.
    pub fn cancel_invitations(
        &self,
        ids: Vec<InvitationId>,
        actor: &str,
        now_ms: i64,
    ) -> Result<usize> {
        enrolment::cancel(&self.shared, ids, actor, now_ms)
    }

    /// Revokes a device. Returns false if it was already revoked.
    pub fn revoke(&self, device: DeviceId, actor: &str, now_ms: i64) -> Result<bool> {
        revocation::revoke(&self.shared, device, actor, now_ms)
    }

    /// Renews the certificate of a device, even if it has run out. The phone gets it with its next
    /// connection. Returns the end of reading, ms UTC.
    pub fn renew(&self, device: DeviceId, actor: &str, now_ms: i64) -> Result<i64> {
        renewal::renew(&self.shared, device, actor, now_ms)
    }

    /// Publishes entries of the directory: areas, zones, units, categories.
    pub fn publish(
        &self,
        entries: Vec<DirectoryEntry>,
        actor: &str,
        now_ms: i64,
    ) -> Result<ImportCounts> {
        import::publish(&self.shared, entries, actor, now_ms)
    }

    /// Writes members with their grants.
    pub fn put_members(
        &self,
        members: Vec<MemberDescription>,
        actor: &str,
        now_ms: i64,
    ) -> Result<ImportCounts> {
        import::put_members(&self.shared, members, actor, now_ms, &mut |_| {})
    }

    /// Does the work of [`Self::put_members`], and calls `progress` after each of its transactions with the
    /// number of members that are done.
    pub fn put_members_slowly(
        &self,
        members: Vec<MemberDescription>,
        actor: &str,
        now_ms: i64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<ImportCounts> {
        import::put_members(&self.shared, members, actor, now_ms, progress)
    }

    /// Writes members as a report compared them; see [`import::put_compared`].
    pub fn put_compared(
        &self,
        members: Vec<Compared>,
        actor: &str,
        clock: WorkClock,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(ImportCounts, Vec<MemberId>)> {
        import::put_compared(&self.shared, members, actor, clock, progress)
    }

    /// Compares the rows of an office's list with the records that earlier imports made.
    pub fn compare_list(&self, listed: Listed, rows: &[ListRow]) -> Result<Vec<RowResult>> {
        ingest::listed::compare(&self.intake, listed, rows)
    }

    /// Makes a record of each row of an office's list that has none yet. Returns one result for each row.
    pub fn put_list(
        &self,
        listed: Listed,
        rows: &[ListRow],
        actor: &str,
        now_ms: i64,
    ) -> Result<Vec<RowResult>> {
        ingest::listed::put(&self.intake, listed, rows, (actor, now_ms))
    }

    /// Notes the ids that the office uses for members and units. Returns the number of new ones.
    pub fn note_external_ids(&self, ids: Vec<([u8; 16], String)>) -> Result<usize> {
        import::note_external_ids(&self.shared, ids)
    }

    /// Changes one member as `alter` describes, and returns whether anything changed.
    pub fn change_member(
        &self,
        member: MemberId,
        actor: &str,
        now_ms: i64,
        alter: impl Fn(&mut MemberDescription) -> Result<()> + Send + 'static,
    ) -> Result<bool> {
        members::change(&self.shared, member, actor, now_ms, alter)
    }

    /// Switches a member off, with all devices and open invitations.
    pub fn disable_member(
        &self,
        member: MemberId,
        actor: &str,
        now_ms: i64,
    ) -> Result<SwitchedOff> {
        members::disable(&self.shared, member, actor, now_ms)
    }

    /// Switches a member on again. Returns false if the member was not switched off.
    pub fn enable_member(&self, member: MemberId, actor: &str, now_ms: i64) -> Result<bool> {
        members::enable(&self.shared, member, actor, now_ms)
    }

    /// Adds the account of an administrator.
    pub fn add_admin(
        &self,
        name: &str,
        roles: &[AdminRole],
        actor: &str,
        now_ms: i64,
    ) -> Result<()> {
        admins::add(&self.shared, name, roles, actor, now_ms)
    }

    /// Replaces the roles of an administrator.
    pub fn set_admin_roles(
        &self,
        name: &str,
        roles: &[AdminRole],
        actor: &str,
        now_ms: i64,
    ) -> Result<()> {
        admins::set_roles(&self.shared, name, roles, actor, now_ms)
    }

    /// Switches the account of an administrator off, or on again.
    pub fn set_admin_disabled(
        &self,
        name: &str,
        is_disabled: bool,
        actor: &str,
        now_ms: i64,
    ) -> Result<()> {
        admins::set_disabled(&self.shared, name, is_disabled, actor, now_ms)
    }

    /// The envelopes that wait for a decision, the oldest first.
    pub fn waiting(&self, count_max: usize) -> Result<Vec<Waiting>> {
        ingest::waiting(&self.shared, count_max)
    }

    /// Carries out a person's decision about a held envelope, and returns every verdict that it
    /// changed.
    pub fn decide(
        &self,
        envelope: EnvelopeId,
        accept: bool,
        by: &str,
        now_ms: i64,
    ) -> Result<Vec<(EnvelopeId, Verdict)>> {
        ingest::decide(&self.intake, envelope, accept, by, now_ms)
    }

    /// Returns the lines of the reading log that match the query, the oldest day first, and records
    /// the query in the audit log.
    pub fn readings(
        &self,
        sought: &Sought,
        actor: &str,
        now_ms: i64,
        take: impl FnMut(&ReadingRow) -> Result<()>,
    ) -> Result<u64> {
        readings::show(&self.shared.store, sought, actor, now_ms, take)
    }
}

/// Work that the passing of time brings.
impl Server {
    /// Looks at cases whose deadline has passed or whose mergers have changed, at most
    /// [`crate::limits::DUE_PER_TICK_MAX`]. Returns the number of moves that were made. To be
    /// called again and again with the time.
    pub fn tick(&self, now_ms: i64) -> Result<usize> {
        self.cut_revoked()?;
        ingest::tick(&self.intake, now_ms)
    }

    /// Routes the next open cases anew, if the directory or the rules have changed. Returns the number
    /// of cases that remain. To be called again and again with the time.
    pub fn reroute(&self, now_ms: i64) -> Result<u64> {
        ingest::reroute(&self.intake, now_ms)
    }

    /// State of the routing of open cases; `None` before it ever began.
    pub fn routing(&self) -> Result<Option<RoutingState>> {
        Ok(self.shared.store.read(|tx| ingest::routing_state(tx))?)
    }

    /// Releases the envelopes that an older version of this server could not read and this one can.
    /// They are judged as of their arrival. To be called at the start. Returns the number of
    /// released envelopes.
    pub fn release_newer(&self, now_ms: i64) -> Result<usize> {
        ingest::release_newer(&self.intake, now_ms)
    }

    /// Writes a note, because a store can be read long after it has stopped taking data. A clock that is far behind
    /// the newest note is named, and phones deliver nothing until it is right.
    pub fn try_write(&self, now_ms: i64) -> Result<()> {
        let newest_ms = self.shared.store.write::<_, Problem>(move |tx| {
            let newest_ms = tx
                .meta(Self::TRIAL)?
                .and_then(|bytes| bytes.try_into().ok());
            let newest_ms = newest_ms.map_or(i64::MIN, i64::from_be_bytes);
            // A wrong clock must not be forgotten with the next start.
            tx.set_meta(Self::TRIAL, &newest_ms.max(now_ms).to_be_bytes())?;
            Ok(newest_ms)
        })?;
        let is_behind = now_ms < newest_ms.saturating_sub(SERVER_BEHIND_MS_MAX);
        self.shared.gate.set_behind(is_behind);
        if is_behind {
            return Err(Problem::new("server.clock_behind"));
        }
        Ok(())
    }

    /// Takes the present clock for right, although the store has seen a later time.
    pub fn trust_clock(&self, now_ms: i64) -> Result<()> {
        self.shared
            .store
            .write::<_, Problem>(move |tx| Ok(tx.set_meta(Self::TRIAL, &now_ms.to_be_bytes())?))
    }

    /// Updates grants when a version of a zone begins or ends, and returns the number of changed
    /// members. Call it at regular intervals.
    pub fn keep_zones(&self, now_ms: i64) -> Result<usize> {
        zones::keep(&self.shared, now_ms)
    }

    /// Tells phones the last line of the audit log once a day, and returns whether it did. Call it at regular
    /// intervals.
    pub fn keep_anchor(&self, now_ms: i64) -> Result<bool> {
        anchor::keep(&self.shared, now_ms)
    }

    /// Cuts off devices that another process revoked. Call it about once a second.
    pub fn cut_revoked(&self) -> Result<()> {
        revocation::cut_revoked(&self.shared)
    }

    /// Removes lines of the reading log that are past their retention time.
    pub fn sweep_readings(&self, now_ms: i64) -> Result<usize> {
        readings::sweep(&self.shared.store, now_ms)
    }

    /// Wakes the phones of this node for what other nodes have stored. `hinted` are streams that may have grown;
    /// without it, every stream that a phone reads is looked at. A lost hint costs the time until the next such
    /// look.
    pub fn follow(&self, hinted: Option<&BTreeSet<StreamId>>) -> Result<()> {
        sync::follow(&self.shared, hinted)
    }

    /// Wakes the phones that read one of these streams, because another process has changed them.
    pub fn wake(&self, streams: &BTreeSet<StreamId>) {
        self.shared.wakeups.notify(streams);
    }

    /// Wakes every phone that waits, because another process may have changed what it may read.
    pub fn wake_all(&self) {
        self.shared.wakeups.notify_all();
    }
}

/// Signs everything in the store again that no key of the present list signed: after a rotation,
/// and in a backup that is older than one.
fn sign_again(store: &Arc<dyn Store>, keys: &Keys) -> Result<()> {
    let number = keys.anchors().list().number.to_be_bytes();
    let known = store.read(|tx| tx.meta(KEY_LIST))?;
    if known.as_deref() == Some(number.as_slice()) {
        return Ok(());
    }
    // Another node has newer keys. Two nodes with different keys would sign against each other.
    if store.hints().is_some() && known.is_some_and(|known| known.as_slice() > number.as_slice()) {
        return Err(Problem::new("keys.outdated"));
    }
    let keys = keys.clone();
    store.write::<_, Problem>(move |tx| {
        let count = tx.sign_again(&keys)?;
        tx.set_meta(KEY_LIST, &number)?;
        tracing::info!(count, "signed again under the present keys");
        Ok(())
    })
}

/// Key of a note in the store: the number of the list of keys under which everything in it is
/// signed.
const KEY_LIST: &str = "key_list";
