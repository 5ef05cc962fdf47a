//! The client and its process: forks, threads, signals, many descriptors.

mod memcached;

use std::fs::File;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fork::Fork;
use memcached::Memcached;
use memcached::deadline::{ms, until, within};
use memcached::foreign_loop::ForeignLoop;
use memcached::keys::key_of;
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::Signal;
use omcache::{Client, ClientBuilder, Command, Descriptor, ErrorKind, Expiration, Item, Mode, Reply, Ticket};
use rustix::process::{
    Pid, Resource, Rlimit, WaitOptions, getpid, getrlimit, kill_process, setrlimit, waitpid,
};

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
fn a_client_moves_between_threads() {
    let _alone = alone();
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).build().unwrap();
    let mut tickets = Vec::new();
    for n in 0..20 {
        (client, tickets) = thread::spawn(move || {
            let key = format!("key{n}");
            assert!(client.set(&key, &key, NEVER).unwrap().is_stored());
            tickets.push((client.submit(&Command::Get(key.as_bytes())).unwrap(), key));
            (client, tickets)
        })
        .join()
        .unwrap();
    }
    let mut events = ForeignLoop::new(client);
    let mut completions = events.complete(tickets.len(), PATIENCE);
    completions.sort_by_key(|completion| completion.ticket);
    for (completion, (ticket, key)) in completions.into_iter().zip(tickets) {
        assert_eq!((completion.ticket, value(completion.result.unwrap())), (ticket, key));
    }
}

#[test]
fn signals_end_no_wait_and_stretch_none() {
    let _alone = alone();
    let came = Arc::new(AtomicUsize::new(0));
    let handler = signal_hook::flag::register_usize(signal_hook::consts::SIGUSR1, Arc::clone(&came), 1);
    let handler = handler.unwrap();
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).dead_timeout(Duration::from_secs(5)).build().unwrap();
    let (sick, healthy) = (key_of(&client, 0), key_of(&client, 1));
    let (this, over) = (pthread_self(), AtomicBool::new(false));
    let ended = catch_unwind(AssertUnwindSafe(|| {
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    pthread_kill(this, Signal::SIGUSR1).unwrap();
                    thread::sleep(ms(1));
                }
            });
            // Also where an assertion below fails.
            let _end = OnDrop(|| over.store(true, Ordering::Relaxed));
            let keys: Vec<String> = (0..3000).map(|n| format!("key{n}")).collect();
            let start = Instant::now();
            while start.elapsed() < ms(500) {
                let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, key)).collect();
                assert!(client.set_multi(&items).into_iter().all(|stored| stored.unwrap().is_stored()));
                for (key, value) in keys.iter().zip(client.get_multi(&keys)) {
                    assert_eq!(value.unwrap().unwrap().data, *key);
                }
                for key in keys.iter().step_by(100) {
                    assert_eq!(client.get(key).unwrap().unwrap().data, *key);
                }
            }
            servers[0].pause();
            client.set_timeout(Some(ms(500)));
            let start = Instant::now();
            let error = client.get(&sick).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert!(start.elapsed() >= ms(500) && start.elapsed() < ms(900), "{:?}", start.elapsed());
            assert!(client.get(&healthy).is_ok());
        });
    }));
    signal_hook::low_level::unregister(handler);
    if let Err(failure) = ended {
        std::panic::resume_unwind(failure);
    }
    assert_eq!(came.load(Ordering::Relaxed), 1, "signals came");
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_broken_connection_raises_no_signal() {
    let _alone = alone();
    let raised = Arc::new(AtomicBool::new(false));
    let handler = signal_hook::flag::register(signal_hook::consts::SIGPIPE, Arc::clone(&raised)).unwrap();
    for mut server in [Memcached::start(), Memcached::start_unix()] {
        let servers = std::slice::from_ref(&server);
        let mut client = builder(servers).reconnect_timeout(ms(10)).build().unwrap();
        assert!(client.set("key", "value", NEVER).unwrap().is_stored());
        server.kill();
        let mut failed = 0;
        for _ in 0..50 {
            // Written without a look at what came: the first gets a reset for its answer, the next ones meet it.
            for _ in 0..3 {
                failed += u32::from(client.submit(&Command::Get(b"key")).is_err());
            }
            failed += u32::from(client.get("key").is_err());
        }
        assert!(failed > 0);
    }
    signal_hook::low_level::unregister(handler);
    assert!(!raised.load(Ordering::Relaxed), "SIGPIPE came");
}

#[test]
fn descriptors_above_1024_serve() {
    let _alone = alone();
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.map_or(4096, |maximum| maximum.min(4096));
    assert!(enough >= 2000, "this process may open only {enough} files");
    if limit.current.is_some_and(|current| current < enough) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(enough), maximum: limit.maximum }).unwrap();
    }
    let servers = Memcached::start_many::<2>();
    let files: Vec<File> = (0..1100).map(|_| File::open("/dev/null").unwrap()).collect();
    let mut events = ForeignLoop::new(builder(&servers).build().unwrap());
    let keys = [key_of(&events.client, 0), key_of(&events.client, 1)];
    for key in &keys {
        assert!(events.client.set(key, key, NEVER).unwrap().is_stored());
        assert_eq!(events.client.get(key).unwrap().unwrap().data, *key);
    }
    servers.iter().for_each(Memcached::pause);
    for key in &keys {
        events.get(key);
    }
    let mut descriptors: Vec<Descriptor> = Vec::new();
    events.client.descriptors(&mut descriptors);
    assert!(descriptors.len() == 2 && descriptors.iter().all(|descriptor| descriptor.fd > 1024));
    servers.iter().for_each(Memcached::resume);
    for completion in events.complete(2, PATIENCE) {
        assert!(keys.contains(&value(completion.result.unwrap())));
    }
    drop(files);
}

#[test]
fn two_hundred_servers_serve() {
    let _alone = alone();
    let server = Memcached::start();
    // One memcached, named two hundred times: a connection for each.
    let list = vec![server.address(); 200].join(",");
    let mut client =
        Client::builder().servers(&list).unwrap().distribution_by_name("modula").unwrap().build().unwrap();
    assert_eq!(client.server_count(), 200);
    let keys: Vec<String> = (0..5000).map(|n| format!("key{n}")).collect();
    let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, key)).collect();
    let results = within(Duration::from_secs(4), "a batch over 200 servers", || client.set_multi(&items));
    assert!(results.into_iter().all(|stored| stored.unwrap().is_stored()));
    assert_eq!(server.connections_open(), 200);
    for (key, value) in keys.iter().zip(client.get_multi(&keys)) {
        assert_eq!(value.unwrap().unwrap().data, *key);
    }
    for index in 0..200 {
        client.noop(index).unwrap();
    }
    let mut events = ForeignLoop::new(client);
    let tickets: Vec<Ticket> = keys.iter().map(|key| events.get(key)).collect();
    let mut completions = events.complete(keys.len(), PATIENCE);
    completions.sort_by_key(|completion| completion.ticket);
    for ((completion, ticket), key) in completions.into_iter().zip(tickets).zip(&keys) {
        assert_eq!((completion.ticket, value(completion.result.unwrap())), (ticket, key.clone()));
    }
    events.client.disconnect();
    until(PATIENCE, "they are closed", || server.connections_open() == 0);
}
