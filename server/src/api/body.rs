//! Bodies of requests, read whole, each within its limit, and all of them within one memory budget.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Problem, Result};

/// Bytes of memory for one permit of the semaphore.
const BYTES_A_PERMIT: usize = 1_024;

/// The memory budget of all request bodies together.
#[derive(Debug, Clone)]
pub(super) struct Bodies {
    free: Arc<Semaphore>,
}

/// A body together with its share of the memory budget.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    _memory: OwnedSemaphorePermit,
}

impl Bodies {
    /// Makes a budget of this many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        let permits = (bytes_max / BYTES_A_PERMIT).clamp(1, u32::MAX as usize);
        Self {
            free: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Reads a body of at most `bytes_max`. A body without an announced length reserves the maximum.
    pub(super) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        bytes_max: usize,
    ) -> Result<Held> {
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let too_large = || Problem::new("http.too_large").with("max", bytes_max);
        if announced.is_some_and(|bytes| bytes > bytes_max) {
            return Err(too_large());
        }
        let permits = announced.unwrap_or(bytes_max).div_ceil(BYTES_A_PERMIT);
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.free)
            .try_acquire_many_owned(permits)
            .map_err(|_| Problem::new("http.busy"))?;
        let mut bytes = Vec::with_capacity(announced.unwrap_or_default());
        let mut parts = body.into_data_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|error| Problem::new("http.bad_request").because(&error))?;
            if bytes.len() + part.len() > bytes_max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Held {
            bytes,
            _memory: memory,
        })
    }
}
