//! The thread that accepts connections, and the threads that serve them.

use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use super::connection;
use super::fault::{Concern, Fault};
use super::link::Link;
use super::state::State;

/// How long to wait where the kernel has no descriptors left for a connection.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// The thread that accepts connections. Dropping it ends the listening, not the connections.
#[derive(Debug)]
pub(super) struct Acceptor {
    /// Closed to end the thread.
    wake: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

/// The threads of the connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    threads: Mutex<Vec<(Weak<Link>, JoinHandle<()>)>>,
}

impl Acceptor {
    /// Accepts connections from now on.
    pub(super) fn start(
        listener: OwnedFd,
        state: Arc<State>,
        connections: Arc<Connections>,
    ) -> io::Result<Self> {
        let (asleep, wake) = io::pipe()?;
        let thread = thread::Builder::new().name("omcache-testing".into()).spawn(move || {
            let mut fds = [PollFd::new(&asleep, PollFlags::IN), PollFd::new(&listener, PollFlags::IN)];
            loop {
                match poll(&mut fds, None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(_) => return,
                }
                if !fds[0].revents().is_empty() {
                    return;
                }
                match accept_with(&listener, SocketFlags::CLOEXEC) {
                    Ok(socket) => connections.add(socket, &state),
                    // Gone before it was accepted.
                    Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => {}
                    Err(_) => {
                        let _ = poll(&mut [PollFd::new(&asleep, PollFlags::IN)], Some(&PAUSE));
                    }
                }
            }
        })?;
        Ok(Self { wake: Some(wake), thread: Some(thread) })
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Connections {
    /// Serves a connection in a thread of its own.
    fn add(&self, socket: OwnedFd, state: &Arc<State>) {
        state.tally.accepted.fetch_add(1, Ordering::SeqCst);
        let refused =
            state.faults.take(Concern::Connections).is_some_and(|taken| taken.fault == Fault::Refuse);
        if refused || state.place.prepare(&socket).is_err() {
            return;
        }
        state.tally.open.fetch_add(1, Ordering::SeqCst);
        let link = Arc::new(Link::new(socket));
        let (weak, shared) = (Arc::downgrade(&link), Arc::clone(state));
        let spawned = thread::Builder::new().name("omcache-testing".into()).spawn(move || {
            connection::serve(&link, &shared);
            // Before the peer can see the end, so that who saw it finds it counted.
            shared.tally.open.fetch_sub(1, Ordering::SeqCst);
            drop(link);
        });
        match spawned {
            Ok(thread) => self.remember(weak, thread),
            Err(_) => {
                state.tally.open.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    fn remember(&self, link: Weak<Link>, thread: JoinHandle<()>) {
        let mut threads = self.threads();
        let (ended, mut running): (Vec<_>, Vec<_>) =
            threads.drain(..).partition(|(_, thread)| thread.is_finished());
        running.push((link, thread));
        *threads = running;
        drop(threads);
        join(ended);
    }

    /// Closes all connections and waits for the ends of their threads.
    pub(super) fn close(&self, state: &State) {
        let threads = std::mem::take(&mut *self.threads());
        for link in threads.iter().filter_map(|(link, _)| link.upgrade()) {
            link.close();
        }
        state.faults.wake();
        join(threads);
    }

    fn threads(&self) -> MutexGuard<'_, Vec<(Weak<Link>, JoinHandle<()>)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn join(threads: Vec<(Weak<Link>, JoinHandle<()>)>) {
    for (_, thread) in threads {
        let _ = thread.join();
    }
}
