//! Tests of the answers. The integration test compares them with memcached's.

use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;
use omcache_proto::StoreMode;
use omcache_proto::binary::{Decoded, decode_request};

use super::*;
use crate::testing::place::Place;

const NOW: Duration = Duration::from_secs(1_800_000_000);

/// What the server answers to these requests, one after the other.
fn answers(requests: &[Request<'_>]) -> Vec<Answers> {
    let mut cache = Cache::new(1000, "1.2.3");
    requests.iter().map(|request| execute(&mut cache, request, NOW)).collect()
}

fn execute(cache: &mut Cache, request: &Request<'_>, now: Duration) -> Answers {
    let mut bytes = BytesMut::new();
    request.encode_binary(9, &mut bytes).expect("encodes");
    let Ok(Decoded::Complete { message, .. }) = decode_request(&bytes, usize::MAX) else {
        panic!("{request:?} can't be read again");
    };
    let place = Place::Unix(PathBuf::from("socket"));
    let facts = Facts { now, uptime: Duration::from_secs(77), connections: 3, accepted: 4, place: &place };
    cache.execute(&message, &facts)
}

fn key() -> Key<'static> {
    Key::new(b"key").expect("a key")
}

fn set(value: &[u8]) -> Request<'_> {
    let (mode, flags, expiration, cas, quiet) = (StoreMode::Set, 5, 10, 0, true);
    Request::Store { mode, key: key(), value, flags, expiration, cas, quiet }
}

#[test]
fn the_usual_case_of_a_quiet_request_has_no_answer() {
    let get = Request::Get { key: key(), with_key: true, quiet: true };
    let delete = Request::Delete { key: key(), cas: 0, quiet: true };
    let answers = answers(&[get, set(b"v"), get, delete, delete]);
    let counts: Vec<usize> = answers.iter().map(|answers| answers.answers.len()).collect();
    assert_eq!(counts, [0, 0, 1, 0, 1]);

    let found = answers[2].answers[0].packet();
    assert_eq!((found.opcode, found.opaque), (Opcode::GETKQ, 9));
    assert_eq!((found.flags(), found.key, found.value), (Some(5), &b"key"[..], &b"v"[..]));
    let absent = answers[4].answers[0].packet();
    assert_eq!((absent.status, absent.value), (Status::KEY_NOT_FOUND, &b"Not found"[..]));
}

#[test]
fn a_request_of_wrong_lengths_ends_the_connection() {
    let mut cache = Cache::new(1000, "");
    let place = Place::Unix(PathBuf::new());
    let facts = Facts { now: NOW, uptime: NOW, connections: 0, accepted: 0, place: &place };
    let long = [b'k'; 251];
    for (opcode, extras, key, status, close) in [
        (Opcode::GET, &b""[..], &b""[..], Status::INVALID_ARGUMENTS, true),
        (Opcode::GETQ, b"", &long, Status::INVALID_ARGUMENTS, true),
        (Opcode::SET, b"", b"k", Status::INVALID_ARGUMENTS, true),
        (Opcode(0xf0), b"", &long, Status::INVALID_ARGUMENTS, true),
        (Opcode(0xf0), b"1", b"k", Status::UNKNOWN_COMMAND, false),
        (Opcode::VERBOSITY, b"0000", b"", Status::UNKNOWN_COMMAND, false),
    ] {
        let packet = RequestPacket { opcode, vbucket: 0, cas: 0, opaque: 1, extras, key, value: b"" };
        let answers = cache.execute(&packet, &facts);
        assert_eq!(answers.answers.len(), 1);
        assert_eq!((answers.answers[0].status, answers.close), (status, close), "{packet:?}");
    }
}

#[test]
fn a_value_that_is_not_read_is_too_large() {
    let mut cache = Cache::new(1000, "");
    execute(&mut cache, &set(b"old"), NOW);
    let key = key().as_bytes();
    let packet =
        |opcode, extras| RequestPacket { opcode, vbucket: 0, cas: 0, opaque: 1, extras, key, value: b"" };
    for (opcode, extras, status, close) in [
        (Opcode::ADD, &[0; 8][..], Status::VALUE_TOO_LARGE, false),
        (Opcode::APPENDQ, &[], Status::VALUE_TOO_LARGE, false),
        (Opcode::GET, &[], Status::INVALID_ARGUMENTS, true),
        (Opcode::SASL_AUTH, &[], Status::UNKNOWN_COMMAND, false),
        (Opcode(0x99), &[], Status::UNKNOWN_COMMAND, false),
    ] {
        let answers = cache.execute_without_value(&packet(opcode, extras));
        assert_eq!((answers.answers[0].status, answers.close), (status, close), "{opcode}");
        assert!(cache.store.get(key, NOW).is_some());
    }
    cache.execute_without_value(&packet(Opcode::SETQ, &[0; 8]));
    assert!(cache.store.get(key, NOW).is_none(), "a SET takes the old value away");
}

#[test]
fn items_expire_by_the_time_that_is_given() {
    let mut cache = Cache::new(1000, "");
    let get = Request::Get { key: key(), with_key: false, quiet: false };
    execute(&mut cache, &set(b"v"), NOW);
    let status = |answers: Answers| answers.answers[0].status;
    assert_eq!(status(execute(&mut cache, &get, NOW + Duration::from_secs(9))), Status::SUCCESS);
    assert_eq!(status(execute(&mut cache, &get, NOW + Duration::from_secs(10))), Status::KEY_NOT_FOUND);
}

#[test]
fn statistics_tell_what_is_known() {
    let [_, general, settings] =
        answers(&[set(b"value"), Request::Stat { group: b"" }, Request::Stat { group: b"settings" }])
            .try_into()
            .expect("three answers");
    for (answers, name, value) in [
        (&general, "uptime", "77"),
        (&general, "time", "1800000000"),
        (&general, "version", "1.2.3"),
        (&general, "curr_connections", "3"),
        (&general, "total_connections", "4"),
        (&general, "curr_items", "1"),
        (&general, "bytes", "71"),
        (&general, "cmd_set", "1"),
        (&settings, "item_size_max", "1000"),
        (&settings, "domain_socket", "socket"),
        (&settings, "inter", "NULL"),
    ] {
        let found = answers.answers.iter().find(|answer| answer.key == name).expect(name);
        assert_eq!(found.value, value, "{name}");
    }
    assert!(general.answers.last().is_some_and(|last| last.packet().ends_stat()));
    assert_eq!(general.answers.iter().filter(|answer| answer.packet().ends_stat()).count(), 1);
}
