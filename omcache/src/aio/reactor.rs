//! The task that serves a client on tokio: it waits for the client's descriptors, its timers and its waiters' deadlines,
//! and steps it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant as Moment, Sleep};

use super::{Serving, State};
use crate::command::Reply;
use crate::driver::conn::Instant;
use crate::error::Error;

/// Steps in a row before others get their turn on the runtime.
const MAX_TURNS: usize = 64;
/// How long a registration that failed is left alone.
const RETRY: Duration = Duration::from_millis(100);

/// Serves the client until its last clone is gone.
pub(super) async fn run(serving: Serving) {
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|context| {
        let mut state = serving.0.lock();
        let mut turns = 0;
        while turns < MAX_TURNS && !state.ended {
            let next = state.serve(timer.as_mut(), context);
            if std::mem::take(&mut state.blocked) {
                serving.0.room.notify_waiters();
            }
            if next == Next::Wait {
                return Poll::Pending;
            }
            turns += 1;
        }
        if state.ended {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[derive(PartialEq, Eq)]
enum Next {
    Turn,
    Wait,
}

impl State {
    /// Does what can be done without waiting, and has the context woken when there is more.
    fn serve(&mut self, mut timer: Pin<&mut Sleep>, context: &mut Context<'_>) -> Next {
        match &mut self.task {
            Some(waker) => waker.clone_from(context.waker()),
            None => self.task = Some(context.waker().clone()),
        }
        self.take_values();
        let now = self.client.step_told();
        self.deliver();
        let mut wakeup = self.client.next_wakeup();
        match self.watches.update(&self.client) {
            Ok(is_served) => self.is_served = is_served,
            Err(error) => {
                log::warn!(target: "omcache", "a descriptor can't be registered with the runtime: {error}");
                self.is_served = false;
                wakeup = wakeup.min(now + RETRY);
            }
        }
        if self.watches.poll(&mut self.client, now, context) {
            return Next::Turn;
        }
        if self.waiters.earliest() <= now && self.end_those_over(now) {
            return Next::Turn;
        }
        wakeup = wakeup.min(self.waiters.earliest());
        if wakeup < self.armed {
            self.armed = wakeup;
            // The runtime's clock has milliseconds; one more is waited rather than coming too early again and again.
            timer.as_mut().reset(Moment::now() + wakeup.since(now) + Duration::from_millis(1));
        }
        if self.armed != Instant::FAR_FUTURE && timer.poll(context).is_ready() {
            self.armed = Instant::FAR_FUTURE;
            return Next::Turn;
        }
        Next::Wait
    }

    /// Takes the values that batches wait for, where such come next: that costs less than to take them as events.
    fn take_values(&mut self) {
        if self.batches.is_empty() {
            return;
        }
        let Self { client, batches, .. } = self;
        let batches = RefCell::new(batches);
        client.take_values(
            |ticket| batches.borrow_mut().wait_for(ticket),
            |ticket, value| _ = batches.borrow_mut().settle(ticket, Ok(Reply::Value(Some(value)))),
        );
    }

    /// Gives up on those whose deadlines have come; false where there are none.
    #[cold]
    fn end_those_over(&mut self, now: Instant) -> bool {
        // Where the program was busy elsewhere, an answer that lies unread must not be taken for silence. A look that
        // fails for want of memory finds none.
        let _ = self.client.step();
        self.deliver();
        let over = self.waiters.over(now);
        for &ticket in &over {
            let was_sent = !self.client.cancel(ticket);
            self.waiters.hand_over(ticket, Err(Error::timeout(was_sent)));
        }
        !over.is_empty()
    }
}
