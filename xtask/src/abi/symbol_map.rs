//! The version script `symbol.map`: which symbols the library has, and under which version.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};

/// The versions, oldest first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SymbolMap {
    nodes: Vec<Node>,
}

#[derive(Debug, PartialEq, Eq)]
struct Node {
    name: String,
    symbols: Vec<String>,
    /// The version that it goes on from.
    parent: Option<String>,
}

impl SymbolMap {
    /// Reads a version script of named versions that list symbols, and `local: *;` in the first.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut nodes = Vec::<Node>::new();
        let mut open = false;
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_suffix(" {") {
                nodes.push(Node { name: name.to_owned(), symbols: Vec::new(), parent: None });
                open = true;
            } else if let Some(parent) = line.strip_prefix('}') {
                let parent = parent.strip_suffix(';').context("a version does not end in `;`")?.trim();
                let node = nodes.last_mut().context("an end without a version")?;
                node.parent = (!parent.is_empty()).then(|| parent.to_owned());
                open = false;
            } else if let Some(symbol) = line.strip_suffix(';').filter(|symbol| open && *symbol != "*") {
                nodes.last_mut().context("a symbol without a version")?.symbols.push(symbol.to_owned());
            }
        }
        let parents = nodes.iter().map(|node| node.parent.as_deref());
        let before = std::iter::once(None).chain(nodes.iter().map(|node| Some(node.name.as_str())));
        if nodes.is_empty() || !parents.eq(before.take(nodes.len())) {
            bail!("the versions do not go on from one another");
        }
        Ok(Self { nodes })
    }

    /// Each symbol with its version, as in `omcache_get@@OMCACHE_0.1`.
    pub(super) fn versioned(&self) -> impl Iterator<Item = String> {
        self.nodes
            .iter()
            .flat_map(|node| node.symbols.iter().map(|symbol| format!("{symbol}@@{}", node.name)))
    }

    /// The script for the versions up to this one.
    pub(super) fn until(&self, last: &str) -> Result<String> {
        let end = self.nodes.iter().position(|node| node.name == last);
        let end = end.with_context(|| format!("symbol.map has no version {last}"))?;
        let mut text = String::new();
        for node in &self.nodes[..=end] {
            let local = if node.parent.is_none() { " local: *;" } else { "" };
            let parent = node.parent.as_deref().unwrap_or_default();
            let _ =
                writeln!(text, "{} {{ global: {};{local} }} {parent};", node.name, node.symbols.join("; "));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "/* x */\nA_1 {\n  global:\n    a;\n    b;\n\n  local:\n    *;\n};\n\nA_2 {\n  global:\n    c;\n} A_1;\n";

    #[test]
    fn symbols_have_the_version_that_lists_them() {
        let map = SymbolMap::parse(MAP).unwrap();
        assert_eq!(map.versioned().collect::<Vec<_>>(), ["a@@A_1", "b@@A_1", "c@@A_2"]);
        assert_eq!(map.until("A_1").unwrap(), "A_1 { global: a; b; local: *; } ;\n");
        assert!(map.until("A_2").unwrap().ends_with("A_2 { global: c; } A_1;\n"));
        assert!(map.until("A_3").is_err());
    }

    #[test]
    fn versions_go_on_from_one_another() {
        assert!(SymbolMap::parse("").is_err());
        assert!(SymbolMap::parse("A_1 {\n a;\n};\nA_2 {\n b;\n};\n").is_err());
        assert!(SymbolMap::parse("A_1 {\n a;\n}\n").is_err());
    }
}
