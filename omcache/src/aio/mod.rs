//! The client on tokio: the same commands, awaited; connections are shared and requests pipelined.

mod alone;
mod batch;
mod gathered;
mod pending;
mod reactor;
mod waiters;
mod watches;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;

use self::alone::Alone;
use self::batch::Batch;
use self::gathered::Batches;
use self::pending::Pending;
use self::waiters::{Waiter, Waiters};
use self::watches::Watches;
use crate::client::{Client, Completion};
use crate::command::{Command, Delta, Item, Mode, Reply, Stored, Value};
use crate::driver::conn::Instant;
use crate::error::{Error, ErrorKind};
use crate::expiration::Expiration;

/// A client of a cluster of memcached servers, on tokio.
///
/// It is made from a configured [`Client`] within a runtime, and is cheap to clone: all clones share its connections, and
/// what they ask for at the same time goes out pipelined. One task serves them all; it ends with the last clone. A command
/// whose future is dropped is taken back if it was not sent, and else its answer is dropped when it comes.
///
/// ```
/// # #[cfg(feature = "testing")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use omcache::{Client, Expiration, aio::AsyncClient, testing::Server};
///
/// let server = Server::start()?;
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// runtime.block_on(async {
///     let client = AsyncClient::new(Client::builder().server(server.address())?.build()?);
///     let _ = client.set("greeting", "hello", Expiration::NEVER).await?;
///     let value = client.get("greeting").await?;
///     assert_eq!(value.map(|value| value.data), Some("hello".into()));
///     Ok(())
/// })
/// # }
/// # #[cfg(not(feature = "testing"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct AsyncClient {
    shared: Arc<Shared>,
    /// The task ends when the last of these is gone.
    _alive: Arc<Alive>,
    timeout: Option<Duration>,
}

/// What the clones and the task share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There may be room for those that found none.
    room: Notify,
}

#[derive(Debug)]
struct State {
    client: Client,
    waiters: Waiters,
    batches: Batches,
    watches: Watches,
    /// Wakes the task that serves.
    task: Option<Waker>,
    /// The task waits for descriptors.
    is_served: bool,
    /// A command that reads its own answer. The client is not to be touched while there is one.
    alone: Option<Alone>,
    /// When the task's timer wakes it.
    armed: Instant,
    /// Nobody is there any more who asks, or the task is gone that serves.
    ended: bool,
    /// Some wait for room.
    blocked: bool,
}

#[derive(Debug)]
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        state.call();
    }
}

impl Shared {
    /// The state, with nothing that is alone.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock_alone();
        if state.alone.is_some() {
            state.join();
        }
        state
    }

    /// The state as it is: for a command that may be alone.
    fn lock_alone(&self) -> MutexGuard<'_, State> {
        // Each change is whole before anything that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(client: Client) -> Self {
        Self {
            client,
            waiters: Waiters::default(),
            batches: Batches::default(),
            watches: Watches::default(),
            task: None,
            is_served: false,
            alone: None,
            armed: Instant::FAR_FUTURE,
            ended: false,
            blocked: false,
        }
    }

    /// Hands the results that are there to those who wait for them.
    fn deliver(&mut self) {
        while let Some(Completion { ticket, result }) = self.client.next_completion() {
            if let Some(result) = self.batches.settle(ticket, result) {
                self.waiters.hand_over(ticket, result);
            }
        }
    }

    /// Has the task look again, and wait for all. One that was not polled yet looks anyhow.
    fn call(&self) {
        if let Some(waker) = &self.task {
            waker.wake_by_ref();
        }
    }

    /// Has the task look where it does not wait for all that there is to wait for.
    fn call_if_needed(&self) {
        let wakeup = self.client.next_wakeup().min(self.waiters.earliest());
        if wakeup < self.armed || !self.is_served || !self.watches.cover(&self.client) {
            self.call();
        }
    }
}

/// Told to those who wait where the task is gone, as it is with its runtime.
struct Serving(Arc<Shared>);

impl Drop for Serving {
    fn drop(&mut self) {
        let (waiters, batches, watches) = {
            let mut state = self.0.lock();
            state.ended = true;
            state.task = None;
            let batches = state.batches.forsake(gone);
            (state.waiters.forsake(), batches, std::mem::take(&mut state.watches))
        };
        drop(watches);
        batches.into_iter().for_each(Waker::wake);
        for waiter in waiters {
            if let Waiter::Single { waker: Some(waker), .. } = waiter {
                waker.wake();
            }
        }
        self.0.room.notify_waiters();
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::System, "the task that serves the client is gone")
}

impl AsyncClient {
    /// The client, served by a task of the present runtime. Its timeout goes on to count for each command.
    ///
    /// # Panics
    /// Outside a tokio runtime, or where its I/O or time driver is off.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let timeout = client.timeout();
        let shared = Arc::new(Shared { state: Mutex::new(State::new(client)), room: Notify::new() });
        tokio::spawn(reactor::run(Serving(Arc::clone(&shared))));
        Self { _alive: Arc::new(Alive(Arc::clone(&shared))), shared, timeout }
    }

    /// The same client with another timeout for each command; `None` is for ever.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs a command. Where the send buffer of its server is full, it waits until there is room.
    ///
    /// # Errors
    /// As [`Client`]'s commands; also [`System`](ErrorKind::System) where the runtime is gone that the client was made in.
    pub async fn run(&self, command: Command<'_>) -> Result<Reply, Error> {
        match self.begin(&command) {
            Ok(Some(mut pending)) => poll_fn(|context| pending.poll(context)).await,
            Ok(None) => self.run_with_room(command).await,
            Err(error) => Err(error),
        }
    }

    /// Submits a command; none where it has to wait for room.
    fn begin(&self, command: &Command<'_>) -> Result<Option<Pending<'_>>, Error> {
        let mut state = self.shared.lock();
        if state.ended {
            return Err(gone());
        }
        let deadline = |now| self.timeout.map_or(Instant::FAR_FUTURE, |timeout| now + timeout);
        if let Some(ticket) = state.send_alone(command, deadline)? {
            return Ok(Some(Pending::new(&self.shared, ticket)));
        }
        match state.client.submit_now(command) {
            Ok((ticket, now)) => {
                state.wait(ticket, deadline(now));
                Ok(Some(Pending::new(&self.shared, ticket)))
            }
            Err(error) if error.kind() == ErrorKind::SendBufferFull => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Runs a command that found its server's send buffer full.
    #[cold]
    fn run_with_room<'c>(
        &'c self,
        command: Command<'c>,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send + 'c>> {
        Box::pin(async move {
            let mut results = self.run_all(vec![command]).await;
            results.pop().unwrap_or(Err(Error::timeout(true)))
        })
    }

    /// Reads a value; `None` where the key is not found.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Result<Option<Value>, Error> {
        value(self.run(Command::Get(key.as_ref())).await?)
    }

    /// Reads many values, pipelined; a result for each key.
    pub async fn get_multi<K: AsRef<[u8]>>(&self, keys: &[K]) -> Vec<Result<Option<Value>, Error>> {
        let commands = keys.iter().map(|key| Command::Get(key.as_ref())).collect();
        self.run_all(commands).await.into_iter().map(|reply| reply.and_then(value)).collect()
    }

    /// Reads a value and sets its expiration.
    ///
    /// # Errors
    /// As [`Client::gat`].
    pub async fn gat<K: AsRef<[u8]> + ?Sized>(
        &self,
        key: &K,
        expiration: impl Into<Expiration>,
    ) -> Result<Option<Value>, Error> {
        value(self.run(Command::GetAndTouch(key.as_ref(), expiration.into())).await?)
    }

    /// Stores a value.
    ///
    /// # Errors
    /// As [`Client::set`].
    pub async fn set<K: AsRef<[u8]> + ?Sized, V: AsRef<[u8]> + ?Sized>(
        &self,
        key: &K,
        value: &V,
        expiration: impl Into<Expiration>,
    ) -> Result<Stored, Error> {
        self.store(Mode::Set, Item::new(key, value).expires(expiration)).await
    }

    /// Stores a value in any mode, with everything that can be said of it.
    ///
    /// # Errors
    /// As [`Client::store`].
    pub async fn store(&self, mode: Mode, item: Item<'_>) -> Result<Stored, Error> {
        stored(self.run(Command::Store(mode, item)).await?)
    }

    /// Stores many values, pipelined; a result for each.
    pub async fn set_multi(&self, items: &[Item<'_>]) -> Vec<Result<Stored, Error>> {
        let commands = items.iter().map(|item| Command::Store(Mode::Set, *item)).collect();
        self.run_all(commands).await.into_iter().map(|reply| reply.and_then(stored)).collect()
    }

    /// Adds to a counter; as [`Client::increment`].
    ///
    /// # Errors
    /// As [`Client::increment`].
    pub async fn increment<K: AsRef<[u8]> + ?Sized>(
        &self,
        key: &K,
        delta: impl Into<Delta>,
    ) -> Result<Option<u64>, Error> {
        counter(self.run(Command::Increment(key.as_ref(), delta.into())).await?)
    }

    /// Subtracts from a counter; as [`Client::decrement`].
    ///
    /// # Errors
    /// As [`Client::decrement`].
    pub async fn decrement<K: AsRef<[u8]> + ?Sized>(
        &self,
        key: &K,
        delta: impl Into<Delta>,
    ) -> Result<Option<u64>, Error> {
        counter(self.run(Command::Decrement(key.as_ref(), delta.into())).await?)
    }

    /// Removes a key; false where there was none.
    ///
    /// # Errors
    /// As [`Client::delete`].
    pub async fn delete<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Result<bool, Error> {
        found(self.run(Command::Delete(key.as_ref())).await?)
    }

    /// Sets a key's expiration; false where there is no such key.
    ///
    /// # Errors
    /// As [`Client::touch`].
    pub async fn touch<K: AsRef<[u8]> + ?Sized>(
        &self,
        key: &K,
        expiration: impl Into<Expiration>,
    ) -> Result<bool, Error> {
        found(self.run(Command::Touch(key.as_ref(), expiration.into())).await?)
    }

    /// Runs commands side by side. The timeout is for all of them together.
    async fn run_all<'c>(&'c self, commands: Vec<Command<'c>>) -> Vec<Result<Reply, Error>> {
        let mut batch = Batch::new(&self.shared, commands);
        match self.timeout {
            None => batch.run().await,
            // What is not done by then is given up.
            Some(timeout) => _ = tokio::time::timeout(timeout, batch.run()).await,
        }
        batch.end()
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::new(ErrorKind::Refused, format!("the answer is one to another kind of command: {reply:?}"))
}

fn value(reply: Reply) -> Result<Option<Value>, Error> {
    match reply {
        Reply::Value(value) => Ok(value),
        other => Err(unexpected(&other)),
    }
}

fn stored(reply: Reply) -> Result<Stored, Error> {
    match reply {
        Reply::Stored(stored) => Ok(stored),
        other => Err(unexpected(&other)),
    }
}

fn counter(reply: Reply) -> Result<Option<u64>, Error> {
    match reply {
        Reply::Counter(counter) => Ok(counter),
        other => Err(unexpected(&other)),
    }
}

fn found(reply: Reply) -> Result<bool, Error> {
    match reply {
        Reply::Found(found) => Ok(found),
        other => Err(unexpected(&other)),
    }
}
