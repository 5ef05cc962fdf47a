//! Look-ups by a function of the test's own: what hangs holds up nothing else, and what nobody waits for is dropped.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panics")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::Signal;
use omcache_conn::{Action, Cluster, Config, Instant, Server, Target};
use omcache_proto::Request;
use rustix::event::{PollFd, PollFlags, poll};

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

fn address(port: u16) -> Address {
    Address::Ip(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

fn name(host: &str) -> Name {
    (host.to_owned(), "11211".to_owned())
}

/// As many look-ups as are asked for; only a cluster makes them.
fn lookups(count: usize) -> Vec<LookupId> {
    let mut cluster = Cluster::new(Config::default());
    cluster.set_servers((0..count).map(|n| Server::tcp(format!("name{n}"), "11211")).collect()).unwrap();
    for server in 0..count {
        cluster.submit(Target::Server(server), &Request::Noop).unwrap();
    }
    cluster.handle_time(Instant::ORIGIN);
    let actions = std::iter::from_fn(|| cluster.poll_action());
    let lookup = |action| match action {
        Action::Resolve { lookup, .. } => lookup,
        other => panic!("{other:?}"),
    };
    actions.map(lookup).collect()
}

/// Waits for the next answers.
fn answers(resolver: &mut Resolver) -> Vec<(LookupId, Found)> {
    loop {
        let descriptor = resolver.descriptor().unwrap();
        let mut polled = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
        let timeout = crate::driver::poll::timespec(LIMIT);
        assert_ne!(poll(&mut polled, Some(&timeout)).unwrap(), 0, "no answer");
        let answers = resolver.answers();
        if !answers.is_empty() {
            return answers;
        }
    }
}

#[test]
fn a_name_that_hangs_has_one_thread_and_the_others_theirs() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let (begun, begins) = mpsc::channel();
    let mut resolver = Resolver::new(move |host, _| {
        begun.send(host.to_owned()).unwrap();
        if host == "hangs" {
            let _ = lock_of(&released).recv();
        }
        Ok(vec![address(1)])
    });
    let ids = lookups(103);
    // Asked for again and again, as a server is that is tried again: those before are given up.
    for &lookup in &ids[..100] {
        resolver.ask(lookup, name("hangs"), |other| other == lookup).unwrap();
    }
    assert_eq!(begins.recv_timeout(LIMIT).unwrap(), "hangs");
    resolver.ask(ids[100], name("works"), |_| true).unwrap();
    assert_eq!(answers(&mut resolver), [(ids[100], Ok(vec![address(1)]))]);
    assert_eq!(begins.try_iter().collect::<Vec<_>>(), ["works"], "each was looked up once");
    // Two that wait for it share its answer.
    resolver.ask(ids[101], name("hangs"), |other| other == ids[101]).unwrap();
    resolver.ask(ids[102], name("hangs"), |_| true).unwrap();
    release.send(()).unwrap();
    let both = [(ids[101], Ok(vec![address(1)])), (ids[102], Ok(vec![address(1)]))];
    assert_eq!(answers(&mut resolver), both);
    assert!(resolver.descriptor().is_none(), "nothing is asked");
}

fn lock_of<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn what_nobody_waits_for_is_not_looked_up() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let (begun, begins) = mpsc::channel();
    let mut resolver = Resolver::new(move |host, _| {
        begun.send(host.to_owned()).unwrap();
        let _ = lock_of(&released).recv();
        Ok(vec![address(1)])
    });
    let ids = lookups(20);
    // All threads hang, and what is asked beyond them is given up, but for the last.
    for (n, &lookup) in ids[..MAX_THREADS].iter().enumerate() {
        resolver.ask(lookup, name(&format!("hangs{n}")), |_| true).unwrap();
        begins.recv_timeout(LIMIT).unwrap();
    }
    for (n, &lookup) in ids[MAX_THREADS..].iter().enumerate() {
        resolver.ask(lookup, name(&format!("later{n}")), |other| other == lookup).unwrap();
    }
    assert_eq!(lock(&resolver.shared).questions.len(), 1);
    drop(release);
    assert_eq!(begins.recv_timeout(LIMIT).unwrap(), "later11");
    while !answers(&mut resolver).iter().any(|(lookup, _)| Some(lookup) == ids.last()) {}
}

#[test]
fn a_port_beyond_the_last_is_no_port() {
    for port in ["65536", "70000", "99999999999999999999"] {
        match look_up("127.0.0.1", port) {
            Err(Failure::Lookup { message }) => assert!(message.contains(port), "{message}"),
            other => panic!("{port}: {other:?}"),
        }
    }
    assert_eq!(look_up("127.0.0.1", "65535"), Ok(vec![address(65535)]));
}

#[test]
fn the_thread_blocks_all_signals_and_the_callers_are_as_they_were() {
    let (tell, masks) = mpsc::channel();
    let mut resolver = Resolver::new(move |_, _| {
        tell.send(SigSet::thread_get_mask().unwrap()).unwrap();
        Ok(vec![address(1)])
    });
    let before = SigSet::thread_get_mask().unwrap();
    resolver.ask(lookups(1)[0], name("any"), |_| true).unwrap();
    assert_eq!(SigSet::thread_get_mask().unwrap(), before);
    let mask = masks.recv_timeout(LIMIT).unwrap();
    let may_be_blocked =
        Signal::iterator().filter(|signal| !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP));
    for signal in may_be_blocked {
        assert!(mask.contains(signal), "{signal}");
    }
}

#[cfg(feature = "testing")]
#[test]
fn the_addresses_of_a_name_are_tried_in_turn() {
    use std::net::TcpListener;

    use omcache_conn::{Event, Health, ServerChange};

    use crate::driver::Driver;

    let server = crate::testing::Server::start().unwrap();
    let port = server.address().rsplit(':').next().unwrap().parse().unwrap();
    // Nobody listens there any more.
    let refused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut driver = Driver::new(Config::default());
    driver.resolver = Resolver::new(move |_, _| Ok(vec![address(refused), address(port)]));
    driver.cluster.set_servers(vec![Server::tcp("cache", "11211")]).unwrap();
    driver.cluster.submit(Target::Server(0), &Request::Noop).unwrap();
    let (mut changes, mut answered) = (Vec::new(), false);
    let mut now = driver.now();
    let until = now + LIMIT;
    while !answered {
        assert!(now < until, "no answer: {changes:?}");
        now = driver.wait(now, Some(until)).unwrap().1;
        while let Some(event) = driver.cluster.poll_event() {
            match event {
                Event::Server(event) => changes.push(event.change),
                Event::Response(_) => answered = true,
                other => panic!("{other:?}"),
            }
        }
    }
    match &changes[..] {
        [ServerChange::AddressFailed { address: failed, .. }, ServerChange::Connected] => {
            assert_eq!(*failed, address(refused));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(driver.cluster.server_status(0).unwrap().health, Health::Ready);
}
