//! The client's descriptors, registered with the runtime.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use crate::client::Client;
use crate::driver::Watch;
use crate::driver::conn::{ConnectionId, Instant};

/// A descriptor that is registered with the runtime. It is kept while the client keeps it, so that the runtime is not told
/// of it for each request.
#[derive(Debug)]
struct Registered {
    descriptor: AsyncFd<Arc<OwnedFd>>,
    connection: Option<ConnectionId>,
    readable: bool,
    writable: bool,
}

impl Registered {
    fn is_of(&self, watch: &Watch<'_>) -> bool {
        Arc::ptr_eq(self.descriptor.get_ref(), watch.descriptor)
    }

    /// Where the client has closed it, it has no owner but this.
    fn is_closed(&self) -> bool {
        Arc::strong_count(self.descriptor.get_ref()) == 1
    }
}

/// By the connection's index plus one; the first is the resolver's.
#[derive(Debug, Default)]
pub(super) struct Watches(Vec<Option<Registered>>);

fn place(connection: Option<ConnectionId>) -> usize {
    connection.map_or(0, |connection| connection.index() + 1)
}

impl Watches {
    /// Watches what the client waits for now, and closes what it has closed. Tells whether there is anything to watch.
    ///
    /// # Errors
    /// The last registration that failed; all others are done.
    pub(super) fn update(&mut self, client: &Client) -> io::Result<bool> {
        for place in &mut self.0 {
            if let Some(known) = place {
                (known.readable, known.writable) = (false, false);
                if known.is_closed() {
                    *place = None;
                }
            }
        }
        let mut result = Ok(false);
        for watch in client.watches() {
            match self.watch(&watch) {
                Ok(()) => result = result.map(|_| true),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    fn watch(&mut self, watch: &Watch<'_>) -> io::Result<()> {
        let at = place(watch.connection);
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        let Some(place) = self.0.get_mut(at) else { return Ok(()) };
        let Watch { connection, readable, writable, .. } = *watch;
        match place {
            Some(known) if known.is_of(watch) => (known.readable, known.writable) = (readable, writable),
            _ => {
                *place = None;
                let descriptor = register(Arc::clone(watch.descriptor))?;
                *place = Some(Registered { descriptor, connection, readable, writable });
            }
        }
        Ok(())
    }

    /// Whether everything that the client waits for is watched, and nothing that it has closed is open.
    pub(super) fn cover(&self, client: &Client) -> bool {
        let covers = |watch: Watch<'_>| {
            self.0.get(place(watch.connection)).and_then(Option::as_ref).is_some_and(|known| {
                known.is_of(&watch) && known.readable >= watch.readable && known.writable >= watch.writable
            })
        };
        client.watches().all(covers) && !self.0.iter().flatten().any(Registered::is_closed)
    }

    /// Whether a connection's descriptor is registered, and none that the client has closed.
    pub(super) fn has(&self, connection: ConnectionId, descriptor: &Arc<OwnedFd>) -> bool {
        let known = self.0.get(place(Some(connection))).and_then(Option::as_ref);
        let is_known = known.is_some_and(|known| Arc::ptr_eq(known.descriptor.get_ref(), descriptor));
        is_known && !self.0.iter().flatten().any(Registered::is_closed)
    }

    /// Whether a connection is readable; else the context is woken when it is.
    pub(super) fn poll_readable(
        &self,
        connection: ConnectionId,
        context: &mut Context<'_>,
    ) -> Option<AsyncFdReadyGuard<'_, Arc<OwnedFd>>> {
        let known = self.0.get(place(Some(connection)))?.as_ref()?;
        match known.descriptor.poll_read_ready(context) {
            Poll::Ready(guard) => guard.ok(),
            Poll::Pending => None,
        }
    }

    /// Has the client handle what is ready; true where something was. Of the others the context is woken.
    pub(super) fn poll(&self, client: &mut Client, now: Instant, context: &mut Context<'_>) -> bool {
        let mut progress = false;
        for known in self.0.iter().flatten() {
            let (mut reader, mut writer) = (None, None);
            // The runtime is gone where this fails.
            if known.readable
                && let Poll::Ready(Ok(guard)) = known.descriptor.poll_read_ready(context)
            {
                reader = Some(guard);
            }
            if known.writable
                && let Poll::Ready(Ok(guard)) = known.descriptor.poll_write_ready(context)
            {
                writer = Some(guard);
            }
            if reader.is_none() && writer.is_none() {
                continue;
            }
            progress = true;
            // What blocks is told of anew.
            let readiness = (reader.is_some(), writer.is_some());
            if let Some(mut guard) = writer {
                guard.clear_ready();
            }
            let is_drained = client.handle_told(now, known.connection, readiness);
            if let Some(mut guard) = reader.filter(|_| is_drained) {
                guard.clear_ready();
            }
        }
        progress
    }
}

/// Registers a descriptor with the runtime.
#[expect(
    deprecated,
    reason = "its successor is unsafe; what it asks for holds: the descriptor is owned while registered"
)]
fn register(descriptor: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE | Interest::WRITABLE)
}
