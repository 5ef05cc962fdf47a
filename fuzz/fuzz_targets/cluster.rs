//! A cluster of servers in a simulated world: sequences of operations, four bytes each.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../omcache-conn/tests/sim/mod.rs"]
mod sim;

use sim::script::{Op, Script, Setup, play};

/// Operations in one script: more only make it slow.
const LONGEST: usize = 400;

fuzz_target!(|input: &[u8]| {
    let Some((&[servers, flags, opaque], rest)) = input.split_first_chunk::<3>() else { return };
    let (ops, _) = rest.as_chunks::<4>();
    let script = Script(ops.iter().take(LONGEST).copied().map(Op::from).collect());
    play(Setup { servers, flags, opaque }, &script, false);
});
