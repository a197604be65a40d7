//! Meetings with other phones: over TCP, over a pipe of the host, and in files.

use std::net::IpAddr;
use std::sync::Arc;

use onegrid_core::id::{DeviceId, MemberId};
use onegrid_core::net::meeting::{
    self as driver, MeetingCode, MeetingDriver, MeetingError, SERVICE_TYPE, Side, parse_addresses,
};
use onegrid_core::net::{OsRandom, now_ms};
use onegrid_core::replica::Replica;
use onegrid_core::sync::bundle_file;
use onegrid_core::sync::peer::PeerReport;
use onegrid_core::sync::shared::Shared;

use super::sync::runtime;
use super::{Inner, Phone};
use crate::error::{Answer, OneGridError, guarded};
use crate::host::{BytePipe, PipeError};
use crate::types::{
    BundleFile, Hotspot, MeetingProgress, MeetingReport, MeetingService, MeetingSide, ParcelCounts,
    ServiceText,
};
use crate::vault::refuse_in_callback;

type Port = Arc<Shared<Replica>>;

/// Waits for other phones under one shown code, until it is dropped.
#[derive(uniffi::Object)]
pub struct MeetingListener(driver::MeetingListener);

#[uniffi::export]
impl MeetingListener {
    /// Returns the text of the QR code. `addresses` are the addresses of this phone, needed if it
    /// listens at `0.0.0.0`; at one address they have no effect. Those that a caller cannot reach are
    /// left out.
    ///
    /// Errors: `meeting.cannot_listen` without an address of a local network, or with a hotspot that cannot be.
    pub fn code(&self, hotspot: Option<Hotspot>, addresses: Vec<String>) -> Answer<String> {
        guarded(|| {
            let hotspot = hotspot.map(|hotspot| driver::Hotspot {
                name: hotspot.name,
                password: hotspot.password,
            });
            // Android names the interface of a link-local address, as in `fe80::1%wlan0`.
            let bare = |text: &String| text.split('%').next().unwrap_or_default().parse::<IpAddr>();
            let addresses: Result<Vec<_>, _> = addresses.iter().map(bare).collect();
            let addresses = addresses.map_err(|_| MeetingError::BadAddress)?;
            Ok(self.0.code(hotspot, &addresses)?.to_string())
        })
    }

    /// Returns the announcement for the discovery of the host.
    pub fn service(&self) -> Answer<MeetingService> {
        guarded(|| {
            let service = self.0.service();
            let text = |(key, value): &(String, String)| ServiceText {
                key: key.clone(),
                value: value.clone(),
            };
            Ok(MeetingService {
                kind: SERVICE_TYPE.to_owned(),
                name: service.name.clone(),
                port: service.port,
                txt: service.txt.iter().map(text).collect(),
            })
        })
    }
}

#[uniffi::export]
impl Phone {
    /// Listens for other phones at an address of this phone (`0.0.0.0` for all), on a free port. Show the code
    /// of the listener, then call [`Self::accept_meeting`].
    ///
    /// Errors: `meeting.bad_address`, `meeting.cannot_listen`, `replica.not_enrolled`.
    pub fn listen_for_meeting(&self, address: String) -> Answer<Arc<MeetingListener>> {
        self.0.enrolled(|| {
            let address: IpAddr = address.parse().map_err(|_| MeetingError::BadAddress)?;
            let bound = runtime()?.block_on(driver::MeetingListener::bind(address))?;
            Ok(Arc::new(MeetingListener(bound)))
        })
    }

    /// Waits for the next phone and exchanges work with it. Calls of strangers are left. Call it again for the
    /// next phone.
    ///
    /// Errors: `meeting.*`, `peer.no_secret`, `peer.revoked`, `replica.suspended`. Imported work is kept
    /// after any error.
    pub fn accept_meeting(&self, listener: Arc<MeetingListener>) -> Answer<MeetingReport> {
        self.0.met(async |driver| driver.accept(&listener.0).await)
    }

    /// Calls the phone whose code was scanned, and exchanges work with it. No other phone is met.
    ///
    /// Errors: `meeting.*`, `session.other_phone`, `peer.revoked`, `session.wrong_authority`,
    /// `peer.no_secret`, `replica.suspended`. Imported work is kept after any error.
    pub fn meet(&self, code: String) -> Answer<MeetingReport> {
        self.0.met(async |driver| {
            let code: MeetingCode = code.parse()?;
            driver.call(code.addresses(), Some(code.commitment())).await
        })
    }

    /// Calls a phone that the discovery of the host found, at an address with a port, such as
    /// `192.168.43.1:40123`. Any phone of the deployment may answer.
    ///
    /// Errors: as of [`Self::meet`], and `meeting.bad_address`.
    pub fn meet_at(&self, addresses: Vec<String>) -> Answer<MeetingReport> {
        self.0.met(async |driver| {
            let addresses = parse_addresses(&addresses)?;
            driver.call(&addresses, None).await
        })
    }

    /// Exchanges work with the phone at the other end of a pipe of the host. The pipe is closed afterwards.
    ///
    /// Errors: as of [`Self::meet`].
    pub fn meet_over(&self, pipe: Arc<dyn BytePipe>, side: MeetingSide) -> Answer<MeetingReport> {
        let side = match side {
            MeetingSide::Caller => Side::Caller(None),
            MeetingSide::Listener => Side::Listener(None),
        };
        self.0
            .met(async |driver| driver.over(Arc::new(HostPipe(pipe)), side).await)
    }

    /// Returns how far the meeting under way has come. It answers at any time.
    pub fn meeting_progress(&self) -> Answer<MeetingProgress> {
        guarded(|| {
            let progress = *self.0.meeting.borrow();
            let counts = progress.report;
            Ok(MeetingProgress {
                introduced: progress.is_introduced,
                given: counts.given,
                taken: counts.taken,
                bytes_up: counts.bytes_up,
                bytes_down: counts.bytes_down,
            })
        })
    }

    /// Counts the parcels of other phones that this phone carries to the server, and the earlier ones by their end.
    pub fn parcel_counts(&self) -> Answer<ParcelCounts> {
        self.0.read(|reader| {
            let counts = reader.parcel_counts()?;
            Ok(ParcelCounts {
                carried: counts.carried,
                bytes: counts.bytes,
                oldest_ms: counts.oldest_ms,
                taken: counts.taken,
                refused: counts.refused,
                dropped: counts.dropped,
            })
        })
    }

    /// Makes a request for a file of another phone, as the text of a QR code. It is valid for seven days.
    ///
    /// Errors: `replica.not_enrolled`, `peer.no_secret`, `bundle.too_long_for_code`.
    pub fn meeting_request(&self) -> Answer<String> {
        self.0.enrolled(|| {
            let mut port = Arc::clone(&self.0.writer);
            let asked = bundle_file::ask_by_code(&mut port, now_ms(), &mut OsRandom);
            Ok(asked?)
        })
    }

    /// Makes a request for a file of another phone, as a file. It names the state of the records here, so the
    /// answer holds only the differences. It is valid for seven days.
    ///
    /// Errors: `replica.not_enrolled`, `peer.no_secret`.
    pub fn meeting_request_file(&self) -> Answer<Vec<u8>> {
        self.0.enrolled(|| {
            let mut port = Arc::clone(&self.0.writer);
            let asked = bundle_file::ask_by_file(&mut port, now_ms(), &mut OsRandom);
            Ok(asked?)
        })
    }

    /// Answers a request, which is the text of a QR code in UTF-8 or a file. The result is for that phone alone,
    /// and holds only records that its member may read.
    ///
    /// Errors: `bundle.*`, `peer.revoked`, `peer.not_proved`, `peer.no_secret`.
    pub fn make_bundle(&self, request: Vec<u8>) -> Answer<BundleFile> {
        self.0.enrolled(|| {
            let mut port = Arc::clone(&self.0.writer);
            let made = bundle_file::make(&mut port, &request, now_ms(), &mut OsRandom)?;
            Ok(BundleFile {
                member: made.peer.facts().member.map(|member| member.to_string()),
                file: made.file,
                given: made.given,
                more: made.more,
            })
        })
    }

    /// Imports a file that answers a request of this phone. The work in it is provisional until the server has
    /// judged it. After any error the same file may be imported again.
    ///
    /// Errors: `bundle.*`, `peer.revoked`, `peer.not_proved`, `wire.*`.
    pub fn import_bundle(&self, file: Vec<u8>) -> Answer<MeetingReport> {
        let imported = self.0.enrolled(|| {
            let mut port = Arc::clone(&self.0.writer);
            let (peer, counts) = bundle_file::import(&mut port, &file, now_ms())?;
            let facts = peer.facts();
            Ok(report((facts.member, facts.device), counts))
        });
        self.0.brought();
        imported
    }
}

impl Inner {
    /// Meets another phone, and notifies the listeners and the sync of the imported work.
    fn met(
        &self,
        meet: impl AsyncFnOnce(MeetingDriver<Port>) -> Result<driver::MeetingReport, MeetingError>,
    ) -> Answer<MeetingReport> {
        guarded(|| {
            refuse_in_callback()?;
            let cancel = self.line().token();
            let port = self.call(|| Ok(Arc::clone(&self.writer)))?;
            let driver = MeetingDriver::new(port, cancel).with_progress(self.meeting.clone());
            let met = runtime()?.block_on(meet(driver));
            self.brought();
            let shown = |met: driver::MeetingReport| report((met.member, met.device), met.report);
            self.noted(met.map(shown).map_err(OneGridError::from))
        })
    }

    /// Runs work of a member's phone outside the gate, because each call of the replica takes its own turn.
    fn enrolled<T>(&self, work: impl FnOnce() -> Answer<T>) -> Answer<T> {
        guarded(|| {
            refuse_in_callback()?;
            self.call(|| match self.writer().certificate() {
                Some(_) => Ok(()),
                None => Err(OneGridError::of("replica.not_enrolled")),
            })?;
            self.noted(work())
        })
    }

    /// Another phone may have brought work: shows it, and sends it on.
    fn brought(&self) {
        self.synced();
        self.line().nudge();
    }
}

/// Converts the result of a meeting with a phone of a member.
fn report((member, device): (Option<MemberId>, DeviceId), counts: PeerReport) -> MeetingReport {
    MeetingReport {
        member: member.map(|member| member.to_string()),
        device: device.to_string(),
        given: counts.given,
        taken: counts.taken,
        parcel_given: counts.parcel_given,
        parcel_taken: counts.parcel_taken,
        files_taken: counts.files_taken,
        bytes_up: counts.bytes_up,
        bytes_down: counts.bytes_down,
    }
}

/// A pipe of the host. Its failures are logged and end the meeting.
struct HostPipe(Arc<dyn BytePipe>);

impl driver::BytePipe for HostPipe {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, driver::PipeBroken> {
        let bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX);
        self.0.read(bytes_max).map_err(|error| broken(&error))
    }

    fn write(&self, bytes: &[u8]) -> Result<(), driver::PipeBroken> {
        self.0.write(bytes.to_vec()).map_err(|error| broken(&error))
    }

    fn close(&self) {
        if let Err(error) = self.0.shut() {
            broken(&error);
        }
    }
}

fn broken(PipeError::Failed { reason }: &PipeError) -> driver::PipeBroken {
    tracing::warn!(code = "meeting.broken", reason, "a pipe of the host failed");
    driver::PipeBroken
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::device::open_device;
    use crate::testing::MemoryVault;
    use crate::types::DeviceConfig;

    /// Counts how often it was shut.
    #[derive(Default)]
    struct CountingPipe(AtomicU32);

    impl BytePipe for CountingPipe {
        fn read(&self, _: u32) -> Result<Vec<u8>, PipeError> {
            Ok(Vec::new())
        }

        fn write(&self, _: Vec<u8>) -> Result<(), PipeError> {
            Ok(())
        }

        fn shut(&self) -> Result<(), PipeError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let reason = "a bug of the host".to_owned();
            Err(PipeError::Failed { reason })
        }
    }

    #[test]
    fn own_addresses_may_name_their_interface() {
        let everywhere = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        let bound = driver::MeetingListener::bind(everywhere);
        let listener = MeetingListener(runtime().unwrap().block_on(bound).unwrap());
        let own = ["fe80::1%wlan0", "192.168.43.1"].map(str::to_owned);
        let code = listener.code(None, own.to_vec()).unwrap();
        let code: MeetingCode = code.parse().unwrap();
        let held: Vec<String> = code
            .addresses()
            .iter()
            .map(|at| at.ip().to_string())
            .collect();
        assert_eq!(held, ["192.168.43.1"]);
        let refused = listener.code(None, vec!["wlan0".to_owned()]);
        assert_eq!(refused.unwrap_err().code(), "meeting.bad_address");
    }

    #[test]
    fn phone_without_a_member_meets_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let config = DeviceConfig {
            folder: folder.path().to_str().unwrap().to_owned(),
            tls_roots_pem: None,
            plain_http_allowed: false,
        };
        let device = open_device(config, Arc::new(MemoryVault::default())).unwrap();
        let phone = device.open_single().unwrap().phone;
        let pipe = Arc::new(CountingPipe::default());
        let refused = [
            phone.listen_for_meeting("127.0.0.1".to_owned()).err(),
            phone
                .meet_over(Arc::clone(&pipe) as Arc<dyn BytePipe>, MeetingSide::Caller)
                .err(),
            phone.meeting_request().err(),
            phone.meeting_request_file().err(),
            phone.make_bundle(Vec::new()).err(),
            phone.import_bundle(Vec::new()).err(),
        ];
        for error in refused {
            assert_eq!(error.unwrap().code(), "replica.not_enrolled");
        }
        assert_eq!(
            phone.meet("网格".to_owned()).unwrap_err().code(),
            "meeting.bad_code"
        );
        assert_eq!(pipe.0.load(Ordering::Relaxed), 1, "the pipe is shut");
        let far = phone.meet_at(vec!["8.8.8.8:9".to_owned()]);
        assert_eq!(far.unwrap_err().code(), "meeting.bad_address");
        assert!(!phone.meeting_progress().unwrap().introduced);
        let parcels = phone.parcel_counts().unwrap();
        assert_eq!((parcels.carried, parcels.oldest_ms), (0, None));
        phone.shut().unwrap();
        let late = phone.meet_over(pipe, MeetingSide::Listener);
        assert_eq!(late.unwrap_err().code(), "phone.shut");
    }
}
