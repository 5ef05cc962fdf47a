//! Every test runs: none is ignored, and no documentation example is.

use super::finding::Finding;
use super::tokens::{self, Token};
use super::tree::File;

const RULE: &str = "ignored-test";

/// Checks any Rust file.
pub(crate) fn check(file: &File, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if tokens::starts_with(&tokens[index..], &["#", "[", "ignore"]) {
            findings.push(file.finding(token.line, RULE, "`#[ignore]`: a test runs or goes"));
        }
    }
    for (number, line) in file.lines() {
        let line = line.trim_start();
        let documentation = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        let fence = documentation.and_then(|line| line.trim_start().strip_prefix("```"));
        if fence.is_some_and(|attributes| attributes.split(',').any(|word| word.trim().starts_with("ignore")))
        {
            findings.push(file.finding(
                number,
                RULE,
                "an ignored example; `no_run` or `text` tell what it is",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str) -> Vec<usize> {
        let file = File::new("omcache/tests/a.rs", source);
        check(&file, file.tokens().unwrap().as_ref().unwrap()).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn ignored_tests_and_examples_are_refused() {
        assert_eq!(lines("#[test]\n#[ignore]\nfn a() {}\n#[ignore = \"slow\"]\nfn b() {}"), [2, 4]);
        assert_eq!(lines("/// ```ignore\n/// a\n/// ```\nfn a() {}"), [1]);
        assert_eq!(lines("//! ```rust, ignore\n//! ```"), [1]);
    }

    #[test]
    fn examples_that_are_compiled_are_let_through() {
        assert_eq!(lines("/// ```no_run\n/// a // ignore\n/// ```\nfn ignore() {}"), [0; 0]);
    }
}
