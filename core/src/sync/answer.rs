//! A verified answer of the server. Only a verified answer may reach a replica.

use crate::id::Hash;
use crate::trust::certificate::Anchors;
use crate::wire::envelope::RawEnvelope;
use crate::wire::message::{SyncRequest, SyncResponse};
use crate::wire::page::PageError;
use crate::wire::verdict::Attestation;

coded_error! {
    /// The reasons why an answer is not believed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum AnswerError {
        /// The receipt does not fit the envelopes that were sent, or the server did not sign it.
        #[error("sync.bad_receipt")]
        Receipt,
        /// The server did not sign the page, or the page contradicts itself.
        #[error("sync.bad_page")]
        Page,
        /// The server did not sign a pack.
        #[error("sync.bad_pack")]
        Pack,
        /// The server has an older generation than this replica has read. The replica must not follow it back.
        #[error("sync.older_generation")]
        OlderGeneration,
        /// The answer contradicts its own request.
        #[error("sync.bad_answer")]
        Contradiction,
        /// The server did not say how much this replica lacks, because it does not know the question.
        #[error("sync.unmeasured")]
        Unmeasured,
    }
}

impl AnswerError {
    /// Every error.
    pub const ALL: [Self; 6] = [
        Self::Receipt,
        Self::Page,
        Self::Pack,
        Self::OlderGeneration,
        Self::Contradiction,
        Self::Unmeasured,
    ];
}

/// A verified answer, with the request that it answers.
#[derive(Debug, Clone)]
pub struct Answer {
    request: SyncRequest,
    response: SyncResponse,
    receipt: Option<Attestation>,
    page: Option<Attestation>,
}

impl Answer {
    /// Checks every signature of an answer. `generation` is the highest that the replica has followed.
    pub fn verify(
        request: SyncRequest,
        response: SyncResponse,
        anchors: &Anchors,
        generation: u32,
    ) -> Result<Self, AnswerError> {
        if response.generation < generation {
            return Err(AnswerError::OlderGeneration);
        }
        let sent: Vec<Hash> = request
            .bundle
            .iter()
            .flat_map(|b| &b.envelopes)
            .map(RawEnvelope::hash)
            .collect();
        let receipt = match &response.receipt {
            Some(receipt) => {
                let receipt = receipt
                    .clone()
                    .attestation(&sent)
                    .map_err(|_| AnswerError::Receipt)?;
                receipt.verify(anchors).map_err(|_| AnswerError::Receipt)?;
                Some(receipt)
            }
            // The server stores nothing exactly when parents are missing.
            None if sent.is_empty() || !response.missing.is_empty() => None,
            None => return Err(AnswerError::Receipt),
        };
        if receipt.is_some() && !response.missing.is_empty() {
            return Err(AnswerError::Contradiction);
        }
        if response.repair.len() > request.repair.len() {
            return Err(AnswerError::Contradiction);
        }
        let count = |list: Option<usize>| list.unwrap_or(0);
        let outcomes = count(response.parcels.as_ref().map(Vec::len));
        if outcomes > count(request.parcels.as_ref().map(Vec::len)) {
            return Err(AnswerError::Contradiction);
        }
        let page = match &response.page {
            Some(page) => {
                for batch in &page.packs {
                    batch.verify(anchors).map_err(|_| AnswerError::Pack)?;
                }
                page.verify(anchors)
                    .map_err(|_: PageError| AnswerError::Page)?
            }
            None => None,
        };
        Ok(Self {
            request,
            response,
            receipt,
            page,
        })
    }

    /// The request that this answers.
    #[must_use]
    pub fn request(&self) -> &SyncRequest {
        &self.request
    }

    /// The response of the server.
    #[must_use]
    pub fn response(&self) -> &SyncResponse {
        &self.response
    }

    /// The signed verdicts on the envelopes that were sent.
    #[must_use]
    pub fn receipt(&self) -> Option<&Attestation> {
        self.receipt.as_ref()
    }

    /// The signed verdicts of the page.
    #[must_use]
    pub fn page_attestation(&self) -> Option<&Attestation> {
        self.page.as_ref()
    }
}
