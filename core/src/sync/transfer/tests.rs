//! Transfers against a server in memory that speaks the real protocol.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::VecDeque;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::*;
use crate::fixtures::Deployment;
use crate::id::RecordId;
use crate::limits::{
    ARRIVAL_BYTES_MAX, FILE_REST_MS_FIRST, PIECE_BYTES_FIRST, PIECE_BYTES_MAX, RETRY_MS_CUT,
};
use crate::sync::star::{self, Incoming, Star};
use crate::sync::star_error::SyncError;
use crate::sync::test_server::{FileReply, Server};
use crate::sync::testing::{FileState, MemoryReplica};
use crate::trust::request_mac::MAC_HEADER;
use crate::wire::transfer::FileName;

/// The fate of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// This share of its body arrives, in hundredths, and no answer.
    Cut(usize),
    /// It is answered, and so many hundredths of the answer's body arrive.
    CutAnswer(usize),
    /// The answer comes without its code.
    WithoutCode,
    /// The answer tells another offset under the code of the right one.
    OtherOffset,
    /// One bit of the body of the answer is another one.
    Flipped,
    /// The connection was closed before.
    Stale,
}

struct TransferWorld {
    rng: ChaCha20Rng,
    server: Server,
    phone: MemoryReplica,
    star: Star,
    transfer: Transfer,
    now: i64,
    /// The fates of the next requests; the others are answered.
    fates: VecDeque<Fate>,
    /// Requests that were sent: method and length of the body.
    sent: Vec<(&'static str, usize)>,
    errors: Vec<SyncError>,
    syncs: Vec<SyncCause>,
}

fn record(n: u8) -> RecordId {
    RecordId([n; 16])
}

impl TransferWorld {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let deployment = Deployment::generate(&mut rng);
        let phone = MemoryReplica::new(&deployment, &mut rng);
        let mut world = Self {
            rng,
            server: Server::new(deployment),
            phone,
            star: Star::new(),
            transfer: Transfer::default(),
            now: 1_000_000,
            fates: VecDeque::new(),
            sent: Vec::new(),
            errors: Vec::new(),
            syncs: Vec::new(),
        };
        world.phone.write(record(1), &mut world.rng);
        world.sync();
        world
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// A described file that waits to be sent.
    fn upload(&mut self, length: usize) -> FileName {
        let bytes = self.bytes(length);
        let name = self.phone.hold(record(1), &bytes, FileState::Waiting);
        self.server.describe(name, length);
        name
    }

    /// A file of the server that the phone wants.
    fn download(&mut self, length: usize) -> FileName {
        let bytes = self.bytes(length);
        let name = self.phone.hold(record(1), &bytes, FileState::Held);
        self.phone.files.files.remove(&name);
        self.server.describe(name, length);
        self.server.files.stored.insert(name, bytes);
        self.phone.want(name, length);
        name
    }

    fn sync(&mut self) {
        loop {
            match self
                .star
                .next(&mut self.phone, self.now, &mut self.rng)
                .unwrap()
            {
                star::Step::Done(_) => return,
                star::Step::Wait { until_ms } => self.now = until_ms,
                star::Step::Awaiting => panic!("nobody waits here"),
                star::Step::Send(request) => {
                    self.now += 20;
                    let reply = self.server.handle(&request, self.now, &mut self.rng);
                    let incoming = Incoming {
                        status: reply.status,
                        mac: reply.mac.as_deref(),
                        body: &reply.body,
                    };
                    let (star, phone) = (&mut self.star, &mut self.phone);
                    // A refused session is made anew.
                    let _ = star.received(phone, incoming, self.now, &mut self.rng);
                }
            }
        }
    }

    fn next(&mut self) -> Result<Step, SyncError> {
        let channel = self.star.channel(&self.phone, self.now).unwrap();
        self.transfer
            .next(&mut self.phone, channel, self.now, &mut self.rng)
    }

    /// Transfers until nothing is left, or it waits for more than a minute.
    fn run(&mut self) -> Step {
        for _ in 0..2_000 {
            match self.next() {
                Ok(Step::Send(request)) => self.exchange(&request),
                Ok(Step::Sync(cause)) => {
                    self.syncs.push(cause);
                    if cause == SyncCause::SessionRefused {
                        self.star.forget_session();
                    }
                    self.sync();
                }
                Ok(Step::Wait { until_ms }) if until_ms <= self.now + 60_000 => {
                    self.now = until_ms;
                }
                Ok(step) => return step,
                Err(error) => self.errors.push(error),
            }
        }
        panic!("the transfer does not end: {:?}", self.errors);
    }

    fn exchange(&mut self, request: &FileRequest) {
        self.sent.push((request.method, request.body.len()));
        self.now += 20;
        let fate = self.fates.pop_front().unwrap_or(Fate::Answered);
        match fate {
            Fate::Stale => return self.transfer.stale(self.now, &mut self.rng),
            Fate::Cut(share) => {
                let came = request.body.len() * share / 100;
                if came > 0 {
                    self.server.file(request, came, self.now);
                }
                return self.transfer.failed(self.now, &mut self.rng);
            }
            _ => {}
        }
        let mut reply = self.server.file(request, request.body.len(), self.now);
        match fate {
            Fate::WithoutCode => reply.headers.retain(|(name, _)| *name != MAC_HEADER),
            Fate::OtherOffset => {
                for (name, value) in &mut reply.headers {
                    if *name == "upload-offset" || *name == "content-range" {
                        *value = value.replace('1', "2");
                        value.push('0');
                    }
                }
            }
            Fate::Flipped if !reply.body.is_empty() => {
                let at = self.rng.next_u32() as usize % reply.body.len();
                reply.body[at] ^= 1;
            }
            _ => {}
        }
        self.answer(request, &reply, fate);
    }

    fn answer(&mut self, request: &FileRequest, reply: &FileReply, fate: Fate) {
        let channel = self.star.channel(&self.phone, self.now).unwrap();
        let is_download = request.is_download() && reply.status < 300;
        let answer = FileAnswer {
            status: reply.status,
            headers: &reply.headers,
            body: if is_download { &[] } else { &reply.body },
        };
        let (transfer, phone, rng) = (&mut self.transfer, &mut self.phone, &mut self.rng);
        if !is_download {
            let taken = transfer.received(phone, channel, answer, self.now, rng);
            self.errors.extend(taken.err());
            return;
        }
        if let Err(error) = transfer.opened(phone, channel, answer, self.now, rng) {
            return self.errors.push(error);
        }
        let end = match fate {
            Fate::CutAnswer(share) => reply.body.len() * share / 100,
            _ => reply.body.len(),
        };
        for bytes in reply.body[..end].chunks(ARRIVAL_BYTES_MAX) {
            if let Err(error) = transfer.arrived(phone, bytes, self.now, rng) {
                return self.errors.push(error);
            }
        }
        if end < reply.body.len() {
            return transfer.failed(self.now, rng);
        }
        self.errors
            .extend(transfer.ended(phone, self.now, rng).err());
    }

    fn receipt(&self, name: &FileName) -> Option<u32> {
        self.phone.files.files[name].receipt
    }

    fn methods(&self) -> Vec<&'static str> {
        self.sent.iter().map(|(method, _)| *method).collect()
    }
}

#[test]
fn smallest_upload_goes_first_and_downloads_last() {
    let mut world = TransferWorld::new(1);
    let wanted = world.download(10);
    let (large, small) = (world.upload(300_000), world.upload(1_000));
    assert_eq!(world.run(), Step::Done);
    let whole =
        |name: &FileName| world.server.files.stored[name] == world.phone.files.files[name].bytes;
    assert!(whole(&large) && whole(&small) && whole(&wanted));
    assert_eq!(
        [large, small, wanted].map(|name| world.receipt(&name)),
        [Some(1); 3]
    );
    let pieces = [
        ("POST", 0),
        ("PATCH", 1_000),
        ("POST", 0),
        ("PATCH", 131_072),
        ("PATCH", 168_928),
        ("GET", 0),
    ];
    assert_eq!(world.sent, pieces);
    assert!(world.errors.is_empty() && world.syncs.is_empty());
}

#[test]
fn cut_piece_continues_at_the_offset_of_the_server() {
    let mut world = TransferWorld::new(2);
    let length = 4 << 20;
    let name = world.upload(length);
    let cuts = [Fate::Answered, Fate::Cut(50), Fate::Answered, Fate::Cut(99)];
    world.fates.extend(cuts);
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&name), Some(1));
    assert_eq!(world.server.files.received, length as u64, "no byte twice");
    assert_eq!(
        world.methods()[..5],
        ["POST", "PATCH", "HEAD", "PATCH", "HEAD"]
    );
    assert!(
        world.now < 1_000_000 + 2 * RETRY_MS_CUT + 1_000,
        "short waits"
    );
}

#[test]
fn killed_phone_continues_at_its_offset() {
    let mut world = TransferWorld::new(3);
    let length = 6 << 20;
    let name = world.upload(length);
    for _ in 0..10 {
        world.transfer = Transfer::default();
        while let Step::Send(request) = world.next().unwrap() {
            if request.method == "PATCH" {
                let came = request.body.len() / 2;
                world.server.file(&request, came, world.now);
                break;
            }
            world.exchange(&request);
        }
    }
    assert!(world.server.files.received > 0 && world.receipt(&name).is_none());
    world.transfer = Transfer::default();
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&name), Some(1));
    assert_eq!(world.server.files.received, length as u64, "no byte twice");
}

#[test]
fn answer_without_a_code_is_no_receipt() {
    for fate in [Fate::WithoutCode, Fate::OtherOffset] {
        let mut world = TransferWorld::new(4);
        let name = world.upload(10_000);
        world.fates.extend([Fate::Answered, fate, fate, fate]);
        let mut left = 4;
        while left > 0 {
            match world.next().unwrap() {
                Step::Wait { until_ms } => world.now = until_ms,
                Step::Send(request) => {
                    left -= 1;
                    world.exchange(&request);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(world.methods(), ["POST", "PATCH", "HEAD", "HEAD"]);
        assert_eq!(world.receipt(&name), None, "{fate:?}");
        let refused = |error: &SyncError| error.code() == "session.bad_mac";
        assert_eq!(world.errors.len(), 3);
        assert!(world.errors.iter().all(refused), "{:?}", world.errors);
        assert_eq!(world.run(), Step::Done);
        assert_eq!(world.receipt(&name), Some(1));
    }
}

#[test]
fn answers_to_other_requests_are_no_receipts() {
    let mut world = TransferWorld::new(5);
    let (first, second) = (world.upload(1_000), world.upload(2_000));
    let mut replies: Vec<FileReply> = Vec::new();
    while world.receipt(&first).is_none() {
        let Step::Send(request) = world.next().unwrap() else {
            panic!("it has requests");
        };
        let reply = world.server.file(&request, request.body.len(), world.now);
        world.answer(&request, &reply, Fate::Answered);
        replies.push(reply);
    }
    for reply in &replies {
        world.transfer.begin();
        let Step::Send(request) = world.next().unwrap() else {
            panic!("it has requests");
        };
        world.answer(&request, reply, Fate::Answered);
    }
    assert_eq!(world.errors.len(), replies.len());
    assert_eq!(world.receipt(&second), None);
}

#[test]
fn every_refusal_lets_the_other_files_pass() {
    for (status, code) in [
        (400, "http.bad_request"),
        (400, "attachment.length"),
        (404, "attachment.not_described"),
        (409, "attachment.offset"),
        (413, "http.too_large"),
        (415, "http.media_type"),
        (422, "attachment.content"),
        (423, "attachment.locked"),
        (460, "attachment.hash"),
        (500, "server.internal"),
        (408, "http.timeout"),
    ] {
        let mut world = TransferWorld::new(6);
        let (bad, good) = (world.upload(1_000), world.upload(2_000));
        let tells = ["attachment.length", "http.too_large", "attachment.content"];
        // The refusals of the first file, at its beginning and at its first piece.
        for at_piece in [false, true] {
            let (mut refused, mut left) = (0, 40);
            while world.receipt(&good).is_none() && left > 0 {
                left -= 1;
                match world.next().unwrap() {
                    Step::Send(request) => {
                        let is_bad = request.path.contains(&bad.id.to_string());
                        let is_piece = request.method == "PATCH";
                        if is_bad && is_piece == at_piece && request.method != "HEAD" {
                            refused += 1;
                            world.server.files.refusals.push_back((status, code));
                        }
                        world.exchange(&request);
                    }
                    Step::Sync(_) => world.sync(),
                    Step::Wait { until_ms } => {
                        assert!(until_ms < world.now + FILE_REST_MS_FIRST, "{status} {code}");
                        world.now = until_ms;
                    }
                    Step::Done | Step::Awaiting => break,
                }
            }
            assert_eq!(world.receipt(&good), Some(1), "{status} {code} {at_piece}");
            assert!(refused <= 5, "{status} {code}: {refused} tries");
            let refusal = world.phone.files.files[&bad].refusal;
            if tells.contains(&code) && refused > 0 && !(at_piece && status != 422) {
                assert_eq!(refusal, Some(code));
            }
            world.phone.files.files.get_mut(&good).unwrap().receipt = None;
            world.phone.files.files.get_mut(&good).unwrap().state = FileState::Waiting;
            world.server.files.stored.remove(&good);
            world.now += 10 * FILE_REST_MS_FIRST;
        }
    }
}

#[test]
fn wrong_hash_begins_anew_once_and_then_rests() {
    let mut world = TransferWorld::new(7);
    let name = world.upload(1_000);
    // The description of the server has other bytes.
    world.phone.files.files.get_mut(&name).unwrap().bytes = vec![0; 1_000];
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.methods(), ["POST", "PATCH", "POST", "PATCH"]);
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.sent.len(), 4, "it rests");
    world.now += FILE_REST_MS_FIRST;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.sent.len(), 6, "the next sync tries again");
    assert!(world.receipt(&name).is_none());
}

#[test]
fn undescribed_file_syncs_records_once() {
    let mut world = TransferWorld::new(8);
    let name = world.upload(1_000);
    let length = world.server.files.described.remove(&name).unwrap();
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.syncs, [SyncCause::Description]);
    assert_eq!(world.methods(), ["POST", "POST"]);
    world.server.files.described.insert(name, length);
    world.now += FILE_REST_MS_FIRST;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&name), Some(1));
}

#[test]
fn full_server_holds_uploads_and_downloads_continue() {
    let mut world = TransferWorld::new(9);
    let (up, down) = (world.upload(1_000), world.download(2_000));
    world
        .server
        .files
        .refusals
        .push_back((507, "attachment.server_full"));
    for _ in 0..2 {
        let Ok(Step::Send(request)) = world.next() else {
            panic!("it has requests");
        };
        world.exchange(&request);
    }
    assert!(world.receipt(&down).is_some() && world.receipt(&up).is_none());
    let Step::Wait { until_ms } = world.next().unwrap() else {
        panic!("the upload waits");
    };
    assert_eq!(world.transfer.trouble(), Some("attachment.server_full"));
    world.now = until_ms;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&up), Some(1));
    assert_eq!(world.transfer.trouble(), None);
}

#[test]
fn new_generation_gets_lost_files_back_and_confirms_others() {
    let mut world = TransferWorld::new(10);
    let kept = world.upload(1_000);
    assert_eq!(world.run(), Step::Done);
    let backup = world.server.clone();
    let lost = world.upload(2_000);
    let described = world.server.files.described.clone();
    assert_eq!(world.run(), Step::Done);
    world.server.restore(&backup);
    world.server.files.described = described;
    world.sent.clear();
    world.syncs.clear();
    world.sync();
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.methods(), ["POST", "POST", "PATCH", "HEAD"]);
    assert_eq!([kept, lost].map(|name| world.receipt(&name)), [Some(2); 2]);
    assert!(world.server.files.stored.contains_key(&lost));
    world.sent.clear();
    assert_eq!(world.run(), Step::Done);
    assert!(world.sent.is_empty(), "asked once in a generation");
}

#[test]
fn restored_server_in_mid_file_gets_new_session() {
    let mut world = TransferWorld::new(11);
    let name = world.upload(3_000_000);
    let backup = world.server.clone();
    for _ in 0..3 {
        let Ok(Step::Send(request)) = world.next() else {
            panic!("it has requests");
        };
        world.exchange(&request);
    }
    world.server.restore(&backup);
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.syncs, [SyncCause::SessionRefused]);
    assert_eq!(world.receipt(&name), Some(2));
}

#[test]
fn cut_download_keeps_the_bytes_that_came() {
    let mut world = TransferWorld::new(12);
    let length = 3 << 20;
    let name = world.download(length);
    world
        .fates
        .extend([Fate::Answered, Fate::CutAnswer(70), Fate::CutAnswer(30)]);
    assert_eq!(world.run(), Step::Done);
    assert_eq!(
        world.phone.files.files[&name].bytes,
        world.server.files.stored[&name]
    );
    assert_eq!(world.phone.files.unsound, 0);
    let rest = length as u64 - PIECE_BYTES_FIRST;
    let least = 1 + rest.div_ceil(PIECE_BYTES_MAX);
    assert!(world.sent.len() as u64 <= least + 2, "{:?}", world.sent);
}

#[test]
fn altered_download_begins_anew_once_and_then_rests() {
    let mut world = TransferWorld::new(13);
    let (bad, good) = (world.download(1_000), world.download(2_000));
    world.server.files.stored.get_mut(&bad).unwrap()[5] ^= 1;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.phone.files.unsound, 2);
    assert!(world.receipt(&good).is_some() && world.receipt(&bad).is_none());
    assert!(world.phone.files.files[&bad].bytes.is_empty());
    world.server.files.stored.get_mut(&bad).unwrap()[5] ^= 1;
    world.now += FILE_REST_MS_FIRST;
    assert_eq!(world.run(), Step::Done);
    assert!(world.receipt(&bad).is_some());
}

#[test]
fn download_without_its_code_keeps_no_byte() {
    for fate in [Fate::WithoutCode, Fate::OtherOffset] {
        let mut world = TransferWorld::new(14);
        let name = world.download(1_000);
        world.fates.push_back(fate);
        let Ok(Step::Send(request)) = world.next() else {
            panic!("it has requests");
        };
        world.exchange(&request);
        assert_eq!(world.errors.len(), 1);
        assert!(world.phone.files.files[&name].bytes.is_empty());
        assert_eq!(world.run(), Step::Done);
        assert_eq!(world.receipt(&name), Some(1));
    }
}

#[test]
fn full_phone_holds_downloads_and_uploads_continue() {
    let mut world = TransferWorld::new(15);
    let (up, down) = (world.upload(1_000), world.download(2_000));
    world.phone.files.is_full = true;
    for _ in 0..3 {
        let Ok(Step::Send(request)) = world.next() else {
            panic!("it has requests");
        };
        world.exchange(&request);
    }
    assert_eq!(world.receipt(&up), Some(1));
    assert!(matches!(world.next(), Ok(Step::Wait { .. })));
    assert_eq!(world.transfer.trouble(), Some("media.disk_full"));
    world.phone.files.is_full = false;
    assert_eq!(world.run(), Step::Done);
    assert!(world.receipt(&down).is_some());
}

#[test]
fn damaged_file_is_told_once_and_others_pass() {
    let mut world = TransferWorld::new(16);
    let (bad, good) = (world.upload(1_000), world.upload(2_000));
    world.phone.files.files.get_mut(&bad).unwrap().is_damaged = true;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&good), Some(1));
    let told = &world.phone.files.files[&bad];
    assert_eq!(
        (told.receipt, told.refusal),
        (None, Some("media.unreadable"))
    );
    world.now += FILE_REST_MS_FIRST;
    world.transfer.begin();
    assert_eq!(world.run(), Step::Done);
}

/// With a session and without one.
#[test]
fn broken_replica_pauses_at_every_step() {
    let mut world = TransferWorld::new(18);
    for has_session in [true, false] {
        world.phone.files.is_broken = true;
        let channel = world.star.channel(&world.phone, world.now).unwrap();
        let channel = channel.filter(|_| has_session);
        let (phone, rng) = (&mut world.phone, &mut world.rng);
        let failed = world.transfer.next(phone, channel, world.now, rng);
        assert!(failed.is_err(), "{has_session}");
        world.phone.files.is_broken = false;
        assert!(
            matches!(world.next(), Ok(Step::Wait { .. })),
            "{has_session}"
        );
        assert_eq!(world.run(), Step::Done);
    }
}

#[test]
fn download_of_another_length_lets_the_next_pass() {
    let mut world = TransferWorld::new(19);
    let (one, other) = (world.download(9_000), world.download(9_000));
    // The phone fetches them in the order of their names.
    let (lying, good) = (one.min(other), one.max(other));
    world.phone.files.files.get_mut(&lying).unwrap().length = 9_001;
    let began = world.now;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&good), Some(1));
    assert_eq!(world.methods(), ["GET", "GET"]);
    assert!(
        world.now < began + 1_000,
        "the good file waits for no pause"
    );
    let lying = &world.phone.files.files[&lying];
    assert!(lying.receipt.is_none() && lying.bytes.is_empty());
}

#[test]
fn refused_question_is_asked_again_after_a_rest() {
    let mut world = TransferWorld::new(20);
    let up = world.upload(1_000);
    let bytes = world.bytes(2_000);
    let held = world.phone.hold(record(1), &bytes, FileState::Held);
    world.server.describe(held, 2_000);
    let refusals = [(500, "server.internal"), (413, "http.too_large")];
    world.server.files.question_refusals.extend(refusals);
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.methods(), ["POST", "POST", "PATCH"]);
    assert_eq!((world.receipt(&up), world.receipt(&held)), (Some(1), None));
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.sent.len(), 3, "the question rests");
    world.now += FILE_REST_MS_FIRST;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.sent.len(), 4, "the question was refused again");
    world.now += 2 * FILE_REST_MS_FIRST;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&held), Some(1));
}

/// The description comes back from another phone, and this phone has the only copy of the file.
#[test]
fn file_without_description_is_offered_again() {
    let mut world = TransferWorld::new(21);
    let bytes = world.bytes(2_000);
    let held = world.phone.hold(record(1), &bytes, FileState::Held);
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.methods(), ["POST", "HEAD"]);
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.sent.len(), 2, "it rests");
    world.now += FILE_REST_MS_FIRST;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.methods()[2..], ["POST", "HEAD"]);
    world.server.describe(held, 2_000);
    world.now += 2 * FILE_REST_MS_FIRST;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.methods()[4..], ["POST", "POST", "PATCH"]);
    assert_eq!(world.receipt(&held), Some(1));
    assert!(world.server.files.stored[&held] == bytes);
}

#[test]
fn range_beyond_the_end_begins_anew_once() {
    let mut world = TransferWorld::new(22);
    let name = world.download(300_000);
    let beyond = (416, "attachment.range");
    for refusals in 1..=2 {
        world.transfer = Transfer::default();
        let Ok(Step::Send(request)) = world.next() else {
            panic!("it has requests");
        };
        world.exchange(&request);
        assert!(!world.phone.files.files[&name].bytes.is_empty());
        let all = std::iter::repeat_n(beyond, refusals);
        world.server.files.refusals.extend(all);
        world.sent.clear();
        assert_eq!(world.run(), Step::Done);
        if refusals == 1 {
            assert_eq!(world.receipt(&name), Some(1));
            let file = world.phone.files.files.get_mut(&name).unwrap();
            assert!(file.bytes == world.server.files.stored[&name]);
            (file.state, file.receipt) = (FileState::Wanted, None);
            file.bytes.clear();
        }
    }
    assert_eq!(world.receipt(&name), None);
    assert_eq!(world.sent.len(), 2, "the second time it rests");
    world.now += FILE_REST_MS_FIRST;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&name), Some(1));
}

#[test]
fn pieces_without_progress_let_the_file_rest() {
    let mut world = TransferWorld::new(23);
    let (up, down) = (world.upload(1_000), world.download(2_000));
    world.server.files.is_forgetful = true;
    assert_eq!(world.run(), Step::Done);
    assert_eq!((world.receipt(&up), world.receipt(&down)), (None, Some(1)));
    let pieces = world.methods().iter().filter(|m| **m == "PATCH").count();
    assert!(pieces <= 4, "{pieces} pieces");
    world.server.files.is_forgetful = false;
    world.now += FILE_REST_MS_FIRST;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&up), Some(1));
}

#[test]
fn overtaken_piece_continues_without_a_pause() {
    let mut world = TransferWorld::new(24);
    let (up, down) = (world.upload(300_000), world.download(300_000));
    let mut overtaken = 0;
    while world.receipt(&down).is_none() {
        let Step::Send(request) = world.next().unwrap() else {
            panic!("it has requests");
        };
        let is_part = ["PATCH", "GET"].contains(&request.method);
        if is_part && overtaken < 2 && world.receipt(&up).is_some() == (overtaken == 1) {
            overtaken += 1;
            if request.method == "PATCH" {
                let came = request.body.len() / 2;
                world.server.file(&request, came, world.now);
            }
            world.transfer.overtaken();
            continue;
        }
        world.exchange(&request);
    }
    assert_eq!(overtaken, 2);
    let half = usize::try_from(PIECE_BYTES_FIRST).unwrap() / 2;
    assert_eq!(world.sent[..3], [("POST", 0), ("HEAD", 0), ("PATCH", half)]);
}

#[test]
fn progress_counts_files_bytes_and_minutes() {
    let mut world = TransferWorld::new(17);
    world.upload(4_000_000);
    world.download(1_000_000);
    let left = |world: &TransferWorld| world.transfer.left(&world.phone, world.now).unwrap();
    let before = left(&world);
    assert_eq!((before.files_left, before.bytes_left), (2, 5_000_000));
    assert_eq!(before.minutes_left, None);
    for _ in 0..2 {
        let Ok(Step::Send(request)) = world.next() else {
            panic!("it has requests");
        };
        world.now += 1_000;
        world.exchange(&request);
    }
    let after = left(&world);
    assert_eq!(after.bytes_left, 5_000_000 - PIECE_BYTES_FIRST);
    // 128 KiB in about a second.
    assert_eq!(after.minutes_left, Some(1));
    assert_eq!(world.run(), Step::Done);
    assert_eq!(left(&world).files_left, 0);
}

#[test]
fn any_series_of_faults_ends_with_every_file_whole() {
    for seed in 0..20 {
        let mut world = TransferWorld::new(100 + seed);
        let mut names = Vec::new();
        for _ in 0..3 {
            let length = world.rng.next_u32() as usize % 400_000 + 1;
            names.push(world.upload(length));
            names.push(world.download(length / 2 + 1));
        }
        for _ in 0..40 {
            let share = world.rng.next_u32() as usize % 100;
            world.fates.push_back(match world.rng.next_u32() % 9 {
                0 | 1 => Fate::Cut(share),
                2 => Fate::CutAnswer(share),
                3 => Fate::WithoutCode,
                4 => Fate::OtherOffset,
                5 => Fate::Stale,
                6 => Fate::Flipped,
                _ => Fate::Answered,
            });
        }
        for _ in 0..60 {
            world.transfer.begin();
            world.run();
            if names.iter().all(|name| world.receipt(name).is_some()) {
                break;
            }
            if world.rng.next_u32().is_multiple_of(4) {
                world.transfer = Transfer::default();
                world.server.sessions.clear();
            }
            world.now += FILE_REST_MS_FIRST;
        }
        for name in &names {
            assert_eq!(world.receipt(name), Some(1), "seed {seed}");
            let (here, there) = (
                &world.phone.files.files[name],
                &world.server.files.stored[name],
            );
            assert!(here.bytes == *there, "seed {seed}");
        }
    }
}

/// The server's file is damaged, or the phone's disk fails under it.
#[test]
fn download_that_never_comes_lets_the_next_pass() {
    for fails_here in [false, true] {
        let mut world = TransferWorld::new(26);
        let (one, other) = (world.download(9_000), world.download(9_000));
        let (bad, good) = (one.min(other), one.max(other));
        world.phone.files.files.get_mut(&bad).unwrap().is_damaged = fails_here;
        for _ in 0..40 {
            match world.next() {
                Ok(Step::Send(request)) => {
                    if !fails_here && request.path.contains(&bad.id.to_string()) {
                        world.fates.push_front(Fate::CutAnswer(0));
                    }
                    world.exchange(&request);
                }
                Ok(Step::Wait { until_ms }) => world.now = until_ms,
                _ => break,
            }
        }
        assert_eq!(world.receipt(&good), Some(1), "{fails_here}");
        world.phone.files.files.get_mut(&bad).unwrap().is_damaged = false;
        world.now += FILE_REST_MS_FIRST;
        assert_eq!(world.run(), Step::Done);
        assert_eq!(world.receipt(&bad), Some(1));
    }
}

#[test]
fn upload_that_never_arrives_lets_the_next_pass() {
    let mut world = TransferWorld::new(27);
    let (bad, good) = (world.upload(1_000), world.upload(2_000));
    for _ in 0..40 {
        match world.next() {
            Ok(Step::Send(request)) => {
                let is_bad = request.path.contains(&bad.id.to_string());
                if is_bad && request.method == "PATCH" {
                    world.fates.push_front(Fate::Cut(0));
                }
                world.exchange(&request);
            }
            Ok(Step::Wait { until_ms }) => world.now = until_ms,
            _ => break,
        }
        if world.receipt(&good).is_some() {
            break;
        }
    }
    assert_eq!((world.receipt(&bad), world.receipt(&good)), (None, Some(1)));
    world.now += 10 * FILE_REST_MS_FIRST;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&bad), Some(1));
}

#[test]
fn proved_length_tries_its_description_at_once() {
    let mut world = TransferWorld::new(28);
    let name = world.download(9_000);
    world.phone.files.files.get_mut(&name).unwrap().length = 9_001;
    world.phone.files.others.insert(name, 9_000);
    let began = world.now;
    assert_eq!(world.run(), Step::Done);
    assert_eq!(world.receipt(&name), Some(1));
    assert_eq!(world.methods(), ["GET", "GET"]);
    assert!(world.now < began + 1_000, "it waits for no pause");
}
