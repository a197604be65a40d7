//! Photos as a phone takes them, drawn by the demo: a scene in simple shapes, in JPEG, with the place
//! that a camera adds.
//!
//! **Not here:** cleaning and the small picture; the phone's replica makes them.

mod canvas;
mod exif;
mod scenes;

use jpeg_encoder::{ColorType, Encoder};
use onegrid_core::domain::point::GeoPoint;

pub(crate) use self::exif::holds_place;
pub(crate) use self::scenes::Scene;

/// Pixels of each photo.
const WIDTH: u16 = 960;
const HEIGHT: u16 = 720;
/// As phones compress their photos.
const QUALITY: u8 = 85;

/// Takes a photo of a scene at a place.
pub(crate) fn take(scene: Scene, at: GeoPoint) -> Vec<u8> {
    let pixels = scenes::draw(scene).into_pixels(u32::from(scene.code()));
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, QUALITY)
        .encode(&pixels, WIDTH, HEIGHT, ColorType::Rgb)
        .expect("the pixels have this size");
    exif::with_place(&bytes, at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::replica::NewAttachment;

    use super::*;

    #[test]
    fn photos_lose_their_place_on_the_phone() {
        let at = GeoPoint::from_degrees(30.312_15, 120.118_78).unwrap();
        for scene in Scene::ALL {
            let original = take(scene, at);
            assert!(holds_place(&original), "{scene:?}");
            let kept = NewAttachment::of(&original).unwrap();
            assert!(!holds_place(kept.bytes()), "{scene:?}");
            assert!(kept.thumbnail().is_some(), "{scene:?}");
        }
    }
}
