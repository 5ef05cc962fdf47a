//! Buffered writes: commands in their quiet form, whose failures are told at the next flush.

use omcache_conn::{SubmitError, Target};
use omcache_proto::{Request, StoreMode};

use super::{Client, Ticket};
use crate::command::{self, Command, Mode};
use crate::error::Error;

/// Bytes that are queued before they are sent without being asked for.
const SEND_AT: usize = 64 * 1024;

/// What became of the commands that were queued since the last flush: those that are not named did what they were to do.
#[derive(Debug, Default)]
#[non_exhaustive]
#[must_use = "queued commands may have failed"]
pub struct Flushed {
    /// The commands that failed, or that the server refused: a set whose value is too large, an add of a key that exists.
    pub failures: Vec<(Ticket, Error)>,
}

/// # Buffered writes
///
/// Queued commands cost the least: they are sent in their quiet form, many at once, and the servers answer only failures.
impl Client {
    /// Queues a command that changes something, and returns at once. It is sent with the next flush or the next command
    /// that waits, or when 64 KiB are queued. Where the send buffer of its server is full, this waits until it
    /// has room.
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// # use omcache::{Client, Command, Item, Mode, testing::Server};
    /// # let server = Server::start()?;
    /// # let mut client = Client::builder().server(server.address())?.build()?;
    /// for n in 0..1000 {
    ///     let (key, value) = (format!("key:{n}"), format!("value {n}"));
    ///     client.queue(&Command::Store(Mode::Set, Item::new(&key, &value)))?;
    /// }
    /// let flushed = client.flush()?;
    /// assert!(flushed.failures.is_empty());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) also for gets, whose value nobody would see, and for touch,
    /// which has no quiet form; [`NoServers`](crate::ErrorKind::NoServers); [`Timeout`](crate::ErrorKind::Timeout) where
    /// the buffer stays full.
    pub fn queue(&mut self, command: &Command<'_>) -> Result<Ticket, Error> {
        let queued = match *command {
            // The usual one: its kind is known where it is encoded, and that it is not too long.
            Command::Store(Mode::Set, item) if u32::try_from(item.value.len()).is_ok() => {
                self.queue_at_own(&command::store_request(StoreMode::Set, &item, true)?)
            }
            Command::Get(_) | Command::GetAndTouch(..) | Command::Touch(..) => {
                return Err(Error::invalid(
                    "gets and touch can't be queued: they have no answer, or no quiet form",
                ));
            }
            _ => self.queue_at_own(&command.request(true)?),
        };
        let opaque = match queued {
            Some(opaque) => opaque,
            None => self.queue_otherwise(command)?,
        };
        self.inbox.queued += 1;
        Ok(Ticket(opaque))
    }

    /// Queues a request at the server that has its key; none where that does not take it at once.
    #[inline(always)]
    fn queue_at_own(&mut self, request: &Request<'_>) -> Option<u32> {
        if self.driver.check_fork() {
            // What the parent has queued is settled, and what is queued from here on goes by connections of this process.
            self.sends_in = 0;
        }
        let len = request.encoded_len_binary();
        match self.sends_in.checked_sub(len) {
            Some(left) => self.sends_in = left,
            None => self.go_on_queueing(len),
        }
        self.driver.cluster.submit_to_own(request)
    }

    /// Sends what is queued, or begins where nothing is, before `len` bytes more are queued.
    #[cold]
    #[inline(never)]
    fn go_on_queueing(&mut self, len: usize) {
        self.sends_in = SEND_AT.saturating_sub(len);
        let now = self.begin();
        if self.inbox.queued > 0 {
            // What the servers have to say is taken, or it would pile up until the next flush.
            self.look_around(now);
            self.take_events();
        }
    }

    /// Queues a command at whatever server takes its key, once there is room.
    #[cold]
    fn queue_otherwise(&mut self, command: &Command<'_>) -> Result<u32, Error> {
        let request = command.request(true)?;
        let result = match self.driver.cluster.submit(Target::Key, &request) {
            Err(SubmitError::SendBufferFull { needed, limit, .. }) if needed <= limit => {
                let now = self.begin();
                self.submit_with_room(now, |cluster| cluster.submit(Target::Key, &request))
            }
            result => result.map_err(Error::from),
        };
        if result.is_err() {
            // The next one is to look at the time: a server may be tried again.
            self.sends_in = 0;
        }
        result
    }

    /// Sends what is queued and waits until all of it is settled, at most [`Client::timeout`]. Tells which of the queued
    /// commands failed.
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout) where it takes too long. What is queued stays so, and the next flush tells
    /// of it.
    pub fn flush(&mut self) -> Result<Flushed, Error> {
        let mut now = self.begin();
        let deadline = self.deadline(now);
        self.sends_in = 0;
        self.driver.cluster.settle_quiet();
        loop {
            self.driver.flush(now);
            self.take_events();
            if self.inbox.queued == 0 {
                return Ok(Flushed { failures: std::mem::take(&mut self.inbox.failures) });
            }
            now = self.pause(now, deadline)?;
        }
    }

    /// Throws away what is queued and not sent; the next [`Client::flush`] names it among the failures.
    pub fn discard(&mut self) {
        self.sends_in = 0;
        self.driver.cluster.discard_unsent();
        self.take_events();
    }
}
