//! Two phones with 10,000 records each meet, each with changes that the other lacks. Each is a process of its own.
//!
//! ```text
//!  caller ── TCP over loopback ── listener
//! ```

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::AreaPath;
use onegrid_core::domain::content::{Content, Details, Field};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::id::AreaId;
use onegrid_core::net::meeting::{MeetingDriver, MeetingListener};
use onegrid_core::net::{Cancel, OsRandom, now_ms};
use onegrid_core::replica::{Draft, FileKey, Filter, MarkerFile, Replica, ReplicaOptions, StdDisk};
use onegrid_core::sync::shared::Shared;
use onegrid_core::trust::sign::SecretKey;
use tempfile::TempDir;

use super::deployment::{Deployment, MemberLine};
use super::figures;
use super::people::{enrol, wait};
use super::process;
use super::recipe::DISTRICT_10;
use super::table::Table;
use super::wire::Wire;

/// Changed records on each side, half of them new.
const CHANGED: usize = 25;
const MEETING_S_MAX: f64 = 2.0;
const PEAK_MB_MAX: f64 = 80.0;
const CALLER: &str = "two phones with 10,000 records and 50 differences meet: the caller";
const LISTENER: &str = "two phones with 10,000 records and 50 differences meet: the listener";

pub(super) fn measure(table: &mut Table) {
    eprintln!("meeting");
    let deployment = Deployment::of(&DISTRICT_10);
    let people = ["bench-caller", "bench-listener"]
        .map(|name| MemberLine::new(name, "district_lead", "330105000000"));
    let codes = deployment.invite(&people);
    let serving = deployment.serve();
    let phones: Vec<(TempDir, SecretKey)> = codes
        .iter()
        .map(|code| {
            wait(async {
                let phone = enrol(&Wire::to(&serving.url), code).await;
                phone.sync().await;
                phone.put_away()
            })
        })
        .collect();
    drop(serving);
    let mut listener = start("listen", "-", &phones[1]);
    let mut lines = BufReader::new(listener.stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap();
    let caller = start("call", &address, &phones[0]);
    let called = caller.wait_with_output().unwrap();
    assert!(called.status.success(), "the caller ended well");
    for line in String::from_utf8(called.stdout).unwrap().lines() {
        assert!(figures::take_down(table, CALLER, line), "{line}");
    }
    for line in lines {
        let line = line.unwrap();
        assert!(figures::take_down(table, LISTENER, &line), "{line}");
    }
    assert!(
        listener.wait().unwrap().success(),
        "the listener ended well"
    );
}

fn start(side: &str, address: &str, (folder, signer): &(TempDir, SecretKey)) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["meeting-child", side, address])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let seed = signer.seed();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(seed.as_slice())
        .unwrap();
    child
}

/// The process of one phone: prints its figures, and the listener its address before them.
pub fn child(side: &str, address: &str, folder: &Path) {
    let mut seed = [0; 32];
    std::io::stdin().read_exact(&mut seed).unwrap();
    let mut replica = Replica::open(ReplicaOptions {
        path: folder.join("replica.db"),
        disk: Arc::new(StdDisk),
        file_key: FileKey::new(seed),
        marker: Box::new(MarkerFile::new(folder.join("marker"))),
        signer: SecretKey::from_seed(&seed),
        entropy: Box::new(OsRandom),
    })
    .unwrap();
    change(&mut replica, side);
    meet(replica, side, address);
}

/// Writes what the other phone lacks.
fn change(replica: &mut Replica, side: &str) {
    let home = ["330105000000", "330105001000", "330105001051"].map(AreaId::of_first_code);
    let home = AreaPath::new(&home).unwrap();
    let open = Filter {
        open: Some(true),
        ..Filter::default()
    };
    let page = replica.list(&open, None, 2 * CHANGED).unwrap();
    // The two sides change other records.
    let from = if side == "call" { 0 } else { CHANGED };
    for (n, row) in page.rows.iter().skip(from).take(CHANGED / 2).enumerate() {
        let title = [FieldEdit::text(Field::Title, format!("已复查 {n}"))];
        replica.edit(row.id, &title, now_ms()).unwrap();
    }
    for n in CHANGED / 2..CHANGED {
        let details = Details {
            title: Some(format!("楼道堆放纸箱 {n}")),
            ..Details::default()
        };
        let content = Content::from(Hazard {
            details,
            severity: None,
        });
        let draft = Draft::staff(content, home);
        replica.report(&draft, now_ms()).unwrap();
    }
}

#[allow(clippy::print_stdout, reason = "the other process reads the address")]
fn meet(replica: Replica, side: &str, address: &str) {
    let driver = MeetingDriver::new(Arc::new(Shared::new(replica)), Cancel::new());
    let (met, start, cpu_s) = wait(async {
        let listener = MeetingListener::bind(Ipv4Addr::LOCALHOST.into()).await;
        let listener = listener.unwrap();
        let mut progress = driver.progress();
        // The wait for the other phone does not count.
        let began = async {
            progress.changed().await.unwrap();
            (Instant::now(), process::cpu_s())
        };
        let meeting = async {
            if side == "call" {
                driver.call(&[address.parse().unwrap()], None).await
            } else {
                println!("{}", listener.address());
                driver.accept(&listener).await
            }
        };
        let (met, (start, cpu_s)) = tokio::join!(meeting, began);
        (met.unwrap(), start, cpu_s)
    });
    let (took_s, cpu_s) = (start.elapsed().as_secs_f64(), process::cpu_s() - cpu_s);
    let report = met.report;
    assert!(report.taken as usize >= CHANGED, "{report:?}");
    let bytes = report.bytes_up + report.bytes_down;
    figures::say("time of the meeting", took_s, "s", Some(MEETING_S_MAX));
    figures::say("its CPU time", cpu_s, "s", None);
    figures::say("bytes both ways", bytes as f64, "B", None);
    figures::say("messages received", f64::from(report.messages), "", None);
    figures::say("peak memory", process::peak_mb(), "MB", Some(PEAK_MB_MAX));
}
