//! Requests: written and read again, whole, cut off and one behind the other.

use std::collections::HashSet;

use bytes::BytesMut;
use omcache_proto::Request;
use omcache_proto::binary::{Decoded, HEADER_LEN, Opcode, RequestPacket, decode_request};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::strategy::{bytes, packet_parts, request_parts};

fn encoded(request: Request<'_>, opaque: u32) -> BytesMut {
    let mut out = BytesMut::new();
    request.encode_binary(opaque, &mut out).expect("encodes");
    out
}

fn complete(input: &[u8]) -> (RequestPacket<'_>, usize) {
    match decode_request(input, usize::MAX) {
        Ok(Decoded::Complete { message, consumed }) => (message, consumed),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(parts in request_parts(), opaque: u32, behind in bytes(40)) {
        let request = parts.request();
        let mut buffer = encoded(request, opaque);
        let len = buffer.len();
        prop_assert_eq!(request.encoded_len_binary(), len);
        buffer.extend_from_slice(&behind);

        let (packet, consumed) = complete(&buffer);
        prop_assert_eq!(consumed, len);
        prop_assert_eq!(packet.opaque, opaque);
        prop_assert_eq!(packet.vbucket, 0);
        prop_assert_eq!(packet.opcode, request.opcode());
        prop_assert_eq!(packet.opcode.is_quiet(), request.is_quiet());
        prop_assert_eq!(packet.to_request(), Ok(request));
        if let Some(key) = request.key() {
            prop_assert_eq!(packet.key, key.as_bytes());
        }
    }

    #[test]
    fn a_request_goes_behind_what_is_in_the_buffer(parts in request_parts(), before in bytes(40)) {
        let mut out = BytesMut::from(&before[..]);
        parts.request().encode_binary(1, &mut out).expect("encodes");
        prop_assert_eq!(&out[..before.len()], &before[..]);
        prop_assert_eq!(&out[before.len()..], &encoded(parts.request(), 1)[..]);
    }

    #[test]
    fn a_request_that_is_cut_off_tells_what_is_missing(parts in request_parts()) {
        let buffer = encoded(parts.request(), 7);
        for len in 0..buffer.len() {
            let end = if len < HEADER_LEN { HEADER_LEN } else { buffer.len() };
            let decoded = decode_request(&buffer[..len], usize::MAX);
            prop_assert_eq!(decoded, Ok(Decoded::Incomplete { needed: end - len }));
        }
    }

    #[test]
    fn any_packet_is_read_as_it_was_written(parts in packet_parts()) {
        let packet = parts.request();
        let mut buffer = BytesMut::new();
        packet.encode(&mut buffer).expect("encodes");
        prop_assert_eq!(packet.encoded_len(), buffer.len());
        prop_assert_eq!(complete(&buffer), (packet, buffer.len()));
        let body = buffer.len() - HEADER_LEN;
        prop_assert!(decode_request(&buffer, body).is_ok());
        if body > 0 {
            prop_assert!(decode_request(&buffer, body - 1).is_err());
        }
    }

    #[test]
    fn what_a_packet_is_as_a_request_is_written_the_same(parts in packet_parts()) {
        let packet = parts.request();
        if let Ok(request) = packet.to_request() {
            let buffer = encoded(request, packet.opaque);
            let (again, _) = complete(&buffer);
            // The CAS is left out of a request that has no use for it, and the vbucket of each.
            let cas = if again.cas == 0 { 0 } else { packet.cas };
            prop_assert_eq!(again, RequestPacket { vbucket: 0, cas, ..packet });
            prop_assert_eq!(again.to_request(), Ok(request));
        }
    }

    #[test]
    fn requests_in_a_row_are_read_in_order(parts in proptest::collection::vec(request_parts(), 0..8)) {
        let mut buffer = BytesMut::new();
        for (opaque, parts) in (0..).zip(&parts) {
            parts.request().encode_binary(opaque, &mut buffer).expect("encodes");
        }
        let mut rest = &buffer[..];
        for (opaque, parts) in (0..).zip(&parts) {
            let (packet, consumed) = complete(rest);
            prop_assert_eq!(packet.opaque, opaque);
            prop_assert_eq!(packet.to_request(), Ok(parts.request()));
            rest = &rest[consumed..];
        }
        prop_assert!(rest.is_empty());
    }
}

#[test]
fn every_opcode_with_a_typed_request_is_generated() {
    let mut runner = TestRunner::deterministic();
    let mut seen = HashSet::new();
    for _ in 0..5000 {
        let parts = request_parts().new_tree(&mut runner).expect("generates").current();
        seen.insert(parts.request().opcode());
    }
    let expected: HashSet<_> = (0x00..=0x1e).chain(0x20..=0x24).map(Opcode).collect();
    assert_eq!(seen, expected);
}
