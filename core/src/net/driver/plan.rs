//! The plan of a sync: its cost, before it begins.

use std::collections::BTreeSet;

use super::{Driver, NetError};
use crate::limits::{
    OUTBOX_BYTES_MAX, OUTBOX_ENVELOPES_MAX, PLAN_FRAMES_PART, PLAN_SESSION_BYTES, REQUEST_BYTES_MAX,
};
use crate::net::cancel::Cancel;
use crate::sync::file_port::{FilePort, FilesLeft};
use crate::sync::port::{OutboxAsk, PortError, StarPort};
use crate::sync::star::Step;
use crate::system::{OsRandom, now_ms};
use crate::wire::envelope::RawEnvelope;
use crate::wire::frame;
use crate::wire::measure::{Measure, Quantity};

/// A number of things, and what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlannedAmount {
    /// How many.
    pub count: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Minutes at the pace of the last exchanges, rounded up; `None` while no exchange was large enough.
    pub minutes: Option<u64>,
}

/// The cost of the next sync. Counts and bytes are estimates; docs/protocol.md states their error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SyncPlan {
    /// Everything without photos and recordings, both ways; counted are the records that are new here.
    pub records: PlannedAmount,
    /// The part of it until every open case and visit is here. It comes first.
    pub open: PlannedAmount,
    /// Entries of streams that this phone has read before. They are part of both.
    pub changes: u64,
    /// Envelopes that this phone sends. They are part of both.
    pub uploads: u64,
    /// All photos and recordings of these records that the server has. They come when they are asked for.
    pub photos: PlannedAmount,
    /// Those of open cases.
    pub photos_open: PlannedAmount,
    /// Photos and recordings that were asked for and are not here yet.
    pub photos_wanted: PlannedAmount,
    /// Photos and recordings that wait to be sent.
    pub photos_to_send: PlannedAmount,
    /// Whether there is more than the server measures at once. Then every amount is the least one.
    pub is_partial: bool,
}

impl<P: StarPort + FilePort + Send + 'static> Driver<P> {
    /// Asks the server how much the next sync would cost. The call moves no work and no cursor. Beside a sync
    /// it waits for its turn.
    pub async fn plan(&self, cancel: &Cancel) -> Result<SyncPlan, NetError> {
        let stop = self.token().clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(NetError::Cancelled),
            () = cancel.cancelled() => Err(NetError::Cancelled),
            plan = self.planned() => plan,
        }
    }

    async fn planned(&self) -> Result<SyncPlan, NetError> {
        let _turn = self.0.turn.lock().await;
        let began = self.began();
        self.with_machine(|star, _| star.begin_plan()).await;
        let mut error = NetError::Offline;
        let measure = loop {
            let step = self.with_machine(|star, port| star.next(port, now_ms(), &mut OsRandom));
            match step.await {
                Ok(Step::Done(_)) => {
                    let measure = self.with_machine(|star, _| star.take_measure());
                    break measure.await.unwrap_or_default();
                }
                Ok(Step::Send(request)) => {
                    if let Err(failed) = self.exchange(request, began).await {
                        error = failed;
                    }
                }
                Ok(Step::Wait { .. }) => return Err(error),
                // Unreachable, because the turn is ours and every request is ended by its exchange.
                Ok(Step::Awaiting) => self.with_machine(|star, _| star.begin_again()).await,
                Err(failed) => error = failed.into(),
            }
        };
        let counted =
            self.with_machine(|_, port| Ok::<_, PortError>((uploads(port)?, port.files_left()?)));
        let (uploads, files) = counted.await?;
        Ok(self.plan_of(&measure, uploads, files))
    }

    fn plan_of(&self, measure: &Measure, uploads: Quantity, files: FilesLeft) -> SyncPlan {
        let amount = |count, bytes| PlannedAmount {
            count,
            bytes,
            minutes: self.0.rate.minutes(bytes),
        };
        let framed = |bytes: u64| {
            let frames = bytes / PLAN_FRAMES_PART;
            bytes
                .saturating_add(frames)
                .saturating_add(PLAN_SESSION_BYTES)
        };
        let all = measure.bytes().saturating_add(uploads.bytes);
        let open = all.saturating_sub(measure.rest.bytes);
        let photos = measure.photos_open.plus(measure.photos_rest);
        SyncPlan {
            records: amount(measure.open.plus(measure.rest).count, framed(all)),
            open: amount(measure.open.count, framed(open)),
            changes: measure.changes.count,
            uploads: uploads.count,
            photos: amount(photos.count, photos.bytes),
            photos_open: amount(measure.photos_open.count, measure.photos_open.bytes),
            photos_wanted: amount(files.downloads, files.download_bytes),
            photos_to_send: amount(files.uploads, files.upload_bytes),
            is_partial: measure.is_partial,
        }
    }
}

/// The envelopes of the outbox, with their bytes on the wire. The first upload is packed as a sample of all.
fn uploads(port: &dyn StarPort) -> Result<Quantity, PortError> {
    let count = port.pending()?;
    if count == 0 {
        return Ok(Quantity::default());
    }
    let bundle = port.outbox(&OutboxAsk {
        bytes_max: OUTBOX_BYTES_MAX,
        envelopes_max: OUTBOX_ENVELOPES_MAX,
        without: &BTreeSet::new(),
    })?;
    let plain: usize = bundle.envelopes.iter().map(RawEnvelope::len).sum();
    let packed = frame::encode(&bundle, REQUEST_BYTES_MAX).map_or(plain, |bytes| bytes.len());
    let all = u128::from(port.pending_bytes()?) * packed as u128 / plain.max(1) as u128;
    Ok(Quantity {
        count,
        bytes: u64::try_from(all).unwrap_or(u64::MAX),
    })
}
