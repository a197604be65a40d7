//! Phones that describe and send photos.

use std::sync::{Arc, mpsc};

use onegrid_core::domain::case::Event;
use onegrid_core::domain::case::payload::Attach;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash};
use onegrid_core::media::attachment_id;
use onegrid_core::wire::envelope::Envelope;
use onegrid_core::wire::verdict::Status;

use crate::blobs::{Blobs, Progress, Receiver, Resumption};
use crate::error::Result;
use crate::ingest::tests::world::{SyncPhone, TestServer};
use crate::store::AttachmentKey;
use onegrid_core::fixtures::NOW;
pub(crate) use onegrid_core::fixtures::photo;

/// Holds all checks of whole files up until the answer is called.
pub(crate) fn hold_checks(blobs: &Arc<Blobs>) -> impl FnOnce() {
    let blobs = Arc::clone(blobs);
    let (held, is_held) = mpsc::channel();
    let (release, is_released) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _alone = blobs.checking.lock().unwrap();
        held.send(()).unwrap();
        // An error says that the test has failed.
        let _ = is_released.recv();
    });
    is_held.recv().unwrap();
    move || {
        release.send(()).unwrap();
        thread.join().unwrap();
    }
}

pub(crate) fn device(phone: &SyncPhone) -> DeviceId {
    phone.certificate.facts().device
}

pub(crate) fn attach(id: Hash, media: u8, bytes: usize, salt: [u8; 16]) -> Event {
    Event::Attach(Attach {
        id,
        media,
        bytes: u32::try_from(bytes).unwrap(),
        salt,
        thumbnail: None,
        extent: Some((8, 8)),
    })
}

/// Reports a case with the description of these bytes; both are accepted.
pub(crate) fn describe(
    world: &TestServer,
    phone: &mut SyncPhone,
    bytes: &[u8],
    salt: [u8; 16],
) -> AttachmentKey {
    reported(world, phone, bytes, 1, salt)
}

/// Reports a case with the description of these bytes as a recording.
pub(crate) fn describe_as_recording(
    world: &TestServer,
    phone: &mut SyncPhone,
    bytes: &[u8],
) -> AttachmentKey {
    reported(world, phone, bytes, 2, [4; 16])
}

fn reported(
    world: &TestServer,
    phone: &mut SyncPhone,
    bytes: &[u8],
    media: u8,
    salt: [u8; 16],
) -> AttachmentKey {
    let genesis = phone.report("gas");
    let (described, key) = description(phone, &genesis, bytes, media, salt);
    let answer = phone.push(&world.server, &[&genesis, &described]);
    let lines = answer.receipt.unwrap().lines;
    let statuses: Vec<Status> = lines.iter().map(|line| line.verdict.status).collect();
    assert_eq!(statuses, [Status::Accepted; 2]);
    key
}

fn description(
    phone: &mut SyncPhone,
    genesis: &Envelope,
    bytes: &[u8],
    media: u8,
    salt: [u8; 16],
) -> (Envelope, AttachmentKey) {
    let key = AttachmentKey {
        record: genesis.record(),
        id: attachment_id(&salt, bytes),
    };
    let event = attach(key.id, media, bytes.len(), salt);
    let described = phone.act(key.record, &[genesis.id()], &event);
    (described, key)
}

/// Describes a file of another person's record once more, with any salt and length.
pub(crate) fn describe_again(
    world: &TestServer,
    phone: &mut SyncPhone,
    key: AttachmentKey,
    salt: [u8; 16],
    length: usize,
) {
    let seen = world.server.store().read(|tx| tx.settled_ids(key.record));
    let seen = seen.unwrap();
    let heads = &seen[seen.len() - 1..];
    let described = phone.act(key.record, heads, &attach(key.id, 1, length, salt));
    let answer = phone.push(&world.server, &[&described]);
    let line = &answer.receipt.unwrap().lines[0];
    assert_eq!(line.verdict.status, Status::Accepted);
}

/// Reports a case, and describes these bytes with a clock that makes the server hold the description.
pub(crate) fn describe_late(
    world: &TestServer,
    phone: &mut SyncPhone,
    bytes: &[u8],
) -> (AttachmentKey, EnvelopeId) {
    let genesis = phone.report("gas");
    let clock_ms = phone.clock_ms;
    phone.clock_ms = NOW + 10 * 366 * 24 * 3_600 * 1_000;
    let (described, key) = description(phone, &genesis, bytes, 1, [1; 16]);
    phone.clock_ms = clock_ms;
    let answer = phone.push(&world.server, &[&genesis, &described]);
    let lines = answer.receipt.unwrap().lines;
    assert_eq!(lines[0].verdict.status, Status::Accepted);
    assert!(matches!(lines[1].verdict.status, Status::Held(_)));
    (key, described.id())
}

pub(crate) fn open(blobs: &Blobs, device: DeviceId, key: AttachmentKey, offset: u64) -> Receiver {
    match blobs.resume(device, key, offset, None, NOW).unwrap() {
        Resumption::Open(receiver) => receiver,
        Resumption::Whole(_) => panic!("the file is here already"),
    }
}

/// Sends the bytes up to `end` durably.
pub(crate) fn send_part(
    blobs: &Blobs,
    device: DeviceId,
    key: AttachmentKey,
    bytes: &[u8],
    end: usize,
) {
    let begun = blobs.begin(device, key, bytes.len() as u64, NOW).unwrap();
    let mut receiver = open(blobs, device, key, begun.offset);
    let from = usize::try_from(begun.offset).unwrap();
    blobs.write(&mut receiver, &bytes[from..end], NOW).unwrap();
    blobs.save(&mut receiver, NOW).unwrap();
}

pub(crate) fn send(
    blobs: &Blobs,
    device: DeviceId,
    key: AttachmentKey,
    bytes: &[u8],
) -> Result<Progress> {
    send_at(blobs, device, key, bytes, NOW)
}

pub(crate) fn send_at(
    blobs: &Blobs,
    device: DeviceId,
    key: AttachmentKey,
    bytes: &[u8],
    now_ms: i64,
) -> Result<Progress> {
    let begun = blobs.begin(device, key, bytes.len() as u64, now_ms)?;
    let from = usize::try_from(begun.offset).unwrap();
    match blobs.resume(device, key, begun.offset, None, now_ms)? {
        Resumption::Whole(progress) => Ok(progress),
        Resumption::Open(mut receiver) => {
            blobs.write(&mut receiver, &bytes[from..], now_ms)?;
            blobs.save(&mut receiver, now_ms)?;
            blobs.finish(device, key, now_ms)
        }
    }
}

pub(crate) fn read(blobs: &Blobs, device: DeviceId, key: AttachmentKey) -> Vec<u8> {
    let mut download = blobs.open_file(device, key, NOW).unwrap();
    let length = usize::try_from(download.bytes).unwrap();
    let mut read = download.read(0, length / 2).unwrap();
    let rest = download.read(read.len() as u64, length - read.len());
    read.extend(rest.unwrap());
    read
}
