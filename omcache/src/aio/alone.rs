//! A command that is alone reads its own answer, which spares the way through the task.
//!
//! It goes alone where nothing else is under way, and the task's timer comes in time for its deadlines. Whatever else comes
//! up, another command first of all, has it join the others: it then waits as all do, and is served by the task. So nothing
//! depends on its future being polled.

use std::task::{Context, Poll, Waker};

use super::State;
use super::waiters::Waiter;
use crate::client::{Sent, Ticket};
use crate::command::{Command, Reply};
use crate::driver::conn::Instant;
use crate::driver::conn::cluster::Lone;
use crate::error::Error;

/// The command that is alone. The client is not to be touched while it is.
#[derive(Debug)]
pub(super) struct Alone {
    lone: Lone,
    sent: Instant,
    deadline: Instant,
    waker: Option<Waker>,
}

impl Alone {
    fn ticket(&self) -> Ticket {
        Ticket(self.lone.opaque())
    }
}

impl State {
    /// Sends a command alone, if it can go so; none where nothing was done. It is told the moment, to know its deadline.
    pub(super) fn send_alone(
        &mut self,
        command: &Command<'_>,
        deadline: impl FnOnce(Instant) -> Instant,
    ) -> Result<Option<Ticket>, Error> {
        if self.is_served || !self.waiters.is_empty() || !self.batches.is_empty() {
            return Ok(None);
        }
        let Self { client, watches, armed, .. } = self;
        let sent =
            client.send_alone(command, *armed, |connection, socket| watches.has(connection, socket))?;
        Ok(match sent {
            Some(Sent::Alone { lone, at }) => {
                let alone = Alone { lone, sent: at, deadline: deadline(at), waker: None };
                let (ticket, is_timed) = (alone.ticket(), alone.deadline >= self.armed);
                self.alone = Some(alone);
                if !is_timed {
                    self.join();
                }
                Some(ticket)
            }
            Some(Sent::Submitted { ticket, at }) => {
                self.wait(ticket, deadline(at));
                Some(ticket)
            }
            None => None,
        })
    }

    /// Where the command is alone: its result, if the answer is there; else the context is woken when it may be. None where
    /// it is not, or is so no more.
    pub(super) fn poll_alone(
        &mut self,
        ticket: Ticket,
        context: &mut Context<'_>,
    ) -> Option<Poll<Result<Reply, Error>>> {
        let Self { client, watches, alone: place, .. } = self;
        let alone = place.as_mut().filter(|alone| alone.ticket() == ticket)?;
        let Some(mut guard) = watches.poll_readable(alone.lone.connection(), context) else {
            match &mut alone.waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => alone.waker = Some(context.waker().clone()),
            }
            return Some(Poll::Pending);
        };
        let Alone { lone, sent, deadline, .. } = *alone;
        *place = None;
        if let Some((result, is_drained)) = client.receive_alone(lone, sent) {
            if is_drained {
                guard.clear_ready();
            }
            return Some(Poll::Ready(result));
        }
        self.wait(ticket, deadline);
        None
    }

    /// Has the command that is alone join the others.
    #[cold]
    pub(super) fn join(&mut self) {
        let Some(alone) = self.alone.take() else { return };
        let (ticket, Alone { lone, sent, deadline, waker }) = (alone.ticket(), alone);
        self.client.join_alone(lone, sent);
        self.waiters.insert(ticket, Waiter::Single { waker, deadline });
        self.call();
    }

    /// Waits for a command that was submitted just now.
    pub(super) fn wait(&mut self, ticket: Ticket, deadline: Instant) {
        self.waiters.insert(ticket, Waiter::Single { waker: None, deadline });
        self.deliver();
        self.call_if_needed();
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panics")]

    use std::future::{Future as _, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    use crate::aio::AsyncClient;
    use crate::testing::Server;
    use crate::{Client, Expiration};

    #[test]
    fn a_command_is_alone_until_it_has_company() {
        let server = Server::start().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::builder().server(server.address()).unwrap().build().unwrap();
            let client = AsyncClient::new(client);
            let is_alone = || client.shared.lock_alone().alone.is_some();
            // The connection is made the general way, and then watched.
            for key in ["one", "two"] {
                assert!(client.set(key, key, Expiration::NEVER).await.unwrap().is_stored());
            }
            let mut one = pin!(client.get("one"));
            let was_pending = poll_fn(|context| Poll::Ready(one.as_mut().poll(context).is_pending())).await;
            assert!(was_pending && is_alone());
            assert_eq!(client.get("two").await.unwrap().unwrap().data, "two");
            assert!(!is_alone());
            assert_eq!(one.await.unwrap().unwrap().data, "one");
            assert_eq!(client.get("no such key").await.unwrap(), None);
        });
    }
}
