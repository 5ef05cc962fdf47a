//! The version script `symbol.map`: which symbols the library has, and under which version.

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

    /// Whether the versions of an earlier map are the first of this one, with the same symbols.
    pub(super) fn goes_on_from(&self, earlier: &Self) -> bool {
        let sorted = |node: &Node| {
            let mut symbols = node.symbols.clone();
            symbols.sort();
            (node.name.clone(), symbols)
        };
        let own = self.nodes.iter().map(sorted).take(earlier.nodes.len());
        own.eq(earlier.nodes.iter().map(sorted))
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
    }

    #[test]
    fn released_versions_stay_as_they_are() {
        let map = SymbolMap::parse(MAP).unwrap();
        let goes_on_from = |text: &str| map.goes_on_from(&SymbolMap::parse(text).unwrap());
        assert!(map.goes_on_from(&map) && goes_on_from("A_1 {\n b;\n a;\n};\n"));
        assert!(!goes_on_from("A_1 {\n a;\n};\n"), "one was added");
        assert!(!goes_on_from("A_1 {\n a;\n b;\n c;\n};\n"), "one went to another version");
        assert!(!goes_on_from("A_0 {\n a;\n b;\n};\n"));
        assert!(!goes_on_from("A_1 {\n a;\n b;\n};\nA_2 {\n c;\n} A_1;\nA_3 {\n d;\n} A_2;\n"));
    }

    #[test]
    fn versions_go_on_from_one_another() {
        assert!(SymbolMap::parse("").is_err());
        assert!(SymbolMap::parse("A_1 {\n a;\n};\nA_2 {\n b;\n};\n").is_err());
        assert!(SymbolMap::parse("A_1 {\n a;\n}\n").is_err());
    }
}
