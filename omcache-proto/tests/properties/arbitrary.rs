//! Bytes that nobody has encoded: no panic, and an answer that is true of them.

use bytes::BytesMut;
use omcache_proto::binary::{
    Decoded, HEADER_LEN, MAGIC_REQUEST, MAGIC_RESPONSE, RequestHeader, ResponseHeader, decode_request,
    decode_response,
};
use proptest::prelude::*;

use crate::strategy::{bytes, packet_parts};

/// Bytes of which many begin with a header that is taken: in plain ones the data type and the
/// lengths seldom fit.
fn input(magic: u8) -> impl Strategy<Value = Vec<u8>> {
    let nearly = (any::<[u8; HEADER_LEN]>(), 0..64u32, 0..20u16, 0..20u8, bytes(80)).prop_map(
        move |(mut header, body_len, key_len, extras_len, body)| {
            header[0] = magic;
            header[2..4].copy_from_slice(&key_len.to_be_bytes());
            header[4] = extras_len;
            header[5] = 0;
            header[8..12].copy_from_slice(&body_len.to_be_bytes());
            [&header[..], &body].concat()
        },
    );
    prop_oneof![1 => bytes(100), 3 => nearly]
}

fn check_request(input: &[u8], max_body: usize) -> Result<(), TestCaseError> {
    match decode_request(input, max_body) {
        Ok(Decoded::Complete { message, consumed }) => {
            prop_assert!(consumed >= HEADER_LEN && consumed <= input.len());
            prop_assert!(consumed - HEADER_LEN <= max_body);
            let mut out = BytesMut::new();
            message.encode(&mut out).expect("what was decoded can be encoded");
            prop_assert_eq!(&out[..], &input[..consumed]);
            // Any answer, but an answer.
            if let Ok(request) = message.to_request() {
                prop_assert_eq!(request.opcode(), message.opcode);
            }
        }
        Ok(Decoded::Incomplete { needed }) => {
            prop_assert!(needed >= 1);
            if input.len() >= HEADER_LEN {
                let mut filled = input.to_vec();
                filled.resize(input.len() + needed - 1, 0);
                prop_assert_eq!(decode_request(&filled, max_body), Ok(Decoded::Incomplete { needed: 1 }));
                filled.push(0);
                let complete = matches!(
                    decode_request(&filled, max_body),
                    Ok(Decoded::Complete { consumed, .. }) if consumed == filled.len()
                );
                prop_assert!(complete);
            }
        }
        Err(error) => prop_assert!(!error.to_string().is_empty()),
    }
    Ok(())
}

fn check_response(input: &[u8], max_body: usize) -> Result<(), TestCaseError> {
    match decode_response(input, max_body) {
        Ok(Decoded::Complete { message, consumed }) => {
            prop_assert!(consumed >= HEADER_LEN && consumed <= input.len());
            prop_assert!(consumed - HEADER_LEN <= max_body);
            let mut out = BytesMut::new();
            message.encode(&mut out).expect("what was decoded can be encoded");
            prop_assert_eq!(&out[..], &input[..consumed]);
            prop_assert!(message.flags().is_none() || message.counter().is_none());
        }
        Ok(Decoded::Incomplete { needed }) => {
            prop_assert!(needed >= 1);
            if input.len() >= HEADER_LEN {
                let mut filled = input.to_vec();
                filled.resize(input.len() + needed - 1, 0);
                prop_assert_eq!(decode_response(&filled, max_body), Ok(Decoded::Incomplete { needed: 1 }));
                filled.push(0);
                let complete = matches!(
                    decode_response(&filled, max_body),
                    Ok(Decoded::Complete { consumed, .. }) if consumed == filled.len()
                );
                prop_assert!(complete);
            }
        }
        Err(error) => prop_assert!(!error.to_string().is_empty()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_as_a_request(input in input(MAGIC_REQUEST), max_body in 0..80usize) {
        check_request(&input, max_body)?;
    }

    #[test]
    fn any_bytes_as_a_response(input in input(MAGIC_RESPONSE), max_body in 0..80usize) {
        check_response(&input, max_body)?;
    }

    #[test]
    fn packets_with_a_byte_changed(parts in packet_parts(), at: prop::sample::Index, byte: u8) {
        let mut request = BytesMut::new();
        parts.request().encode(&mut request).expect("encodes");
        let mut response = BytesMut::new();
        parts.response().encode(&mut response).expect("encodes");
        // In the header for the most part: that is where a byte decides something.
        let at = at.index(request.len().min(2 * HEADER_LEN));
        request[at] = byte;
        response[at] = byte;
        check_request(&request, 1 << 20)?;
        check_response(&response, 1 << 20)?;
    }

    #[test]
    fn a_header_is_written_as_it_was_read(input: [u8; HEADER_LEN]) {
        for magic in [MAGIC_REQUEST, MAGIC_RESPONSE] {
            let mut input = input;
            input[0] = magic;
            input[5] = 0;
            if let Ok(Decoded::Complete { message, consumed }) = RequestHeader::parse(&input) {
                prop_assert_eq!((message.encode(), consumed), (input, HEADER_LEN));
                prop_assert_eq!(
                    message.packet_len(),
                    HEADER_LEN
                        + usize::from(message.extras_len)
                        + usize::from(message.key_len)
                        + message.value_len()
                );
            }
            if let Ok(Decoded::Complete { message, consumed }) = ResponseHeader::parse(&input) {
                prop_assert_eq!((message.encode(), consumed), (input, HEADER_LEN));
                prop_assert_eq!(
                    message.packet_len(),
                    HEADER_LEN
                        + usize::from(message.extras_len)
                        + usize::from(message.key_len)
                        + message.value_len()
                );
            }
        }
    }
}
