//! Non-blocking stream sockets, TCP and Unix.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use omcache_conn::{Address, Instant};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with, sockopt,
};

use super::poll::timespec;

/// How a connect began.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Connecting {
    Done,
    InProgress,
}

/// What a read or write came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    Bytes(usize),
    WouldBlock,
    Closed,
}

/// A non-blocking stream socket. Writing to a broken one raises no signal.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Shared with a runtime that waits for it, which so can't be left with a number that another file has by now.
    pub(crate) descriptor: Arc<OwnedFd>,
    pub(crate) connected: bool,
    /// When it was last written to; never, where that is still to come.
    last_sent: Instant,
}

impl Socket {
    /// Starts to connect. `buffer` sets the size of the kernel's buffers, in bytes.
    pub(crate) fn connect(address: &Address, buffer: Option<usize>) -> io::Result<(Self, Connecting)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (descriptor, begun) = match address {
            Address::Ip(address) => {
                let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
                let descriptor = socket_with(family, SocketType::STREAM, flags, None)?;
                sockopt::set_tcp_nodelay(&descriptor, true)?;
                sockopt::set_socket_keepalive(&descriptor, true)?;
                set_buffers(&descriptor, buffer)?;
                let begun = connect(&descriptor, address);
                (descriptor, begun)
            }
            Address::Unix(path) => {
                let address = SocketAddrUnix::new(path.as_path())?;
                let descriptor = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
                set_buffers(&descriptor, buffer)?;
                let begun = connect(&descriptor, &address);
                (descriptor, begun)
            }
            other => return Err(io::Error::new(io::ErrorKind::Unsupported, format!("address {other}"))),
        };
        let begun = match begun {
            Ok(()) => Connecting::Done,
            // An interrupted connect goes on in the background.
            Err(Errno::INPROGRESS | Errno::INTR) => Connecting::InProgress,
            Err(error) => return Err(error.into()),
        };
        let connected = begun == Connecting::Done;
        let descriptor = Arc::new(descriptor);
        Ok((Self { descriptor, connected, last_sent: Instant::FAR_FUTURE }, begun))
    }

    /// Asks how a connect ended, once the socket is writable.
    pub(crate) fn finish_connect(&mut self) -> io::Result<()> {
        sockopt::socket_error(&self.descriptor)??;
        self.connected = true;
        Ok(())
    }

    /// Whether it was written to, but not for so long.
    #[inline]
    pub(crate) fn rests(&self, now: Instant, rest: Duration) -> bool {
        self.last_sent + rest < now
    }

    /// Begins a rest anew.
    #[inline]
    pub(crate) fn touch(&mut self, now: Instant) {
        self.last_sent = now;
    }

    #[inline(always)]
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<Transfer> {
        match send(&self.descriptor, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(count) => Ok(Transfer::Bytes(count)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Transfer::WouldBlock),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it is readable and nothing else, at most until `until`.
    #[inline(always)]
    pub(crate) fn await_readable(&self, now: Instant, until: Instant) -> bool {
        let timeout = (until != Instant::FAR_FUTURE).then(|| timespec(until.since(now)));
        let mut polled = [PollFd::new(self, PollFlags::IN)];
        // A failing poll is told by the wait that follows.
        poll(&mut polled, timeout.as_ref()).is_ok() && polled[0].revents() == PollFlags::IN
    }

    #[inline(always)]
    pub(crate) fn receive(&self, space: &mut [u8]) -> io::Result<Transfer> {
        match recv(&self.descriptor, space, RecvFlags::DONTWAIT) {
            Ok((0, _)) => Ok(Transfer::Closed),
            Ok((count, _)) => Ok(Transfer::Bytes(count)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Transfer::WouldBlock),
            Err(error) => Err(error.into()),
        }
    }
}

fn set_buffers(descriptor: &OwnedFd, size: Option<usize>) -> io::Result<()> {
    if let Some(size) = size {
        sockopt::set_socket_send_buffer_size(descriptor, size)?;
        sockopt::set_socket_recv_buffer_size(descriptor, size)?;
    }
    Ok(())
}

impl AsFd for Socket {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
