//! Gifts of the hostile member (finding A11): packs without the certificates of their authors, to a server that
//! was restored and to phones at a meeting.

use onegrid_core::sync::port::{GiveAsk, StarPort};
use onegrid_core::wire::message::GiveBack;

use super::super::world::{Part, World};
use super::app::{Tricks, take_names_out};

/// Bytes that the hostile member hands over at a meeting.
const GIVEN_BYTES: usize = 1 << 20;

impl World {
    /// Syncs, gives back what the server asks for, and leaves out every name.
    pub(super) fn gives_back_without_names(&mut self, who: usize) -> Result<(), String> {
        let tricks = Tricks {
            nameless: true,
            withholds: self.chance.one_in(2),
            hides_revocations: self.chance.one_in(2),
            ..Tricks::default()
        };
        self.syncs_with(who, &tricks)
    }

    /// Gives another phone records without the names of their authors, also records that its owner may not read.
    pub(super) fn gives_packs_without_names(&mut self, who: usize) -> Result<(), String> {
        let other = self.chance.below(self.people.len());
        if self.people[other].part != Part::Honest {
            return Ok(());
        }
        let mut records = self.records_of(who)?;
        records.truncate(5);
        let ask = GiveAsk {
            records,
            bytes_max: GIVEN_BYTES,
            ..GiveAsk::default()
        };
        let given = self.people[who].phone.replica().give(&ask);
        let mut given = given.map_err(|error| error.code.to_owned())?;
        take_names_out(&mut given);
        let give_back = GiveBack {
            attestations: given.give_back.attestations,
            packs: given.give_back.packs,
            ..GiveBack::default()
        };
        self.reaches_phone(who, other, give_back, given.bundle, "records without names")
    }
}
