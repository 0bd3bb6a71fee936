//! Keeps the promises about the code itself: who may import what, that the ledger is pure, how long files and functions
//! are, and that every rule of SPEC.md is enforced and tested.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod source;

use std::{collections::BTreeSet, fs};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use source::{CRATES, Source, files_of, lines_of, list, root, workspace};
use syn::{
    ImplItemFn, Item, ItemFn, Path, TraitItemFn, UseTree,
    visit::{self, Visit},
};

/// What each crate may import of the others.
const DIRECTIONS: [(&str, &[&str]); 4] = [
    ("chain-core", &["chain-core"]),
    ("miner", &["chain-core"]),
    ("node", &["chain-core", "cairn-miner", "cairn-node"]),
    ("wallet", &["chain-core"]),
];

/// Crates that one place alone may name.
const WALLS: [(&str, &str); 3] =
    [("bincode", "chain-core/src/codec.rs"), ("rocksdb", "node/src/store/rocks.rs"), ("libp2p", "node/src/net/")];

/// What the ledger must not reach for: IO, clock, threads, randomness.
const IMPURE_PATHS: [&str; 12] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "std::time",
    "std::os",
    "rand",
    "rand_core",
    "getrandom",
    "tokio",
];

/// The same, where it may stand without its path.
const IMPURE_WORDS: [&str; 9] =
    ["Instant", "SystemTime", "println", "eprintln", "print", "eprint", "dbg", "async", "await"];

const MOST_LINES: usize = 500;
const MOST_FUNCTION_LINES: usize = 70;

/// Fails with all that is wrong, not only the first.
fn expect_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn crates_import_in_one_direction() {
    let mut wrong = Vec::new();
    for (name, allowed) in DIRECTIONS {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let names = manifest.get(table).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
            let own = names.filter(|name| name.starts_with("cairn-") || *name == "chain-core");
            let bad = own.filter(|dependency| !allowed.contains(&dependency.as_str()));
            wrong.extend(bad.map(|dependency| format!("{name} must not depend on {dependency} ({table})")));
        }
    }
    expect_none(&wrong);
}

/// Every word of the code, comments and texts left out.
fn words(tokens: TokenStream, found: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => words(group.stream(), found),
            TokenTree::Ident(ident) => _ = found.insert(ident.to_string()),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn product_words(source: &Source) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    source.product_items().iter().for_each(|item| words(item.to_token_stream(), &mut found));
    found
}

#[test]
fn walls_hold() {
    let mut wrong = Vec::new();
    for source in workspace().iter().filter(|source| !source.path.starts_with("tests/")) {
        let words = product_words(source);
        for (name, place) in WALLS {
            if words.contains(name) && !source.path.starts_with(place) {
                wrong.push(format!("{} names {name}; only {place} may", source.path));
            }
        }
    }
    expect_none(&wrong);
}

/// All paths of some code, those of `use` spelled out.
#[derive(Default)]
struct Paths(BTreeSet<String>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.0.insert(segments.join("::"));
        visit::visit_path(self, path);
    }

    fn visit_use_tree(&mut self, tree: &'ast UseTree) {
        self.spell(tree, "");
    }
}

impl Paths {
    fn spell(&mut self, tree: &UseTree, before: &str) {
        match tree {
            UseTree::Path(path) => self.spell(&path.tree, &format!("{before}{}::", path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.spell(tree, before)),
            UseTree::Name(name) => _ = self.0.insert(format!("{before}{}", name.ident)),
            UseTree::Rename(rename) => _ = self.0.insert(format!("{before}{}", rename.ident)),
            UseTree::Glob(_) => _ = self.0.insert(format!("{before}*")),
        }
    }
}

#[test]
fn the_ledger_is_pure() {
    let mut wrong = Vec::new();
    for source in files_of("chain-core") {
        let mut paths = Paths::default();
        source.product_items().into_iter().for_each(|item| paths.visit_item(item));
        for path in paths.0 {
            let impure = |bad: &&&str| path == **bad || path.starts_with(&format!("{bad}::"));
            if IMPURE_PATHS.iter().find(impure).is_some() {
                wrong.push(format!("{} uses {path}", source.path));
            }
        }
        let words = product_words(&source);
        let bad = IMPURE_WORDS.iter().filter(|word| words.contains(**word));
        wrong.extend(bad.map(|word| format!("{} uses {word}", source.path)));
    }
    expect_none(&wrong);
}

#[test]
fn files_are_short_and_belong_to_a_module() {
    let sources = workspace();
    let long = sources.iter().filter(|source| source.text.lines().count() > MOST_LINES);
    let mut wrong: Vec<_> = long
        .map(|source| format!("{} has {} lines, {MOST_LINES} are allowed", source.path, source.text.lines().count()))
        .collect();
    let known: BTreeSet<_> = sources.iter().map(|source| root().join(&source.path)).collect();
    let mut files = Vec::new();
    CRATES.iter().for_each(|name| list(&root().join(name).join("src"), &mut files));
    let lost = files.iter().filter(|file| !known.contains(*file));
    wrong.extend(lost.map(|file| format!("{} belongs to no module", file.display())));
    expect_none(&wrong);
}

/// Functions with their lengths in lines.
#[derive(Default)]
struct Functions(Vec<(String, usize)>);

impl Functions {
    fn note(&mut self, name: &syn::Ident, (first, last): (usize, usize)) {
        self.0.push((name.to_string(), last - first + 1));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.note(&function.sig.ident, lines_of(&function.block));
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.note(&function.sig.ident, lines_of(&function.block));
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.note(&function.sig.ident, lines_of(block));
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[test]
fn functions_are_short() {
    let mut wrong = Vec::new();
    for source in workspace() {
        let mut functions = Functions::default();
        functions.visit_file(&source.ast);
        let long = functions.0.iter().filter(|(_, lines)| *lines > MOST_FUNCTION_LINES);
        wrong.extend(long.map(|(name, lines)| {
            format!("{}: {name} has {lines} lines, {MOST_FUNCTION_LINES} are allowed", source.path)
        }));
    }
    expect_none(&wrong);
}

#[test]
fn nothing_is_left_to_do() {
    let mut wrong = Vec::new();
    for source in workspace() {
        let mut found = BTreeSet::new();
        source.ast.items.iter().for_each(|item| macros(item, &mut found));
        let left = ["todo", "unimplemented"].into_iter().filter(|name| found.contains(*name));
        wrong.extend(left.map(|name| format!("{} has a {name}!", source.path)));
    }
    expect_none(&wrong);
}

/// Names of the macros that some code calls.
fn macros(item: &Item, found: &mut BTreeSet<String>) {
    fn walk(tokens: TokenStream, found: &mut BTreeSet<String>) {
        let mut word = None;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => word = Some(ident.to_string()),
                TokenTree::Punct(mark) if mark.as_char() == '!' => found.extend(word.take()),
                TokenTree::Group(group) => walk(group.stream(), found),
                _ => word = None,
            }
        }
    }
    walk(item.to_token_stream(), found);
}

/// The ids of the rules: first column of SPEC.md's tables.
fn rule_ids() -> BTreeSet<String> {
    let spec = fs::read_to_string(root().join("SPEC.md")).unwrap();
    let first_column = spec.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let is_id = |text: &&str| {
        let (letters, number) = text.split_once('-').unwrap_or_default();
        !letters.is_empty()
            && letters.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    first_column.filter(is_id).map(str::to_owned).collect()
}

/// The ids in a comment line, as in `// HDR-1, HDR-2`. Doc comments describe and do not count.
fn cited(line: &str) -> Vec<&str> {
    let comment = line.trim_start().strip_prefix("// ");
    let words = comment
        .into_iter()
        .flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-'));
    words.filter(|word| word.contains('-')).collect()
}

#[test]
fn every_rule_is_enforced_and_tested() {
    let rules = rule_ids();
    assert!(rules.len() > 50, "SPEC.md lists the rules");
    let (mut enforced, mut tested) = (BTreeSet::new(), BTreeSet::new());
    for source in workspace() {
        for (line, is_test) in source.lines() {
            let set = if is_test { &mut tested } else { &mut enforced };
            set.extend(cited(line).into_iter().map(str::to_owned));
        }
    }
    let mut wrong: Vec<_> = rules.difference(&enforced).map(|id| format!("{id} is enforced nowhere")).collect();
    wrong.extend(rules.difference(&tested).map(|id| format!("{id} is tested nowhere")));
    let prefixes: BTreeSet<_> = rules.iter().filter_map(|id| id.split('-').next()).collect();
    let like_a_rule = |id: &&String| {
        let (letters, number) = id.split_once('-').unwrap_or_default();
        prefixes.contains(letters) && number.parse::<u32>().is_ok()
    };
    let unknown = enforced.union(&tested).filter(like_a_rule).filter(|id| !rules.contains(*id));
    wrong.extend(unknown.map(|id| format!("{id} is cited, but SPEC.md does not have it")));
    expect_none(&wrong);
}
