//! Servers written as text.

use omcache_conn::{Endpoint, Server, parse_server_list};

#[test]
fn every_form_is_read() {
    for (text, host, port) in [
        ("cache", "cache", "11211"),
        ("cache:11311", "cache", "11311"),
        ("cache:memcache", "cache", "memcache"),
        ("192.0.2.1:1", "192.0.2.1", "1"),
        ("[2001:db8::1]:11311", "2001:db8::1", "11311"),
        ("[2001:db8::1]", "2001:db8::1", "11211"),
        ("2001:db8::1", "2001:db8::1", "11211"),
        ("::1", "::1", "11211"),
        ("fe80::1%lo", "fe80::1%lo", "11211"),
        ("[fe80::1%lo]:11311", "fe80::1%lo", "11311"),
        ("cache:70000", "cache", "70000"),
        (" cache ", "cache", "11211"),
        ("/run/cache.sock", "/run/cache.sock", "0"),
        ("unix:/run/cache.sock", "/run/cache.sock", "0"),
        ("unix:cache.sock", "cache.sock", "0"),
    ] {
        let server: Server = text.parse().unwrap();
        assert_eq!((server.host(), server.port()), (host, port), "{text}");
        assert_eq!((server.weight(), server.name()), (1, None));
    }
}

#[test]
fn what_is_none_is_refused_by_name() {
    for text in [
        "",
        " ",
        ":11211",
        "cache:",
        "[::1",
        "[::1]x",
        "[]:1",
        "a:b:c",
        "unix:",
        "ca\0che",
        "[::1]:",
        "[::1]:1:2",
    ] {
        let error = text.parse::<Server>().unwrap_err();
        assert!(error.to_string().starts_with(&format!("server {text:?}: ")), "{error}");
    }
}

#[test]
fn a_list_ignores_blanks_and_empty_entries() {
    let servers = parse_server_list(" a , b:1,, [::1]:2 ,/s,").unwrap();
    let texts: Vec<_> = servers.iter().map(Server::to_string).collect();
    assert_eq!(texts, ["a:11211", "b:1", "[::1]:2", "/s"]);
    assert_eq!(servers[3].endpoint(), &Endpoint::Unix("/s".into()));
    assert_eq!(parse_server_list(" , ").unwrap(), []);
    assert!(parse_server_list("a,b:").is_err());
}

#[test]
fn what_is_shown_can_be_read_again() {
    for text in ["a:11211", "[::1]:2", "192.0.2.1:80", "/run/s"] {
        assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
    }
}

#[test]
fn a_weight_is_at_least_one() {
    let server = Server::tcp("a", "1").with_weight(0).with_name("first");
    assert_eq!((server.weight(), server.name()), (1, Some("first")));
    assert_eq!(Server::unix("/s").with_weight(7).weight(), 7);
}
