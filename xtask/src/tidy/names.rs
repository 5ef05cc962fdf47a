//! A module is called after its purpose: there is none for leftovers.

use super::finding::Finding;
use super::tokens::Token;
use super::tree::File;

const RULE: &str = "name";
const REFUSED: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];
const CODE: &[&str] = &["c", "h", "py", "pyi", "rs"];

/// Checks the name of a file of code, and of the directories above it.
pub(crate) fn check(file: &File) -> Option<Finding> {
    if !CODE.contains(&file.extension()) {
        return None;
    }
    let bad = file.path().split('/').find(|part| {
        let stem = part.split_once('.').map_or(*part, |(stem, _)| stem);
        REFUSED.contains(&stem.to_ascii_lowercase().as_str())
    })?;
    Some(file.finding(1, RULE, format!("`{bad}` tells no purpose")))
}

/// Checks the modules that a Rust file declares.
pub(crate) fn check_modules(file: &File, tokens: &[Token]) -> Vec<Finding> {
    let declared = tokens.windows(2).filter(|pair| pair[0].is("mod"));
    let bad = declared.filter(|pair| REFUSED.contains(&pair[1].text.as_str()));
    bad.map(|pair| file.finding(pair[1].line, RULE, format!("module `{}` tells no purpose", pair[1].text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_are_named_after_a_purpose() {
        let refused = |path: &str| check(&File::new(path, "")).is_some();
        assert!(refused("omcache/src/util.rs"));
        assert!(refused("omcache/tests/common/mod.rs"));
        assert!(refused("omcache-py/python/Helpers.py"));
        assert!(!refused("omcache/src/utility_bill.rs"));
        assert!(!refused("docs/common.md"));
    }

    #[test]
    fn modules_are_named_after_a_purpose() {
        let file = File::new("a/src/lib.rs", "mod ring;\npub(crate) mod misc { }\nfn common() {}");
        let found = check_modules(&file, file.tokens().unwrap().as_ref().unwrap());
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2]);
    }
}
