//! A fault that a recorded disk shows at a chosen call.

use std::io;

/// The calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// A file is synced.
    Sync,
    /// A file is cut.
    Cut,
    /// A file is opened.
    Open,
}

/// The way in which a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The disk is full: half of a write arrives.
    Full,
    /// The device reports an error, and nothing happens.
    Device,
    /// A read ends early.
    Short,
}

/// A failure at the nth call of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The kind of call.
    pub call: Call,
    /// The number of the call, from 1, counted from [`Recording::fail`](crate::Recording::fail).
    pub nth: u64,
    /// The failure.
    pub failure: Failure,
    /// Whether later calls of this kind fail too, until the disk is mended.
    pub lasts: bool,
}

impl Failure {
    /// The error of the operating system for this failure.
    #[must_use]
    pub fn error(self) -> io::Error {
        match self {
            Self::Full => io::ErrorKind::StorageFull.into(),
            Self::Device => io::Error::other("the device reports an error"),
            Self::Short => io::ErrorKind::UnexpectedEof.into(),
        }
    }
}

/// Counts calls and decides which of them fail.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: Option<Fault>,
    seen: u64,
    shown: u64,
}

impl Faults {
    pub(crate) fn arm(&mut self, fault: Fault) {
        *self = Self {
            armed: Some(fault),
            seen: 0,
            shown: 0,
        };
    }

    /// Ends the faults. Returns the number of calls that failed.
    pub(crate) fn mend(&mut self) -> u64 {
        self.armed = None;
        self.shown
    }

    pub(crate) fn on(&mut self, call: Call) -> Option<Failure> {
        let fault = self.armed.filter(|fault| fault.call == call)?;
        self.seen += 1;
        let fails = if fault.lasts {
            self.seen >= fault.nth
        } else {
            self.seen == fault.nth
        };
        if !fails {
            return None;
        }
        self.shown += 1;
        Some(fault.failure)
    }
}
