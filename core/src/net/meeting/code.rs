//! The content of the QR code by which a phone finds another one and knows that it is the right one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::error::MeetingError;
use crate::base32;
use crate::cbor::canonical;
use crate::cbor::list::list;
use crate::id::Hash;
use crate::limits::{
    HOTSPOT_NAME_BYTES_MAX, HOTSPOT_PASSWORD_BYTES_MAX, MEETING_ADDRESSES_MAX,
    MEETING_CODE_CHARS_MAX,
};
use crate::trust::meeting_key::Commitment;

const PREFIX: &str = "ONEGRIDM1:";
const PREFIX_ANY: &str = "ONEGRIDM";
const CHECK_BYTES: usize = 4;

/// A Wi-Fi network that a phone opens for the meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hotspot {
    /// Its name (SSID).
    pub name: String,
    /// Its password; empty for an open network.
    pub password: String,
}

/// A checked code: addresses in a network nearby, and the commitment to the key of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingCode {
    hotspot: Option<Hotspot>,
    addresses: Vec<SocketAddr>,
    commitment: Commitment,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Place {
    #[n(0)]
    ip: ByteVec,
    #[n(1)]
    port: u16,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Payload {
    #[n(0)]
    commitment: Commitment,
    #[cbor(n(1), decode_with = "list::<MEETING_ADDRESSES_MAX, _, _>")]
    places: Vec<Place>,
    #[n(2)]
    hotspot: Option<(String, String)>,
}

impl MeetingCode {
    /// A code. `None` without an address, with too many, or with a hotspot that cannot be.
    #[must_use]
    pub(super) fn new(
        hotspot: Option<Hotspot>,
        addresses: Vec<SocketAddr>,
        commitment: Commitment,
    ) -> Option<Self> {
        let count = 1..=MEETING_ADDRESSES_MAX;
        let usable = |at: &SocketAddr| is_nearby(at.ip()) && at.port() != 0;
        let sound = count.contains(&addresses.len())
            && addresses.iter().all(usable)
            && hotspot.as_ref().is_none_or(can_be);
        sound.then_some(Self {
            hotspot,
            addresses,
            commitment,
        })
    }

    /// The network to join first.
    #[must_use]
    pub fn hotspot(&self) -> Option<&Hotspot> {
        self.hotspot.as_ref()
    }

    /// The addresses of the listener.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The hash of the listener's key.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        self.commitment
    }
}

/// The text of the QR code: upper case and digits only, which a QR code packs tightly.
impl std::fmt::Display for MeetingCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = |at: &SocketAddr| Place {
            ip: match at.ip() {
                IpAddr::V4(ip) => ip.octets().to_vec().into(),
                IpAddr::V6(ip) => ip.octets().to_vec().into(),
            },
            port: at.port(),
        };
        let payload = Payload {
            commitment: self.commitment,
            places: self.addresses.iter().map(place).collect(),
            hotspot: self
                .hotspot
                .clone()
                .map(|hotspot| (hotspot.name, hotspot.password)),
        };
        let mut bytes = minicbor::to_vec(&payload).map_err(|_| std::fmt::Error)?;
        bytes.extend(check(&bytes));
        write!(f, "{PREFIX}{}", base32::encode(&bytes))
    }
}

impl FromStr for MeetingCode {
    type Err = MeetingError;

    fn from_str(text: &str) -> Result<Self, MeetingError> {
        let text = text.trim();
        if text.len() > MEETING_CODE_CHARS_MAX {
            return Err(MeetingError::BadCode);
        }
        let starts = |prefix: &str| {
            text.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if !starts(PREFIX) {
            let newer = starts(PREFIX_ANY);
            return Err(if newer {
                MeetingError::NewerCode
            } else {
                MeetingError::BadCode
            });
        }
        parse(&text[PREFIX.len()..]).ok_or(MeetingError::BadCode)
    }
}

fn parse(text: &str) -> Option<MeetingCode> {
    let bytes = base32::decode(text)?;
    let at = bytes.len().checked_sub(CHECK_BYTES)?;
    let (payload, sum) = bytes.split_at(at);
    if sum != check(payload) {
        return None;
    }
    canonical::check(payload).ok()?;
    let read: Payload = canonical::decode_signed(payload)?;
    let places = read.places.iter().map(|place| {
        let ip = match place.ip.len() {
            4 => IpAddr::from(<[u8; 4]>::try_from(place.ip.as_slice()).ok()?),
            16 => IpAddr::from(<[u8; 16]>::try_from(place.ip.as_slice()).ok()?),
            _ => return None,
        };
        Some(SocketAddr::new(ip, place.port))
    });
    let hotspot = read
        .hotspot
        .map(|(name, password)| Hotspot { name, password });
    MeetingCode::new(hotspot, places.collect::<Option<_>>()?, read.commitment)
}

fn check(payload: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = Hash::of(&[b"onegrid.meeting.code", payload]);
    let mut sum = [0; CHECK_BYTES];
    sum.copy_from_slice(&hash.as_bytes()[..CHECK_BYTES]);
    sum
}

fn can_be(hotspot: &Hotspot) -> bool {
    let plain = |text: &str| !text.chars().any(char::is_control);
    (1..=HOTSPOT_NAME_BYTES_MAX).contains(&hotspot.name.len())
        && hotspot.password.len() <= HOTSPOT_PASSWORD_BYTES_MAX
        && plain(&hotspot.name)
        && plain(&hotspot.password)
}

/// Whether an address can be of a phone in the same network. A code must not lead a phone to a
/// machine on the internet.
pub(super) fn is_nearby(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || is_of_a_carrier(ip)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

/// 100.64.0.0/10 (RFC 6598), which some hotspots give out.
fn is_of_a_carrier(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && second & 0b1100_0000 == 64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;
    use crate::wire::golden_tests::golden;

    fn code(hotspot: Option<Hotspot>, addresses: &[&str]) -> Option<MeetingCode> {
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        MeetingCode::new(hotspot, addresses.collect(), Commitment([7; 16]))
    }

    fn hotspot(name: &str, password: &str) -> Hotspot {
        let (name, password) = (name.to_owned(), password.to_owned());
        Hotspot { name, password }
    }

    #[test]
    fn code_returns_from_its_text() {
        let addresses = ["192.168.43.1:40123", "[fd00::7]:40123"];
        for code in [
            code(None, &addresses).unwrap(),
            code(Some(hotspot("网格 7", "12345678")), &addresses[..1]).unwrap(),
            code(Some(hotspot(&"x".repeat(32), &"y".repeat(63))), &addresses).unwrap(),
        ] {
            let text = code.to_string();
            assert!(text.len() < 320, "{} characters", text.len());
            assert_eq!(text.parse(), Ok(code.clone()));
            let typed = format!(" {}\n", text.to_lowercase());
            assert_eq!(typed.parse(), Ok(code));
        }
    }

    #[test]
    fn texts_of_codes_never_change() {
        let addresses = ["192.168.43.1:40123", "[fd00::7]:40123"];
        let codes = [
            code(None, &addresses),
            code(Some(hotspot("网格 7", "12345678")), &addresses[..1]),
            code(Some(hotspot("a", "")), &addresses[..1]),
        ];
        let texts = codes.map(|code| code.unwrap().to_string()).to_vec();
        golden("meeting_code", &minicbor::to_vec(texts).unwrap());
    }

    #[test]
    fn absent_network_is_not_written_as_null() {
        let payload = [
            &[0x83, 0x50][..],
            &[7; 16],
            &[0x81, 0x82, 0x44, 10, 0, 0, 1, 9, 0xf6],
        ];
        let mut bytes = payload.concat();
        assert!(canonical::check(&bytes).is_ok());
        bytes.extend(check(&bytes));
        let text = format!("{PREFIX}{}", base32::encode(&bytes));
        assert_eq!(text.parse::<MeetingCode>(), Err(MeetingError::BadCode));
    }

    #[test]
    fn damaged_and_foreign_texts_are_refused() {
        let text = code(Some(hotspot("a", "")), &["10.0.0.1:9"])
            .unwrap()
            .to_string();
        for at in PREFIX.len()..text.len() {
            let mut damaged = text.clone();
            let other = if &text[at..=at] == "7" { "8" } else { "7" };
            damaged.replace_range(at..=at, other);
            let refused = damaged.parse::<MeetingCode>();
            assert_eq!(refused, Err(MeetingError::BadCode), "character {at}");
            let cut = text[..at].parse::<MeetingCode>();
            assert_eq!(cut, Err(MeetingError::BadCode), "cut at {at}");
        }
        for other in [
            "",
            "ONEGRID1:0000",
            "https://grid.example",
            "网",
            "ONEGRIDM1:",
        ] {
            assert_eq!(other.parse::<MeetingCode>(), Err(MeetingError::BadCode));
        }
        let long = format!("{text}{}", "0".repeat(MEETING_CODE_CHARS_MAX));
        assert_eq!(long.parse::<MeetingCode>(), Err(MeetingError::BadCode));
        let newer = text.replace("ONEGRIDM1", "ONEGRIDM2");
        assert_eq!(newer.parse::<MeetingCode>(), Err(MeetingError::NewerCode));
    }

    #[test]
    fn code_leads_to_phones_nearby_alone() {
        for far in [
            "8.8.8.8:443",
            "[2001:db8::1]:443",
            "0.0.0.0:9",
            "10.0.0.1:0",
        ] {
            assert_eq!(code(None, &[far]), None, "{far}");
        }
        assert_eq!(code(None, &[]), None);
        assert_eq!(code(None, &["10.0.0.1:9"; 5]), None);
        for bad in [
            hotspot("", "12345678"),
            hotspot(&"x".repeat(33), ""),
            hotspot("a", &"y".repeat(64)),
            hotspot("a\nb", ""),
        ] {
            assert_eq!(code(Some(bad), &["10.0.0.1:9"]), None);
        }
    }
}
