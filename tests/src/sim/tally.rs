//! Counts of events with photos and of meetings over pipes, so that a blind sweep shows.

/// Counts of events with photos in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Photos that records describe.
    pub added: u32,
    /// Photos that the server got.
    pub served: u32,
    /// Requests about photos that ended without an answer.
    pub cut: u32,
    /// Photos that came to a phone from the server.
    pub fetched: u32,
    /// Photos that came to a phone from another one.
    pub exchanged: u32,
    /// Photos that left a phone because its storage was short.
    pub freed: u32,
    /// Photos that a restored server had lost and got again.
    pub given_back: u32,
    /// Meetings over a pipe that came to their end.
    pub meetings: u32,
    /// Meetings over a pipe that broke or were altered.
    pub broken: u32,
    /// Parcels that a phone took along.
    pub parcels: u32,
    /// Photos that a person asked for without the right.
    pub pried: u32,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.added += more.added;
        self.served += more.served;
        self.cut += more.cut;
        self.fetched += more.fetched;
        self.exchanged += more.exchanged;
        self.freed += more.freed;
        self.given_back += more.given_back;
        self.meetings += more.meetings;
        self.broken += more.broken;
        self.parcels += more.parcels;
        self.pried += more.pried;
    }
}
