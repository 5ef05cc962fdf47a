//! A program at work: it reads all keys in turn at a steady rate, and stores a value again where it is missing.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use mio::Poll;
use omcache::{Client, Command, Completion, ErrorKind, Item, Mode, Reply, Ticket};

use super::values;
use super::waiting::wait;

/// Reads a second.
pub(super) const RATE: u32 = 10_000;

/// Reads that are begun at once at most; what a pause of the whole program makes due beyond them is left out.
const MOST_DUE: usize = 50;

/// How long the loop sleeps where nothing comes.
const TICK: Duration = Duration::from_millis(1);

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The read found the key's value.
    Hit,
    /// The read found nothing.
    Miss,
    /// The read found something else than was stored for the key.
    Wrong,
    /// The value is stored again.
    Stored,
    /// It failed.
    Failed(ErrorKind),
}

/// A command that ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// The number of the key.
    pub(super) key: usize,
    /// The server that had the key when the command was given.
    pub(super) server: Option<usize>,
    /// How long it took.
    pub(super) took: Duration,
    /// When it was given.
    pub(super) begun: Instant,
    /// Whether it was a read; else it was a store.
    pub(super) read: bool,
    pub(super) outcome: Outcome,
}

impl Ended {
    /// The moment at which its outcome was known.
    pub(super) fn at(&self) -> Instant {
        self.begun + self.took
    }
}

struct Begun {
    key: usize,
    server: Option<usize>,
    at: Instant,
    read: bool,
}

/// The program. All that ended is kept in a log.
pub(super) struct Load {
    pub(super) client: Client,
    poll: Poll,
    under_way: HashMap<Ticket, Begun>,
    log: Vec<Ended>,
    next_key: usize,
    /// When the next read is due.
    due: Instant,
}

impl Load {
    pub(super) fn new(client: Client) -> Result<Self> {
        let poll = Poll::new().context("making an event loop")?;
        let (under_way, log) = (HashMap::new(), Vec::new());
        Ok(Self { client, poll, under_way, log, next_key: 0, due: Instant::now() })
    }

    /// What ended since the last [`Load::take_log`].
    pub(super) fn log(&self) -> &[Ended] {
        &self.log
    }

    /// Takes the log; it begins anew.
    pub(super) fn take_log(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.log)
    }

    /// Works for this long.
    pub(super) fn run_for(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        self.run(|_| Instant::now() >= end)
    }

    /// Works until something holds, but no longer than `limit`; tells whether it came to hold.
    pub(super) fn run_until(
        &mut self,
        limit: Duration,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Result<bool> {
        let end = Instant::now() + limit;
        let mut held = false;
        self.run(|load| {
            held = holds(load);
            held || Instant::now() >= end
        })?;
        Ok(held)
    }

    /// Works while something else is done, which must not wait for this work.
    pub(super) fn run_during<T: Send>(&mut self, action: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let action = scope.spawn(action);
            self.run(|_| action.is_finished())?;
            action.join().map_err(|_| anyhow!("a thread panicked"))?
        })
    }

    /// Begins nothing more, and waits until everything has ended.
    pub(super) fn finish(&mut self) -> Result<()> {
        let limit = Instant::now() + Duration::from_secs(5);
        while !self.under_way.is_empty() {
            if Instant::now() > limit {
                bail!("{} commands did not end in 5 s", self.under_way.len());
            }
            self.turn(TICK)?;
        }
        Ok(())
    }

    fn run(&mut self, mut enough: impl FnMut(&Self) -> bool) -> Result<()> {
        // What was due while nothing ran is not made up for.
        self.due = self.due.max(Instant::now());
        loop {
            self.begin_due();
            if enough(self) {
                return Ok(());
            }
            self.turn(TICK)?;
        }
    }

    fn begin_due(&mut self) {
        let now = Instant::now();
        let interval = Duration::from_secs(1) / RATE;
        for _ in 0..MOST_DUE {
            if self.due > now {
                return;
            }
            self.due += interval;
            let key = self.next_key;
            self.next_key = (key + 1) % values::COUNT;
            self.begin(key, true);
        }
        self.due = now;
    }

    fn begin(&mut self, number: usize, read: bool) {
        let key = values::key(number);
        let value = values::value(&key);
        let command = match read {
            true => Command::Get(key.as_bytes()),
            false => Command::Store(Mode::Set, Item::new(&key, &value)),
        };
        let begun = Begun { key: number, server: self.client.server_for_key(&key), at: Instant::now(), read };
        match self.client.submit(&command) {
            Ok(ticket) => {
                self.under_way.insert(ticket, begun);
            }
            Err(error) => self.end(&begun, Outcome::Failed(error.kind())),
        }
    }

    /// One turn of the event loop.
    fn turn(&mut self, longest: Duration) -> Result<()> {
        let mut descriptors = Vec::new();
        self.client.descriptors(&mut descriptors);
        let timeout = self.client.time_left().map_or(longest, |left| left.min(longest));
        wait(&mut self.poll, &descriptors, timeout).context("waiting for the servers")?;
        self.client.step()?;
        while let Some(Completion { ticket, result, .. }) = self.client.next_completion() {
            let begun = self.under_way.remove(&ticket).context("a result of nothing that was asked")?;
            let outcome = match result {
                Ok(Reply::Value(Some(value))) if value.data == values::value(&values::key(begun.key)) => {
                    Outcome::Hit
                }
                Ok(Reply::Value(Some(_))) => Outcome::Wrong,
                Ok(Reply::Value(None)) => Outcome::Miss,
                Ok(Reply::Stored(stored)) if stored.is_stored() => Outcome::Stored,
                Ok(other) => bail!("{other:?} is no answer to what was asked"),
                Err(error) => Outcome::Failed(error.kind()),
            };
            self.end(&begun, outcome);
            if outcome == Outcome::Miss {
                self.begin(begun.key, false);
            }
        }
        Ok(())
    }

    fn end(&mut self, begun: &Begun, outcome: Outcome) {
        let &Begun { key, server, at, read } = begun;
        self.log.push(Ended { key, server, took: at.elapsed(), begun: at, read, outcome });
    }
}
