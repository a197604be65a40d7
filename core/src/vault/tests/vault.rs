//! A vault in memory that fails when it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use super::*;

/// When a call of the vault fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Before anything is changed.
    Before,
    /// After the change: the phone went off before the answer came.
    After,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<String, Vec<u8>>,
    fault: Option<VaultFault>,
    /// Calls that change something and still succeed, then how each later one fails.
    plan: Option<(usize, Failure)>,
}

/// The vault. Clones are one vault.
#[derive(Clone, Default)]
pub(super) struct MemoryVault(Arc<Mutex<State>>);

impl MemoryVault {
    pub(super) fn fail_after(&self, calls: usize, failure: Failure) {
        self.0.lock().unwrap().plan = Some((calls, failure));
    }

    pub(super) fn answer_with(&self, fault: VaultFault) {
        self.0.lock().unwrap().fault = Some(fault);
    }

    pub(super) fn recover(&self) {
        let mut state = self.0.lock().unwrap();
        (state.plan, state.fault) = (None, None);
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().entries.keys().cloned().collect()
    }

    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().entries.get(name).cloned()
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap();
        state.entries.insert(name.to_owned(), bytes.to_vec());
    }

    pub(super) fn forget(&self, name: &str) {
        self.0.lock().unwrap().entries.remove(name);
    }

    fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>),
    ) -> Result<(), VaultFault> {
        let mut state = self.0.lock().unwrap();
        if let Some(fault) = state.fault {
            return Err(fault);
        }
        match &mut state.plan {
            Some((0, Failure::Before)) => return Err(VaultFault::Failed),
            Some((0, Failure::After)) => {
                change(&mut state.entries);
                // The phone is off: nothing else is changed either.
                state.plan = Some((0, Failure::Before));
                return Err(VaultFault::Failed);
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        change(&mut state.entries);
        Ok(())
    }
}

impl KeyVault for MemoryVault {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultFault> {
        let state = self.0.lock().unwrap();
        match state.fault {
            Some(fault) => Err(fault),
            None => Ok(state.entries.get(name).cloned().map(Zeroizing::new)),
        }
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<(), VaultFault> {
        self.change(|entries| drop(entries.insert(name.to_owned(), bytes.to_vec())))
    }

    fn remove(&self, name: &str) -> Result<(), VaultFault> {
        self.change(|entries| drop(entries.remove(name)))
    }
}
