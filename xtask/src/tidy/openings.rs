//! A file of code opens with its purpose.

use super::finding::Finding;
use super::tree::File;

const RULE: &str = "opening";

/// Checks the first line of Rust, Python and C files.
pub(crate) fn check(file: &File) -> Option<Finding> {
    let text = file.text();
    let first = text.lines().next().unwrap_or_default();
    let (opens, wanted) = match file.extension() {
        "rs" => (first.strip_prefix("//!").is_some_and(has_words), "a `//!` line"),
        "py" => (python_docstring(text), "a docstring"),
        "c" | "h" => (first.starts_with("/*") || first.starts_with("//"), "a comment"),
        _ => return None,
    };
    (!opens)
        .then(|| file.finding(1, RULE, format!("the file must open with {wanted} that tells its purpose")))
}

/// The docstring comes before anything but comments, such as the line that names the interpreter.
fn python_docstring(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let first = first.unwrap_or_default();
    let first = first.strip_prefix(['r', 'R']).unwrap_or(first);
    ["\"\"\"", "'''", "\"", "'"].iter().any(|quote| first.starts_with(quote))
}

fn has_words(text: &str) -> bool {
    text.contains(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str, text: &str) -> bool {
        check(&File::new(path, text)).is_some()
    }

    #[test]
    fn rust_files_open_with_documentation() {
        assert!(!refused("a.rs", "//! The ring.\nfn a() {}"));
        for text in ["", "//!\n//! The ring.", "// The ring.", "\n//! The ring.", "#![no_std]\n//! The ring."]
        {
            assert!(refused("a.rs", text), "{text:?}");
        }
    }

    #[test]
    fn python_files_open_with_a_docstring() {
        for text in
            ["\"\"\"The ring.\"\"\"", "#!/usr/bin/env python3\n\n'''The ring.'''", "r\"\"\"The\nring.\"\"\""]
        {
            assert!(!refused("a.py", text), "{text:?}");
        }
        for text in ["", "import os\n\"\"\"The ring.\"\"\"", "# The ring.\n"] {
            assert!(refused("a.py", text), "{text:?}");
        }
    }

    #[test]
    fn c_files_open_with_a_comment() {
        assert!(!refused("a.h", "/* The ring. */"));
        assert!(!refused("a.c", "// The ring."));
        assert!(refused("a.c", "#include <stdio.h>"));
        assert!(!refused("a.toml", "[package]"));
    }
}
