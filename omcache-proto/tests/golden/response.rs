//! Responses: what the decoder reads, and that the encoder writes the same again.

use ::bytes::BytesMut;
use omcache_proto::binary::{Decoded, Opcode, ResponsePacket, Status, decode_response};

use crate::bytes::packet;

const EMPTY: ResponsePacket<'static> = ResponsePacket {
    opcode: Opcode::NOOP,
    status: Status::SUCCESS,
    cas: 0,
    opaque: 0,
    extras: b"",
    key: b"",
    value: b"",
};

#[track_caller]
fn pinned(bytes: &[&str], expected: ResponsePacket<'_>) {
    let bytes = packet(bytes);
    let decoded = decode_response(&bytes, usize::MAX).expect("decodes");
    assert_eq!(decoded, Decoded::Complete { message: expected, consumed: bytes.len() });

    let mut out = BytesMut::new();
    expected.encode(&mut out).expect("encodes");
    assert_eq!(out, bytes, "\nwritten  {out:02x?}\nexpected {bytes:02x?}");
    assert_eq!(expected.encoded_len(), bytes.len());
}

#[test]
fn get_hit() {
    let expected = ResponsePacket {
        opcode: Opcode::GET,
        cas: 1,
        extras: &[0xde, 0xad, 0xbe, 0xef],
        value: b"World",
        ..EMPTY
    };
    pinned(
        &["81 00 0000  04 00 0000  00000009  00000000  0000000000000001", "deadbeef", "\"World\""],
        expected,
    );
    assert_eq!(expected.flags(), Some(0xdead_beef));
    assert_eq!(expected.counter(), None);
}

#[test]
fn getk_hit() {
    let expected = ResponsePacket {
        opcode: Opcode::GETK,
        cas: 1,
        extras: &[0xde, 0xad, 0xbe, 0xef],
        key: b"Hello",
        value: b"World",
        ..EMPTY
    };
    pinned(
        &[
            "81 0c 0005  04 00 0000  0000000e  00000000  0000000000000001",
            "deadbeef",
            "\"Hello\"",
            "\"World\"",
        ],
        expected,
    );
    assert_eq!(expected.flags(), Some(0xdead_beef));
}

#[test]
fn get_miss() {
    let expected = ResponsePacket {
        opcode: Opcode::GET,
        status: Status::KEY_NOT_FOUND,
        opaque: 0x0102_0304,
        value: b"Not found",
        ..EMPTY
    };
    pinned(&["81 00 0000  00 00 0001  00000009  01020304  0000000000000000", "\"Not found\""], expected);
    assert_eq!(expected.flags(), None);
}

#[test]
fn gat_hit() {
    let expected =
        ResponsePacket { opcode: Opcode::GATQ, cas: 7, extras: &[0, 0, 0, 1], value: b"v", ..EMPTY };
    pinned(&["81 1e 0000  04 00 0000  00000005  00000000  0000000000000007", "00000001", "\"v\""], expected);
    assert_eq!(expected.flags(), Some(1));
}

#[test]
fn touch_with_flags_in_the_extras() {
    let expected = ResponsePacket { opcode: Opcode::TOUCH, extras: &[0, 0, 0, 1], ..EMPTY };
    pinned(&["81 1c 0000  04 00 0000  00000004  00000000  0000000000000000", "00000001"], expected);
    assert_eq!(expected.flags(), None);
}

#[test]
fn stored() {
    pinned(
        &["81 02 0000  00 00 0000  00000000  00000000  0000000000000001"],
        ResponsePacket { opcode: Opcode::ADD, cas: 1, ..EMPTY },
    );
}

#[test]
fn increment() {
    let expected =
        ResponsePacket { opcode: Opcode::INCREMENT, cas: 5, value: &[0, 0, 0, 0, 0, 0, 1, 2], ..EMPTY };
    pinned(&["81 05 0000  00 00 0000  00000008  00000000  0000000000000005", "0000000000000102"], expected);
    assert_eq!(expected.counter(), Some(0x102));
    assert_eq!(expected.flags(), None);
}

#[test]
fn increment_of_no_number() {
    // A text of 8 bytes is no number.
    let expected = ResponsePacket {
        opcode: Opcode::DECREMENT,
        status: Status::NON_NUMERIC,
        value: b"Bad item",
        ..EMPTY
    };
    pinned(&["81 06 0000  00 00 0006  00000008  00000000  0000000000000000", "\"Bad item\""], expected);
    assert_eq!(expected.counter(), None);
}

#[test]
fn version() {
    pinned(
        &["81 0b 0000  00 00 0000  00000005  00000000  0000000000000000", "\"1.3.1\""],
        ResponsePacket { opcode: Opcode::VERSION, value: b"1.3.1", ..EMPTY },
    );
}

#[test]
fn stat_and_its_end() {
    let one = ResponsePacket { opcode: Opcode::STAT, key: b"pid", value: b"3078", ..EMPTY };
    pinned(&["81 10 0003  00 00 0000  00000007  00000000  0000000000000000", "\"pid\"", "\"3078\""], one);
    assert!(!one.ends_stat());

    let end = ResponsePacket { opcode: Opcode::STAT, ..EMPTY };
    pinned(&["81 10 0000  00 00 0000  00000000  00000000  0000000000000000"], end);
    assert!(end.ends_stat());

    assert!(ResponsePacket { status: Status::KEY_NOT_FOUND, ..one }.ends_stat());
    assert!(!ResponsePacket { opcode: Opcode::NOOP, ..end }.ends_stat());
}

#[test]
fn sasl() {
    pinned(
        &["81 20 0000  00 00 0000  0000000e  00000000  0000000000000000", "\"CRAM-MD5 PLAIN\""],
        ResponsePacket { opcode: Opcode::SASL_LIST_MECHS, value: b"CRAM-MD5 PLAIN", ..EMPTY },
    );
    pinned(
        &["81 21 0000  00 00 0021  00000003  00000000  0000000000000000", "010203"],
        ResponsePacket {
            opcode: Opcode::SASL_AUTH,
            status: Status::AUTH_CONTINUE,
            value: &[1, 2, 3],
            ..EMPTY
        },
    );
    pinned(
        &["81 22 0000  00 00 0020  0000000c  00000000  0000000000000000", "\"Auth failure\""],
        ResponsePacket {
            opcode: Opcode::SASL_STEP,
            status: Status::AUTH_ERROR,
            value: b"Auth failure",
            ..EMPTY
        },
    );
}

#[test]
fn numbers_without_a_name_pass_through() {
    pinned(
        &["81 f0 0000  00 00 1234  00000000  00000000  0000000000000000"],
        ResponsePacket { opcode: Opcode(0xf0), status: Status(0x1234), ..EMPTY },
    );
}
