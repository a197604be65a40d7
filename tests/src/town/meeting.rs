//! Two phones that meet without a network.

use onegrid_core::sync::peer::Peer;

use super::{Phone, Town};

/// The end of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// The meeting was complete: envelopes that the caller and the other phone imported.
    Whole(u32, u32),
    /// They parted in the middle.
    Parted,
    /// One of the phones refused to continue; the code gives the reason.
    Refused(String),
}

impl Phone {
    /// Meets another phone; this phone calls.
    pub fn meet(&mut self, other: &mut Phone, town: &Town) -> Met {
        self.meet_until(other, town, usize::MAX)
    }

    /// Meets another phone; they part after this many pieces have gone over the air.
    pub fn meet_until(&mut self, other: &mut Phone, town: &Town, pieces_max: usize) -> Met {
        let (here_ms, there_ms) = (self.clock_ms(town), other.clock_ms(town));
        let (replica, _, rng) = self.parts();
        let caller = Peer::call(replica, rng);
        let (theirs, _, _) = other.parts();
        let listener = Peer::listen(theirs);
        let (mut caller, mut listener) = match (caller, listener) {
            (Ok(caller), Ok(listener)) => (caller, listener),
            (Err(error), _) | (_, Err(error)) => return Met::Refused(error.code().to_owned()),
        };
        for _ in 0..pieces_max {
            let (out, back) = (caller.output(), listener.output());
            if out.is_empty() && back.is_empty() {
                break;
            }
            let (theirs, _, their_rng) = other.parts();
            if !out.is_empty()
                && let Err(error) = listener.received(theirs, &out, there_ms, their_rng)
            {
                return Met::Refused(error.code().to_owned());
            }
            let (replica, _, rng) = self.parts();
            if !back.is_empty()
                && let Err(error) = caller.received(replica, &back, here_ms, rng)
            {
                return Met::Refused(error.code().to_owned());
            }
        }
        if caller.is_done() && listener.is_done() {
            Met::Whole(caller.report().taken, listener.report().taken)
        } else {
            Met::Parted
        }
    }
}
