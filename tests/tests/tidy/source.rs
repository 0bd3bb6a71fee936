//! The sources of a crate, and which lines of them are tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, File, Item, spanned::Spanned};

/// The folders of the workspace's crates.
pub fn crates() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has a manifest");
    let manifest: toml::Table = manifest.parse().expect("cargo reads it too");
    let members = manifest["workspace"]["members"].as_array().expect("the workspace lists its members");
    members.iter().map(|name| name.as_str().expect("a member is a folder").to_owned()).collect()
}

/// One file.
pub struct Source {
    /// Relative to the root of the repository.
    pub path: String,
    pub text: String,
    pub ast: File,
    /// Whether all of it is test code.
    pub is_test: bool,
}

/// The root of the repository that the tests run in. It may not be the one that they were compiled in, if checkouts share a
/// target folder.
pub fn root() -> PathBuf {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells its tests");
    Path::new(&folder).parent().expect("the crate is in the workspace").to_owned()
}

/// All Rust files of the workspace, and the fuzz targets, which are a workspace of their own.
pub fn workspace() -> Vec<Source> {
    let mut files = Vec::new();
    list(&root().join("fuzz/fuzz_targets"), &mut files);
    let targets = files.iter().map(|file| read(file, true));
    crates().iter().flat_map(|name| files_of(name)).chain(targets).collect()
}

/// All Rust files of a crate. Those in `src` are found as the compiler finds them.
pub fn files_of(name: &str) -> Vec<Source> {
    let folder = root().join(name);
    let mut sources = Vec::new();
    for start in ["lib.rs", "main.rs"] {
        let file = folder.join("src").join(start);
        if file.exists() {
            follow(&file, name.starts_with("tests"), &mut sources);
        }
    }
    for side in ["tests", "benches", "examples"] {
        let mut files = Vec::new();
        list(&folder.join(side), &mut files);
        sources.extend(files.iter().map(|file| read(file, true)));
    }
    sources
}

/// Every `.rs` file below a folder.
pub fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.expect("the repository can be read").path()) {
        if entry.is_dir() {
            list(&entry, files);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
}

fn read(file: &Path, is_test: bool) -> Source {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let ast = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let path = file.strip_prefix(root()).expect("a file of the repository").to_string_lossy().into_owned();
    Source { path, text, ast, is_test }
}

/// Reads a file and the modules that it declares.
fn follow(file: &Path, is_test: bool, sources: &mut Vec<Source>) {
    let source = read(file, is_test);
    let folder = file.parent().expect("a file is in a folder");
    let stem = file.file_stem().expect("a file has a name").to_string_lossy();
    let own = if ["lib", "main", "mod"].contains(&&*stem) { folder.to_owned() } else { folder.join(&*stem) };
    let mut modules = Vec::new();
    declared(&source.ast.items, &own, is_test, &mut modules);
    sources.push(source);
    for (module, is_test) in modules {
        let candidates = [module.with_extension("rs"), module.join("mod.rs")];
        let file = candidates.iter().find(|file| file.exists());
        follow(file.unwrap_or_else(|| panic!("no file for {}", module.display())), is_test, sources);
    }
}

fn declared(items: &[Item], folder: &Path, is_test: bool, modules: &mut Vec<(PathBuf, bool)>) {
    for item in items {
        let Item::Mod(module) = item else { continue };
        let is_test = is_test || is_for_tests(&module.attrs);
        let path = folder.join(module.ident.to_string());
        match &module.content {
            Some((_, items)) => declared(items, &path, is_test, modules),
            None => modules.push((path, is_test)),
        }
    }
}

/// Whether an item exists in tests only: `#[test]`, `#[cfg(test)]` or `#[cfg(any(test, ...))]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg") && (list == "test" || list.replace(' ', "").starts_with("any(test,"))
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        _ => &[],
    }
}

impl Source {
    /// The items that are in the product.
    pub fn product_items(&self) -> Vec<&Item> {
        let items = self.ast.items.iter();
        items.filter(|item| !self.is_test && !is_for_tests(attributes(item))).collect()
    }

    /// Each line, and whether it is test code.
    pub fn lines(&self) -> impl Iterator<Item = (&str, bool)> {
        let tests: Vec<_> = self.ast.items.iter().filter(|item| is_for_tests(attributes(item))).map(lines_of).collect();
        let is_test =
            move |line: usize| self.is_test || tests.iter().any(|(first, last)| (*first..=*last).contains(&line));
        self.text.lines().zip(1..).map(move |(text, line)| (text, is_test(line)))
    }
}

/// First and last line of a piece of code.
pub fn lines_of(code: &impl Spanned) -> (usize, usize) {
    (code.span().start().line, code.span().end().line)
}
