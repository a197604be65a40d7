//! Given / when / then helpers: a record that people write to.

use crate::domain::case::payload::{self as p, Deadlines, OnBehalfOf, Part, Party, Severity};
use crate::domain::case::{
    Author, Entry, EntryBody, EntryStatus, Event, GenesisFacts, Outcome, RecordState, fold,
};
use crate::domain::kinds::hazard;
use crate::domain::{AreaPath, Audience, Code, Grant, Role, Scope, Source, Text};
use crate::id::{AreaId, DeviceId, EnvelopeId, Hash, MemberId, UnitId};

pub(crate) fn area(n: u8) -> AreaId {
    AreaId([n; 16])
}

/// District 1, town 2, village 3, grid 4, as far as given.
pub(crate) fn path(ids: &[u8]) -> AreaPath {
    let ids: Vec<AreaId> = ids.iter().map(|n| area(*n)).collect();
    AreaPath::new(&ids).unwrap()
}

pub(crate) fn unit(n: u8) -> UnitId {
    UnitId([n; 16])
}

pub(crate) fn member(n: u8) -> MemberId {
    MemberId([n; 16])
}

pub(crate) fn text(text: &str) -> Text {
    Text::new(text).unwrap()
}

pub(crate) const TEAM: u8 = 50;

pub(crate) fn author(n: u8, role: Role, scope: Scope) -> Author {
    Author {
        device: DeviceId([n; 16]),
        member: (role != Role::System).then(|| member(n)),
        units: scope.unit().into_iter().collect(),
        grant: Some(Grant { role, scope }),
    }
}

pub(crate) fn in_area(n: u8, role: Role, ids: &[u8]) -> Author {
    author(n, role, Scope::Area(path(ids)))
}

pub(crate) fn in_unit(n: u8, role: Role, of: u8) -> Author {
    author(n, role, Scope::Unit(unit(of)))
}

pub(crate) fn volunteer(n: u8) -> Author {
    in_unit(n, Role::Volunteer, TEAM)
}

pub(crate) fn dispatcher() -> Author {
    in_area(101, Role::Dispatcher, &[1, 2])
}

pub(crate) fn other_dispatcher() -> Author {
    in_area(102, Role::Dispatcher, &[1, 2])
}

pub(crate) fn grid_worker() -> Author {
    in_area(103, Role::GridWorker, &[1, 2, 3, 4])
}

pub(crate) fn district_lead() -> Author {
    in_area(104, Role::DistrictLead, &[1])
}

pub(crate) fn system() -> Author {
    in_area(105, Role::System, &[1])
}

/// A member of unit `n`.
pub(crate) fn handler(n: u8) -> Author {
    in_unit(n, Role::Handler, n)
}

pub(crate) fn hazard() -> GenesisFacts {
    GenesisFacts {
        kind: hazard::KIND,
        home: path(&[1, 2, 3, 4]),
        audience: Audience::Staff,
        team: Some(unit(TEAM)),
        source: Source::Member,
        named: vec![],
        linked: None,
    }
}

/// The envelopes of one record.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    seed: u64,
}

impl Log {
    /// Another seed gives other ids, and so another order of concurrent entries.
    pub(crate) fn new(seed: u64, reporter: Author, facts: GenesisFacts) -> Self {
        let mut log = Self {
            entries: vec![],
            seed,
        };
        log.push(&[], reporter, EntryBody::Genesis(facts));
        log
    }

    pub(crate) fn hazard(seed: u64) -> Self {
        Self::new(seed, volunteer(1), hazard())
    }

    pub(crate) fn push(
        &mut self,
        parents: &[EnvelopeId],
        author: Author,
        body: EntryBody,
    ) -> EnvelopeId {
        let count = self.entries.len();
        let id = Hash::of(&[&self.seed.to_be_bytes(), &count.to_be_bytes()]).envelope_id();
        self.entries.push(Entry {
            id,
            parents: parents.to_vec(),
            author,
            body,
            clock_ms: 1_000 * i64::try_from(count + 1).unwrap(),
            verdict_at_ms: None,
            status: EntryStatus::Effective,
        });
        id
    }

    pub(crate) fn genesis(&self) -> EnvelopeId {
        self.entries[0].id
    }

    pub(crate) fn heads(&self) -> Vec<EnvelopeId> {
        let is_parent = |id: &EnvelopeId| self.entries.iter().any(|e| e.parents.contains(id));
        self.entries
            .iter()
            .map(|e| e.id)
            .filter(|id| !is_parent(id))
            .collect()
    }

    /// An event whose author had seen everything.
    pub(crate) fn then(&mut self, author: Author, event: Event) -> EnvelopeId {
        let heads = self.heads();
        self.after(&heads, author, event)
    }

    /// An event whose author had seen these entries and their pasts.
    pub(crate) fn after(
        &mut self,
        parents: &[EnvelopeId],
        author: Author,
        event: Event,
    ) -> EnvelopeId {
        self.push(
            parents,
            author,
            EntryBody::Event {
                event,
                on_behalf_of: None,
            },
        )
    }

    pub(crate) fn behalf(&mut self, author: Author, event: Event, party: Party) -> EnvelopeId {
        let behalf = OnBehalfOf {
            party,
            reason: text("手机没电"),
        };
        let heads = self.heads();
        self.push(
            &heads,
            author,
            EntryBody::Event {
                event,
                on_behalf_of: Some(behalf),
            },
        )
    }

    pub(crate) fn content(&mut self, parents: &[EnvelopeId], author: Author) -> EnvelopeId {
        self.push(parents, author, EntryBody::Content)
    }

    pub(crate) fn entry(&mut self, id: EnvelopeId) -> &mut Entry {
        self.entries
            .iter_mut()
            .find(|entry| entry.id == id)
            .unwrap()
    }

    pub(crate) fn state(&self) -> RecordState {
        fold(&self.entries).unwrap()
    }

    pub(crate) fn triaged(&mut self) -> EnvelopeId {
        self.then(dispatcher(), triage())
    }

    /// Triages the case and dispatches it to unit `n` as lead. Returns the assignment.
    pub(crate) fn dispatched(&mut self, n: u8) -> EnvelopeId {
        if self.state().category().is_none() {
            self.triaged();
        }
        self.then(dispatcher(), dispatch(n))
    }

    /// Accepts and resolves as unit `n`. Returns the last envelope.
    pub(crate) fn worked(&mut self, n: u8, assignment: EnvelopeId) -> EnvelopeId {
        self.then(handler(n), Event::Accept(step(assignment)));
        self.then(handler(n), Event::Resolve(step(assignment)))
    }

    /// Brings the case up to resolved, by unit 60.
    pub(crate) fn resolved(seed: u64) -> Self {
        let mut log = Self::hazard(seed);
        let assignment = log.dispatched(60);
        log.worked(60, assignment);
        log
    }
}

pub(crate) fn triage() -> Event {
    Event::Triage(p::Triage {
        category: "gas".parse().unwrap(),
        severity: Severity::Serious,
        grid: None,
        rule: None,
        note: None,
    })
}

pub(crate) fn dispatch(n: u8) -> Event {
    dispatch_to(Party::Unit(unit(n)), Part::Lead)
}

pub(crate) fn dispatch_to(to: Party, part: Part) -> Event {
    let deadlines = Deadlines {
        resolve_by_ms: Some(1_000_000),
        ..Deadlines::default()
    };
    Event::Dispatch(p::Dispatch {
        to,
        part,
        deadlines,
        rule: None,
        note: None,
    })
}

pub(crate) fn share(n: u8) -> Event {
    let with = p::Partner::Party(Party::Unit(unit(n)));
    Event::Share(p::Share {
        with,
        deadlines: Deadlines::default(),
        note: None,
    })
}

pub(crate) fn step(assignment: EnvelopeId) -> p::Step {
    p::Step {
        assignment,
        attachments: vec![],
        note: None,
    }
}

pub(crate) fn give_back(assignment: EnvelopeId) -> p::GiveBack {
    p::GiveBack {
        assignment,
        reason: text("不属本单位职责"),
    }
}

pub(crate) fn verify(pass: bool) -> Event {
    Event::Verify(p::Verify {
        pass,
        attachments: vec![],
        note: None,
    })
}

pub(crate) fn bare() -> p::Bare {
    p::Bare { note: None }
}

pub(crate) fn reasoned() -> p::Reasoned {
    p::Reasoned {
        reason: text("原因"),
    }
}

pub(crate) fn danger() -> Event {
    Event::DangerRemains(p::DangerRemains {
        text: Some(text("气瓶又出现了")),
        attachments: vec![],
    })
}

pub(crate) fn danger_held(danger: EnvelopeId) -> Event {
    Event::DangerHeld(p::DangerHeld { danger })
}

pub(crate) fn merge(into: u8) -> Event {
    Event::Merge(p::Merge {
        into: crate::id::RecordId([into; 16]),
        note: None,
    })
}

pub(crate) fn merge_undone(merge: EnvelopeId, fault: p::MergeFault) -> Event {
    Event::MergeUndone(p::MergeUndone { merge, fault })
}

pub(crate) fn comment(words: &str) -> Event {
    Event::Comment(p::Comment {
        text: Some(text(words)),
        attachments: vec![],
        mentions: vec![],
    })
}

pub(crate) fn attach() -> p::Attach {
    p::Attach {
        id: Hash([5; 32]),
        media: 1,
        bytes: 1_000,
        salt: [6; 16],
        thumbnail: Some(vec![1, 2, 3]),
        extent: Some((96, 64)),
    }
}

pub(crate) fn on_spot() -> Event {
    let photo = |n| vec![Hash([n; 32])];
    Event::HandledOnSpot(p::HandledOnSpot {
        before: photo(1),
        after: photo(2),
        note: None,
    })
}

pub(crate) fn suspend() -> Event {
    Event::Suspend(p::Suspend {
        until_ms: None,
        reason: text("等待备件"),
    })
}

pub(crate) fn rule() -> Code {
    Code::new("overdue.accept").unwrap()
}

pub(crate) fn escalate(to: crate::domain::area::AreaLevel, by_rule: bool) -> Event {
    let rule = by_rule.then(rule);
    Event::Escalate(p::Escalate {
        to,
        reason: text("超时"),
        rule,
    })
}

pub(super) fn outcome(log: &Log, id: EnvelopeId) -> Outcome {
    log.state().outcome(id).unwrap().outcome
}

pub(super) fn why(log: &Log, id: EnvelopeId) -> &'static str {
    log.state().outcome(id).unwrap().why.unwrap()
}
