//! One request alone: sent, waited for and read by the shortest way.

use omcache::driver::conn::{Instant, Target};
use omcache::driver::proto::Request;
use omcache::driver::{Level, NotAlone};

use super::Core;
use crate::answer::{Answer, Space};

impl Core {
    /// Sends a request and waits for its answer, where nothing else is under way. A short value is copied into `space`.
    ///
    /// # Errors
    /// Whatever is unusual ends it, with nothing lost: the caller goes on the general way.
    #[inline]
    pub(crate) fn exchange_alone(
        &mut self,
        now: Instant,
        target: Target,
        request: &Request<'_>,
        deadline: Instant,
        space: &mut Space,
    ) -> Result<Answer, NotAlone> {
        if !self.ops.is_empty() || self.log_level == Some(Level::Debug) {
            return Err(NotAlone::Untouched);
        }
        let response = self.driver.exchange_alone(now, target, request, Some(deadline))?;
        Ok(Answer::copied(response, space))
    }
}
