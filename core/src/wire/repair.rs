//! Repair: the steps that find the differences between two replicas, stream by stream.
//!
//! The first step reconciles (record, digest) pairs. The second compares plain lists of ids for the
//! records that differ. The last asks for the missing envelopes. A generation change runs the same
//! steps.

use minicbor::{Decode, Encode};

use super::verdict::Verdict;
use crate::cbor::list::{bytes, list};
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, RecordId};
use crate::limits::{RECONCILE_BYTES_MAX, REPAIR_IDS_MAX};

/// One step that a reader asks for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RepairAsk {
    /// The stream.
    #[n(0)]
    pub stream: StreamId,
    /// The step.
    #[n(1)]
    pub step: RepairStep,
}

/// A settled envelope with the latest verdict on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SettledEnvelope {
    /// The envelope.
    #[n(0)]
    pub id: EnvelopeId,
    /// The verdict.
    #[n(1)]
    pub verdict: Verdict,
}

/// A step of the reader.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum RepairStep {
    /// A message of set reconciliation over the stream's (record, digest) pairs.
    #[n(0)]
    Reconcile(
        #[cbor(
            n(0),
            encode_with = "minicbor::bytes::encode",
            decode_with = "bytes::<RECONCILE_BYTES_MAX, _>"
        )]
        Vec<u8>,
    ),
    /// All settled envelopes of a record that the reader has.
    #[n(1)]
    Ids {
        /// The record.
        #[n(0)]
        record: RecordId,
        /// Their ids, each with the latest verdict that the reader knows.
        #[cbor(n(1), decode_with = "list::<REPAIR_IDS_MAX, _, _>")]
        settled: Vec<SettledEnvelope>,
    },
    /// Send these, in the page.
    #[n(2)]
    Want {
        /// Whole records, as packs.
        #[cbor(n(0), decode_with = "list::<REPAIR_IDS_MAX, _, _>")]
        records: Vec<RecordId>,
        /// Single envelopes.
        #[cbor(n(1), decode_with = "list::<REPAIR_IDS_MAX, _, _>")]
        envelopes: Vec<EnvelopeId>,
    },
}

/// The server's answer to one step.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RepairAnswer {
    /// The stream.
    #[n(0)]
    pub stream: StreamId,
    /// The answer.
    #[n(1)]
    pub step: RepairFound,
}

/// The server's answer to a step.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum RepairFound {
    /// The next message of set reconciliation.
    #[n(0)]
    Reconcile(
        #[cbor(
            n(0),
            encode_with = "minicbor::bytes::encode",
            decode_with = "bytes::<RECONCILE_BYTES_MAX, _>"
        )]
        Vec<u8>,
    ),
    /// How the two sets of a record differ: by ids, or by verdicts.
    #[n(1)]
    Ids {
        /// The record.
        #[n(0)]
        record: RecordId,
        /// Envelopes that the reader lacks, or knows an older verdict on. It asks for them by
        /// [`RepairStep::Want`].
        #[cbor(n(1), decode_with = "list::<REPAIR_IDS_MAX, _, _>")]
        reader_lacks: Vec<EnvelopeId>,
        /// Envelopes that the server lacks, or knows an older verdict on. The reader gives them
        /// back.
        #[cbor(n(2), decode_with = "list::<REPAIR_IDS_MAX, _, _>")]
        server_lacks: Vec<EnvelopeId>,
    },
    /// The wanted data travel in the page: envelopes in `page.envelopes`, records in `page.packs`.
    #[n(2)]
    Given {
        /// Records that the server does not have, or that the reader may not read.
        #[cbor(n(0), decode_with = "list::<REPAIR_IDS_MAX, _, _>")]
        absent_records: Vec<RecordId>,
        /// Envelopes that the server does not have, or that the reader may not read.
        #[cbor(n(1), decode_with = "list::<REPAIR_IDS_MAX, _, _>")]
        absent: Vec<EnvelopeId>,
        /// How much of the step this answers, counted through its records and then its envelopes. The reader
        /// asks again for the rest, which did not fit.
        #[n(2)]
        covered: u32,
    },
    /// The reader may not read this stream.
    #[n(3)]
    Closed,
}
