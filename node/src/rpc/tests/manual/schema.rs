//! The types of the manual as JSON schemas.

use serde_json::{Map, Value, json};

use super::{
    SECTIONS,
    parse::{Parameter, Part, Type, parts},
};

/// Types that the manual's entries do not define.
const TYPES: &str = include_str!("../../manual/types.json");

/// What they are, by name.
pub fn basic() -> Map<String, Value> {
    serde_json::from_str(TYPES).unwrap()
}

/// A reference, or the schema of an object.
pub fn schema(kind: &Type) -> Value {
    match kind {
        Type::Name(name) => json!({ "$ref": format!("#/components/schemas/{name}") }),
        Type::Object(fields, open) => {
            let properties: Map<_, _> = fields.iter().map(|field| (field.name.clone(), schema(&field.kind))).collect();
            let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| &field.name).collect();
            let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": open });
            if !required.is_empty() {
                object["required"] = json!(required);
            }
            object
        }
    }
}

/// All types that have names.
pub fn components() -> Map<String, Value> {
    basic().into_iter().chain(defined().iter().map(|(name, kind)| (name.clone(), schema(kind)))).collect()
}

/// The types that the manual defines.
pub fn defined() -> Vec<(String, Type)> {
    let all = SECTIONS.iter().flat_map(|(_, text)| parts(text));
    all.filter_map(|part| if let Part::Type(name, kind) = part { Some((name, kind)) } else { None }).collect()
}

/// Whether a schema allows a value, as far as the manual's schemas go.
pub fn allows(schema: &Value, value: &Value, components: &Map<String, Value>) -> bool {
    if let Some(name) = schema["$ref"].as_str() {
        return allows(&components[name.rsplit('/').next().unwrap()], value, components);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().any(|schema| allows(schema, value, components));
    }
    match schema["type"].as_str() {
        None => true,
        Some("string") => value.as_str().is_some_and(|text| schema["pattern"].is_null() || !text.contains(' ')),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.as_u64().is_some(),
        Some("number") => value.as_f64().is_some_and(|number| number >= 0.0),
        Some("array") => value.is_array(),
        Some("object") => value.as_object().is_some_and(|object| {
            let known = |key: &String| schema["additionalProperties"] != false || !schema["properties"][key].is_null();
            object.keys().all(known)
        }),
        Some(other) => panic!("{other}"),
    }
}

/// The schema of results that look like this one. Any value in them may be `null`.
pub fn inferred(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!({ "type": ["boolean", "null"] }),
        Value::Number(number) if number.is_u64() || number.is_i64() => json!({ "type": ["integer", "null"] }),
        Value::Number(_) => json!({ "type": ["number", "null"] }),
        Value::String(_) => json!({ "type": ["string", "null"] }),
        Value::Array(items) => match items.first() {
            Some(item) => json!({ "type": ["array", "null"], "items": inferred(item) }),
            None => json!({ "type": ["array", "null"] }),
        },
        Value::Object(fields) => {
            let properties: Map<_, _> = fields.iter().map(|(key, value)| (key.clone(), inferred(value))).collect();
            json!({ "type": ["object", "null"], "properties": properties })
        }
    }
}

/// The fields of a type, for pages.
pub fn fields(kind: &Type) -> &[Parameter] {
    match kind {
        Type::Name(_) => &[],
        Type::Object(fields, _) => fields,
    }
}
