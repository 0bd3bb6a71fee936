//! What the manual does not allow is refused by the parameter's name.

use serde_json::{Value, json};

use super::{
    SECTIONS,
    examples::World,
    parse::{Entry, Part, Signature},
    parts,
    schema::{allows, components, schema},
};

/// One of each kind of JSON, which the types of the manual refuse unless they allow all of that kind.
fn candidates() -> [Value; 6] {
    [json!(true), json!(-1), json!(1.5), json!("no such value"), json!([[[]]]), json!({ "no such": 1 })]
}

fn refusal(world: &World, method: &Signature, params: &[Value]) -> String {
    match world.node.try_call(&method.name, params.into()) {
        Err((-32602, message)) => message,
        other => panic!("{} {params:?}: {other:?}", method.name),
    }
}

fn refuses(world: &World, entry: &Entry, method: &Signature) {
    let components = components();
    let example = world.filled(&json!(entry.example));
    let example = example.as_array().unwrap();
    for (at, param) in method.params.iter().enumerate() {
        let schema = schema(&param.kind);
        let mut given = example.clone();
        given.resize(given.len().max(at + 1), Value::Null);
        for wrong in candidates().into_iter().filter(|value| !allows(&schema, value, &components)) {
            given[at] = wrong.clone();
            let message = refusal(world, method, &given);
            assert!(message.starts_with(&param.name), "{} {} {wrong}: {message}", method.name, param.name);
        }
        if param.required {
            let message = refusal(world, method, &example[..at]);
            assert!(message.starts_with(&format!("{}: missing", param.name)), "{}: {message}", method.name);
        }
    }
    let surplus = vec![Value::Null; method.params.len() + 1];
    assert!(refusal(world, method, &surplus).starts_with("expected at most"), "{}", method.name);
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method.name, "params": { "no such": 1 } });
    let error = world.node.raw(&request.to_string())["error"].take();
    assert_eq!(error["code"], -32602, "{}: {error}", method.name);
}

#[test]
fn each_parameter_refuses_what_the_manual_does_not_allow_by_its_name() {
    let world = World::new();
    for part in SECTIONS.iter().flat_map(|(name, _)| parts(name)) {
        if let Part::Entry(entry) = part {
            entry.methods.iter().filter(|method| !method.name.contains("ubscribe")).for_each(|method| {
                refuses(&world, &entry, method);
            });
        }
    }
}
