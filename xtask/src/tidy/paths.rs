//! The paths in a list of tokens, with imports followed: `Instant::now` is known as `std::time::Instant::now`.

use std::collections::HashMap;

use super::tokens::{Token, after_group};

/// A path, resolved as far as the file's own imports tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The last one is `*` for a glob import.
    pub(crate) segments: Vec<String>,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Path {
    /// What follows `prefix`, when the path starts with it.
    pub(crate) fn below(&self, prefix: &[&str]) -> Option<&[String]> {
        let (head, tail) = self.segments.split_at_checked(prefix.len())?;
        (head == prefix).then_some(tail)
    }
}

/// All paths, of one segment or more, in their order.
pub(crate) fn read(tokens: &[Token]) -> Vec<Path> {
    let mut reader = Reader { tokens, paths: Vec::new(), imports: HashMap::new() };
    let mut index = 0;
    while index < tokens.len() {
        let importing = index > 0 && tokens[index - 1].is("use");
        let start = if importing && tokens[index].is("::") { index + 1 } else { index };
        index = reader.path(start, &[], importing).max(index + 1);
    }
    let Reader { mut paths, imports, .. } = reader;
    for path in &mut paths {
        let known = path.segments.first().and_then(|first| imports.get(first));
        if let Some(known) = known.filter(|known| known.first() != path.segments.first()) {
            path.segments.splice(..1, known.iter().cloned());
        }
    }
    paths
}

struct Reader<'a> {
    tokens: &'a [Token],
    paths: Vec<Path>,
    /// From a name in this file to the path that it stands for.
    imports: HashMap<String, Vec<String>>,
}

impl Reader<'_> {
    /// Reads the path that starts at `index`, if one does; returns the index after it.
    fn path(&mut self, mut index: usize, prefix: &[String], importing: bool) -> usize {
        let mut segments = prefix.to_vec();
        let line = self.tokens.get(index).map_or(0, |token| token.line);
        while let Some(token) = self.tokens.get(index) {
            if token.is("{") && importing {
                return self.group(index, &segments);
            }
            let glob = importing && token.is("*");
            if !glob && !token.is_word() {
                break;
            }
            index += 1;
            if !(token.is("self") && segments.len() == prefix.len() && !prefix.is_empty()) {
                segments.push(token.text.clone());
            }
            if !self.tokens.get(index).is_some_and(|next| next.is("::")) {
                break;
            }
            index += 1;
        }
        if segments.is_empty() {
            return index;
        }
        if importing {
            let renamed = self.tokens.get(index).is_some_and(|token| token.is("as"));
            let name =
                if renamed { self.tokens.get(index + 1).map(|token| &token.text) } else { segments.last() };
            if let Some(name) = name {
                self.imports.insert(name.clone(), segments.clone());
            }
            if renamed {
                index += 2;
            }
        }
        self.paths.push(Path { segments, line });
        index
    }

    /// Reads the paths between the braces at `open`.
    fn group(&mut self, open: usize, prefix: &[String]) -> usize {
        let end = after_group(self.tokens, open);
        let mut index = open + 1;
        while index + 1 < end {
            let separator = self.tokens[index].is(",");
            index = if separator { index + 1 } else { self.path(index, prefix, true).max(index + 1) };
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens;
    use super::*;

    fn paths(source: &str) -> Vec<String> {
        read(&tokens::read(source).unwrap()).into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn groups_are_taken_apart() {
        let found = paths("use std::{io::{self, Read as _}, net::*, time::Instant as Clock};");
        assert_eq!(found, ["use", "std::io", "std::io::Read", "std::net::*", "std::time::Instant"]);
    }

    #[test]
    fn imported_names_are_followed() {
        let found = paths("use std::{io, time::Instant as Clock}; fn f() { Clock::now(); io::stdin() }");
        assert!(found.contains(&"std::time::Instant::now".to_owned()), "{found:?}");
        assert!(found.contains(&"std::io::stdin".to_owned()), "{found:?}");
    }

    #[test]
    fn names_that_are_not_imported_stay() {
        let found = paths("fn f() { net::send(x as u8); ::core::mem::take(y) }");
        assert!(found.contains(&"net::send".to_owned()), "{found:?}");
        assert!(found.contains(&"core::mem::take".to_owned()), "{found:?}");
        assert!(!found.iter().any(|path| path.starts_with("std")), "{found:?}");
    }

    #[test]
    fn a_path_knows_its_line_and_what_is_below_it() {
        let found = read(&tokens::read("\n\nstd::net::Ipv4Addr::LOCALHOST").unwrap());
        assert_eq!(found[0].line, 3);
        assert_eq!(found[0].below(&["std", "net"]).unwrap(), ["Ipv4Addr", "LOCALHOST"]);
        assert_eq!(found[0].below(&["std", "io"]), None);
        assert_eq!(found[0].below(&["std", "net", "Ipv4Addr", "LOCALHOST", "x"]), None);
    }
}
