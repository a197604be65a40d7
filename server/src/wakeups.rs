//! Who is waiting for news, and who has to be cut off. Wake-ups are hints: cursors are the truth.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::DeviceId;
use tokio::sync::watch;

/// What somebody who waits sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wake {
    /// Grows whenever something new may be there.
    pub count: u64,
    /// The session is over: the device was revoked.
    pub cut: bool,
}

#[derive(Debug)]
struct Waiting {
    streams: BTreeSet<StreamId>,
    // All connections of the device.
    sender: watch::Sender<Wake>,
}

/// Everybody who waits on this node.
#[derive(Debug, Default)]
pub struct Wakeups(Mutex<HashMap<DeviceId, Waiting>>);

impl Wakeups {
    /// The device waits for news of these streams. Dropping the receiver ends it.
    pub fn subscribe(
        &self,
        device: DeviceId,
        streams: BTreeSet<StreamId>,
    ) -> watch::Receiver<Wake> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, waiting| waiting.sender.receiver_count() > 0);
        let entry = waiting.entry(device).or_insert_with(|| Waiting {
            streams: BTreeSet::new(),
            sender: watch::Sender::new(Wake::default()),
        });
        entry.streams = streams;
        entry.sender.subscribe()
    }

    /// Something is new in these streams.
    pub fn notify(&self, touched: &BTreeSet<StreamId>) {
        if touched.is_empty() {
            return;
        }
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for waiting in waiting.values() {
            let (few, many) = if touched.len() < waiting.streams.len() {
                (touched, &waiting.streams)
            } else {
                (&waiting.streams, touched)
            };
            if few.iter().any(|stream| many.contains(stream)) {
                waiting.sender.send_modify(|wake| wake.count += 1);
            }
        }
    }

    /// What a device that may be waiting reads now.
    pub fn reads(&self, device: DeviceId, streams: &BTreeSet<StreamId>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = waiting.get_mut(&device)
            && entry.streams != *streams
        {
            entry.streams.clone_from(streams);
        }
    }

    /// Everybody looks again: what they may read may have changed.
    pub fn notify_all(&self) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for waiting in waiting.values() {
            waiting.sender.send_modify(|wake| wake.count += 1);
        }
    }

    /// Cuts a device off.
    pub fn cut(&self, device: DeviceId) {
        let removed = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&device);
        if let Some(waiting) = removed {
            waiting.sender.send_modify(|wake| wake.cut = true);
        }
    }

    /// The devices that wait.
    pub fn devices(&self) -> Vec<DeviceId> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .copied()
            .collect()
    }
}
