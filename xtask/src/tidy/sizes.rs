//! A file that grows past a screenful of screenfuls has more than one purpose.

use super::finding::Finding;
use super::tree::File;

/// Lines of a source file.
const SOURCE: usize = 400;

/// Lines of a file of tests, benchmarks or examples.
const TESTS: usize = 800;

/// Files that may be longer: the path, the lines, the reason.
const EXCEPTIONS: &[(&str, usize, &str)] =
    &[("omcache-ffi/include/omcache_cdef.h", 450, "CFFI reads all declarations from one file")];

/// Checks the length of a file of code.
pub(crate) fn check(file: &File) -> Option<Finding> {
    check_with(file, EXCEPTIONS)
}

fn check_with(file: &File, exceptions: &[(&str, usize, &str)]) -> Option<Finding> {
    if !["c", "h", "py", "rs"].contains(&file.extension()) {
        return None;
    }
    let usual = if file.is_test_only() { TESTS } else { SOURCE };
    let excepted = exceptions.iter().find(|(path, ..)| *path == file.path());
    let limit = excepted.map_or(usual, |(_, lines, _)| *lines);
    let lines = file.lines().count();
    (lines > limit).then(|| file.finding(limit + 1, "size", format!("{lines} lines; at most {limit}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, lines: usize) -> File {
        File::new(path, "//\n".repeat(lines))
    }

    #[test]
    fn source_has_its_limit_and_tests_theirs() {
        assert!(check_with(&file("a/src/b.rs", 400), &[]).is_none());
        assert_eq!(check_with(&file("a/src/b.rs", 401), &[]).unwrap().line, 401);
        assert!(check_with(&file("a/tests/b.rs", 800), &[]).is_none());
        assert!(check_with(&file("a/src/b/tests.rs", 801), &[]).is_some());
        assert!(check_with(&file("docs/b.md", 2_000), &[]).is_none());
    }

    #[test]
    fn an_exception_is_for_one_file_and_has_a_limit_too() {
        let exceptions = [("a/src/b.rs", 500, "a table")];
        assert!(check_with(&file("a/src/b.rs", 500), &exceptions).is_none());
        assert!(check_with(&file("a/src/b.rs", 501), &exceptions).is_some());
        assert!(check_with(&file("a/src/c.rs", 401), &exceptions).is_some());
    }
}
