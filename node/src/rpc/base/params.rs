//! Strict reading of parameters: whatever is odd answers -32602 with the parameter's name.

use alloy_primitives::{Address, B256, U256};
use chain_core::hash::{BlockHash, TxId};
use jsonrpsee::types::Params;
use serde_json::{Map, Value};

use super::{
    call::Call,
    error::{RpcError, RpcResult, invalid},
};

/// The parameters of one call, taken one after the other. Positional and named parameters look the same from here.
#[derive(Debug)]
pub struct Args {
    names: &'static [&'static str],
    values: std::vec::IntoIter<Value>,
    taken: usize,
    call: Call,
}

impl Args {
    /// Reads the parameters of a method that knows these names, in this order.
    ///
    /// # Errors
    /// -32602 for surplus or unknown parameters, and for JSON that is neither an array nor an object.
    pub fn new(params: &Params<'_>, names: &'static [&'static str], call: Call) -> RpcResult<Self> {
        let value = match params.as_str() {
            None | Some("") => Value::Null,
            Some(text) => serde_json::from_str(text).map_err(|error| invalid(format!("parameters: {error}")))?,
        };
        let values = match value {
            Value::Null => Vec::new(),
            Value::Array(values) if values.len() > names.len() => {
                return Err(invalid(format!("expected at most {} parameters, got {}", names.len(), values.len())));
            }
            Value::Array(values) => values,
            Value::Object(map) => by_name(map, names)?,
            _ => return Err(invalid("parameters: expected an array or an object")),
        };
        Ok(Self { names, values: values.into_iter(), taken: 0, call })
    }

    /// The call that they belong to.
    pub fn call(&self) -> Call {
        self.call.clone()
    }

    /// The next parameter.
    ///
    /// # Errors
    /// -32602 if it is missing, `null` or malformed.
    pub fn required<T: Param>(&mut self) -> RpcResult<T> {
        let name = self.next_name();
        self.optional()?.ok_or_else(|| invalid(format!("{name}: missing, expected {}", T::EXPECTED)))
    }

    /// The next parameter, which may be left out or `null`.
    ///
    /// # Errors
    /// -32602 if it is malformed.
    pub fn optional<T: Param>(&mut self) -> RpcResult<Option<T>> {
        let name = self.next_name();
        self.taken += 1;
        match self.values.next() {
            None | Some(Value::Null) => Ok(None),
            Some(value) => parse(name, &value).map(Some),
        }
    }

    fn next_name(&self) -> &'static str {
        self.names.get(self.taken).copied().unwrap_or("parameter")
    }
}

fn by_name(mut map: Map<String, Value>, names: &[&str]) -> RpcResult<Vec<Value>> {
    let values = names.iter().map(|name| map.remove(*name).unwrap_or(Value::Null)).collect();
    match map.keys().next() {
        Some(unknown) => Err(unknown_name(unknown, names)),
        None => Ok(values),
    }
}

fn unknown_name(unknown: &str, names: &[&str]) -> RpcError {
    let unknown: String = unknown.chars().take(40).collect();
    match names {
        [] => invalid(format!("unknown parameter {unknown:?}, this method takes none")),
        _ => invalid(format!("unknown parameter {unknown:?}, expected one of {}", names.join(", "))),
    }
}

fn parse<T: Param>(name: &str, value: &Value) -> RpcResult<T> {
    T::parse(value).ok_or_else(|| unexpected::<T>(name, value))
}

fn unexpected<T: Param>(name: &str, value: &Value) -> RpcError {
    invalid(format!("{name}: expected {}, got {}", T::EXPECTED, shorten(value)))
}

/// At most 60 characters of a value, for messages.
fn shorten(value: &Value) -> String {
    let text = match value {
        Value::Array(items) => return format!("an array of {}", items.len()),
        Value::Object(_) => return "an object".to_owned(),
        other => other.to_string(),
    };
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// An object of options: each may be left out, unknown names are refused.
pub struct Options {
    name: String,
    map: Map<String, Value>,
}

impl Options {
    /// Takes an object apart whose keys must be among `names`. No object at all is an empty one.
    ///
    /// # Errors
    /// -32602 for unknown keys.
    pub fn new(name: impl Into<String>, object: Option<Object>, names: &[&str]) -> RpcResult<Self> {
        let options = Self { name: name.into(), map: object.map(|object| object.0).unwrap_or_default() };
        match options.map.keys().find(|key| !names.contains(&key.as_str())) {
            Some(unknown) => {
                let place = options.name_of(&unknown.chars().take(40).collect::<String>());
                Err(invalid(format!("{place}: unknown, expected one of {}", names.join(", "))))
            }
            None => Ok(options),
        }
    }

    /// As [`Options::new`], but ignores keys that are not known: for Ethereum's transaction objects, to which libraries add
    /// fields that mean nothing here.
    pub fn lenient(name: impl Into<String>, object: Object) -> Self {
        Self { name: name.into(), map: object.0 }
    }

    /// The same for a value within another; `null` is an empty object.
    ///
    /// # Errors
    /// -32602 if it is not an object.
    pub fn nested(name: impl Into<String>, value: Value) -> RpcResult<Self> {
        let name = name.into();
        match value {
            Value::Object(map) => Ok(Self { name, map }),
            Value::Null => Ok(Self { name, map: Map::new() }),
            other => Err(unexpected::<Object>(&name, &other)),
        }
    }

    /// Whether an option is there and not `null`.
    pub fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    /// An option, if it is there and not `null`.
    ///
    /// # Errors
    /// -32602 if it is malformed.
    pub fn get<T: Param>(&self, key: &str) -> RpcResult<Option<T>> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => parse(&self.name_of(key), value).map(Some),
        }
    }

    /// Whether an option is `true`.
    ///
    /// # Errors
    /// -32602 if it is neither that nor `false`.
    pub fn flag(&self, key: &str) -> RpcResult<bool> {
        Ok(self.get(key)?.unwrap_or(false))
    }

    /// How many entries a page may have at most, 1 to `most`.
    ///
    /// # Errors
    /// -32602 if it is any other.
    pub fn limit(&self, default: u32, most: u32) -> RpcResult<usize> {
        let limit = self.get("limit")?.unwrap_or(default);
        match (1..=most).contains(&limit) {
            true => Ok(limit as usize),
            false => Err(invalid(format!("{}.limit: expected 1 to {most}, got {limit}", self.name))),
        }
    }

    /// What to call an option in errors.
    pub fn name_of(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }
}

/// A type that a parameter can have.
pub trait Param: Sized {
    /// What to call it in errors.
    const EXPECTED: &'static str;

    /// Reads it; `None` if it is anything else.
    fn parse(value: &Value) -> Option<Self>;
}

/// A JSON object, to be read through [`Options`].
#[derive(Default)]
pub struct Object(pub Map<String, Value>);

/// Any JSON value.
pub struct Any(pub Value);

/// Ethereum's QUANTITY: `0x`, no leading zeros.
pub struct Quantity(pub u64);

/// A QUANTITY of up to 256 bits.
pub struct BigQuantity(pub U256);

/// A QUANTITY, or an integer as other nodes take one.
pub struct Count(pub u64);

/// Ethereum's DATA: `0x` and pairs of digits.
pub struct Data(pub Vec<u8>);

/// Bytes in hex, with or without `0x`.
pub struct HexBytes(pub Vec<u8>);

fn digits(text: &str) -> Option<&str> {
    text.strip_prefix("0x").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn quantity_digits(value: &Value) -> Option<&str> {
    let digits = digits(value.as_str()?)?;
    let canonical = digits == "0" || !digits.is_empty() && !digits.starts_with('0');
    canonical.then_some(digits)
}

/// A whole number as JSON integer or decimal string.
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

/// Has a type be read from a parameter: what to call it in errors, and how.
macro_rules! param {
    ($type:ty, $expected:literal, |$value:ident| $read:expr) => {
        impl $crate::rpc::base::Param for $type {
            const EXPECTED: &'static str = $expected;

            fn parse($value: &serde_json::Value) -> Option<Self> {
                $read
            }
        }
    };
}

pub(in crate::rpc) use param;

param!(bool, "true or false", |value| value.as_bool());
param!(String, "a string", |value| value.as_str().map(str::to_owned));
param!(u64, "an integer from 0 to 2^64-1", |value| whole(value));
param!(u32, "an integer from 0 to 2^32-1", |value| u32::try_from(whole(value)?).ok());
param!(Object, "an object", |value| value.as_object().cloned().map(Object));
param!(Any, "a value", |value| Some(Self(value.clone())));
param!(Quantity, "a quantity such as \"0x1b4\"", |value| u64::from_str_radix(quantity_digits(value)?, 16)
    .ok()
    .map(Self));
param!(BigQuantity, "a quantity such as \"0x1b4\" of at most 256 bits", |value| {
    U256::from_str_radix(quantity_digits(value).filter(|digits| digits.len() <= 64)?, 16).ok().map(Self)
});
param!(Count, "a number or a quantity such as \"0x1b4\"", |value| {
    value.as_u64().or_else(|| Quantity::parse(value).map(|quantity| quantity.0)).map(Self)
});
param!(Data, "bytes as \"0x\" and pairs of hexadecimal digits", |value| {
    hex::decode(digits(value.as_str()?)?).ok().map(Self)
});
param!(HexBytes, "bytes as pairs of hexadecimal digits", |value| {
    let text = value.as_str()?;
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok().map(Self)
});
param!(B256, "32 bytes as \"0x\" and 64 hexadecimal digits", |value| {
    let bytes: [u8; 32] = hex::decode(digits(value.as_str()?)?).ok()?.try_into().ok()?;
    Some(Self(bytes))
});
param!(BlockHash, "a block hash of 64 hexadecimal digits", |value| hash_digits(value)?.parse().ok());
param!(TxId, "a transaction id of 64 hexadecimal digits", |value| hash_digits(value)?.parse().ok());
// In any letter case, as other nodes read it: tools send what their users typed.
param!(Address, "an account such as \"0x...\" of 40 hexadecimal digits", |value| {
    let bytes: [u8; 20] = hex::decode(digits(value.as_str()?)?).ok()?.try_into().ok()?;
    Some(Self(bytes.into()))
});
fn hash_digits(value: &Value) -> Option<&str> {
    let text = value.as_str()?;
    let digits = text.strip_prefix("0x").unwrap_or(text);
    (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::time::Duration;

    fn args(text: &'static str, names: &'static [&'static str]) -> RpcResult<Args> {
        Args::new(&Params::new(Some(text)), names, Call::start(Duration::from_secs(60)))
    }

    fn message<T>(result: RpcResult<T>) -> String {
        let error = result.err().expect("an error");
        assert_eq!(error.code(), -32602);
        error.message().to_owned()
    }

    #[test]
    fn takes_positional_and_named_parameters_alike() {
        for text in [r#"["a", 7]"#, r#"{"second": 7, "first": "a"}"#, r#" {"first":"a","second":"7"} "#] {
            let mut args = args(text, &["first", "second"]).unwrap();
            assert_eq!(args.required::<String>().unwrap(), "a");
            assert_eq!(args.optional::<u32>().unwrap(), Some(7));
        }
    }

    #[test]
    fn optional_parameters_may_be_left_out_or_null() {
        for text in ["[]", "[null]", "{}", "null", ""] {
            assert_eq!(args(text, &["height"]).unwrap().optional::<u32>().unwrap(), None);
        }
        let none = Args::new(&Params::new(None), &["height"], Call::start(Duration::from_secs(60)));
        assert_eq!(none.unwrap().optional::<u32>().unwrap(), None);
    }

    #[test]
    fn refuses_missing_surplus_and_unknown_parameters_by_name() {
        assert_eq!(
            message(args("[]", &["height"]).unwrap().required::<u32>()),
            "height: missing, expected an integer from 0 to 2^32-1"
        );
        assert_eq!(message(args("[1, 2]", &["height"])), "expected at most 1 parameters, got 2");
        assert_eq!(
            message(args(r#"{"heigth": 1}"#, &["height"])),
            "unknown parameter \"heigth\", expected one of height"
        );
        assert_eq!(message(args(r#"{"x": 1}"#, &[])), "unknown parameter \"x\", this method takes none");
        assert_eq!(message(args("7", &[])), "parameters: expected an array or an object");
    }

    #[test]
    fn refuses_integers_that_are_negative_fractional_or_too_large() {
        for odd in
            ["[-1]", "[1.5]", "[4294967296]", "[1e3]", "[\"\"]", "[\"+1\"]", "[\"0x1\"]", "[\"\\u0661\"]", "[true]"]
        {
            let text = message(args(odd, &["height"]).unwrap().required::<u32>());
            assert!(text.starts_with("height: expected an integer from 0 to 2^32-1, got "), "{text}");
        }
        assert_eq!(args("[4294967295]", &["height"]).unwrap().required::<u32>().unwrap(), u32::MAX);
    }

    #[test]
    fn refuses_quantities_that_are_not_canonical() {
        for odd in ["0x", "0x01", "1", "0xg", "-0x1", "0x-1", "0x10000000000000000", "0X1", "\u{ff11}"] {
            assert!(Quantity::parse(&json!(odd)).is_none(), "{odd}");
        }
        assert_eq!(Quantity::parse(&json!("0x0")).unwrap().0, 0);
        assert_eq!(Quantity::parse(&json!("0xffffffffffffffff")).unwrap().0, u64::MAX);
        assert_eq!(BigQuantity::parse(&json!(format!("0x{}", "f".repeat(64)))).unwrap().0, U256::MAX);
        assert!(BigQuantity::parse(&json!(format!("0x1{}", "0".repeat(64)))).is_none());
    }

    #[test]
    fn reads_an_account_in_any_letter_case() {
        let right = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
        for text in
            [right.to_owned(), right.to_lowercase(), right.replace('F', "f"), right.to_uppercase().replace('X', "x")]
        {
            assert_eq!(Address::parse(&json!(text)), Some(right.parse().unwrap()), "{text}");
        }
        for odd in [&right[2..], &right[..41], &format!("{right}00"), "0x", ""] {
            assert_eq!(Address::parse(&json!(odd)), None, "{odd}");
        }
    }

    #[test]
    fn options_refuse_unknown_names() {
        let object = || Some(Object(json!({"limit": 5}).as_object().unwrap().clone()));
        let options = Options::new("options", object(), &["limit", "cursor"]).unwrap();
        assert_eq!(options.get::<u32>("limit").unwrap(), Some(5));
        assert_eq!(options.get::<String>("cursor").unwrap(), None);
        assert_eq!(message(options.get::<bool>("limit")), "options.limit: expected true or false, got 5");
        assert_eq!(
            message(Options::new("options", object(), &["cursor"]).map(|_| ())),
            "options.limit: unknown, expected one of cursor"
        );
    }

    fn odd_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "0x[0-9a-fA-F]{0,70}".prop_map(Value::from),
            "\\PC{0,80}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_value_makes_a_parameter_panic(value in odd_value()) {
            fn read<T: Param>(value: &Value) {
                if let Err(error) = parse::<T>("value", value) {
                    assert_eq!(error.code(), -32602);
                    assert!(error.message().len() < 500);
                }
            }
            read::<bool>(&value);
            read::<u32>(&value);
            read::<u64>(&value);
            read::<Quantity>(&value);
            read::<BigQuantity>(&value);
            read::<Data>(&value);
            read::<HexBytes>(&value);
            read::<B256>(&value);
            read::<BlockHash>(&value);
            read::<TxId>(&value);
            read::<Address>(&value);
            read::<super::super::BlockName>(&value);
            read::<super::super::BlockTag>(&value);
            read::<super::super::Addresses>(&value);
            read::<Object>(&value);
        }
    }
}
