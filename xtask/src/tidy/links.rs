//! Each relative link of a Markdown file leads to a file of this tree.

use pulldown_cmark::{Event, Parser, Tag};

use super::finding::Finding;
use super::tree::File;

const RULE: &str = "link";

/// Checks the links of a Markdown file; `exists` answers for paths relative to the root.
pub(crate) fn check(file: &File, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (event, range) in Parser::new(file.text()).into_offset_iter() {
        let (Event::Start(Tag::Link { dest_url, .. }) | Event::Start(Tag::Image { dest_url, .. })) = event
        else {
            continue;
        };
        let target = dest_url.split(['#', '?']).next().unwrap_or_default();
        if target.is_empty() || has_scheme(&dest_url) {
            continue;
        }
        let reason = match resolve(file.path(), target) {
            None => "leads out of the tree",
            Some(path) if exists(&path) => continue,
            Some(_) => "leads nowhere",
        };
        let line = 1 + file.text()[..range.start].matches('\n').count();
        findings.push(file.finding(line, RULE, format!("`{dest_url}` {reason}")));
    }
    findings
}

/// Whether this is an address such as `https://…` or `mailto:…`.
fn has_scheme(url: &str) -> bool {
    url.starts_with("//")
        || url.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// The target relative to the root, seen from the file at `from`.
fn resolve(from: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(usize, String)> {
        let exists = |path: &str| ["", "docs", "docs/ring.md", "LICENSE"].contains(&path);
        check(&File::new(path, text), exists)
            .into_iter()
            .map(|finding| (finding.line, finding.message))
            .collect()
    }

    #[test]
    fn links_that_lead_to_a_file_are_let_through() {
        for link in
            ["ring.md", "./ring.md#points", "../LICENSE", "../docs/", "#here", "https://example.org/a", ".."]
        {
            assert_eq!(found("docs/a.md", &format!("[a]({link})")), [], "{link}");
        }
    }

    #[test]
    fn broken_links_are_told_with_their_line() {
        let text = "# A\n\nsee [a](gone.md)\nand ![b](b.png)\n\n[c]\n\n[c]: ../../c\n";
        let found = found("docs/a.md", text);
        let expected =
            ["`gone.md` leads nowhere", "`b.png` leads nowhere", "`../../c` leads out of the tree"];
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 6]);
        assert_eq!(found.iter().map(|(_, message)| message.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(self::found("a.md", "[a](/LICENSE)").len(), 1);
    }

    #[test]
    fn code_holds_no_links() {
        assert_eq!(found("a.md", "`[a](gone)`\n\n```\n[a](gone)\n```\n"), []);
    }
}
