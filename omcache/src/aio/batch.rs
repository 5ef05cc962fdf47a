//! Commands side by side on tokio: submitted as their servers have room, and awaited together.

use std::ops::Range;
use std::pin::pin;

use tokio::sync::oneshot;

use super::waiters::Waiter;
use super::{Shared, State, gone};
use crate::client::{NotSubmitted, Ticket, Waiting};
use crate::command::{Command, Reply};
use crate::error::Error;

/// Commands after which others get their turn with the client.
const STRIDE: usize = 512;

type Running = (Ticket, oneshot::Receiver<Result<Reply, Error>>);

/// Commands that run side by side. Those that are under way are taken back when it is dropped.
pub(super) struct Batch<'b> {
    shared: &'b Shared,
    commands: Vec<Command<'b>>,
    /// By place, as the results.
    running: Vec<Option<Running>>,
    results: Vec<Option<Result<Reply, Error>>>,
    /// Those whose servers have no room.
    waiting: Waiting,
}

impl<'b> Batch<'b> {
    pub(super) fn new(shared: &'b Shared, commands: Vec<Command<'b>>) -> Self {
        let count = commands.len();
        let (mut running, mut results) = (Vec::with_capacity(count), Vec::with_capacity(count));
        running.resize_with(count, || None);
        results.resize_with(count, || None);
        Self { shared, commands, running, results, waiting: Waiting::default() }
    }

    /// Runs them to their end.
    pub(super) async fn run(&mut self) {
        let shared = self.shared;
        for first in (0..self.commands.len()).step_by(STRIDE) {
            self.submit(first..self.commands.len().min(first + STRIDE));
        }
        while !self.waiting.is_empty() {
            // Room that is made from here on is told of.
            let mut room = pin!(shared.room.notified());
            room.as_mut().enable();
            if !self.submit_waiting() {
                room.await;
            }
        }
        for (running, result) in self.running.iter_mut().zip(&mut self.results) {
            if let Some((_, receiver)) = running {
                *result = Some(receiver.await.unwrap_or_else(|_| Err(gone())));
                *running = None;
            }
        }
    }

    fn submit(&mut self, places: Range<usize>) {
        let shared = self.shared;
        let mut state = shared.lock();
        let now = state.client.begin_turn();
        for place in places {
            // Keys keep their order: none goes before those of its server that wait.
            let waiting = std::mem::take(&mut self.waiting);
            let full = self.submit_one(&mut state, place, &waiting);
            self.waiting = waiting;
            if let Some(server) = full {
                self.waiting.push(server, place);
            }
        }
        state.client.end_turn(now);
        state.deliver();
        state.call();
    }

    /// Submits what has room now; true where some had.
    fn submit_waiting(&mut self) -> bool {
        let shared = self.shared;
        let mut state = shared.lock();
        let now = state.client.begin_turn();
        let mut moved = false;
        for server in 0..self.waiting.servers() {
            while let Some(place) = self.waiting.front(server) {
                let full = self.submit_one(&mut state, place, &Waiting::default());
                if full == Some(server) {
                    break;
                }
                if let Some(other) = full {
                    // Its own server failed meanwhile.
                    self.waiting.push(other, place);
                }
                self.waiting.pop(server);
                moved = true;
            }
        }
        state.client.end_turn(now);
        state.deliver();
        state.blocked |= !self.waiting.is_empty();
        if moved {
            state.call();
        }
        moved
    }

    /// Submits one; the server that has no room for it is returned.
    fn submit_one(&mut self, state: &mut State, place: usize, waiting: &Waiting) -> Option<usize> {
        let (command, running) = (self.commands.get(place)?, self.running.get_mut(place)?);
        let submitted = match state.ended {
            true => Err(NotSubmitted::Failed(gone())),
            false => state.client.submit_later(command, waiting),
        };
        match submitted {
            Ok(ticket) => {
                let (sender, receiver) = oneshot::channel();
                state.waiters.insert(ticket, Waiter::Batch(sender));
                *running = Some((ticket, receiver));
            }
            Err(NotSubmitted::Full { server }) => return Some(server),
            Err(NotSubmitted::Failed(error)) => *self.results.get_mut(place)? = Some(Err(error)),
        }
        None
    }

    /// Takes back what is not sent, and waits for no more answers.
    pub(super) fn give_up(&mut self) {
        let mut state = self.shared.lock();
        for (running, result) in self.running.iter_mut().zip(&mut self.results) {
            let was_sent = match running.take() {
                Some((ticket, mut receiver)) => match state.waiters.remove(ticket) {
                    Some(_) => !state.client.cancel(ticket),
                    None => {
                        *result = receiver.try_recv().ok();
                        true
                    }
                },
                None => false,
            };
            result.get_or_insert_with(|| Err(Error::timeout(was_sent)));
        }
    }

    pub(super) fn into_results(mut self) -> Vec<Result<Reply, Error>> {
        let results = std::mem::take(&mut self.results);
        results.into_iter().map(|result| result.unwrap_or(Err(Error::timeout(true)))).collect()
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.running.iter().any(Option::is_some) {
            self.give_up();
        }
    }
}
