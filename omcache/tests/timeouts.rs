//! Timeouts: each holds, also those of nothing and for ever, and what is late reaches nobody.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::time::{Duration, Instant};

use memcached::Memcached;
use memcached::deadline::{ms, until, within};
use memcached::keys::key_of;
use omcache::{Client, ClientBuilder, ErrorKind, Expiration};

const NEVER: Expiration = Expiration::NEVER;

fn builder(servers: &[Memcached]) -> ClientBuilder {
    let list: Vec<String> = servers.iter().map(Memcached::address).collect();
    Client::builder()
        .servers(list.join(","))
        .unwrap()
        .dead_timeout(Duration::from_secs(1))
        .connect_timeout(Duration::from_secs(3))
        .reconnect_timeout(Duration::from_secs(4))
}

#[test]
fn a_timeout_shorter_than_the_dead_timeout_holds() {
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).timeout(ms(200)).build().unwrap();
    assert!(client.set("key", "value", NEVER).unwrap().is_stored());
    servers[0].pause();
    for _ in 0..3 {
        let start = Instant::now();
        let error = client.get("key").unwrap_err();
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, true), "{error:?}");
        assert!(start.elapsed() >= ms(200) && start.elapsed() < ms(500), "{:?}", start.elapsed());
    }
    servers[0].resume();
    // The late answers are nobody's.
    client.set_timeout(Some(Duration::from_secs(5)));
    assert!(client.set("key", "new", NEVER).unwrap().is_stored());
    assert_eq!(client.get("key").unwrap().unwrap().data, "new");
    assert!(client.next_completion().is_none());
    assert!(client.flush().unwrap().failures.is_empty());

    // One that is not connected yet: the request is taken back.
    servers[0].pause();
    let mut client = builder(&servers).timeout(ms(200)).build().unwrap();
    for _ in 0..2 {
        let error = within(ms(500), "a set", || client.set("key", "late", NEVER)).unwrap_err();
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, false), "{error:?}");
    }
    servers[0].resume();
    client.set_timeout(Some(Duration::from_secs(5)));
    assert_eq!(client.get("key").unwrap().unwrap().data, "new");
}

#[test]
fn timeouts_of_nothing_and_for_ever_are_what_they_say() {
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers)
        .timeout(Duration::MAX)
        .dead_timeout(Duration::MAX)
        .connect_timeout(Duration::MAX)
        .reconnect_timeout(Duration::MAX)
        .build()
        .unwrap();
    let key = key_of(&client, 0);
    assert!(client.set(&key, "value", NEVER).unwrap().is_stored());
    assert!(client.get_multi(&[&key])[0].as_ref().unwrap().is_some());
    client.set_timeout(Some(Duration::ZERO));
    servers[0].pause();
    for _ in 0..3 {
        let error = within(ms(200), "a get without time", || client.get(&key)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let error =
            within(ms(200), "a batch without time", || client.get_multi(&[&key])).remove(0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
    servers[0].resume();
    client.set_timeout(None);
    assert_eq!(client.get(&key).unwrap().unwrap().data, "value");
}

#[test]
fn a_reconnect_time_of_nothing_is_no_endless_loop() {
    let mut servers = Memcached::start_many::<2>();
    servers.iter_mut().for_each(Memcached::kill);
    let mut client = builder(&servers).reconnect_timeout(Duration::ZERO).timeout(None).build().unwrap();
    for _ in 0..5 {
        let error = within(ms(500), "a get", || client.get("key")).unwrap_err();
        assert!(!error.was_sent(), "{error:?}");
        for result in within(ms(500), "a batch", || client.get_multi(&["a", "b", "c"])) {
            assert!(!result.unwrap_err().was_sent());
        }
    }
    servers[0].restart();
    let key = key_of(&builder(&servers).build().unwrap(), 1);
    until(Duration::from_secs(2), "the other takes over", || client.get(&key).is_ok());
}

#[test]
fn without_a_timeout_the_dead_timeout_ends_the_wait() {
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).timeout(None).build().unwrap();
    client.noop(0).unwrap();
    servers[0].pause();
    let error = within(ms(1500), "a get", || client.get("key")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    let error = within(ms(1500), "a get", || client.get("key")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSent);
    let error = within(ms(500), "a get", || client.get("key")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoServers);
}

#[test]
fn a_wait_for_a_timer_alone_is_one_sleep() {
    use omcache::driver::{Driver, Waited, conn};
    // Nobody listens there any more.
    let mut server = Memcached::start();
    server.kill();
    let mut driver = Driver::new(conn::Config::default());
    driver.cluster.set_servers(vec![server.address().parse().unwrap()]).unwrap();
    driver.cluster.submit(conn::Target::Server(0), &omcache::driver::proto::Request::Noop).unwrap();
    let mut now = driver.now();
    until(Duration::from_secs(5), "the server is disabled", || {
        now = driver.wait(now, Some(now + ms(10))).unwrap().1;
        while driver.cluster.poll_event().is_some() {}
        driver.cluster.server_status(0).unwrap().health == conn::Health::Disabled
    });
    // What is left is the time until it is tried again.
    let deadline = now + ms(50);
    let (waited, later) = driver.wait(now, Some(deadline)).unwrap();
    assert_eq!(waited, Waited::Elapsed);
    assert!(later >= deadline, "it came back {:?} too early", deadline.since(later));
    assert_eq!(driver.wait(later, Some(later)).unwrap().0, Waited::Nothing, "a look is no sleep");
}

#[test]
fn a_unix_socket_whose_backlog_is_full_is_waited_for() {
    use std::os::unix::net::{UnixListener, UnixStream};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let first = UnixStream::connect(&path).unwrap();
    let mut client =
        Client::builder().server(path.display().to_string()).unwrap().timeout(ms(100)).build().unwrap();
    let error = client.noop(0).unwrap_err();
    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, false), "{error:?}");
    assert_eq!(client.server_info(0).unwrap().state, omcache::ServerState::Connecting);
    // With room there is a connection.
    drop((listener.accept().unwrap(), first));
    assert_eq!(client.noop(0).unwrap_err().kind(), ErrorKind::Timeout);
    listener.set_nonblocking(true).unwrap();
    listener.accept().unwrap();
}
