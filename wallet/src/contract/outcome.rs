//! Decoded results, reverts and events of contracts.

use alloy_dyn_abi::{DynSolValue, EventExt, JsonAbiExt};
use alloy_json_abi::{Error, Event, Param};
use alloy_primitives::U256;
use serde_json::{Value, json};

use super::{ContractError, Interface, interface, value};
use crate::node::Log;

/// A value with the name and type that its ABI gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Its name; empty if it has none.
    pub name: String,
    pub kind: String,
    /// Itself; of indexed text, bytes and arrays an event holds the hash alone.
    pub value: DynSolValue,
}

impl Named {
    fn new(param: &Param, value: DynSolValue) -> Self {
        Self { name: param.name.clone(), kind: param.selector_type().into_owned(), value }
    }
}

/// Decodes what a function returns.
///
/// # Errors
/// [`ContractError::Codec`] if it answers something else.
pub fn named(outputs: &[Param], data: &[u8]) -> Result<Vec<Named>, ContractError> {
    let values = interface::decode_outputs(outputs, data)?;
    Ok(outputs.iter().zip(values).map(|(param, value)| Named::new(param, value)).collect())
}

/// `from: 0x…, value: 5`.
pub fn show_named(values: &[Named]) -> String {
    let show = |named: &Named| match named.name.as_str() {
        "" => value::show(&named.value),
        name => format!("{name}: {}", value::show(&named.value)),
    };
    values.iter().map(show).collect::<Vec<_>>().join(", ")
}

/// Values for programs.
pub fn named_json(values: &[Named]) -> Value {
    let one = |named: &Named| json!({ "name": named.name, "type": named.kind, "value": value::as_json(&named.value) });
    values.iter().map(one).collect()
}

/// Why code reverted.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    Silent,
    Text(String),
    Panic(U256),
    /// An error that its ABI has.
    Custom(String, Vec<Named>),
    /// Data, and whether there is an ABI, which has no such error.
    Raw(Vec<u8>, bool),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silent => f.write_str("it gave no reason"),
            Self::Text(text) => f.write_str(&value::quoted(text)),
            Self::Panic(code) => write!(f, "panic 0x{code:02x}: {}", panic_meaning(code)),
            Self::Custom(name, values) => write!(f, "{name}({})", show_named(values)),
            Self::Raw(data, true) => write!(f, "it answered 0x{} (no error of the ABI)", hex::encode(data)),
            Self::Raw(data, false) => {
                write!(f, "it answered 0x{} (--abi FILE would say what that means)", hex::encode(data))
            }
        }
    }
}

/// What Solidity's panics mean.
fn panic_meaning(code: &U256) -> &'static str {
    match u8::try_from(*code).unwrap_or(u8::MAX) {
        0x00 => "the compiler's own check failed",
        0x01 => "an assertion failed",
        0x11 => "a sum, difference or product does not fit its type",
        0x12 => "division by zero",
        0x21 => "a value is not a member of its enum",
        0x22 => "bytes in storage are encoded wrongly",
        0x31 => "an item was taken from an empty array",
        0x32 => "an index is out of bounds",
        0x41 => "more memory was asked for than there is",
        0x51 => "a function variable was called that was never set",
        _ => "a panic without a known meaning",
    }
}

/// Decodes the data of a revert.
pub fn reason(interface: &Interface, data: &[u8]) -> Reason {
    if data.is_empty() {
        return Reason::Silent;
    }
    let solidity = |signature| read(&solidity(signature), data)?.pop().map(|named| named.value);
    if let Some(DynSolValue::String(text)) = solidity("Error(string)") {
        return Reason::Text(text);
    }
    if let Some(DynSolValue::Uint(code, _)) = solidity("Panic(uint256)") {
        return Reason::Panic(code);
    }
    let custom = interface.errors().find_map(|error| Some(Reason::Custom(error.name.clone(), read(error, data)?)));
    custom.unwrap_or_else(|| Reason::Raw(data.to_vec(), interface.has_abi()))
}

fn solidity(signature: &str) -> Error {
    Error::parse(signature).expect("both of Solidity's own errors are signatures")
}

fn read(error: &Error, data: &[u8]) -> Option<Vec<Named>> {
    let values = error.abi_decode_input(data.strip_prefix(error.selector().as_slice())?).ok()?;
    Some(error.inputs.iter().zip(values).map(|(param, value)| Named::new(param, value)).collect())
}

/// The event that a log is, with its values in the order of the declaration.
fn event(interface: &Interface, log: &Log) -> Option<(Event, Vec<Named>)> {
    interface.events().filter(|event| !event.anonymous && Some(&event.selector()) == log.topics.first()).find_map(
        |event| {
            let decoded = event.decode_log_parts(log.topics.iter().copied(), &log.data).ok()?;
            let (mut indexed, mut body) = (decoded.indexed.into_iter(), decoded.body.into_iter());
            let next = |param: &alloy_json_abi::EventParam| {
                let value = if param.indexed { indexed.next() } else { body.next() }?;
                Some(Named { name: param.name.clone(), kind: param.selector_type().into_owned(), value })
            };
            let values = event.inputs.iter().map(next).collect::<Option<Vec<_>>>()?;
            Some((event, values))
        },
    )
}

/// `Transfer(from: 0x…, to: 0x…, value: 5)`, or the bare log where no event of the ABI fits.
pub fn show_log(interface: &Interface, log: &Log) -> String {
    match event(interface, log) {
        Some((event, values)) => format!("{}({})", event.name, show_named(&values)),
        None => {
            let topics: Vec<String> = log.topics.iter().map(ToString::to_string).collect();
            format!("log [{}] {}", topics.join(", "), log.data)
        }
    }
}

/// A log for programs: as the node gives it, and decoded where an event of the ABI fits.
pub fn log_json(interface: &Interface, log: &Log) -> Value {
    let mut json = json!({ "address": log.address.to_string(), "topics": log.topics, "data": log.data });
    if let Some((event, values)) = event(interface, log) {
        json["event"] = json!(event.name);
        json["signature"] = json!(event.signature());
        json["arguments"] = named_json(&values);
    }
    json
}
