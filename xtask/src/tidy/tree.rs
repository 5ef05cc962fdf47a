//! The files that the checks look at: the text files of the tree that version control does not ignore.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ignore::WalkBuilder;

use super::finding::Finding;
use super::tokens::{self, Token, Unreadable};

/// All text files.
pub(crate) struct Tree {
    root: PathBuf,
    files: Vec<File>,
}

impl Tree {
    /// Reads the files below `root`.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let walk = WalkBuilder::new(root)
            .standard_filters(false)
            .git_ignore(true)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        for entry in walk {
            let entry = entry?;
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let bytes =
                std::fs::read(entry.path()).with_context(|| format!("reading {}", entry.path().display()))?;
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            // Binary files have no lines to check.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(File::new(path.to_string_lossy().replace('\\', "/"), text));
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        mark_test_modules(&mut files);
        Ok(Self { root: root.to_owned(), files })
    }

    /// The files, sorted by path.
    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// Whether there is a file or directory at this path relative to the root.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }
}

/// A text file.
pub(crate) struct File {
    path: String,
    text: String,
    /// The tokens of a Rust file.
    tokens: Option<Result<Vec<Token>, Unreadable>>,
    /// Compiled for tests only, by its place or because `#[cfg(test)] mod name;` brings it in.
    test_only: bool,
}

impl File {
    /// A file with this text at `path`, relative to the root.
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let tokens = path.ends_with(".rs").then(|| tokens::read(&text));
        let outside = |part| {
            matches!(part, "tests" | "tests.rs" | "tests-c" | "benches" | "examples" | "examples-c" | "fuzz")
        };
        let test_only = path.split('/').any(outside);
        Self { path, text, tokens, test_only }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The lines with their numbers, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        // `str::lines` would hide a carriage return.
        self.text.split_terminator('\n').enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The tokens, when this is a Rust file.
    pub(crate) fn tokens(&self) -> Option<&Result<Vec<Token>, Unreadable>> {
        self.tokens.as_ref()
    }

    /// What follows the last dot of the name; empty when there is none.
    pub(crate) fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    pub(crate) fn is_test_only(&self) -> bool {
        self.test_only
    }

    /// Whether the file is in the `src` of the crate in directory `krate` and not for its tests alone.
    pub(crate) fn is_source_of(&self, krate: &str) -> bool {
        let below = self.path.strip_prefix(krate).and_then(|rest| rest.strip_prefix("/src/"));
        below.is_some() && !self.test_only
    }

    /// A finding in this file.
    pub(crate) fn finding(&self, line: usize, rule: &'static str, message: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, rule, message: message.into() }
    }
}

fn mark_test_modules(files: &mut [File]) {
    let mut test_only = HashSet::new();
    for file in files.iter() {
        let Some(Ok(tokens)) = file.tokens() else { continue };
        let directory = module_directory(&file.path);
        for name in tokens::test_modules(tokens) {
            test_only.insert(format!("{directory}/{name}"));
        }
    }
    for file in files {
        let path = file.path.strip_suffix(".rs").unwrap_or(&file.path);
        // `a/b/c` is brought in by `a/b/c`, or is below `a/b` or `a`.
        let ends = path.char_indices().filter_map(|(index, c)| (c == '/').then_some(index));
        file.test_only |= ends.chain([path.len()]).any(|end| test_only.contains(&path[..end]));
    }
}

/// The directory where the submodules of a file are.
fn module_directory(path: &str) -> &str {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => directory,
        _ => path.strip_suffix(".rs").unwrap_or(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_modules_are_known_wherever_their_file_is() {
        let mut files = [
            File::new("a/src/lib.rs", "#[cfg(test)] mod simulated; mod ring;"),
            File::new("a/src/simulated.rs", ""),
            File::new("a/src/simulated/time.rs", ""),
            File::new("a/src/ring.rs", "#[cfg(test)] mod vectors;"),
            File::new("a/src/ring/vectors.rs", ""),
            File::new("a/src/ring/point.rs", ""),
            File::new("a/src/ring/tests.rs", ""),
            File::new("a/tests/ring.rs", ""),
        ];
        mark_test_modules(&mut files);
        let marked: Vec<_> = files.iter().map(File::is_test_only).collect();
        assert_eq!(marked, [false, true, true, false, true, false, true, true]);
    }

    #[test]
    fn source_is_told_by_the_crates_whole_name() {
        let file = File::new("omcache-ffi/src/lib.rs", "");
        assert!(file.is_source_of("omcache-ffi"));
        assert!(!file.is_source_of("omcache"));
        assert!(!File::new("omcache/tests/src/a.rs", "").is_source_of("omcache"));
        assert!(!File::new("omcache/build.rs", "").is_source_of("omcache"));
    }

    #[test]
    fn extensions_belong_to_the_name() {
        assert_eq!(File::new("a.b/run", "").extension(), "");
        assert_eq!(File::new("a/b.tar.md", "").extension(), "md");
    }
}
