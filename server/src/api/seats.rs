//! Places for connections and transfers that last, in all and for each holder.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Problem, Result};

/// Counts the places that are taken.
#[derive(Debug)]
pub(super) struct Seats<K>(Arc<Table<K>>);

#[derive(Debug)]
struct Table<K> {
    all_max: usize,
    own_max: usize,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    all: usize,
    own: HashMap<K, usize>,
}

/// One place, freed when dropped.
#[derive(Debug)]
pub(super) struct Seat<K: Copy + Eq + Hash> {
    table: Arc<Table<K>>,
    holder: K,
}

impl<K: Copy + Eq + Hash> Seats<K> {
    /// Makes so many places in all, and so many for each holder.
    pub(super) fn new(all_max: usize, own_max: usize) -> Self {
        Self(Arc::new(Table {
            all_max,
            own_max,
            taken: Mutex::new(Taken {
                all: 0,
                own: HashMap::new(),
            }),
        }))
    }

    /// Takes a place, or refuses when there is none.
    pub(super) fn take(&self, holder: K) -> Result<Seat<K>> {
        let mut taken = self.0.lock();
        let own = taken.own.get(&holder).copied().unwrap_or_default();
        if taken.all >= self.0.all_max || own >= self.0.own_max {
            return Err(Problem::new("http.busy"));
        }
        taken.all += 1;
        taken.own.insert(holder, own + 1);
        Ok(Seat {
            table: Arc::clone(&self.0),
            holder,
        })
    }
}

impl<K> Table<K> {
    fn lock(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut taken = self.table.lock();
        taken.all -= 1;
        if let Some(own) = taken.own.get_mut(&self.holder) {
            *own -= 1;
            if *own == 0 {
                taken.own.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_for_each_holder() {
        let seats = Seats::new(3, 2);
        let first = seats.take('a').unwrap();
        let second = seats.take('a').unwrap();
        assert_eq!(seats.take('a').unwrap_err().code(), "http.busy");
        let third = seats.take('b').unwrap();
        assert!(seats.take('c').is_err(), "all places are taken");
        drop(first);
        drop(third);
        let _again = [seats.take('a').unwrap(), seats.take('c').unwrap()];
        drop(second);
        assert_eq!(seats.0.lock().own.len(), 2);
    }
}
