//! Waiting for a core's descriptors while nobody holds the core, so that other threads can use it meanwhile.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use omcache::Descriptor;

const WAKER: Token = Token(usize::MAX);

struct Waiting {
    poll: Poll,
    events: Events,
    watched: Vec<Descriptor>,
}

/// Waits for descriptors. One thread waits, any thread may end the wait.
pub(crate) struct Poller {
    waiting: Mutex<Waiting>,
    waker: Waker,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let waiting = Waiting { poll, events: Events::with_capacity(16), watched: Vec::new() };
        Ok(Self { waiting: Mutex::new(waiting), waker })
    }

    /// Ends the wait that is under way, or the next one.
    pub(crate) fn wake(&self) {
        // A waker that can't be written to has been written to very often: the wait will end.
        let _ = self.waker.wake();
    }

    /// Says what is to be waited for. Called while the core is held, so that none of the descriptors is closed meanwhile.
    pub(crate) fn watch(&self, descriptors: &[Descriptor]) -> io::Result<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for &descriptor in descriptors {
            let interest = match (descriptor.readable, descriptor.writable) {
                (true, true) => Interest::READABLE | Interest::WRITABLE,
                (false, true) => Interest::WRITABLE,
                _ => Interest::READABLE,
            };
            let (mut source, token) = (SourceFd(&descriptor.fd), Token(0));
            let registry = waiting.poll.registry();
            match registry.register(&mut source, token, interest) {
                // It was not taken off when it was last watched.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    registry.reregister(&mut source, token, interest)?;
                }
                result => result?,
            }
            waiting.watched.push(descriptor);
        }
        Ok(())
    }

    /// Waits until one of them is ready, the time is over, or somebody ends it.
    ///
    /// # Errors
    /// `Interrupted` for a signal; also where the system has no memory.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { poll, events, watched } = &mut *waiting;
        let result = poll.poll(events, timeout);
        for descriptor in watched.drain(..) {
            // Another thread may have closed it, which took it off.
            let _ = poll.registry().deregister(&mut SourceFd(&descriptor.fd));
        }
        result
    }
}
