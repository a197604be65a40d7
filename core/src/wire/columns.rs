//! The byte columns of batches. Similar values are together, so the compressor finds more
//! repetitions.
//!
//! Numbers are LEB128 (least significant 7 bits first, shortest spelling only), signed ones zigzag
//! before. Readers trust no input. Each read is bounded by its column, and no memory is allocated
//! from a count.

/// The columns are damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wire.batch")]
pub struct ColumnError;

/// Columns that are being written.
#[derive(Debug)]
pub(super) struct Columns<const N: usize> {
    columns: [Vec<u8>; N],
}

impl<const N: usize> Columns<N> {
    pub(super) fn new() -> Self {
        Self {
            columns: std::array::from_fn(|_| Vec::new()),
        }
    }

    pub(super) fn byte(&mut self, column: usize, byte: u8) {
        self.columns[column].push(byte);
    }

    pub(super) fn raw(&mut self, column: usize, bytes: &[u8]) {
        self.columns[column].extend_from_slice(bytes);
    }

    pub(super) fn uint(&mut self, column: usize, mut value: u64) {
        let column = &mut self.columns[column];
        loop {
            let low = u8::try_from(value & 0x7f).expect("seven bits");
            value >>= 7;
            if value == 0 {
                return column.push(low);
            }
            column.push(low | 0x80);
        }
    }

    pub(super) fn len(&mut self, column: usize, len: usize) {
        self.uint(column, len as u64);
    }

    /// The difference of two numbers, so that everything of `i64` fits.
    pub(super) fn delta(&mut self, column: usize, value: i64, base: i64) {
        self.uint(column, zigzag(value.wrapping_sub(base)));
    }

    /// All columns, each with its length before it.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        for column in &self.columns {
            let mut head = Columns::<1>::new();
            head.len(0, column.len());
            out.extend_from_slice(&head.columns[0]);
        }
        for column in &self.columns {
            out.extend_from_slice(column);
        }
    }
}

/// One column that is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column<'a>(&'a [u8]);

impl<'a> Column<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Splits bytes into exactly `N` columns.
    pub(super) fn split<const N: usize>(bytes: &'a [u8]) -> Result<[Self; N], ColumnError> {
        let mut rest = Self::new(bytes);
        let mut lens = [0; N];
        for len in &mut lens {
            *len = rest.len()?;
        }
        let mut columns = [Self(&[]); N];
        for (column, len) in columns.iter_mut().zip(lens) {
            *column = Self(rest.raw(len)?);
        }
        rest.end().map(|()| columns)
    }

    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8, ColumnError> {
        let (first, rest) = self.0.split_first().ok_or(ColumnError)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn raw(&mut self, len: usize) -> Result<&'a [u8], ColumnError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(ColumnError)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], ColumnError> {
        self.raw(LEN)?.try_into().map_err(|_| ColumnError)
    }

    pub(super) fn uint(&mut self) -> Result<u64, ColumnError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(ColumnError);
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return if shortest {
                    Ok(value)
                } else {
                    Err(ColumnError)
                };
            }
        }
        Err(ColumnError)
    }

    /// A length or an index. Callers take that many bytes or look it up, and both are checked.
    pub(super) fn len(&mut self) -> Result<usize, ColumnError> {
        usize::try_from(self.uint()?).map_err(|_| ColumnError)
    }

    /// A count of items that take at least one byte each of some column, at most `max`.
    pub(super) fn count(&mut self, max: usize) -> Result<usize, ColumnError> {
        self.len().and_then(|count| {
            if count <= max {
                Ok(count)
            } else {
                Err(ColumnError)
            }
        })
    }

    pub(super) fn number<T: TryFrom<u64>>(&mut self) -> Result<T, ColumnError> {
        T::try_from(self.uint()?).map_err(|_| ColumnError)
    }

    pub(super) fn delta(&mut self, base: i64) -> Result<i64, ColumnError> {
        Ok(base.wrapping_add(unzigzag(self.uint()?)))
    }

    /// The bytes that are left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), ColumnError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ColumnError)
        }
    }
}

fn zigzag(value: i64) -> u64 {
    value.wrapping_shl(1).cast_unsigned() ^ (value >> 63).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn numbers_round_trip_in_their_shortest_spelling() {
        let numbers = [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ];
        let signed = [0, 1, -1, 63, -64, i64::MAX, i64::MIN];
        let mut columns = Columns::<2>::new();
        for number in numbers {
            columns.uint(0, number);
        }
        for number in signed {
            columns.delta(1, number, 0);
        }
        let mut bytes = Vec::new();
        columns.finish(&mut bytes);
        let [mut unsigned_column, mut signed_column] = Column::split::<2>(&bytes).unwrap();
        for number in numbers {
            assert_eq!(unsigned_column.uint(), Ok(number));
        }
        for number in signed {
            assert_eq!(signed_column.delta(0), Ok(number));
        }
        assert_eq!(
            (unsigned_column.end(), signed_column.end()),
            (Ok(()), Ok(()))
        );
        assert_eq!(unsigned_column.byte(), Err(ColumnError));
    }

    #[test]
    fn other_spellings_and_lengths_are_refused() {
        for bytes in [&[][..], &[0x80], &[0x80, 0], &[0xff; 10], &[0xff; 20]] {
            assert_eq!(Column::new(bytes).uint(), Err(ColumnError), "{bytes:02x?}");
        }
        assert!(Column::split::<2>(&[1, 1, 7]).is_err(), "too short");
        assert!(Column::split::<2>(&[1, 1, 7, 7, 7]).is_err(), "too long");
        assert!(Column::split::<2>(&[1, 1, 7, 7]).is_ok());
        let mut huge = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        huge.extend_from_within(..);
        assert!(Column::split::<2>(&huge).is_err(), "lengths beyond memory");
    }
}
