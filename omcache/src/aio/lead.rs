//! A command that is alone reads its own answer, which spares the way through the task.
//!
//! It leads only while its connection is all that is to be waited for, and the task's timer comes in time for all
//! deadlines. Whatever else comes up, another command first of all, calls the task, which takes over; the leader then
//! waits as all others do. So nothing depends on the leader being polled.

use std::task::Context;

use super::State;
use crate::client::{Completion, Ticket};
use crate::command::Reply;
use crate::driver::conn::ConnectionId;
use crate::error::Error;

/// Reads in a row before others get their turn on the runtime.
const MAX_READS: usize = 64;

/// The command that reads its own answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leader {
    ticket: Ticket,
    connection: ConnectionId,
}

impl State {
    /// Whether the task's timer comes in time for everything.
    fn is_timed(&self) -> bool {
        self.client.next_wakeup().min(self.waiters.earliest()) >= self.armed
    }

    /// Lets a command that was submitted just now read its own answer, if it can; else the task is to be called.
    pub(super) fn take_lead(&mut self, ticket: Ticket) -> bool {
        if self.is_served || self.leader.is_some() || !self.is_timed() {
            return false;
        }
        self.leader = self.watches.only(&self.client).map(|connection| Leader { ticket, connection });
        self.leader.is_some()
    }

    /// Where the command leads: reads its answer, if it is there; else the context is woken when it may be. None, too,
    /// where it does not lead, or does so no more.
    pub(super) fn lead(&mut self, ticket: Ticket, context: &mut Context<'_>) -> Option<Result<Reply, Error>> {
        let leader = self.leader.filter(|leader| leader.ticket == ticket)?;
        for _ in 0..MAX_READS {
            self.watches.read(leader.connection, &mut self.client, context)?;
            let mut own = None;
            while let Some(Completion { ticket, result }) = self.client.next_completion() {
                match ticket == leader.ticket {
                    true => own = Some(result),
                    false => self.waiters.hand_over(ticket, result),
                }
            }
            if let Some(result) = own {
                self.leader = None;
                self.waiters.remove(ticket);
                if result.is_err() || !self.is_timed() {
                    self.call();
                }
                return Some(result);
            }
            if !self.is_timed() || self.watches.only(&self.client) != Some(leader.connection) {
                break;
            }
        }
        self.call();
        None
    }
}
