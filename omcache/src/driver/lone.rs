//! One request alone: sent, waited for and read by the shortest way.

use omcache_conn::cluster::LoneAnswer;
use omcache_conn::{Instant, Response};

use super::socket::Transfer;
use super::{Driver, REST};

impl Driver {
    /// Sends the request with this opaque and waits for its answer until the deadline, where nothing else is under way.
    ///
    /// # Errors
    /// Whatever is unusual ends it, with nothing lost: the caller goes on the general way, with [`Driver::flush`] and
    /// [`Driver::wait`], from the moment that is returned.
    #[inline]
    pub fn exchange_alone(
        &mut self,
        now: Instant,
        opaque: u32,
        deadline: Option<Instant>,
    ) -> Result<Response<'_>, Instant> {
        let answer = self.lone_answer(now, opaque, deadline)?;
        self.cluster.lone_response(answer).ok_or(now)
    }

    #[inline]
    fn lone_answer(
        &mut self,
        now: Instant,
        opaque: u32,
        deadline: Option<Instant>,
    ) -> Result<LoneAnswer, Instant> {
        if self.resolver.descriptor().is_some() {
            return Err(now);
        }
        let transmit = self.cluster.poll_lone(now, opaque).ok_or(now)?;
        let connection = transmit.connection;
        let Some(Some(socket)) = self.sockets.get_mut(connection.index()) else { return Err(now) };
        if socket.rests(now, REST) {
            return Err(now);
        }
        socket.touch(now);
        let (result, len) = (socket.send(transmit.bytes), transmit.bytes.len());
        if !matches!(result, Ok(Transfer::Bytes(count)) if count == len) {
            self.handle_transfer(now, connection, result, len);
            return Err(now);
        }
        let timer = self.cluster.handle_lone_sent(now, connection);
        let until = timer.min(deadline.unwrap_or(Instant::FAR_FUTURE));
        if !self.await_readable(connection, now, until) {
            return Err(self.now());
        }
        let Some(Some(socket)) = self.sockets.get(connection.index()) else { return Err(now) };
        let result = socket.receive(self.cluster.receive_space(connection));
        if let Ok(Transfer::Bytes(count)) = result
            && let Some(answer) = self.cluster.handle_lone_received(connection, count)
        {
            return Ok(answer);
        }
        let now = self.now();
        self.handle_read(now, connection, result);
        Err(now)
    }
}
