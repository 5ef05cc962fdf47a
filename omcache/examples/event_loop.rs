//! The client in a program's own event loop: a thousand values stored and read, many at once, while the loop goes on
//! with its other work. No call to the client waits here; all waiting is the loop's.
//!
//! `cargo run -p omcache --features testing --example event_loop [SERVERS]`. Without SERVERS (a comma-separated list),
//! three small servers are started in this process.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use omcache::testing::Server;
use omcache::{Client, Command, Completion, Descriptor, Item, Mode, Reply, Ticket};

const VALUES: usize = 1_000;
const AT_ONCE: usize = 50;
/// The loop has other work, and wants to do it this often.
const TICK: Duration = Duration::from_millis(2);

fn main() -> Result<(), Box<dyn Error>> {
    let own = [Server::start()?, Server::start()?, Server::start()?];
    let list = match std::env::args().nth(1) {
        Some(list) => list,
        None => own.iter().map(|server| server.address().to_string()).collect::<Vec<_>>().join(","),
    };
    let mut client = Client::connect_to(&list)?;
    let mut poll = Poll::new()?;
    let mut work = Work::default();
    let begin = Instant::now();
    let (mut next_tick, mut ticks) = (begin, 0);

    loop {
        // 1. Hand over commands: submitting one sends what its socket takes, and returns.
        work.begin_more(&mut client)?;

        // 2. Let the client do what can be done now: connect, send, receive, go on to another server.
        client.step()?;

        // 3. Take the results that came. They are no reason to wait: they may call for new commands.
        while let Some(completion) = client.next_completion() {
            work.go_on(&mut client, completion)?;
        }
        if work.read == VALUES {
            break;
        }

        // 4. The loop's other work.
        if Instant::now() >= next_tick {
            ticks += 1;
            next_tick = Instant::now() + TICK;
        }

        // 5. Wait for what the client waits for, no longer than the client and the other work allow.
        let other_work = next_tick.saturating_duration_since(Instant::now());
        let timeout = client.time_left().map_or(other_work, |left| left.min(other_work));
        let mut descriptors = Vec::new();
        client.descriptors(&mut descriptors);
        wait(&mut poll, &descriptors, timeout)?;
    }
    println!("{VALUES} values stored and read in {:.1?}, {AT_ONCE} at once", begin.elapsed());
    println!("the loop's other work was done {ticks} times meanwhile");
    Ok(())
}

/// What is under way: each value is stored, then read.
#[derive(Default)]
struct Work {
    under_way: HashMap<Ticket, usize>,
    begun: usize,
    read: usize,
}

impl Work {
    fn begin_more(&mut self, client: &mut Client) -> Result<(), omcache::Error> {
        while self.begun < VALUES && self.under_way.len() < AT_ONCE {
            let (key, value) = (key(self.begun), self.begun.to_string());
            let ticket = client.submit(&Command::Store(Mode::Set, Item::new(&key, &value)))?;
            self.under_way.insert(ticket, self.begun);
            self.begun += 1;
        }
        Ok(())
    }

    /// The ticket tells which command a result belongs to: results of several servers come in any order.
    fn go_on(&mut self, client: &mut Client, completion: Completion) -> Result<(), Box<dyn Error>> {
        let n = self.under_way.remove(&completion.ticket).ok_or("a result of nothing that was asked")?;
        match completion.result? {
            Reply::Stored(stored) if stored.is_stored() => {
                let ticket = client.submit(&Command::Get(key(n).as_bytes()))?;
                self.under_way.insert(ticket, n);
            }
            Reply::Value(Some(value)) if value.data == n.to_string() => self.read += 1,
            other => return Err(format!("{}: {other:?}", key(n)).into()),
        }
        Ok(())
    }
}

fn key(n: usize) -> String {
    format!("example:event_loop:{n}")
}

/// Waits until a descriptor is ready or the time is over. The client tells the descriptors anew for each wait, as for
/// `poll(2)`; mio tells a readiness once for each registration, so each wait has its own.
fn wait(poll: &mut Poll, descriptors: &[Descriptor], timeout: Duration) -> io::Result<()> {
    let mut registered = Vec::new();
    for descriptor in descriptors {
        let interest = match (descriptor.readable, descriptor.writable) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            (false, false) => continue,
        };
        poll.registry().register(&mut SourceFd(&descriptor.fd), Token(0), interest)?;
        registered.push(descriptor.fd);
    }
    let mut events = Events::with_capacity(16);
    let polled = poll.poll(&mut events, Some(timeout));
    for fd in registered {
        poll.registry().deregister(&mut SourceFd(&fd))?;
    }
    match polled {
        // A signal is no reason to end.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        result => result,
    }
}
