//! The frame of a photo (size and components), and the headers of its scans.

use super::tables::Tables;
use crate::limits::{PHOTO_PIXELS_MAX, PROGRESSIVE_PIXELS_MAX};
use crate::media::MediaError;

/// Blocks of all components that may share one unit.
const BLOCKS_OF_UNIT_MAX: u32 = 10;

/// The frame with the progress of its scans.
#[derive(Debug)]
pub(super) struct Frame {
    is_progressive: bool,
    width: u16,
    height: u16,
    components: Vec<Component>,
}

#[derive(Debug)]
struct Component {
    id: u8,
    across: u8,
    down: u8,
    quantisation: u8,
    /// Whether the first coefficients of its blocks are here.
    has_begun: bool,
}

/// A scan that may follow.
#[derive(Debug)]
pub(super) struct Scan {
    /// The data of its header, in the one spelling.
    pub(super) header: Vec<u8>,
    /// Units that the intervals of restart markers count.
    pub(super) units: u64,
}

impl Frame {
    pub(super) fn read(is_progressive: bool, data: &[u8]) -> Result<Self, MediaError> {
        let [precision, h0, h1, w0, w1, count, list @ ..] = data else {
            return Err(MediaError::Damaged);
        };
        let height = u16::from_be_bytes([*h0, *h1]);
        let width = u16::from_be_bytes([*w0, *w1]);
        if list.len() != usize::from(*count) * 3 || width == 0 {
            return Err(MediaError::Damaged);
        }
        let pixels_max = if is_progressive {
            PROGRESSIVE_PIXELS_MAX
        } else {
            PHOTO_PIXELS_MAX
        };
        if u64::from(width) * u64::from(height) > pixels_max {
            return Err(MediaError::TooManyPixels);
        }
        // Without a height the number of lines follows the first scan.
        if *precision != 8 || height == 0 || !matches!(count, 1 | 3) {
            return Err(MediaError::NeedsJpeg);
        }
        let mut components: Vec<Component> = Vec::with_capacity(3);
        for entry in list.chunks_exact(3) {
            let (across, down) = (entry[1] >> 4, entry[1] & 15);
            let is_twice = components.iter().any(|known| known.id == entry[0]);
            if is_twice || !(1..=4).contains(&across) || !(1..=4).contains(&down) {
                return Err(MediaError::Damaged);
            }
            components.push(Component {
                id: entry[0],
                across,
                down,
                quantisation: entry[2],
                has_begun: false,
            });
        }
        Ok(Self {
            is_progressive,
            width,
            height,
            components,
        })
    }

    /// Reads the header of a scan. A photo that is not progressive has each component in exactly one scan.
    pub(super) fn read_scan(&mut self, data: &[u8], tables: &Tables) -> Result<Scan, MediaError> {
        let [count, rest @ ..] = data else {
            return Err(MediaError::Damaged);
        };
        let count = usize::from(*count);
        let (list, band) = rest
            .split_at_checked(count * 2)
            .ok_or(MediaError::Damaged)?;
        let &[first, last, step] = band else {
            return Err(MediaError::Damaged);
        };
        if !(1..=self.components.len()).contains(&count) {
            return Err(MediaError::Damaged);
        }
        let band = if self.is_progressive {
            Band::read(first, last, step, count)?
        } else {
            Band::WHOLE
        };
        let mut from = 0;
        let (mut blocks, mut units) = (0, 0);
        for entry in list.chunks_exact(2) {
            let at = self.components[from..]
                .iter()
                .position(|known| known.id == entry[0])
                .ok_or(MediaError::Damaged)?
                + from;
            from = at + 1;
            units = self.units(at, count);
            let component = &mut self.components[at];
            blocks += u32::from(component.across) * u32::from(component.down);
            if !band.has_tables(component, entry[1], tables) || !band.may_follow(component) {
                return Err(MediaError::Damaged);
            }
            component.has_begun = true;
        }
        if count > 1 && blocks > BLOCKS_OF_UNIT_MAX {
            return Err(MediaError::Damaged);
        }
        let mut header = data[..=count * 2].to_vec();
        header.extend([band.first, band.last, band.step]);
        Ok(Scan { header, units })
    }

    /// Units of a scan: blocks of its only component, or blocks of all components that belong together.
    fn units(&self, at: usize, count: usize) -> u64 {
        let widest = self
            .components
            .iter()
            .map(|c| u64::from(c.across))
            .max()
            .unwrap_or(1);
        let tallest = self
            .components
            .iter()
            .map(|c| u64::from(c.down))
            .max()
            .unwrap_or(1);
        let (width, height) = (u64::from(self.width), u64::from(self.height));
        if count > 1 {
            return width.div_ceil(8 * widest) * height.div_ceil(8 * tallest);
        }
        let component = &self.components[at];
        let width = (width * u64::from(component.across)).div_ceil(widest);
        let height = (height * u64::from(component.down)).div_ceil(tallest);
        width.div_ceil(8) * height.div_ceil(8)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.components.iter().all(|component| component.has_begun)
    }

    pub(super) fn is_progressive(&self) -> bool {
        self.is_progressive
    }

    pub(super) fn has_colour(&self) -> bool {
        self.components.len() == 3
    }

    pub(super) fn width(&self) -> u16 {
        self.width
    }

    pub(super) fn height(&self) -> u16 {
        self.height
    }
}

/// The coefficients and bits that a scan brings.
struct Band {
    first: u8,
    last: u8,
    /// High half: bits that were here before. Low half: bits that are still missing.
    step: u8,
    is_whole: bool,
}

impl Band {
    /// All coefficients with all bits.
    const WHOLE: Self = Self {
        first: 0,
        last: 63,
        step: 0,
        is_whole: true,
    };

    fn read(first: u8, last: u8, step: u8, components: usize) -> Result<Self, MediaError> {
        let (before, missing) = (step >> 4, step & 15);
        let is_band = if first == 0 {
            last == 0
        } else {
            first <= last && last <= 63 && components == 1
        };
        let is_step = missing <= 13 && (before == 0 || before == missing + 1);
        if !is_band || !is_step {
            return Err(MediaError::Damaged);
        }
        Ok(Self {
            first,
            last,
            step,
            is_whole: false,
        })
    }

    fn has_tables(&self, component: &Component, places: u8, tables: &Tables) -> bool {
        let is_refinement = self.step >> 4 != 0;
        let needs_first = self.first == 0 && !is_refinement;
        let needs_others = self.last > 0;
        tables.has_quantisation(component.quantisation)
            && (!needs_first || tables.has_codes(0, places >> 4))
            && (!needs_others || tables.has_codes(1, places & 15))
    }

    /// Whether the component can take this band now: its first coefficients come once, before all others.
    fn may_follow(&self, component: &Component) -> bool {
        let begins = self.is_whole || (self.first == 0 && self.step >> 4 == 0);
        begins != component.has_begun
    }
}
