//! Versions of templates: stored, published once, and checked.

use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::form::{Template, shipped};
use onegrid_core::domain::stream::StreamId;

use super::*;
use crate::directory;
use crate::registry::templates::PutResult;

fn version(version: u32, label: &str) -> Template {
    let json = serde_json::json!({
        "format": 1, "id": "stairwell", "version": version, "title": {"zh": "楼道"},
        "items": [{"type": "text", "id": "found", "label": {"zh": label}}],
    });
    Template::parse(&serde_json::to_vec(&json).unwrap()).unwrap()
}

fn head(world: &TestServer) -> u64 {
    let head = world
        .server
        .store()
        .read(|tx| tx.head(StreamId::DirectoryBase));
    head.unwrap().position
}

#[test]
fn version_is_published_once_and_never_changes() {
    let world = TestServer::new();
    let put = |version_no: u32, label: &str| {
        let template = version(version_no, label);
        world.server.put_template(&template, "admin", NOW).unwrap()
    };
    assert_eq!(put(2, "甲"), PutResult::Published);
    let published = head(&world);
    assert_eq!(put(2, "甲"), PutResult::Known);
    assert_eq!(put(2, "乙"), PutResult::Taken);
    assert_eq!(put(1, "甲"), PutResult::Older { newest: 2 });
    assert_eq!(head(&world), published, "a refusal publishes nothing");
    assert_eq!(put(3, "乙"), PutResult::Published);
    assert_eq!(put(2, "甲"), PutResult::Known);
    let known = world.server.store().read(directory::read).unwrap();
    for (number, label) in [(2, "甲"), (3, "乙")] {
        let expected = version(number, label);
        let entry = known.templates.get(expected.id(), number).unwrap();
        assert_eq!(entry.to_bytes(), expected.to_bytes());
    }
}

/// A town cannot take the version of a shipped template, because phones bring that one along.
#[test]
fn shipped_templates_are_published_once_and_keep_their_versions() {
    let world = TestServer::new();
    let before = head(&world);
    world.server.put_shipped_templates(NOW).unwrap();
    assert_eq!(head(&world), before + shipped().len() as u64);
    world.reopened().put_shipped_templates(NOW + 1).unwrap();
    assert_eq!(head(&world), before + shipped().len() as u64);
    let care = &shipped()[0];
    let text = String::from_utf8(care.to_bytes()).unwrap();
    let other = Template::parse(text.replacen("敲门", "入户", 1).as_bytes()).unwrap();
    for world in [world, TestServer::new()] {
        let put = world.server.put_template(&other, "admin", NOW).unwrap();
        assert_eq!(put, PutResult::Taken);
    }
}

/// The codes of all that `onegrid verify` finds wrong.
fn wrong_in(world: &TestServer) -> Vec<&'static str> {
    let found = crate::admin::verify::verify(&world.server, &mut |_, _| {}).unwrap();
    let codes = found.wrong.iter().map(crate::error::Phrase::code);
    codes.collect()
}

/// A town took a version under a shipped id before OneGrid shipped it. The town's version stays in
/// force.
#[test]
fn imported_version_stays_when_the_program_ships_another() {
    let world = TestServer::new();
    let care = &shipped()[0];
    let text = String::from_utf8(care.to_bytes()).unwrap();
    let own = Template::parse(text.replacen("敲门", "入户", 1).as_bytes()).unwrap();
    let (template, keys) = (own.clone(), world.keys.clone());
    let stored = world
        .server
        .store()
        .write::<_, crate::error::Problem>(move |tx| {
            tx.put_template(&crate::store::TemplateRow {
                id: template.id().to_string(),
                version: template.version(),
                hash: template.hash(),
                bytes: template.to_bytes(),
                imported_ms: NOW,
                imported_by: "admin".to_owned(),
            })?;
            directory::publish(
                tx,
                &keys,
                &[DirectoryEntry::Template(template.clone().into())],
            )?;
            Ok(())
        });
    stored.unwrap();
    world.server.put_shipped_templates(NOW).unwrap();
    let known = world.server.store().read(directory::read).unwrap();
    let entry = known.templates.get(own.id(), own.version()).unwrap();
    assert_eq!(entry.to_bytes(), own.to_bytes());
    assert_eq!(wrong_in(&world), [""; 0]);
}

#[test]
fn templates_beyond_the_limit_of_all_bytes_are_refused() {
    let world = TestServer::new();
    let label = "长".repeat(1_000);
    let items: Vec<_> = (0..80)
        .map(|n| serde_json::json!({"type": "text", "id": format!("q{n}"), "label": {"zh": label}}))
        .collect();
    let put = |version: u32| {
        let json = serde_json::json!({
            "format": 1, "id": "long", "version": version, "title": {"zh": "长表"}, "items": items,
        });
        let template = Template::parse(&serde_json::to_vec(&json).unwrap()).unwrap();
        let size = template.to_bytes().len();
        (size, world.server.put_template(&template, "admin", NOW))
    };
    let mut all = 0;
    let refused = (1..).find_map(|version| {
        let (size, result) = put(version);
        all += size;
        result.err()
    });
    assert_eq!(refused.unwrap().code(), "template.too_much");
    let limit = crate::limits::TEMPLATES_MIB_MAX * 1_024 * 1_024;
    assert!(all > limit && all < limit + 256 * 1_024, "{all}");
    assert_eq!(
        world
            .server
            .put_template(&version(1, "短"), "admin", NOW)
            .unwrap(),
        PutResult::Published
    );
}

#[test]
fn changed_row_of_a_template_is_found() {
    let world = TestServer::new();
    let template = version(1, "甲");
    world.server.put_template(&template, "admin", NOW).unwrap();
    let wrong = || wrong_in(&world);
    assert_eq!(wrong(), [""; 0]);
    world.spoil("UPDATE templates SET bytes = ?1", b"{}");
    assert_eq!(wrong(), ["verify.rows", "verify.template"]);
    world.spoil("UPDATE templates SET bytes = ?1", &template.to_bytes());
    assert_eq!(wrong(), [""; 0]);
    world.spoil("UPDATE templates SET hash = ?1", &[0; 32]);
    assert_eq!(wrong(), ["verify.rows", "verify.template"]);
}
