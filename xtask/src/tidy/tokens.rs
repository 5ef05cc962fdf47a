//! Rust source as a flat list of tokens, so that no check mistakes a comment or a string for code.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A token: an identifier, a literal with its quotes, a bracket, `::`, or one character of punctuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// Source that is not made of Rust's tokens.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c == '_' || c.is_alphabetic()) && !self.text.contains(['"', '\''])
    }
}

/// Reads source; a documentation comment becomes its `doc` attribute, other comments are left out.
pub(crate) fn read(source: &str) -> Result<Vec<Token>, Unreadable> {
    let stream: TokenStream = source.parse().map_err(|error: proc_macro2::LexError| Unreadable {
        line: error.span().start().line,
        message: error.to_string(),
    })?;
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    Ok(tokens)
}

/// Whether `tokens` starts with these texts.
pub(crate) fn starts_with(tokens: &[Token], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.is(text))
}

/// The tokens without the items that exist for tests alone.
pub(crate) fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut index = 0;
    while index < tokens.len() {
        match test_item(tokens, index) {
            Some((_, end)) => index = end,
            None => {
                kept.push(tokens[index].clone());
                index += 1;
            }
        }
    }
    kept
}

/// The names of the modules in files of their own that exist for tests alone.
pub(crate) fn test_modules(tokens: &[Token]) -> Vec<&str> {
    let items = (0..tokens.len()).filter_map(|index| test_item(tokens, index));
    items
        .filter_map(|(start, end)| match &tokens[start..end] {
            [.., keyword, name, semicolon] if keyword.is("mod") && semicolon.is(";") => {
                Some(name.text.as_str())
            }
            _ => None,
        })
        .collect()
}

/// When a test attribute starts at `index`: where its item starts, and the index after it.
fn test_item(tokens: &[Token], index: usize) -> Option<(usize, usize)> {
    let inner = starts_with(&tokens[index..], &["#", "!", "["]);
    let open = index + if inner { 2 } else { 1 };
    if !tokens[index].is("#") || !tokens.get(open)?.is("[") || !is_test_attribute(&tokens[open + 1..]) {
        return None;
    }
    if inner {
        // The attribute of the whole file.
        return Some((tokens.len(), tokens.len()));
    }
    let mut start = after_group(tokens, open);
    while starts_with(tokens.get(start..)?, &["#", "["]) {
        start = after_group(tokens, start + 1);
    }
    Some((start, item_end(tokens, start)))
}

fn is_test_attribute(attribute: &[Token]) -> bool {
    starts_with(attribute, &["test", "]"])
        || starts_with(attribute, &["cfg", "(", "test", ")"])
        || starts_with(attribute, &["cfg", "(", "all", "(", "test", ","])
}

/// The index after an item: its block or its semicolon; a field, variant or arm ends at its comma.
fn item_end(tokens: &[Token], start: usize) -> usize {
    const ITEMS: &[&str] = &[
        "async",
        "const",
        "enum",
        "extern",
        "fn",
        "impl",
        "macro_rules",
        "mod",
        "static",
        "struct",
        "trait",
        "type",
        "union",
        "unsafe",
        "use",
    ];
    let mut index = start;
    if tokens.get(index).is_some_and(|token| token.is("pub")) {
        index += 1;
        if tokens.get(index).is_some_and(|token| token.is("(")) {
            index = after_group(tokens, index);
        }
    }
    let is_item = tokens.get(index).is_some_and(|token| ITEMS.contains(&token.text.as_str()));
    while let Some(token) = tokens.get(index) {
        match token.text.as_str() {
            ";" => return index + 1,
            "," if !is_item => return index + 1,
            "{" => return after_group(tokens, index),
            "(" | "[" => index = after_group(tokens, index),
            ")" | "]" | "}" => return index,
            _ => index += 1,
        }
    }
    index
}

/// The index after the bracket that closes the one at `open`.
pub(crate) fn after_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let mut line = tree.span().start().line;
        let text = match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line });
                let end = group.span_close().start().line;
                flatten(group.stream(), tokens);
                line = end;
                close.to_owned()
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint => {
                let next =
                    trees.next_if(|next| matches!(next, TokenTree::Punct(next) if next.as_char() == ':'));
                if next.is_some() { "::".to_owned() } else { ":".to_owned() }
            }
            other => other.to_string(),
        };
        tokens.push(Token { text, line });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(tokens: &[Token]) -> String {
        tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn kept(source: &str) -> String {
        texts(&without_tests(&read(source).unwrap()))
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        let tokens = read("// unsafe\nlet a = \"unsafe {\"; /* unsafe */ r#\"unsafe\"#").unwrap();
        assert!(!tokens.iter().any(|token| token.is("unsafe")));
        assert_eq!(tokens[0], Token { text: "let".to_owned(), line: 2 });
    }

    #[test]
    fn double_colons_are_one_token() {
        assert_eq!(texts(&read("a::b: ::c<d>").unwrap()), "a :: b : :: c < d >");
    }

    #[test]
    fn lines_are_those_of_the_brackets() {
        let lines: Vec<_> = read("f(\n1\n)").unwrap().iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 1, 2, 3]);
    }

    #[test]
    fn unbalanced_source_is_told_with_its_line() {
        assert_eq!(read("fn a() {}\n\n)").unwrap_err().line, 3);
    }

    #[test]
    fn test_items_are_left_out() {
        assert_eq!(kept("a; #[cfg(test)] mod tests { b } c"), "a ; c");
        assert_eq!(kept("#[test] #[should_panic] fn f<A, B>(x: [u8; 2]) -> A { b } c"), "c");
        assert_eq!(kept("#[cfg(all(test, unix))] pub(crate) use a::{b, c}; d"), "; d");
        assert_eq!(kept("struct S { #[cfg(test)] a: u8, b: u8 }"), "struct S { b : u8 }");
        assert_eq!(kept("f(a, #[cfg(test)] b)"), "f ( a , )");
        assert_eq!(kept("#![cfg(test)] a b"), "");
    }

    #[test]
    fn items_that_exist_without_tests_are_kept() {
        for source in ["# [cfg (any (test , unix))] fn a () { }", "# [cfg (not (test))] fn a () { }"] {
            assert_eq!(kept(source).replace(' ', ""), source.replace(' ', ""));
        }
    }

    #[test]
    fn test_modules_are_named() {
        let source =
            "mod a; #[cfg(test)] mod b; #[cfg(test)] mod c { } #[cfg(test)] #[path = \"x\"] pub mod d;";
        assert_eq!(test_modules(&read(source).unwrap()), ["b", "d"]);
    }
}
