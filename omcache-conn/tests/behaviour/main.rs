//! What a cluster does in each situation, one subject a module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../sim/mod.rs"]
mod sim;

mod buffers;
mod failover;
mod handshake;
mod held;
mod interests;
mod limits;
mod load;
mod lone;
mod loss;
mod many;
mod opaques;
mod poison;
mod quiet;
mod reconnect;
mod server_list;
mod server_text;
mod stat;
mod stray;
mod timers;
mod withdrawal;
