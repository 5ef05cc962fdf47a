//! What the shared library has and needs, as `readelf` tells it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::symbol_map::SymbolMap;
use super::{Place, interface, read};
use crate::install;

/// A symbol of the dynamic symbol table.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Symbol {
    /// With its version, as in `omcache_get@@OMCACHE_0.1`.
    name: String,
    kind: String,
    /// Bytes of a data object; those of a function say nothing.
    size: Option<u64>,
    defined: bool,
}

/// Compares the library with one made of the headers alone, and looks at what it needs from others.
pub(super) fn check(place: &Place, library: &Path) -> Result<()> {
    let symbols = table(library)?;
    let map = SymbolMap::parse(&read(&place.sources.join("symbol.map"))?)?;
    if !map.goes_on_from(&SymbolMap::parse(&read(&place.sources.join("abi/omcache_0_3.map"))?)?) {
        bail!("symbol.map does not begin with the versions and symbols of OMcache 0.3");
    }
    let names = |symbols: &[Symbol]| {
        symbols.iter().filter(|symbol| symbol.defined).map(|symbol| symbol.name.clone()).collect()
    };
    compare("symbol.map", &map.versioned().collect(), &names(&symbols))?;

    let hollow = interface::hollow_library(place)?;
    let shapes = |symbols: &[Symbol]| {
        let defined = symbols.iter().filter(|symbol| symbol.defined);
        defined.map(|symbol| format!("{} {} {:?}", symbol.name, symbol.kind, symbol.size)).collect()
    };
    compare("the headers", &shapes(&table(&hollow)?), &shapes(&symbols))?;

    let foreign = foreign(&symbols);
    if !foreign.is_empty() {
        bail!(
            "{} needs symbols of other libraries than the system's: {}",
            library.display(),
            foreign.join(", ")
        );
    }
    check_dynamic(&output(Command::new("readelf").args(["--wide", "--dynamic"]).arg(library))?)?;
    println!("{} symbols, as the headers and symbol.map have them", map.versioned().count());
    Ok(())
}

/// Looks for directories of this machine in the libraries.
pub(super) fn check_directories(libraries: &[&Path], root: &Path) -> Result<()> {
    for library in libraries {
        let bytes = std::fs::read(library).with_context(|| format!("reading {}", library.display()))?;
        for directory in install::machine_directories(root) {
            let name = directory.as_os_str().as_encoded_bytes();
            if bytes.windows(name.len()).any(|window| window == name) {
                bail!("{} names {}", library.display(), directory.display());
            }
        }
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let line = crate::process::line(command);
    let output = command.env("LC_ALL", "C").stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn table(library: &Path) -> Result<Vec<Symbol>> {
    let text = output(Command::new("readelf").args(["--wide", "--dyn-syms"]).arg(library))?;
    Ok(text.lines().filter_map(symbol).collect())
}

/// A line of the table: number, value, size, kind, binding, visibility, section, name.
fn symbol(line: &str) -> Option<Symbol> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [number, _, size, kind, binding, _, section, name, ..] = words.as_slice() else { return None };
    number.strip_suffix(':')?.parse::<u32>().ok()?;
    // Versions are symbols too.
    if *section == "ABS" {
        return None;
    }
    let defined = *section != "UND";
    // What is weak may be missing when the library is loaded.
    if !defined && *binding == "WEAK" {
        return None;
    }
    let size = if *kind == "OBJECT" { Some(size.parse().ok()?) } else { None };
    Some(Symbol { name: (*name).to_owned(), kind: (*kind).to_owned(), size, defined })
}

/// Undefined symbols that neither the C library nor the compiler's has.
fn foreign(symbols: &[Symbol]) -> Vec<&str> {
    let system = |name: &str| {
        name.split_once('@')
            .is_some_and(|(_, version)| version.starts_with("GLIBC_") || version.starts_with("GCC_"))
    };
    let needed = symbols.iter().filter(|symbol| !symbol.defined).map(|symbol| symbol.name.as_str());
    needed.filter(|name| !system(name)).collect()
}

fn compare(with: &str, wanted: &BTreeSet<String>, found: &BTreeSet<String>) -> Result<()> {
    let list = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<Vec<_>>().join(", ");
    let missing = list(&mut wanted.difference(found));
    let surplus = list(&mut found.difference(wanted));
    if !missing.is_empty() || !surplus.is_empty() {
        bail!("the library differs from {with}; missing: [{missing}], surplus: [{surplus}]");
    }
    Ok(())
}

/// The library's name, the libraries that it needs, and that it stays loaded.
fn check_dynamic(section: &str) -> Result<()> {
    let in_brackets = |line: &str| {
        let (_, rest) = line.split_once('[')?;
        Some(rest.split_once(']')?.0.to_owned())
    };
    let tagged = |tag: &str| section.lines().filter(|line| line.contains(tag)).collect::<Vec<_>>();
    if tagged("(SONAME)").into_iter().find_map(in_brackets).as_deref() != Some(install::SONAME) {
        bail!("the library's name is not {}", install::SONAME);
    }
    let system = |name: &str| {
        ["libc.so.6", "libm.so.6", "libgcc_s.so.1"].contains(&name) || name.starts_with("ld-linux")
    };
    if let Some(other) = tagged("(NEEDED)").into_iter().filter_map(in_brackets).find(|name| !system(name)) {
        bail!("the library needs {other}");
    }
    if !tagged("(FLAGS_1)").iter().any(|line| line.contains("NODELETE") && line.contains("NOW")) {
        bail!("the library's flags lack NODELETE or NOW");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_a_symbol() {
        let function = "    12: 0000000000045530    64 FUNC    GLOBAL DEFAULT   14 omcache_add@@OMCACHE_0.1";
        let found = symbol(function).unwrap();
        assert_eq!(
            (found.name.as_str(), found.size, found.defined),
            ("omcache_add@@OMCACHE_0.1", None, true)
        );
        let object = "    13: 00000000000aa880    32 OBJECT  GLOBAL DEFAULT   24 omcache_dist_x@@OMCACHE_0.1";
        assert_eq!(symbol(object).unwrap().size, Some(32));
        let version = "    14: 0000000000000000     0 OBJECT  GLOBAL DEFAULT  ABS OMCACHE_0.1";
        assert_eq!(symbol(version), None);
        assert_eq!(symbol("   Num:    Value          Size Type    Bind   Vis      Ndx Name"), None);
    }

    #[test]
    fn symbols_from_elsewhere_are_found() {
        let lines = [
            "     1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND free@GLIBC_2.2.5 (2)",
            "     2: 0000000000000000     0 NOTYPE  WEAK   DEFAULT  UND __gmon_start__",
            "     3: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND BIO_new@OPENSSL_3.0.0 (3)",
            "     4: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND unversioned",
        ];
        let symbols: Vec<_> = lines.into_iter().filter_map(symbol).collect();
        assert_eq!(foreign(&symbols), ["BIO_new@OPENSSL_3.0.0", "unversioned"]);
    }

    #[test]
    fn differences_are_named() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert!(compare("x", &set(&["a", "b"]), &set(&["b", "a"])).is_ok());
        let error = compare("x", &set(&["a", "b"]), &set(&["b", "c"])).unwrap_err().to_string();
        assert_eq!(error, "the library differs from x; missing: [a], surplus: [c]");
    }

    #[test]
    fn the_dynamic_section_is_checked() {
        let section = |soname: &str, needed: &str, flags: &str| {
            format!(
                " 0x1 (NEEDED) Shared library: [{needed}]\n 0xe (SONAME) Library soname: [{soname}]\n \
                 0x6ffffffb (FLAGS_1) Flags: {flags}\n"
            )
        };
        assert!(check_dynamic(&section("libomcache.so.0", "libc.so.6", "NOW NODELETE")).is_ok());
        assert!(check_dynamic(&section("libomcache.so.1", "libc.so.6", "NOW NODELETE")).is_err());
        assert!(check_dynamic(&section("libomcache.so.0", "libssl.so.3", "NOW NODELETE")).is_err());
        assert!(check_dynamic(&section("libomcache.so.0", "libc.so.6", "NOW")).is_err());
    }
}
