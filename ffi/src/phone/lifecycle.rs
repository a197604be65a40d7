//! Enrolment, suspending, and the support bundle.

use std::fs;
use std::io::Write as _;
use std::sync::PoisonError;

use onegrid_core::domain::{Grant, Scope};
use onegrid_core::net::{Address, NetConfig, enrol, now_ms};
use onegrid_core::replica::Reader;
use onegrid_core::trust::invitation::Ticket;

use super::{Gate, Inner, Phone, sync};
use crate::error::{Answer, OneGridError, guarded};
use crate::types::{Me, RoleGrant, Word};
use crate::vault::refuse_in_callback;

/// The file beside the replica that holds the server's address.
const SERVER_FILE: &str = "server";

#[uniffi::export]
impl Phone {
    /// Redeems an invitation and enrols this phone for the member. `server` is needed only with a typed code,
    /// because a QR code carries it. After an error the same call may be made again; an invitation is used up
    /// once.
    ///
    /// `device_name` is the name that an administrator sees, such as “Pixel 6”. Errors: `invitation.*`,
    /// `enrolment.*`, `net.bad_address`, `sync.offline`, `phone.enrolled_already`, `net.cancelled`.
    pub fn enrol(
        &self,
        invitation: String,
        server: Option<String>,
        device_name: String,
    ) -> Answer<Me> {
        let inner = &self.0;
        guarded(|| {
            refuse_in_callback()?;
            let ticket =
                Ticket::parse(&invitation).map_err(|error| OneGridError::of(error.code()))?;
            let address = ticket.address.clone().or(server);
            let address = address.ok_or_else(|| OneGridError::of("phone.server_needed"))?;
            let config = inner.config(&address)?;
            let signer = inner.call(|| {
                let replica = inner.writer();
                if replica.certificate().is_none() {
                    return Ok(Some(replica.signer().clone()));
                }
                let is_ours = replica
                    .anchors()
                    .is_some_and(|anchors| ticket.pin.matches(anchors.root()));
                if inner.server().is_some() || !is_ours {
                    return Err(OneGridError::of("phone.enrolled_already"));
                }
                // The file with the address was lost. Any invitation of the same deployment restores it.
                inner.keep_server(&address)?;
                Ok(None)
            })?;
            if let Some(signer) = signer {
                let enrolled = inner.cancellable(enrol(&config, &ticket, &signer, &device_name))?;
                inner.call(|| {
                    let mut replica = inner.writer();
                    // Another enrolment may have finished meanwhile.
                    if replica.certificate().is_some() {
                        return Err(OneGridError::of("phone.enrolled_already"));
                    }
                    inner.keep_server(&address)?;
                    Ok(replica.enrol(
                        &enrolled.anchors,
                        &enrolled.secrets,
                        &enrolled.certificate,
                    )?)
                })?;
            }
            inner.read(|reader| me(inner, reader))
        })
    }

    /// Returns the member and device of this phone, and the roles that the member may act under.
    pub fn me(&self) -> Answer<Me> {
        self.0.read(|reader| me(&self.0, reader))
    }

    /// Sets the one role for all further writing of the member; without one, the role nearest to the record
    /// applies. The setting holds until the phone is closed.
    ///
    /// Errors: `may.role` for a role that the member does not hold.
    pub fn act_as(&self, role: Option<String>) -> Answer<()> {
        self.0.call(|| {
            let mut replica = self.0.writer();
            let grants = replica.certificate().map(|own| own.facts().grants.clone());
            let grant = match role {
                None => None,
                Some(role) => {
                    let mut held = grants.into_iter().flatten();
                    let grant = held.find(|grant| grant_id(grant) == role);
                    Some(grant.ok_or_else(|| OneGridError::of("may.role"))?)
                }
            };
            replica.act_as(grant.clone())?;
            *self.0.acting_as() = grant;
            Ok(())
        })
    }

    /// Suspends the phone, because the app goes to the background. A sync under way is interrupted, and
    /// acknowledged work is kept. When the call returns, no transaction runs and no file is locked. Until
    /// [`Self::resume`] every call except this one and `status` returns `replica.suspended`.
    pub fn suspend(&self) -> Answer<()> {
        guarded(|| {
            refuse_in_callback()?;
            self.0.break_off();
            self.0.close_files(Gate::Suspended)?;
            self.0.tell_status();
            Ok(())
        })
    }

    /// Resumes the phone, because the app is back: it takes calls again, and live sync continues if it was on.
    ///
    /// Errors: the errors of opening, such as `replica.in_use`; then the phone stays suspended.
    pub fn resume(&self) -> Answer<()> {
        guarded(|| {
            refuse_in_callback()?;
            let mut gate = self.0.gate_write();
            match *gate {
                Gate::Shut => return Err(OneGridError::of("phone.shut")),
                Gate::Open => return Ok(()),
                Gate::Suspended => {}
            }
            self.0.writer().resume()?;
            *gate = Gate::Open;
            drop(gate);
            self.0.begin_upkeep();
            self.0.go_on()?;
            self.0.tell_status();
            // Events from just before the suspension still wait.
            self.0.tell_notifications();
            Ok(())
        })
    }

    /// Closes the replica for good. The account can be opened again at once.
    pub fn shut(&self) -> Answer<()> {
        guarded(|| {
            refuse_in_callback()?;
            self.0.shut()
        })
    }

    /// Returns facts that help to find an error, as JSON: versions, counts, codes and sizes. It holds no
    /// content, names, positions or keys.
    pub fn support_bundle(&self) -> Answer<String> {
        // The status passes the gate too, and a thread that waits at the gate twice may wait for itself.
        let status = self.0.sync_status();
        self.0.read(|reader| {
            let tally = reader.tally(None, None)?;
            let bundle = serde_json::json!({
                "version": env!("CARGO_PKG_VERSION"),
                "at_ms": now_ms(),
                "device": reader.device().to_string(),
                "enrolled": reader.certificate().is_some(),
                "roles": reader.certificate().map(|own| {
                    let grants = own.facts().grants.iter();
                    grants.map(|grant| grant.role.name()).collect::<Vec<_>>()
                }),
                "pages": reader.pages()?,
                "records": reader.count(&onegrid_core::replica::Filter::default())?,
                "undelivered": reader.undelivered()?,
                "recorded": tally.entries.recorded,
                "counted": tally.entries.counted,
                "notices": reader.notices()?.iter().map(|notice| &notice.code).collect::<Vec<_>>(),
                "sync": {
                    "state": format!("{:?}", status.state),
                    "reason": status.reason.map(|reason| reason.code),
                    "synced_ms": status.synced_ms,
                    "retry_ms": status.retry_ms,
                },
                "log_lines_left_out": crate::log::left_out(),
            });
            Ok(bundle.to_string())
        })
    }
}

impl Inner {
    /// Closes the replica for good. A second call has no effect.
    pub(crate) fn shut(&self) -> Answer<()> {
        self.break_off();
        self.line().end();
        let closed = match self.close_files(Gate::Shut) {
            Err(_) if self.is_shut() => Ok(()),
            closed => closed,
        };
        if closed.is_ok() {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            drop(open.take());
        }
        closed
    }

    /// Waits for the calls under way, which are asked to end, and closes every file.
    fn close_files(&self, to: Gate) -> Answer<()> {
        if self.is_shut() {
            return Err(OneGridError::of("phone.shut"));
        }
        // Reads and a running application of an answer stop now, so the wait for the gate is short.
        self.readers.halt();
        let mut gate = self.gate_write();
        // Even if this fails, every file that can be closed is closed, and the phone takes no more calls.
        let closed = match *gate {
            Gate::Open => self.writer().suspend(),
            Gate::Suspended | Gate::Shut => Ok(()),
        };
        *gate = to;
        Ok(closed?)
    }

    /// Returns the configuration of the way to this account's server.
    pub(super) fn config(&self, address: &str) -> Answer<NetConfig> {
        Ok(NetConfig {
            address: Address::parse(address, self.reach.plain_http_allowed)?,
            roots: self.reach.roots.clone(),
        })
    }

    /// Returns the server's address, once enrolled.
    pub(super) fn server(&self) -> Option<String> {
        let address = fs::read_to_string(self.folder.join(SERVER_FILE)).ok()?;
        Some(address.trim().to_owned()).filter(|address| !address.is_empty())
    }

    fn keep_server(&self, address: &str) -> Answer<()> {
        let path = self.folder.join(SERVER_FILE);
        let next = self.folder.join(format!("{SERVER_FILE}.next"));
        let kept = fs::File::create(&next).and_then(|mut file| {
            file.write_all(address.as_bytes())?;
            file.sync_all()?;
            fs::rename(&next, &path)?;
            // The certificate is stored next, and must not outlive the address.
            fs::File::open(&self.folder)?.sync_all()
        });
        kept.map_err(|_| OneGridError::of("replica.storage"))
    }

    /// Waits for work on the network, which [`Phone::cancel`] ends.
    pub(super) fn cancellable<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Answer<T>
    where
        OneGridError: From<E>,
    {
        let cancel = self.line().token();
        sync::runtime()?.block_on(async {
            tokio::select! {
                done = work => done.map_err(OneGridError::from),
                () = cancel.cancelled() => Err(OneGridError::of("net.cancelled")),
            }
        })
    }
}

fn me(inner: &Inner, reader: &Reader) -> Answer<Me> {
    let member = reader.own_member();
    let (zh, en) = match member {
        Some(member) => reader.member_name(member)?.unwrap_or_default(),
        None => (String::new(), String::new()),
    };
    let grants = match reader.certificate() {
        Some(_) => reader.own_grants()?,
        None => Vec::new(),
    };
    let acting_as = inner.acting_as().clone();
    let chosen = grants
        .iter()
        .find(|words| Some(&words.grant) == acting_as.as_ref());
    let acting_as = chosen.map(|words| grant_id(&words.grant));
    Ok(Me {
        enrolled: reader.certificate().is_some(),
        member: member.map(|member| member.to_string()),
        device: reader.device().to_string(),
        zh,
        en,
        roles: grants
            .into_iter()
            .map(|words| RoleGrant {
                id: grant_id(&words.grant),
                role: Word::of("role", words.grant.role.name()),
                unit: words.grant.scope.unit().map(|unit| unit.to_string()),
                area: match &words.grant.scope {
                    Scope::Area(area) => Some(area.leaf().to_string()),
                    _ => None,
                },
                zh: words.zh,
                en: words.en,
            })
            .collect(),
        acting_as,
        server: inner.server(),
    })
}

/// Names a grant by role and place. Its number would not do, because a renewed certificate may list the grants
/// in another order.
fn grant_id(grant: &Grant) -> String {
    let place = match &grant.scope {
        Scope::Area(area) => area.leaf().to_string(),
        Scope::Zone { zone, .. } => zone.to_string(),
        Scope::Unit(unit) => unit.to_string(),
    };
    format!("{}@{place}", grant.role.name())
}
