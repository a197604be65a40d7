//! A meeting in files: the same admission and the same rights as over a pipe, one way.

use super::meeting::{ids, revocation};
use super::server::*;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::Audience;
use crate::domain::content::Field;
use crate::limits::{BUNDLE_REQUEST_MS_MAX, BUNDLE_REQUESTS_MAX};
use crate::sync::bundle_file::{
    BundleError, BundleFile, BundlePort, ask_by_code, ask_by_file, import, make,
};
use crate::sync::port::{PeerPort, StarPort};
use crate::trust::bundle_seal::SealError;
use crate::trust::session::SessionError;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn by_code(phone: &mut FilePhone, seed: u64) -> Vec<u8> {
    let code = ask_by_code(phone.replica(), NOW, &mut rng(seed)).unwrap();
    code.into_bytes()
}

fn by_file(phone: &mut FilePhone, seed: u64) -> Vec<u8> {
    ask_by_file(phone.replica(), NOW, &mut rng(seed)).unwrap()
}

fn made(phone: &mut FilePhone, request: &[u8]) -> BundleFile {
    make(phone.replica(), request, NOW + 10, &mut rng(9)).unwrap()
}

fn taken(phone: &mut FilePhone, file: &[u8]) -> Result<u32, BundleError> {
    import(phone.replica(), file, NOW + 20).map(|(_, report)| report.taken)
}

fn sealed(error: SealError) -> BundleError {
    error.into()
}

#[test]
fn bundle_brings_the_missing_work_provisionally() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let judged = worker.replica().report(&draft("井盖"), NOW).unwrap();
    server.settle(&mut worker);
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    let request = by_code(&mut dispatcher, 1);
    dispatcher.crash();
    dispatcher.reopen();
    let file = made(&mut worker, &request);
    assert_eq!((file.given, file.more), (2, false));
    assert_eq!(file.peer.facts().device, DISPATCHER_ZHOU.device());
    let (peer, report) = import(dispatcher.replica(), &file.file, NOW + 20).unwrap();
    assert_eq!(peer.facts().device, GRID_WORKER_CHEN.device());
    assert_eq!(report.taken, 2);
    assert_eq!(ids(&mut worker, record), ids(&mut dispatcher, record));
    let row = dispatcher.replica().row(record).unwrap().unwrap();
    assert!(row.provisional, "{row:?}");
    let row = dispatcher.replica().row(judged).unwrap().unwrap();
    assert!(!row.provisional, "the verdict came along: {row:?}");
    // The dispatcher is the courier.
    server.settle(&mut dispatcher);
    server.settle(&mut worker);
    for phone in [&mut worker, &mut dispatcher] {
        let row = phone.replica().row(record).unwrap().unwrap();
        assert!(!row.provisional && row.undelivered == 0, "{row:?}");
    }
}

#[test]
fn request_file_is_answered_with_differences() {
    let town = Deployment::new();
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    for n in 0..20 {
        let draft = draft(&format!("煤气罐 {n}"));
        worker.replica().report(&draft, NOW + n).unwrap();
    }
    let request = by_file(&mut dispatcher, 1);
    let file = made(&mut worker, &request);
    assert_eq!(
        (file.given, taken(&mut dispatcher, &file.file)),
        (20, Ok(20))
    );
    let new = worker.replica().report(&draft("井盖"), NOW + 30).unwrap();
    let request = by_file(&mut dispatcher, 2);
    let file = made(&mut worker, &request);
    assert_eq!((file.given, taken(&mut dispatcher, &file.file)), (1, Ok(1)));
    assert!(dispatcher.replica().row(new).unwrap().is_some());
    let request = by_file(&mut dispatcher, 3);
    assert_eq!(made(&mut worker, &request).given, 0);
    // A QR code names nothing, so everything comes again, and nothing of it is new.
    let request = by_code(&mut dispatcher, 4);
    let file = made(&mut worker, &request);
    assert_eq!(
        (file.given, taken(&mut dispatcher, &file.file)),
        (21, Ok(0))
    );
}

#[test]
fn bundle_holds_only_records_of_its_reader() {
    let town = Deployment::new();
    let (mut worker, mut handler) = (town.phone(GRID_WORKER_CHEN), town.phone(HANDLER_LU));
    let mut colleague = town.phone(GRID_WORKER_XU);
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    let restricted = Draft {
        audience: Audience::Restricted,
        ..draft("线索")
    };
    let secret = worker.replica().report(&restricted, NOW).unwrap();
    for request in [by_code(&mut handler, 1), by_file(&mut handler, 2)] {
        let file = made(&mut worker, &request);
        assert_eq!(file.given, 0);
        assert_eq!(taken(&mut handler, &file.file), Ok(0));
    }
    assert!(handler.replica().rows().unwrap().is_empty());
    let request = by_code(&mut colleague, 3);
    let file = made(&mut worker, &request);
    assert_eq!(taken(&mut colleague, &file.file), Ok(1));
    assert!(colleague.replica().row(record).unwrap().is_some());
    assert!(colleague.replica().row(secret).unwrap().is_none());
}

#[test]
fn wrong_files_are_refused_and_change_nothing() {
    let town = Deployment::new();
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let mut other = town.phone(DISPATCHER_GAO);
    worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    let request = by_code(&mut dispatcher, 1);
    let BundleFile { file, .. } = made(&mut worker, &request);
    let no_request = sealed(SealError::NoRequest);
    assert_eq!(taken(&mut other, &file), Err(no_request), "no request");
    by_code(&mut other, 2);
    assert_eq!(taken(&mut other, &file), Err(no_request), "wrong phone");
    let garbage = sealed(SealError::NotABundle);
    for bytes in [&b""[..], b"OneGrid", &request, &[7; 9_000]] {
        assert_eq!(taken(&mut dispatcher, bytes), Err(garbage));
    }
    let newer = sealed(SealError::Newer);
    assert_eq!(taken(&mut dispatcher, b"OneGridB\x09"), Err(newer));
    let mut damaged = file.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for damaged in [&damaged[..], &file[..file.len() - 1]] {
        assert!(taken(&mut dispatcher, damaged).is_err());
    }
    assert!(dispatcher.replica().rows().unwrap().is_empty());
    assert_eq!(taken(&mut dispatcher, &file), Ok(1), "nothing was lost");
    let again = taken(&mut dispatcher, &file);
    assert_eq!(again, Err(BundleError::ImportedBefore));
    let late = NOW + BUNDLE_REQUEST_MS_MAX + 1;
    let expired = import(dispatcher.replica(), &file, late).unwrap_err();
    assert_eq!(expired, no_request);
    let foreign = Deployment::of_root(5);
    let mut stranger = foreign.phone(GRID_WORKER_LIN);
    let refused = make(stranger.replica(), &request, NOW, &mut rng(1)).unwrap_err();
    assert_eq!(refused, sealed(SealError::OtherDeployment));
    for text in ["ONEGRIDR2:00", "onegridr9:00"] {
        let refused = make(worker.replica(), text.as_bytes(), NOW, &mut rng(1));
        assert_eq!(refused.unwrap_err(), sealed(SealError::Newer));
    }
    for text in ["ONEGRIDR1:", "ONEGRIDR1:UUU", "ONEGRIDR", "网格"] {
        let refused = make(worker.replica(), text.as_bytes(), NOW, &mut rng(1));
        assert_eq!(
            refused.unwrap_err(),
            sealed(SealError::NotARequest),
            "{text}"
        );
    }
}

#[test]
fn revoked_phones_give_and_get_no_bundle() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut thief, mut worker, mut dispatcher) = (
        town.phone(GRID_WORKER_CHEN),
        town.phone(GRID_WORKER_LIN),
        town.phone(DISPATCHER_GAO),
    );
    let record = thief.replica().report(&draft("煤气罐"), NOW).unwrap();
    for phone in [&mut thief, &mut worker, &mut dispatcher] {
        server.settle(phone);
    }
    let title = [FieldEdit::text(Field::Title, "什么也没有")];
    let late = thief.replica().edit(record, &title, NOW + 1).unwrap();
    let request = by_code(&mut dispatcher, 1);
    let of_thief = made(&mut thief, &request);
    // The worker does not know of the revocation yet and takes the late work.
    let asked = by_code(&mut worker, 2);
    assert_eq!(taken(&mut worker, &made(&mut thief, &asked).file), Ok(1));
    let revoked = [revocation(&town, &thief)];
    dispatcher
        .replica()
        .apply_revocations(&revoked, NOW + 2)
        .unwrap();
    let refused = Err(BundleError::Revoked);
    assert_eq!(BundleError::Revoked.code(), "peer.revoked");
    assert_eq!(taken(&mut dispatcher, &of_thief.file), refused);
    assert!(!ids(&mut dispatcher, record).contains(&late));
    let asked = by_code(&mut thief, 3);
    let made_for_thief = make(dispatcher.replica(), &asked, NOW + 3, &mut rng(4));
    assert_eq!(made_for_thief.map(drop), refused.map(drop));
    // The late work of the thief comes from the worker: carried for the server, not applied.
    let of_worker = made(&mut worker, &request);
    taken(&mut dispatcher, &of_worker.file).unwrap();
    assert!(ids(&mut dispatcher, record).contains(&late), "carried");
    let row = dispatcher.replica().row(record).unwrap().unwrap();
    assert_eq!(row.title, "煤气罐", "not applied");
    // The revocation goes over to the worker in the next file.
    let asked = by_code(&mut worker, 5);
    let of_dispatcher = made(&mut dispatcher, &asked);
    taken(&mut worker, &of_dispatcher.file).unwrap();
    let certificate = town.certificate(GRID_WORKER_CHEN);
    assert!(worker.replica().is_revoked(&certificate).unwrap());
}

#[test]
fn phone_without_proof_is_named_the_other_one() {
    let (town, elsewhere) = (Deployment::new(), Deployment::of_root(9));
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_LIN), town.phone(DISPATCHER_GAO));
    let mut foreign = elsewhere.phone(GRID_WORKER_CHEN);
    let refused = make(
        worker.replica(),
        &by_code(&mut foreign, 1),
        NOW,
        &mut rng(2),
    );
    let refused = refused.map(drop).unwrap_err();
    assert_eq!(refused.code(), "bundle.other_deployment");
    // A phone that has the secret of the deployment and no certificate of it.
    for refused in [
        SessionError::BadClientProof,
        SessionError::BadServerProof,
        SessionError::BadCertificate,
    ] {
        let refused = BundleError::from(SealError::from(refused));
        assert_eq!(refused, BundleError::NotProved);
    }
    let revoked = BundleError::from(SealError::from(SessionError::Revoked));
    assert_eq!(revoked, BundleError::Revoked);
    assert!(
        make(
            worker.replica(),
            &by_code(&mut dispatcher, 3),
            NOW,
            &mut rng(4)
        )
        .is_ok()
    );
}

#[test]
fn files_tell_a_bystander_nothing() {
    let town = Deployment::new();
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let title = "竹竿巷小吃店又堆煤气罐";
    let record = worker.replica().report(&draft(title), NOW).unwrap();
    let mut bytes = by_file(&mut dispatcher, 1);
    let code = String::from_utf8(by_code(&mut dispatcher, 2)).unwrap();
    bytes.extend(crate::base32::decode(&code["ONEGRIDR1:".len()..]).unwrap());
    bytes.extend(made(&mut worker, &by_file(&mut dispatcher, 3)).file);
    let mut planted: Vec<Vec<u8>> = vec![title.into(), record.0.to_vec()];
    for person in [GRID_WORKER_CHEN, DISPATCHER_ZHOU] {
        planted.push(person.device().0.to_vec());
        planted.push(person.member().0.to_vec());
        planted.push(person.key().public().as_bytes().to_vec());
        planted.push(town.certificate(person).hash().as_bytes().to_vec());
    }
    planted.push(town.authority().0.as_bytes().to_vec());
    for needle in planted {
        let spelled = needle
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        for needle in [&needle[..], spelled.as_bytes()] {
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{spelled} shows");
        }
    }
}

#[test]
fn only_the_newest_requests_are_kept() {
    let town = Deployment::new();
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let first = by_code(&mut dispatcher, 1);
    let second = by_code(&mut dispatcher, 2);
    for n in 2..=BUNDLE_REQUESTS_MAX as u64 {
        by_code(&mut dispatcher, 1 + n);
    }
    let kept = dispatcher.replica().pending_requests().unwrap();
    assert_eq!(kept.len(), BUNDLE_REQUESTS_MAX);
    let gone = made(&mut worker, &first);
    let refused = taken(&mut dispatcher, &gone.file);
    assert_eq!(refused, Err(sealed(SealError::NoRequest)));
    let here = made(&mut worker, &second);
    assert_eq!(taken(&mut dispatcher, &here.file), Ok(0));
    let late = NOW + BUNDLE_REQUEST_MS_MAX + 1;
    ask_by_code(dispatcher.replica(), late, &mut rng(99)).unwrap();
    assert_eq!(dispatcher.replica().pending_requests().unwrap().len(), 1);
}

/// Their private keys would open every file of a chat.
#[test]
fn expired_requests_go_with_sync_and_import() {
    let town = Deployment::new();
    let (mut server, mut phone) = (Server::new(&town), town.phone(DISPATCHER_ZHOU));
    let late = NOW + BUNDLE_REQUEST_MS_MAX + 1;
    let pending = |phone: &mut FilePhone| phone.replica().pending_requests().unwrap().len();
    by_code(&mut phone, 1);
    let answer = server.exchange(&mut phone);
    phone.replica().apply(&answer, late - 1).unwrap();
    assert_eq!(pending(&mut phone), 1);
    let answer = server.exchange(&mut phone);
    phone.replica().apply(&answer, late).unwrap();
    assert_eq!(pending(&mut phone), 0);
    by_code(&mut phone, 2);
    import(phone.replica(), b"no file", late).unwrap_err();
    assert_eq!(pending(&mut phone), 0);
}
