//! One request alone: sent, waited for and read by the shortest way.

use std::io;
#[cfg(feature = "tokio")]
use std::os::fd::OwnedFd;
#[cfg(feature = "tokio")]
use std::sync::Arc;

#[cfg(feature = "tokio")]
use omcache_conn::ConnectionId;
use omcache_conn::cluster::{Lone, LoneAnswer};
use omcache_conn::{Cluster, Instant, Response, Target};
use omcache_proto::Request;

use super::socket::{Socket, Transfer};
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
        let Self { cluster, sockets, .. } = self;
        let Some(Some(socket)) = sockets.get_mut(lone.connection().index()) else {
            return Err(self.join(lone, None, now));
        };
        if let Err(tried) = send_whole(cluster, socket, now) {
            return Err(self.join_unsent(lone, now, tried));
        }
        if !socket.await_readable(now, cluster.lone_wakeup(now).min(deadline)) {
            let later = self.now();
            return Err(self.join(lone, Some(now), later));
        }
        match receive_whole(cluster, socket, &lone) {
            Ok((answer, _)) => Ok(answer),
            Err(result) => Err(self.join_unread(lone, now, result)),
        }
    }

    /// Has a request go on the general way that was not sent, or not as a whole: what came of trying is reported.
    #[cold]
    fn join_unsent(
        &mut self,
        lone: Lone,
        now: Instant,
        tried: Option<(io::Result<Transfer>, usize)>,
    ) -> NotAlone {
        let joined = self.join(lone, None, now);
        if let Some((result, len)) = tried {
            self.handle_transfer(now, lone.connection(), result, len);
        }
        joined
    }

    /// Has a request go on the general way whose answer was not read as a whole: what came of reading is reported.
    #[cold]
    fn join_unread(&mut self, lone: Lone, sent: Instant, result: io::Result<Transfer>) -> NotAlone {
        let later = self.now();
        let joined = self.join(lone, Some(sent), later);
        self.handle_read(later, lone.connection(), result);
        joined
    }

    #[cold]
    fn join(&mut self, lone: Lone, sent: Option<Instant>, now: Instant) -> NotAlone {
        self.cluster.join_lone(lone, sent);
        NotAlone::Submitted { opaque: lone.opaque(), now }
    }
}

/// Sends all of a request that was begun. Else what came of it, unless nothing was done as the socket has rested.
#[inline(always)]
fn send_whole(
    cluster: &Cluster,
    socket: &mut Socket,
    now: Instant,
) -> Result<(), Option<(io::Result<Transfer>, usize)>> {
    if socket.rests(now, REST) {
        return Err(None);
    }
    socket.touch(now);
    let bytes = cluster.lone_request();
    match socket.send(bytes) {
        Ok(Transfer::Bytes(count)) if count == bytes.len() => Ok(()),
        result => Err(Some((result, bytes.len()))),
    }
}

/// Receives the answer, and whether that was all that there is to read. Else what came of it.
#[inline(always)]
fn receive_whole(
    cluster: &mut Cluster,
    socket: &Socket,
    lone: &Lone,
) -> Result<(LoneAnswer, bool), io::Result<Transfer>> {
    let space = cluster.lone_space();
    let len = space.len();
    match socket.receive(space) {
        Ok(Transfer::Bytes(count)) => match cluster.handle_lone_received(lone, count) {
            Some(answer) => Ok((answer, count < len)),
            None => Err(Ok(Transfer::Bytes(count))),
        },
        result => Err(result),
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
        let Self { cluster, sockets, .. } = self;
        let connection = lone.connection();
        match sockets.get_mut(connection.index()) {
            Some(Some(socket)) if is_watched(connection, &socket.descriptor) => {
                match send_whole(cluster, socket, now) {
                    Ok(()) => Ok(lone),
                    Err(tried) => Err(self.join_unsent(lone, now, tried)),
                }
            }
            _ => Err(self.join(lone, None, now)),
        }
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
        let Self { cluster, sockets, .. } = self;
        let Some(Some(socket)) = sockets.get(lone.connection().index()) else {
            return Err(self.join(lone, Some(sent), sent));
        };
        match receive_whole(cluster, socket, &lone) {
            Ok((answer, is_drained)) => Ok((self.cluster.lone_response(answer), is_drained)),
            Err(result) => Err(self.join_unread(lone, sent, result)),
        }
    }

    /// Has a request that was sent alone go on the general way.
    #[cold]
    pub(crate) fn join_alone(&mut self, lone: Lone, sent: Instant) {
        self.cluster.join_lone(lone, Some(sent));
    }
}
