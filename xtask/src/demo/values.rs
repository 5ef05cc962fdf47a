//! The keys and values of the demonstration: every value names its key, so that one of another key is noticed.

/// How many there are.
pub(super) const COUNT: usize = 10_000;

/// Bytes of each value.
pub(super) const LEN: usize = 100;

/// The key with this number.
pub(super) fn key(number: usize) -> String {
    format!("user:{number:05}")
}

/// The value that belongs to a key.
pub(super) fn value(key: &str) -> Vec<u8> {
    let mut value = format!("value of {key} ").into_bytes();
    value.resize(LEN, b'.');
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_have_the_same_value() {
        let values: std::collections::HashSet<_> = (0..COUNT).map(|number| value(&key(number))).collect();
        assert_eq!(values.len(), COUNT);
        assert!(values.iter().all(|value| value.len() == LEN));
    }
}
