//! Crockford's base 32: digits and capitals without I, L, O, U, forgiving towards look-alikes.

const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Writes bytes, five bits a symbol; the last symbol is filled up with zero bits.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(symbol(held >> bits));
            held &= (1 << bits) - 1;
        }
    }
    if bits > 0 {
        text.push(symbol(held << (5 - bits)));
    }
    text
}

/// Reads what [`encode`] wrote. `None` for another symbol, a length that no bytes have, or filling bits
/// that are not zero.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for symbol in text.chars() {
        held = held << 5 | value(symbol)?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    (bits < 5 && held == 0).then_some(bytes)
}

/// Whether the character stands for a value.
pub(crate) fn is_symbol(symbol: char) -> bool {
    value(symbol).is_some()
}

fn symbol(value: u32) -> char {
    char::from(SYMBOLS[(value & 31) as usize])
}

fn value(symbol: char) -> Option<u32> {
    let symbol = match symbol.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    SYMBOLS
        .iter()
        .position(|s| char::from(*s) == symbol)
        .and_then(|at| u32::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_round_trip() {
        let bytes: Vec<u8> = (0_u8..=255).rev().collect();
        for len in 0..bytes.len() {
            let text = encode(&bytes[..len]);
            assert_eq!(decode(&text).as_deref(), Some(&bytes[..len]));
            assert!(text.chars().all(is_symbol));
        }
        assert_eq!(encode(b"\x00\x44\x32"), "01234");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["U", "0", "000", "01", "é", "!!"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("oi"), None, "filling bits that are not zero");
        assert_eq!(decode("oo"), Some(vec![0]));
    }
}
