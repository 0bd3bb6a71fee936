//! Keeps the promises about the code itself: who may import what, that the ledger names no IO, clock or chance, how long
//! files and functions are, and that each rule of SPEC.md is cited where it is enforced and where it is tested. That the code
//! under a citation does what the rule says is for the tests under it to show.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod circles;
mod docs;
mod paths;
mod source;

use std::{collections::BTreeSet, fs};

use circles::circles;
use paths::{paths, words};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use source::{Source, crates, files_of, lines_of, list, root, workspace};
use syn::{
    ImplItemFn, ItemFn, TraitItemFn,
    visit::{self, Visit},
};

/// What each crate of the product may import of the others. The tests' crates may import all.
const DIRECTIONS: [(&str, &[&str]); 6] = [
    ("chain-core", &["chain-core", "cairn-vectors"]),
    ("client", &[]),
    ("miner", &["chain-core", "cairn-client", "cairn-vectors"]),
    ("node", &["chain-core", "cairn-client", "cairn-miner", "cairn-node"]),
    ("wallet", &["chain-core", "cairn-client", "cairn-vectors"]),
    ("scripts/manual", &["cairn-miner", "cairn-node", "cairn-wallet"]),
];

/// Crates that one place of a crate alone may name: the crate, the one that uses it, the place. Several have a blank between them.
const WALLS: [(&str, &str, &str); 16] = [
    ("bincode", "", "chain-core/src/codec/mod.rs"),
    ("rocksdb", "", "node/src/store/rocks.rs"),
    ("libp2p", "", "node/src/net/"),
    ("yamux", "", "node/src/net/"),
    ("ratatui", "", "node/src/commands/top/"),
    ("multiaddr", "", "node/src/net/"),
    ("jsonrpsee", "", "node/src/rpc/"),
    ("hyper", "", "node/src/rpc/server/ node/src/monitor/server.rs"),
    ("metrics_exporter_prometheus", "", "node/src/metrics/recorder.rs"),
    // Everything that leaves the wallet or the miner goes through one file.
    ("ureq", "wallet/", "wallet/src/node/"),
    ("ureq", "miner/", "miner/src/client/"),
    ("clap", "wallet/", "wallet/src/cli/"),
    ("clap", "miner/", "miner/src/cli.rs"),
    // Instructions that not every CPU has.
    ("unsafe", "miner/", "miner/src/kernel/"),
    ("tokio", "wallet/", "nowhere"),
    ("tokio", "node/src/engine/", "nowhere"),
];

/// What the ledger must not reach for: IO, clock, threads, chance.
const IMPURE_PATHS: [&str; 16] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "std::time",
    "std::os",
    // Iterated in an order that differs from process to process.
    "std::collections::HashMap",
    "std::collections::HashSet",
    "rand",
    "rand_core",
    "getrandom",
    "tokio",
    "libc",
    "rayon",
];

/// The same, where it may stand without its path; and state that outlives a call.
const IMPURE_WORDS: [&str; 17] = [
    "Instant",
    "SystemTime",
    "println",
    "eprintln",
    "print",
    "eprint",
    "dbg",
    "async",
    "await",
    "Mutex",
    "RwLock",
    "OnceLock",
    "LazyLock",
    "thread_local",
    "HashSet",
    "RandomState",
    "asm",
];

/// Where the ledger may name a map without an order: looked up by key there, and never iterated.
const UNORDERED: &str = "chain-core/src/state/overlay/mod.rs";

const MOST_LINES: usize = 500;
const MOST_FUNCTION_LINES: usize = 70;
/// The one longer function: the loop over the instructions of a contract, one match.
const LONG_FUNCTION: (&str, &str) = ("chain-core/src/vm/interpreter.rs", "interpret");

/// Fails with all that is wrong, not only the first.
fn expect_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The crates that a manifest names in any of its tables, also those of one platform and those under another name.
fn dependencies(manifest: &toml::Table, workspace: &toml::Table) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                found.extend(table.iter().map(|(name, entry)| package(name, entry, workspace)));
            }
            "target" => {
                let platforms = table.values().filter_map(toml::Value::as_table);
                platforms.for_each(|platform| found.extend(dependencies(platform, workspace)));
            }
            _ => {}
        }
    }
    found
}

/// The package behind a dependency, which may be renamed here or in the workspace's table.
fn package(name: &str, entry: &toml::Value, workspace: &toml::Table) -> String {
    let renamed = |entry: &toml::Value| entry.get("package").and_then(toml::Value::as_str).map(str::to_owned);
    let inherited = || workspace.get(name).and_then(renamed);
    renamed(entry).or_else(inherited).unwrap_or_else(|| name.to_owned())
}

fn table(text: &str) -> toml::Table {
    text.parse().unwrap()
}

#[test]
fn dependencies_are_seen_under_any_name_and_platform() {
    let manifest = table(
        "[dependencies]\na = '1'\nb = { package = 'cairn-node', path = '.' }\nc.workspace = true\n\
         [target.'cfg(unix)'.dependencies]\nd = '1'\n[target.x86.dev-dependencies]\ne = '1'\n[package]\nname = 'f'\n",
    );
    let workspace = table("c = { package = 'cairn-wallet', path = '.' }");
    let found: Vec<_> = dependencies(&manifest, &workspace).into_iter().collect();
    assert_eq!(found, ["a", "cairn-node", "cairn-wallet", "d", "e"]);
}

#[test]
fn crates_import_in_one_direction() {
    let root_manifest = table(&fs::read_to_string(root().join("Cargo.toml")).unwrap());
    let shared = root_manifest["workspace"]["dependencies"].as_table().unwrap();
    let mut wrong = Vec::new();
    for name in crates().iter().filter(|name| !name.starts_with("tests")) {
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(known, _)| known == name) else {
            wrong.push(format!("{name} is a crate of the product: say in DIRECTIONS what it may import"));
            continue;
        };
        let manifest = table(&fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap());
        let all = dependencies(&manifest, shared);
        let own = all.iter().filter(|name| name.starts_with("cairn-") || *name == "chain-core");
        let bad = own.filter(|dependency| !allowed.contains(&dependency.as_str()));
        wrong.extend(bad.map(|dependency| format!("{name} must not depend on {dependency}")));
    }
    expect_none(&wrong);
}

/// Crates in which no files import each other in a circle.
const WITHOUT_CIRCLES: [&str; 5] = ["chain-core", "client", "miner", "node", "wallet"];

#[test]
fn files_import_in_one_direction() {
    let wrong = WITHOUT_CIRCLES.iter().flat_map(|name| circles(&files_of(name)));
    expect_none(&wrong.collect::<Vec<_>>());
}

fn product_tokens(source: &Source) -> TokenStream {
    source.product_items().iter().map(ToTokens::to_token_stream).collect()
}

#[test]
fn walls_hold() {
    let mut wrong = Vec::new();
    for source in workspace().iter().filter(|source| !source.path.starts_with("tests/")) {
        let words = words(product_tokens(source));
        for (name, user, place) in WALLS {
            let may = place.split(' ').any(|place| source.path.starts_with(place));
            if words.contains(name) && source.path.starts_with(user) && !may {
                wrong.push(format!("{} names {name}; only {place} may", source.path));
            }
        }
    }
    expect_none(&wrong);
}

/// What of some code the ledger must not name.
fn impure(code: TokenStream) -> BTreeSet<String> {
    let words = words(code.clone());
    let is_impure = |path: &String| {
        let below = |bad: &&str| path == bad || path.starts_with(&format!("{bad}::"));
        // `use std::*` brings all of them in, and `use std as other` hides them.
        let hides = path == "std::*" || path == "std as" || path == "std::collections::*";
        hides || IMPURE_PATHS.iter().any(below)
    };
    let mut found: BTreeSet<_> = paths(code).into_iter().filter(is_impure).collect();
    found.extend(IMPURE_WORDS.iter().filter(|word| words.contains(**word)).map(|word| (*word).to_owned()));
    found
}

#[test]
fn impure_code_is_seen_wherever_it_stands() {
    let cases = [
        ("fn f() { std::fs::read(p) }", "std::fs::read"),
        ("use std::{mem, net::{IpAddr, TcpStream}};", "std::net::IpAddr"),
        ("fn f() -> bool { matches!(std::fs::read(p), Ok(_)) }", "std::fs::read"),
        ("use std as s;", "std as"),
        ("use std::*;", "std::*"),
        ("use ::std::{self as s};", "std as"),
        ("use std::collections::{BTreeMap, HashMap};", "std::collections::HashMap"),
        ("static M: Mutex<u8> = Mutex::new(0);", "Mutex"),
        ("fn f() { let x = rand::random(); }", "rand::random"),
    ];
    for (code, expected) in cases {
        let found = impure(code.parse().unwrap());
        assert!(found.contains(expected), "{code}: {found:?}");
    }
    let clean = "use std::{mem, collections::BTreeMap}; fn f(x: u8) { operand::fs(std::mem::take(x)) }";
    assert_eq!(impure(clean.parse().unwrap()), BTreeSet::new());
}

#[test]
fn the_ledger_names_no_io_clock_or_chance() {
    let mut wrong = Vec::new();
    for source in files_of("chain-core") {
        let code = product_tokens(&source);
        if words(code.clone()).contains("HashMap") && source.path != UNORDERED {
            wrong.push(format!("{} uses HashMap; only {UNORDERED} may", source.path));
        }
        wrong.extend(impure(code).into_iter().map(|path| format!("{} uses {path}", source.path)));
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
    crates().iter().for_each(|name| list(&root().join(name).join("src"), &mut files));
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
        let is_long = |name: &str, lines| lines > MOST_FUNCTION_LINES && (source.path.as_str(), name) != LONG_FUNCTION;
        let long = functions.0.iter().filter(|(name, lines)| is_long(name, *lines));
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
        let found = left(source.ast.to_token_stream());
        wrong.extend(found.into_iter().map(|what| format!("{} has {what}", source.path)));
        // In comments; this file and its like may name them in texts.
        let notes = source.text.lines().filter_map(|line| line.split_once("//")).map(|(_, comment)| comment);
        for word in notes.flat_map(str::split_whitespace).map(|word| word.trim_end_matches(':')) {
            if ["TODO", "FIXME", "XXX", "HACK"].contains(&word) {
                wrong.push(format!("{} has a comment with {word}", source.path));
            }
        }
    }
    expect_none(&wrong);
}

/// Macros that stand for code to come, what a debugger left, and tests that are ignored without a reason.
fn left(tokens: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1).map(ToString::to_string).unwrap_or_default();
        match token {
            TokenTree::Group(group) if group.stream().to_string() == "ignore" => {
                found.insert("#[ignore] without a reason".to_owned());
            }
            TokenTree::Group(group) => found.extend(left(group.stream())),
            TokenTree::Ident(word) if next == "!" => {
                let word = word.to_string();
                if ["todo", "unimplemented", "dbg"].contains(&word.as_str()) {
                    found.insert(format!("{word}!"));
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn what_is_left_to_do_is_seen() {
    let code = "#[test] #[ignore] fn a() { if b { todo!() } } #[ignore = \"slow\"] fn c() { dbg!(1); ignore() }";
    let found: Vec<_> = left(code.parse().unwrap()).into_iter().collect();
    assert_eq!(found, ["#[ignore] without a reason", "dbg!", "todo!"]);
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
fn every_rule_is_cited_where_it_is_enforced_and_where_it_is_tested() {
    let rules = rule_ids();
    assert!(rules.len() > 50, "SPEC.md lists the rules");
    let (mut enforced, mut tested) = (BTreeSet::new(), BTreeSet::new());
    for source in workspace() {
        for (line, is_test) in source.lines() {
            let set = if is_test { &mut tested } else { &mut enforced };
            set.extend(cited(line).into_iter().map(str::to_owned));
        }
    }
    let mut wrong: Vec<_> = rules.difference(&enforced).map(|id| format!("{id} is cited by no code")).collect();
    wrong.extend(rules.difference(&tested).map(|id| format!("{id} is cited by no test")));
    let prefixes: BTreeSet<_> = rules.iter().filter_map(|id| id.split('-').next()).collect();
    let like_a_rule = |id: &&String| {
        let (letters, number) = id.split_once('-').unwrap_or_default();
        prefixes.contains(letters) && number.parse::<u32>().is_ok()
    };
    let unknown = enforced.union(&tested).filter(like_a_rule).filter(|id| !rules.contains(*id));
    wrong.extend(unknown.map(|id| format!("{id} is cited, but SPEC.md does not have it")));
    expect_none(&wrong);
}
