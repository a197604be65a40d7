//! Accounts of one device, and the signed-in member.

use std::sync::Arc;

use super::Word;
use crate::phone::Phone;

/// The configuration of the SDK on one device.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DeviceConfig {
    /// A folder of the app's own, absolute. It may be in a backup, because its files are unreadable without the
    /// vault.
    pub folder: String,
    /// The authorities (PEM) that may certify the server's TLS key, for a deployment with its own; without it
    /// Mozilla's list applies.
    #[uniffi(default = None)]
    pub tls_roots_pem: Option<Vec<u8>>,
    /// Allows `http://` servers outside this device. For tests; never for real data.
    #[uniffi(default = false)]
    pub plain_http_allowed: bool,
}

/// One member's account on this device.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Account {
    /// Names the account on this device.
    pub slot: String,
    /// The name to choose the account by, as given to `add_account`.
    pub name: String,
    /// Whether the account has a PIN.
    pub has_pin: bool,
}

/// An opened account.
#[derive(uniffi::Record)]
pub struct Opened {
    /// The member's replica.
    pub phone: Arc<Phone>,
    /// The steps that opening took.
    pub way_back: WayBack,
}

/// The kind of step that opening a replica took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum WayBackKind {
    /// No step; the replica was in order.
    Opened,
    /// The replica was made, because there was none.
    Created,
    /// An interrupted rescue was finished.
    Resumed,
    /// The file was damaged; its readable part was copied into a new one.
    Rescued,
    /// The file was lost; undelivered work was restored from the second file.
    FromSecondFile,
    /// The host asked to start over. The member enrols again.
    StartedOver,
}

/// The steps that opening a replica took, and the files that it set aside. No file is ever deleted.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct WayBack {
    /// The kind of step.
    pub kind: WayBackKind,
    /// Files that were set aside, absolute.
    pub set_aside: Vec<String>,
    /// Rows that a rescue read and kept; 0 without a rescue.
    pub rows_kept: u64,
    /// Whether a part of a damaged file was unreadable. The next sync brings the delivered work back.
    pub incomplete: bool,
    /// The sentence for the person in Chinese; empty if no step needs one.
    pub zh: String,
    /// The sentence in English.
    pub en: String,
}

/// The content of an invitation before it is redeemed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct InvitationInfo {
    /// The server's address, which a QR code carries; absent in a typed code.
    pub server: Option<String>,
}

/// The member and the device of this phone.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Me {
    /// Whether the phone is enrolled. Before that only `device` is filled in.
    pub enrolled: bool,
    /// The member.
    pub member: Option<String>,
    /// The device; an administrator revokes it by this id.
    pub device: String,
    /// The public name in Chinese; empty until the directory arrives.
    pub zh: String,
    /// The public name in English.
    pub en: String,
    /// The roles that the member holds.
    pub roles: Vec<RoleGrant>,
    /// The role that `act_as` chose.
    pub acting_as: Option<String>,
    /// The server's address.
    pub server: Option<String>,
}

/// A role in an area, zone or unit.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RoleGrant {
    /// Names the role in `act_as`: `<role>@<id of the area, zone or unit>`.
    pub id: String,
    /// The role, in words.
    pub role: Word,
    /// The place of the role, in Chinese.
    pub zh: String,
    /// The place of the role, in English.
    pub en: String,
    /// The unit of a role in a unit.
    pub unit: Option<String>,
    /// The area of a role in an area.
    pub area: Option<String>,
}
