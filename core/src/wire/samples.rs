//! Samples for the tests of this module: a small deployment out of a seed, its people and their cases.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::body::{Body, EventBody, Genesis};
use super::envelope::{Envelope, Header, RawEnvelope};
use super::message::Bundle;
use super::pack::{Pack, PackContent, PackEntry, PackEvent};
use super::verdict::{Status, Verdict};
use crate::crdt::{ActorId, Candidate, Document, FieldEdit, build_genesis, inspect};
use crate::domain::case::payload as p;
use crate::domain::case::{Deadlines, Event, GenesisFacts, Part, Party, Severity};
use crate::domain::category::CategoryCode;
use crate::domain::content::{Content, Field, FieldValue};
use crate::domain::directory::DirectoryMark;
use crate::domain::kinds::hazard;
use crate::domain::{AreaPath, Grant, Role, Scope, Text};
use crate::fixtures::{self, Deployment, facts, genesis, header};
use crate::id::{AreaId, EnvelopeId, Hash, MemberId, UnitId};
use crate::trust::certificate::{Certificate, Facts};
use crate::trust::sign::SecretKey;

mod case;

/// The time when every sample begins, on a morning.
pub(super) const START_MS: i64 = 1_762_803_522_691;

/// The directory that every sample has seen.
const SEEN: DirectoryMark = DirectoryMark {
    generation: 1,
    position: 40,
};

/// A random deployment with its people, and the time.
pub(super) struct Samples {
    pub(super) rng: ChaCha8Rng,
    pub(super) deployment: Deployment,
    pub(super) devices: Vec<Device>,
    now_ms: i64,
}

/// A phone.
pub(super) struct Device {
    pub(super) key: SecretKey,
    pub(super) certificate: Arc<Certificate>,
    actor: ActorId,
}

/// A record as it grows.
pub(super) struct Case {
    pub(super) envelopes: Vec<Envelope>,
    pub(super) document: Document,
}

const STREETS: [&str; 6] = [
    "武林路",
    "莫干山路",
    "湖墅南路",
    "潮王路",
    "朝晖路",
    "绍兴路",
];
const WORDS: [&str; 6] = [
    "后厨存放5个15公斤液化气瓶，软管老化，无泄漏报警器",
    "3号楼前消防车道被2辆私家车占用",
    "电瓶带上楼充电，楼道内停放4辆电动车",
    "外墙瓷砖空鼓脱落约6平方米，下方是人行道",
    "人行道塌陷约30厘米，雨后积水",
    "雨水口被落叶堵塞，水漫到8号门面",
];
const NOTES: [&str; 6] = [
    "已电话联系店主，约定下午现场看",
    "现场照片已补，角度换了两个",
    "物业答应今晚前清理",
    "与消防一起复核，要求限期整改",
    "店主配合，当场搬离",
    "老人独居，说话要慢一点",
];
const CATEGORIES: [&str; 4] = ["gas", "fire_lane", "ebike", "building"];

impl Samples {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let [root, server] = [(); 2].map(|()| SecretKey::from_seed(&bytes(&mut rng)));
        let secrets = Deployment::new().secrets;
        let mut samples = Self {
            rng,
            deployment: Deployment::of_keys(root, server, secrets),
            devices: Vec::new(),
            now_ms: START_MS,
        };
        let area = |n| AreaId::of_first_code(n);
        let village = ["330105", "330105003", "330105003058"].map(area);
        let village = Scope::Area(AreaPath::new(&village).unwrap());
        for (role, scope) in [
            (Role::Volunteer, village.clone()),
            (Role::Dispatcher, village.clone()),
            (Role::Handler, Scope::Unit(UnitId([7; 16]))),
            (Role::GridWorker, village),
        ] {
            samples.enrol(Grant { role, scope });
        }
        samples
    }

    pub(super) fn enrol(&mut self, grant: Grant) -> usize {
        let key = SecretKey::from_seed(&bytes(&mut self.rng));
        let member = MemberId::v7(START_MS, bytes(&mut self.rng));
        let facts = Facts {
            issued_ms: START_MS - 86_400_000,
            expires_ms: START_MS + 365 * 86_400_000,
            issued_at: SEEN,
            ..facts(&key.public(), member, vec![grant])
        };
        let certificate = Arc::new(self.deployment.certify(&facts));
        let actor = ActorId::new(&facts.device, bytes(&mut self.rng));
        self.devices.push(Device {
            key,
            certificate,
            actor,
        });
        self.devices.len() - 1
    }

    pub(super) fn later(&mut self, at_most_ms: u64) -> i64 {
        self.now_ms += i64::try_from(self.rng.next_u64() % at_most_ms.max(1)).unwrap();
        self.now_ms
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.rng.next_u32()).unwrap() % words.len()]
    }

    fn seal(&mut self, case: Option<&Case>, device: usize, body: &Body) -> Envelope {
        let device = &self.devices[device];
        let record = case.map(|case| case.envelopes[0].record());
        let parents = case.map_or(Vec::new(), |case| vec![case.envelopes.last().unwrap().id()]);
        let header = Header {
            directory_seen: SEEN,
            ..header(&device.certificate, record, &parents, self.now_ms)
        };
        Envelope::seal(header, body, &device.key, self.deployment.authority()).unwrap()
    }

    pub(super) fn report(&mut self, device: usize, home: AreaPath, content: &Content) -> Case {
        let raw = build_genesis(content, self.devices[device].actor).unwrap();
        let author = self.devices[device].certificate.facts().device;
        let document = Document::genesis(&raw, author).unwrap();
        let genesis = Genesis {
            nonce: bytes(&mut self.rng),
            ..genesis(hazard::KIND, home, raw)
        };
        let envelope = self.seal(None, device, &Body::Genesis(genesis));
        Case {
            envelopes: vec![envelope],
            document,
        }
    }

    pub(super) fn edit(&mut self, case: &mut Case, device: usize, edits: &[FieldEdit]) {
        let Ok(change) = case.document.edit(self.devices[device].actor, edits) else {
            return;
        };
        let author = self.devices[device].certificate.facts().device;
        case.document
            .admit(&[Candidate {
                raw: &change,
                author,
            }])
            .pop()
            .unwrap()
            .unwrap();
        let body = Body::Change(fixtures::change(bytes(&mut self.rng), change));
        let envelope = self.seal(Some(case), device, &body);
        case.envelopes.push(envelope);
    }

    pub(super) fn decide(&mut self, case: &mut Case, device: usize, event: &Event) -> EnvelopeId {
        let body = Body::Event(EventBody {
            salt: Some(bytes(&mut self.rng)),
            ..fixtures::event(event)
        });
        let envelope = self.seal(Some(case), device, &body);
        let id = envelope.id();
        case.envelopes.push(envelope);
        id
    }

    /// A hazard with a history of up to ten entries.
    pub(super) fn hazard(&mut self) -> Case {
        let mut case = self.reported();
        let steps = self.rng.next_u32() % 10;
        let mut opened = None;
        for step in 0..steps {
            self.later(3_600_000);
            let note = Some(Text::new(self.pick(&NOTES)).unwrap());
            if let Some((by, event)) = decision(step, opened, note) {
                let id = self.decide(&mut case, by, &event);
                if step == 2 {
                    opened = Some(id);
                }
            } else {
                let severity = FieldValue::Number(i64::from(self.rng.next_u32() % 4 + 1));
                let edits = [FieldEdit::set(Field::Own(&hazard::SEVERITY), severity)];
                self.edit(&mut case, usize::try_from(step % 4).unwrap(), &edits);
            }
        }
        case
    }

    fn reported(&mut self) -> Case {
        let grid = format!("330105003058{:03}", self.rng.next_u32() % 9);
        let codes = ["330105", "330105003", "330105003058", &grid].map(AreaId::of_first_code);
        let home = AreaPath::new(&codes).unwrap();
        let (street, words) = (self.pick(&STREETS), self.pick(&WORDS));
        let address = format!("{street}{}号", self.rng.next_u32() % 600);
        let text = FieldValue::Text;
        let content = hazard::SPEC.content([
            (Field::Title, text(format!("隐患·{address}"))),
            (Field::Category, text(self.pick(&CATEGORIES).into())),
            (Field::Own(&hazard::SEVERITY), FieldValue::Number(2)),
            (Field::Address, text(address.clone())),
            (Field::Description, text(format!("{address}：{words}。"))),
        ]);
        self.later(60_000);
        self.report(0, home, &content)
    }

    /// The bundle of a phone that sends these cases whole.
    pub(super) fn bundle(&self, cases: &[Case]) -> Bundle {
        let certificates = self
            .devices
            .iter()
            .map(|d| d.certificate.raw().clone())
            .collect();
        let envelopes = cases.iter().flat_map(Case::raw).collect();
        Bundle {
            certificates,
            envelopes,
        }
    }
}

/// Random bytes.
pub(super) fn bytes<const LEN: usize>(rng: &mut ChaCha8Rng) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Damages bytes in one of many ways, because any bytes may arrive from outside.
pub(super) fn damage(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>) {
    let mut at = |len: usize| usize::try_from(rng.next_u64() % len.max(1) as u64).unwrap();
    let (place, what, other) = (at(bytes.len()), at(6), at(bytes.len()));
    let value = u8::try_from(at(256)).unwrap();
    if bytes.is_empty() {
        return bytes.push(value);
    }
    match what {
        0 => bytes[place] ^= 1 << (value % 8),
        1 => bytes[place] = value,
        2 => bytes.insert(place, value),
        3 => drop(bytes.remove(place)),
        4 => bytes.truncate(place),
        _ => bytes.swap(place, other),
    }
}

/// The person and the decision at the given step of a history; `None` means an edit.
fn decision(step: u32, opened: Option<EnvelopeId>, note: Option<Text>) -> Option<(usize, Event)> {
    let rule = None;
    Some(match (step, opened) {
        (0, _) => {
            let triage = p::Triage {
                category: CategoryCode::try_from("gas".to_owned()).unwrap(),
                severity: Severity::Serious,
                grid: None,
                rule,
                note,
            };
            (1, Event::Triage(triage))
        }
        (2, _) => {
            let dispatch = p::Dispatch {
                to: Party::Unit(UnitId([7; 16])),
                part: Part::Lead,
                deadlines: Deadlines::default(),
                rule,
                note,
            };
            (1, Event::Dispatch(dispatch))
        }
        (3..=5, Some(assignment)) => {
            let step_of = p::Step {
                assignment,
                attachments: Vec::new(),
                note,
            };
            let which = usize::try_from(step - 3).unwrap();
            (
                2,
                [Event::Accept, Event::Arrive, Event::Resolve][which](step_of),
            )
        }
        (8, _) => (1, Event::Close(p::Bare { note })),
        (1 | 6, _) => return None,
        _ => {
            let comment = p::Comment {
                text: note,
                attachments: vec![],
                mentions: vec![],
            };
            (3, Event::Comment(comment))
        }
    })
}
