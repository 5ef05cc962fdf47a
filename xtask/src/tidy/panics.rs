//! A library reports what goes wrong; it does not panic.

use super::finding::Finding;
use super::tokens::{self, Token};
use super::tree::File;

const METHODS: &[&str] = &["unwrap", "unwrap_err", "expect", "expect_err"];
const MACROS: &[&str] = &["panic", "todo", "unimplemented"];

/// Checks a source file of a library crate, without its tests.
pub(crate) fn check(file: &File, tokens: &[Token]) -> Vec<Finding> {
    let tokens = tokens::without_tests(tokens);
    let mut findings = Vec::new();
    for window in tokens.windows(2) {
        let [before, after] = window else { continue };
        let method = METHODS.contains(&after.text.as_str()) && (before.is(".") || before.is("::"));
        let called = MACROS.contains(&before.text.as_str()) && after.is("!");
        if method {
            findings.push(file.finding(after.line, "panic", format!("`{}` in library code", after.text)));
        } else if called {
            findings.push(file.finding(before.line, "panic", format!("`{}!` in library code", before.text)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str) -> Vec<usize> {
        let file = File::new("omcache/src/a.rs", source);
        check(&file, file.tokens().unwrap().as_ref().unwrap()).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn panicking_calls_are_refused() {
        assert_eq!(lines("fn f() {\n a.unwrap();\n a\n.expect(\"b\");\n g(Option::unwrap);\n}"), [2, 4, 5]);
        assert_eq!(lines("panic!(\"a\");\ntodo!();\nunimplemented!()"), [1, 2, 3]);
    }

    #[test]
    fn look_alikes_tests_and_documentation_are_let_through() {
        assert_eq!(
            lines("a.unwrap_or(b); a.expected(); #[expect(dead_code)] fn panic() { \"panic!\" }"),
            [0; 0]
        );
        assert_eq!(lines("/// a.unwrap()\nfn f() {} // b.unwrap()"), [0; 0]);
        assert_eq!(lines("#[cfg(test)]\nmod tests { fn f() { a.unwrap(); panic!() } }"), [0; 0]);
    }
}
