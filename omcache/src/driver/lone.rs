//! One request alone: sent, waited for and read by the shortest way.

#[cfg(feature = "tokio")]
use std::os::fd::OwnedFd;
#[cfg(feature = "tokio")]
use std::sync::Arc;

#[cfg(feature = "tokio")]
use omcache_conn::ConnectionId;
use omcache_conn::cluster::{Lone, LoneAnswer};
use omcache_conn::{Instant, Response, Target};
use omcache_proto::Request;

use super::socket::Transfer;
use super::{Driver, REST};

/// How far a request came that can't go alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAlone {
    /// Nothing was done: it is to be submitted.
    Untouched,
    /// It is submitted, and to be waited for the general way: with [`Driver::flush`] and [`Driver::wait`].
    Submitted {
        /// Its opaque.
        opaque: u32,
        /// The moment from which to go on.
        now: Instant,
    },
}

impl Driver {
    /// Sends a request and waits for its answer until the deadline, where nothing else is under way.
    ///
    /// # Errors
    /// Whatever is unusual ends it, with nothing lost: the caller goes on the general way.
    #[inline(always)]
    pub fn exchange_alone(
        &mut self,
        now: Instant,
        target: Target,
        request: &Request<'_>,
        deadline: Option<Instant>,
    ) -> Result<Response<'_>, NotAlone> {
        let lone = self.cluster.begin_lone(now, target, request).ok_or(NotAlone::Untouched)?;
        let answer = self.carry_alone(lone, now, deadline.unwrap_or(Instant::FAR_FUTURE))?;
        Ok(self.cluster.lone_response(answer))
    }

    // One for all callers: in them is only what depends on the kind of the request.
    #[inline(never)]
    fn carry_alone(&mut self, lone: Lone, now: Instant, deadline: Instant) -> Result<LoneAnswer, NotAlone> {
        self.send_begun(lone, now)?;
        let Self { cluster, sockets, .. } = self;
        let wakeup = cluster.lone_wakeup(now).min(deadline);
        let socket = sockets.get(lone.connection().index()).and_then(Option::as_ref);
        if !socket.is_some_and(|socket| socket.await_readable(now, wakeup)) {
            let later = self.now();
            return Err(self.join(lone, Some(now), later));
        }
        self.receive_begun(lone, now).map(|(answer, _)| answer)
    }

    /// Sends all of a request that was begun.
    #[inline(always)]
    fn send_begun(&mut self, lone: Lone, now: Instant) -> Result<(), NotAlone> {
        let Self { cluster, sockets, .. } = self;
        let connection = lone.connection();
        let Some(Some(socket)) = sockets.get_mut(connection.index()) else {
            return Err(self.join(lone, None, now));
        };
        if socket.rests(now, REST) {
            return Err(self.join(lone, None, now));
        }
        socket.touch(now);
        let bytes = cluster.lone_request();
        let (result, len) = (socket.send(bytes), bytes.len());
        if !matches!(result, Ok(Transfer::Bytes(count)) if count == len) {
            let joined = self.join(lone, None, now);
            self.handle_transfer(now, connection, result, len);
            return Err(joined);
        }
        Ok(())
    }

    /// Receives the answer, and whether that was all that there is to read.
    #[inline(always)]
    fn receive_begun(&mut self, lone: Lone, sent: Instant) -> Result<(LoneAnswer, bool), NotAlone> {
        let Self { cluster, sockets, .. } = self;
        let connection = lone.connection();
        let Some(Some(socket)) = sockets.get(connection.index()) else {
            return Err(self.join(lone, Some(sent), sent));
        };
        let space = cluster.lone_space();
        let len = space.len();
        let result = socket.receive(space);
        if let Ok(Transfer::Bytes(count)) = result
            && let Some(answer) = cluster.handle_lone_received(&lone, count)
        {
            return Ok((answer, count < len));
        }
        let later = self.now();
        let joined = self.join(lone, Some(sent), later);
        self.handle_read(later, connection, result);
        Err(joined)
    }

    #[cold]
    fn join(&mut self, lone: Lone, sent: Option<Instant>, now: Instant) -> NotAlone {
        self.cluster.join_lone(lone, sent);
        NotAlone::Submitted { opaque: lone.opaque(), now }
    }
}

/// # For a runtime that waits
///
/// What is sent here is to be ended before anything else of the driver is called: by [`Driver::receive_alone`] or
/// [`Driver::join_alone`].
#[cfg(feature = "tokio")]
impl Driver {
    /// Begins a request and sends all of it, where nothing else is under way, the runtime looks at the time at `timer` and so
    /// early enough, and it watches the connection.
    ///
    /// # Errors
    /// Where it can't go alone. One that is submitted by now may be unsent: [`Driver::step`] is to follow.
    #[inline]
    pub(crate) fn send_alone(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        timer: Instant,
        is_watched: impl FnOnce(ConnectionId, &Arc<OwnedFd>) -> bool,
    ) -> Result<Lone, NotAlone> {
        if self.cluster.lone_wakeup(now) < timer {
            return Err(NotAlone::Untouched);
        }
        let lone = self.cluster.begin_lone(now, Target::Key, request).ok_or(NotAlone::Untouched)?;
        let connection = lone.connection();
        let socket = self.sockets.get(connection.index()).and_then(Option::as_ref);
        if !socket.is_some_and(|socket| is_watched(connection, &socket.descriptor)) {
            return Err(self.join(lone, None, now));
        }
        self.send_begun(lone, now)?;
        Ok(lone)
    }

    /// Receives the answer to a request that was sent alone, once the connection is readable; with it comes whether that
    /// was all that there is to read.
    ///
    /// # Errors
    /// Where it is not that answer and nothing else: the request goes on the general way.
    pub(crate) fn receive_alone(
        &mut self,
        lone: Lone,
        sent: Instant,
    ) -> Result<(Response<'_>, bool), NotAlone> {
        if self.forks.detected() {
            // It is the parent's.
            let joined = self.join(lone, Some(sent), sent);
            self.forked();
            return Err(joined);
        }
        let (answer, is_drained) = self.receive_begun(lone, sent)?;
        Ok((self.cluster.lone_response(answer), is_drained))
    }

    /// Has a request that was sent alone go on the general way.
    #[cold]
    pub(crate) fn join_alone(&mut self, lone: Lone, sent: Instant) {
        self.cluster.join_lone(lone, Some(sent));
    }
}
