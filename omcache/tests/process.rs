//! The client and its process: threads, signals, many descriptors.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use memcached::Memcached;
use memcached::deadline::{ms, until, within};
use memcached::foreign_loop::ForeignLoop;
use memcached::keys::key_of;
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::Signal;
use omcache::{Client, ClientBuilder, Command, Descriptor, ErrorKind, Expiration, Item, Reply, Ticket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const NEVER: Expiration = Expiration::NEVER;
const PATIENCE: Duration = Duration::from_secs(10);

fn builder(servers: &[Memcached]) -> ClientBuilder {
    let list: Vec<String> = servers.iter().map(Memcached::address).collect();
    Client::builder().servers(list.join(",")).unwrap()
}

/// While one counts descriptors, or changes what the process may do, no other test of this file goes on.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn value(reply: Reply) -> String {
    match reply {
        Reply::Value(Some(value)) => String::from_utf8(value.data.to_vec()).unwrap(),
        other => panic!("{other:?}"),
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
fn descriptors_do_not_pile_up() {
    let _alone = alone();
    let mut servers = Memcached::start_many::<2>();
    let list = format!("{},localhost:{}", servers[0].address(), servers[1].port());
    let mut client = Client::builder().servers(&list).unwrap().reconnect_timeout(ms(1)).build().unwrap();
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let keys = [key_of(&client, 0), key_of(&client, 1)];
    let mut first = None;
    for round in 0..100 {
        for key in &keys {
            client.get(key).unwrap();
        }
        let now = open();
        assert_eq!(now, *first.get_or_insert(now), "in round {round}");
        match round % 3 {
            0 => client.disconnect(),
            1 => {
                client.set_servers("").unwrap();
                client.set_servers(&list).unwrap();
            }
            _ if round % 10 == 2 => {
                servers[0].restart();
                until(PATIENCE, "it is back", || {
                    keys.iter().all(|key| client.get(key).is_ok())
                        && client.server_for_key(&keys[0]) == Some(0)
                });
            }
            _ => {}
        }
    }
}

#[test]
fn many_names_are_looked_up_at_once() {
    let _alone = alone();
    let server = Memcached::start();
    let list = vec![format!("localhost:{}", server.port()); 60].join(",");
    let mut client =
        Client::builder().servers(&list).unwrap().distribution_by_name("modula").unwrap().build().unwrap();
    let keys: Vec<String> = (0..2000).map(|n| format!("key{n}")).collect();
    let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, key)).collect();
    assert!(client.set_multi(&items).into_iter().all(|stored| stored.unwrap().is_stored()));
    for (key, value) in keys.iter().zip(client.get_multi(&keys)) {
        assert_eq!(value.unwrap().unwrap().data, *key);
    }
    assert_eq!(server.connections_open(), 60);
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
