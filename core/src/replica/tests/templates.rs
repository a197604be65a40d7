//! Templates of checklists: they come with the directory, and every version stays.

use super::server::Server;
use super::*;
use crate::domain::directory::DirectoryEntry;
use crate::domain::form::{Template, TemplateEntry, TemplateId};
use crate::domain::stream::StreamId;
use crate::replica::table::directory;

/// A template of one yes-or-no question.
fn sample(id: &str, version: u32, title: &str) -> Template {
    let json = format!(
        r#"{{"format":1,"id":"{id}","version":{version},"title":{{"zh":"{title}"}},
            "items":[{{"type":"yes_no","id":"clear","label":{{"zh":"畅通吗？"}}}}]}}"#
    );
    Template::parse(json.as_bytes()).unwrap()
}

fn publish(server: &mut Server<'_>, entry: impl Into<TemplateEntry>) {
    server.publish(&DirectoryEntry::Template(entry.into()));
}

fn newer(id: &str, version: u32) -> TemplateEntry {
    TemplateEntry::Newer {
        id: id.parse().unwrap(),
        version,
        bytes: br#"{"format":2,"new":true}"#.to_vec(),
    }
}

fn id(id: &str) -> TemplateId {
    id.parse().unwrap()
}

#[test]
fn every_version_of_a_template_stays() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    publish(&mut server, sample("lane", 1, "通道"));
    server.sync(&mut phone);
    publish(&mut server, sample("lane", 2, "消防通道"));
    publish(&mut server, newer("lane", 3));
    publish(&mut server, newer("future", 1));
    server.sync(&mut phone);
    for rebuilt in [false, true] {
        if rebuilt {
            phone.replica().rebuild().unwrap();
        }
        let replica = phone.replica();
        let known = |version| replica.template(&id("lane"), version).unwrap();
        let title = |version| {
            known(version)
                .unwrap()
                .template()
                .unwrap()
                .title()
                .zh
                .clone()
        };
        assert_eq!([title(1), title(2)], ["通道", "消防通道"]);
        assert_eq!(known(3), Some(newer("lane", 3)), "kept for a newer app");
        assert_eq!(known(4), None);
        let infos = replica.templates(false).unwrap();
        let info = |name| infos.iter().find(|info| info.id == id(name)).unwrap();
        let lane = info("lane");
        assert_eq!(lane.template.as_ref().unwrap().version(), 2);
        assert_eq!(lane.newer_version, Some(3));
        assert_eq!(info("future").template, None);
        assert_eq!(infos.len(), 7 + 2, "with the shipped ones");
    }
}

#[test]
fn volunteers_are_offered_their_templates_alone() {
    let town = Deployment::new();
    let mut phone = town.phone(VOLUNTEER_WANG);
    let infos = phone.replica().templates(true).unwrap();
    let offered = infos.iter().filter_map(|info| info.template.as_ref());
    assert!(offered.clone().count() > 0);
    assert!(offered.clone().all(|template| template.is_for_volunteers()));
    assert!(infos.len() < phone.replica().templates(false).unwrap().len());
}

/// A town took a version number under a shipped id, and a later app ships the same one. The signed
/// entry wins, so phones agree with the server whatever their app ships.
#[test]
fn signed_entry_wins_over_the_shipped_template() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let title = |phone: &mut FilePhone, version| {
        let entry = phone.replica().template(&id("care_visit"), version);
        let entry = entry.unwrap().unwrap();
        entry.template().unwrap().title().zh.clone()
    };
    assert_eq!(title(&mut phone, 1), "敲门守护");
    publish(&mut server, sample("care_visit", 1, "别的"));
    publish(&mut server, sample("care_visit", 2, "新版"));
    server.sync(&mut phone);
    assert_eq!(
        [1, 2].map(|version| title(&mut phone, version)),
        ["别的", "新版"]
    );
    phone.replica().rebuild().unwrap();
    assert_eq!(title(&mut phone, 1), "别的", "after a rebuild too");
}

/// An app that did not know the entry kept it under the hash of its bytes.
#[test]
fn template_kept_by_an_old_app_is_found_after_the_update() {
    let town = Deployment::new();
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let entry = DirectoryEntry::Template(sample("lane", 1, "通道").into());
    let row = directory::Entry {
        kind: 9,
        key: vec![7; 16],
        zh: String::new(),
        en: String::new(),
        bytes: minicbor::to_vec(&entry).unwrap(),
    };
    let stream = StreamId::DirectoryBase.to_bytes();
    directory::put(phone.replica().conn().unwrap(), &stream, &row).unwrap();
    phone.replica().rebuild().unwrap();
    let found = phone.replica().template(&id("lane"), 1).unwrap();
    assert!(found.unwrap().template().is_some());
}
