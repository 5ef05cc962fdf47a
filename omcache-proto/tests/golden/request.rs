//! Requests: what the encoder writes, and that the decoder reads the same back.

use ::bytes::BytesMut;
use omcache_proto::binary::{Decoded, Opcode, RequestPacket, decode_request};
use omcache_proto::{ConcatMode, CounterMode, Key, Request, StoreMode};

use crate::bytes::packet;

fn key(text: &str) -> Key<'_> {
    Key::try_from(text).expect("a valid key")
}

#[track_caller]
fn pinned(request: Request<'_>, opaque: u32, expected: &[&str]) {
    let expected = packet(expected);
    let mut out = BytesMut::new();
    request.encode_binary(opaque, &mut out).expect("encodes");
    assert_eq!(out, expected, "\nwritten  {out:02x?}\nexpected {expected:02x?}");
    assert_eq!(request.encoded_len_binary(), expected.len());

    let decoded = decode_request(&expected, usize::MAX).expect("decodes");
    let Decoded::Complete { message, consumed } = decoded else { panic!("{decoded:?}") };
    assert_eq!(consumed, expected.len());
    assert_eq!(message.opaque, opaque);
    assert_eq!(message.opcode, request.opcode());
    assert_eq!(message.to_request(), Ok(request));
}

#[test]
fn get() {
    let hello = key("Hello");
    for (opcode, with_key, quiet) in
        [("00", false, false), ("09", false, true), ("0c", true, false), ("0d", true, true)]
    {
        pinned(
            Request::Get { key: hello, with_key, quiet },
            0,
            &["80", opcode, "0005  00 00 0000  00000005  00000000  0000000000000000", "\"Hello\""],
        );
    }
}

#[test]
fn get_and_touch() {
    for (opcode, with_key, quiet) in
        [("1d", false, false), ("1e", false, true), ("23", true, false), ("24", true, true)]
    {
        pinned(
            Request::GetAndTouch { key: key("Hello"), expiration: 3600, with_key, quiet },
            0x0102_0304,
            &[
                "80",
                opcode,
                "0005  04 00 0000  00000009  01020304  0000000000000000",
                "00000e10",
                "\"Hello\"",
            ],
        );
    }
}

#[test]
fn set_add_replace() {
    for (opcode, mode, quiet) in [
        ("01", StoreMode::Set, false),
        ("02", StoreMode::Add, false),
        ("03", StoreMode::Replace, false),
        ("11", StoreMode::Set, true),
        ("12", StoreMode::Add, true),
        ("13", StoreMode::Replace, true),
    ] {
        // Flags 0xdeadbeef, to expire in two hours.
        let request = Request::Store {
            mode,
            key: key("Hello"),
            value: b"World",
            flags: 0xdead_beef,
            expiration: 7200,
            cas: 0,
            quiet,
        };
        pinned(
            request,
            0,
            &[
                "80",
                opcode,
                "0005  08 00 0000  00000012  00000000  0000000000000000",
                "deadbeef 00001c20",
                "\"Hello\"",
                "\"World\"",
            ],
        );
    }
}

#[test]
fn set_of_a_version_and_of_an_empty_value() {
    let request = Request::Store {
        mode: StoreMode::Set,
        key: key("k"),
        value: b"",
        flags: 0,
        expiration: 0,
        cas: 0x0102_0304_0506_0708,
        quiet: false,
    };
    pinned(
        request,
        1,
        &["80 01 0001  08 00 0000  00000009  00000001  0102030405060708", "00000000 00000000", "\"k\""],
    );
}

#[test]
fn append_and_prepend() {
    for (opcode, mode, quiet) in [
        ("0e", ConcatMode::Append, false),
        ("0f", ConcatMode::Prepend, false),
        ("19", ConcatMode::Append, true),
        ("1a", ConcatMode::Prepend, true),
    ] {
        pinned(
            Request::Concat { mode, key: key("Hello"), value: b"!", cas: 0, quiet },
            0,
            &["80", opcode, "0005  00 00 0000  00000006  00000000  0000000000000000", "\"Hello\"", "\"!\""],
        );
    }
}

#[test]
fn delete() {
    for (opcode, quiet) in [("04", false), ("14", true)] {
        pinned(
            Request::Delete { key: key("Hello"), cas: 9, quiet },
            0,
            &["80", opcode, "0005  00 00 0000  00000005  00000000  0000000000000009", "\"Hello\""],
        );
    }
}

#[test]
fn increment_and_decrement() {
    for (opcode, mode, quiet) in [
        ("05", CounterMode::Increment, false),
        ("06", CounterMode::Decrement, false),
        ("15", CounterMode::Increment, true),
        ("16", CounterMode::Decrement, true),
    ] {
        // By 1; created with 0, to expire in an hour.
        pinned(
            Request::Counter {
                mode,
                key: key("counter"),
                delta: 1,
                initial: 0,
                expiration: 3600,
                cas: 0,
                quiet,
            },
            0,
            &[
                "80",
                opcode,
                "0007  14 00 0000  0000001b  00000000  0000000000000000",
                "0000000000000001 0000000000000000 00000e10",
                "\"counter\"",
            ],
        );
    }
}

#[test]
fn counting_without_creating() {
    let request = Request::Counter {
        mode: CounterMode::Decrement,
        key: key("n"),
        delta: u64::MAX,
        initial: 0x0a,
        expiration: 0xffff_ffff,
        cas: 0,
        quiet: false,
    };
    pinned(
        request,
        0,
        &[
            "80 06 0001  14 00 0000  00000015  00000000  0000000000000000",
            "ffffffffffffffff 000000000000000a ffffffff",
            "\"n\"",
        ],
    );
}

#[test]
fn touch() {
    pinned(
        Request::Touch { key: key("Hello"), expiration: 3600 },
        0,
        &["80 1c 0005  04 00 0000  00000009  00000000  0000000000000000", "00000e10", "\"Hello\""],
    );
}

#[test]
fn flush() {
    for (opcode, quiet) in [("08", false), ("18", true)] {
        pinned(
            Request::Flush { delay: None, quiet },
            0,
            &["80", opcode, "0000  00 00 0000  00000000  00000000  0000000000000000"],
        );
        pinned(
            Request::Flush { delay: Some(3600), quiet },
            0,
            &["80", opcode, "0000  04 00 0000  00000004  00000000  0000000000000000", "00000e10"],
        );
    }
}

#[test]
fn requests_that_are_only_a_header() {
    for (opcode, request) in [
        ("07", Request::Quit { quiet: false }),
        ("0a", Request::Noop),
        ("0b", Request::Version),
        ("10", Request::Stat { group: b"" }),
        ("17", Request::Quit { quiet: true }),
        ("20", Request::SaslList),
    ] {
        pinned(
            request,
            0xffff_fffe,
            &["80", opcode, "0000  00 00 0000  00000000  fffffffe  0000000000000000"],
        );
    }
}

#[test]
fn stat_of_a_group() {
    pinned(
        Request::Stat { group: b"items" },
        0,
        &["80 10 0005  00 00 0000  00000005  00000000  0000000000000000", "\"items\""],
    );
}

#[test]
fn verbosity() {
    pinned(
        Request::Verbosity { level: 2 },
        0,
        &["80 1b 0000  04 00 0000  00000004  00000000  0000000000000000", "00000002"],
    );
}

#[test]
fn sasl() {
    // PLAIN: user and password, each after a NUL.
    let data = b"\0user\0secret";
    pinned(
        Request::SaslAuth { mechanism: b"PLAIN", data },
        0,
        &["80 21 0005  00 00 0000  00000011  00000000  0000000000000000", "\"PLAIN\"", "\"\0user\0secret\""],
    );
    pinned(
        Request::SaslStep { mechanism: b"PLAIN", data: b"" },
        0,
        &["80 22 0005  00 00 0000  00000005  00000000  0000000000000000", "\"PLAIN\""],
    );
}

#[test]
fn a_packet_of_any_opcode() {
    let request = RequestPacket {
        opcode: Opcode::RGET,
        vbucket: 0x0203,
        cas: 0x0102_0304_0506_0708,
        opaque: 0x0a0b_0c0d,
        extras: &[0, 1, 2],
        key: b"key",
        value: b"value",
    };
    let expected = packet(&[
        "80 30 0003  03 00 0203  0000000b  0a0b0c0d  0102030405060708",
        "000102",
        "\"key\"",
        "\"value\"",
    ]);
    let mut out = BytesMut::new();
    request.encode(&mut out).expect("encodes");
    assert_eq!(out, expected);
    assert_eq!(request.encoded_len(), expected.len());
    assert_eq!(
        decode_request(&expected, 11),
        Ok(Decoded::Complete { message: request, consumed: expected.len() })
    );
}
