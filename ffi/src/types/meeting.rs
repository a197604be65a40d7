//! Meetings: another phone near by, and files that pass between two phones.

/// A Wi-Fi network that a phone opens for a meeting.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Hotspot {
    /// Its name (SSID), 1 to 32 bytes.
    pub name: String,
    /// Its password, at most 63 bytes; empty for an open network.
    pub password: String,
}

/// The part of the code of a meeting that an app needs before it calls.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MeetingCodeInfo {
    /// The network that this phone has to join first, if the other phone opened one.
    pub hotspot: Option<Hotspot>,
    /// The addresses of the other phone, each with its port.
    pub addresses: Vec<String>,
}

/// The announcement of a listening phone for the discovery of the host. It tells no name.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MeetingService {
    /// The type of the service, `_onegrid._tcp`.
    pub kind: String,
    /// The name of the instance, random for each listener.
    pub name: String,
    /// The port.
    pub port: u16,
    /// The record of texts.
    pub txt: Vec<ServiceText>,
}

/// One line of the record of texts of a service.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ServiceText {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// The end of a pipe that this phone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum MeetingSide {
    /// The phone that opened the pipe.
    Caller,
    /// The phone that accepted it.
    Listener,
}

/// The result of a meeting, or of an imported file.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MeetingReport {
    /// The member of the other phone.
    pub member: Option<String>,
    /// The other phone.
    pub device: String,
    /// Envelopes that this phone handed over.
    pub given: u32,
    /// Envelopes, packs and entries that were new here.
    pub taken: u32,
    /// Whether the other phone carries a parcel to the server now: undelivered work that its member may not read,
    /// sealed. A file carries none.
    pub parcel_given: bool,
    /// Whether this phone carries a parcel of the other one now.
    pub parcel_taken: bool,
    /// Photos and recordings that were asked for and are now whole here.
    pub files_taken: u32,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
}

/// How far the meeting under way has come; after it, its last state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct MeetingProgress {
    /// Whether both phones have proved their keys.
    pub introduced: bool,
    /// Envelopes that this phone handed over so far.
    pub given: u32,
    /// Envelopes, packs and entries that were new here so far.
    pub taken: u32,
    /// Bytes sent so far.
    pub bytes_up: u64,
    /// Bytes received so far.
    pub bytes_down: u64,
}

/// The parcels of other phones that this phone carries to the server, and the numbers of earlier ones, since the
/// phone was enrolled. A parcel is sealed, so this phone knows neither its author nor its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct ParcelCounts {
    /// Parcels that wait for the next sync, at most 32.
    pub carried: u64,
    /// Their bytes, at most 8 MiB.
    pub bytes: u64,
    /// The time when the oldest of them was received, ms UTC.
    pub oldest_ms: Option<i64>,
    /// Parcels that the server took, or had already from another phone.
    pub taken: u64,
    /// Parcels that the server refused. Their authors still have the work.
    pub refused: u64,
    /// Parcels that this phone dropped before a sync, because they were older than 14 days or there were too many.
    /// Their authors still have the work.
    pub dropped: u64,
}

/// A file for the phone that asked for it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct BundleFile {
    /// The bytes of the file. Only the phone that asked can open it.
    pub file: Vec<u8>,
    /// The member of the phone that asked.
    pub member: Option<String>,
    /// Envelopes in the file.
    pub given: u32,
    /// Whether the file became full before everything was in it. The oldest records are left out; a request
    /// that is a file brings the rest.
    pub more: bool,
}
