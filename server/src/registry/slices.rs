//! Long work of an administrator as many short transactions, so that no other writer waits long.
//!
//! ```text
//!  items ─▶ slice ─▶ commit ─▶ rest ─▶ slice ─▶ commit ─▶ …
//!           bounded            other processes write
//! ```
//!
//! **Contract.** A slice ends after [`SLICE_ROWS_MAX`] items or [`SLICE_TIME_MAX`], whichever comes
//! first, and has at least one item. An error ends the work; earlier slices stay. So each item must
//! be harmless when it comes again, and the same call continues the work after a cut.
//! **Not here:** the meaning of an item.

use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::error::{Problem, Result};
use crate::limits::{SLICE_REST_MAX, SLICE_REST_MIN, SLICE_ROWS_MAX, SLICE_TIME_MAX};
use crate::store::{Store, Writer};

/// The items of one slice. The iterator ends when the slice is full.
pub(super) struct Turns<'a, T> {
    items: &'a [T],
    /// Items that this slice has taken.
    taken: usize,
    begun: Instant,
}

impl<'a, T> Iterator for Turns<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        let is_full = self.taken >= SLICE_ROWS_MAX || self.begun.elapsed() >= SLICE_TIME_MAX;
        if self.taken > 0 && is_full {
            return None;
        }
        let item = self.items.get(self.taken)?;
        self.taken += 1;
        Some(item)
    }
}

/// Runs `work` on all items, slice by slice, and returns the sum of its results. `progress` is
/// called after each slice with the number of items that are done.
///
/// `work` may keep what it read for the next slice in its state. A transaction that runs again begins with
/// an empty state, because the first run may have read its own writes.
pub(super) fn run<T, S, R, W>(
    store: &Arc<dyn Store>,
    items: Vec<T>,
    work: W,
    progress: &mut dyn FnMut(usize),
) -> Result<R>
where
    T: Send + Sync + 'static,
    S: Default + Send + 'static,
    R: Default + AddAssign + Send + 'static,
    W: Fn(&mut dyn Writer, &mut Turns<'_, T>, &mut S) -> Result<R> + Send + Sync + 'static,
{
    let (items, work) = (Arc::new(items), Arc::new(work));
    let state = Arc::new(Mutex::new(S::default()));
    let (mut done, mut sum) = (0, R::default());
    while done < items.len() {
        let begun = Instant::now();
        let (of_job, work) = (Arc::clone(&items), Arc::clone(&work));
        let (state, mut runs) = (Arc::clone(&state), 0);
        let (taken, result) = store.write::<_, Problem>(move |tx| {
            let mut turns = Turns {
                items: &of_job[done..],
                taken: 0,
                begun: Instant::now(),
            };
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            runs += 1;
            if runs > 1 {
                *state = S::default();
            }
            let result = work(tx, &mut turns, &mut state)?;
            Ok((turns.taken, result))
        })?;
        done += taken;
        sum += result;
        progress(done);
        if done < items.len() {
            // A process that waits for the database asks again after some milliseconds, so a pause as
            // long as the slice lets it in.
            std::thread::sleep(begun.elapsed().clamp(SLICE_REST_MIN, SLICE_REST_MAX));
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;
    use crate::ingest::tests::world::TestServer;

    /// Runs `count` items and returns the number of items of each slice.
    fn slices_of(count: usize) -> Vec<usize> {
        let world = TestServer::new();
        let mut ends = vec![0];
        let work = |_: &mut dyn Writer,
                    turns: &mut Turns<'_, usize>,
                    (): &mut ()|
         -> Result<usize> { Ok(turns.count()) };
        let items = (0..count).collect();
        let sum = run(world.server.store(), items, work, &mut |done| {
            ends.push(done);
        });
        assert_eq!(sum.unwrap(), count);
        ends.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn slice_holds_a_bounded_number_of_items() {
        let slices = slices_of(SLICE_ROWS_MAX * 2 + 1);
        assert!(slices.len() >= 3, "{slices:?}");
        assert!(slices.iter().all(|rows| *rows <= SLICE_ROWS_MAX));
        assert!(slices_of(0).is_empty());
    }

    /// One slow item must not keep the whole import in one transaction.
    #[test]
    fn slice_ends_when_its_time_is_over() {
        let world = TestServer::new();
        let mut ends = Vec::new();
        let work = |_: &mut dyn Writer, turns: &mut Turns<'_, u8>, (): &mut ()| -> Result<usize> {
            for _ in turns.by_ref() {
                // As long as an item of many signatures takes.
                let begun = Instant::now();
                while begun.elapsed() < SLICE_TIME_MAX {
                    std::hint::spin_loop();
                }
            }
            Ok(0)
        };
        let items = vec![0; 3];
        run(world.server.store(), items, work, &mut |done| {
            ends.push(done);
        })
        .unwrap();
        assert_eq!(ends, [1, 2, 3]);
    }

    /// Another job that waits gets its turn after the present slice, not after the whole work.
    #[test]
    fn writer_comes_in_between_two_slices() {
        let world = TestServer::new();
        let elsewhere = world.store_again();
        elsewhere.seal_with(&world.keys.seal_key()).unwrap();
        let store = world.server.store();
        let work = |_: &mut dyn Writer,
                    turns: &mut Turns<'_, usize>,
                    (): &mut ()|
         -> Result<usize> { Ok(turns.take(1).count()) };
        let mut done_at_write = None;
        run(store, (0..3).collect(), work, &mut |done| {
            let written = elsewhere.write::<_, Problem>(|tx| Ok(tx.set_meta("test", &[1])?));
            written.unwrap();
            done_at_write.get_or_insert(done);
        })
        .unwrap();
        assert_eq!(done_at_write, Some(1));
    }

    #[test]
    fn failed_item_keeps_earlier_slices_and_undoes_its_own() {
        let world = TestServer::new();
        let work = |tx: &mut dyn Writer, turns: &mut Turns<'_, u8>, (): &mut ()| -> Result<usize> {
            for item in turns.take(1) {
                tx.set_meta(&format!("test{item}"), &[1])?;
                if *item == 1 {
                    return Err(Problem::new("server.internal"));
                }
            }
            Ok(1)
        };
        let store = world.server.store();
        assert!(run(store, vec![0, 1, 2], work, &mut |_| {}).is_err());
        let noted = |name: &str| store.read(|tx| tx.meta(name)).unwrap().is_some();
        assert!(noted("test0") && !noted("test1") && !noted("test2"));
    }
}
