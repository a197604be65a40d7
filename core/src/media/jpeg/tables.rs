//! The tables of a photo: quantisation, codes and the restart interval.

use crate::limits::PHOTO_TABLES_MAX;
use crate::media::MediaError;

/// The tables that a scan may use.
#[derive(Debug, Default)]
pub(super) struct Tables {
    quantisation: [bool; 4],
    /// Codes of the first and of the other coefficients.
    codes: [[bool; 4]; 2],
    interval: u16,
    count: usize,
}

impl Tables {
    pub(super) fn take_quantisation(&mut self, mut data: &[u8]) -> Result<(), MediaError> {
        while let [kind, rest @ ..] = data {
            let (wide, place) = (kind >> 4, usize::from(kind & 15));
            let bytes = match wide {
                0 => 64,
                1 => 128,
                _ => return Err(MediaError::Damaged),
            };
            data = rest.get(bytes..).ok_or(MediaError::Damaged)?;
            *self
                .quantisation
                .get_mut(place)
                .ok_or(MediaError::Damaged)? = true;
            self.count()?;
        }
        Ok(())
    }

    pub(super) fn take_codes(&mut self, mut data: &[u8]) -> Result<(), MediaError> {
        while let [kind, rest @ ..] = data {
            let (class, place) = (usize::from(kind >> 4), usize::from(kind & 15));
            let counts = rest.get(..16).ok_or(MediaError::Damaged)?;
            // A code of n bits takes 2^(16 - n) of 65,536 places; the last one stays free.
            let places: u32 = (1..=16)
                .zip(counts)
                .map(|(bits, n)| u32::from(*n) << (16 - bits))
                .sum();
            let values: usize = counts.iter().map(|count| usize::from(*count)).sum();
            if places > 1 << 16 || values > 256 {
                return Err(MediaError::Damaged);
            }
            data = rest.get(16 + values..).ok_or(MediaError::Damaged)?;
            let values = &rest[16..16 + values];
            // The code of a first coefficient is its number of bits.
            if class == 0 && values.iter().any(|bits| *bits > 15) {
                return Err(MediaError::Damaged);
            }
            let slot = self
                .codes
                .get_mut(class)
                .and_then(|codes| codes.get_mut(place));
            *slot.ok_or(MediaError::Damaged)? = true;
            self.count()?;
        }
        Ok(())
    }

    pub(super) fn take_interval(&mut self, data: &[u8]) -> Result<(), MediaError> {
        let pair: [u8; 2] = data.try_into().map_err(|_| MediaError::Damaged)?;
        self.interval = u16::from_be_bytes(pair);
        Ok(())
    }

    fn count(&mut self) -> Result<(), MediaError> {
        self.count += 1;
        if self.count > PHOTO_TABLES_MAX {
            return Err(MediaError::Damaged);
        }
        Ok(())
    }

    /// Units between two restart markers; 0 means one interval for the whole scan, as in the format.
    pub(super) fn interval(&self) -> u16 {
        self.interval
    }

    pub(super) fn has_quantisation(&self, place: u8) -> bool {
        self.quantisation.get(usize::from(place)) == Some(&true)
    }

    /// Whether the codes of the first (0) or other (1) coefficients are here.
    pub(super) fn has_codes(&self, class: usize, place: u8) -> bool {
        let codes = self
            .codes
            .get(class)
            .and_then(|codes| codes.get(usize::from(place)));
        codes == Some(&true)
    }
}
