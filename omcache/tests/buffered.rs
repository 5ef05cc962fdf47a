//! Buffered writes: what is queued is stored at the flush, and what fails is named by its ticket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::time::Duration;

use memcached::Memcached;
use memcached::deadline::{ms, until, within};
use memcached::foreign_loop::ForeignLoop;
use memcached::keys::{key_of, keys_of};
use omcache::{Client, ClientBuilder, Command, Delta, ErrorKind, Expiration, Item, Mode, Ticket};

const NEVER: Expiration = Expiration::NEVER;
const PATIENCE: Duration = Duration::from_secs(10);

fn builder(servers: &[Memcached]) -> ClientBuilder {
    let list: Vec<String> = servers.iter().map(Memcached::address).collect();
    Client::builder().servers(list.join(",")).unwrap()
}

fn set(client: &mut Client, key: &str, value: &str) -> Ticket {
    client.queue(&Command::Store(Mode::Set, Item::new(key, value))).unwrap()
}

#[test]
fn what_is_queued_is_stored_at_the_flush() {
    let servers = Memcached::start_many::<3>();
    let mut client = builder(&servers).build().unwrap();
    for n in 0..1000 {
        set(&mut client, &format!("key{n}"), &n.to_string());
    }
    assert!(servers.iter().all(|server| server.stat("cmd_set") == 0), "nothing leaves before");
    assert!(client.flush().unwrap().failures.is_empty());
    let stored: u64 = servers.iter().map(|server| server.stat("curr_items")).sum();
    assert_eq!(stored, 1000);
    for n in (0..1000).step_by(2) {
        client.queue(&Command::Delete(format!("key{n}").as_bytes())).unwrap();
    }
    assert!(client.flush().unwrap().failures.is_empty());
    for n in 0..1000 {
        let value = client.get(&format!("key{n}")).unwrap().map(|value| value.data);
        assert_eq!(value, (n % 2 == 1).then(|| n.to_string().into()));
    }
    assert!(client.flush().unwrap().failures.is_empty(), "nothing is queued");
}

#[test]
fn failures_are_named_by_their_tickets() {
    let servers = Memcached::start_many::<3>();
    let mut client = builder(&servers).build().unwrap();
    for key in ["there", "word"] {
        assert!(client.set(key, "seven", NEVER).unwrap().is_stored());
    }
    assert!(client.set("number", "7", NEVER).unwrap().is_stored());
    let large = vec![0; 1024 * 1024 + 1];
    let add = Delta::from(1);
    let queued = [
        (Command::Store(Mode::Add, Item::new("there", "x")), Some((ErrorKind::Refused, 2))),
        (Command::Store(Mode::Add, Item::new("new", "x")), None),
        (Command::Store(Mode::Set, Item::new("large", &large)), Some((ErrorKind::ValueTooLarge, 3))),
        (Command::Store(Mode::Replace, Item::new("absent", "x")), Some((ErrorKind::Refused, 1))),
        (Command::Store(Mode::Append, Item::new("absent", "x")), Some((ErrorKind::Refused, 5))),
        (Command::Store(Mode::Prepend, Item::new("there", "x")), None),
        (Command::Store(Mode::Set, Item::new("there", "x").cas(1)), Some((ErrorKind::Refused, 2))),
        (Command::Increment(b"word", add), Some((ErrorKind::NonNumeric, 6))),
        (Command::Increment(b"number", add), None),
        (Command::Decrement(b"absent", add), Some((ErrorKind::Refused, 1))),
        (Command::Decrement(b"absent", add.or_create(5, NEVER)), None),
        (Command::Delete(b"gone"), Some((ErrorKind::Refused, 1))),
        (Command::Delete(b"word"), None),
    ];
    let tickets: Vec<Ticket> = queued.iter().map(|(command, _)| client.queue(command).unwrap()).collect();
    let mut failures = client.flush().unwrap().failures;
    for ((command, expected), ticket) in queued.iter().zip(tickets) {
        let at = failures.iter().position(|(failed, _)| *failed == ticket);
        let found = at.map(|at| failures.remove(at).1);
        let found = found.map(|error| {
            assert!(servers.iter().any(|server| error.server() == Some(&*server.address())), "{error:?}");
            (error.kind(), error.status().unwrap())
        });
        assert_eq!(found, *expected, "{command:?}");
    }
    assert!(failures.is_empty(), "nothing else failed: {failures:?}");
    for (key, value) in [("there", "xseven"), ("new", "x"), ("number", "8"), ("absent", "5")] {
        assert_eq!(client.get(key).unwrap().unwrap().data, value, "{key}");
    }
    assert!(client.flush().unwrap().failures.is_empty(), "each is told once");
}

#[test]
fn what_has_no_quiet_form_is_refused() {
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).build().unwrap();
    for command in [Command::Get(b"key"), Command::GetAndTouch(b"key", NEVER), Command::Touch(b"key", NEVER)]
    {
        let error = client.queue(&command).unwrap_err();
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::InvalidInput, false));
    }
}

#[test]
fn a_command_that_waits_sees_what_was_queued_before_it() {
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).build().unwrap();
    for n in 0..100 {
        set(&mut client, "key", &n.to_string());
        let late = client.queue(&Command::Store(Mode::Add, Item::new("key", "x"))).unwrap();
        assert_eq!(client.get("key").unwrap().unwrap().data, n.to_string());
        let failures = client.flush().unwrap().failures;
        assert_eq!(failures.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [late]);
    }
    set(&mut client, "key", "batch");
    assert_eq!(client.get_multi(&["key"])[0].as_ref().unwrap().as_ref().unwrap().data, "batch");
}

#[test]
fn what_is_discarded_is_never_sent_and_named() {
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).build().unwrap();
    let first: Vec<Ticket> = (0..10).map(|n| set(&mut client, &format!("first{n}"), "x")).collect();
    client.discard();
    let mut failures = client.flush().unwrap().failures;
    failures.sort_by_key(|(ticket, _)| *ticket);
    assert_eq!(failures.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), first);
    for (_, error) in failures {
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::NotSent, false), "{error:?}");
    }
    set(&mut client, "second", "x");
    assert!(client.flush().unwrap().failures.is_empty());
    set(&mut client, "third", "x");
    client.discard();
    let stored: u64 = servers.iter().map(|server| server.stat("curr_items")).sum();
    assert_eq!(stored, 1);
    assert_eq!(client.get("second").unwrap().unwrap().data, "x");
}

#[test]
fn more_may_be_queued_than_the_send_limit() {
    let servers = Memcached::start_many::<2>();
    for (limit, socket) in [(64 * 1024, 4096), (16 * 1024, 4096), (2000, 1 << 20)] {
        let mut client = builder(&servers)
            .send_limit(limit)
            .socket_buffer(socket)
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        let value = "x".repeat(1000);
        for n in 0..5000 {
            set(&mut client, &format!("{limit}:{n}"), &value);
        }
        assert!(client.flush().unwrap().failures.is_empty());
        let keys: Vec<String> = (0..5000).map(|n| format!("{limit}:{n}")).collect();
        let found = client.get_multi(&keys).into_iter().filter(|value| matches!(value, Ok(Some(_)))).count();
        assert_eq!(found, 5000);
    }
}

#[test]
fn a_command_that_waits_finds_room_behind_a_full_send_buffer() {
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).send_limit(20_000).build().unwrap();
    let value = "x".repeat(900);
    for round in 0..20 {
        for n in 0..20 {
            set(&mut client, &format!("key{n}"), &value);
        }
        let last = format!("{round}{value}{value}");
        assert!(client.set("last", &last, NEVER).unwrap().is_stored());
        assert_eq!(client.get("last").unwrap().unwrap().data, last);
    }
    assert!(client.flush().unwrap().failures.is_empty());
}

#[test]
fn a_request_larger_than_the_send_limit_is_refused_at_once() {
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).send_limit(1000).build().unwrap();
    let value = "x".repeat(1000);
    set(&mut client, "before", "1");
    let error = client.queue(&Command::Store(Mode::Set, Item::new("large", &value))).unwrap_err();
    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::SendBufferFull, false), "{error:?}");
    set(&mut client, "after", "2");
    assert!(client.flush().unwrap().failures.is_empty());
    assert_eq!(client.get("before").unwrap().unwrap().data, "1");
    assert_eq!(client.get("after").unwrap().unwrap().data, "2");
    assert_eq!(client.get("large").unwrap(), None);
}

#[test]
fn what_is_queued_for_a_server_that_can_not_be_connected_goes_to_the_next() {
    let mut servers = Memcached::start_many::<3>();
    servers[0].kill();
    let mut client = builder(&servers).build().unwrap();
    let keys = keys_of(&client, 0, "key", 100);
    for key in &keys {
        set(&mut client, key, key);
    }
    let flushed = within(Duration::from_secs(2), "the flush", || client.flush()).unwrap();
    assert!(flushed.failures.is_empty(), "{:?}", flushed.failures);
    let stored: u64 = servers[1..].iter().map(|server| server.stat("curr_items")).sum();
    assert_eq!(stored, 100);
}

#[test]
fn refusals_are_told_of_what_went_on_to_another_server_too() {
    let mut servers = Memcached::start_many::<2>();
    servers[0].kill();
    let mut client = builder(&servers).build().unwrap();
    let keys = keys_of(&client, 0, "key", 50);
    let mut add = |key| client.queue(&Command::Store(Mode::Add, Item::new(key, "x"))).unwrap();
    let first: Vec<Ticket> = keys.iter().map(&mut add).collect();
    let again: Vec<Ticket> = keys.iter().map(add).collect();
    let mut failures = client.flush().unwrap().failures;
    failures.sort_by_key(|(ticket, _)| *ticket);
    assert_eq!(failures.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), again);
    assert!(failures.iter().all(|(_, error)| error.status() == Some(2)), "{failures:?}");
    assert!(first.iter().all(|ticket| !again.contains(ticket)));
}

#[test]
fn a_flush_to_a_server_that_hangs_ends_at_the_timeout_and_the_next_tells() {
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).timeout(ms(400)).dead_timeout(Duration::from_secs(1)).build().unwrap();
    let (sick, healthy) = (key_of(&client, 0), key_of(&client, 1));
    for server in 0..2 {
        client.noop(server).unwrap();
    }
    servers[0].pause();
    let ticket = set(&mut client, &sick, "x");
    set(&mut client, &healthy, "x");
    let error = within(ms(900), "a flush with a timeout of 400 ms", || client.flush()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(client.get(&healthy).unwrap().unwrap().data, "x");
    client.set_timeout(Some(Duration::from_secs(5)));
    let failures =
        within(ms(1500), "a flush bounded by the dead timeout", || client.flush()).unwrap().failures;
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].0, failures[0].1.kind()), (ticket, ErrorKind::Unknown), "{failures:?}");
    assert!(failures[0].1.was_sent());
    assert_eq!(failures[0].1.server(), Some(&*servers[0].address()));
}

#[test]
fn a_flush_waits_for_what_was_queued_and_nothing_else() {
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).timeout(ms(200)).build().unwrap();
    let (sick, healthy) = (key_of(&client, 0), key_of(&client, 1));
    for server in 0..2 {
        client.noop(server).unwrap();
    }
    servers[0].pause();
    // Given up on, alone and as a batch, and submitted: the server that hangs owes all of them.
    assert_eq!(client.get(&sick).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(client.get_multi(&[&sick]).remove(0).unwrap_err().kind(), ErrorKind::Timeout);
    assert!(client.set_multi(&[Item::new(&sick, "x")]).remove(0).unwrap_err().was_sent());
    let submitted = client.submit(&Command::Get(sick.as_bytes())).unwrap();
    client.set_timeout(Some(Duration::from_secs(5)));
    for n in 0..10 {
        set(&mut client, &healthy, &n.to_string());
        let refused = client.queue(&Command::Store(Mode::Add, Item::new(&healthy, "x"))).unwrap();
        let failures = within(ms(500), "the flush", || client.flush()).unwrap().failures;
        assert_eq!(failures.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [refused]);
    }
    servers[0].resume();
    let mut events = ForeignLoop::new(client);
    let completion = events.complete(1, Duration::from_secs(5)).remove(0);
    assert_eq!(completion.ticket, submitted);
    assert!(completion.result.is_ok());
    // Nothing of what was given up on turns up later.
    set(&mut events.client, &sick, "x");
    assert!(events.client.flush().unwrap().failures.is_empty());
    assert!(events.client.next_completion().is_none());
}

#[test]
fn what_a_killed_server_may_have_got_is_unknown_and_what_it_did_not_get_is_elsewhere() {
    let mut servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).build().unwrap();
    let keys = keys_of(&client, 0, "key", 200);
    for server in 0..2 {
        client.noop(server).unwrap();
    }
    servers[0].kill();
    let tickets: Vec<Ticket> = keys.iter().map(|key| set(&mut client, key, key)).collect();
    let failures = within(Duration::from_secs(2), "the flush", || client.flush()).unwrap().failures;
    for (ticket, error) in &failures {
        assert!(tickets.contains(ticket));
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
    }
    assert_eq!(servers[1].stat("curr_items"), 200 - failures.len() as u64);
    // Now it is known to be down.
    for key in &keys {
        set(&mut client, key, key);
    }
    assert!(client.flush().unwrap().failures.is_empty());
    assert_eq!(servers[1].stat("curr_items"), 200);
}

#[test]
fn without_servers_nothing_is_queued() {
    let mut nobody = Client::builder().build().unwrap();
    let error = nobody.queue(&Command::Delete(b"key")).unwrap_err();
    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::NoServers, false));
    assert!(nobody.flush().unwrap().failures.is_empty());
    nobody.discard();
}

#[test]
fn what_was_refused_keeps_nothing_from_being_queued_again() {
    let mut servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).reconnect_timeout(ms(50)).dead_timeout(ms(50)).build().unwrap();
    assert!(client.set("key", "1", NEVER).unwrap().is_stored());
    servers[0].kill();
    let command = Command::Store(Mode::Set, Item::new("key", "2"));
    until(PATIENCE, "the server is known to be gone", || {
        let _ = client.get("key");
        client.queue(&command).is_err_and(|error| error.kind() == ErrorKind::NoServers)
    });
    servers[0].restart();
    let mut attempts = 0;
    until(PATIENCE, "a command is queued", || {
        attempts += 1;
        client.queue(&command).is_ok()
    });
    assert!(attempts < 500, "{attempts} attempts, each some 2 ms behind the one before");
    let _ = client.flush();
    until(PATIENCE, "it is stored", || {
        let _ = client.queue(&command);
        let _ = client.flush();
        servers[0].value("key").as_deref() == Some("2")
    });
}

#[test]
fn a_queued_command_may_be_cancelled_and_the_flush_goes_on() {
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).timeout(Duration::from_secs(10)).build().unwrap();
    assert!(client.set("there", "x", NEVER).unwrap().is_stored());
    let add = Command::Store(Mode::Add, Item::new("there", "y"));

    // Not sent: it never is.
    let never = client.queue(&Command::Delete(b"there")).unwrap();
    let stays = client.queue(&add).unwrap();
    assert!(client.cancel(never));
    assert!(!client.cancel(never), "once more changes nothing");
    let failures = within(ms(2_000), "a flush", || client.flush()).unwrap().failures;
    assert_eq!(failures.iter().map(|(failed, _)| *failed).collect::<Vec<_>>(), [stays]);
    assert_eq!(client.get("there").unwrap().unwrap().data, "x");

    // Sent: what became of it is told by no flush.
    servers[0].pause();
    let sent = client.queue(&add).unwrap();
    let silent = set(&mut client, "silent", "z");
    client.set_timeout(Some(ms(50)));
    assert_eq!(client.flush().unwrap_err().kind(), ErrorKind::Timeout);
    assert!(!client.cancel(sent) && !client.cancel(silent));
    assert!(!client.cancel(sent) && !client.cancel(silent));
    assert!(client.flush().unwrap().failures.is_empty(), "nobody waits for anything");
    let last = client.queue(&add).unwrap();
    assert_eq!(client.flush().unwrap_err().kind(), ErrorKind::Timeout);
    servers[0].resume();
    client.set_timeout(Some(Duration::from_secs(10)));
    let failures = client.flush().unwrap().failures;
    assert_eq!(failures.iter().map(|(failed, _)| *failed).collect::<Vec<_>>(), [last]);
    assert!(!client.cancel(last) && !client.cancel(silent), "they have ended");
    assert_eq!(client.get("silent").unwrap().unwrap().data, "z");
    assert!(client.flush().unwrap().failures.is_empty());
}
