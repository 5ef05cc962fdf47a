//! What a client receives: a stream of bytes, decoded response by response.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use omcache_proto::binary::{
    Decoded, GetResponseExtras, HEADER_LEN, Opcode, ResponseHeader, ResponsePacket, decode_response,
};

const MAX_BODY: usize = 4096;

fuzz_target!(|input: &[u8]| {
    let mut rest = input;
    loop {
        match decode_response(rest, MAX_BODY) {
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
fn check(packet: ResponsePacket<'_>, bytes: &[u8]) {
    let mut out = BytesMut::new();
    packet.encode(&mut out).expect("what was decoded can be encoded");
    assert_eq!(out, bytes);
    assert_eq!(packet.encoded_len(), bytes.len());

    let header = packet.header().expect("what was decoded has a header");
    assert_eq!(header.packet_len(), bytes.len());
    assert_eq!(header.value_len(), packet.value.len());
    assert_eq!(ResponseHeader::parse(bytes), Ok(Decoded::Complete { message: header, consumed: HEADER_LEN }));

    for len in [HEADER_LEN - 1, HEADER_LEN, bytes.len() - 1] {
        if len < bytes.len() {
            let end = if len < HEADER_LEN { HEADER_LEN } else { bytes.len() };
            assert_eq!(
                decode_response(&bytes[..len], MAX_BODY),
                Ok(Decoded::Incomplete { needed: end - len })
            );
        }
    }

    if let Some(flags) = packet.flags() {
        assert!(packet.opcode.is_get_family());
        assert_eq!(packet.extras, GetResponseExtras { flags }.encode());
    }
    if let Some(number) = packet.counter() {
        assert!(packet.opcode.is_counter() && packet.status.is_success());
        assert_eq!(packet.value, number.to_be_bytes());
    }
    if packet.ends_stat() {
        assert_eq!(packet.opcode, Opcode::STAT);
    }
}
