//! Keys: which lengths are taken, and what is said of the others.

use omcache_proto::{Key, KeyError};

#[test]
fn lengths_from_1_to_250_are_taken() {
    let bytes = [0xffu8; 300];
    for len in 0..=bytes.len() {
        let expected = match len {
            0 => Err(KeyError::Empty),
            1..=250 => Ok(&bytes[..len]),
            _ => Err(KeyError::TooLong { len }),
        };
        assert_eq!(Key::new(&bytes[..len]).map(|key| key.as_bytes()), expected);
        assert_eq!(Key::try_from(&bytes[..len]).map(|key| key.as_bytes()), expected);
    }
    assert_eq!(Key::try_from("Grüße").map(|key| key.as_ref().len()), Ok(7));
    assert_eq!(Key::try_from(""), Err(KeyError::Empty));
}

#[test]
fn any_byte_is_taken() {
    for byte in 0..=u8::MAX {
        assert_eq!(Key::new(&[byte]).map(|key| key.as_bytes()[0]), Ok(byte));
    }
}

#[test]
fn the_error_says_the_range_and_the_length() {
    assert_eq!(KeyError::Empty.to_string(), "the key is empty, a key has 1..=250 bytes");
    let error = Key::new(&[b'x'; 251]).expect_err("too long");
    assert_eq!(error.to_string(), "the key has 251 bytes, a key has 1..=250 bytes");
}

#[test]
fn debug_escapes() {
    let key = Key::new(b"a\"\x00\xff").expect("a valid key");
    assert_eq!(format!("{key:?}"), r#"Key("a\"\x00\xff")"#);
}

#[test]
fn the_borrow_outlives_the_key() {
    let bytes = *b"abc";
    let borrowed = {
        let key = Key::new(&bytes).expect("a valid key");
        key.as_bytes()
    };
    assert_eq!(borrowed, b"abc");
}
