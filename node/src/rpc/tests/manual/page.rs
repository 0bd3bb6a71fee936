//! `docs/rpc.md`.

use serde_json::Value;

use super::{
    SECTIONS,
    openrpc::shown,
    parse::{Entry, Part, Type},
    parts,
    schema::{basic, fields},
};

/// Longest result that stands on the line of its example.
const SHORT: usize = 70;

/// The page.
pub fn page() -> String {
    let mut page = Vec::new();
    for (name, _) in SECTIONS {
        let mut level = "###";
        for part in parts(name) {
            match part {
                Part::Text(text) => {
                    if text.starts_with("### ") && name != "head" {
                        level = "####";
                    }
                    page.push(text);
                }
                Part::Type(name, kind) => page.push(named(&name, &kind)),
                Part::Entry(one) => page.push(entry(level, &one)),
            }
        }
        if name == "head" {
            page.push(types());
        }
    }
    page.join("\n\n") + "\n"
}

/// The types of parameters.
fn types() -> String {
    let row = |(name, schema): (String, Value)| format!("| `{name}` | {} |\n", schema["description"].as_str().unwrap());
    let rows = basic().into_iter().map(row);
    format!(
        "## Types\n\nEach method stands below with the types of its parameters and result. The same in OpenRPC is \
         [openrpc.json](openrpc.json), and\nwhat a node serves of it, `rpc.discover`.\n\n| type | what |\n|---|---|\n{}",
        rows.collect::<String>()
    )
    .trim_end()
    .to_owned()
}

fn named(name: &str, kind: &Type) -> String {
    let names: Vec<_> = fields(kind).iter().map(|field| format!("`{}`", field.name)).collect();
    let more = if matches!(kind, Type::Object(_, true)) { "; others are ignored" } else { "" };
    format!("`{name}` is an object of {}{more}.", names.join(", "))
}

fn entry(level: &str, entry: &Entry) -> String {
    let names: Vec<_> = entry.methods.iter().map(|method| method.name.as_str()).collect();
    let signatures: Vec<_> = entry.methods.iter().map(|method| format!("`{}`", method.line)).collect();
    let mut blocks = vec![format!("{level} {}", names.join(", ")), signatures.join("\\\n"), entry.text.clone()];
    if !entry.notes.is_empty() {
        let notes = entry.notes.iter().map(|(name, note)| format!("- `{name}`: {note}"));
        blocks.push(notes.collect::<Vec<_>>().join("\n"));
    }
    blocks.push(example(entry));
    if !entry.errors.is_empty() {
        let codes: Vec<_> = entry.errors.iter().map(i64::to_string).collect();
        blocks.push(format!("Errors: {}.", codes.join(", ")));
    }
    blocks.join("\n\n")
}

fn example(entry: &Entry) -> String {
    let arguments: Vec<_> = entry.example.iter().map(|value| shown(value.clone()).to_string()).collect();
    let call = format!("Example: `{}({})`", entry.methods[0].name, arguments.join(", "));
    match &entry.result {
        None => format!("{call}."),
        Some(result) if result.len() <= SHORT && !result.contains('\n') => format!("{call} returns `{result}`."),
        Some(result) => format!("{call} returns\n```json\n{result}\n```"),
    }
}
