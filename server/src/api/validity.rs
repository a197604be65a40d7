//! The end of a certificate's validity (RFC 5280, 4.1). Only the way to that field is read; rustls checks
//! everything else.

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Returns the last instant of a DER certificate, ms UTC; `None` if its form is another one.
#[must_use]
pub(super) fn ends_ms(certificate: &[u8]) -> Option<i64> {
    let (_, certificate) = inside(certificate, SEQUENCE)?;
    let (_, mut signed) = inside(certificate, SEQUENCE)?;
    if signed.first() == Some(&VERSION) {
        (signed, _) = inside(signed, VERSION)?;
    }
    // Serial number, signature algorithm and issuer come first.
    for _ in 0..3 {
        (signed, _) = inside(signed, *signed.first()?)?;
    }
    let (_, validity) = inside(signed, SEQUENCE)?;
    let (after_begin, _) = inside(validity, *validity.first()?)?;
    let tag = *after_begin.first()?;
    let (_, time) = inside(after_begin, tag)?;
    let text = std::str::from_utf8(time).ok()?;
    match tag {
        UTC_TIME => {
            let year: i64 = text.get(..2)?.parse().ok()?;
            let century = if year < 50 { 2_000 } else { 1_900 };
            instant(century + year, text.get(2..)?)
        }
        GENERALIZED_TIME => instant(text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => None,
    }
}

/// Returns what follows an element with this tag, and what it holds.
fn inside(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    let mut length = usize::from(*first);
    if length >= 0x80 {
        let count = length & 0x7f;
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, after) = rest.split_at_checked(count)?;
        let add = |length: usize, digit: &u8| length << 8 | usize::from(*digit);
        (length, rest) = (digits.iter().fold(0, add), after);
    }
    let (held, after) = rest.split_at_checked(length)?;
    Some((after, held))
}

/// The instant of `MMDDHHMMSSZ` in a year, ms UTC.
fn instant(year: i64, text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z')?;
    if digits.len() != 10 {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2)?.parse::<i64>().ok();
    let [month, day, hour, minute, second] = [part(0)?, part(2)?, part(4)?, part(6)?, part(8)?];
    let days = days_from_civil(year, month, day);
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000)
}

/// Days from 1970-01-01 to this date. Source: Howard Hinnant, “chrono-compatible low-level date algorithms”. Years
/// begin in March, so that the leap day is the last day of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    #[test]
    fn both_forms_of_a_time_are_read() {
        assert_eq!(instant(2026, "1122010203Z"), Some(1_795_309_323_000));
        assert_eq!(instant(1970, "0101000000Z"), Some(0));
        for text in ["1122010203", "11220102Z", "aa22010203Z", ""] {
            assert_eq!(instant(2026, text), None, "{text}");
        }
    }

    #[test]
    fn other_bytes_have_no_end() {
        let long = [0x30, 0x84, 0xff, 0xff, 0xff, 0xff];
        for bytes in [&[][..], &[0x30], &long, &[0x30, 2, 0x30, 0]] {
            assert_eq!(ends_ms(bytes), None);
        }
    }
}
