//! Phones that wait for wake-ups, and devices that must be cut off. A wake-up is only a hint;
//! cursors decide which entries are new.
//!
//! Where several nodes share a store, a node also knows the head of each stream that its phones read. Its own commits
//! raise the known heads. A stored head above the known one is the work of another node, so the readers wake.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::DeviceId;
use tokio::sync::watch;

use crate::limits::{WAKE_SPREAD_DEVICES, WAKE_SPREAD_MS_MAX};

/// State that a waiting connection sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wake {
    /// Grows whenever new entries may exist.
    pub count: u64,
    /// Whether the session is over because the device was revoked.
    pub cut: bool,
    /// Time over which the devices that were woken together spread their syncs, milliseconds.
    pub spread_ms: u32,
}

impl Wake {
    /// Returns the share of the spread that this device waits, milliseconds. It differs between
    /// devices, and for one device between wake-ups.
    #[must_use]
    pub fn delay_ms(&self, device: DeviceId) -> u32 {
        let [a, b, c, d, ..] = device.0;
        let turn = self.count.to_le_bytes()[0];
        let mixed = u32::from_le_bytes([a, b, c, d]) ^ u32::from(turn).wrapping_mul(0x9e37_79b9);
        mixed % (self.spread_ms + 1)
    }
}

#[derive(Debug)]
struct Waiting {
    streams: BTreeSet<StreamId>,
    // Reaches all connections of the device.
    sender: watch::Sender<Wake>,
}

/// All devices that wait on this node.
#[derive(Debug, Default)]
pub struct Wakeups(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    waiting: HashMap<DeviceId, Waiting>,
    /// The devices of each stream, so that a change costs only the ones that it wakes.
    readers: HashMap<StreamId, HashSet<DeviceId>>,
    /// The positions of streams with readers that this node has woken for.
    heads: HashMap<StreamId, u64>,
    /// Number of devices at which those without a connection are forgotten.
    sweep_at: usize,
}

impl Wakeups {
    /// Subscribes the device to changes of these streams. Dropping the receiver ends the
    /// subscription.
    pub fn subscribe(
        &self,
        device: DeviceId,
        streams: BTreeSet<StreamId>,
    ) -> watch::Receiver<Wake> {
        let mut table = self.lock();
        table.sweep();
        let waiting = table.waiting.entry(device).or_insert_with(|| Waiting {
            streams: BTreeSet::new(),
            sender: watch::Sender::new(Wake::default()),
        });
        let receiver = waiting.sender.subscribe();
        table.put_streams(device, streams);
        receiver
    }

    /// Wakes every device that reads one of these streams.
    pub fn notify(&self, touched: &BTreeSet<StreamId>) {
        if touched.is_empty() {
            return;
        }
        let table = self.lock();
        let readers = touched.iter().filter_map(|one| table.readers.get(one));
        let devices: HashSet<DeviceId> = readers.flatten().copied().collect();
        table.wake(&devices);
    }

    /// Notes heads that need no further wake-up, because the caller wakes the readers itself or has just
    /// subscribed them.
    pub fn know(&self, heads: &[(StreamId, u64)]) {
        let mut table = self.lock();
        for (stream, head) in heads {
            table.raise(*stream, *head);
        }
    }

    /// The streams that devices on this node read; of `among` if it is given.
    pub fn watched(&self, among: Option<&BTreeSet<StreamId>>) -> Vec<StreamId> {
        let table = self.lock();
        match among {
            None => table.readers.keys().copied().collect(),
            Some(among) => {
                let read = among.iter().filter(|one| table.readers.contains_key(one));
                read.copied().collect()
            }
        }
    }

    /// Wakes the readers of every stream whose stored head is above the known one, and notes the head.
    pub fn grown(&self, heads: &[(StreamId, u64)]) {
        let mut table = self.lock();
        let mut devices = HashSet::new();
        for (stream, head) in heads {
            if table.raise(*stream, *head)
                && let Some(readers) = table.readers.get(stream)
            {
                devices.extend(readers.iter().copied());
            }
        }
        table.wake(&devices);
    }

    /// Replaces the streams of a device, if it waits.
    pub fn reads(&self, device: DeviceId, streams: &BTreeSet<StreamId>) {
        let mut table = self.lock();
        if let Some(waiting) = table.waiting.get(&device)
            && waiting.streams != *streams
        {
            table.put_streams(device, streams.clone());
        }
    }

    /// Wakes every device, because rights may have changed.
    pub fn notify_all(&self) {
        let table = self.lock();
        table.wake(&table.waiting.keys().copied().collect());
    }

    /// Ends all connections of a device.
    pub fn cut(&self, device: DeviceId) {
        if let Some(waiting) = self.lock().forget(device) {
            waiting.sender.send_modify(|wake| wake.cut = true);
        }
    }

    /// Devices with a subscription on this node.
    pub fn devices(&self) -> Vec<DeviceId> {
        self.lock().waiting.keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn wake(&self, devices: &HashSet<DeviceId>) {
        let spread_ms = spread_ms(devices.len());
        for waiting in devices.iter().filter_map(|device| self.waiting.get(device)) {
            waiting.sender.send_modify(|wake| {
                wake.count += 1;
                wake.spread_ms = spread_ms;
            });
        }
    }

    /// Returns whether the head is above the known one.
    fn raise(&mut self, stream: StreamId, head: u64) -> bool {
        if !self.readers.contains_key(&stream) {
            return false;
        }
        let known = self.heads.insert(stream, head);
        match known {
            // A snapshot may be older than the last commit of this node.
            Some(known) if known >= head => {
                self.heads.insert(stream, known);
                false
            }
            _ => true,
        }
    }

    fn put_streams(&mut self, device: DeviceId, streams: BTreeSet<StreamId>) {
        let Some(waiting) = self.waiting.get_mut(&device) else {
            return;
        };
        let before = std::mem::replace(&mut waiting.streams, streams);
        let streams = &waiting.streams;
        for gone in before.difference(streams) {
            leave(&mut self.readers, &mut self.heads, *gone, device);
        }
        for stream in streams.difference(&before) {
            self.readers.entry(*stream).or_default().insert(device);
        }
    }

    fn forget(&mut self, device: DeviceId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&device)?;
        for stream in &waiting.streams {
            leave(&mut self.readers, &mut self.heads, *stream, device);
        }
        Some(waiting)
    }

    /// Forgets the devices without a connection, seldom enough that a subscription costs little.
    fn sweep(&mut self) {
        if self.waiting.len() < self.sweep_at.max(SWEEP_AT_MIN) {
            return;
        }
        let gone = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.sender.receiver_count() == 0);
        let gone: Vec<DeviceId> = gone.map(|(device, _)| *device).collect();
        for device in gone {
            self.forget(device);
        }
        self.sweep_at = self.waiting.len() * 2;
    }
}

/// Number of devices below which no sweep is worth its cost.
const SWEEP_AT_MIN: usize = 64;

fn leave(
    readers: &mut HashMap<StreamId, HashSet<DeviceId>>,
    heads: &mut HashMap<StreamId, u64>,
    stream: StreamId,
    device: DeviceId,
) {
    if let Some(devices) = readers.get_mut(&stream) {
        devices.remove(&device);
        if devices.is_empty() {
            readers.remove(&stream);
            heads.remove(&stream);
        }
    }
}

/// Returns the time over which so many devices spread. A few sync at once, because people look at
/// each other's phones.
fn spread_ms(devices: usize) -> u32 {
    let over = devices.saturating_sub(WAKE_SPREAD_DEVICES);
    u32::try_from(over)
        .unwrap_or(u32::MAX)
        .saturating_mul(2)
        .min(WAKE_SPREAD_MS_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::id::AreaId;

    use super::*;

    fn device(number: u32) -> DeviceId {
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_le_bytes());
        DeviceId(id)
    }

    fn streams(villages: &[u8]) -> BTreeSet<StreamId> {
        let village = |number: &u8| StreamId::AreaStaff(AreaId([*number; 16]));
        villages.iter().map(village).collect()
    }

    #[test]
    fn change_wakes_only_the_readers_of_its_streams() {
        let wakeups = Wakeups::default();
        let mut one = wakeups.subscribe(device(1), streams(&[1, 2]));
        let two = wakeups.subscribe(device(2), streams(&[2, 3]));
        wakeups.notify(&streams(&[1]));
        assert_eq!(
            (one.has_changed().unwrap(), two.has_changed().unwrap()),
            (true, false)
        );
        one.borrow_and_update();
        // A sync has told the new rights of the phone.
        wakeups.reads(device(1), &streams(&[3]));
        wakeups.notify(&streams(&[1, 2]));
        assert_eq!(
            (one.has_changed().unwrap(), two.has_changed().unwrap()),
            (false, true)
        );
        wakeups.notify(&streams(&[3]));
        assert!(one.borrow_and_update().count == 2);
        wakeups.cut(device(1));
        assert!(one.borrow().cut);
        wakeups.notify(&streams(&[3]));
        assert_eq!(wakeups.lock().readers.len(), 2, "nobody reads 1 any more");
    }

    #[test]
    fn stored_head_above_the_known_one_wakes_once() {
        let wakeups = Wakeups::default();
        let village = *streams(&[1]).first().unwrap();
        let elsewhere = *streams(&[2]).first().unwrap();
        let mut one = wakeups.subscribe(device(1), streams(&[1]));
        wakeups.know(&[(village, 5)]);
        let woken = |one: &mut watch::Receiver<Wake>| {
            let woken = one.has_changed().unwrap();
            one.borrow_and_update();
            woken
        };
        let mut after = |head| {
            wakeups.grown(&[(village, head), (elsewhere, head)]);
            woken(&mut one)
        };
        assert_eq!(
            [after(5), after(6), after(6), after(4)],
            [false, true, false, false]
        );
        // This node has committed and woken its phones itself.
        wakeups.know(&[(village, 9)]);
        assert_eq!([after(9), after(10)], [false, true]);
        assert_eq!(wakeups.watched(None), [village]);
        assert_eq!(wakeups.watched(Some(&streams(&[2]))), []);
        wakeups.cut(device(1));
        assert!(wakeups.lock().heads.is_empty(), "nobody reads any more");
    }

    #[test]
    fn few_phones_wake_at_once_and_many_spread() {
        let wakeups = Wakeups::default();
        let few: Vec<_> = (0..40)
            .map(|n| wakeups.subscribe(device(n), streams(&[1])))
            .collect();
        wakeups.notify(&streams(&[1]));
        assert!(few.iter().all(|one| one.borrow().spread_ms == 0));
        let many: Vec<_> = (100..5_100)
            .map(|n| wakeups.subscribe(device(n), streams(&[1])))
            .collect();
        wakeups.notify(&streams(&[1]));
        let delays: Vec<u32> = (100..5_100)
            .zip(&many)
            .map(|(n, one)| one.borrow().delay_ms(device(n)))
            .collect();
        assert!(delays.iter().all(|delay| *delay <= WAKE_SPREAD_MS_MAX));
        let half = WAKE_SPREAD_MS_MAX / 2;
        let early = delays.iter().filter(|delay| **delay < half).count();
        assert!((2_000..3_000).contains(&early), "{early} of 5,000");
    }

    #[test]
    fn phones_without_a_connection_are_forgotten() {
        let wakeups = Wakeups::default();
        for n in 0..100_000 {
            drop(wakeups.subscribe(device(n), streams(&[1])));
        }
        let table = wakeups.lock();
        assert!(table.waiting.len() <= SWEEP_AT_MIN);
        let readers: usize = table.readers.values().map(HashSet::len).sum();
        assert_eq!(readers, table.waiting.len());
    }
}
