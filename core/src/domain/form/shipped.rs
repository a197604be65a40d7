//! The templates that every deployment begins with.

use std::sync::{Arc, LazyLock};

use super::name::TemplateId;
use super::task_list::TaskList;
use super::template::Template;

/// The files, in the order that people see.
const FILES: [&[u8]; 7] = [
    include_bytes!("shipped/care_visit.json"),
    include_bytes!("shipped/shop_gas_fire.json"),
    include_bytes!("shipped/rental_flat.json"),
    include_bytes!("shipped/building_walk.json"),
    include_bytes!("shipped/fire_lane.json"),
    include_bytes!("shipped/ebike_charging.json"),
    include_bytes!("shipped/case_follow_up.json"),
];
const TASK_LIST: &[u8] = include_bytes!("shipped/task_list.json");

static SHIPPED: LazyLock<Vec<Arc<Template>>> = LazyLock::new(|| {
    let parse = |bytes: &&[u8]| Template::parse(bytes).expect("a test parses every shipped file");
    FILES.iter().map(parse).map(Arc::new).collect()
});

/// The templates that every deployment begins with.
#[must_use]
pub fn shipped() -> Vec<Template> {
    let owned = |template: &Arc<Template>| template.as_ref().clone();
    SHIPPED.iter().map(owned).collect()
}

/// The shipped templates, shared.
pub(super) fn all() -> &'static [Arc<Template>] {
    &SHIPPED
}

/// A shipped template by its name.
pub(super) fn find(id: &TemplateId, version: u32) -> Option<&'static Arc<Template>> {
    let mut all = SHIPPED.iter();
    all.find(|template| template.id() == id && template.version() == version)
}

/// The task list whose texts the town fills in.
#[must_use]
pub fn shipped_task_list() -> TaskList {
    TaskList::parse(TASK_LIST).expect("a test parses every shipped file")
}
