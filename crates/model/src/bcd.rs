//! Binary coded decimal (BCD), as cards keep dates, times and city codes.

/// `number` as `N` BCD bytes; digits that do not fit are cut off at the left.
#[must_use]
pub fn encode<const N: usize>(number: u64) -> [u8; N] {
    let mut bytes = [0; N];
    let mut rest = number;
    for byte in bytes.iter_mut().rev() {
        let pair = u8::try_from(rest % 100).unwrap_or(0);
        *byte = ((pair / 10) << 4) | (pair % 10);
        rest /= 100;
    }
    bytes
}

/// The number in BCD bytes; `None` if a nibble is not a digit or there are more than 16 digits.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > 8 {
        return None;
    }
    bytes.iter().try_fold(0_u64, |number, byte| {
        let (tens, ones) = (byte >> 4, byte & 0x0F);
        if tens > 9 || ones > 9 {
            return None;
        }
        number.checked_mul(100)?.checked_add(u64::from(tens).checked_mul(10)?)?.checked_add(u64::from(ones))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_numbers_agree() {
        assert_eq!(encode::<4>(20_140_825), [0x20, 0x14, 0x08, 0x25]);
        assert_eq!(decode(&[0x20, 0x14, 0x08, 0x25]), Some(20_140_825));
        assert_eq!(decode(&[0x1A]), None);
        assert_eq!(decode(&[0; 9]), None);
    }
}
