//! Values that are kept on several servers.

use omcache::driver::conn::{Instant, Target};
use omcache::driver::proto::Request;
use pyo3::prelude::*;

use super::batch::{Batch, NOBODY};
use super::code::Code;
use super::session::Session;

impl Session {
    /// Reads again, from the servers behind their own, what could not be read from those.
    ///
    /// # Errors
    /// What a signal's handler raised.
    #[cold]
    pub(super) fn read_replicas<'r>(
        &mut self,
        batch: &mut Batch,
        request: impl Fn(u32) -> Option<Request<'r>>,
    ) -> PyResult<()> {
        let is_lost = |code| code != Code::SUCCESS && code != Code::NOT_FOUND;
        for behind in 1..=self.replicas {
            let lost: Vec<u32> =
                batch.replies.iter().filter(|reply| is_lost(reply.code)).map(|reply| reply.place).collect();
            if lost.is_empty() {
                return Ok(());
            }
            batch.replies.retain(|reply| !is_lost(reply.code));
            let (mut now, mut again) = self.begin();
            for place in lost {
                let Some(request) = request(place) else { continue };
                let key = request.key().map_or(&[][..], |key| key.as_bytes());
                let routed = key.get(self.unrouted..).unwrap_or(key);
                let Some(server) = self.driver.cluster.continuum().server(routed) else { continue };
                let target = Target::Server((server + behind) % self.servers());
                self.submit_to(&mut now, &mut again, place, target, &request)?;
            }
            let again = self.finish(now, again)?;
            for reply in &again.replies {
                batch.adopt(&again, reply);
            }
        }
        Ok(())
    }

    #[cold]
    pub(super) fn submit_replicas(
        &mut self,
        now: &mut Instant,
        batch: &mut Batch,
        request: &Request<'_>,
    ) -> PyResult<()> {
        let mut copy = *request;
        match &mut copy {
            Request::Store { quiet, cas: 0, .. } | Request::Delete { quiet, .. } => *quiet = true,
            _ => return Ok(()),
        }
        let Some(key) = request.key() else { return Ok(()) };
        let routed = key.as_bytes().get(self.unrouted..).unwrap_or(key.as_bytes());
        let Some(server) = self.driver.cluster.continuum().server(routed) else { return Ok(()) };
        let awaited = !std::mem::replace(&mut batch.unawaited, true);
        for behind in 1..=self.replicas {
            let target = Target::Server((server + behind) % self.servers());
            self.submit_to(now, batch, NOBODY, target, &copy)?;
        }
        batch.unawaited = !awaited;
        Ok(())
    }
}
