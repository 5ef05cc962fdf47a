//! A single command that waits for its result.

use std::task::{Context, Poll};

use super::waiters::{Fetched, Waiter};
use super::{Shared, gone};
use crate::client::Ticket;
use crate::command::Reply;
use crate::error::Error;

/// A submitted command. It is taken back where this is dropped before its result is there.
pub(super) struct Pending<'c> {
    shared: &'c Shared,
    ticket: Ticket,
    is_over: bool,
}

impl<'c> Pending<'c> {
    pub(super) fn new(shared: &'c Shared, ticket: Ticket) -> Self {
        Self { shared, ticket, is_over: false }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Reply, Error>> {
        let mut state = self.shared.lock_alone();
        let result = match state.poll_alone(self.ticket, context) {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(result)) => result,
            None => match state.waiters.fetch(self.ticket, context) {
                Some(Fetched::Pending) => return Poll::Pending,
                Some(Fetched::Result(result)) => result,
                None => Err(gone()),
            },
        };
        self.is_over = true;
        Poll::Ready(result)
    }

    #[cold]
    fn give_up(&self) {
        let mut state = self.shared.lock();
        if let Some(Waiter::Single { .. }) = state.waiters.remove(self.ticket) {
            state.client.cancel(self.ticket);
            // Its answer is to be read nevertheless.
            state.call_if_needed();
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.give_up();
        }
    }
}
