//! Photos on the page: taken on a phone, shown small and in full, with the receipt of each.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use onegrid_core::domain::case::{Event, Outcome};
use onegrid_core::domain::content::Content;
use onegrid_core::domain::point::GeoPoint;
use onegrid_core::id::{Hash, RecordId};
use onegrid_core::media::MediaType;
use onegrid_core::replica::{AttachmentInfo, RecordView, Replica, ReplicaError, TimelineEntry};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shown;
use super::act::{Done, Refused};
use super::show::find;
use crate::phone::Phone;
use crate::photo::{Scene, take};

/// Where a sample photo is taken if the person has chosen no place: the first grid of Zhugan lane, 1e-7 degrees.
const SAMPLE_AT: (i32, i32) = (303_121_500, 1_201_187_800);

/// Keeps a photo that the browser sends as it is. A form of another page cannot send this type.
pub(super) async fn add(
    State(shown): State<Shown>,
    Path(phone): Path<String>,
    headers: HeaderMap,
    photo: Bytes,
) -> Done {
    let phone = shown.cast.find(&phone).ok_or_else(Refused::no_record)?;
    let media = headers.get(header::CONTENT_TYPE);
    if !media.is_some_and(|media| media.as_bytes().starts_with(b"image/")) {
        return Err(Refused::of("media.unknown"));
    }
    added(phone, &photo)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sample {
    /// The place on the map, in units of the map.
    at: Option<[f64; 2]>,
    /// Photos of this form so far; each one shows another scene.
    taken: usize,
}

/// Takes a photo that the demo draws.
pub(super) async fn sample(
    State(shown): State<Shown>,
    Path(phone): Path<String>,
    Json(sample): Json<Sample>,
) -> Done {
    let phone = shown.cast.find(&phone).ok_or_else(Refused::no_record)?;
    let chosen = sample
        .at
        .and_then(|[x, y]| shown.cast.place().point_at(x, y));
    let (lat, lon) = SAMPLE_AT;
    let at = match chosen {
        Some(at) => at,
        None => GeoPoint::new(lat, lon).map_err(|_| Refused::of("demo.outside"))?,
    };
    let scene = Scene::ALL[sample.taken % Scene::ALL.len()];
    added(phone, &take(scene, at))
}

fn added(phone: &Phone, photo: &[u8]) -> Done {
    let id = phone.photograph(photo)?;
    let place_removed = phone.has_removed_place(id);
    Ok(Json(
        json!({ "id": id.to_string(), "place_removed": place_removed }),
    ))
}

/// Returns the small picture of a photo that waits for its first use.
pub(super) async fn staged(
    State(shown): State<Shown>,
    Path((phone, id)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let phone = shown.cast.find(&phone).ok_or_else(Refused::no_record)?;
    let small = phone.replica().thumbnail(None, parsed(&id)?)?;
    small.map(picture).ok_or_else(unknown)
}

/// Removes a photo that waits for its first use.
pub(super) async fn remove(
    State(shown): State<Shown>,
    Path((phone, id)): Path<(String, String)>,
) -> Done {
    let phone = shown.cast.find(&phone).ok_or_else(Refused::no_record)?;
    phone.replica().remove_staged(parsed(&id)?)?;
    Ok(Json(json!({})))
}

/// Returns a photo of a record, as this phone has it.
pub(super) async fn photo(
    State(shown): State<Shown>,
    Path((phone, record, id, size)): Path<(String, String, String, String)>,
) -> Result<Response, Refused> {
    let (phone, record) = find(&shown, &phone, &record)?;
    let id = parsed(&id)?;
    let bytes = match size.as_str() {
        "small" => phone.replica().thumbnail(Some(record), id)?,
        "full" => Some(phone.full_photo(record, id)?),
        _ => None,
    };
    bytes.map(picture).ok_or_else(unknown)
}

/// Returns the ids that the page sends along with a report or a move.
pub(super) fn ids(given: &[String]) -> Result<Vec<Hash>, Refused> {
    given.iter().map(|id| parsed(id)).collect()
}

fn parsed(id: &str) -> Result<Hash, Refused> {
    id.parse().map_err(|_| unknown())
}

fn unknown() -> Refused {
    Refused::of("media.unknown_id")
}

fn picture(bytes: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The id of a photo follows from its bytes, so they never change.
        (header::CACHE_CONTROL, "private, max-age=3600, immutable"),
    ];
    (headers, bytes).into_response()
}

/// Returns the number of photos of each record.
pub(super) fn counts(
    replica: &Replica,
    records: impl Iterator<Item = RecordId>,
) -> Result<BTreeMap<RecordId, usize>, ReplicaError> {
    let mut counts = BTreeMap::new();
    for record in records {
        let count = of_record(replica, record)?.len();
        if count > 0 {
            counts.insert(record, count);
        }
    }
    Ok(counts)
}

/// Returns the photos and bytes that are still to be transferred.
pub(super) fn left(replica: &Replica, minutes: Option<u64>) -> Result<Value, ReplicaError> {
    let left = replica.files_left()?;
    Ok(json!({
        "files": left.uploads + left.downloads,
        "bytes": left.upload_bytes + left.download_bytes,
        "minutes": minutes,
    }))
}

/// Returns the photos of a record, without recordings.
pub(super) fn of_record(
    replica: &Replica,
    record: RecordId,
) -> Result<Vec<AttachmentInfo>, ReplicaError> {
    let mut all = replica.attachments_of(record)?;
    all.retain(|one| one.media == MediaType::Jpeg);
    Ok(all)
}

/// Returns the photos of a record with their captions and receipts.
pub(super) fn shown(phone: &Phone, photos: &[AttachmentInfo], view: &RecordView) -> Vec<Value> {
    let captions = view
        .content
        .as_ref()
        .map(|content| &Content::details(content).photos);
    let described: BTreeSet<Hash> = view
        .timeline
        .iter()
        .filter(|entry| entry.delivered)
        .filter_map(description)
        .collect();
    photos
        .iter()
        .map(|photo| {
            json!({
                "id": photo.id.to_string(),
                "caption": captions.and_then(|captions| captions.get(&photo.id)),
                "bytes": photo.bytes,
                "width": photo.width,
                "height": photo.height,
                "state": photo.state.name(),
                "described": described.contains(&photo.id),
                "refusal": photo.refusal.as_deref().map(super::show::both),
                "place_removed": phone.has_removed_place(photo.id),
            })
        })
        .collect()
}

/// Returns the entries of a timeline that the page shows, each with its photos. The description of a photo is
/// shown with the move that names the photo. Other descriptions of one person in a row are one entry.
pub(super) fn entries(timeline: &[TimelineEntry]) -> Vec<(&TimelineEntry, Vec<Hash>)> {
    let events = || timeline.iter().filter_map(|entry| entry.event.as_ref());
    let moves = events().filter(|event| !matches!(event, Event::Attach(_)));
    let named: BTreeSet<Hash> = moves.flat_map(Event::attachments).collect();
    let mut entries: Vec<(&TimelineEntry, Vec<Hash>)> = Vec::new();
    // The intended effect of a void or held envelope is shown under “set aside”.
    for entry in timeline
        .iter()
        .filter(|one| one.outcome != Outcome::Ignored)
    {
        let photos = entry.event.as_ref().map(Event::attachments);
        let photos = photos.unwrap_or_default();
        match (description(entry), entries.last_mut()) {
            (Some(id), _) if named.contains(&id) => {}
            (Some(id), Some((last, shown)))
                if description(last).is_some()
                    && (last.by, last.delivered) == (entry.by, entry.delivered) =>
            {
                shown.push(id);
            }
            _ => entries.push((entry, photos)),
        }
    }
    entries
}

/// Returns the photo that an entry describes.
pub(super) fn description(entry: &TimelineEntry) -> Option<Hash> {
    match &entry.event {
        Some(Event::Attach(attach)) => Some(attach.id),
        _ => None,
    }
}
