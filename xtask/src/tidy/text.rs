//! Plain text: no trailing white space, no tab in Rust, no path that exists on one machine only.

use super::finding::Finding;
use super::tree::File;

/// Directories below the root that belong to a person or to a build machine, in any file.
const PERSONAL: &[&str] = &["Users", "builds", "home", "root", "work", "workspace"];

/// The same, in documents.
const TEMPORARY: &[&str] = &["tmp"];

/// Extensions of the files whose white space is ours; the empty one is for scripts without any.
const OURS: &[&str] = &["", "c", "h", "map", "md", "py", "pyi", "rs", "sh", "toml", "yaml", "yml"];

/// Checks any text file.
pub(crate) fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let extension = file.extension();
    for (number, line) in file.lines() {
        if OURS.contains(&extension) && line.ends_with(char::is_whitespace) {
            findings.push(file.finding(number, "white-space", "white space at the end of the line"));
        }
        if extension == "rs" && line.contains('\t') {
            findings.push(file.finding(number, "white-space", "a tab"));
        }
        let documents = if extension == "md" { TEMPORARY } else { &[] };
        for directory in PERSONAL.iter().chain(documents) {
            if names_below(line, directory) {
                let message = format!("a path below `/{directory}` exists on one machine only");
                findings.push(file.finding(number, "machine-path", message));
            }
        }
    }
    findings
}

/// Whether the line holds an absolute path of something in `/directory/`.
fn names_below(line: &str, directory: &str) -> bool {
    let pattern = format!("/{directory}/");
    line.match_indices(&pattern).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + pattern.len()..].chars().next();
        // Else the path is relative, a pattern, or part of an address on the web.
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.~*/})]".contains(c))
            && after.is_some_and(|c| c.is_alphanumeric() || "_.".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        check(&File::new(path, text)).iter().map(|finding| (finding.line, finding.rule)).collect()
    }

    #[test]
    fn white_space_is_checked_in_our_files() {
        assert_eq!(
            rules("a.rs", "a\nb \n\tc\nd\r\n"),
            [(2, "white-space"), (3, "white-space"), (4, "white-space")]
        );
        assert_eq!(rules("a.c", "\ta\n"), []);
        assert_eq!(rules(".ci/run", "a\t\n"), [(1, "white-space")]);
        assert_eq!(rules("a.csv", "a \n"), []);
    }

    #[test]
    fn paths_of_one_machine_are_refused() {
        for (directory, path) in [("home", "a.rs"), ("root", "a.toml"), ("work", "a.md"), ("tmp", "a.md")] {
            assert_eq!(
                rules(path, &format!("in /{directory}/someone/x")),
                [(1, "machine-path")],
                "{directory}"
            );
        }
        assert_eq!(rules("a.rs", &format!("bind(\"/{}/a.sock\")", "tmp")), []);
    }

    #[test]
    fn other_paths_are_let_through() {
        for text in
            ["https://example.org/home/page", "../work/x", "a/root/b", "/home/", "**/root/x", "/usr/bin/x"]
        {
            assert_eq!(rules("a.md", text), [], "{text}");
        }
    }
}
