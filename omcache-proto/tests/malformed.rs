//! What is no packet, or no request: the errors with their numbers, and how early they come.

use std::error::Error as _;

use bytes::BytesMut;
use omcache_proto::binary::{
    CounterExtras, Decoded, FlushExtras, GetResponseExtras, HEADER_LEN, Opcode, RequestHeader, RequestPacket,
    ResponseHeader, ResponsePacket, Status, StoreExtras, TouchExtras, VerbosityExtras, decode_request,
    decode_response,
};
use omcache_proto::{DecodeError, EncodeError, KeyError, Request};

const REQUEST: RequestHeader = RequestHeader {
    opcode: Opcode::SET,
    key_len: 3,
    extras_len: 8,
    vbucket: 0,
    body_len: 16,
    opaque: 0x0102_0304,
    cas: 0,
};

const RESPONSE: ResponseHeader = ResponseHeader {
    opcode: Opcode::GETK,
    key_len: 3,
    extras_len: 4,
    status: Status::SUCCESS,
    body_len: 12,
    opaque: 0x0102_0304,
    cas: 0,
};

const PACKET: RequestPacket<'static> =
    RequestPacket { opcode: Opcode::GET, vbucket: 0, cas: 0, opaque: 0, extras: b"", key: b"k", value: b"" };

#[test]
fn a_wrong_magic_is_told_from_the_first_byte() {
    let error = DecodeError::Magic { expected: 0x81, found: b'E' };
    for len in 1..=7 {
        assert_eq!(decode_response(&b"ERROR\r\n"[..len], 1024), Err(error));
    }
    assert_eq!(decode_response(&[b'E'; 100], 1024), Err(error));
    assert_eq!(error.to_string(), "the magic byte is 0x45, expected 0x81");

    // The right magic of the wrong direction.
    assert_eq!(
        ResponseHeader::parse(&REQUEST.encode()),
        Err(DecodeError::Magic { expected: 0x81, found: 0x80 })
    );
    assert_eq!(
        RequestHeader::parse(&RESPONSE.encode()),
        Err(DecodeError::Magic { expected: 0x80, found: 0x81 })
    );
}

#[test]
fn a_data_type_other_than_raw_bytes() {
    let mut header = RESPONSE.encode();
    header[5] = 2;
    let error = DecodeError::DataType { found: 2 };
    assert_eq!(ResponseHeader::parse(&header), Err(error));
    assert_eq!(error.to_string(), "the data type is 0x02, expected 0x00");
}

#[test]
fn lengths_that_contradict_each_other() {
    let fits = ResponseHeader { key_len: 0xffff, extras_len: 0xff, body_len: 0xffff + 0xff, ..RESPONSE };
    let decoded = ResponseHeader::parse(&fits.encode());
    assert_eq!(decoded, Ok(Decoded::Complete { message: fits, consumed: HEADER_LEN }));
    assert_eq!(fits.value_len(), 0);

    let contradicts = ResponseHeader { body_len: fits.body_len - 1, ..fits };
    let error = DecodeError::Lengths { key_len: 0xffff, extras_len: 0xff, body_len: 0xffff + 0xfe };
    assert_eq!(ResponseHeader::parse(&contradicts.encode()), Err(error));
    assert_eq!(decode_response(&contradicts.encode(), usize::MAX), Err(error));
    assert_eq!(contradicts.value_len(), 0);
    assert_eq!(
        error.to_string(),
        "extras of 255 bytes and a key of 65535 bytes do not fit into a body of 65789 bytes"
    );

    let contradicts = RequestHeader { body_len: 10, ..REQUEST };
    let error = DecodeError::Lengths { key_len: 3, extras_len: 8, body_len: 10 };
    assert_eq!(decode_request(&contradicts.encode(), usize::MAX), Err(error));
}

#[test]
fn a_body_over_the_limit_is_refused_by_its_header() {
    let header = ResponseHeader { body_len: 1025, ..RESPONSE }.encode();
    let error = DecodeError::BodyTooLarge { body_len: 1025, limit: 1024, opaque: 0x0102_0304 };
    assert_eq!(decode_response(&header, 1024), Err(error));
    assert_eq!(decode_response(&header[..23], 1024), Ok(Decoded::Incomplete { needed: 1 }));
    assert_eq!(decode_response(&header, 1025), Ok(Decoded::Incomplete { needed: 1025 }));
    assert_eq!(
        error.to_string(),
        "the body of the packet with opaque 0x01020304 has 1025 bytes, the limit is 1024"
    );

    let header = RequestHeader { body_len: u32::MAX, ..REQUEST }.encode();
    assert_eq!(
        decode_request(&header, 0),
        Err(DecodeError::BodyTooLarge { body_len: u32::MAX, limit: 0, opaque: 0x0102_0304 })
    );
}

#[cfg(target_pointer_width = "64")]
#[test]
fn the_longest_body_is_only_incomplete_without_a_limit() {
    let header = RequestHeader { body_len: u32::MAX, ..REQUEST };
    assert_eq!(
        decode_request(&header.encode(), usize::MAX),
        Ok(Decoded::Incomplete { needed: u32::MAX as usize })
    );
    assert_eq!(header.packet_len(), u32::MAX as usize + HEADER_LEN);
    assert_eq!(header.value_len(), u32::MAX as usize - 11);
}

#[test]
fn nothing_needs_a_header() {
    assert_eq!(decode_request(&[], 0), Ok(Decoded::Incomplete { needed: 24 }));
    assert_eq!(ResponseHeader::parse(&[]), Ok(Decoded::Incomplete { needed: 24 }));
}

#[test]
fn extras_of_another_length() {
    let of = |expected, found| DecodeError::Extras { opcode: None, expected, found };
    for len in 0..=30 {
        let extras = vec![1; len];
        let extras = &*extras;
        assert_eq!(StoreExtras::parse(extras).err(), (len != 8).then_some(of(8, len)));
        assert_eq!(CounterExtras::parse(extras).err(), (len != 20).then_some(of(20, len)));
        assert_eq!(TouchExtras::parse(extras).err(), (len != 4).then_some(of(4, len)));
        assert_eq!(VerbosityExtras::parse(extras).err(), (len != 4).then_some(of(4, len)));
        assert_eq!(GetResponseExtras::parse(extras).err(), (len != 4).then_some(of(4, len)));
        assert_eq!(FlushExtras::parse(extras).err(), (len != 4 && len != 0).then_some(of(4, len)));
    }
    assert_eq!(of(8, 3).to_string(), "the extras have 3 bytes, expected 8");
}

#[test]
fn requests_with_extras_of_another_length() {
    let error = RequestPacket { opcode: Opcode::ADDQ, extras: &[0; 3], ..PACKET }.to_request();
    let expected = DecodeError::Extras { opcode: Some(Opcode::ADDQ), expected: 8, found: 3 };
    assert_eq!(error, Err(expected));
    assert_eq!(expected.to_string(), "the extras of ADDQ have 3 bytes, expected 8");

    for (opcode, expected) in [
        (Opcode::GET, 0),
        (Opcode::DELETE, 0),
        (Opcode::APPEND, 0),
        (Opcode::NOOP, 0),
        (Opcode::STAT, 0),
        (Opcode::SASL_AUTH, 0),
        (Opcode::SASL_STEP, 0),
        (Opcode::TOUCH, 4),
        (Opcode::GAT, 4),
        (Opcode::FLUSH, 4),
        (Opcode::VERBOSITY, 4),
        (Opcode::SET, 8),
        (Opcode::INCREMENT, 20),
    ] {
        let packet = RequestPacket { opcode, extras: &[0; 7], ..PACKET };
        let error = DecodeError::Extras { opcode: Some(opcode), expected, found: 7 };
        assert_eq!(packet.to_request(), Err(error));
    }
}

#[test]
fn requests_that_need_a_key() {
    let long = [b'x'; 251];
    for (opcode, extras) in [
        (Opcode::GETKQ, 0),
        (Opcode::GATK, 4),
        (Opcode::REPLACE, 8),
        (Opcode::PREPENDQ, 0),
        (Opcode::DECREMENT, 20),
        (Opcode::DELETE, 0),
        (Opcode::TOUCH, 4),
    ] {
        let packet = RequestPacket { opcode, extras: &[0; 20][..extras], ..PACKET };
        assert!(packet.to_request().is_ok(), "{opcode:?}");
        assert_eq!(
            RequestPacket { key: b"", ..packet }.to_request(),
            Err(DecodeError::Key { opcode, source: KeyError::Empty })
        );
        assert_eq!(
            RequestPacket { key: &long, ..packet }.to_request(),
            Err(DecodeError::Key { opcode, source: KeyError::TooLong { len: 251 } })
        );
    }
    let error = DecodeError::Key { opcode: Opcode::GET, source: KeyError::Empty };
    assert_eq!(error.to_string(), "GET needs a key");
    assert_eq!(error.source().map(ToString::to_string), Some(KeyError::Empty.to_string()));
}

#[test]
fn requests_that_take_no_key() {
    for (opcode, extras) in [
        (Opcode::FLUSH, 4),
        (Opcode::VERBOSITY, 4),
        (Opcode::NOOP, 0),
        (Opcode::VERSION, 0),
        (Opcode::QUITQ, 0),
        (Opcode::SASL_LIST_MECHS, 0),
    ] {
        let packet = RequestPacket { opcode, key: b"key", extras: &[0; 4][..extras], ..PACKET };
        assert!(RequestPacket { key: b"", ..packet }.to_request().is_ok(), "{opcode:?}");
        assert_eq!(packet.to_request(), Err(DecodeError::UnexpectedKey { opcode, len: 3 }));
    }
    let error = DecodeError::UnexpectedKey { opcode: Opcode::NOOP, len: 3 };
    assert_eq!(error.to_string(), "NOOP takes no key, the key has 3 bytes");
}

#[test]
fn requests_that_take_no_value() {
    for (opcode, key, extras) in [
        (Opcode::GET, "k", 0),
        (Opcode::GATQ, "k", 4),
        (Opcode::INCREMENT, "k", 20),
        (Opcode::DELETEQ, "k", 0),
        (Opcode::TOUCH, "k", 4),
        (Opcode::STAT, "k", 0),
        (Opcode::FLUSH, "", 0),
        (Opcode::VERBOSITY, "", 4),
        (Opcode::QUIT, "", 0),
    ] {
        let packet = RequestPacket {
            opcode,
            key: key.as_bytes(),
            extras: &[0; 20][..extras],
            value: b"value",
            ..PACKET
        };
        assert!(RequestPacket { value: b"", ..packet }.to_request().is_ok(), "{opcode:?}");
        assert_eq!(packet.to_request(), Err(DecodeError::UnexpectedValue { opcode, len: 5 }));
    }
    let error = DecodeError::UnexpectedValue { opcode: Opcode::QUIT, len: 5 };
    assert_eq!(error.to_string(), "QUIT takes no value, the value has 5 bytes");
}

#[test]
fn opcodes_without_a_typed_request() {
    for number in (0x25..=0xff).chain([0x1f]) {
        let opcode = Opcode(number);
        let packet = RequestPacket { opcode, ..PACKET };
        assert_eq!(packet.to_request(), Err(DecodeError::Opcode { opcode }));
    }
    let error = DecodeError::Opcode { opcode: Opcode(0xf0) };
    assert_eq!(error.to_string(), "the opcode 0xf0 has no typed request");
}

#[test]
fn parts_too_long_for_a_packet_leave_the_buffer_as_it_was() {
    let long = vec![0; 65536];
    let mut out = BytesMut::from(&b"before"[..]);

    let key = EncodeError::KeyTooLong { len: 65536 };
    assert_eq!(RequestPacket { key: &long, ..PACKET }.encode(&mut out), Err(key));
    assert_eq!(Request::Stat { group: &long }.encode_binary(0, &mut out), Err(key));
    assert_eq!(Request::SaslAuth { mechanism: &long, data: b"" }.encode_binary(0, &mut out), Err(key));
    assert_eq!(key.to_string(), "the key has 65536 bytes, a packet holds at most 65535");

    let extras = EncodeError::ExtrasTooLong { len: 256 };
    let response = ResponsePacket {
        opcode: Opcode::GET,
        status: Status::SUCCESS,
        cas: 0,
        opaque: 0,
        extras: &long[..256],
        key: b"",
        value: b"",
    };
    assert_eq!(response.encode(&mut out), Err(extras));
    assert_eq!(extras.to_string(), "the extras have 256 bytes, a packet holds at most 255");

    assert_eq!(out, &b"before"[..]);
}
