//! memcached's binary protocol: a 24-byte header, then extras, key and value.
//!
//! Every packet, in both directions, is a header and a body. The header tells the length of the
//! whole body and of its first two parts; the value is the rest. All numbers are big-endian.
//!
//! | bytes | in a request | in a response |
//! |---|---|---|
//! | 0 | magic, [`MAGIC_REQUEST`] | magic, [`MAGIC_RESPONSE`] |
//! | 1 | [`Opcode`] | [`Opcode`] of the request |
//! | 2, 3 | length of the key | length of the key |
//! | 4 | length of the extras | length of the extras |
//! | 5 | data type, 0 | data type, 0 |
//! | 6, 7 | vbucket, 0 for memcached | [`Status`] |
//! | 8..12 | length of the body | length of the body |
//! | 12..16 | opaque | opaque of the request |
//! | 16..24 | CAS | CAS |
//!
//! What the commands put into the body, where the response is a success:
//!
//! | command | request | response |
//! |---|---|---|
//! | GET, GETK | key | [`GetResponseExtras`], value; GETK: key |
//! | GAT, GATK | [`TouchExtras`], key | [`GetResponseExtras`], value; GATK: key |
//! | SET, ADD, REPLACE | [`StoreExtras`], key, value | |
//! | APPEND, PREPEND | key, value | |
//! | INCREMENT, DECREMENT | [`CounterExtras`], key | the new number as a value of 8 bytes |
//! | DELETE | key | |
//! | TOUCH | [`TouchExtras`], key | |
//! | FLUSH | [`FlushExtras`] or none | |
//! | NOOP, QUIT | | |
//! | VERSION | | the version as value |
//! | VERBOSITY | [`VerbosityExtras`] | |
//! | STAT | the group as key, or none | many: name as key, value; the last: neither |
//! | SASL_LIST_MECHS | | the mechanisms as value |
//! | SASL_AUTH, SASL_STEP | mechanism as key, data as value | data as value |
//!
//! A response that is no success has, if anything, a text for people as its value.
//!
//! A server answers in the order of the requests. A quiet request (see [`Opcode::is_quiet`]) may
//! have no answer at all; that it has none is known once a later request is answered, which is
//! what NOOP is for.
//!
//! The opaque comes back unchanged, so that a client can tell by it which request is answered.

mod decode;
mod encode;
mod extras;
mod found;
mod header;
mod opcode;
mod packet;
mod response;
mod status;

pub use decode::{Decoded, decode_request, decode_response};
pub use extras::{CounterExtras, FlushExtras, GetResponseExtras, StoreExtras, TouchExtras, VerbosityExtras};
pub use found::Found;
pub use header::{HEADER_LEN, MAGIC_REQUEST, MAGIC_RESPONSE, RequestHeader, ResponseHeader};
pub use opcode::Opcode;
pub use packet::RequestPacket;
pub use response::ResponsePacket;
pub use status::Status;
