//! Random sequences of operations on a cluster in a simulated world.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sim;

use proptest::prelude::*;

use sim::script::{Op, Script, Setup, play};

fn setups() -> impl Strategy<Value = Setup> {
    any::<(u8, u8, u8)>().prop_map(|(servers, flags, opaque)| Setup { servers, flags, opaque })
}

fn scripts(longest: usize) -> impl Strategy<Value = Script> {
    prop::collection::vec(any::<[u8; 4]>().prop_map(Op::from), 0..longest).prop_map(Script)
}

/// As many cases as `PROPTEST_CASES` says.
fn cases(default: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(default), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(2000))]

    /// What the ledger holds against the servers holds, and everything comes to rest.
    #[test]
    fn every_request_ends_once_and_truly(setup in setups(), script in scripts(60)) {
        play(setup, &script, false);
    }
}

proptest! {
    #![proptest_config(cases(120))]

    /// Long lives of a cluster.
    #[test]
    fn every_request_ends_once_and_truly_in_long_scripts(setup in setups(), script in scripts(1000)) {
        play(setup, &script, false);
    }

    /// The deadline that is told is never later than a timer: who looks more often sees the same.
    #[test]
    fn looking_more_often_changes_nothing(setup in setups(), script in scripts(80)) {
        let (lazy, eager) = (play(setup, &script, false), play(setup, &script, true));
        prop_assert_eq!(lazy, eager);
    }
}
