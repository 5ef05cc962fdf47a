//! Servers that break the protocol: errors of the right kind, never another key's value, and a connection that recovers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

use std::collections::HashMap;
use std::error::Error as _;
use std::time::{Duration, Instant};

use omcache::testing::{Fault, Server};
use omcache::{Client, ClientBuilder, Command, Error, ErrorKind, Expiration, Item, Mode, Reply, ServerState};

const NEVER: Expiration = Expiration::NEVER;
const DEAD: Duration = Duration::from_millis(400);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(1);

fn builder(servers: &[Server]) -> ClientBuilder {
    let list: Vec<String> = servers.iter().map(Server::address).collect();
    Client::builder().servers(list.join(",")).unwrap().dead_timeout(DEAD).reconnect_timeout(DEAD)
}

/// A server with `key0`, `key1`, …, each with a value that names it.
fn filled() -> Server {
    let server = Server::start().unwrap();
    for n in 0..100 {
        server.insert(format!("key{n}"), value_of(n));
    }
    server
}

fn value_of(n: usize) -> String {
    format!("{n}:{}", "x".repeat(n * 7))
}

fn source(error: &Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// Faults that leave the connection without an answer, and what is told of each.
fn fatal() -> Vec<(Fault, &'static str)> {
    let mut faults = vec![
        (Fault::Close, "closed"),
        (Fault::Garbage, "broke the protocol"),
        (Fault::WrongOpaque, "fits no request"),
        (Fault::WrongOpcode, "its response is"),
        (Fault::StopAnswering, "no answer"),
        (Fault::OversizedLength { by: 10 }, "no answer"),
    ];
    for bytes in [0, 1, 23, 24, 30] {
        faults.push((Fault::CutShort { bytes }, "closed"));
        faults.push((Fault::CutShortAndHang { bytes }, "no answer"));
    }
    faults
}

#[test]
fn a_broken_answer_fails_its_request_and_the_next_is_right() {
    let servers = [filled()];
    let mut client = builder(&servers).build().unwrap();
    for (fault, text) in fatal() {
        assert_eq!(client.get("key7").unwrap().unwrap().data, value_of(7));
        let accepted = servers[0].accepted();
        servers[0].misbehave_for(1, fault.clone());
        let start = Instant::now();
        let error = client.get("key8").unwrap_err();
        assert!(start.elapsed() < DEAD + SLACK, "{fault:?}: {:?}", start.elapsed());
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Unknown, true), "{fault:?}: {error:?}");
        assert!(source(&error).contains(text), "{fault:?}: {}", source(&error));
        assert_eq!(error.server(), Some(&*servers[0].address()));
        for n in [8, 9] {
            assert_eq!(client.get(&format!("key{n}")).unwrap().unwrap().data, value_of(n), "{fault:?}");
        }
        assert_eq!(servers[0].accepted(), accepted + 1, "{fault:?}: on a new connection");
    }
}

#[test]
fn every_command_survives_a_broken_answer() {
    let servers = [filled()];
    let mut client = builder(&servers).build().unwrap();
    for (fault, _) in fatal() {
        // Most answers are a header alone: more than that is whole. One number of bytes will do here.
        if let Fault::CutShort { bytes } | Fault::CutShortAndHang { bytes } = fault
            && bytes != 23
        {
            continue;
        }
        for command in 0..7 {
            client.noop(0).unwrap();
            servers[0].misbehave_for(1, fault.clone());
            let error = match command {
                0 => client.set("new", "x", NEVER).unwrap_err(),
                1 => client.delete("key1").unwrap_err(),
                2 => client.increment("key2", 1).unwrap_err(),
                3 => client.touch("key3", NEVER).unwrap_err(),
                4 => client.stats(0, "").unwrap_err(),
                5 => client.version(0).unwrap_err(),
                _ => client.noop(0).unwrap_err(),
            };
            assert_eq!(error.kind(), ErrorKind::Unknown, "{fault:?}, command {command}: {error:?}");
        }
        servers[0].insert("key1", value_of(1));
    }
}

#[test]
fn a_broken_answer_in_a_batch_fails_what_is_not_answered_yet() {
    let servers = [filled()];
    let mut client = builder(&servers).build().unwrap();
    let keys: Vec<String> = (0..100).map(|n| format!("key{n}")).collect();
    for (fault, _) in fatal() {
        if matches!(fault, Fault::OversizedLength { .. } | Fault::StopAnswering) {
            // What follows is taken for the rest of a value, or an answer left out for a miss: no client can tell.
            continue;
        }
        client.noop(0).unwrap();
        servers[0].misbehave_for(1, fault.clone());
        let start = Instant::now();
        let results = client.get_multi(&keys);
        assert!(start.elapsed() < DEAD + SLACK, "{fault:?}: {:?}", start.elapsed());
        let mut failed = 0;
        for (n, result) in results.into_iter().enumerate() {
            match result {
                Ok(value) => assert_eq!(value.unwrap().data, value_of(n), "{fault:?}"),
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::Unknown), "{fault:?}: {error:?}");
                    failed += 1;
                }
            }
        }
        assert!(failed > 0, "{fault:?}");
        let values = client.get_multi(&keys);
        for (n, value) in values.into_iter().enumerate() {
            assert_eq!(value.unwrap().unwrap().data, value_of(n), "after {fault:?}");
        }
    }
}

#[test]
fn an_answer_of_four_gigabytes_is_too_large_and_does_not_hold_up_the_next() {
    let servers = [filled()];
    let mut client = builder(&servers).build().unwrap();
    client.noop(0).unwrap();
    servers[0].misbehave_for(1, Fault::OversizedLength { by: u32::MAX });
    let error = client.get("key5").unwrap_err();
    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::ResponseTooLarge, true), "{error:?}");
    let start = Instant::now();
    // It goes over another connection, not behind the bytes that were announced.
    assert_eq!(client.get("key6").unwrap().unwrap().data, value_of(6));
    assert!(start.elapsed() < DEAD);
}

#[test]
fn late_answers_reach_nobody_else() {
    let servers = [filled()];
    let mut client = builder(&servers).dead_timeout(Duration::from_secs(10)).build().unwrap();
    client.noop(0).unwrap();
    client.set_timeout(Some(Duration::from_millis(30)));
    servers[0].misbehave_for(3, Fault::Delay(Duration::from_millis(100)));
    for n in 0..3 {
        let start = Instant::now();
        let error = client.get(&format!("key{n}")).unwrap_err();
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, true), "{error:?}");
        assert!(start.elapsed() < SLACK);
    }
    client.set_timeout(Some(Duration::from_secs(10)));
    for n in 3..6 {
        assert_eq!(client.get(&format!("key{n}")).unwrap().unwrap().data, value_of(n));
    }
    // A batch that ends early, a list of statistics, and a submitted one.
    client.set_timeout(Some(Duration::from_millis(30)));
    servers[0].misbehave_for(2, Fault::Delay(Duration::from_millis(100)));
    let keys: Vec<String> = (0..50).map(|n| format!("key{n}")).collect();
    let late = client.get_multi(&keys).into_iter().filter(|result| result.is_err()).count();
    assert!(late > 0);
    assert_eq!(client.stats(0, "").unwrap_err().kind(), ErrorKind::Timeout);
    client.set_timeout(Some(Duration::from_secs(10)));
    for (n, value) in client.get_multi(&keys).into_iter().enumerate() {
        assert_eq!(value.unwrap().unwrap().data, value_of(n));
    }
    assert!(!client.stats(0, "").unwrap().is_empty());
    assert!(client.flush().unwrap().failures.is_empty());
    assert!(client.next_completion().is_none());
    assert_eq!(servers[0].accepted(), 1);
}

#[test]
fn answers_in_pieces_are_put_together() {
    let servers = [filled()];
    let mut client = builder(&servers).build().unwrap();
    let pause = Duration::from_micros(200);
    for bytes in [1, 7, 24, 100] {
        servers[0].misbehave(Fault::Split { bytes, pause });
        for n in [0, 1, 20, 60] {
            assert_eq!(client.get(&format!("key{n}")).unwrap().unwrap().data, value_of(n));
        }
        assert_eq!(client.get("none").unwrap(), None);
        let values = client.get_multi(&["key3", "none", "key30"]);
        let values: Vec<_> = values.into_iter().map(|value| value.unwrap().map(|value| value.data)).collect();
        assert_eq!(values, [Some(value_of(3).into()), None, Some(value_of(30).into())]);
    }
    // Each piece is progress: an answer may take longer than the dead timeout.
    servers[0].insert("slow", "x".repeat(50));
    servers[0].misbehave(Fault::Split { bytes: 10, pause: DEAD / 2 });
    let start = Instant::now();
    assert_eq!(client.get("slow").unwrap().unwrap().data.len(), 50);
    assert!(start.elapsed() > DEAD);
    assert_eq!(servers[0].accepted(), 1);
}

#[test]
fn refusals_of_every_status_are_told_and_the_connection_stays() {
    let servers = [filled()];
    let mut client = builder(&servers).build().unwrap();
    client.noop(0).unwrap();
    for status in [0x04, 0x20, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x1234] {
        servers[0].misbehave(Fault::Status(status));
        let errors = [
            client.get("key1").unwrap_err(),
            client.set("key1", "x", NEVER).unwrap_err(),
            client.increment("key1", 1).unwrap_err(),
            client.delete("key1").unwrap_err(),
            client.touch("key1", NEVER).unwrap_err(),
            client.noop(0).unwrap_err(),
            client.stats(0, "").unwrap_err(),
            client.get_multi(&["key1"]).remove(0).unwrap_err(),
            client.set_multi(&[Item::new("key1", "x")]).remove(0).unwrap_err(),
            client.delete_multi(&["key1"]).remove(0).unwrap_err(),
        ];
        for error in errors {
            assert_eq!((error.kind(), error.status()), (ErrorKind::Refused, Some(status)), "{error:?}");
        }
        let ticket = client.queue(&Command::Store(Mode::Set, Item::new("key1", "x"))).unwrap();
        let failures = client.flush().unwrap().failures;
        assert_eq!(
            failures.iter().map(|(ticket, error)| (*ticket, error.status())).collect::<Vec<_>>(),
            [(ticket, Some(status))]
        );
        servers[0].behave();
        assert_eq!(client.get("key1").unwrap().unwrap().data, value_of(1));
    }
    assert_eq!(servers[0].accepted(), 1);
}

#[test]
fn a_handshake_that_goes_wrong_disables_the_server_and_the_next_takes_over() {
    let handshake = [
        Fault::Close,
        Fault::Garbage,
        Fault::WrongOpaque,
        Fault::WrongOpcode,
        Fault::CutShort { bytes: 10 },
        Fault::Status(0x85),
        Fault::Refuse,
        Fault::RefuseConnections,
    ];
    for fault in handshake {
        let servers = [filled(), filled()];
        let mut client = builder(&servers).build().unwrap();
        let n = (0..100).find(|n| client.server_for_key(&format!("key{n}")) == Some(0)).unwrap();
        let key = format!("key{n}");
        servers[0].misbehave(fault.clone());
        let start = Instant::now();
        assert_eq!(client.get(&key).unwrap().unwrap().data, value_of(n), "{fault:?}");
        assert!(start.elapsed() < SLACK, "{fault:?}: {:?}", start.elapsed());
        assert_eq!(client.server_info(0).unwrap().state, ServerState::Disabled, "{fault:?}");
        assert_eq!(client.server_for_key(&key), Some(1));
        servers[0].behave();
        servers[0].insert(&key, "home");
        let start = Instant::now();
        while client.get(&key).unwrap().unwrap().data != "home" {
            assert!(start.elapsed() < DEAD + Duration::from_secs(1), "{fault:?}: it is not back");
        }
    }
}

#[test]
fn a_server_that_reads_no_more_fails_its_own_keys_alone() {
    let servers = [filled(), filled()];
    let dead = Duration::from_secs(1);
    let mut client = builder(&servers).dead_timeout(dead).build().unwrap();
    let keys: Vec<String> = (0..64).map(|n| format!("large{n}")).collect();
    let homes: Vec<_> = keys.iter().map(|key| client.server_for_key(key).unwrap()).collect();
    let value = "x".repeat(900_000);
    let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, &value)).collect();
    for server in 0..2 {
        client.noop(server).unwrap();
    }
    servers[1].misbehave(Fault::StopReading);
    let start = Instant::now();
    for ((key, home), result) in keys.iter().zip(&homes).zip(client.set_multi(&items)) {
        match result {
            Ok(stored) => assert!(stored.is_stored()),
            Err(error) => {
                assert_eq!(*home, 1, "{key}: {error:?}");
                assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::NotSent), "{error:?}");
                assert_eq!(error.was_sent(), error.kind() == ErrorKind::Unknown);
            }
        }
    }
    // The connection fails, and then the handshake of the next one.
    assert!(start.elapsed() < dead * 2 + SLACK, "{:?}", start.elapsed());
    servers[1].behave();
}

/// A sequence that is the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[test]
fn no_key_ever_gets_the_value_of_another() {
    let servers = [filled(), filled(), filled()];
    let mut client = builder(&servers)
        .dead_timeout(Duration::from_millis(50))
        .reconnect_timeout(Duration::from_millis(20))
        .timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut submitted: HashMap<_, usize> = HashMap::new();
    let (mut right, mut failed) = (0, 0);
    let mut check = |n: usize, result: Result<Option<omcache::Value>, Error>| match result {
        // Every server has every key; quiet gets whose answers are left out look like misses.
        Ok(value) => {
            assert!(value.is_none_or(|value| value.data == value_of(n)), "the value of another");
            right += 1;
        }
        Err(_) => failed += 1,
    };
    let start = Instant::now();
    for _ in 0..3000 {
        let faults = [
            Fault::Close,
            Fault::Garbage,
            Fault::WrongOpaque,
            Fault::WrongOpcode,
            Fault::StopAnswering,
            Fault::CutShort { bytes: dice.roll(40) as usize },
            Fault::CutShortAndHang { bytes: dice.roll(40) as usize },
            Fault::OversizedLength { by: u32::MAX },
            Fault::Delay(Duration::from_millis(dice.roll(8))),
            Fault::Split { bytes: 1 + dice.roll(50) as usize, pause: Duration::from_micros(100) },
            Fault::Refuse,
        ];
        if dice.roll(20) == 0 {
            let fault = faults[dice.roll(faults.len() as u64) as usize].clone();
            servers[dice.roll(3) as usize].misbehave_for(1, fault);
        }
        match dice.roll(4) {
            0 => {
                let n = dice.roll(100) as usize;
                check(n, client.get(&format!("key{n}")));
            }
            1 => {
                let numbers: Vec<usize> = (0..dice.roll(20)).map(|_| dice.roll(100) as usize).collect();
                let keys: Vec<String> = numbers.iter().map(|n| format!("key{n}")).collect();
                let results = client.get_multi(&keys);
                numbers.into_iter().zip(results).for_each(|(n, result)| check(n, result));
            }
            2 => {
                let n = dice.roll(100) as usize;
                if let Ok(ticket) = client.submit(&Command::Get(format!("key{n}").as_bytes())) {
                    assert!(submitted.insert(ticket, n).is_none());
                }
            }
            _ => client.step().unwrap(),
        }
        while let Some(completion) = client.next_completion() {
            let n = submitted.remove(&completion.ticket).expect("a ticket that was given, once");
            check(
                n,
                completion.result.map(|reply| match reply {
                    Reply::Value(value) => value,
                    other => panic!("{other:?}"),
                }),
            );
        }
        if start.elapsed() > Duration::from_secs(20) {
            break;
        }
    }
    servers.iter().for_each(Server::behave);
    // Every command that was taken ends, in time.
    let start = Instant::now();
    while !submitted.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(2), "{} have no end", submitted.len());
        client.step().unwrap();
        while let Some(completion) = client.next_completion() {
            submitted.remove(&completion.ticket).expect("a ticket that was given, once");
        }
    }
    assert!(right > 1000 && failed > 100, "{right} right, {failed} failed");
}
