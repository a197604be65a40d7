//! A phone with 10,000 records comes back: first without any change, then with 50 changed records on each
//! side. Bytes are those that TCP carries, HTTP heads included.

use std::collections::HashMap;

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::content::{Field, FieldValue};
use onegrid_core::id::RecordId;
use onegrid_core::net::now_ms;
use onegrid_core::replica::{Draft, Filter};
use onegrid_server::server::Server;

use super::bundle_of;
use super::deployment::{Deployment, MemberLine, Serving};
use super::people::{Stock, enrol, sync_counted, wait};
use super::recipe::{DISTRICT_10, Grids, Recipe, VILLAGE_10, VILLAGE_GRID};
use super::table::Table;
use super::wire::Wire;
use crate::histories::{self, History};
use crate::onegrid::OnlinePhone;
use crate::town::MORNING_MS;

const CHANGED: usize = 50;
/// The most bytes of HTTP both ways when nothing has changed.
const IDLE_BYTES_MAX: f64 = 1_000.0;
/// The most bytes of HTTP both ways, as a multiple of the missing signed envelopes in one batch under zstd
/// at level 3.
const RATIO_MAX: f64 = 1.3;

pub(super) fn measure(table: &mut Table) {
    eprintln!("reconnect");
    let worker = MemberLine::new("bench-grid-worker", "grid_worker", VILLAGE_GRID);
    measure_one(table, "a grid worker", &VILLAGE_10, worker);
    let lead = MemberLine::new("bench-lead", "district_lead", "330105000000");
    measure_one(table, "a district lead", &DISTRICT_10, lead);
}

/// A person with a phone at a measured server.
struct Scene<'a> {
    table: &'a mut Table,
    bench: String,
    recipe: &'static Recipe,
    histories: Vec<History>,
    deployment: Deployment,
    office: Server,
    wire: Wire,
    phone: OnlinePhone,
    _serving: Serving,
}

fn measure_one(table: &mut Table, who: &str, recipe: &'static Recipe, person: MemberLine) {
    let deployment = Deployment::of(recipe);
    let codes = deployment.invite(&[person]);
    let serving = deployment.serve();
    let wire = Wire::to(&serving.url);
    wait(async {
        let phone = enrol(&wire, &codes[0]).await;
        phone.sync().await;
        let streams = phone.streams();
        let mut scene = Scene {
            table,
            bench: format!("{who} with 10,000 records comes back, HTTP/1.1 over loopback"),
            recipe,
            histories: histories::read(),
            office: deployment.office(),
            deployment,
            wire,
            phone,
            _serving: serving,
        };
        let records = scene.phone.replica().count(&Filter::default()).unwrap();
        scene.note("records on the phone", records as f64, "records");
        scene.note("streams that it reads", streams as f64, "streams");
        scene.idle().await;
        scene.changed_there().await;
        scene.changed_here().await;
        scene.reported_here().await;
        scene.idle_again().await;
    });
}

impl Scene<'_> {
    fn note(&mut self, name: &str, value: f64, unit: &'static str) {
        self.table.note(&self.bench, name, value, unit);
    }

    fn budget(&mut self, name: &str, value: f64, unit: &'static str, most: f64) {
        self.table.budget(&self.bench, name, value, unit, most);
    }

    async fn idle(&mut self) {
        let (report, bytes) = sync_counted(&self.wire, &self.phone).await;
        let trips = f64::from(report.round_trips);
        self.budget("nothing changed: round trips", trips, "", 1.0);
        self.note("nothing changed: bytes up", bytes.up as f64, "B");
        self.note("nothing changed: bytes down", bytes.down as f64, "B");
        let both = bytes.both() as f64;
        let name = "nothing changed: bytes both ways";
        self.budget(name, both, "B", IDLE_BYTES_MAX);
        let bodies = (report.bytes_up + report.bytes_down) as f64;
        self.note("nothing changed: of these bodies", bodies, "B");
    }

    /// Syncs again after everything else, when both sides must have sent everything.
    async fn idle_again(&mut self) {
        let (report, bytes) = sync_counted(&self.wire, &self.phone).await;
        let trips = f64::from(report.round_trips);
        self.budget("nothing changed again: round trips", trips, "", 1.0);
        let name = "nothing changed again: bytes both ways";
        self.budget(name, bytes.both() as f64, "B", IDLE_BYTES_MAX);
    }

    async fn changed_there(&mut self) {
        let mut cast = self.deployment.cast();
        let grids = Grids::of(&self.histories);
        let mut cases = Vec::with_capacity(CHANGED);
        for case in 0..CHANGED {
            cases.push(self.recipe.write(&mut cast, &self.histories, &grids, case));
        }
        let records: Vec<RecordId> = cases.iter().map(|case| case.record).collect();
        let stock = Stock::of(&self.office, &records);
        let news = cast.continue_some(&cases, CHANGED);
        let taken = self
            .office
            .ingest(bundle_of(&news), &HashMap::new(), MORNING_MS)
            .unwrap();
        assert!(taken.missing.is_empty());
        self.exchange("50 changed there", &stock, &records).await;
    }

    async fn changed_here(&mut self) {
        let page = {
            let replica = self.phone.replica();
            replica.list(&Filter::default(), None, CHANGED).unwrap()
        };
        let records: Vec<RecordId> = page.rows.iter().map(|row| row.id).collect();
        let stock = Stock::of(&self.office, &records);
        for (n, record) in records.iter().enumerate() {
            let note = format!("第{n}处：已电话联系店主，约定下午现场看。");
            let edit = FieldEdit::set(Field::Answer("visit".into()), FieldValue::Text(note));
            let mut replica = self.phone.replica();
            replica.edit(*record, &[edit], now_ms()).unwrap();
        }
        self.exchange("50 changed here", &stock, &records).await;
    }

    /// The server answers each report with automatic moves: its place, its unit and its deadline.
    async fn reported_here(&mut self) {
        let home = self.histories[0].clone().moved_to(VILLAGE_GRID).home();
        let stock = Stock::of(&self.office, &[]);
        let mut records = Vec::with_capacity(CHANGED);
        for history in &self.histories[1_000..1_000 + CHANGED] {
            let draft = Draft::staff(history.content(), home);
            let mut replica = self.phone.replica();
            records.push(replica.report(&draft, now_ms()).unwrap());
        }
        let name = "50 reported here, sorted there";
        self.exchange(name, &stock, &records).await;
    }

    async fn exchange(&mut self, name: &str, stock: &Stock, records: &[RecordId]) {
        let (report, bytes) = sync_counted(&self.wire, &self.phone).await;
        let (count, packed) = stock.since(&self.office, records);
        let trips = f64::from(report.round_trips);
        self.budget(&format!("{name}: round trips"), trips, "", 2.0);
        self.note(&format!("{name}: envelopes"), count as f64, "envelopes");
        self.note(&format!("{name}: bytes up"), bytes.up as f64, "B");
        self.note(&format!("{name}: bytes down"), bytes.down as f64, "B");
        self.note(
            &format!("{name}: zstd-3 of the envelopes"),
            packed as f64,
            "B",
        );
        let ratio = bytes.both() as f64 / packed as f64;
        self.budget(&format!("{name}: of that size"), ratio, "×", RATIO_MAX);
    }
}
