//! memcached's wire protocol, encoded and decoded in both directions without any I/O.
//!
//! A client writes [`Request`]s into a buffer and decodes the responses; a server or a proxy
//! decodes the requests and writes responses. Where the bytes come from and go to is the caller's
//! affair: there is no socket, no clock and no thread here, only `core` and, for the buffers that
//! are written to, `alloc` (the crate is `no_std`).
//!
//! - [`Key`] and [`Request`] are what a client asks for, and know nothing of the encoding.
//! - [`binary`] is memcached's binary protocol: [`Opcode`](binary::Opcode) and
//!   [`Status`](binary::Status), the header, the packets of both directions, and their decoding.
//! - [`KeyError`], [`EncodeError`] and [`DecodeError`] name what was wrong and the numbers of it.
//!
//! # Decoding
//!
//! [`binary::decode_response`] and [`binary::decode_request`] look at the front of a buffer. What
//! they return borrows from it, so a value is not copied, whatever its size. "Incomplete, N more
//! bytes" is an answer and no error: read on and ask again. Lengths are checked before they are
//! used, against each other and against the caller's limit, and no bytes make the decoder panic.
//!
//! ```
//! use bytes::{Buf, BytesMut};
//! use omcache_proto::binary::{Decoded, Status, decode_response};
//! use omcache_proto::{Key, Request};
//!
//! // What goes to the server: a question that is only answered on a hit, and one that always is.
//! let mut send = BytesMut::new();
//! Request::Get { key: Key::new(b"Hello")?, with_key: false, quiet: true }.encode_binary(1, &mut send)?;
//! Request::Noop.encode_binary(2, &mut send)?;
//! assert_eq!(send.len(), 29 + 24);
//!
//! // What comes back: the two answers, in pieces as the network had them.
//! let answers = b"\x81\x09\0\0\x04\0\0\0\0\0\0\x09\0\0\0\x01\0\0\0\0\0\0\0\x01\xde\xad\xbe\xefWorld\
//!                 \x81\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0";
//! let mut received = BytesMut::new();
//! let mut opaques = Vec::new();
//! for piece in answers.chunks(20) {
//!     received.extend_from_slice(piece);
//!     while let Decoded::Complete { message, consumed } = decode_response(&received, 1 << 20)? {
//!         assert_eq!(message.status, Status::SUCCESS);
//!         if message.opaque == 1 {
//!             assert_eq!((message.flags(), message.value), (Some(0xdead_beef), &b"World"[..]));
//!         }
//!         opaques.push(message.opaque);
//!         received.advance(consumed);
//!     }
//! }
//! assert_eq!(opaques, [1, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

pub mod binary;
mod error;
mod key;
mod request;

pub use error::{DecodeError, EncodeError, KeyError};
pub use key::Key;
pub use request::{ConcatMode, CounterMode, Request, StoreMode};

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
