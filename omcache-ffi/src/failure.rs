//! Failures: what is kept of the last one for `omcache_last_error`, and what the log is told.

use std::ffi::{CStr, CString, c_char, c_int};

use omcache::driver::Level;
use omcache::driver::conn::{Failure, Outcome, Settled};
use omcache::driver::proto::binary::{Opcode, Status};

use crate::boundary::with_handle;
use crate::handle::Handle;
use crate::ret;
use crate::types::omcache_t;

/// The last failure of a handle.
#[derive(Debug, Default)]
pub(crate) struct LastFailure {
    /// Its code; of one that has more to tell, `text` begins with the text of the same code.
    code: c_int,
    told: c_int,
    text: CString,
    pub(crate) telling: Telling,
}

/// What the call at work has told of failures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Telling {
    /// Whether the text is of it, or of the last call.
    fresh: bool,
    /// The code of what it has logged.
    logged: c_int,
}

impl LastFailure {
    fn text(&self) -> &CStr {
        match self.code {
            ret::OK => c"",
            code if code == self.told => &self.text,
            code => ret::text(code),
        }
    }
}

/// How a request ended without an answer to look at.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NotSent(failure) => format!("was not sent: {failure}"),
        Outcome::Unknown(failure) => format!("was sent and not answered: {failure}"),
        Outcome::ResponseTooLarge { len, limit, .. } => {
            format!("was answered with {len} bytes, of which at most {limit} are received")
        }
        _ => "has ended".to_owned(),
    }
}

impl Handle {
    /// Why no server takes a request: the last failure of this one, or of the first that has one.
    #[cold]
    pub(crate) fn cause(&self, server: Option<usize>) -> String {
        let cluster = &self.driver.cluster;
        let failed = |index: usize| {
            let (server, status) = (cluster.server(index)?, cluster.server_status(index)?);
            Some(format!("; [{}:{}]: {}", server.host(), server.port(), status.last_failure?))
        };
        let any = || (0..cluster.server_count()).find_map(failed);
        server.and_then(failed).or_else(any).unwrap_or_default()
    }

    /// Notes that a server refused a request.
    #[cold]
    pub(crate) fn note_refusal(&mut self, opcode: Opcode, status: Status) {
        self.note_error(ret::FAIL, &format_args!("{opcode:?} was answered with {status:?}"));
    }

    /// Notes that a request ended without an answer to look at.
    #[cold]
    pub(crate) fn note_settled(&mut self, code: c_int, settled: &Settled) {
        // The program itself threw it away.
        if is_discarded(settled) {
            return;
        }
        let server = settled.server.and_then(|server| self.driver.cluster.server(server));
        let place = server.map(|server| format!(" at [{}:{}]", server.host(), server.port()));
        let (opcode, place, told) = (settled.opcode, place.unwrap_or_default(), told(&settled.outcome));
        let cause = if code == ret::NO_SERVERS { self.cause(settled.server) } else { String::new() };
        self.note_error(code, &format_args!("{opcode:?}{place} {told}{cause}"));
    }

    /// Keeps the text of a failure for `omcache_last_error`, and logs what the program should know of: once in a call, as a
    /// batch may fail request by request. That a connection was lost has a line of its own.
    #[cold]
    pub(crate) fn note_error(&mut self, code: c_int, error: &dyn std::fmt::Display) {
        self.note_text(code, error);
        let level = match code {
            _ if code == self.failure.telling.logged => Level::Debug,
            ret::NO_SERVERS => Level::Error,
            ret::BUFFER_FULL => Level::Warning,
            ret::INVALID => Level::Notice,
            _ => Level::Debug,
        };
        if self.log.wants(level) {
            self.failure.telling.logged = code;
            let text = self.failure.text.to_string_lossy().into_owned();
            self.log_line(level, format_args!("{text}"));
        }
    }

    /// Keeps the text of a failure for `omcache_last_error`.
    #[cold]
    pub(crate) fn note_text(&mut self, code: c_int, error: &dyn std::fmt::Display) {
        let text = format!("{}: {error}", ret::text(code).to_string_lossy());
        (self.failure.code, self.failure.told, self.failure.telling.fresh) = (code, code, true);
        self.failure.text = CString::new(text.replace('\0', " ")).unwrap_or_default();
    }

    /// Notes how a call ended of which there is no more to tell than the code; where more was told of it, that stays.
    #[inline]
    pub(crate) fn note_code(&mut self, code: c_int) {
        self.failure.code = code;
        if !self.failure.telling.fresh {
            self.failure.told = ret::OK;
        }
    }

    /// Begins a call of which nothing is told so far.
    pub(crate) fn tell_anew(&mut self) {
        self.failure.telling = Telling::default();
    }

    /// Ends a call: what it logged may be logged again. Where it was nested in another, that goes on with what it told.
    pub(crate) fn go_on_telling(&mut self, outer: Telling, nested: bool) {
        let fresh = self.failure.telling.fresh;
        self.failure.telling = match nested {
            true => Telling { fresh: outer.fresh || fresh, ..outer },
            false => Telling { fresh, logged: ret::OK },
        };
    }
}

pub(crate) fn is_discarded(settled: &Settled) -> bool {
    settled.outcome == Outcome::NotSent(Failure::Discarded)
}

/// Refuses a call for what is wrong with its arguments.
///
/// # Safety
/// As [`with_handle`].
#[cold]
pub(crate) unsafe fn refuse(mc: *mut omcache_t, code: c_int, why: &str) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        with_handle(mc, |handle| {
            handle.note_text(code, &why);
            code
        })
    }
}

/// Refuses a key that is none.
///
/// # Safety
/// As [`with_handle`].
#[cold]
#[inline(never)]
pub(crate) unsafe fn refuse_key(mc: *mut omcache_t) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { refuse(mc, ret::INVALID, "a key has 1 to 250 bytes, and they are there") }
}

/// Refuses a value that is none.
///
/// # Safety
/// As [`with_handle`].
#[cold]
#[inline(never)]
pub(crate) unsafe fn refuse_value(mc: *mut omcache_t) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { refuse(mc, ret::INVALID, "the value is NULL, or its length has more than 32 bits") }
}

/// The text of the last failure on a handle; see `omcache_cdef.h`.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_last_error(mc: *mut omcache_t) -> *const c_char {
    // SAFETY: as the caller promises.
    match unsafe { mc.as_ref() } {
        Some(handle) => handle.failure.text().as_ptr(),
        None => ret::text(ret::INVALID).as_ptr(),
    }
}
