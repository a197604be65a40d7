//! A server with 200,000 records and a hundred phones: memory, and the time that a phone waits for “nothing
//! new”.
//!
//! 1. All phones come for the first time at once; two of them are district leads who begin to pull all
//!    200,000 records.
//! 2. The others stay connected (`GET /v1/live`) and ask again and again.
//! 3. Some report and edit; wake-ups leave the server, and other phones pull.

use std::sync::Arc;
use std::time::{Duration, Instant};

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::content::{Field, FieldValue};
use onegrid_core::net::{NetError, Roots, State, now_ms};
use onegrid_core::replica::Filter;
use onegrid_server::store::StoreError;
use tokio::task::JoinSet;

use super::deployment::{Deployment, MemberLine, Serving};
use super::people::wait;
use super::process;
use super::recipe::{Grids, MANY_RECORDS};
use super::table::{Table, percentiles};
use crate::histories::{self, History};
use crate::onegrid::{OnlinePhone, way_to};

const BENCH: &str =
    "a server with 200,000 records and 100 phones, HTTP/1.1 over loopback, a process of its own";
const PHONES: usize = 100;
const DISPATCHERS: usize = 5;
const LEADS: usize = 2;
/// Workers in the villages with the most cases.
const BUSY_WORKERS: usize = 1;
const LEAD: &str = "district_lead";
const WORKER: &str = "grid_worker";
const HANDLERS: usize = 2;
/// Requests of each phone.
const ROUNDS: usize = 10;
/// Phones that ask at the same time.
const LANES: usize = 4;
/// Phones that write.
const WRITERS: usize = 20;
const MEMORY_MB_MAX: f64 = 400.0;
/// Restarts of a sync that a phone may need when this machine is too busy.
const TRIES_MAX: u32 = 20;
/// The longest time for any step before the bench gives up.
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) fn measure(table: &mut Table) {
    eprintln!("crowd");
    let histories = histories::read();
    let deployment = Deployment::of(&MANY_RECORDS);
    let people = people(&Grids::of(&histories));
    let codes = deployment.invite(&people);
    let invited: Vec<(MemberLine, String)> = people.into_iter().zip(codes).collect();
    let mut crowd = Crowd {
        table,
        serving: deployment.serve(),
        histories,
    };
    let begin = process::resident_mb_of(crowd.serving.pid());
    crowd.note("memory of the server before anybody comes", begin, "MB");
    wait(async {
        let phones = crowd.first_loads(invited).await;
        let (phones, live) = crowd.connect(phones).await;
        crowd.nothing_new(&phones).await;
        crowd.changes(&phones).await;
        drop(live);
    });
    let office = deployment.office();
    let count = office.store().read::<_, StoreError>(|tx| tx.counts());
    let counts = count.unwrap();
    crowd.note("records of the server", counts.records as f64, "records");
    let envelopes = counts.envelopes as f64;
    crowd.note("envelopes of the server", envelopes, "envelopes");
    let pid = crowd.serving.pid();
    crowd.note("CPU of the server, all", process::cpu_s_of(pid), "s");
    let now = process::resident_mb_of(pid);
    crowd.note("memory of the server at the end", now, "MB");
    let peak = process::peak_mb_of(pid);
    let name = "peak memory of the server";
    crowd.table.budget(BENCH, name, peak, "MB", MEMORY_MB_MAX);
}

/// Returns the leads first, then handlers, dispatchers, and grid workers, each worker in another village.
fn people(grids: &Grids) -> Vec<MemberLine> {
    let mut people = Vec::with_capacity(PHONES);
    let name = |n: usize| format!("bench-crowd-{n}");
    for n in 0..LEADS {
        people.push(MemberLine::new(&name(n), LEAD, "330105000000"));
    }
    for _ in 0..HANDLERS {
        people.push(MemberLine::idle_handler(&name(people.len())));
    }
    for town in grids.quiet_towns().iter().rev().take(DISPATCHERS) {
        people.push(MemberLine::new(&name(people.len()), "dispatcher", town));
    }
    let busy = grids.busy.iter().take(BUSY_WORKERS);
    for grid in busy.chain(&grids.quiet).take(PHONES - people.len()) {
        people.push(MemberLine::new(&name(people.len()), WORKER, grid));
    }
    assert_eq!(people.len(), PHONES);
    people
}

struct Member {
    role: &'static str,
    areas: String,
    phone: OnlinePhone,
}

struct Crowd<'a> {
    table: &'a mut Table,
    serving: Serving,
    histories: Vec<History>,
}

impl Crowd<'_> {
    fn note(&mut self, name: &str, value: f64, unit: &'static str) {
        self.table.note(BENCH, name, value, unit);
    }

    /// Enrols everybody and pulls at once. Returns the phones that have everything: all phones except the
    /// leads'.
    async fn first_loads(&mut self, invited: Vec<(MemberLine, String)>) -> Vec<Member> {
        let start = Instant::now();
        let way = way_to(&self.serving.url, Roots::default());
        let (mut leads, mut others) = (JoinSet::new(), JoinSet::new());
        for (person, code) in invited {
            let way = way.clone();
            let enrolled = async move { OnlinePhone::enrol(&code, &way).await.unwrap() };
            if person.role == LEAD {
                leads.spawn(async move {
                    let phone = enrolled.await;
                    let begun = phone.driver.clone();
                    let whole = tokio::spawn(async move { begun.sync_once().await });
                    (phone, whole)
                });
            } else {
                others.spawn(async move {
                    let phone = enrolled.await;
                    let broken = insist(&phone).await;
                    let member = Member {
                        role: person.role,
                        areas: person.areas,
                        phone,
                    };
                    (member, broken)
                });
            }
        }
        let came = others.join_all().await;
        let broken: u32 = came.iter().map(|(_, broken)| broken).sum();
        let phones: Vec<Member> = came.into_iter().map(|(member, _)| member).collect();
        let leads = leads.join_all().await;
        let wall = start.elapsed().as_secs_f64();
        let count = |phone: &OnlinePhone| phone.replica().count(&Filter::default()).unwrap();
        let records: u64 = phones.iter().map(|member| count(&member.phone)).sum();
        let of_leads: u64 = leads.iter().map(|(phone, _)| count(phone)).sum();
        for (phone, whole) in leads {
            phone.driver.cancel();
            drop(whole.await);
        }
        self.note(
            "phones that came at once for the first time",
            PHONES as f64,
            "phones",
        );
        self.note("records that 98 of them pulled", records as f64, "records");
        self.note("wall until these 98 had everything", wall, "s");
        let name = "times that a phone broke off for lack of an answer, and went on";
        self.note(name, f64::from(broken), "");
        let name = "records that two district leads pulled meanwhile, not to the end";
        self.note(name, of_leads as f64, "records");
        let peak = process::peak_mb_of(self.serving.pid());
        self.note("peak memory of the server so far", peak, "MB");
        phones
    }

    /// Runs the drivers as the app does; returns when every phone holds a wake-up connection.
    async fn connect(&mut self, phones: Vec<Member>) -> (Arc<Vec<Member>>, JoinSet<()>) {
        let mut live = JoinSet::new();
        for Member { phone, .. } in &phones {
            let driver = phone.driver.clone();
            live.spawn(async move { driver.run().await });
        }
        let wanted = phones.len();
        let url = self.serving.url.clone();
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        let all = async {
            loop {
                ticks.tick().await;
                let url = url.clone();
                let seated = tokio::task::spawn_blocking(move || listeners(&url));
                if seated.await.unwrap() >= wanted {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, all).await.unwrap();
        self.note("live connections", wanted as f64, "phones");
        (Arc::new(phones), live)
    }

    async fn nothing_new(&mut self, phones: &Arc<Vec<Member>>) {
        let before = process::cpu_s_of(self.serving.pid());
        let mut lanes = JoinSet::new();
        for lane in 0..LANES {
            let phones = Arc::clone(phones);
            lanes.spawn(async move {
                let mut samples = Vec::new();
                for _ in 0..ROUNDS {
                    for Member { phone, .. } in phones.iter().skip(lane).step_by(LANES) {
                        samples.push(ask(phone).await);
                    }
                }
                samples
            });
        }
        let mut samples: Vec<f64> = lanes.join_all().await.into_iter().flatten().collect();
        let cpu = process::cpu_s_of(self.serving.pid()) - before;
        let count = samples.len() as f64;
        let (median, p99) = percentiles(&mut samples);
        self.note("nothing changed: syncs, 4 at a time", count, "syncs");
        self.note("nothing changed: median, phone and server", median, "ms");
        self.note("nothing changed: p99, phone and server", p99, "ms");
        let each = cpu / count * 1e3;
        self.note("nothing changed: CPU of the server each", each, "ms");
    }

    /// Lets the grid workers report and edit at the same time.
    async fn changes(&mut self, phones: &Arc<Vec<Member>>) {
        let mut writers = JoinSet::new();
        let workers = phones.iter().enumerate();
        let workers = workers.filter(|(_, member)| member.role == WORKER);
        for (n, member) in workers.take(WRITERS) {
            let history = self.histories[n].clone().moved_to(&member.areas);
            let phones = Arc::clone(phones);
            writers.spawn(async move {
                write(&phones[n].phone, &history);
                ask(&phones[n].phone).await
            });
        }
        let mut samples = writers.join_all().await;
        assert_eq!(samples.len(), WRITERS);
        let (median, p99) = percentiles(&mut samples);
        let name = "20 phones write a report and an edit each, at once";
        self.note(&format!("{name}: median"), median, "ms");
        self.note(&format!("{name}: p99"), p99, "ms");
        // Every phone asks once more, so the records of the others arrive.
        for Member { phone, .. } in phones.iter() {
            ask(phone).await;
            assert_eq!(phone.replica().undelivered().unwrap(), 0);
        }
    }
}

/// Syncs as the app does until everything has arrived; returns the number of restarts.
async fn insist(phone: &OnlinePhone) -> u32 {
    for broken in 0..TRIES_MAX {
        match phone.driver.sync_once().await {
            Ok(report) => {
                assert!(report.equal, "{report:?}");
                return broken;
            }
            Err(NetError::Offline) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no sync in {TRIES_MAX} tries");
}

/// Writes a report and an edit of it.
fn write(phone: &OnlinePhone, history: &History) {
    let mut replica = phone.replica();
    let record = replica.report(&history.draft(), now_ms()).unwrap();
    let note = "已到现场，照片稍后补。".to_owned();
    let edit = FieldEdit::set(Field::Answer("visit".into()), FieldValue::Text(note));
    replica.edit(record, &[edit], now_ms()).unwrap();
}

/// Returns the time until the phone is up to date again, ms.
async fn ask(phone: &OnlinePhone) -> f64 {
    let mut status = phone.driver.status();
    status.mark_unchanged();
    let start = Instant::now();
    phone.driver.notify();
    let done = async {
        loop {
            status.changed().await.unwrap();
            let now = status.borrow_and_update();
            if now.state == State::UpToDate {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, done).await.unwrap();
    start.elapsed().as_secs_f64() * 1e3
}

/// Returns the number of phones that wait for wake-ups, from the server's metrics.
fn listeners(url: &str) -> usize {
    use std::io::{Read as _, Write as _};
    let address = url.split_once("://").unwrap().1;
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    let ask = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    socket.write_all(ask.as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("onegrid_live_connections "));
    line.and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}
