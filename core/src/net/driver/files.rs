//! The files of a replica: transferred after its records, piece by piece.
//!
//! The turn is given back after each piece, so a sync of another caller waits for one piece at most. Records that
//! a person has just written overtake a piece that takes long.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};

use super::{ASK_ANYWAY, Driver, End, FilesEnd, Interruption, NAP, Wish, until};
use crate::limits::PIECE_MS_WISHED;
use crate::net::budget::Purse;
use crate::net::error::NetError;
use crate::net::http::{Reception, Unanswered};
use crate::net::meter::Traffic;
use crate::net::status::{FilesPolicy, State};
use crate::sync::file_port::FilePort;
use crate::sync::port::StarPort;
use crate::sync::report::Report;
use crate::sync::star::{Star, SyncError};
use crate::sync::transfer::{FileAnswer, FileRequest, Step, SyncCause, Transfer};
use crate::system::{OsRandom, now_ms};

/// Syncs in a row that files ask for without a request of their own.
const SYNCS_MAX: u32 = 3;
/// Age from which a piece gives way to a wake-up: twice the time that it should take.
const GIVES_WAY_AFTER: Duration = Duration::from_millis(2 * PIECE_MS_WISHED.unsigned_abs());

impl<P: StarPort + FilePort + Send + 'static> Driver<P> {
    /// Transfers files until none is left, the purse is empty, or the line fails. Records that are new go first;
    /// their counts are added to the report.
    pub(super) async fn files(
        &self,
        purse: Purse,
        wish: Wish,
        report: &mut Report,
    ) -> Result<FilesEnd, NetError> {
        let began = self.began();
        let mut error = NetError::Offline;
        let (mut is_begun, mut syncs) = (false, 0);
        let _interruption = Interruption(&self.0.status);
        loop {
            let _turn = self.0.turn.lock().await;
            if !is_begun {
                self.with_all(|_, transfer, _| transfer.begin()).await;
                is_begun = true;
            }
            let bytes = self.traffic().bytes();
            let is_wanted = wish == Wish::Now || self.files_policy() == FilesPolicy::Always;
            if !is_wanted || purse.is_empty(bytes) {
                return Ok(self.files_paused(is_wanted).await);
            }
            if self.has_news().await {
                match self.records_again(purse, report).await? {
                    None => continue,
                    Some(end) => return Ok(end),
                }
            }
            match self.file_step(purse.bytes_left(bytes)).await {
                Ok(Step::Send(request)) => {
                    syncs = 0;
                    self.set_state(State::Syncing);
                    let sent = tokio::select! {
                        biased;
                        sent = self.transfer(request, began) => sent,
                        () = self.wake_up_during_a_long_piece() => {
                            self.give_way().await;
                            Ok(())
                        }
                    };
                    if let Err(failed) = sent {
                        error = failed;
                    }
                    self.show_files(began).await;
                }
                Ok(Step::Sync(_)) if syncs >= SYNCS_MAX => {
                    let nap_ms = i64::try_from(NAP.as_millis()).unwrap_or(i64::MAX);
                    let until_ms = now_ms().saturating_add(nap_ms);
                    return Ok(self.files_wait(until_ms, error).await);
                }
                Ok(Step::Sync(cause)) => {
                    syncs += 1;
                    if cause == SyncCause::SessionRefused {
                        self.with_machine(|star, _| star.forget_session()).await;
                    }
                    if let Some(end) = self.records_again(purse, report).await? {
                        return Ok(end);
                    }
                }
                Ok(Step::Wait { until_ms }) => return Ok(self.files_wait(until_ms, error).await),
                Ok(Step::Done) => {
                    self.show_files_done();
                    return Ok(FilesEnd::Done);
                }
                // Unreachable, because the turn is ours and every request is ended by its exchange.
                Ok(Step::Awaiting) => self.with_all(|_, transfer, _| transfer.begin()).await,
                Err(failed) => error = failed,
            }
        }
    }

    /// Whether records go before the next piece: new ones wait, a wake-up came, or the last sync is long ago.
    async fn has_news(&self) -> bool {
        if self.0.wake.notified().now_or_never().is_some() {
            return true;
        }
        let noted = self.noted();
        if noted.at.is_none_or(|at| at.elapsed() >= ASK_ANYWAY) {
            return true;
        }
        // A replica that fails to count says so at its next step.
        let pending = self.with_machine(|_, port| port.pending().unwrap_or_default());
        pending.await > noted.pending
    }

    /// One sync of records between two files, for the holder of the turn. `None` if it came to its end.
    async fn records_again(
        &self,
        purse: Purse,
        report: &mut Report,
    ) -> Result<Option<FilesEnd>, NetError> {
        match self.sync(purse).await? {
            End::Done(later) => {
                report.continue_with(later);
                Ok(None)
            }
            End::Paused(later) => {
                report.continue_with(later);
                Ok(Some(FilesEnd::Paused))
            }
            End::Wait { until_ms, error } => Ok(Some(FilesEnd::Wait { until_ms, error })),
        }
    }

    async fn file_step(&self, bytes_left: Option<u64>) -> Result<Step, NetError> {
        let step = self.with_all(move |star, transfer, port| {
            let now_ms = now_ms();
            transfer.cap_piece(bytes_left);
            match star.channel(port, now_ms) {
                Ok(channel) => transfer.next(port, channel, now_ms, &mut OsRandom),
                Err(error) => {
                    transfer.unreached(now_ms, &mut OsRandom);
                    Err(error.into())
                }
            }
        });
        Ok(step.await?)
    }

    async fn wake_up_during_a_long_piece(&self) {
        sleep(GIVES_WAY_AFTER).await;
        self.0.wake.notified().await;
    }

    /// Gives a piece up whose connection is closed already. The bytes that came stay on both sides, and the
    /// wake-up is passed on to the next look at the records.
    async fn give_way(&self) {
        self.with_all(|_, transfer, _| transfer.overtaken()).await;
        self.0.wake.notify_one();
    }

    /// Sends one request about a file, and takes its answer.
    async fn transfer(&self, request: FileRequest, began: Traffic) -> Result<(), NetError> {
        if let Err(error) = self.0.http.warm_up().await {
            self.with_all(|_, transfer, _| transfer.unreached(now_ms(), &mut OsRandom))
                .await;
            return Err(error);
        }
        let (is_download, has_body) = (request.is_download(), !request.body.is_empty());
        let show = || self.show_traffic(began);
        let mut reception = match self.0.http.open(request, show).await {
            Ok(reception) => reception,
            Err(Unanswered::Stale) => {
                self.with_all(|_, transfer, _| transfer.stale(now_ms(), &mut OsRandom))
                    .await;
                return Ok(());
            }
            Err(Unanswered::Failed(error)) => return Err(self.line_failed(error).await),
        };
        let (status, headers) = (reception.status, reception.headers());
        let is_success = (200..300).contains(&status);
        if is_download && is_success {
            return self.download(reception, headers, began).await;
        }
        let body = match reception.rest(show).await {
            Ok(body) => body,
            Err(error) => return Err(self.line_failed(error).await),
        };
        // A refusal may come before the whole piece was sent; the rest of it would be sent for nothing.
        if is_success || !has_body {
            reception.finish().await;
        }
        let taken = self.with_session(move |star, transfer, port| {
            let answer = FileAnswer {
                status,
                headers: &headers,
                body: &body,
            };
            let (channel, now_ms) = (star.channel(port, now_ms())?, now_ms());
            transfer.received(port, channel, answer, now_ms, &mut OsRandom)
        });
        Ok(taken.await?)
    }

    /// Takes the body of a download piece by piece. A cut keeps the bytes that came.
    async fn download(
        &self,
        mut reception: Reception<'_>,
        headers: Vec<(&'static str, String)>,
        began: Traffic,
    ) -> Result<(), NetError> {
        let status = reception.status;
        let opened = self.with_session(move |star, transfer, port| {
            let head = FileAnswer {
                status,
                headers: &headers,
                body: &[],
            };
            let (channel, now_ms) = (star.channel(port, now_ms())?, now_ms());
            transfer.opened(port, channel, head, now_ms, &mut OsRandom)
        });
        opened.await?;
        loop {
            let bytes = match reception.piece(|| self.show_traffic(began)).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(error) => return Err(self.line_failed(error).await),
            };
            let kept = self.with_all(move |_, transfer, port| {
                transfer.arrived(port, &bytes, now_ms(), &mut OsRandom)
            });
            kept.await?;
        }
        reception.finish().await;
        let ended =
            self.with_all(|_, transfer, port| transfer.ended(port, now_ms(), &mut OsRandom));
        Ok(ended.await?)
    }

    async fn line_failed(&self, error: NetError) -> NetError {
        self.with_all(|_, transfer, _| transfer.failed(now_ms(), &mut OsRandom))
            .await;
        error
    }

    /// A step that needs the session. A replica that cannot tell its generation counts as a failed request.
    async fn with_session<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Star, &mut Transfer, &mut P) -> Result<T, SyncError> + Send + 'static,
    ) -> Result<T, SyncError> {
        self.with_all(move |star, transfer, port| {
            let done = work(star, transfer, port);
            if transfer.is_awaiting() && done.is_err() {
                transfer.unreached(now_ms(), &mut OsRandom);
            }
            done
        })
        .await
    }

    /// The counters at which the sync under way began, so that files are counted with the records before them.
    pub(super) fn began(&self) -> Traffic {
        let (now, shown) = (self.traffic(), self.0.status.borrow().progress);
        Traffic {
            bytes_up: now.bytes_up.saturating_sub(shown.bytes_up),
            bytes_down: now.bytes_down.saturating_sub(shown.bytes_down),
            round_trips: now.round_trips,
        }
    }

    /// Shows files and bytes that are left.
    async fn show_files(&self, began: Traffic) {
        let now = self.traffic();
        let left = self.with_all(|_, transfer, port| transfer.left(port, now_ms()));
        // A replica that fails to count says so at its next step.
        let files = left.await.unwrap_or_default();
        self.0.status.send_modify(|status| {
            status.progress = status.progress.with_traffic(began, now);
            status.progress.files = files;
        });
    }

    fn show_files_done(&self) {
        self.0.status.send_if_modified(|status| {
            let was_syncing = status.state == State::Syncing;
            if was_syncing {
                (status.state, status.retry_ms) = (State::UpToDate, None);
            }
            was_syncing
        });
    }

    async fn files_paused(&self, is_wanted: bool) -> FilesEnd {
        let left = self.with_all(|_, transfer, port| transfer.left(port, now_ms()));
        let is_done = left.await.is_ok_and(|left| left.files_left == 0);
        if is_done || !is_wanted {
            self.show_files_done();
            return FilesEnd::Done;
        }
        self.set_state(State::Paused);
        FilesEnd::Paused
    }

    /// Files wait. Without a network everything does; after a refusal of the server records are still up to date.
    async fn files_wait(&self, until_ms: i64, error: NetError) -> FilesEnd {
        let trouble = self.with_all(|_, transfer, _| transfer.trouble().map(str::to_owned));
        let error = trouble.await.map_or(error, NetError::Refused);
        self.0.status.send_modify(|status| {
            status.state = match error {
                NetError::Offline => State::Waiting,
                _ => State::UpToDate,
            };
            status.code = Some(error.code().to_owned());
            status.retry_ms = Some(until_ms);
        });
        FilesEnd::Wait { until_ms, error }
    }

    /// Transfers files in live sync, and waits until the next sync of records is due.
    pub(super) async fn files_live(&self, free: Purse) -> Result<(), NetError> {
        let began = Instant::now();
        loop {
            let mut counted = Report::default();
            let wait = match self.files(free, Wish::Policy, &mut counted).await? {
                FilesEnd::Done | FilesEnd::Paused => ASK_ANYWAY,
                FilesEnd::Wait { until_ms, .. } => until(until_ms).min(ASK_ANYWAY),
            };
            let was_woken = self.pause(wait).await;
            if was_woken || began.elapsed() >= ASK_ANYWAY {
                return Ok(());
            }
        }
    }
}
