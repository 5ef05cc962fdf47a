//! One request alone: sent, waited for and read by the shortest way.

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
        if !socket.await_readable(now, cluster.lone_wakeup(now).min(deadline)) {
            let later = self.now();
            return Err(self.join(lone, Some(now), later));
        }
        let result = socket.receive(cluster.lone_space());
        if let Ok(Transfer::Bytes(count)) = result
            && let Some(answer) = cluster.handle_lone_received(&lone, count)
        {
            return Ok(answer);
        }
        let later = self.now();
        let joined = self.join(lone, Some(now), later);
        self.handle_read(later, connection, result);
        Err(joined)
    }

    #[cold]
    fn join(&mut self, lone: Lone, sent: Option<Instant>, now: Instant) -> NotAlone {
        self.cluster.join_lone(lone, sent);
        NotAlone::Submitted { opaque: lone.opaque(), now }
    }
}
