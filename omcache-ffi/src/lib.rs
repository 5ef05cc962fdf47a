//! `libomcache.so.0`: the C interface of OMcache.
//!
//! Names, layouts and meanings are those of OMcache 0.3's `libomcache.so.0`; what is new stands under the symbol version
//! `OMCACHE_1.0`. The headers in `include/` are the documentation for C programs. Nothing here is meant for Rust programs:
//! they use the `omcache` crate.
//!
//! # How a call runs
//!
//! An exported function checks its pointers, describes what it wants in an `op::Op` and runs it in turns. Each turn
//! works on the handle and ends before anything of the program's is called: log and response callbacks run from the
//! outermost frame, where nothing is borrowed, locked or waiting to be dropped. A callback so may call the library again,
//! or leave by `longjmp`.

#![allow(non_camel_case_types)]

mod boundary;
mod command;
mod deliver;
mod dist;
mod extra;
mod failure;
mod frames;
mod handle;
mod io;
mod log;
mod lone;
mod many;
mod op;
mod ret;
mod server;
mod settings;
pub mod types;

pub use command::*;
pub use dist::*;
pub use extra::*;
pub use failure::omcache_last_error;
pub use handle::{omcache_free, omcache_init};
pub use io::*;
pub use log::*;
pub use ret::omcache_strerror;
pub use server::*;
pub use settings::*;
