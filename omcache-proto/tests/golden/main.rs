//! Packets pinned byte for byte to the protocol's examples.
// Clippy takes only the functions marked `#[test]` for tests.
#![allow(clippy::expect_used, clippy::panic)]

mod bytes;
mod request;
mod response;
