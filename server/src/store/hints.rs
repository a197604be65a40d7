//! Hints of other nodes: the streams that their transactions have grown.

use onegrid_core::domain::stream::StreamId;

/// A hint of another node. It may be lost or come twice, so it only says where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// These streams have grown.
    Streams(Vec<StreamId>),
    /// Every stream may have grown, because hints may have been lost.
    Any,
}
