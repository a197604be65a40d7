//! The phone SDK's surface: the shared core for Kotlin, Swift and Python, through `UniFFI`.
//!
//! ```text
//!  app ─▶ idiomatic layer (mobile-bindings/) ─▶ Device ─▶ Phone ─▶ core::replica (writer, readers)
//!   ▲                                             │         └────▶ core::net::Driver ─▶ server
//!   └── listeners, on one thread a phone ◀────────┴── core::vault ─▶ the host's KeyVault
//! ```
//!
//! **Contract.** Every export blocks and returns a `Result`; a panic becomes an error with a code. No lock is
//! held while the host is called, except during a call of the vault, which has a thread and a time limit of its
//! own. A call that writes returns once the data is on disk. A subscription ends when it is dropped.
//!
//! **Not here:** rules of the domain (`core::domain`), storage (`core::replica`), the times of a sync and the
//! waiting (`core::net`), suspending functions, flows and the like (`mobile-bindings`).

pub mod device;
mod ending;
pub mod error;
mod events;
pub mod host;
pub mod log;
pub mod phone;
#[cfg(test)]
mod testing;
pub mod types;
mod vault;

pub use error::{Answer, OneGridError};
pub use events::Subscription;
use onegrid_core::limits::MEDIA_INPUT_BYTES_MAX;
use onegrid_core::net::meeting::MeetingCode;
use onegrid_core::texts;
use onegrid_core::trust::invitation::Ticket;
use types::{Hotspot, InvitationInfo, Language, MeetingCodeInfo};

uniffi::setup_scaffolding!();

/// The version of the SDK.
#[uniffi::export]
pub fn version() -> Answer<String> {
    Ok(env!("CARGO_PKG_VERSION").to_owned())
}

/// Every code that has a sentence, for tests that compare tables.
#[uniffi::export]
pub fn error_codes() -> Answer<Vec<String>> {
    Ok(texts::codes().map(str::to_owned).collect())
}

/// The sentence of a code; the code itself if it has none.
#[uniffi::export]
pub fn sentence(code: String, language: Language) -> Answer<String> {
    Ok(texts::text(&code, language.into()).map_or(code, str::to_owned))
}

/// The largest input of `add_attachment`, in bytes: 33,554,432 (32 MiB). An app checks the size of
/// a file before it reads the file into memory.
#[uniffi::export]
pub fn attachment_input_bytes_max() -> Answer<u64> {
    Ok(MEDIA_INPUT_BYTES_MAX as u64)
}

/// Reads an invitation without redeeming it.
///
/// Errors: `invitation.length`, `.character`, `.typo`, `.not_ours`.
#[uniffi::export]
pub fn check_invitation(text: String) -> Answer<InvitationInfo> {
    error::guarded(|| {
        let ticket = Ticket::parse(&text).map_err(|error| OneGridError::of(error.code()))?;
        Ok(InvitationInfo {
            server: ticket.address,
        })
    })
}

/// Reads the code of a meeting, so that an app can join its network before it calls [`phone::Phone::meet`].
///
/// Errors: `meeting.bad_code`, `meeting.newer_code`.
#[uniffi::export]
pub fn check_meeting_code(code: String) -> Answer<MeetingCodeInfo> {
    error::guarded(|| {
        let code: MeetingCode = code.parse()?;
        Ok(MeetingCodeInfo {
            hotspot: code.hotspot().map(|hotspot| Hotspot {
                name: hotspot.name.clone(),
                password: hotspot.password.clone(),
            }),
            addresses: code.addresses().iter().map(ToString::to_string).collect(),
        })
    })
}
