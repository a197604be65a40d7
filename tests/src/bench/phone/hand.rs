//! A phone in the hand of a bench: a folder, a vault, one account.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use onegrid_ffi::device::open_device;
use onegrid_ffi::host::{KeyVault, VaultError};
use onegrid_ffi::phone::Phone;
use onegrid_ffi::types::{DeviceConfig, Query, SyncBudget, SyncReport};

/// Records of the deployment; a lead of the district reads all of them.
pub(super) const RECORDS: u64 = 10_000;
/// Rows of a page of a list.
pub(super) const ROWS: u32 = 50;

/// An enrolled phone.
pub(super) struct Hand {
    pub(super) phone: Arc<Phone>,
}

impl Hand {
    pub(super) fn new(folder: &Path, url: &str, code: &str) -> Self {
        let config = DeviceConfig {
            folder: folder.display().to_string(),
            tls_roots_pem: None,
            plain_http_allowed: true,
        };
        let device = open_device(config, Arc::new(Kept::default())).unwrap();
        let phone = device.open_single().unwrap().phone;
        let name = "bench".to_owned();
        phone
            .enrol(code.to_owned(), Some(url.to_owned()), name)
            .unwrap();
        Self { phone }
    }

    /// Syncs until the phone holds everything.
    pub(super) fn sync(&self) -> SyncReport {
        let report = self.phone.sync_once(SyncBudget::default()).unwrap();
        assert!(report.equal, "{report:?}");
        assert_eq!(self.phone.count(Query::default()).unwrap(), RECORDS);
        report
    }

    /// Lists the newest records; returns the time that this took, ms.
    pub(super) fn list(&self) -> f64 {
        let start = Instant::now();
        let page = self.phone.list(Query::default(), None, ROWS).unwrap();
        let took = start.elapsed().as_secs_f64() * 1e3;
        drop(page);
        took
    }
}

/// A vault in memory, because the cost of the host's own vault is not part of the SDK.
#[derive(Default)]
struct Kept(Mutex<HashMap<String, Vec<u8>>>);

impl KeyVault for Kept {
    fn load(&self, name: String) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.0.lock().unwrap().get(&name).cloned())
    }

    fn save(&self, name: String, secret: Vec<u8>) -> Result<(), VaultError> {
        self.0.lock().unwrap().insert(name, secret);
        Ok(())
    }

    fn remove(&self, name: String) -> Result<(), VaultError> {
        self.0.lock().unwrap().remove(&name);
        Ok(())
    }
}
