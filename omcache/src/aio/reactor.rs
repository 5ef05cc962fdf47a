//! The task that serves a client on tokio: it waits for the client's descriptors and timers, and steps it.

use std::future::{pending, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Serving;
use crate::driver::Waited;

/// A descriptor that is registered with the runtime. It is kept while the client keeps it, so that the runtime is not told
/// of it for each request.
struct Registered {
    descriptor: AsyncFd<Arc<OwnedFd>>,
    readable: bool,
    writable: bool,
}

/// Serves the client until its last clone is gone.
pub(super) async fn run(serving: Serving) {
    let shared = &serving.0;
    let mut registered: Vec<Registered> = Vec::new();
    loop {
        let (wanted, timer) = {
            let mut state = shared.lock();
            if state.ended {
                return;
            }
            // The runtime tells of a descriptor once, so all that is there is taken. A step that fails for want of memory
            // is tried again at the next change or timer.
            let mut turns = 0;
            while turns < MAX_TURNS && state.client.turn().is_ok_and(|waited| waited == Waited::Progress) {
                turns += 1;
                state.deliver();
            }
            state.deliver();
            if std::mem::take(&mut state.blocked) {
                shared.room.notify_waiters();
            }
            let timer = if turns == MAX_TURNS { Some(Duration::ZERO) } else { state.client.time_left() };
            (state.client.shared_descriptors(), timer)
        };
        for waits in &mut registered {
            (waits.readable, waits.writable) = (false, false);
        }
        // Those that the client has closed have no owner but this task.
        registered.retain(|waits| Arc::strong_count(waits.descriptor.get_ref()) > 1);
        let mut retry = false;
        for (descriptor, readable, writable) in wanted {
            let known = |waits: &&mut Registered| Arc::ptr_eq(waits.descriptor.get_ref(), &descriptor);
            if let Some(waits) = registered.iter_mut().find(known) {
                (waits.readable, waits.writable) = (readable, writable);
                continue;
            }
            match register(descriptor) {
                Ok(descriptor) => registered.push(Registered { descriptor, readable, writable }),
                Err(error) => {
                    log::warn!(target: "omcache", "a descriptor can't be registered with the runtime: {error}");
                    retry = true;
                }
            }
        }
        let timer = if retry { Some(timer.unwrap_or(RETRY).min(RETRY)) } else { timer };
        let (mut changed, mut over) = (pin!(shared.changed.notified()), pin!(sleep(timer)));
        poll_fn(|context| {
            let ready = poll_any(&registered, context).is_ready()
                || changed.as_mut().poll(context).is_ready()
                || over.as_mut().poll(context).is_ready();
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Steps in a row before others get their turn on the runtime.
const MAX_TURNS: usize = 64;
/// How long a registration that failed is left alone.
const RETRY: Duration = Duration::from_millis(100);

/// Registers a descriptor with the runtime.
#[expect(
    deprecated,
    reason = "its successor is unsafe; what it asks for holds: the descriptor is owned while registered"
)]
fn register(descriptor: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE | Interest::WRITABLE)
}

async fn sleep(time: Option<Duration>) {
    match time {
        // The runtime's clock has milliseconds; one more is waited rather than coming too early again and again.
        Some(Duration::ZERO) => tokio::task::yield_now().await,
        Some(time) => tokio::time::sleep(time + Duration::from_millis(1)).await,
        None => pending().await,
    }
}

/// Ready as soon as one descriptor is; its readiness is taken back, as the step that follows polls for itself.
fn poll_any(registered: &[Registered], context: &mut Context<'_>) -> Poll<()> {
    let mut ready = false;
    for waits in registered {
        if waits.readable
            && let Poll::Ready(Ok(mut guard)) = waits.descriptor.poll_read_ready(context)
        {
            guard.clear_ready();
            ready = true;
        }
        if waits.writable
            && let Poll::Ready(Ok(mut guard)) = waits.descriptor.poll_write_ready(context)
        {
            guard.clear_ready();
            ready = true;
        }
    }
    if ready { Poll::Ready(()) } else { Poll::Pending }
}
