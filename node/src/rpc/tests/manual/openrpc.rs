//! The OpenRPC document of all methods.

use serde_json::{Map, Value, json};

use super::{
    PLACEHOLDERS, entries,
    parse::{Entry, Parameter, Signature, Type},
    schema::{components, inferred, schema},
};
use crate::rpc::{
    access::{Scope, needed},
    base::Method,
    table,
};

/// Errors that the manual's entries name.
const ERRORS: [(i64, &str); 14] = [
    (-5, "Invalid address"),
    (-8, "Invalid parameter"),
    (-10, "In initial sync"),
    (-22, "Block decode failed"),
    (-32602, "Invalid params"),
    (-32000, "Cannot do it"),
    (-32001, "Not found"),
    (-32002, "Not available"),
    (-32003, "Rejected"),
    (-32005, "Limit exceeded"),
    (-32601, "Method not found"),
    (3, "Execution reverted"),
    (4, "Not mined in time"),
    (4100, "Unauthorized"),
];

/// The document.
pub fn document() -> Value {
    let entries = entries();
    let mut methods: Vec<_> =
        table::all().map(|(namespace, method)| method_object(&entries, namespace, method)).collect();
    methods.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
    let errors: Map<_, _> =
        ERRORS.iter().map(|(code, message)| (code.to_string(), json!({ "code": code, "message": message }))).collect();
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Cairn",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "JSON-RPC of the Cairn node. docs/rpc.md describes errors, limits and authentication.",
        },
        "methods": methods,
        "components": { "schemas": components(), "errors": errors },
    })
}

/// The document as a text, with a line for each method.
pub fn text(document: &Value) -> String {
    let mut rest = document.clone();
    let methods = rest["methods"].take();
    let line = |method: &Value| format!("    {method}");
    let lines: Vec<_> = methods.as_array().unwrap().iter().map(line).collect();
    let rest = serde_json::to_string_pretty(&rest).unwrap();
    rest.replace("\"methods\": null", &format!("\"methods\": [\n{}\n  ]", lines.join(",\n"))) + "\n"
}

fn method_object(entries: &[Entry], namespace: &str, method: &Method) -> Value {
    let found = entries.iter().find_map(|entry| {
        entry.methods.iter().find(|signature| signature.name == method.name).map(|signature| (entry, signature))
    });
    let (entry, signature) = found.unwrap_or_else(|| panic!("{} is not in the manual", method.name));
    let result = entry.result.as_deref().map(|text| -> Value { serde_json::from_str(text).unwrap() });
    let mut object = json!({
        "name": method.name,
        "tags": [{ "name": namespace }],
        "summary": summary(&entry.text),
        "description": entry.text,
        "paramStructure": "either",
        "params": signature.params.iter().map(|param| parameter(entry, param)).collect::<Vec<_>>(),
        "result": { "name": "result", "schema": result_schema(signature, result.as_ref()) },
        "errors": errors(entry, method),
        "x-permission": permission(method.name),
    });
    if !entry.fails {
        object["examples"] = json!([example(entry, signature, result)]);
    }
    if signature.result == "ethereum" {
        object["externalDocs"] = json!({ "url": "https://ethereum.github.io/execution-apis/" });
    }
    if method.is_subscription() {
        object["x-transport"] = "websocket".into();
    }
    object
}

fn parameter(entry: &Entry, param: &Parameter) -> Value {
    let mut object = json!({ "name": param.name, "required": param.required, "schema": schema(&param.kind) });
    if let Some((_, note)) = entry.notes.iter().find(|(name, _)| *name == param.name) {
        object["description"] = note.as_str().into();
    }
    object
}

fn result_schema(signature: &Signature, result: Option<&Value>) -> Value {
    match (signature.result.as_str(), result) {
        ("object" | "array", Some(result)) => inferred(result),
        (name, _) => schema(&Type::Name(name.to_owned())),
    }
}

fn errors(entry: &Entry, method: &Method) -> Vec<Value> {
    let checked = (!method.params.is_empty()).then_some(-32602);
    let closed = (permission(method.name) != "anyone").then_some(4100);
    let codes = checked.into_iter().chain(entry.errors.iter().copied()).chain(closed);
    codes.map(|code| json!({ "$ref": format!("#/components/errors/{code}") })).collect()
}

fn permission(name: &str) -> &'static str {
    match needed(name) {
        Scope::Wallet | Scope::Public => "anyone",
        Scope::Local => "programs of this machine",
        Scope::Mining => "the cookie or the mining token",
        Scope::Full => "the cookie",
    }
}

fn example(entry: &Entry, signature: &Signature, result: Option<Value>) -> Value {
    let named = signature.params.iter().zip(&entry.example);
    let params: Vec<_> =
        named.map(|(param, value)| json!({ "name": param.name, "value": shown(value.clone()) })).collect();
    json!({
        "name": signature.name,
        "params": params,
        "result": { "name": "result", "value": result.unwrap_or(Value::Null) },
    })
}

/// With what stands for placeholders.
pub fn shown(value: Value) -> Value {
    match value {
        Value::String(text) => match PLACEHOLDERS.iter().find(|(name, _)| *name == text) {
            Some((_, shown)) => (*shown).into(),
            None => text.into(),
        },
        Value::Array(items) => items.into_iter().map(shown).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, shown(value))).collect(),
        other => other,
    }
}

/// The first sentence.
fn summary(text: &str) -> String {
    let text = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let end = text.find(". ").or_else(|| text.find(": ")).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ':']).to_owned()
}
