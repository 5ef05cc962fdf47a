//! The numbers that INCREMENT and DECREMENT find in values, with memcached's leniency.

/// The number at the front of a value, `None` where memcached answers "non-numeric".
///
/// memcached reads it with `strtoull`: white space and a sign may come first, and behind it the value ends, or white
/// space or NUL follows with anything after that. A negative number is taken modulo 2⁶⁴ where that gives less than 2⁶³.
pub(super) fn parse(value: &[u8]) -> Option<u64> {
    let start = value.iter().position(|byte| !is_space(*byte))?;
    let signed = value.get(start..)?;
    let (negative, unsigned) = match signed.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, signed),
    };
    let digits = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || unsigned.get(digits).is_some_and(|byte| !is_space(*byte) && *byte != 0) {
        return None;
    }
    let mut number = 0_u64;
    for digit in unsigned.iter().take(digits) {
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    if !negative {
        return Some(number);
    }
    Some(number.wrapping_neg()).filter(|number| *number <= i64::MAX.unsigned_abs())
}

/// C's `isspace`, which takes the vertical tab too.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::parse;

    // Each of these was given to memcached 1.6.18; the embedded server's integration test does so again.
    #[test]
    fn numbers_are_read_as_memcached_does() {
        let numbers: [(&[u8], u64); 14] = [
            (b"0", 0),
            (b"007", 7),
            (b"18446744073709551615", u64::MAX),
            (b" 5", 5),
            (b"\x0b5", 5),
            (b"5 x", 5),
            (b"5\x0b6", 5),
            (b"5\n", 5),
            (b"5\0", 5),
            (b"+3", 3),
            (b"-0", 0),
            (b"-18446744073709551615", 1),
            (b"12345678901234567890 ", 12_345_678_901_234_567_890),
            (b"000000000000000000000000000000000000000001", 1),
        ];
        for (value, number) in numbers {
            assert_eq!(parse(value), Some(number), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn other_values_are_refused() {
        let others: [&[u8]; 13] = [
            b"",
            b" ",
            b"\0",
            b"-",
            b"+",
            b"--1",
            b"-1",
            b"-5",
            b"abc",
            b"5x",
            b"0x10",
            b"18446744073709551616",
            b"99999999999999999999",
        ];
        for value in others {
            assert_eq!(parse(value), None, "{}", value.escape_ascii());
        }
    }
}
