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
