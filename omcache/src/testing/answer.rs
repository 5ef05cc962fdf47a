//! Answers: a response that owns its parts, and all of them that one request gets.

use bytes::Bytes;
use omcache_proto::binary::{GetResponseExtras, Opcode, RequestPacket, ResponsePacket, Status};

use super::store::{Item, Refusal};

/// A response that owns its parts.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) opcode: Opcode,
    pub(super) status: Status,
    pub(super) cas: u64,
    pub(super) opaque: u32,
    pub(super) extras: Option<[u8; 4]>,
    pub(super) key: Bytes,
    pub(super) value: Bytes,
}

/// What a request gets.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// None for a quiet request in the usual case, many for STAT.
    pub(super) answers: Vec<Answer>,
    /// Whether the connection ends with it.
    pub(super) close: bool,
}

impl Answer {
    /// A success without a body.
    pub(super) fn to(request: &RequestPacket<'_>) -> Self {
        Self {
            opcode: request.opcode,
            status: Status::SUCCESS,
            cas: 0,
            opaque: request.opaque,
            extras: None,
            key: Bytes::new(),
            value: Bytes::new(),
        }
    }

    /// An answer with a status that is no success and memcached's text for it.
    pub(super) fn refusing(request: &RequestPacket<'_>, status: Status) -> Self {
        Self { status, value: Bytes::from_static(text(status).as_bytes()), ..Self::to(request) }
    }

    /// An item's value, flags and version.
    pub(super) fn with_item(request: &RequestPacket<'_>, item: &Item) -> Self {
        let extras = GetResponseExtras { flags: item.flags }.encode();
        Self { cas: item.cas, extras: Some(extras), value: item.value.clone(), ..Self::to(request) }
    }

    /// As the codec has it.
    pub(super) fn packet(&self) -> ResponsePacket<'_> {
        ResponsePacket {
            opcode: self.opcode,
            status: self.status,
            cas: self.cas,
            opaque: self.opaque,
            extras: self.extras.as_ref().map_or(&[], |extras| extras),
            key: &self.key,
            value: &self.value,
        }
    }
}

impl Answers {
    pub(super) fn none() -> Self {
        Self::default()
    }

    pub(super) fn one(answer: Answer) -> Self {
        Self { answers: vec![answer], close: false }
    }

    pub(super) fn refusing(request: &RequestPacket<'_>, status: Status) -> Self {
        Self::one(Answer::refusing(request, status))
    }

    /// What memcached answers to lengths that are wrong for the opcode.
    pub(super) fn invalid(request: &RequestPacket<'_>) -> Self {
        Self { close: true, ..Self::refusing(request, Status::INVALID_ARGUMENTS) }
    }
}

impl Refusal {
    pub(super) const fn status(self) -> Status {
        match self {
            Self::NotFound => Status::KEY_NOT_FOUND,
            Self::Exists => Status::KEY_EXISTS,
            Self::TooLarge => Status::VALUE_TOO_LARGE,
            Self::NotStored => Status::NOT_STORED,
            Self::NonNumeric => Status::NON_NUMERIC,
        }
    }
}

/// memcached's texts; for statuses that it does not send, the meaning.
fn text(status: Status) -> &'static str {
    match status {
        Status::SUCCESS => "",
        Status::KEY_NOT_FOUND => "Not found",
        Status::KEY_EXISTS => "Data exists for key.",
        Status::VALUE_TOO_LARGE => "Too large.",
        Status::INVALID_ARGUMENTS => "Invalid arguments",
        Status::NOT_STORED => "Not stored.",
        Status::NON_NUMERIC => "Non-numeric server-side value for incr or decr",
        Status::AUTH_ERROR => "Auth failure.",
        Status::UNKNOWN_COMMAND => "Unknown command",
        Status::OUT_OF_MEMORY => "Out of memory",
        other => other.message().unwrap_or("Unknown status"),
    }
}
