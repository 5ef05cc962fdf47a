//! The embedded server as its user has it.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use omcache_proto::binary::Opcode;

use super::ServerBuilder;
use super::acceptor::{Acceptor, Connections};
use super::command::Cache;
use super::fault::{Concern, Fault};
use super::place::Place;
use super::state::State;

/// A memcached server in this process.
///
/// It listens from its start on, and ends with its value: dropping it closes every connection and waits for its
/// threads, which takes no longer than milliseconds. All methods take `&self`, so that a test can share it with the
/// threads of its clients. None blocks longer than it takes to end threads.
///
/// See the [module](super) for an example.
pub struct Server {
    state: Arc<State>,
    connections: Arc<Connections>,
    listening: Mutex<Listening>,
}

struct Listening {
    /// Not stopped.
    running: bool,
    acceptor: Option<Acceptor>,
}

/// An item of a [`Server`], as [`Server::item`] finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredItem {
    /// The value.
    pub value: Bytes,
    /// What a client stored beside the value.
    pub flags: u32,
    /// The version; no two changes on a server have the same.
    pub cas: u64,
    /// How long the item still lives, `None`: without end.
    pub expires_in: Option<Duration>,
}

impl Server {
    /// Starts a server on 127.0.0.1, at a port that the kernel chooses.
    ///
    /// # Errors
    ///
    /// What the system said to opening a socket or starting a thread.
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// Starts a server on a Unix socket. The socket is removed with the server.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] where the path exists, and whatever else the system says.
    pub fn start_unix(path: impl Into<PathBuf>) -> io::Result<Self> {
        Self::builder().path(path).start()
    }

    /// A server with other settings.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    pub(super) fn with(place: Place, cache: Cache) -> io::Result<Self> {
        // Before there is a server whose end would remove a file that is not ours.
        let listener = place.listen()?;
        let server = Self {
            state: Arc::new(State::new(place, cache)),
            connections: Arc::default(),
            listening: Mutex::new(Listening { running: true, acceptor: None }),
        };
        let acceptor = server.acceptor(listener)?;
        server.listening().acceptor = Some(acceptor);
        Ok(server)
    }

    /// The address as a client takes it: `127.0.0.1:PORT`, `[::1]:PORT` or the path.
    ///
    /// (A path that is no UTF-8 is told as far as it is.)
    #[must_use]
    pub fn address(&self) -> String {
        self.state.place.to_string()
    }

    /// The TCP port; 0 for a server on a Unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.state.place.port()
    }

    /// Closes the listener and every connection, as if the server had died. The items are kept, and so is the address:
    /// no other process gets the port.
    pub fn stop(&self) {
        let mut listening = self.listening();
        listening.running = false;
        listening.acceptor = None;
        self.connections.close(&self.state);
    }

    /// Starts again at the same address, after [`stop`](Self::stop) if the server still runs. It listens unless
    /// [`Fault::RefuseConnections`] forbids it.
    ///
    /// # Errors
    ///
    /// What the system said to listening or starting a thread.
    pub fn restart(&self) -> io::Result<()> {
        self.stop();
        let mut listening = self.listening();
        listening.running = true;
        self.listen_as_told(&mut listening)
    }

    /// Misbehaves from the next request on, until told otherwise. There is one fault at a time.
    pub fn misbehave(&self, fault: Fault) {
        self.plan(Some(fault), None);
    }

    /// Misbehaves with the next `times` answers, or, with [`Fault::Refuse`], connections.
    ///
    /// [`Fault::StopReading`] and [`Fault::RefuseConnections`] are not counted: they last until told otherwise.
    pub fn misbehave_for(&self, times: u64, fault: Fault) {
        self.plan(Some(fault), Some(times));
    }

    /// Ends the misbehaviour. What it has damaged stays so: answers left out do not follow later.
    ///
    /// Should listening again after [`Fault::RefuseConnections`] fail, connections stay refused, and
    /// [`restart`](Self::restart) tells why.
    pub fn behave(&self) {
        self.plan(None, None);
    }

    fn plan(&self, fault: Option<Fault>, left: Option<u64>) {
        let mut listening = self.listening();
        self.state.faults.plan(fault, left);
        // An error shows again where it can be told.
        let _ = self.listen_as_told(&mut listening);
    }

    /// Moves the server's clock forward, so that items expire and a delayed flush comes due.
    pub fn advance(&self, by: Duration) {
        self.state.clock.advance(by);
    }

    /// Removes every item.
    pub fn clear(&self) {
        self.state.cache().store.clear();
    }

    /// How many items there are, those that have expired left out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.cache().store.size(self.state.clock.now()).0
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key, `None` where it is absent or has expired.
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Bytes> {
        self.item(key).map(|item| item.value)
    }

    /// A key's value and what is stored beside it, `None` where it is absent or has expired.
    #[must_use]
    pub fn item(&self, key: impl AsRef<[u8]>) -> Option<StoredItem> {
        let mut cache = self.state.cache();
        let now = self.state.clock.now();
        cache.store.get(key.as_ref(), now).map(|item| StoredItem {
            value: item.value.clone(),
            flags: item.flags,
            cas: item.cas,
            expires_in: item.expires.map(|at| at.saturating_sub(now)),
        })
    }

    /// Stores a value of any size with flags 0 and without an end, as if another client did.
    pub fn insert(&self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) {
        let mut cache = self.state.cache();
        cache.store.put(key.as_ref(), value.into(), 0, None, self.state.clock.now());
    }

    /// How many connections are open now. One that the client has closed counts until the server has noticed.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.state.tally.open.load(Ordering::SeqCst)
    }

    /// How many connections were accepted since the start, those that [`Fault::Refuse`] closed included.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.state.tally.accepted.load(Ordering::SeqCst)
    }

    /// How many requests were read since the start, answered or not.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.state.tally.commands()
    }

    /// How many requests with this opcode were read since the start, as in `0x0a` for NOOP. Quiet commands have opcodes
    /// of their own.
    #[must_use]
    pub fn commands_of(&self, opcode: u8) -> u64 {
        self.state.tally.commands_of(Opcode(opcode))
    }

    /// Opens or closes the listener, whichever should be.
    fn listen_as_told(&self, listening: &mut Listening) -> io::Result<()> {
        if !listening.running || self.state.faults.is(Concern::Listening) {
            listening.acceptor = None;
        } else if listening.acceptor.is_none() {
            self.state.place.clear();
            listening.acceptor = Some(self.acceptor(self.state.place.listen()?)?);
        }
        Ok(())
    }

    fn acceptor(&self, listener: OwnedFd) -> io::Result<Acceptor> {
        Acceptor::start(listener, Arc::clone(&self.state), Arc::clone(&self.connections))
    }

    fn listening(&self) -> MutexGuard<'_, Listening> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        self.state.place.clear();
    }
}

/// The address and how busy it is.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address())
            .field("connections", &self.connections())
            .field("commands", &self.commands())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
