//! What holds for every packet, every part of one, and any bytes at all.
// Clippy takes only the functions marked `#[test]` for tests.
#![allow(clippy::expect_used, clippy::panic)]

mod arbitrary;
mod request;
mod response;
mod strategy;
