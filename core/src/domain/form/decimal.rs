//! Exact decimals with six digits after the point. A phone and the server never differ in a digit.

use std::fmt;

/// Digits after the point.
const PLACES: usize = 6;
/// Units in one.
const ONE: i64 = 1_000_000;

/// A number in units of 0.000001, from about -9.2 to 9.2 million million.
///
/// Sums and differences are exact. Products and quotients are rounded to the nearest unit, halves away from
/// zero. A result beyond the range, and a division by zero, is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i64);

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// A whole number, if it is within the range.
    #[must_use]
    pub fn whole(number: i64) -> Option<Self> {
        number.checked_mul(ONE).map(Self)
    }

    /// Reads digits with an optional minus and an optional fraction (`-12.5`, `.5`, `007`). `None` for every
    /// other text, for more than six places, and beyond the range.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let fraction = fraction.trim_end_matches('0');
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let has_digit = digits.bytes().any(|byte| byte.is_ascii_digit());
        if !has_digit || !all_digits(whole) || !all_digits(fraction) || fraction.len() > PLACES {
            return None;
        }
        let mut units: i64 = 0;
        let padding = std::iter::repeat_n(b'0', PLACES - fraction.len());
        for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
            units = units
                .checked_mul(10)?
                .checked_add(i64::from(digit - b'0'))?;
        }
        Some(Self(if negative { -units } else { units }))
    }

    /// Sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Difference.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Product.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        rounded(i128::from(self.0) * i128::from(other.0), i128::from(ONE))
    }

    /// Quotient.
    #[must_use]
    pub fn over(self, other: Self) -> Option<Self> {
        if other.0 == 0 {
            return None;
        }
        rounded(i128::from(self.0) * i128::from(ONE), i128::from(other.0))
    }

    /// Remainder of a division that is cut to a whole number; it has the sign of `self`.
    #[must_use]
    pub fn remainder(self, other: Self) -> Option<Self> {
        self.0.checked_rem(other.0).map(Self)
    }

    /// The number with the other sign.
    #[must_use]
    pub fn negated(self) -> Option<Self> {
        self.0.checked_neg().map(Self)
    }

    /// The whole number towards zero.
    #[must_use]
    pub fn cut(self) -> Self {
        Self(self.0 - self.0 % ONE)
    }

    /// The number as an integer, if it has no fraction.
    #[must_use]
    pub fn as_whole(self) -> Option<i64> {
        (self.0 % ONE == 0).then_some(self.0 / ONE)
    }

    /// Whether the number needs at most this many digits after the point.
    #[must_use]
    pub fn has_places(self, places: u8) -> bool {
        let kept = u32::from(places).min(6);
        self.0 % 10_i64.pow(6 - kept) == 0
    }

    /// Whether the number is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

fn rounded(dividend: i128, divisor: i128) -> Option<Decimal> {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let away = if (dividend < 0) == (divisor < 0) {
        1
    } else {
        -1
    };
    let up = rest.abs() * 2 >= divisor.abs();
    i64::try_from(quotient + if up { away } else { 0 })
        .ok()
        .map(Decimal)
}

impl fmt::Display for Decimal {
    /// Writes the one spelling: no plus, no leading or trailing zeros, no `-0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, one) = (self.0.unsigned_abs(), ONE.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        let fraction = format!("{:06}", units % one);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{sign}{}", units / one),
            fraction => write!(f, "{sign}{}.{fraction}", units / one),
        }
    }
}
