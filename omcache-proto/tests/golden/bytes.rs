//! Packets written as hexadecimal digits and text.

/// The bytes that `parts` stand for: digits of bytes with any spaces between, and text in quotes.
pub(crate) fn packet(parts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        if let Some(text) = part.strip_prefix('"') {
            bytes.extend_from_slice(text.strip_suffix('"').expect("an end quote").as_bytes());
            continue;
        }
        let digits: String = part.split_whitespace().collect();
        assert_eq!(digits.len() % 2, 0, "half a byte in {part}");
        for at in (0..digits.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"));
        }
    }
    bytes
}
