//! Ten thousand changes while a listener of the app takes half a second for each call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use onegrid_core::id::AreaId;
use onegrid_ffi::host::{ChangeListener, ListenerError};
use onegrid_ffi::types::{FieldInput, FieldValue, RecordChanges, ReportDraft};

use super::hand::{Hand, RECORDS};
use crate::bench::figures::say;
use crate::bench::table::at_share;

/// Writes while the listener sleeps.
const CHANGES: u32 = 10_000;
/// Writes without a listener, for comparison.
const ALONE: u32 = 500;
/// The time of one call of the listener.
const SLOW: Duration = Duration::from_millis(500);
/// The longest write; a write that waited for the listener would take longer by [`SLOW`].
const WRITE_MS_MAX: f64 = 250.0;
const GRID: &str = "330105001051001";

/// A listener that takes its time.
#[derive(Default)]
struct Slow {
    calls: AtomicU64,
}

impl ChangeListener for Slow {
    fn changed(&self, _: RecordChanges) -> Result<(), ListenerError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(SLOW);
        Ok(())
    }
}

pub(super) fn measure(hand: &Hand) {
    hand.sync();
    say("records", RECORDS as f64, "records", None);
    let mut alone = writes(hand, ALONE);
    tell("durable report without a listener", &mut alone, None);
    let slow = Arc::new(Slow::default());
    let listener: Arc<dyn ChangeListener> = Arc::clone(&slow) as Arc<dyn ChangeListener>;
    let subscription = hand.phone.subscribe_changes(listener).unwrap();
    let mut beside = writes(hand, CHANGES);
    let name = "durable report while a listener takes 500 ms a call";
    tell(name, &mut beside, Some(WRITE_MS_MAX));
    say("changes", f64::from(CHANGES), "", None);
    let calls = slow.calls.load(Ordering::SeqCst);
    say("calls of the listener for them", calls as f64, "", None);
    subscription.cancel().unwrap();
}

/// Reports this many times; returns the time of each call, ms.
fn writes(hand: &Hand, times: u32) -> Vec<f64> {
    (0..times)
        .map(|n| {
            let draft = draft(n);
            let start = Instant::now();
            hand.phone.report(draft).unwrap();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect()
}

fn draft(n: u32) -> ReportDraft {
    let text = |field: &str, text: String| FieldInput {
        field: field.to_owned(),
        value: FieldValue::Text { text },
    };
    ReportDraft {
        kind: "hazard".to_owned(),
        fields: vec![
            text("title", format!("楼道堆放纸箱 {n}")),
            text(
                "description",
                "安全出口被货架挡住，门从外面锁死。".to_owned(),
            ),
        ],
        position: None,
        area: Some(AreaId::of_first_code(GRID).to_string()),
        restricted: false,
        team: None,
        named: Vec::new(),
        linked: None,
        attachments: Vec::new(),
    }
}

fn tell(name: &str, samples: &mut [f64], longest_max: Option<f64>) {
    for (words, share) in [("median", 50), ("p99", 99)] {
        let value = at_share(samples, share);
        say(&format!("{name}, {words}"), value, "ms", None);
    }
    let longest = at_share(samples, 100);
    say(&format!("{name}, longest"), longest, "ms", longest_max);
}
