//! Compiler output: bare bytecode, bare ABIs, and the JSON of solc, vyper, forge and hardhat.

use std::{fs::File, path::Path};

use alloy_json_abi::JsonAbi;
use serde_json::Value;

use super::{ContractError, Interface, MAX_ARTIFACT};
use crate::input::{fault, from_json, read_text};

/// What is read.
const EXPECTED: &str =
    "what a compiler wrote (the .bin of `solc --bin`, or JSON of solc, vyper, forge or hardhat), or hex after 0x";

/// One contract of a file.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// `Token`, or `src/Token.sol:Token` where the file says so.
    pub(super) name: String,
    abi: Option<JsonAbi>,
    /// Hex as it stands in the file; empty for interfaces and abstract contracts.
    code: Option<String>,
    libraries: Vec<String>,
    /// ABIs of the file's other contracts.
    related: Vec<JsonAbi>,
}

/// Reads the contract of a file, or the one of this name among several. With `deploy`, those without bytecode do not count.
pub fn read_artifact(path: &Path, wanted: Option<&str>, deploy: bool) -> Result<Artifact, ContractError> {
    let text = read(path)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let wrong = |reason: String| ContractError::Artifact { file: path.display().to_string(), reason };
    let text = without_notes(&text);
    if !text.starts_with(['{', '[']) {
        let bare = Artifact { abi: beside(path)?, ..Artifact::bare(&stem, text.trim_end()) };
        // What is no bytecode has no contract to be named after.
        return match bare.bytecode() {
            Err(ContractError::Artifact { reason, .. }) if deploy => Err(wrong(reason)),
            _ => Ok(bare),
        };
    }
    let json: Value =
        from_json(text.as_bytes()).map_err(|error| wrong(format!("not JSON ({error}); expected {EXPECTED}")))?;
    let mut found = contracts(&json, &stem).map_err(&wrong)?;
    let names: Vec<String> = found.iter().map(|artifact| artifact.name.clone()).collect();
    if let Some(wanted) = wanted {
        found.retain(|artifact| artifact.is_named(wanted));
    } else if deploy && found.len() > 1 {
        found.retain(Artifact::has_code);
    }
    match (found.len(), wanted) {
        (1, _) => Ok(found.remove(0)),
        (0, Some(wanted)) => Err(wrong(format!("it has no contract '{wanted}'; it has {}", names.join(", ")))),
        (0, None) => Err(wrong("it has no contract with bytecode".into())),
        (_, _) => Err(wrong(format!("it has several contracts; say with --contract which: {}", names.join(", ")))),
    }
}

fn read(path: &Path) -> Result<String, ContractError> {
    let result = File::open(path).and_then(|file| read_text(file, MAX_ARTIFACT));
    let wrong = |reason: String| ContractError::Artifact { file: path.display().to_string(), reason };
    result.map(|text| text.to_string()).map_err(|error| wrong(format!("cannot be read: {error}")))
}

/// The output proper: solc of npm says `>>> Cannot retry …` in front of it.
fn without_notes(text: &str) -> &str {
    let mut text = text.trim_start();
    while let (true, Some((_, rest))) = (text.starts_with(">>>"), text.split_once('\n')) {
        text = rest.trim_start();
    }
    text
}

/// The ABI that `solc --bin --abi` writes beside the bytecode.
fn beside(path: &Path) -> Result<Option<JsonAbi>, ContractError> {
    let path = path.with_extension("abi");
    if !path.is_file() {
        return Ok(None);
    }
    let wrong = |reason: String| ContractError::Artifact { file: path.display().to_string(), reason };
    from_json(read(&path)?.as_bytes()).map(Some).map_err(|error| wrong(format!("not an ABI: {error}")))
}

/// All contracts of a compiler's output.
fn contracts(json: &Value, stem: &str) -> Result<Vec<Artifact>, String> {
    // Hardhat's build info wraps what solc answers.
    let json = json.get("output").filter(|output| output.is_object()).unwrap_or(json);
    let mut found = Vec::new();
    if json.is_array() || json.get("abi").is_some() || json.get("bytecode").is_some() {
        let name = json["contractName"].as_str().unwrap_or(stem);
        found.push(one(name, json)?);
    } else {
        // solc has `contracts`, vyper's combined JSON the contracts at its top.
        let entries = json.get("contracts").unwrap_or(json).as_object().ok_or("it is not an artifact of a compiler")?;
        for (key, entry) in entries.iter().filter(|(_, entry)| entry.is_object()) {
            if is_contract(entry) {
                found.push(one(key, entry)?);
                continue;
            }
            let named = entry.as_object().into_iter().flatten().filter(|(_, entry)| is_contract(entry));
            for (name, entry) in named {
                found.push(one(&format!("{key}:{name}"), entry)?);
            }
        }
    }
    if found.is_empty() {
        return Err(no_contracts(json));
    }
    let abis: Vec<Option<JsonAbi>> = found.iter().map(|artifact| artifact.abi.clone()).collect();
    for (index, artifact) in found.iter_mut().enumerate() {
        let others = abis.iter().enumerate().filter(|(other, _)| *other != index);
        artifact.related = others.filter_map(|(_, abi)| abi.clone()).collect();
    }
    Ok(found)
}

fn is_contract(entry: &Value) -> bool {
    ["abi", "bin", "bytecode", "evm"].iter().any(|key| entry.get(key).is_some())
}

/// Why a file has no contracts: above all the compiler's own first error.
fn no_contracts(json: &Value) -> String {
    let errors = json["errors"].as_array().into_iter().flatten();
    let mut errors = errors.filter(|error| error["severity"] == "error");
    match errors.find_map(|error| error["message"].as_str()) {
        Some(message) => format!("the compiler found an error: {}", super::value::quoted(message)),
        None => "it has no contracts: not an artifact of solc, vyper, forge or hardhat".into(),
    }
}

/// One contract, wherever its compiler puts the parts.
fn one(name: &str, json: &Value) -> Result<Artifact, String> {
    let abi = if json.is_array() { Some(json) } else { json.get("abi") };
    let abi = match abi {
        None | Some(Value::Null) => None,
        // Older compilers write the ABI as text.
        Some(Value::String(text)) => Some(from_json(text.as_bytes())),
        Some(value) => Some(serde_json::from_value(value.clone()).map_err(|error| fault(&error))),
    };
    let abi = abi.transpose().map_err(|error| format!("the ABI of {name} is malformed: {error}"))?;
    let code = ["/evm/bytecode/object", "/bytecode/object", "/bytecode", "/bin"]
        .iter()
        .find_map(|path| json.pointer(path)?.as_str())
        .map(str::to_owned);
    let references = ["/evm/bytecode/linkReferences", "/bytecode/linkReferences", "/linkReferences"];
    let references = references.iter().find_map(|path| json.pointer(path)?.as_object());
    let libraries = references.into_iter().flatten().flat_map(|(file, names)| {
        names.as_object().into_iter().flat_map(move |names| names.keys().map(move |name| format!("{file}:{name}")))
    });
    Ok(Artifact { name: name.into(), abi, code, libraries: libraries.collect(), related: Vec::new() })
}

impl Artifact {
    /// Bytecode without a word about its types.
    pub fn bare(name: &str, code: &str) -> Self {
        let (name, code) = (name.to_owned(), Some(code.to_owned()));
        Self { name, abi: None, code, libraries: Vec::new(), related: Vec::new() }
    }

    fn is_named(&self, wanted: &str) -> bool {
        self.name == wanted || self.name.rsplit(':').next() == Some(wanted)
    }

    fn has_code(&self) -> bool {
        self.code.as_ref().is_some_and(|code| !code.trim_start_matches("0x").is_empty())
    }

    /// What is known of its types.
    pub fn interface(&self) -> Interface {
        Interface::new(self.abi.clone(), self.related.clone())
    }

    /// Whether it says what its functions take.
    pub fn has_abi(&self) -> bool {
        self.abi.is_some()
    }

    /// The code that makes the contract, without arguments.
    ///
    /// # Errors
    /// [`ContractError`] if there is none, or it is not linked.
    pub fn bytecode(&self) -> Result<Vec<u8>, ContractError> {
        let wrong = |reason: &str| ContractError::Artifact { file: self.name.clone(), reason: reason.into() };
        let code = self.code.as_deref().ok_or_else(|| wrong("there is no bytecode, only an ABI"))?.trim();
        let digits = code.strip_prefix("0x").unwrap_or(code);
        if digits.is_empty() {
            return Err(wrong("it has no bytecode: it is an interface or an abstract contract"));
        }
        if digits.contains("__") {
            return Err(ContractError::Unlinked { contract: self.name.clone(), libraries: self.missing(digits) });
        }
        hex::decode(digits).map_err(|_| match digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            true => wrong("its bytecode has an odd number of hexadecimal digits: is it cut short?"),
            false => wrong(&format!("its bytecode is not hexadecimal; expected {EXPECTED}")),
        })
    }

    /// Libraries whose addresses are missing: by name if the file says so, else as the placeholders stand in the code.
    fn missing(&self, digits: &str) -> Vec<String> {
        if !self.libraries.is_empty() {
            return self.libraries.clone();
        }
        let mut found = Vec::new();
        let mut rest = digits;
        while let Some(at) = rest.find("__") {
            // An address takes 40 digits.
            let placeholder: String = rest[at..].chars().take(40).collect();
            rest = &rest[at + placeholder.len()..];
            let name = placeholder.trim_matches('_').to_owned();
            if !found.contains(&name) {
                found.push(name);
            }
        }
        found
    }
}
