//! Name look-ups on helper threads, so that the caller's thread never blocks in one.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use dns_lookup::{AddrInfoHints, SockType, getaddrinfo};
use nix::sys::signal::{SigSet, SigmaskHow};
use omcache_conn::{Address, Failure, LookupId};
use rustix::pipe::{PipeFlags, pipe_with};

/// Look-ups that run at once; one that hangs must not hold up the others.
const MAX_THREADS: usize = 8;

struct Question {
    lookup: LookupId,
    host: String,
    port: String,
}

/// What a look-up came to.
pub(crate) type Answer = (LookupId, Result<Vec<Address>, Failure>);

#[derive(Default)]
struct Shared {
    questions: VecDeque<Question>,
    answers: Vec<Answer>,
    threads: usize,
}

struct Pipe {
    read: Arc<OwnedFd>,
    write: OwnedFd,
}

/// Looks names up in the background. Nothing is started before the first question.
#[derive(Default)]
pub(crate) struct Resolver {
    shared: Arc<Mutex<Shared>>,
    pipe: Option<Arc<Pipe>>,
    waiting: usize,
}

impl Resolver {
    /// Asks for the addresses of a host and a port number or service name.
    pub(crate) fn ask(&mut self, lookup: LookupId, host: String, port: String) -> Result<(), Failure> {
        // The system's look-up would take the number modulo 65536, and find another server.
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && port.parse::<u16>().is_err() {
            return Err(Failure::Lookup { message: format!("there is no port {port}").into() });
        }
        self.start(Question { lookup, host, port }).map_err(|error| Failure::Lookup {
            message: format!("no look-up could be started: {error}").into(),
        })
    }

    fn start(&mut self, question: Question) -> io::Result<()> {
        let pipe = match &self.pipe {
            Some(pipe) => Arc::clone(pipe),
            None => {
                let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
                Arc::clone(self.pipe.insert(Arc::new(Pipe { read: Arc::new(read), write })))
            }
        };
        let needs_thread = {
            let mut shared = lock(&self.shared);
            shared.questions.push_back(question);
            let more = shared.threads < MAX_THREADS;
            shared.threads += usize::from(more);
            more
        };
        if needs_thread {
            let shared = Arc::clone(&self.shared);
            let started = without_signals(|| {
                thread::Builder::new().name("omcache-lookup".into()).spawn(move || serve(&shared, &pipe))
            });
            if let Err(error) = started {
                let mut shared = lock(&self.shared);
                shared.threads -= 1;
                if shared.threads == 0 {
                    shared.questions.pop_back();
                    return Err(error);
                }
            }
        }
        self.waiting += 1;
        Ok(())
    }

    /// The descriptor that becomes readable when an answer is there; none while nothing is asked.
    #[inline]
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| self.waiting > 0).map(|pipe| pipe.read.as_fd())
    }

    /// As [`Resolver::descriptor`], shared.
    #[cfg(feature = "tokio")]
    pub(crate) fn shared_descriptor(&self) -> Option<Arc<OwnedFd>> {
        self.pipe.as_ref().filter(|_| self.waiting > 0).map(|pipe| Arc::clone(&pipe.read))
    }

    /// Takes the answers that are there.
    pub(crate) fn answers(&mut self) -> Vec<Answer> {
        let Some(pipe) = self.pipe.as_ref().filter(|_| self.waiting > 0) else { return Vec::new() };
        let mut drain = [0_u8; 64];
        while matches!(rustix::io::read(&pipe.read, &mut drain), Ok(count) if count == drain.len()) {}
        let answers = std::mem::take(&mut lock(&self.shared).answers);
        self.waiting -= answers.len().min(self.waiting);
        answers
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    // The data are whole at every point where a panic could be.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a thread that blocks all signals from its first instruction on, as it has the mask of the thread that starts it:
/// the program's handlers must not run where it does not know of. The caller's own mask is as it was when this returns.
fn without_signals<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let started = start();
    mask.thread_set_mask()?;
    started
}

fn serve(shared: &Mutex<Shared>, pipe: &Pipe) {
    loop {
        let question = {
            let mut shared = lock(shared);
            match shared.questions.pop_front() {
                Some(question) => question,
                None => {
                    shared.threads -= 1;
                    return;
                }
            }
        };
        let found = look_up(&question.host, &question.port);
        lock(shared).answers.push((question.lookup, found));
        // A full pipe is readable already; a closed one has no reader to tell.
        let _ = rustix::io::write(&pipe.write, &[1]);
    }
}

fn look_up(host: &str, port: &str) -> Result<Vec<Address>, Failure> {
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let fail = |text: String| Failure::Lookup { message: text.into() };
    let found = getaddrinfo(Some(host), Some(port), Some(hints))
        .map_err(|error| fail(io::Error::from(error).to_string()))?;
    let mut addresses = Vec::new();
    for entry in found {
        let address = Address::Ip(entry.map_err(|error| fail(error.to_string()))?.sockaddr);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}
