//! The wire codecs and the hashing stand on `core` and `alloc` alone, and say so.

use super::finding::Finding;
use super::tokens::Token;
use super::tree::File;

const ROOTS: &[&str] = &["omcache-proto/src/lib.rs", "omcache-hash/src/lib.rs"];

/// Checks that the crate root has a `no_std` attribute, bare or in a `cfg_attr`.
pub(crate) fn check(file: &File, tokens: &[Token]) -> Option<Finding> {
    let wanted = ROOTS.contains(&file.path()) && !tokens.iter().any(|token| token.is("no_std"));
    wanted.then(|| file.finding(1, "no-std", "this crate is `#![no_std]`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuses(path: &str, source: &str) -> bool {
        let file = File::new(path, source);
        check(&file, file.tokens().unwrap().as_ref().unwrap()).is_some()
    }

    #[test]
    fn the_attribute_must_be_in_the_root() {
        assert!(refuses("omcache-proto/src/lib.rs", "//! no_std"));
        assert!(!refuses("omcache-proto/src/lib.rs", "#![no_std]"));
        assert!(!refuses("omcache-hash/src/lib.rs", "#![cfg_attr(not(feature = \"std\"), no_std)]"));
        assert!(!refuses("omcache/src/lib.rs", ""));
    }
}
