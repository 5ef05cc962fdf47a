//! What became of one request, without a reference to the interpreter or to a connection.

use bytes::Bytes;
use omcache::driver::conn::{Outcome, Response, Settled, SubmitError};
use omcache::driver::proto::binary::{Opcode, Status};

use crate::ret::Ret;

/// What became of one request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) ret: Ret,
    /// Of a value that was read.
    pub(crate) flags: u32,
    pub(crate) cas: u64,
    /// Of a counter.
    pub(crate) delta: u64,
    /// Where the response has one: a statistic's name.
    pub(crate) key: Bytes,
    pub(crate) data: Bytes,
    pub(crate) failure: Option<Box<Failed>>,
}

/// More of a request that did not do what it was to do.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// What happened, and where.
    pub(crate) reason: String,
    /// Whether the request was sent, at least in part.
    pub(crate) sent: bool,
}

impl Answer {
    pub(crate) fn plain(ret: Ret) -> Self {
        Self { ret, flags: 0, cas: 0, delta: 0, key: Bytes::new(), data: Bytes::new(), failure: None }
    }

    pub(crate) fn failed(ret: Ret, sent: bool, reason: impl Into<String>) -> Self {
        Self { failure: Some(Box::new(Failed { reason: reason.into(), sent })), ..Self::plain(ret) }
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
            answer.key = Bytes::copy_from_slice(packet.key);
        }
        answer.data = response.into_value();
        answer
    }

    #[cold]
    fn refusal(&mut self, opcode: Opcode, status: Status, text: &[u8]) {
        if self.ret == Ret::OK {
            self.ret = Ret::FAIL;
        }
        if self.ret == Ret::FAIL {
            let text = String::from_utf8_lossy(text);
            let reason = format!("{opcode:?} was answered with {status:?}: {text}");
            self.failure = Some(Box::new(Failed { reason, sent: true }));
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

    /// Whether the request may have been carried out.
    pub(crate) fn sent(&self) -> bool {
        self.failure.as_ref().is_none_or(|failure| failure.sent)
    }
}
