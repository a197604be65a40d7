//! Bodies of requests, read whole, each within its limit and at a lowest rate, and all of them
//! within one memory budget.
//!
//! **Invariant:** memory is taken from the budget only for bytes that have arrived, so an announced
//! length or a stalled upload takes nothing from anybody.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::patience::Pace;
use crate::error::{Problem, Result};

/// Bytes of memory for one permit of the semaphore.
const BYTES_A_PERMIT: usize = 1_024;

/// The memory budget of a kind of request bodies.
#[derive(Debug, Clone)]
pub(super) struct Bodies {
    free: Arc<Semaphore>,
    pace: Pace,
}

/// A body together with its share of the memory budget.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    memory: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    /// Makes a budget of this many bytes.
    pub(super) fn new(bytes_max: usize, pace: Pace) -> Self {
        let permits = (bytes_max / BYTES_A_PERMIT).clamp(1, u32::MAX as usize);
        Self {
            free: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))),
            pace,
        }
    }

    /// Reads a body of at most `bytes_max`.
    pub(super) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        bytes_max: usize,
    ) -> Result<Held> {
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let too_large = || Problem::new("http.too_large").with("max", bytes_max);
        if announced.is_some_and(|bytes| bytes > bytes_max) {
            return Err(too_large());
        }
        let mut held = Held {
            bytes: Vec::new(),
            memory: None,
        };
        let (mut parts, mut clock) = (body.into_data_stream(), self.pace.start());
        while let Some(part) = clock.wait(parts.next()).await? {
            let part = part.map_err(|error| Problem::new("http.bad_request").because(&error))?;
            if held.bytes.len() + part.len() > bytes_max {
                return Err(too_large());
            }
            self.grow(&mut held, part.len())?;
            held.bytes.extend_from_slice(&part);
            clock.arrived(part.len());
        }
        Ok(held)
    }

    /// Reads a body and drops it, because the answer to a refused upload reaches the phone only
    /// after its last byte. An upload that is too long, or stalls, gets no answer.
    pub(super) async fn drain(&self, body: Body, bytes_max: usize) {
        let (mut parts, mut clock) = (body.into_data_stream(), self.pace.start());
        let mut left = bytes_max;
        while let Ok(Some(Ok(part))) = clock.wait(parts.next()).await {
            if part.len() > left {
                return;
            }
            left -= part.len();
            clock.arrived(part.len());
        }
    }

    /// Takes memory for `more` bytes. The vector may double, so its room is taken, not its length.
    fn grow(&self, held: &mut Held, more: usize) -> Result<()> {
        let had = held.bytes.capacity();
        let needs = held.bytes.len() + more;
        if needs <= had {
            return Ok(());
        }
        let room = needs.max(had * 2).next_multiple_of(BYTES_A_PERMIT);
        let permits = (room - had).div_ceil(BYTES_A_PERMIT);
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.free)
            .try_acquire_many_owned(permits)
            .map_err(|_| Problem::new("http.busy"))?;
        match &mut held.memory {
            Some(memory) => memory.merge(taken),
            none => *none = Some(taken),
        }
        held.bytes.reserve_exact(room - held.bytes.len());
        Ok(())
    }

    /// Bytes of the budget that are free.
    #[cfg(test)]
    fn free_bytes(&self) -> usize {
        self.free.available_permits() * BYTES_A_PERMIT
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use std::time::Duration;

    use axum::body::Bytes;
    use futures_util::stream;
    use tokio::sync::mpsc;

    use super::*;

    const MIB: usize = 1_024 * 1_024;

    /// A body whose parts the test sends; it stalls while the test sends nothing.
    fn stalling() -> (mpsc::UnboundedSender<Bytes>, Body) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let parts = stream::unfold(receiver, |mut receiver| async move {
            let part: Bytes = receiver.recv().await?;
            Some((Ok::<_, std::io::Error>(part), receiver))
        });
        (sender, Body::from_stream(parts))
    }

    fn announced(bytes: usize) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, bytes.into());
        headers
    }

    #[tokio::test]
    async fn stalled_uploads_leave_room_for_others() {
        let bodies = Bodies::new(16 * MIB, Pace::default());
        let mut stalled = Vec::new();
        for _ in 0..500 {
            let (sender, body) = stalling();
            sender.send(Bytes::from_static(b"begin")).unwrap();
            let bodies = bodies.clone();
            let read = async move { bodies.read(&announced(4 * MIB), body, 4 * MIB).await };
            stalled.push((sender, tokio::spawn(read)));
        }
        tokio::task::yield_now().await;
        let honest = Body::from(vec![7; 4 * MIB]);
        let held = bodies.read(&announced(4 * MIB), honest, 4 * MIB).await;
        assert_eq!(held.unwrap().bytes.len(), 4 * MIB);
        for (_, read) in stalled {
            read.abort();
        }
    }

    #[tokio::test]
    async fn budget_is_taken_as_bytes_arrive_and_returned() {
        let bodies = Bodies::new(MIB, Pace::default());
        let (sender, body) = stalling();
        let reader = bodies.clone();
        let read = tokio::spawn(async move { reader.read(&HeaderMap::new(), body, MIB).await });
        sender.send(Bytes::from(vec![1; 1_024])).unwrap();
        while bodies.free_bytes() == MIB {
            tokio::task::yield_now().await;
        }
        assert_eq!(bodies.free_bytes(), MIB - 1_024);
        drop(sender);
        let held = read.await.unwrap().unwrap();
        assert_eq!(held.bytes.len(), 1_024);
        let over = Body::from(vec![2; MIB]);
        let refused = bodies.read(&HeaderMap::new(), over, MIB).await;
        assert_eq!(refused.unwrap_err().code(), "http.busy");
        drop(held);
        assert_eq!(bodies.free_bytes(), MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn trickled_upload_times_out() {
        let pace = Pace::new(Duration::from_secs(20), 100);
        let bodies = Bodies::new(MIB, pace);
        let seconds = tokio::time::interval(Duration::from_secs(1));
        let drip = stream::unfold(seconds, |mut seconds| async {
            seconds.tick().await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), seconds))
        });
        let headers = HeaderMap::new();
        let read = bodies.read(&headers, Body::from_stream(drip), MIB);
        assert_eq!(read.await.unwrap_err().code(), "http.timeout");
        assert_eq!(bodies.free_bytes(), MIB);
    }
}
