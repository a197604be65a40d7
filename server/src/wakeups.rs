//! Phones that wait for wake-ups, and devices that must be cut off. A wake-up is only a hint;
//! cursors decide which entries are new.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::DeviceId;
use tokio::sync::watch;

/// State that a waiting connection sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wake {
    /// Grows whenever new entries may exist.
    pub count: u64,
    /// Whether the session is over because the device was revoked.
    pub cut: bool,
}

#[derive(Debug)]
struct Waiting {
    streams: BTreeSet<StreamId>,
    // Reaches all connections of the device.
    sender: watch::Sender<Wake>,
}

/// All devices that wait on this node.
#[derive(Debug, Default)]
pub struct Wakeups(Mutex<HashMap<DeviceId, Waiting>>);

impl Wakeups {
    /// Subscribes the device to changes of these streams. Dropping the receiver ends the
    /// subscription.
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

    /// Wakes every device that reads one of these streams.
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

    /// Replaces the streams of a device, if it waits.
    pub fn reads(&self, device: DeviceId, streams: &BTreeSet<StreamId>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = waiting.get_mut(&device)
            && entry.streams != *streams
        {
            entry.streams.clone_from(streams);
        }
    }

    /// Wakes every device, because rights may have changed.
    pub fn notify_all(&self) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for waiting in waiting.values() {
            waiting.sender.send_modify(|wake| wake.count += 1);
        }
    }

    /// Ends all connections of a device.
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

    /// Devices with a subscription on this node.
    pub fn devices(&self) -> Vec<DeviceId> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .copied()
            .collect()
    }
}
