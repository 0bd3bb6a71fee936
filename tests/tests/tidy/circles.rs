//! Files of a crate that import each other in a circle. An import of what a module only passes on (`pub use`) counts as one of
//! the file that defines it.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::{Item, Visibility};

use super::{paths::paths, source::Source};

/// Names of modules from the root of a crate down.
type Module = Vec<String>;

/// Where a path leads: a module, and what of it is named.
struct Place {
    module: Module,
    name: Option<String>,
}

/// One file: its module, its paths, and what it passes on of others.
struct File {
    path: String,
    used: BTreeSet<String>,
    passed_on: BTreeMap<String, String>,
}

/// A crate's files by their modules.
struct Tree(BTreeMap<Module, File>);

/// Each circle of a crate's files, with what ties it.
pub fn circles(sources: &[Source]) -> Vec<String> {
    let tree = Tree::new(sources);
    let edges = tree.edges();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for start in edges.keys() {
        let circle: Vec<_> =
            reached(&edges, start).into_iter().filter(|end| reached(&edges, end).contains(start)).collect();
        if circle.len() < 2 || !seen.insert(circle.clone()) {
            continue;
        }
        let mut lines = vec![format!("{} files import each other in a circle:", circle.len())];
        for (from, ends) in edges.iter().filter(|(from, _)| circle.contains(from)) {
            for (to, names) in ends.iter().filter(|(to, _)| circle.contains(to)) {
                let names: Vec<_> = names.iter().cloned().collect();
                lines.push(format!("  {} -> {}: {}", tree.path(from), tree.path(to), names.join(", ")));
            }
        }
        found.push(lines.join("\n"));
    }
    found
}

type Edges = BTreeMap<Module, BTreeMap<Module, BTreeSet<String>>>;

/// All that can be reached from a module by one import or more.
fn reached(edges: &Edges, start: &Module) -> BTreeSet<Module> {
    let (mut found, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(module) = open.pop() {
        for next in edges.get(module).into_iter().flatten().map(|(next, _)| next) {
            if found.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    found
}

impl Tree {
    fn new(sources: &[Source]) -> Self {
        let product = sources.iter().filter(|source| !source.is_test && source.path.contains("src/"));
        Self(product.map(|source| (module_of(&source.path), File::new(source))).collect())
    }

    fn path(&self, module: &Module) -> &str {
        self.0.get(module).map_or("", |file| &file.path)
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (module, file) in &self.0 {
            let aliases = self.aliases(module, file);
            for path in &file.used {
                let Some(place) = self.resolve(module, path, &aliases) else { continue };
                // A module that is only named ties nothing: what is used of it does.
                let (Some(name), true) = (place.name, place.module != *module) else { continue };
                edges.entry(module.clone()).or_default().entry(place.module).or_default().insert(name);
            }
        }
        edges
    }

    /// Modules that a file imports under a name of their own.
    fn aliases(&self, module: &Module, file: &File) -> BTreeMap<String, Module> {
        let places = file.used.iter().filter_map(|path| self.resolve(module, path, &BTreeMap::new()));
        let modules = places.filter(|place| place.name.is_none());
        modules.filter_map(|place| Some((place.module.last()?.clone(), place.module))).collect()
    }

    /// Where a path of a file leads, if it stays in the crate.
    fn resolve(&self, from: &Module, path: &str, aliases: &BTreeMap<String, Module>) -> Option<Place> {
        let mut names = path.split("::").peekable();
        let mut module = match *names.peek()? {
            "crate" => Module::new(),
            "self" | "super" => from.clone(),
            name if self.0.contains_key(&child(from, name)) => from.clone(),
            name => {
                let module = aliases.get(name)?.clone();
                names.next();
                return self.descend(module, names);
            }
        };
        while let Some(name) = names.next_if(|name| ["crate", "self", "super"].contains(name)) {
            if name == "super" {
                module.pop();
            }
        }
        self.descend(module, names)
    }

    /// Follows names down the modules, and on to where a name that is passed on is defined.
    fn descend<'a>(&self, mut module: Module, names: impl Iterator<Item = &'a str>) -> Option<Place> {
        let mut names = names.peekable();
        while let Some(name) = names.next_if(|name| self.0.contains_key(&child(&module, name))) {
            module.push(name.to_owned());
        }
        let Some(name) = names.next() else { return Some(Place { module, name: None }) };
        match self.0.get(&module)?.passed_on.get(name) {
            Some(path) => self.resolve(&module, path, &BTreeMap::new()),
            None => Some(Place { module, name: Some(name.to_owned()) }),
        }
    }
}

impl File {
    fn new(source: &Source) -> Self {
        let (mut used, mut passed_on) = (BTreeSet::new(), BTreeMap::new());
        for item in source.product_items() {
            let found = paths(item.to_token_stream());
            match item {
                Item::Use(item) if !matches!(item.vis, Visibility::Inherited) => {
                    let named = found.into_iter().filter(|path| !path.ends_with(" as") && path.contains("::"));
                    passed_on.extend(named.filter_map(|path| Some((path.rsplit("::").next()?.to_owned(), path))));
                }
                _ => used.extend(found.into_iter().filter(|path| path.contains("::"))),
            }
        }
        Self { path: source.path.clone(), used, passed_on }
    }
}

fn child(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The module of a file below `src`.
fn module_of(path: &str) -> Module {
    let inner = path.rsplit_once("src/").map_or(path, |(_, inner)| inner).trim_end_matches(".rs");
    let mut module: Module = inner.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|name| name == "mod" || module.len() == 1 && name == "lib") {
        module.pop();
    }
    module
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        let ast = syn::parse_file(text).unwrap();
        Source { path: format!("fixture/src/{path}"), text: text.to_owned(), ast, is_test: false }
    }

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        circles(&files.iter().map(|(path, text)| source(path, text)).collect::<Vec<_>>())
    }

    #[test]
    fn finds_a_circle_of_two_files_and_what_ties_it() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            ("b.rs", "pub struct B; fn f() { crate::a::A::new(); }"),
            ("c.rs", "use super::{a::A, b::B};"),
        ];
        let text = "2 files import each other in a circle:\n  fixture/src/a.rs -> fixture/src/b.rs: B\n  \
                    fixture/src/b.rs -> fixture/src/a.rs: A";
        assert_eq!(found(&files), [text]);
    }

    #[test]
    fn finds_a_circle_through_a_module_that_only_passes_on() {
        let files = [
            ("lib.rs", "mod x; mod y;"),
            ("x/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("x/a.rs", "use super::B; pub struct A(B);"),
            ("x/b.rs", "use crate::y; pub struct B; fn f() -> y::Y { y::make() }"),
            ("y.rs", "pub struct Y; use crate::x::A;"),
        ];
        let found = found(&files);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with("3 files import each other in a circle:"), "{found:#?}");
    }

    #[test]
    fn finds_none_where_all_imports_lead_down() {
        let files = [
            ("lib.rs", "mod x; pub mod top; pub use top::Top;"),
            ("x/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("x/a.rs", "pub struct A;"),
            ("x/b.rs", "use super::A; pub struct B(A); #[cfg(test)] mod tests { use crate::Top; }"),
            ("top.rs", "use crate::x::{A, B}; pub struct Top(A, B);"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }
}
