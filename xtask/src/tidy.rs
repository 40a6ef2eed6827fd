//! What keeps the house in order: the map is true, files and functions stay small, modules that implement a
//! standard name it, and nothing is left half done.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
/// Crates whose every module implements, or stands on, a clause of a standard.
const STANDARD_CRATES: [&str; 3] = ["keys", "smartcard", "card"];

/// Everything that is not as it should be, one line each; empty is good.
pub(crate) fn findings(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap_or_default();
    check_map(root, &map, &mut found);
    check_dependencies(root, &map, &mut found);
    for path in sources(root) {
        check_source(root, &path, &mut found);
    }
    found
}

/// The crate table of ARCHITECTURE.md: name to the crates it may name.
fn table(map: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = map.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, _, depends, ..] = cells.as_slice() else { return None };
        let depends =
            depends.split(',').map(|d| d.trim().trim_matches('`')).filter(|d| !d.is_empty() && *d != "-");
        Some((name.trim_matches('`').to_owned(), depends.map(str::to_owned).collect()))
    })
    .collect()
}

fn manifest(path: &Path) -> toml::Table {
    fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn names(manifest: &toml::Table, section: &str) -> BTreeSet<String> {
    let table = manifest.get(section).and_then(toml::Value::as_table);
    table.map(|t| t.keys().cloned().collect()).unwrap_or_default()
}

fn crates(root: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(root.join("crates")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn check_map(root: &Path, map: &str, found: &mut Vec<String>) {
    let table = table(map);
    let crates = crates(root);
    for name in crates.difference(&table.keys().cloned().collect()) {
        found.push(format!("ARCHITECTURE.md: no row for crates/{name}"));
    }
    for (name, allowed) in &table {
        if !crates.contains(name) {
            found.push(format!("ARCHITECTURE.md: a row for `{name}`, but no crates/{name}"));
            continue;
        }
        let manifest = manifest(&root.join("crates").join(name).join("Cargo.toml"));
        let package = manifest.get("package").and_then(|p| p.get("name")).and_then(toml::Value::as_str);
        if package != Some(name) {
            found.push(format!("crates/{name}/Cargo.toml: the package is named {package:?}"));
        }
        let real: BTreeSet<String> =
            names(&manifest, "dependencies").intersection(&crates).cloned().collect();
        if real != *allowed {
            found.push(format!("ARCHITECTURE.md: `{name}` depends on {real:?}, its row says {allowed:?}"));
        }
    }
}

/// Every direct dependency from outside stands in ARCHITECTURE.md with its reason.
fn check_dependencies(root: &Path, map: &str, found: &mut Vec<String>) {
    let crates = crates(root);
    let folders = crates.iter().map(|name| root.join("crates").join(name)).chain([root.join("xtask")]);
    let mut direct = BTreeSet::new();
    for folder in folders {
        let manifest = manifest(&folder.join("Cargo.toml"));
        direct.extend(names(&manifest, "dependencies"));
        direct.extend(names(&manifest, "dev-dependencies"));
    }
    let reasons: BTreeSet<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("- "))
        .filter_map(|line| line.split_once(": "))
        .flat_map(|(names, _)| names.split(", "))
        .filter_map(|name| name.strip_prefix('`')?.strip_suffix('`'))
        .collect();
    for name in direct.difference(&crates).filter(|name| !reasons.contains(name.as_str())) {
        found.push(format!("ARCHITECTURE.md: no reason given for the dependency `{name}`"));
    }
}

fn sources(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.join("crates"), root.join("xtask")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn check_source(root: &Path, path: &Path, found: &mut Vec<String>) {
    let Ok(text) = fs::read_to_string(path) else { return };
    let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let lines = text.lines().count();
    if lines > FILE_LINES {
        found.push(format!("{shown}: {lines} lines; at most {FILE_LINES}"));
    }
    for (line, number) in text.lines().zip(1_usize..) {
        let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
        if marks.iter().any(|mark| line.contains(mark)) {
            found.push(format!("{shown}:{number}: a mark of something left undone"));
        }
    }
    let parts: Vec<&str> = shown.split('/').collect();
    if let ["crates", name, "src", ..] = parts.as_slice() {
        let is_root = matches!(parts.last(), Some(&"lib.rs" | &"mod.rs" | &"main.rs"));
        if STANDARD_CRATES.contains(name) && !is_root && !text.contains("//! Standard:") {
            found.push(format!("{shown}: no `//! Standard:` line"));
        }
        if !text.starts_with("//!") {
            found.push(format!("{shown}: the file does not begin by saying what it is for"));
        }
    }
    match syn::parse_file(&text) {
        Ok(file) => Functions { shown: &shown, found }.visit_file(&file),
        Err(error) => found.push(format!("{shown}: {error}")),
    }
}

struct Functions<'a> {
    shown: &'a str,
    found: &'a mut Vec<String>,
}

impl Functions<'_> {
    fn check(&mut self, name: &syn::Ident, block: &syn::Block) {
        let (start, end) = (block.span().start().line, block.span().end().line);
        let lines = end.saturating_sub(start).saturating_add(1);
        if lines > FUNCTION_LINES {
            self.found.push(format!(
                "{}:{start}: `{name}` has {lines} lines; at most {FUNCTION_LINES}",
                self.shown
            ));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.check(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.check(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let findings = findings(&crate::steps::root());
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }

    #[test]
    fn a_map_that_lies_is_found() {
        let root = crate::steps::root();
        let mut found = Vec::new();
        check_map(&root, "| `model` | no I/O | `keys` |\n| `attic` | - | - |\n", &mut found);
        assert!(found.iter().any(|f| f.contains("no row for crates/keys")), "{found:?}");
        assert!(found.iter().any(|f| f.contains("`model` depends on {}")), "{found:?}");
        assert!(found.iter().any(|f| f.contains("no crates/attic")), "{found:?}");
    }

    #[test]
    fn a_long_function_is_found() {
        let body = "let x = 1;\n".repeat(80);
        let file = syn::parse_file(&format!("fn long() {{\n{body}}}\nfn short() {{}}")).unwrap();
        let mut found = Vec::new();
        Functions { shown: "a.rs", found: &mut found }.visit_file(&file);
        assert_eq!(found, ["a.rs:1: `long` has 82 lines; at most 70"]);
    }
}
