//! Planned backups of a running server: made at their time, read again, and aged out.
//!
//! ```text
//!  every minute:  remainders of killed runs, old backups ─▶ removed │ due? ─▶ copy, check ─▶ its name
//! ```
//!
//! **Invariants.** The name of a backup holds its time, so a restart continues the plan. Only a whole backup ages
//! out others, and only those beyond `keep` newer whole ones. A folder with another name is left alone.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::backup;
use super::data_dir::{DataDir, unusable};
use super::time::{compact, of_compact};
use crate::config::{BackupConfig, Config};
use crate::error::{Phrase, Problem, Result};
use crate::limits::BACKUP_RETRY;
use crate::metrics::Metrics;

/// Begins the name of a folder that the server made.
const PREFIX: &str = "onegrid-";
/// Ends the name of a backup that lacks something.
const PARTIAL: &str = ".partial";
/// Ends the name of a backup under way; [`backup`] adds it.
const PART: &str = ".part";
/// Ends the name of a backup that is being removed.
const OLD: &str = ".old";

/// The scheduled backups of a server; clones share them.
#[derive(Debug, Clone)]
pub struct Backups(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    data: DataDir,
    plan: Mutex<Option<BackupConfig>>,
    failure: Mutex<Option<Failure>>,
    meters: Meters,
}

/// The last run, if it failed.
#[derive(Debug)]
struct Failure {
    at_ms: i64,
    problem: Problem,
    /// Time until the next attempt.
    rest_ms: i64,
}

/// Gauges hold seconds since 1970, UTC, because an age stands still in a run that hangs.
#[derive(Debug, Clone, Default)]
struct Meters {
    every: Gauge<i64, AtomicI64>,
    whole: Gauge<i64, AtomicI64>,
    failed: Gauge<i64, AtomicI64>,
    failures: Family<Reason, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    code: &'static str,
}

impl Backups {
    /// Plans the backups that the configuration asks for.
    #[must_use]
    pub fn new(config: &Config, metrics: &Metrics) -> Self {
        let backups = Self(Arc::new(Inner {
            data: DataDir::of(config),
            plan: Mutex::default(),
            failure: Mutex::default(),
            meters: Meters::register(metrics),
        }));
        backups.follow(config.backup.clone());
        backups
    }

    /// Takes another plan into use. The next run follows it.
    pub fn follow(&self, plan: Option<BackupConfig>) {
        let seconds = plan.as_ref().map_or(0, |plan| millis(plan.every) / 1_000);
        self.0.meters.every.set(seconds);
        let mut present = self.0.plan();
        if *present != plan {
            // Another folder may be the remedy, so it is tried at once.
            *self.0.failure() = None;
            *present = plan;
        }
    }

    /// Whether backups are made at all.
    #[must_use]
    pub fn are_planned(&self) -> bool {
        self.0.plan().is_some()
    }

    /// Makes a backup if one is due, and removes old ones. `is_stopped` ends the copying of files early. Call it at
    /// short intervals; after a failure it rests for some minutes.
    pub fn run(&self, now_ms: i64, is_stopped: &dyn Fn() -> bool) -> Result<()> {
        let Some(plan) = self.0.plan().clone() else {
            return Ok(());
        };
        let rests = |failure: &Failure| {
            (failure.at_ms..failure.at_ms.saturating_add(failure.rest_ms)).contains(&now_ms)
        };
        if self.0.failure().as_ref().is_some_and(rests) {
            return Ok(());
        }
        let done = self.work(&plan, now_ms, is_stopped);
        match &done {
            Ok(()) => *self.0.failure() = None,
            // A stop is no failure, and the next start makes the backup.
            Err(problem) if problem.code() == "server.stopping" => {}
            Err(problem) => self.note(problem, plan.every, now_ms),
        }
        done
    }

    fn note(&self, problem: &Problem, every: Duration, now_ms: i64) {
        let code = problem.code();
        // A whole copy of the same data is no sooner whole.
        let rest = match code {
            "backup.not_whole" => every,
            _ => every.min(BACKUP_RETRY),
        };
        let meters = &self.0.meters;
        meters.failures.get_or_create(&Reason { code }).inc();
        meters.failed.set(now_ms / 1_000);
        *self.0.failure() = Some(Failure {
            at_ms: now_ms,
            problem: problem.clone(),
            rest_ms: millis(rest),
        });
    }

    fn work(&self, plan: &BackupConfig, now_ms: i64, is_stopped: &dyn Fn() -> bool) -> Result<()> {
        let found = Found::read(&plan.folder)?;
        found.remove_remainders();
        let last_ms = found.last_whole_ms(now_ms);
        self.0.meters.whole.set(last_ms.unwrap_or_default() / 1_000);
        found.age_out(plan.keep, now_ms)?;
        if last_ms.is_some_and(|last_ms| now_ms - last_ms < millis(plan.every)) {
            return Ok(());
        }
        let to = plan.folder.join(name_of(now_ms));
        let data = &self.0.data;
        let done = backup::backup_unless(is_stopped, data, &to, "server", now_ms)?;
        if !done.is_whole() {
            // It has everything that can still be read, so the newest one stays, beside the last whole ones.
            let partial = plan.folder.join(format!("{}{PARTIAL}", name_of(now_ms)));
            std::fs::rename(&to, &partial).map_err(|error| unusable(&to, &error))?;
            found.remove_partial()?;
            return Err(Problem::new("backup.not_whole").with("path", partial.display()));
        }
        self.0.meters.whole.set(now_ms / 1_000);
        tracing::info!("scheduled backup made");
        found.remove_partial()?;
        Found::read(&plan.folder)?.age_out(plan.keep, now_ms)
    }

    /// Warnings for `/healthz`: the last run failed.
    #[must_use]
    pub fn warning(&self) -> Option<Phrase> {
        self.0.failure().as_ref().map(|failure| {
            Phrase::new("backup.failing")
                .with("at", super::time::local(failure.at_ms))
                .with_phrase("reason", failure.problem.phrase().clone())
        })
    }
}

impl Inner {
    fn plan(&self) -> MutexGuard<'_, Option<BackupConfig>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self) -> MutexGuard<'_, Option<Failure>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meters {
    fn register(metrics: &Metrics) -> Self {
        let meters = Self::default();
        metrics.register(
            "backup_every_seconds",
            "Time between two scheduled backups; 0 without a plan",
            meters.every.clone(),
        );
        metrics.register(
            "backup_whole_seconds",
            "Time of the last whole scheduled backup, since 1970; 0 without one",
            meters.whole.clone(),
        );
        metrics.register(
            "backup_failed_seconds",
            "Time of the last failed run of a scheduled backup, since 1970; 0 without one",
            meters.failed.clone(),
        );
        metrics.register(
            "backup_failures",
            "Failed runs of scheduled backups by code",
            meters.failures.clone(),
        );
        meters
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn name_of(at_ms: i64) -> String {
    format!("{PREFIX}{}", compact(at_ms))
}

/// The folders that the server made.
#[derive(Debug, Default)]
struct Found {
    /// Whole backups with their times, the oldest first.
    whole: Vec<(i64, PathBuf)>,
    partial: Vec<PathBuf>,
    /// Folders of runs that were cut.
    remainders: Vec<PathBuf>,
}

impl Found {
    fn read(folder: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| unusable(folder, &error);
        let mut found = Self::default();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (name, path) = (entry.file_name(), entry.path());
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
                continue;
            };
            let stamp = name.split('.').next().unwrap_or_default();
            let Some(at_ms) = of_compact(stamp) else {
                continue;
            };
            match name.strip_prefix(stamp).unwrap_or_default() {
                "" => found.whole.push((at_ms, path)),
                PARTIAL => found.partial.push(path),
                end if end.ends_with(PART) || end.ends_with(OLD) => found.remainders.push(path),
                _ => {}
            }
        }
        found.whole.sort();
        Ok(found)
    }

    /// A backup of the future is of a clock that was ahead, so it does not count.
    fn until(&self, now_ms: i64) -> &[(i64, PathBuf)] {
        let end = self.whole.partition_point(|(at_ms, _)| *at_ms <= now_ms);
        &self.whole[..end]
    }

    fn last_whole_ms(&self, now_ms: i64) -> Option<i64> {
        self.until(now_ms).last().map(|(at_ms, _)| *at_ms)
    }

    fn age_out(&self, keep: usize, now_ms: i64) -> Result<()> {
        let whole = self.until(now_ms);
        let old = &whole[..whole.len().saturating_sub(keep)];
        old.iter().try_for_each(|(_, path)| remove(path))
    }

    fn remove_partial(&self) -> Result<()> {
        self.partial.iter().try_for_each(|path| remove(path))
    }

    /// Removes what killed runs left. The part of a command that works now stays, because it holds its lock.
    fn remove_remainders(&self) {
        for path in &self.remainders {
            if !backup::is_claimed(path) && std::fs::remove_dir_all(path).is_err() {
                let path = path.display();
                tracing::warn!(%path, "the remainder of a backup could not be removed");
            }
        }
    }
}

/// Removes a backup. It loses its name first, so that half of one is never taken for a backup.
fn remove(path: &Path) -> Result<()> {
    let mut old = path.as_os_str().to_owned();
    old.push(OLD);
    let old = PathBuf::from(old);
    let removed = std::fs::rename(path, &old).and_then(|()| std::fs::remove_dir_all(&old));
    removed.map_err(|error| unusable(path, &error))
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
