//! Every line of the vector files: what libmemcached and the other clients answered, we answer.
//!
//! `OMCACHE_VECTORS` may name one more file of the same form: a JSON object a line with
//! `distribution`, `servers` (`[host, port, weight]`), `keys` (hex) and `server_index`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a line that does not parse is a failure")]

use omcache_hash::{Continuum, Named, Server};
use serde_json::Value;

/// What one file's lines came to.
struct Outcome {
    lines: usize,
    keys: usize,
    mismatches: Vec<String>,
}

fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "odd number of hex digits: {hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn check(text: &str) -> Outcome {
    let mut outcome = Outcome { lines: 0, keys: 0, mismatches: Vec::new() };
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        outcome.lines += 1;
        let object: Value = serde_json::from_str(line).unwrap();
        let name = object["distribution"].as_str().unwrap();
        let given: Vec<(String, String, u32)> = object["servers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|server| {
                let port = match &server[1] {
                    Value::String(port) => port.clone(),
                    port => port.as_u64().unwrap().to_string(),
                };
                let weight = server.get(2).map_or(1, |weight| weight.as_u64().unwrap());
                (server[0].as_str().unwrap().to_owned(), port, weight.try_into().unwrap())
            })
            .collect();
        let servers: Vec<Server<'_>> =
            given.iter().map(|(host, port, weight)| Server::new(host, port).with_weight(*weight)).collect();
        let Some(named) = Named::from_name(name) else {
            outcome.mismatches.push(format!("line {number}: unknown distribution {name}"));
            continue;
        };
        let continuum = Continuum::new(&named, &servers).unwrap();
        let keys = object["keys"].as_array().unwrap();
        let expected = object["server_index"].as_array().unwrap();
        assert_eq!(keys.len(), expected.len(), "line {number}: as many keys as indices");
        for (key, expected) in keys.iter().zip(expected) {
            outcome.keys += 1;
            let hex = key.as_str().unwrap();
            let key = unhex(hex);
            let expected = usize::try_from(expected.as_u64().unwrap()).unwrap();
            let found = continuum.server(&key);
            let walked = continuum.walk(&key).next();
            if found != Some(expected) || walked != Some(expected) {
                outcome.mismatches.push(format!(
                    "line {number}: {name}, {} servers {given:?}, key {hex}: \
                     expected {expected}, found {found:?}, walk began at {walked:?}",
                    given.len(),
                ));
            }
        }
    }
    outcome
}

#[track_caller]
fn must_match(file: &str, text: &str) -> (usize, usize) {
    let outcome = check(text);
    assert!(outcome.keys > 0, "{file}: no keys to check");
    assert!(
        outcome.mismatches.is_empty(),
        "{file}: {} of {} keys differ:\n{}",
        outcome.mismatches.len(),
        outcome.keys,
        outcome.mismatches.join("\n"),
    );
    (outcome.lines, outcome.keys)
}

#[test]
fn every_line_of_every_file_matches() {
    let text = include_str!("vectors/libmemcached-1.1.4.jsonl");
    assert_eq!(must_match("libmemcached-1.1.4.jsonl", text), (136, 2720));
    let text = include_str!("vectors/other-clients.jsonl");
    assert_eq!(must_match("other-clients.jsonl", text), (63, 1098));
    if let Some(file) = std::env::var_os("OMCACHE_VECTORS") {
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("OMCACHE_VECTORS={}: {error}", file.display()));
        let (lines, keys) = must_match(&file.to_string_lossy(), &text);
        println!("{}: {lines} lines, {keys} keys match", file.display());
    }
}

#[test]
fn wrong_lines_are_told() {
    let unknown = r#"{"distribution":"no_such","servers":[["a",1,1]],"keys":["61"],"server_index":[0]}"#;
    assert_eq!(check(unknown).mismatches, ["line 1: unknown distribution no_such"]);
    let wrong = r#"{"distribution":"ketama","servers":[["a",1,1]],"keys":["61"],"server_index":[1]}"#;
    let mismatches = check(wrong).mismatches;
    assert_eq!(mismatches.len(), 1);
    for part in ["ketama", r#"("a", "1", 1)"#, "key 61", "expected 1"] {
        assert!(mismatches[0].contains(part), "{part} in {}", mismatches[0]);
    }
    assert_eq!(check("").keys, 0);
}
