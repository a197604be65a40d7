//! A page: the next part of the feeds that a reader may read.
//!
//! Every envelope travels once, however many streams hold it; segments give its positions. One
//! signature covers the list of (hash, verdict, positions) that the reader rebuilds from the page,
//! so a reader can keep it as an [`Attestation`] and give it back to a restored server.

use minicbor::{Decode, Encode};

use super::cursor::CursorAt;
use super::envelope::RawEnvelope;
use super::frame::Allowance;
use super::intern;
use super::pack::PackBatch;
use super::verdict::{Attestation, AttestedEnvelope, StreamPosition, Verdict};
use crate::cbor::list::{bytes, list};
use crate::domain::stream::StreamId;
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};
use crate::limits::{FEED_BYTES_MAX, PACK_BATCHES_MAX, SEGMENT_ENTRIES_MAX, SEGMENTS_MAX};
use crate::trust::certificate::{Anchors, RawCertificate};
use crate::trust::sign::{Authority, SecretKey, SignatureError};

/// A page that no honest server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// A segment names an envelope or pack that the page does not have, or a position beyond all numbers.
    #[error("wire.page_index")]
    Index,
    /// The signature is not the server's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// The next part of the feeds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Certificates that the envelopes or packs need.
    pub certificates: Vec<RawCertificate>,
    /// Envelopes with their verdicts, parents before children.
    pub envelopes: Vec<(RawEnvelope, Verdict)>,
    /// Compacted pasts of whole records.
    pub packs: Vec<PackBatch>,
    /// The new entries of each stream.
    pub segments: Vec<Segment>,
    /// The server's signature; absent where the page has no verdict.
    pub proof: Option<PageProof>,
}

/// A part of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Segment {
    /// The stream.
    #[n(0)]
    pub stream: StreamId,
    /// Position of the first entry; entry `i` has position `first + i`. It is 0 while the stream is
    /// loading, because entries then have no positions.
    #[n(1)]
    pub first: u64,
    /// The entries.
    #[cbor(n(2), decode_with = "list::<SEGMENT_ENTRIES_MAX, _, _>")]
    pub entries: Vec<FeedEntry>,
    /// The reader's cursor after the page is applied.
    #[n(3)]
    pub next: CursorAt,
}

/// One entry of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum FeedEntry {
    /// An envelope: index into [`Page::envelopes`].
    #[n(0)]
    Envelope(#[n(0)] u32),
    /// The stream has a record more. Its past travels as a pack of this page, unless the reader has it.
    #[n(1)]
    Add {
        /// The record.
        #[n(0)]
        record: RecordId,
    },
    /// The stream has a record less.
    #[n(2)]
    Withdraw {
        /// The record.
        #[n(0)]
        record: RecordId,
    },
    /// A verdict has changed.
    #[n(3)]
    Verdict {
        /// The envelope.
        #[n(0)]
        hash: Hash,
        /// The new verdict.
        #[n(1)]
        verdict: Verdict,
    },
    /// A signed entry of the directory.
    #[n(4)]
    Directory(
        #[cbor(
            n(0),
            encode_with = "minicbor::bytes::encode",
            decode_with = "bytes::<FEED_BYTES_MAX, _>"
        )]
        Vec<u8>,
    ),
    /// A notice or the public summary of a case.
    #[n(5)]
    Bulletin(
        #[cbor(
            n(0),
            encode_with = "minicbor::bytes::encode",
            decode_with = "bytes::<FEED_BYTES_MAX, _>"
        )]
        Vec<u8>,
    ),
    /// An envelope of the request that this page answers: index into its bundle. Its verdict is in the
    /// receipt.
    #[n(6)]
    Sent(#[n(0)] u32),
    /// An envelope that the reader has, because it delivered it or read it in another stream.
    #[n(7)]
    Known(#[n(0)] EnvelopeId),
    /// Used while loading. The stream holds the records of these packs, counted through all batches
    /// of the page.
    #[n(8)]
    Packs {
        /// The first pack.
        #[n(0)]
        first: u32,
        /// How many.
        #[n(1)]
        count: u32,
    },
    /// A position that means nothing any more (an erased envelope, say).
    #[n(9)]
    Nothing,
}

/// The server's signature over the page's verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PageProof {
    /// The server key that signed.
    #[n(0)]
    pub signer: DeviceId,
    /// The server's generation.
    #[n(1)]
    pub generation: u32,
    /// Server time, milliseconds UTC.
    #[n(2)]
    pub time_ms: i64,
    /// Signature of the [`Attestation`] that [`Page::lines`] make.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl Page {
    /// Whether it has no segments, envelopes or packs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.envelopes.is_empty() && self.packs.is_empty()
    }

    /// The lines that the server signs: each envelope of the page in order with its positions in the order of
    /// the segments, then each changed verdict in the order of the segments.
    pub fn lines(&self) -> Result<Vec<AttestedEnvelope>, PageError> {
        let line = |(raw, verdict): &(RawEnvelope, Verdict)| AttestedEnvelope {
            hash: raw.hash(),
            verdict: *verdict,
            at: Vec::new(),
        };
        let mut lines: Vec<_> = self.envelopes.iter().map(line).collect();
        let mut changed = Vec::new();
        for segment in &self.segments {
            for (offset, entry) in (0_u64..).zip(&segment.entries) {
                let position = segment.first.checked_add(offset).ok_or(PageError::Index)?;
                let at = StreamPosition {
                    stream: segment.stream,
                    position,
                };
                match entry {
                    FeedEntry::Envelope(index) => {
                        let index = usize::try_from(*index).map_err(|_| PageError::Index)?;
                        lines
                            .get_mut(index)
                            .filter(|_| index < self.envelopes.len())
                            .ok_or(PageError::Index)?
                            .at
                            .push(at);
                    }
                    FeedEntry::Verdict { hash, verdict } => changed.push(AttestedEnvelope {
                        hash: *hash,
                        verdict: *verdict,
                        at: vec![at],
                    }),
                    _ => {}
                }
            }
        }
        lines.append(&mut changed);
        Ok(lines)
    }

    /// The server signs the page's verdicts.
    pub fn sign(
        &mut self,
        generation: u32,
        time_ms: i64,
        key: &SecretKey,
        authority: &Authority,
    ) -> Result<(), PageError> {
        let lines = self.lines()?;
        self.proof = (!lines.is_empty()).then(|| {
            let signed = Attestation::sign(generation, time_ms, lines, key, authority);
            PageProof {
                signer: signed.signer,
                generation,
                time_ms,
                signature: signed.signature,
            }
        });
        Ok(())
    }

    /// Checks the signature and returns the attestation to keep; `None` when the page has no
    /// verdict.
    pub fn verify(&self, anchors: &Anchors) -> Result<Option<Attestation>, PageError> {
        let envelopes = self.lines()?;
        let Some(proof) = &self.proof else {
            let nothing = envelopes.is_empty();
            return if nothing {
                Ok(None)
            } else {
                Err(SignatureError::BadSignature.into())
            };
        };
        let PageProof {
            signer,
            generation,
            time_ms,
            signature,
        } = *proof;
        let attestation = Attestation {
            signer,
            generation,
            time_ms,
            envelopes,
            signature,
        };
        attestation.verify(anchors)?;
        Ok(Some(attestation))
    }
}

impl<C> Encode<C> for Page {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        c: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(4)?;
        e.bytes(&intern::encode_judged(&self.certificates, &self.envelopes))?;
        e.array(self.packs.len() as u64)?;
        for batch in &self.packs {
            e.bytes(&batch.encode_with(&self.certificates))?;
        }
        self.segments.encode(e, c)?;
        self.proof.encode(e, c)
    }
}

impl<'b, C: Allowance> Decode<'b, C> for Page {
    fn decode(d: &mut minicbor::Decoder<'b>, c: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        let damaged = |_| minicbor::decode::Error::message("damaged batch").at(at);
        if d.array()? != Some(4) {
            return Err(minicbor::decode::Error::message("a page has four parts").at(at));
        }
        let (certificates, envelopes) = intern::decode_judged(d.bytes()?).map_err(damaged)?;
        let count = d.array()?.filter(|count| *count <= PACK_BATCHES_MAX as u64);
        let count = count.ok_or_else(|| minicbor::decode::Error::message("packs").at(at))?;
        let mut packs = Vec::new();
        for _ in 0..count {
            let batch = PackBatch::decode_with(d.bytes()?, &certificates, c);
            packs
                .push(batch.map_err(|_| minicbor::decode::Error::message("damaged packs").at(at))?);
        }
        let segments = list::<SEGMENTS_MAX, C, Segment>(d, c)?;
        let proof = Option::<PageProof>::decode(d, c)?;
        Ok(Self {
            certificates,
            envelopes,
            packs,
            segments,
            proof,
        })
    }
}
