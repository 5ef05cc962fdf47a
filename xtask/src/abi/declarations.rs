//! The functions and data objects that a header of plain declarations declares, and a library that has nothing else.

use std::fmt::Write as _;

/// What a header declares, in its order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Declarations {
    /// As in `int omcache_free(omcache_t *mc)`.
    functions: Vec<String>,
    /// As in `omcache_dist_t omcache_dist_libmemcached_ketama`.
    objects: Vec<String>,
}

impl Declarations {
    /// Reads a header. Comments, lines of the preprocessor and types are passed over.
    pub(super) fn of(header: &str) -> Self {
        let mut found = Self::default();
        for statement in statements(&without_comments(header)) {
            if let Some(object) = statement.strip_prefix("extern ") {
                found.objects.push(object.to_owned());
            } else if !statement.starts_with("typedef ") {
                found.functions.push(statement);
            }
        }
        found
    }

    /// A C file that defines all of it and does nothing.
    pub(super) fn hollow(&self, header: &str) -> String {
        let mut text = format!("/* The interface without what is behind it. */\n#include \"{header}\"\n");
        for function in &self.functions {
            let body = if function.starts_with("void ") { "{ }" } else { "{ return 0; }" };
            let _ = writeln!(text, "{function} {body}");
        }
        for object in &self.objects {
            // Not zero throughout, which would be another section.
            let _ = writeln!(text, "{object} = {{OMCACHE_VERSION, 0, 0, 0, 0}};");
        }
        text
    }
}

fn without_comments(header: &str) -> String {
    let mut rest = header;
    let mut text = String::new();
    while let Some((before, after)) = rest.split_once("/*") {
        text += before;
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    text + rest
}

/// Statements on the outermost level, in one line each.
fn statements(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement = String::new();
    let mut depth = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if c == ';' && depth == 0 {
                found.push(std::mem::take(&mut statement).split_whitespace().collect::<Vec<_>>().join(" "));
            } else {
                statement.push(c);
            }
        }
        statement.push(' ');
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "/* A; comment. */\n#include <x.h>\ntypedef struct a { int b; } a;\n\
                          int f(a *x,\n      int y); /** Doc; */\nvoid g(void);\nextern a object;\n";

    #[test]
    fn functions_and_objects_are_found_and_types_are_not() {
        let found = Declarations::of(HEADER);
        assert_eq!(found.functions, ["int f(a *x, int y)", "void g(void)"]);
        assert_eq!(found.objects, ["a object"]);
    }

    #[test]
    fn what_is_hollow_defines_everything() {
        let text = Declarations::of(HEADER).hollow("x.h");
        assert!(
            text.contains("\nint f(a *x, int y) { return 0; }\nvoid g(void) { }\na object = {"),
            "{text}"
        );
    }
}
