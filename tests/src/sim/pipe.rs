//! Meetings over a pipe of bytes, as Bluetooth or TCP carries them: cut anywhere, late in one
//! direction, broken in the middle of a message, or altered on its way.

use std::collections::VecDeque;
use std::sync::Arc;

use onegrid_core::limits::MEETING_PIECE_BYTES;
use onegrid_core::sync::peer::{Peer, PeerError, PeerReport};
use onegrid_core::trust::meeting_key::MeetingKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::chance::Chance;
use crate::town::{Met, Phone, Town};

/// The fault of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipeFault {
    /// None.
    None,
    /// It breaks after so many bytes.
    Break(usize),
    /// The byte at this place is altered.
    Alter(usize),
}

/// The result of a meeting over a pipe, with the counts of caller and listener.
pub struct PipeMeeting {
    /// How it ended.
    pub met: Met,
    /// The counts of the caller.
    pub caller: PeerReport,
    /// The counts of the listener.
    pub listener: PeerReport,
    /// Whether a byte was altered on its way.
    pub is_altered: bool,
}

/// Bytes on their way, to the listener and to the caller.
struct Pipe<'a> {
    ways: [VecDeque<u8>; 2],
    /// Bytes that have arrived.
    carried: usize,
    fault: PipeFault,
    is_altered: bool,
    dice: &'a mut Chance,
}

impl Pipe<'_> {
    fn write(&mut self, way: usize, bytes: &[u8]) {
        for piece in bytes.chunks(MEETING_PIECE_BYTES) {
            self.ways[way].extend(piece);
        }
    }

    /// The direction that brings something now; `None` when all has arrived.
    fn way(&mut self) -> Option<usize> {
        match [0, 1].map(|way| self.ways[way].is_empty()) {
            [true, true] => None,
            [false, false] => Some(self.dice.below(2)),
            [is_empty, _] => Some(usize::from(is_empty)),
        }
    }

    /// The next bytes in one direction; `None` when the pipe is broken.
    fn read(&mut self, way: usize) -> Option<Vec<u8>> {
        let waiting = self.ways[way].len();
        let most = if self.dice.one_in(4) { 8 } else { waiting };
        let mut count = 1 + self.dice.below(most.min(waiting).min(MEETING_PIECE_BYTES));
        if let PipeFault::Break(at) = self.fault {
            count = count.min(at.saturating_sub(self.carried));
            if count == 0 {
                return None;
            }
        }
        let mut bytes: Vec<u8> = self.ways[way].drain(..count).collect();
        if let PipeFault::Alter(at) = self.fault
            && (self.carried..self.carried + count).contains(&at)
        {
            bytes[at - self.carried] ^= 1 << self.dice.below(8);
            self.is_altered = true;
        }
        self.carried += count;
        Some(bytes)
    }
}

/// Lets two phones meet over a pipe. In half of the meetings the caller has scanned the code of the
/// listener.
pub fn meet(
    caller: &mut Phone,
    listener: &mut Phone,
    town: &Town,
    fault: PipeFault,
    dice: &mut Chance,
) -> PipeMeeting {
    let mut rng = ChaCha20Rng::from_seed(dice.bytes());
    let key = dice
        .one_in(2)
        .then(|| Arc::new(MeetingKey::generate(&mut rng)));
    let code = key.as_ref().map(|key| key.commitment());
    let (replica, _, their_rng) = caller.parts();
    let begun = Peer::call_to(replica, code, their_rng)
        .and_then(|calls| Ok([calls, Peer::listen_with(listener.replica(), key)?]));
    let mut peers = match begun {
        Ok(peers) => peers,
        Err(error) => {
            return PipeMeeting {
                met: Met::Refused(error.code().to_owned()),
                caller: PeerReport::default(),
                listener: PeerReport::default(),
                is_altered: false,
            };
        }
    };
    let mut pipe = Pipe {
        ways: Default::default(),
        carried: 0,
        fault,
        is_altered: false,
        dice,
    };
    let failed = exchange(&mut peers, &mut [caller, listener], town, &mut pipe);
    let [caller, listener] = peers.each_ref().map(Peer::report);
    let met = match failed {
        Err(error) => Met::Refused(error.code().to_owned()),
        Ok(()) if peers.iter().all(Peer::is_done) => Met::Whole(caller.taken, listener.taken),
        Ok(()) => Met::Parted,
    };
    PipeMeeting {
        met,
        caller,
        listener,
        is_altered: pipe.is_altered,
    }
}

/// Moves bytes until all have arrived, the pipe is broken, or one phone refuses to continue.
fn exchange(
    peers: &mut [Peer; 2],
    phones: &mut [&mut Phone; 2],
    town: &Town,
    pipe: &mut Pipe<'_>,
) -> Result<(), PeerError> {
    loop {
        for (from, peer) in peers.iter_mut().enumerate() {
            pipe.write(from, &peer.output());
        }
        let Some(way) = pipe.way() else { return Ok(()) };
        let Some(bytes) = pipe.read(way) else {
            return Ok(());
        };
        // The caller writes into the first direction, and the listener reads there.
        let to = 1 - way;
        let now_ms = phones[to].clock_ms(town);
        let (replica, _, rng) = phones[to].parts();
        peers[to].received(replica, &bytes, now_ms, rng)?;
    }
}
