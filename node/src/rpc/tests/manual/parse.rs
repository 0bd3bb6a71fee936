//! Reads the manual. It is Markdown with entries: lines `@ name(param: type, param?: type) -> type`, one a method;
//! `! codes` of its errors; text, in it `- param: …`; `> [parameters]` of an example, and what it returns on the lines below.
//! `= name {…}` names a type. An entry ends at the next one or at a heading.

use serde_json::Value;

/// A piece of the manual.
pub enum Part {
    /// Markdown of no method.
    Text(String),
    /// A type of an object.
    Type(String, Type),
    /// Methods.
    Entry(Entry),
}

/// Methods that are described together.
pub struct Entry {
    pub methods: Vec<Signature>,
    pub errors: Vec<i64>,
    pub text: String,
    /// What parameters mean, by name.
    pub notes: Vec<(String, String)>,
    /// Parameters of the example.
    pub example: Vec<Value>,
    /// Whether the example is one of an error.
    pub fails: bool,
    /// What the example returns, as written. Results may have more.
    pub result: Option<String>,
}

/// A method.
pub struct Signature {
    pub line: String,
    pub name: String,
    pub params: Vec<Parameter>,
    pub result: String,
}

/// A parameter, or a field of an object.
pub struct Parameter {
    pub name: String,
    pub required: bool,
    pub kind: Type,
}

/// What a parameter may be.
pub enum Type {
    /// One that has a name.
    Name(String),
    /// An object with these fields; whether others are ignored.
    Object(Vec<Parameter>, bool),
}

/// All of a section.
pub fn parts(text: &str) -> Vec<Part> {
    let (mut parts, mut lines): (_, Vec<&str>) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let next = line.starts_with("@ ") && !lines.last().is_some_and(|last| last.starts_with("@ "));
        let ends = lines.first().is_some_and(|first| first.starts_with("= "));
        if next || ends || ["## ", "### ", "= "].iter().any(|start| line.starts_with(start)) {
            parts.extend(part(&std::mem::take(&mut lines)));
        }
        lines.push(line);
    }
    parts.extend(part(&lines));
    parts
}

fn part(lines: &[&str]) -> Option<Part> {
    let first = lines.first()?;
    if first.starts_with("@ ") {
        return Some(Part::Entry(entry(lines)));
    }
    if let Some((name, kind)) = first.strip_prefix("= ").and_then(|line| line.split_once(' ')) {
        return Some(Part::Type(name.to_owned(), parse_type(kind)));
    }
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(Part::Text(text))
}

fn entry(lines: &[&str]) -> Entry {
    let signatures = lines.iter().take_while(|line| line.starts_with("@ ")).count();
    let methods: Vec<_> = lines[..signatures].iter().map(|line| signature(&line[2..])).collect();
    let lines = &lines[signatures..];
    let example = lines.iter().position(|line| line.starts_with("> ")).unwrap_or_else(|| {
        panic!("{}: no example", methods[0].name);
    });
    let (mut errors, mut text, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for line in &lines[..example] {
        let note = line.strip_prefix("- ").and_then(|line| line.split_once(": "));
        let note = note.filter(|(name, _)| methods[0].params.iter().any(|param| param.name == *name));
        match (line.strip_prefix("! "), note) {
            (Some(codes), _) => errors.extend(codes.split(' ').map(|code| code.parse::<i64>().unwrap())),
            (_, Some((name, note))) => notes.push((name.to_owned(), note.to_owned())),
            _ => text.push(*line),
        }
    }
    let arguments = lines[example][2..].trim();
    let (arguments, fails) = match arguments.strip_suffix(" fails") {
        Some(arguments) => (arguments, true),
        None => (arguments, false),
    };
    let result = lines[example + 1..].join("\n").trim().to_owned();
    Entry {
        errors,
        text: text.join("\n").trim().to_owned(),
        notes,
        example: serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{arguments}: {error}")),
        fails,
        result: (!result.is_empty()).then_some(result),
        methods,
    }
}

fn signature(line: &str) -> Signature {
    let (call, result) = line.rsplit_once(") -> ").unwrap_or_else(|| panic!("{line}: no result"));
    let (name, params) = call.split_once('(').unwrap_or_else(|| panic!("{line}: no parameters"));
    Signature {
        line: line.to_owned(),
        name: name.to_owned(),
        params: fields(params).into_iter().map(parameter).collect(),
        result: result.to_owned(),
    }
}

/// What commas separate outside of braces.
fn fields(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(text[from..].trim());
    found.retain(|field| !field.is_empty());
    found
}

fn parameter(text: &str) -> Parameter {
    let (name, kind) = text.split_once(": ").unwrap_or_else(|| panic!("{text}: no type"));
    let kind = parse_type(kind);
    match name.strip_suffix('?') {
        Some(name) => Parameter { name: name.to_owned(), required: false, kind },
        None => Parameter { name: name.to_owned(), required: true, kind },
    }
}

fn parse_type(text: &str) -> Type {
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        None => Type::Name(text.to_owned()),
        Some(inside) => {
            let mut fields = fields(inside);
            let open = fields.last() == Some(&"...");
            fields.truncate(fields.len() - usize::from(open));
            Type::Object(fields.into_iter().map(parameter).collect(), open)
        }
    }
}
