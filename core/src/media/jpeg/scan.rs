//! The data of a scan: entropy-coded bytes in intervals that restart markers separate.

use crate::media::MediaError;

/// Copies the data of a scan up to the next marker, without fill bytes. Returns the number of bytes read.
///
/// The restart markers must be the ones that the number of intervals asks for, because a photo that lost its end
/// has too few, and a decoder would show grey instead.
pub(super) fn copy(from: &[u8], intervals: u64, out: &mut Vec<u8>) -> Result<usize, MediaError> {
    let (mut copied, mut at, mut ended) = (0, 0, 0_u64);
    loop {
        let found = from[at..].iter().position(|byte| *byte == 0xff);
        let marker = at + found.ok_or(MediaError::Damaged)?;
        let mut code_at = marker + 1;
        while from.get(code_at) == Some(&0xff) {
            code_at += 1;
        }
        let code = *from.get(code_at).ok_or(MediaError::Damaged)?;
        match code {
            // A byte of data that looks like the begin of a marker.
            0x00 if code_at == marker + 1 => at = code_at + 1,
            0xd0..=0xd7 => {
                if u64::from(code - 0xd0) != ended % 8 || ended + 1 >= intervals {
                    return Err(MediaError::Damaged);
                }
                ended += 1;
                out.extend(&from[copied..marker]);
                out.extend([0xff, code]);
                at = code_at + 1;
                copied = at;
            }
            0x00 | 0x01 => return Err(MediaError::Damaged),
            _ => {
                if ended + 1 != intervals {
                    return Err(MediaError::Damaged);
                }
                out.extend(&from[copied..marker]);
                return Ok(marker);
            }
        }
    }
}
