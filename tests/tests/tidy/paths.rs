//! The words and paths of code, read from its tokens: also inside macros, which no syntax tree shows.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Every word of the code, comments and texts left out.
pub fn words(code: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for token in code {
        match token {
            TokenTree::Group(group) => found.extend(words(group.stream())),
            TokenTree::Ident(ident) => _ = found.insert(ident.to_string()),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

/// Every path, those of `use` spelled out: `use a::{b, c::*}` has `a::b` and `a::c::*`, `use a as b` has `a as`.
pub fn paths(code: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(code, "", &mut found);
    found
}

fn walk(code: TokenStream, before: &str, found: &mut BTreeSet<String>) {
    let tokens: Vec<_> = code.into_iter().collect();
    let mut path = before.to_owned();
    for (index, token) in tokens.iter().enumerate() {
        let follows_colons = index >= 2 && is_colons(&tokens[index - 2..index]);
        match token {
            TokenTree::Ident(ident) if ident == "as" => {
                found.insert(format!("{path} as"));
                path = before.to_owned();
            }
            // What follows begins a path, also with `::`.
            TokenTree::Ident(ident) if ident == "use" => path = before.to_owned(),
            TokenTree::Ident(ident) => {
                path = join(if follows_colons { &path } else { before }, &ident.to_string());
                found.insert(path.clone());
            }
            TokenTree::Group(group) if follows_colons && group.delimiter() == Delimiter::Brace => {
                walk(group.stream(), &path, found);
            }
            TokenTree::Group(group) => walk(group.stream(), "", found),
            TokenTree::Punct(punct) if punct.as_char() == '*' && follows_colons => _ = found.insert(join(&path, "*")),
            // The colons of a path go on with it; all else ends it, a type's colon too.
            TokenTree::Punct(_) if is_colons(&tokens[index..]) || index >= 1 && is_colons(&tokens[index - 1..]) => {}
            TokenTree::Punct(_) | TokenTree::Literal(_) => path = before.to_owned(),
        }
    }
}

/// Whether code begins with `::`.
fn is_colons(tokens: &[TokenTree]) -> bool {
    let colon = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    let joint = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
    matches!(tokens, [first, second, ..] if colon(first) && joint(first) && colon(second))
}

/// A name behind a path. `self` in a list of imports is what the list hangs on.
fn join(before: &str, name: &str) -> String {
    match (before, name) {
        ("", name) => name.to_owned(),
        (before, "self") => before.to_owned(),
        (before, name) => format!("{before}::{name}"),
    }
}
