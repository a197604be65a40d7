//! The requests for bundle files that a replica keeps.

use super::super::engine::Replica;
use super::super::table::meta::{self, Name};
use super::sql;
use crate::sync::bundle_file::BundlePort;
use crate::sync::port::PortError;
use crate::trust::bundle_seal::PendingRequest;

impl BundlePort for Replica {
    /// Requests that cannot be read count as absent, because their answers can only be asked for again.
    fn pending_requests(&self) -> Result<Vec<PendingRequest>, PortError> {
        let stored = meta::get(self.conn()?, Name::BundleRequests).map_err(sql)?;
        let requests = stored.and_then(|bytes| minicbor::decode(&bytes).ok());
        Ok(requests.unwrap_or_default())
    }

    fn keep_requests(&mut self, requests: &[PendingRequest]) -> Result<(), PortError> {
        let conn = self.conn()?;
        if requests.is_empty() {
            return meta::delete(conn, Name::BundleRequests).map_err(sql);
        }
        let bytes = minicbor::to_vec(requests).expect("writing CBOR to memory does not fail");
        meta::put(conn, Name::BundleRequests, &bytes).map_err(sql)
    }
}
