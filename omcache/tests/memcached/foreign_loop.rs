//! A program's own event loop around a client: it waits as the client tells it to, and times every call.

use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use omcache::{Client, Command, Completion, Error, Ticket};

/// A client in a loop of the test's own.
pub(crate) struct ForeignLoop {
    pub(crate) client: Client,
    /// The longest call so far.
    pub(crate) slowest: Duration,
}

impl ForeignLoop {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, slowest: Duration::ZERO }
    }

    /// Makes a call to the client, which may not wait.
    pub(crate) fn call<T>(&mut self, call: impl FnOnce(&mut Client) -> T) -> T {
        let start = Instant::now();
        let result = call(&mut self.client);
        self.slowest = self.slowest.max(start.elapsed());
        result
    }

    pub(crate) fn submit(&mut self, command: &Command<'_>) -> Result<Ticket, Error> {
        self.call(|client| client.submit(command))
    }

    pub(crate) fn get(&mut self, key: &str) -> Ticket {
        self.submit(&Command::Get(key.as_bytes())).unwrap()
    }

    /// One turn: waits for what the client waits for, no longer than it says and than `limit`, and lets it go on.
    pub(crate) fn turn(&mut self, limit: Duration) -> Vec<Completion> {
        let mut descriptors = Vec::new();
        self.call(|client| client.descriptors(&mut descriptors));
        let left = self.call(|client| client.time_left());
        let mut poll = Poll::new().unwrap();
        for descriptor in &descriptors {
            let interest = match (descriptor.readable, descriptor.writable) {
                (true, true) => Interest::READABLE | Interest::WRITABLE,
                (true, false) => Interest::READABLE,
                (false, true) => Interest::WRITABLE,
                (false, false) => panic!("a descriptor that waits for nothing: {descriptor:?}"),
            };
            poll.registry().register(&mut SourceFd(&descriptor.fd), Token(0), interest).unwrap();
        }
        let timeout = left.map_or(limit, |left| left.min(limit));
        match poll.poll(&mut Events::with_capacity(16), Some(timeout)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => panic!("{error}"),
            _ => {}
        }
        self.call(Client::step).unwrap();
        std::iter::from_fn(|| self.call(Client::next_completion)).collect()
    }

    /// Turns until `count` results came, or fails.
    pub(crate) fn complete(&mut self, count: usize, limit: Duration) -> Vec<Completion> {
        let start = Instant::now();
        let mut completions = Vec::new();
        while completions.len() < count {
            let left = limit.saturating_sub(start.elapsed());
            assert!(left > Duration::ZERO, "only {} of {count} within {limit:?}", completions.len());
            completions.append(&mut self.turn(left));
        }
        completions
    }
}
