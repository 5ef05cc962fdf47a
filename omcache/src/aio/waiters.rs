//! Those who wait for the results of commands, by ticket.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::task::{Context, Waker};

use crate::client::Ticket;
use crate::command::Reply;
use crate::driver::conn::Instant;
use crate::error::Error;

/// One who waits.
#[derive(Debug)]
pub(super) enum Waiter {
    /// A single command, until its deadline.
    Single { waker: Option<Waker>, deadline: Instant },
    /// The result of a single command, until it is fetched.
    Result(Result<Reply, Error>),
}

/// Tickets are numbers that this client gave out one by one: nobody can choose those that collide.
#[derive(Debug, Default)]
struct TicketHasher(u64);

impl Hasher for TicketHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(byte.into());
        }
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        // The golden ratio spreads them over the high bits as well.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// All who wait.
#[derive(Debug)]
pub(super) struct Waiters {
    by_ticket: HashMap<Ticket, Waiter, BuildHasherDefault<TicketHasher>>,
    /// No deadline is before this.
    earliest: Instant,
}

impl Default for Waiters {
    fn default() -> Self {
        Self { by_ticket: HashMap::default(), earliest: Instant::FAR_FUTURE }
    }
}

impl Waiters {
    /// No waiter's deadline is before this; it may be that of one who is gone.
    #[inline]
    pub(super) fn earliest(&self) -> Instant {
        self.earliest
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.by_ticket.is_empty()
    }

    #[inline]
    pub(super) fn insert(&mut self, ticket: Ticket, waiter: Waiter) {
        if let Waiter::Single { deadline, .. } = waiter {
            self.earliest = self.earliest.min(deadline);
        }
        self.by_ticket.insert(ticket, waiter);
    }

    #[inline]
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<Waiter> {
        self.by_ticket.remove(&ticket)
    }

    /// Hands a result to the one who waits for it, if it is still there.
    pub(super) fn hand_over(&mut self, ticket: Ticket, result: Result<Reply, Error>) {
        if let Some(waiter) = self.by_ticket.get_mut(&ticket)
            && let Waiter::Single { waker: Some(waker), .. } =
                std::mem::replace(waiter, Waiter::Result(result))
        {
            waker.wake();
        }
    }

    /// The result of a single command, if it is there; else the context is woken by it. None is for one that is unknown.
    pub(super) fn fetch(&mut self, ticket: Ticket, context: &Context<'_>) -> Option<Fetched> {
        match self.by_ticket.get_mut(&ticket)? {
            Waiter::Single { waker, .. } => {
                match waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Some(Fetched::Pending)
            }
            _ => match self.by_ticket.remove(&ticket)? {
                Waiter::Result(result) => Some(Fetched::Result(result)),
                _ => None,
            },
        }
    }

    /// Those whose deadlines have come.
    #[cold]
    pub(super) fn over(&mut self, now: Instant) -> Vec<Ticket> {
        let mut over = Vec::new();
        self.earliest = Instant::FAR_FUTURE;
        for (ticket, waiter) in &self.by_ticket {
            match waiter {
                Waiter::Single { deadline, .. } if *deadline <= now => over.push(*ticket),
                Waiter::Single { deadline, .. } => self.earliest = self.earliest.min(*deadline),
                _ => {}
            }
        }
        over
    }

    /// Leaves those alone for whom there is nothing to come: they are told, or find their result.
    pub(super) fn forsake(&mut self) -> Vec<Waiter> {
        let forsaken = self.by_ticket.extract_if(|_, waiter| !matches!(waiter, Waiter::Result(_)));
        forsaken.map(|(_, waiter)| waiter).collect()
    }
}

/// What a look for a result came to.
pub(super) enum Fetched {
    Pending,
    Result(Result<Reply, Error>),
}
