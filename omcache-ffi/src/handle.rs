//! The handle: a driver, the program's callbacks, and the requests that the program waits for.

use std::collections::VecDeque;
use std::ffi::{CString, c_int, c_void};
use std::time::Duration;

use omcache::driver::conn::{Cluster, Config, Instant};
use omcache::driver::{Driver, Waited};

use crate::boundary::guarded;
use crate::deliver::{Active, Kept};
use crate::failure::LastFailure;
use crate::frames::Frame;
use crate::op::{Op, Phase};
use crate::ret;
use crate::types::{omcache_log_callback_func, omcache_response_callback_func, omcache_t, omcache_value_t};

mod submit;

/// What follows from a turn, for the outermost frame to do.
pub(crate) enum Turn {
    Done(c_int),
    Log { func: omcache_log_callback_func, context: *mut c_void, level: c_int, text: *const std::ffi::c_char },
    Response { func: omcache_response_callback_func, context: *mut c_void, value: omcache_value_t },
}

/// A handle, `omcache_t`.
pub struct Handle {
    pub(crate) driver: Driver,
    pub(crate) log: crate::log::LogSettings,
    pub(crate) response_callback: Option<(omcache_response_callback_func, *mut c_void)>,
    /// The sets of requests that are awaited: the program's, and those of calls that callbacks made.
    pub(crate) active: Vec<Active>,
    /// The calls that are at work; more than one where a callback called again.
    pub(crate) frames: Vec<Frame>,
    /// Responses that came while another call was at work, kept until the next call.
    pub(crate) delivered: Vec<Kept>,
    pub(crate) poll_fds: Vec<libc::pollfd>,
    pub(crate) descriptors: Vec<omcache::Descriptor>,
    /// Extras of requests that a call at work describes, with the address of a frame of that call.
    extras: Vec<(usize, Box<[[u8; 4]]>)>,
    pub(crate) failure: LastFailure,
    pub(crate) status_text: CString,
    /// Log lines that wait to be delivered.
    pub(crate) lines: VecDeque<(c_int, CString)>,
    /// Nothing stands in the way of a request that is only buffered, as was found by the last one: any other call that may change
    /// something unsets it.
    pub(crate) is_clear: bool,
}

impl Handle {
    fn new() -> Self {
        let mut driver = Driver::new(Config::default());
        driver.cluster.hold_received(true);
        // Anything but a start that every program shares makes a stray response of an old process harmless.
        driver.cluster.set_last_opaque(std::process::id().wrapping_mul(0x9e37_79b9) >> 4);
        Self {
            driver,
            log: crate::log::LogSettings::default(),
            response_callback: None,
            active: Vec::new(),
            frames: Vec::new(),
            delivered: Vec::new(),
            poll_fds: Vec::new(),
            descriptors: Vec::new(),
            extras: Vec::new(),
            failure: LastFailure::default(),
            status_text: CString::default(),
            lines: VecDeque::new(),
            is_clear: false,
        }
    }

    /// Goes on with a call until it is done, or something of the program's is to be called.
    pub(crate) fn turn(&mut self, op: &mut Op) -> Turn {
        self.is_clear = false;
        if op.is_registered() {
            self.resume(op.frame);
        }
        loop {
            // A callback may call again, and such a call must find this one registered.
            if op.is_registered()
                && let Some(line) = self.next_line()
            {
                return line;
            }
            let told = match op.phase {
                Phase::Begin => {
                    self.begin(op);
                    None
                }
                Phase::Adopt => {
                    self.adopt(op);
                    None
                }
                Phase::Look => {
                    let told = if self.has_something() { self.take_event(op) } else { None };
                    told.unwrap_or_else(|| {
                        op.phase = if op.submit { Phase::Submit } else { Phase::Exchange };
                        None
                    })
                }
                Phase::Submit => {
                    self.submit(op);
                    None
                }
                Phase::Exchange => {
                    let is_done = !self.has_something() || self.take_plain(op);
                    let told = if is_done { None } else { self.take_event(op) };
                    told.unwrap_or_else(|| {
                        self.advance(op);
                        None
                    })
                }
                Phase::End => {
                    if !op.idle && !matches!(op.result, ret::OK | ret::BUFFERED) {
                        self.note_code(op.result);
                    }
                    self.leave(op.frame);
                    return Turn::Done(op.result);
                }
            };
            if let (Some(value), Some((func, context))) = (told, self.response_callback) {
                return Turn::Response { func, context, value };
            }
        }
    }

    /// Registers the call's frame. What an earlier call returned is let go of, unless that call is still at work and this
    /// one comes from a callback of it.
    fn begin(&mut self, op: &mut Op) {
        // What a call has returned that only delivers its lines stays.
        let depth = self.enter(op.frame, !op.idle);
        if op.idle {
            op.phase = Phase::End;
            return;
        }
        self.tell_anew();
        if op.submit {
            self.active.retain(|active| active.depth < depth);
        } else if op.request_count > 0 {
            // From now on it is this call that waits for them.
            for active in self.active.iter_mut().filter(|active| active.first == op.first) {
                active.depth = active.depth.min(depth);
            }
        }
        self.driver.check_fork();
        op.now = self.driver.now();
        op.deadline = match u64::try_from(op.timeout) {
            Ok(0) => op.now,
            Ok(msec) => op.now + Duration::from_millis(msec),
            Err(_) => Instant::FAR_FUTURE,
        };
        self.driver.handle_time(op.now);
        if !op.submit {
            // What is waited for may be quiet, and passed over in silence.
            self.driver.cluster.settle_quiet();
        }
        // A handshake may change where the requests go; without requests, it may be all that there is to do.
        let looks = match op.submit {
            true => self.driver.cluster.has_handshake() && !self.driver.buffering(),
            // Where something is pending it is waited for in any case.
            false => op.request_count == 0 && !self.driver.cluster.has_pending(),
        };
        // What was read already is looked at first: a second read could find the connection closed behind it.
        if looks && !self.driver.cluster.has_events() {
            // A failing poll is told by the wait that follows.
            if let Ok((Waited::Progress, now)) = self.driver.wait(op.now, Some(op.now)) {
                op.now = now;
            }
        }
        op.phase = Phase::Look;
    }

    /// Lets go of what earlier calls returned.
    #[inline]
    pub(crate) fn release(&mut self) {
        self.driver.cluster.release_received();
        if !self.delivered.is_empty() {
            self.delivered.clear();
        }
    }

    /// Goes on where no event is left: the call is answered, or its time is over, or it waits.
    fn advance(&mut self, op: &mut Op) {
        let settled = if op.request_count > 0 {
            let Some(active) = self.active.iter().find(|active| active.first == op.first) else {
                self.note_error(ret::INVALID, &"a callback has awaited the call's requests itself");
                op.end(ret::INVALID);
                return;
            };
            active.outstanding == 0
        } else {
            !self.driver.cluster.has_pending()
        };
        if settled {
            if op.request_count > 0 {
                self.active.retain(|active| active.first != op.first);
                op.request_count = 0;
            }
            op.end(ret::OK);
            return;
        }
        if op.over {
            op.end(ret::AGAIN);
            return;
        }
        let deadline = (op.deadline != Instant::FAR_FUTURE).then_some(op.deadline);
        let (is_plain, now) = (self.is_plain(op), op.now);
        let waited = match self.active.as_mut_slice() {
            [active] if is_plain => {
                let mut take = |cluster: &mut Cluster| active.take_values(cluster, op);
                self.driver.wait_taking(now, deadline, &mut take)
            }
            _ => self.driver.wait(now, deadline),
        };
        match waited {
            Ok((waited, now)) => {
                op.now = now;
                let idle = waited == Waited::Nothing && self.driver.cluster.poll_deadline().is_none();
                op.over = now >= op.deadline || idle;
            }
            Err(error) => {
                self.note_error(ret::FAIL, &error);
                op.end(ret::FAIL);
            }
        }
    }

    /// Keeps extras until [`Handle::drop_extras`]; where they are is returned. `frame` is an address of a frame of the call.
    pub(crate) fn keep_extras(&mut self, frame: usize, extras: Box<[[u8; 4]]>) -> *const [u8; 4] {
        // Those of calls that were left by longjmp.
        self.extras.retain(|&(other, _)| other > frame);
        let place = extras.as_ptr();
        self.extras.push((frame, extras));
        place
    }

    /// Lets go of extras.
    pub(crate) fn drop_extras(&mut self, place: *const [u8; 4]) {
        self.extras.retain(|(_, extras)| extras.as_ptr() != place);
    }
}

/// Runs a call from its outermost frame: only here the program's callbacks are called, while nothing is borrowed.
///
/// # Safety
/// `mc` is NULL or a live handle; the pointers in `op` are what the program gave for them.
pub(crate) unsafe fn run(mc: *mut omcache_t, op: &mut Op) -> c_int {
    op.frame = std::ptr::from_mut(op) as usize;
    loop {
        let turn = guarded(Turn::Done(ret::FAIL), || {
            // SAFETY: a live handle or NULL as the caller promises; no other reference to it is live between turns.
            match unsafe { mc.as_mut() } {
                Some(handle) => handle.turn(op),
                None => Turn::Done(ret::INVALID),
            }
        });
        op.has_called |= !matches!(turn, Turn::Done(_));
        match turn {
            Turn::Done(result) => return result,
            // SAFETY: the program gave the function for calls with this context; the text lives in the handle.
            Turn::Log { func, context, level, text } => unsafe { func(context, level, text) },
            Turn::Response { func, context, mut value } => {
                // SAFETY: the program gave the function for calls with this context; the bytes that the value points to
                // are held by the handle.
                unsafe { func(mc, &raw mut value, context) }
            }
        }
    }
}

/// A new handle without servers; NULL where memory is short.
#[unsafe(no_mangle)]
pub extern "C" fn omcache_init() -> *mut omcache_t {
    guarded(std::ptr::null_mut(), || Box::into_raw(Box::new(Handle::new())))
}

/// Frees a handle and closes its connections. NULL is let pass.
///
/// # Safety
/// `mc` is NULL or a handle that is not freed, and no call on it is at work.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_free(mc: *mut omcache_t) -> c_int {
    if mc.is_null() {
        return ret::INVALID;
    }
    guarded(ret::FAIL, || {
        // SAFETY: it was made by Box::into_raw in omcache_init, and is not used again as the caller promises.
        drop(unsafe { Box::from_raw(mc) });
        ret::OK
    })
}

#[cfg(test)]
mod wrap_tests;
