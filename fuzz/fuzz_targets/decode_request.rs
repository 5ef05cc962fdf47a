//! What a server receives: a stream of bytes, decoded request by request.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use omcache_proto::binary::{Decoded, HEADER_LEN, RequestPacket, decode_request};

const MAX_BODY: usize = 4096;

fuzz_target!(|input: &[u8]| {
    let mut rest = input;
    loop {
        match decode_request(rest, MAX_BODY) {
            Ok(Decoded::Complete { message, consumed }) => {
                assert!((HEADER_LEN..=HEADER_LEN + MAX_BODY).contains(&consumed));
                check(message, &rest[..consumed]);
                rest = &rest[consumed..];
            }
            Ok(Decoded::Incomplete { needed }) => {
                assert!((1..=HEADER_LEN.max(MAX_BODY)).contains(&needed));
                break;
            }
            Err(error) => {
                let _ = error.to_string();
                break;
            }
        }
    }
});

/// `packet` was decoded from all of `bytes`.
fn check(packet: RequestPacket<'_>, bytes: &[u8]) {
    let mut out = BytesMut::new();
    packet.encode(&mut out).expect("what was decoded can be encoded");
    assert_eq!(out, bytes);
    assert_eq!(packet.encoded_len(), bytes.len());

    for len in [HEADER_LEN - 1, HEADER_LEN, bytes.len() - 1] {
        if len < bytes.len() {
            let end = if len < HEADER_LEN { HEADER_LEN } else { bytes.len() };
            assert_eq!(
                decode_request(&bytes[..len], MAX_BODY),
                Ok(Decoded::Incomplete { needed: end - len })
            );
        }
    }

    match packet.to_request() {
        Ok(request) => {
            assert_eq!(request.opcode(), packet.opcode);
            assert_eq!(request.encoded_len_binary(), bytes.len());
            let mut out = BytesMut::new();
            request.encode_binary(packet.opaque, &mut out).expect("what was decoded can be encoded");
            let Ok(Decoded::Complete { message, consumed }) = decode_request(&out, MAX_BODY) else {
                panic!("{request:?} is not read as it was written");
            };
            assert_eq!(consumed, bytes.len());
            assert_eq!(message.to_request(), Ok(request));
            // Only the vbucket, and a CAS without use, are left out of the typed view.
            assert_eq!(message, RequestPacket { vbucket: 0, cas: message.cas, ..packet });
            assert!(message.cas == packet.cas || message.cas == 0);
        }
        Err(error) => {
            let _ = error.to_string();
        }
    }
}
