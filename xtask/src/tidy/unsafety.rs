//! `unsafe` stands in `omcache-ffi` alone, and each block there says why it is sound.

use super::finding::Finding;
use super::tokens::Token;
use super::tree::File;

const RULE: &str = "unsafe";
const HOME: &str = "omcache-ffi/";

/// Checks any Rust file.
pub(crate) fn check(file: &File, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if !token.is("unsafe") {
            continue;
        }
        if !file.path().starts_with(HOME) {
            findings.push(file.finding(token.line, RULE, "`unsafe` outside omcache-ffi"));
            continue;
        }
        // The duties of an `unsafe fn` are in its documentation, which clippy checks.
        let asserts = tokens.get(index + 1).is_some_and(|next| next.is("{") || next.is("impl"));
        if asserts && !has_reason(file.text(), token.line) {
            findings.push(file.finding(token.line, RULE, "no `SAFETY:` comment before this `unsafe`"));
        }
    }
    findings
}

/// Whether a comment with the reason is right before the statement at `line`, or on the line itself.
fn has_reason(text: &str, line: usize) -> bool {
    let states = |line: &str| line.split_once("//").is_some_and(|(_, comment)| comment.contains("SAFETY:"));
    let lines: Vec<_> = text.lines().take(line).map(str::trim).collect();
    let Some((own, before)) = lines.split_last() else { return false };
    if states(own) {
        return true;
    }
    for line in before.iter().rev() {
        if line.starts_with("//") {
            if states(line) {
                return true;
            }
        } else if line.is_empty() || line.ends_with([';', '{', '}', ',']) {
            // The end of what comes before the statement.
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, source: &str) -> Vec<usize> {
        let file = File::new(path, source);
        check(&file, file.tokens().unwrap().as_ref().unwrap()).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn outside_its_crate_it_is_refused() {
        assert_eq!(lines("omcache/src/a.rs", "// SAFETY: no\nfn f() { unsafe { g() } }"), [2]);
        assert_eq!(lines("omcache/tests/a.rs", "unsafe impl Send for X {}"), [1]);
        assert_eq!(lines("omcache/src/a.rs", "#![forbid(unsafe_code)]\n// unsafe\n\"unsafe\""), [0; 0]);
    }

    #[test]
    fn in_its_crate_it_needs_a_reason() {
        let path = "omcache-ffi/src/pointer.rs";
        assert_eq!(lines(path, "fn f() {\n    unsafe { g() }\n}"), [2]);
        assert_eq!(lines(path, "fn f() {\n    // SAFETY: checked.\n    unsafe { g() }\n}"), [0; 0]);
        assert_eq!(
            lines(
                path,
                "fn f() {\n    // SAFETY: checked\n    // above.\n    let a =\n        unsafe { g() };\n}"
            ),
            [0; 0]
        );
        assert_eq!(lines(path, "// SAFETY: a.\nlet a = unsafe { g() };\nlet b = unsafe { g() };"), [3]);
        assert_eq!(lines(path, "unsafe { g() } // SAFETY: checked."), [0; 0]);
        assert_eq!(lines(path, "unsafe impl Send for X {}"), [1]);
    }

    #[test]
    fn declarations_and_attributes_need_none() {
        let source =
            "#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn f() {}\nunsafe extern \"C\" { fn g(); }";
        assert_eq!(lines("omcache-ffi/src/command.rs", source), [0; 0]);
    }
}
