//! The server's end of one connection: a blocking socket that another thread can end.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

/// The server's end of one connection, TCP or Unix.
#[derive(Debug)]
pub(super) struct Link {
    socket: OwnedFd,
    closing: AtomicBool,
}

impl Link {
    pub(super) const fn new(socket: OwnedFd) -> Self {
        Self { socket, closing: AtomicBool::new(false) }
    }

    /// Ends every call that waits for the peer, and those to come.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        // It fails where the peer has already gone.
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Waits until there is something to read, or the end.
    pub(super) fn wait_readable(&self) -> io::Result<()> {
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        retry_on_intr(|| poll(&mut fds, None))?;
        Ok(())
    }

    /// Reads what there is; 0 is the end.
    pub(super) fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        let (len, _) = retry_on_intr(|| recv(&self.socket, &mut *space, RecvFlags::empty()))?;
        Ok(len)
    }

    /// Writes all of it, waiting for the peer to read. Raises no signal where it has gone.
    pub(super) fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = retry_on_intr(|| send(&self.socket, bytes, SendFlags::NOSIGNAL))?;
            bytes = bytes.get(sent..).ok_or(Errno::IO)?;
        }
        Ok(())
    }
}
