//! Periodic tasks: they cut off devices that another process revoked, check overdue cases, remove ended
//! sessions and files that no record needs, update grants in zones, and judge envelopes that became readable
//! with an upgrade.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use onegrid_core::system::now_ms;
use tokio::task::JoinHandle;
use tokio::time::{Duration, MissedTickBehavior, interval};

use super::health::Ready;
use super::node::Node;
use crate::admin::ADMIN;
use crate::error::{Problem, Result};
use crate::ingest::ration::day_of;
use crate::ingest::sweep_parcels;
use crate::limits::{
    AUDIT_ROWS_A_LOOK, CLEAN_UP_EVERY, DUE_PER_TICK_MAX, LOOK_EVERY, SWEEP_EVERY, TICK_EVERY,
};
use crate::server::Server;

/// Starts the tasks of a node; they end when the node stops. The returned check tells whether the store
/// worked at the last look and whether every task still runs.
#[must_use]
pub fn keep_time(node: &Node) -> Ready {
    let healthy = Arc::new(AtomicBool::new(true));
    let broken = Arc::new(AtomicBool::new(false));
    let (alive, mut seen) = (Arc::clone(&healthy), None);
    every(node, &broken, LOOK_EVERY, move |server, _| {
        let looked = look(server, &mut seen);
        alive.store(looked.is_ok(), Ordering::Relaxed);
        looked
    });
    let mut released = false;
    every(node, &broken, TICK_EVERY, move |server, now_ms| {
        if !released {
            server.release_newer(now_ms)?;
            released = true;
        }
        Ok(())
    });
    let meters = node.0.meters.clone();
    every(node, &broken, TICK_EVERY, move |server, now_ms| {
        loop {
            let made = server.tick(now_ms)?;
            meters.moves.inc_by(made as u64);
            if made < DUE_PER_TICK_MAX {
                return Ok(());
            }
        }
    });
    every(node, &broken, SWEEP_EVERY, |server, now_ms| {
        server.store().write::<_, Problem>(move |tx| {
            tx.sweep_written(day_of(now_ms))?;
            tx.sweep_uploaded(day_of(now_ms))?;
            sweep_parcels(tx, now_ms)?;
            Ok(tx.sweep_sessions(now_ms)?)
        })?;
        server.keep_zones(now_ms)?;
        server.sweep_readings(now_ms)?;
        Ok(())
    });
    let (blobs, meters) = (Arc::clone(&node.0.blobs), node.0.meters.clone());
    every(node, &broken, CLEAN_UP_EVERY, move |_, now_ms| {
        let cleaned = blobs.clean_up(now_ms)?;
        meters.orphans.inc_by(cleaned.files);
        Ok(())
    });
    let shutdown = node.0.shutdown.clone();
    Arc::new(move || {
        if shutdown.is_stopped() {
            Err(Problem::new("server.stopping"))
        } else if broken.load(Ordering::Relaxed) {
            Err(Problem::new("server.internal"))
        } else if healthy.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(Problem::new("store.failed"))
        }
    })
}

/// Repeats a task until the node stops. `broken` is set when the task panics.
fn every(
    node: &Node,
    broken: &Arc<AtomicBool>,
    pause: Duration,
    work: impl FnMut(&Server, i64) -> Result<()> + Send + 'static,
) -> JoinHandle<()> {
    let (server, shutdown) = (Arc::clone(&node.0.server), node.0.shutdown.clone());
    let broken = Arc::clone(broken);
    let mut work = Some(work);
    tokio::spawn(async move {
        let mut clock = interval(pause);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                _ = clock.tick() => {}
            }
            let (Some(mut task), server) = (work.take(), Arc::clone(&server)) else {
                return;
            };
            let done = tokio::task::spawn_blocking(move || {
                let outcome = task(&server, now_ms());
                (task, outcome)
            });
            // A task that panics does not run again; the log has the place of the panic.
            let Ok((task, outcome)) = done.await else {
                broken.store(true, Ordering::Relaxed);
                return;
            };
            work = Some(task);
            if let Err(problem) = outcome {
                problem.log();
            }
        }
    })
}

/// Cuts off devices that another process revoked. Wakes all phones after a change by an administrator in
/// another process, because only the writing process knows the affected streams.
fn look(server: &Server, seen: &mut Option<u64>) -> Result<()> {
    server.cut_revoked()?;
    let last = server.store().read(|tx| tx.audit_last())?;
    let last = last.map_or(0, |row| row.no);
    let before = seen.replace(last).unwrap_or(last);
    if before >= last {
        return Ok(());
    }
    let rows = server
        .store()
        .read(|tx| tx.audit(before, AUDIT_ROWS_A_LOOK))?;
    let many = rows.len() == AUDIT_ROWS_A_LOOK;
    if many || rows.iter().any(|row| row.actor == ADMIN) {
        server.wake_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::admin::data_dir::DataDir;
    use crate::admin::setup;
    use crate::api::Shutdown;
    use crate::config::{Effective, Inputs};
    use crate::metrics::Metrics;

    /// No deadline passes any more when the task of the deadlines is dead, so `/healthz` has to say it.
    #[tokio::test]
    async fn panic_of_a_task_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(&folder.path().join("data"));
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        setup::prepare(&data, &folder.path().join("root.key"), now_ms(), &mut rng).unwrap();
        let config = Effective::load(&Inputs::default()).unwrap().config;
        let server = Arc::new(data.open(&config).unwrap());
        let (_trigger, shutdown) = Shutdown::new();
        let blobs = Arc::new(data.open_files(&server, &config).unwrap());
        let node = Node::new(server, blobs, &config, &Metrics::new(), shutdown);
        let broken = Arc::new(AtomicBool::new(false));
        let ended = every(&node, &broken, TICK_EVERY, |_, _| panic!("a fault of ours"));
        ended.await.unwrap();
        assert!(broken.load(Ordering::Relaxed));
    }
}
