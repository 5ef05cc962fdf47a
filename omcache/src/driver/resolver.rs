//! Name look-ups on helper threads, so that the caller's thread never blocks in one.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use dns_lookup::{AddrInfoHints, SockType, getaddrinfo};
use nix::sys::signal::{SigSet, SigmaskHow};
use omcache_conn::{Address, Failure, LookupId};
use rustix::pipe::{PipeFlags, pipe_with};

#[cfg(test)]
mod tests;

/// Look-ups that run at once; one that hangs must not hold up the others.
const MAX_THREADS: usize = 8;

/// A host, and a port number or service name.
type Name = (String, String);
type Found = Result<Vec<Address>, Failure>;
type LookUp = dyn Fn(&str, &str) -> Found + Send + Sync;

#[derive(Default)]
struct Shared {
    questions: VecDeque<Name>,
    answers: Vec<(Name, Found)>,
    threads: usize,
}

struct Pipe {
    read: Arc<OwnedFd>,
    write: OwnedFd,
}

/// Looks names up in the background. Nothing is started before the first question.
pub(crate) struct Resolver {
    shared: Arc<Mutex<Shared>>,
    pipe: Option<Arc<Pipe>>,
    /// Who waits for which name. Of a name there is one look-up at a time, which may outlast those who asked for it.
    waiting: HashMap<Name, Vec<LookupId>>,
    look_up: Arc<LookUp>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(look_up)
    }
}

impl Resolver {
    fn new(look_up: impl Fn(&str, &str) -> Found + Send + Sync + 'static) -> Self {
        Self { shared: Arc::default(), pipe: None, waiting: HashMap::new(), look_up: Arc::new(look_up) }
    }

    /// Asks for the addresses of a host and a port number or service name. `is_awaited` tells which look-ups have not been
    /// given up since.
    pub(crate) fn ask(
        &mut self,
        lookup: LookupId,
        name: Name,
        is_awaited: impl Fn(LookupId) -> bool,
    ) -> Result<(), Failure> {
        self.forget_abandoned(is_awaited);
        if let Some(waiting) = self.waiting.get_mut(&name) {
            waiting.push(lookup);
            return Ok(());
        }
        self.start(name.clone()).map_err(|error| Failure::Lookup {
            message: format!("no look-up could be started: {error}").into(),
        })?;
        self.waiting.insert(name, vec![lookup]);
        Ok(())
    }

    /// Takes back the questions that nobody waits for and no thread has taken up.
    fn forget_abandoned(&mut self, is_awaited: impl Fn(LookupId) -> bool) {
        let Self { waiting, shared, .. } = self;
        waiting.values_mut().for_each(|lookups| lookups.retain(|&lookup| is_awaited(lookup)));
        lock(shared).questions.retain(|name| {
            let is_wanted = waiting.get(name).is_some_and(|lookups| !lookups.is_empty());
            if !is_wanted {
                waiting.remove(name);
            }
            is_wanted
        });
    }

    fn start(&mut self, name: Name) -> io::Result<()> {
        let pipe = match &self.pipe {
            Some(pipe) => Arc::clone(pipe),
            None => {
                let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
                Arc::clone(self.pipe.insert(Arc::new(Pipe { read: Arc::new(read), write })))
            }
        };
        let needs_thread = {
            let mut shared = lock(&self.shared);
            shared.questions.push_back(name);
            let more = shared.threads < MAX_THREADS;
            shared.threads += usize::from(more);
            more
        };
        if needs_thread {
            let (shared, look_up) = (Arc::clone(&self.shared), Arc::clone(&self.look_up));
            let started = without_signals(|| {
                let serve = move || serve(&shared, &pipe, &*look_up);
                thread::Builder::new().name("omcache-lookup".into()).spawn(serve)
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
        Ok(())
    }

    /// The descriptor that becomes readable when an answer is there; none while nothing is asked.
    #[inline]
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.waiting.is_empty()).map(|pipe| pipe.read.as_fd())
    }

    /// As [`Resolver::descriptor`], shared.
    #[cfg(feature = "tokio")]
    pub(crate) fn shared_descriptor(&self) -> Option<&Arc<OwnedFd>> {
        self.pipe.as_ref().filter(|_| !self.waiting.is_empty()).map(|pipe| &pipe.read)
    }

    /// Takes the answers that are there.
    pub(crate) fn answers(&mut self) -> Vec<(LookupId, Found)> {
        let Some(pipe) = self.pipe.as_ref().filter(|_| !self.waiting.is_empty()) else { return Vec::new() };
        let mut drain = [0_u8; 64];
        while matches!(rustix::io::read(&pipe.read, &mut drain), Ok(count) if count == drain.len()) {}
        let answers = std::mem::take(&mut lock(&self.shared).answers);
        let mut told = Vec::new();
        for (name, found) in answers {
            let waiting = self.waiting.remove(&name).unwrap_or_default();
            told.extend(waiting.into_iter().map(|lookup| (lookup, found.clone())));
        }
        told
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    // The data are whole at every point where a panic could be.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a thread that blocks all signals from its first instruction on, as it has the mask of the thread that starts it:
/// the program's handlers must not run where it does not know of. No safe call gives a thread another mask than its
/// maker's, so the caller holds signals back meanwhile, some microseconds; its own mask is as it was when this returns.
fn without_signals<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let started = start();
    mask.thread_set_mask()?;
    started
}

fn serve(shared: &Mutex<Shared>, pipe: &Pipe, look_up: &LookUp) {
    loop {
        let name = {
            let mut shared = lock(shared);
            match shared.questions.pop_front() {
                Some(name) => name,
                None => {
                    shared.threads -= 1;
                    return;
                }
            }
        };
        let found = look_up(&name.0, &name.1);
        lock(shared).answers.push((name, found));
        // A full pipe is readable already; a closed one has no reader to tell.
        let _ = rustix::io::write(&pipe.write, &[1]);
    }
}

fn look_up(host: &str, port: &str) -> Found {
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let fail = |text: String| Failure::Lookup { message: text.into() };
    // The C library would take such a number modulo 65536.
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && port.parse::<u16>().is_err() {
        return Err(fail(format!("port {port} is beyond 65535")));
    }
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
