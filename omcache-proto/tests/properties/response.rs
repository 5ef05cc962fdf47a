//! Responses: written and read again, whole and cut off, and what is read out of them.

use bytes::BytesMut;
use omcache_proto::binary::{Decoded, Found, HEADER_LEN, Opcode, ResponsePacket, Status, decode_response};
use proptest::prelude::*;

use crate::strategy::{bytes, packet_parts};

fn encoded(packet: ResponsePacket<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    packet.encode(&mut out).expect("encodes");
    out
}

proptest! {
    #[test]
    fn a_response_is_read_as_it_was_written(parts in packet_parts(), behind in bytes(40)) {
        let packet = parts.response();
        let mut buffer = encoded(packet);
        let len = buffer.len();
        prop_assert_eq!(packet.encoded_len(), len);
        buffer.extend_from_slice(&behind);
        let decoded = decode_response(&buffer, len - HEADER_LEN);
        prop_assert_eq!(decoded, Ok(Decoded::Complete { message: packet, consumed: len }));
        if len > HEADER_LEN {
            prop_assert!(decode_response(&buffer, len - HEADER_LEN - 1).is_err());
        }
    }

    #[test]
    fn a_response_borrows_from_the_buffer(parts in packet_parts()) {
        let buffer = encoded(parts.response());
        if let Ok(Decoded::Complete { message, .. }) = decode_response(&buffer, usize::MAX) {
            let body = &buffer[HEADER_LEN..];
            prop_assert_eq!(message.extras.as_ptr(), body.as_ptr());
            prop_assert_eq!(message.value.as_ptr_range().end, body.as_ptr_range().end);
        } else {
            prop_assert!(false, "not complete");
        }
    }

    #[test]
    fn a_response_that_is_cut_off_tells_what_is_missing(parts in packet_parts()) {
        let buffer = encoded(parts.response());
        for len in 0..buffer.len() {
            let end = if len < HEADER_LEN { HEADER_LEN } else { buffer.len() };
            let decoded = decode_response(&buffer[..len], usize::MAX);
            prop_assert_eq!(decoded, Ok(Decoded::Incomplete { needed: end - len }));
        }
    }

    #[test]
    fn flags_are_those_of_the_get_family(parts in packet_parts()) {
        let packet = parts.response();
        let family = matches!(packet.opcode.0, 0x00 | 0x09 | 0x0c | 0x0d | 0x1d | 0x1e | 0x23 | 0x24);
        let expected = match packet.extras {
            &[a, b, c, d] if family => Some(u32::from_be_bytes([a, b, c, d])),
            _ => None,
        };
        prop_assert_eq!(packet.flags(), expected);
    }

    /// The short way has what the long one has, and nothing else; a byte of the header is another one now and then.
    #[test]
    fn values_are_found_as_they_are_decoded(
        parts in packet_parts(),
        (opcode, status) in (prop::sample::select(vec![0x00, 0x09, 0x0d, 0x1d, 0x24, 0x01, 0x1c]), 0..2_u16),
        flags in prop::collection::vec(any::<u8>(), 3..6),
        broken in prop::option::weighted(0.4, (0..HEADER_LEN, any::<u8>())),
        (missing, spare, other) in (0..2_usize, 0..2_usize, 0..2_u32),
    ) {
        let (opcode, status, extras) = (Opcode(opcode), Status(status), &flags[..]);
        let packet = ResponsePacket { opcode, status, extras, ..parts.response() };
        let mut buffer = encoded(packet);
        if let Some((at, byte)) = broken {
            buffer[at] = byte;
        }
        buffer.extend_from_slice(&[0x81][..spare]);
        let input = &buffer[..buffer.len() - missing];
        let (asked, max_body) = (packet.opaque ^ other, packet.encoded_len() - HEADER_LEN);
        let expected = match decode_response(input, max_body) {
            Ok(Decoded::Complete { message, consumed })
                if (message.opcode, message.opaque) == (opcode, asked) && message.status.is_success() =>
            {
                let (cas, key, value) = (message.cas, message.key, message.value);
                message.flags().map(|flags| (Found { flags, cas, key, value }, &input[consumed..]))
            }
            _ => None,
        };
        prop_assert_eq!(Found::decode(input, opcode, asked, max_body), expected);
    }

    #[test]
    fn counters_are_successes_with_8_bytes(parts in packet_parts(), number: u64, opcode: u8, status: u16) {
        let value = number.to_be_bytes();
        let packet = ResponsePacket { value: &value, ..parts.response() };
        for opcode in [0x05, 0x06, 0x15, 0x16].map(Opcode) {
            let counted = ResponsePacket { opcode, status: Status::SUCCESS, ..packet };
            prop_assert_eq!(counted.counter(), Some(number));
            prop_assert_eq!(ResponsePacket { value: &value[1..], ..counted }.counter(), None);
            let expected = (status == 0).then_some(number);
            prop_assert_eq!(ResponsePacket { status: Status(status), ..counted }.counter(), expected);
        }
        if !matches!(opcode, 0x05 | 0x06 | 0x15 | 0x16) {
            let other = ResponsePacket { opcode: Opcode(opcode), status: Status::SUCCESS, ..packet };
            prop_assert_eq!(other.counter(), None);
        }
    }
}
