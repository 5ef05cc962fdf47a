//! The wait of an event loop, on the descriptors that the client names.

use std::io;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use omcache::Descriptor;

/// Waits until a descriptor is ready, no longer than this.
///
/// mio tells a readiness once for each registration; registering anew for each wait makes that `poll(2)`'s meaning.
pub(super) fn wait(poll: &mut Poll, descriptors: &[Descriptor], timeout: Duration) -> io::Result<()> {
    let mut registered = Vec::with_capacity(descriptors.len());
    for descriptor in descriptors {
        let interest = match (descriptor.readable, descriptor.writable) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            (false, false) => continue,
        };
        poll.registry().register(&mut SourceFd(&descriptor.fd), Token(0), interest)?;
        registered.push(descriptor.fd);
    }
    let mut events = Events::with_capacity(16);
    let polled = poll.poll(&mut events, Some(timeout));
    for fd in registered {
        poll.registry().deregister(&mut SourceFd(&fd))?;
    }
    match polled {
        // A signal is no reason to end.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        result => result,
    }
}
