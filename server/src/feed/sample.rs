//! Samples: a few things of one kind, evenly spread. Their compressed bytes stand for the whole kind.

use std::collections::BTreeMap;

use onegrid_core::domain::StreamId;
use onegrid_core::limits::RESPONSE_BYTES_MAX;
use onegrid_core::wire::cursor::CursorAt;
use onegrid_core::wire::frame;
use onegrid_core::wire::pack::PackBatch;
use onegrid_core::wire::page::{FeedEntry, Page, Segment};

use super::page::Parts;
use crate::error::{Problem, Result};
use crate::keys::Keys;

/// Returns places below `total`, at most `count_max`, evenly spread. Every beginning of the list is evenly
/// spread too, so a sample may end early.
pub(super) fn spread(total: u64, count_max: usize) -> Vec<u64> {
    let count = total.min(count_max as u64);
    let mut places: Vec<u64> = (0..count).collect();
    places.sort_unstable_by_key(|place| place.reverse_bits());
    for place in &mut places {
        *place = u64::try_from(u128::from(*place) * u128::from(total) / u128::from(count))
            .unwrap_or(u64::MAX);
    }
    places
}

/// Scales the amount of a sample, which had `drawn` of `total` things, to all things.
pub(super) fn scaled(amount: u64, drawn: u64, total: u64) -> u64 {
    if drawn == 0 {
        return 0;
    }
    let all = u128::from(amount) * u128::from(total) / u128::from(drawn);
    u64::try_from(all).unwrap_or(u64::MAX)
}

/// Estimates the number of different things in all, from how often each one was drawn (Chao's estimator).
/// Things that were drawn once tell how many were never drawn.
pub(super) fn distinct(drawn_times: &[u32], drawn: u64, total: u64) -> u64 {
    let seen = drawn_times.len() as u64;
    if drawn >= total {
        return seen;
    }
    let times = |n: u32| drawn_times.iter().filter(|times| **times == n).count() as u64;
    let (once, twice) = (times(1), times(2));
    let unseen = once * once.saturating_sub(1) / (2 * (twice + 1));
    (seen + unseen).min(scaled(seen, drawn, total))
}

/// Returns the bytes on the wire of these parts of a page, without their certificates.
pub(super) fn bytes_of(
    keys: &Keys,
    parts: Parts,
    entries: BTreeMap<StreamId, Vec<FeedEntry>>,
    generation: u32,
) -> Result<u64> {
    let mut page = Page {
        certificates: parts.page.certificates,
        ..Page::default()
    };
    let without = bytes_of_page(&page)?;
    page.envelopes = parts.page.envelopes;
    page.segments = segments(entries);
    if !parts.packs.is_empty() {
        let (key, authority) = (keys.packs(), keys.authority());
        page.packs = vec![PackBatch::sign(parts.packs, generation, 0, key, authority)];
    }
    Ok(bytes_of_page(&page)?.saturating_sub(without))
}

/// Returns the bytes on the wire of a page with these parts alone.
pub(super) fn bytes_of_page(page: &Page) -> Result<u64> {
    let bytes = frame::encode(page, RESPONSE_BYTES_MAX)
        .map_err(|error| Problem::new("server.internal").because(&error))?;
    Ok(bytes.len() as u64)
}

pub(super) fn segments(entries: BTreeMap<StreamId, Vec<FeedEntry>>) -> Vec<Segment> {
    let segment = |(stream, entries)| Segment {
        stream,
        first: 1,
        entries,
        next: CursorAt::Fresh,
    };
    entries.into_iter().map(segment).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_beginning_of_a_sample_is_evenly_spread() {
        assert!(spread(0, 8).is_empty());
        assert_eq!(spread(3, 8), [0, 2, 1]);
        let places = spread(1_000_000, 256);
        assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), 256);
        for beginning in [16, 64, 200] {
            let mut first: Vec<u64> = places[..beginning].to_vec();
            first.sort_unstable();
            let widest = first.windows(2).map(|pair| pair[1] - pair[0]).max();
            let even = 1_000_000 / beginning as u64;
            assert!(widest <= Some(2 * even), "{beginning}: {widest:?}");
        }
        assert!(spread(u64::MAX, 4).into_iter().max() > Some(u64::MAX / 2));
    }

    #[test]
    fn things_drawn_once_tell_of_things_never_drawn() {
        assert_eq!(distinct(&[], 10, 1_000), 0);
        assert_eq!(distinct(&[1; 10], 10, 10), 10, "all were drawn");
        assert_eq!(distinct(&[50; 4], 200, 1_000), 4, "no others");
        assert_eq!(distinct(&[1; 10], 10, 1_000), 55);
        assert_eq!(
            distinct(&[1; 100], 100, 1_000),
            1_000,
            "never more than all"
        );
        assert_eq!(scaled(100, 0, 5), 0);
        assert_eq!(scaled(100, 10, 1_000), 10_000);
    }
}
