//! Reads untrusted bytes: LEB128 in its shortest form, fixed slices, nothing past the end.

use super::error::GateError;

const OVERLONG: GateError = GateError::Malformed("a number is not in its shortest form");

#[derive(Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, GateError> {
        let (first, rest) = self.rest.split_first().ok_or(GateError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn take(&mut self, len: u64) -> Result<&'a [u8], GateError> {
        let len = usize::try_from(len).map_err(|_| GateError::Truncated)?;
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(GateError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], GateError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(GateError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// An unsigned LEB128 number.
    pub(super) fn unsigned(&mut self) -> Result<u64, GateError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(GateError::Malformed("a number is too large"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 {
                    Err(OVERLONG)
                } else {
                    Ok(value)
                };
            }
        }
        Err(GateError::Malformed("a number is too large"))
    }

    /// A signed LEB128 number.
    pub(super) fn signed(&mut self) -> Result<i64, GateError> {
        let mut value = 0_i64;
        let mut previous = 0_u8;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(GateError::Malformed("a number is too large"));
            }
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let repeats_sign =
                    (byte == 0 && previous & 0x40 == 0) || (byte == 0x7f && previous & 0x40 != 0);
                if shift > 0 && repeats_sign {
                    return Err(OVERLONG);
                }
                if shift < 57 && byte & 0x40 != 0 {
                    value |= -1_i64 << (shift + 7);
                }
                return Ok(value);
            }
            previous = byte;
        }
        Err(GateError::Malformed("a number is too large"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn unsigned(bytes: &[u8]) -> Result<u64, GateError> {
        Reader::new(bytes).unsigned()
    }

    fn signed(bytes: &[u8]) -> Result<i64, GateError> {
        Reader::new(bytes).signed()
    }

    #[test]
    fn numbers_have_one_form_only() {
        assert_eq!(unsigned(&[0xe5, 0x8e, 0x26]).unwrap(), 624_485);
        assert_eq!(unsigned(&[0x80, 0x00]), Err(OVERLONG));
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(unsigned(&max).unwrap(), u64::MAX);
        let beyond = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert!(unsigned(&beyond).is_err());
        assert_eq!(unsigned(&[0x80]), Err(GateError::Truncated));

        assert_eq!(signed(&[0xc0, 0xbb, 0x78]).unwrap(), -123_456);
        assert_eq!(signed(&[0x7f]).unwrap(), -1);
        assert_eq!(signed(&[0xff, 0x7f]), Err(OVERLONG));
        assert_eq!(signed(&[0xff, 0x00]).unwrap(), 127);
        let min = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f];
        assert_eq!(signed(&min).unwrap(), i64::MIN);
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00];
        assert_eq!(signed(&max).unwrap(), i64::MAX);
    }
}
