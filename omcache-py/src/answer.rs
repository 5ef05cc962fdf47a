//! What became of one request, without a reference to the interpreter or to a connection.

use bytes::Bytes;
use omcache::driver::conn::{Outcome, Response, Settled, SubmitError};
use omcache::driver::proto::binary::{Opcode, Status};
use smallvec::SmallVec;

use crate::ret::Ret;

/// Values of at most so many bytes are copied to the caller's stack.
const SHORT: usize = 1024;

/// Where a short value is copied to.
pub(crate) type Space = SmallVec<[u8; SHORT]>;

/// What became of one request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) ret: Ret,
    /// Of a value that was read.
    pub(crate) flags: u32,
    pub(crate) cas: u64,
    /// Of a counter.
    pub(crate) delta: u64,
    pub(crate) data: Bytes,
    /// What most answers do without.
    pub(crate) more: Option<Box<More>>,
}

/// What most answers do without.
#[derive(Clone, Debug)]
pub(crate) enum More {
    /// The key, where the response has one: a statistic's name.
    Key(Bytes),
    /// Why the request did not do what it was to do, and whether it was sent, at least in part.
    Failed { reason: String, sent: bool },
}

impl Answer {
    pub(crate) fn plain(ret: Ret) -> Self {
        Self { ret, flags: 0, cas: 0, delta: 0, data: Bytes::new(), more: None }
    }

    pub(crate) fn failed(ret: Ret, sent: bool, reason: impl Into<String>) -> Self {
        Self { more: Some(Box::new(More::Failed { reason: reason.into(), sent })), ..Self::plain(ret) }
    }

    pub(crate) fn refused(error: &SubmitError) -> Self {
        Self::failed(Ret::of_refusal(error), false, error.to_string())
    }

    /// The time was over first.
    pub(crate) fn timeout(sent: bool) -> Self {
        let reason = if sent { "no answer in time" } else { "not sent in time" };
        Self::failed(Ret::AGAIN, sent, reason)
    }

    #[inline]
    pub(crate) fn of_response(response: Response<'_>) -> Self {
        let packet = response.packet();
        let (status, opcode) = (packet.status, packet.opcode);
        let mut answer = Self::plain(Ret::of_status(status));
        answer.cas = packet.cas;
        if status != Status::SUCCESS {
            answer.refusal(opcode, status, packet.value);
            return answer;
        }
        if opcode.is_counter() {
            match packet.counter() {
                Some(counter) => answer.delta = counter,
                None => answer.refusal(opcode, status, b"the answer has no counter in it"),
            }
            return answer;
        }
        answer.flags = packet.flags().unwrap_or_default();
        if !packet.key.is_empty() {
            answer.more = Some(Box::new(More::Key(Bytes::copy_from_slice(packet.key))));
        }
        answer.data = response.into_value();
        answer
    }

    /// As [`Answer::of_response`], but a short value is copied into `space`, and missing here.
    #[inline]
    pub(crate) fn copied(response: Response<'_>, space: &mut Space) -> Self {
        let packet = response.packet();
        let is_short = packet.status == Status::SUCCESS
            && packet.key.is_empty()
            && packet.value.len() <= SHORT
            && !packet.opcode.is_counter();
        if !is_short {
            return Self::of_response(response);
        }
        space.extend_from_slice(packet.value);
        Self { cas: packet.cas, flags: packet.flags().unwrap_or_default(), ..Self::plain(Ret::OK) }
    }

    #[cold]
    fn refusal(&mut self, opcode: Opcode, status: Status, text: &[u8]) {
        if self.ret == Ret::OK {
            self.ret = Ret::FAIL;
        }
        if self.ret == Ret::FAIL {
            let text = String::from_utf8_lossy(text);
            let reason = format!("{opcode:?} was answered with {status:?}: {text}");
            self.more = Some(Box::new(More::Failed { reason, sent: true }));
        }
    }

    /// From how a request ended without a response; none for silence.
    pub(crate) fn of_settled(settled: &Settled, server: Option<&str>) -> Option<Self> {
        let ret = Ret::of_outcome(&settled.outcome)?;
        let (sent, reason) = match &settled.outcome {
            Outcome::NotSent(failure) => (false, failure.to_string()),
            Outcome::Unknown(failure) => (true, failure.to_string()),
            Outcome::ResponseTooLarge { len, limit, .. } => {
                (true, format!("the response has {len} bytes, the limit is {limit}"))
            }
            other => (true, format!("{other:?}")),
        };
        let reason = match server {
            Some(server) => format!("[{server}]: {reason}"),
            None => reason,
        };
        Some(Self::failed(ret, sent, reason))
    }

    /// The key that the response has, if any.
    pub(crate) fn key(&self) -> &[u8] {
        match self.more.as_deref() {
            Some(More::Key(key)) => key,
            _ => &[],
        }
    }

    /// Why the request failed, where it was not simply refused by the server.
    pub(crate) fn failure(&self) -> Option<&str> {
        match self.more.as_deref() {
            Some(More::Failed { reason, .. }) => Some(reason),
            _ => None,
        }
    }

    /// Whether the request may have been carried out.
    pub(crate) fn sent(&self) -> bool {
        !matches!(self.more.as_deref(), Some(More::Failed { sent: false, .. }))
    }
}
