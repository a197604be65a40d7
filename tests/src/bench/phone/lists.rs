//! The time of a list: on a replica at rest, and while a sync writes into it.

use std::thread;
use std::time::{Duration, Instant};

use super::hand::{Hand, RECORDS, ROWS};
use crate::bench::figures::say;
use crate::bench::table::at_share;
use onegrid_ffi::types::Query;

/// The longest time of a page of a list at rest.
const LIST_MS_MAX: f64 = 5.0;
/// The longest time of any list while pages are applied.
const LIST_IN_SYNC_MS_MAX: f64 = 50.0;
/// Lists of each kind at rest.
const TIMES: usize = 400;
/// The pause between two lists during a sync: a thumb that scrolls fast, beside a server on the same
/// machine.
const PAUSE: Duration = Duration::from_millis(2);

pub(super) fn measure(hand: &Hand) {
    in_sync(hand);
    at_rest(hand);
}

/// Lists again and again while a first sync runs. After three answers the sync asks for pages of a
/// mebibyte.
fn in_sync(hand: &Hand) {
    let (report, mut lists) = thread::scope(|scope| {
        let sync = scope.spawn(|| hand.sync());
        let mut lists = Vec::new();
        while !sync.is_finished() {
            lists.push(hand.list());
            thread::sleep(PAUSE);
        }
        (sync.join().unwrap(), lists)
    });
    say("records", RECORDS as f64, "records", None);
    say("bytes down", report.bytes_down as f64, "B", None);
    say("round trips", f64::from(report.round_trips), "", None);
    let name = "list of 50 while pages asked at 1 MiB are applied";
    say(&format!("{name}, times"), lists.len() as f64, "", None);
    for (words, share) in [("median", 50), ("p95", 95)] {
        let value = at_share(&mut lists, share);
        say(&format!("{name}, {words}"), value, "ms", None);
    }
    let longest = at_share(&mut lists, 100);
    let most = Some(LIST_IN_SYNC_MS_MAX);
    say(&format!("{name}, longest"), longest, "ms", most);
}

fn at_rest(hand: &Hand) {
    let mut first: Vec<f64> = (0..TIMES).map(|_| hand.list()).collect();
    tell("first page of a list of 50", &mut first);
    let mut token = None;
    let mut further: Vec<f64> = (0..TIMES)
        .map(|_| {
            let start = Instant::now();
            let page = hand.phone.list(Query::default(), token.take(), ROWS);
            let took = start.elapsed().as_secs_f64() * 1e3;
            token = page.unwrap().next;
            took
        })
        .collect();
    tell("page after page of a list of 50", &mut further);
    let open = Query {
        open: Some(true),
        ..Query::default()
    };
    let mut filtered: Vec<f64> = (0..TIMES)
        .map(|_| {
            let start = Instant::now();
            drop(hand.phone.list(open.clone(), None, ROWS).unwrap());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    tell("open ones, 50", &mut filtered);
}

fn tell(name: &str, samples: &mut [f64]) {
    for (words, share) in [("median", 50), ("p95", 95)] {
        let value = at_share(samples, share);
        say(&format!("{name}, {words}"), value, "ms", Some(LIST_MS_MAX));
    }
}
