//! One request alone: sent, waited for and read by the shortest way.

use omcache::driver::Level;
use omcache::driver::conn::Instant;

use super::Core;
use crate::answer::{Answer, Space};

impl Core {
    /// Sends the request that was submitted last and waits for its answer, where nothing else is under way. A short
    /// value is copied into `space`.
    ///
    /// # Errors
    /// Whatever is unusual ends it, with nothing lost: the request is to be claimed and waited for, from the moment that
    /// is returned.
    #[inline]
    pub(crate) fn exchange_alone(
        &mut self,
        now: Instant,
        opaque: u32,
        deadline: Instant,
        space: &mut Space,
    ) -> Result<Answer, Instant> {
        if !self.ops.is_empty() || self.log_level == Some(Level::Debug) {
            return Err(now);
        }
        let response = self.driver.exchange_alone(now, opaque, Some(deadline))?;
        Ok(Answer::copied(response, space))
    }
}
