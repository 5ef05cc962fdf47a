//! Forks: a child makes connections of its own, and the parent does not notice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fork::Fork;
use memcached::Memcached;
use memcached::deadline::{ms, until};
use memcached::foreign_loop::ForeignLoop;
use memcached::keys::key_of;
use omcache::{Client, ClientBuilder, Command, ErrorKind, Expiration, Item, Mode, Reply, Ticket};
use rustix::process::{Pid, WaitOptions, getpid, kill_process, waitpid};

const NEVER: Expiration = Expiration::NEVER;
const PATIENCE: Duration = Duration::from_secs(10);

fn builder(servers: &[Memcached]) -> ClientBuilder {
    let list: Vec<String> = servers.iter().map(Memcached::address).collect();
    Client::builder().servers(list.join(",")).unwrap()
}

/// While one forks, no other test of this file opens anything: a child has a copy of every descriptor.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something in a forked child, and fails where the child does.
fn in_child(what: &str, work: impl FnOnce()) {
    let (mut told, mut tell) = std::io::pipe().unwrap();
    match fork::fork().unwrap() {
        Fork::Child => {
            let done = catch_unwind(AssertUnwindSafe(work)).is_ok();
            let _ = tell.write_all(&[u8::from(done)]);
            // Neither destructors nor the harness may go on here.
            let _ = kill_process(getpid(), rustix::process::Signal::KILL);
            loop {
                thread::park();
            }
        }
        Fork::Parent(child) => {
            drop(tell);
            let child = Pid::from_raw(child);
            let reader = thread::spawn(move || {
                let mut done = [0];
                told.read_exact(&mut done).is_ok() && done == [1]
            });
            let start = Instant::now();
            while !reader.is_finished() && start.elapsed() < PATIENCE {
                thread::sleep(ms(2));
            }
            let _ = kill_process(child.unwrap(), rustix::process::Signal::KILL);
            waitpid(child, WaitOptions::empty()).unwrap();
            assert!(reader.join().unwrap(), "the child fails: {what}");
        }
    }
}

fn value(reply: Reply) -> String {
    match reply {
        Reply::Value(Some(value)) => String::from_utf8(value.data.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_child_queues_is_its_own() {
    let _alone = alone();
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).build().unwrap();
    assert!(client.set("key", "-", NEVER).unwrap().is_stored());
    let append = |text| Command::Store(Mode::Append, Item::new("key", text));
    let parents = client.queue(&append("parent")).unwrap();
    in_child("a queued command", || {
        let childs = client.queue(&append("child")).unwrap();
        let failures = client.flush().unwrap().failures;
        assert_ne!(childs, parents);
        assert_eq!(failures.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [parents]);
        assert_eq!(client.get("key").unwrap().unwrap().data, "-child");
    });
    assert!(client.flush().unwrap().failures.is_empty());
    assert_eq!(client.get("key").unwrap().unwrap().data, "-childparent");
}

#[test]
fn a_forked_child_has_connections_of_its_own() {
    let _alone = alone();
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).build().unwrap();
    let keys = [key_of(&client, 0), key_of(&client, 1)];
    for key in &keys {
        assert!(client.set(key, key, NEVER).unwrap().is_stored());
    }
    // Under way: one that is answered but not read, and one that is not sent yet.
    let ticket = client.submit(&Command::Get(keys[0].as_bytes())).unwrap();
    client.queue(&Command::Store(Mode::Append, Item::new(&keys[1], "+"))).unwrap();
    let connections = servers.each_ref().map(Memcached::connections_taken);
    for _ in 0..3 {
        in_child("commands on both servers", || {
            for key in &keys {
                assert_eq!(client.get(key).unwrap().unwrap().data, *key);
                assert!(client.set(&format!("{key}'s child"), "x", NEVER).unwrap().is_stored());
            }
            let values = client.get_multi(&keys);
            assert!(values.into_iter().all(|value| value.unwrap().is_some()));
            // What the parent had under way is no success here.
            let completion = client.next_completion().expect("it ends here too");
            assert_eq!(completion.ticket, ticket);
            assert_eq!(completion.result.unwrap_err().kind(), ErrorKind::Unknown);
            let failures = client.flush().unwrap().failures;
            assert_eq!(failures.len(), 1, "{failures:?}");
            assert_eq!((failures[0].1.kind(), failures[0].1.was_sent()), (ErrorKind::NotSent, false));
            // And its own child has its own.
            in_child("a grandchild's get", || {
                assert_eq!(client.get(&keys[0]).unwrap().unwrap().data, keys[0])
            });
            assert_eq!(client.get(&keys[0]).unwrap().unwrap().data, keys[0]);
        });
    }
    assert_eq!(connections[0].since(&servers[0]), 3 * 2, "a child's and a grandchild's each time");
    until(PATIENCE, "the children's connections end", || servers[0].connections_open() == 1);
    assert_eq!(
        servers[1].value(&keys[1]).as_deref(),
        Some(&*keys[1]),
        "no child sent what the parent queued"
    );

    // The parent goes on where it was, on the connections it has.
    let connections = servers.each_ref().map(Memcached::connections_taken);
    assert!(client.flush().unwrap().failures.is_empty());
    assert_eq!(servers[1].value(&keys[1]), Some(format!("{}+", keys[1])));
    let completion = client.next_completion().expect("it is answered by now");
    assert_eq!((completion.ticket, value(completion.result.unwrap())), (ticket, keys[0].clone()));
    assert_eq!(client.get(&keys[0]).unwrap().unwrap().data, keys[0]);
    assert_eq!(connections[0].since(&servers[0]), 0);
    // One is this test's question above.
    assert_eq!(connections[1].since(&servers[1]), 1);
}

#[test]
fn whatever_a_forked_child_does_first_leaves_the_parent_alone() {
    type Act = fn(&mut Option<Client>, Ticket);
    let acts: [(&str, Act); 11] = [
        ("get", |client, _| drop(client.as_mut().unwrap().get("key").unwrap())),
        ("get_multi", |client, _| drop(client.as_mut().unwrap().get_multi(&["key", "other"]))),
        ("noop", |client, _| client.as_mut().unwrap().noop(0).unwrap()),
        ("queue", |client, _| {
            let client = client.as_mut().unwrap();
            for n in 0..100 {
                let key = format!("child{n}");
                client.queue(&Command::Store(Mode::Set, Item::new(&key, &"x".repeat(1000)))).unwrap();
            }
            let _ = client.flush().unwrap();
        }),
        ("submit", |client, _| {
            let mut events = ForeignLoop::new(client.take().unwrap());
            let ticket = events.get("key");
            let completions = events.complete(2, PATIENCE);
            assert!(
                completions.iter().any(|completion| completion.ticket == ticket && completion.result.is_ok())
            );
        }),
        ("step", |client, _| client.as_mut().unwrap().step().unwrap()),
        ("cancel", |client, ticket| {
            client.as_mut().unwrap().cancel(ticket);
            client.as_mut().unwrap().noop(0).unwrap();
        }),
        ("discard", |client, _| client.as_mut().unwrap().discard()),
        ("set_servers", |client, _| {
            let client = client.as_mut().unwrap();
            let list = client.server_info(0).unwrap().address.to_string();
            client.set_servers(&format!("{list},192.0.2.1")).unwrap();
        }),
        ("disconnect", |client, _| client.as_mut().unwrap().disconnect()),
        ("drop", |client, _| drop(client.take())),
    ];
    let _alone = alone();
    for (what, act) in acts {
        let servers = Memcached::start_many::<1>();
        let client = builder(&servers).send_limit(40_000).build().unwrap();
        let mut client = Some(client);
        {
            let client = client.as_mut().unwrap();
            assert!(client.set("key", "value", NEVER).unwrap().is_stored());
        }
        let connections = servers[0].connections_taken();
        let parent = client.as_mut().unwrap();
        let ticket = parent.submit(&Command::Get(b"key")).unwrap();
        for n in 0..30 {
            let key = format!("parent{n}");
            parent.queue(&Command::Store(Mode::Add, Item::new(&key, &"x".repeat(1000)))).unwrap();
        }
        in_child(what, || act(&mut client, ticket));
        let parent = client.as_mut().unwrap();
        // Each of these is added once: had the child sent some of them, that would fail here.
        let failures = parent.flush().unwrap().failures;
        assert!(failures.is_empty(), "{what}: {failures:?}");
        let completion = parent.next_completion().expect("it is answered");
        assert_eq!(
            (completion.ticket, value(completion.result.unwrap())),
            (ticket, "value".to_owned()),
            "{what}"
        );
        assert_eq!(parent.get("key").unwrap().unwrap().data, "value", "{what}");
        assert!(connections.since(&servers[0]) <= 1, "{what}: no more than the child's");
        until(PATIENCE, "the child's connection ends", || servers[0].connections_open() == 1);
    }
}

#[test]
fn a_fork_while_a_name_is_looked_up_and_connected_disturbs_neither() {
    let _alone = alone();
    let server = Memcached::start();
    for _ in 0..20 {
        let client = Client::connect_to(&format!("localhost:{}", server.port())).unwrap();
        let mut events = ForeignLoop::new(client);
        let ticket = events.submit(&Command::Store(Mode::Set, Item::new("key", "value"))).unwrap();
        in_child("a get by name", || {
            let client = &mut events.client;
            assert!(client.set("child", "x", NEVER).unwrap().is_stored());
            assert_eq!(client.get("child").unwrap().unwrap().data, "x");
        });
        let completion = events.complete(1, PATIENCE).remove(0);
        assert_eq!(completion.ticket, ticket);
        assert!(completion.result.is_ok());
    }
}

#[test]
fn a_function_that_forks_while_values_are_lent_leaves_the_rest_to_the_parent() {
    let _alone = alone();
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).timeout(PATIENCE).build().unwrap();
    let keys = [key_of(&client, 0), key_of(&client, 1)];
    for key in &keys {
        assert!(client.set(key, key, NEVER).unwrap().is_stored());
    }
    servers[1].pause();
    let (mut told, tell) = std::io::pipe().unwrap();
    let (mut tell, mut child) = (Some(tell), None);
    thread::scope(|scope| {
        // The other server answers when the child has given its key up.
        let child_did = scope.spawn(|| {
            let mut done = [0];
            let read = told.read_exact(&mut done);
            servers[1].resume();
            read.is_ok() && done == [1]
        });
        let found = client.get_multi_with(&keys, |at, value| {
            assert_eq!(value.data, keys[at].as_bytes());
            if at == 0 {
                match fork::fork().unwrap() {
                    Fork::Child => {}
                    Fork::Parent(pid) => {
                        child = Pid::from_raw(pid);
                        tell = None;
                    }
                }
            }
        });
        if let Some(mut tell) = tell {
            let lost = found[1].as_ref().is_err_and(|error| error.kind() == ErrorKind::Unknown);
            let done = matches!(found[0], Ok(true)) && lost;
            let _ = tell.write_all(&[u8::from(done)]);
            // Neither destructors nor the harness may go on here.
            let _ = kill_process(getpid(), rustix::process::Signal::KILL);
        }
        assert!(found.into_iter().all(Result::unwrap));
        assert!(child_did.join().unwrap());
    });
    waitpid(child, WaitOptions::empty()).unwrap();
}
