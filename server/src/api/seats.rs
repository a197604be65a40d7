//! Places for connections and transfers that last, in all and for each device.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use onegrid_core::id::DeviceId;

use crate::error::{Problem, Result};

/// Counts the places that are taken.
#[derive(Debug, Clone)]
pub(super) struct Seats(Arc<Table>);

#[derive(Debug)]
struct Table {
    all_max: usize,
    own_max: usize,
    taken: Mutex<HashMap<DeviceId, usize>>,
}

/// One place, freed when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    device: DeviceId,
}

impl Seats {
    /// Makes so many places in all, and so many for each device.
    pub(super) fn new(all_max: usize, own_max: usize) -> Self {
        Self(Arc::new(Table {
            all_max,
            own_max,
            taken: Mutex::default(),
        }))
    }

    /// Takes a place, or refuses when there is none.
    pub(super) fn take(&self, device: DeviceId) -> Result<Seat> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&device).copied().unwrap_or_default();
        if all >= self.0.all_max || own >= self.0.own_max {
            return Err(Problem::new("http.busy"));
        }
        taken.insert(device, own + 1);
        Ok(Seat {
            seats: self.clone(),
            device,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self
            .seats
            .0
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.device) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.device);
            }
        }
    }
}
