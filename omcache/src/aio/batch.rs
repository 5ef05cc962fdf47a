//! Commands side by side on tokio: submitted as their servers have room, and awaited together.

use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;

use super::{Shared, State, gone};
use crate::client::{NotSubmitted, Waiting};
use crate::command::{Command, Reply};
use crate::error::Error;

/// Commands after which others get their turn with the client.
const STRIDE: usize = 512;

/// Commands that run side by side. Those that are under way are taken back when it is dropped.
pub(super) struct Batch<'b> {
    shared: &'b Shared,
    commands: Vec<Command<'b>>,
    /// The number under which its results are gathered.
    number: usize,
    /// Those whose servers have no room.
    waiting: Waiting,
    is_over: bool,
}

impl<'b> Batch<'b> {
    pub(super) fn new(shared: &'b Shared, commands: Vec<Command<'b>>) -> Self {
        let number = shared.lock().batches.begin(commands.len());
        Self { shared, commands, number, waiting: Waiting::default(), is_over: false }
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
        let number = self.number;
        poll_fn(|context| shared.lock().batches.poll(number, context)).await;
    }

    fn submit(&mut self, places: Range<usize>) {
        let shared = self.shared;
        let mut state = shared.lock();
        let now = state.client.begin_turn();
        if !self.submit_together(&mut state, places.clone()) {
            for place in places {
                // Keys keep their order: none goes before those of its server that wait.
                let waiting = std::mem::take(&mut self.waiting);
                let full = self.submit_one(&mut state, place, &waiting);
                self.waiting = waiting;
                if let Some(server) = full {
                    self.waiting.push(server, place);
                }
            }
        }
        state.client.end_turn(now);
        state.deliver();
        state.call();
    }

    /// Submits these together, while none waits for room. False, with nothing done, where one can't be submitted so.
    fn submit_together(&mut self, state: &mut State, places: Range<usize>) -> bool {
        let Self { commands, number, waiting, .. } = self;
        if state.ended || !waiting.is_empty() {
            return false;
        }
        let State { client, batches, .. } = state;
        let first = places.start;
        let commands = commands.get(places).unwrap_or_default();
        client.submit_together(commands, |at, result| {
            let place = first + at;
            match result {
                Ok(ticket) => batches.submitted(*number, ticket, place),
                Err(NotSubmitted::Full { server }) => waiting.push(server, place),
                Err(NotSubmitted::Failed(error)) => batches.refused(*number, place, error),
            }
        })
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
    fn submit_one(&self, state: &mut State, place: usize, waiting: &Waiting) -> Option<usize> {
        let command = self.commands.get(place)?;
        let submitted = match state.ended {
            true => Err(NotSubmitted::Failed(gone())),
            false => state.client.submit_later(command, waiting),
        };
        match submitted {
            Ok(ticket) => state.batches.submitted(self.number, ticket, place),
            Err(NotSubmitted::Full { server }) => return Some(server),
            Err(NotSubmitted::Failed(error)) => state.batches.refused(self.number, place, error),
        }
        None
    }

    /// Ends it: what is not sent is taken back, and no more answers are waited for. Its results are returned; those that had
    /// none are failures for want of an answer.
    pub(super) fn end(mut self) -> Vec<Result<Reply, Error>> {
        let results = self.give_up();
        results.into_iter().map(|result| result.unwrap_or(Err(Error::timeout(false)))).collect()
    }

    fn give_up(&mut self) -> Vec<Option<Result<Reply, Error>>> {
        if std::mem::replace(&mut self.is_over, true) {
            return Vec::new();
        }
        let mut state = self.shared.lock();
        let under_way = state.batches.under_way(self.number);
        let mut results = state.batches.end(self.number);
        for (ticket, place) in &under_way {
            let was_sent = !state.client.cancel(*ticket);
            if let Some(result) = results.get_mut(*place) {
                *result = Some(Err(Error::timeout(was_sent)));
            }
        }
        if !under_way.is_empty() {
            // To cancel is to look at what came, also for others.
            state.deliver();
            state.call_if_needed();
        }
        results
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}
