//! The hash of typed data (EIP-712), read strictly: what the types do not say is an error.

use alloy_primitives::{Address, B256, I256, U256, keccak256};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};

/// Name of the type of a domain.
pub const DOMAIN: &str = "EIP712Domain";
/// What a domain may consist of, in this order.
const DOMAIN_FIELDS: [(&str, &str); 5] = [
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
];

/// Why data cannot be hashed: where, and what was expected.
type Read<T> = Result<T, String>;

/// The hash to sign of `{types, primaryType, domain, message}`.
///
/// # Errors
/// What is wrong with the data, and where.
pub fn hash(data: &Value) -> Read<B256> {
    let object = |key: &str| data[key].as_object().ok_or(format!("{key}: expected an object"));
    let mut types = Types { fields: HashMap::new(), hashes: HashMap::new() };
    for (name, fields) in object("types")? {
        types.fields.insert(name.clone(), read_fields(name, fields)?);
    }
    let domain = object("domain")?;
    types.fields.entry(DOMAIN.to_owned()).or_insert_with(|| domain_fields(domain));
    let primary = data["primaryType"].as_str().ok_or("primaryType: expected a string")?;
    let mut bytes = vec![0x19, 1];
    bytes.extend(types.struct_hash(DOMAIN, &json!(domain), "domain")?.0);
    if primary != DOMAIN {
        bytes.extend(types.struct_hash(primary, &data["message"], "message")?.0);
    }
    Ok(keccak256(bytes))
}

/// The type of a domain that was given without one.
fn domain_fields(domain: &Map<String, Value>) -> Vec<(String, String)> {
    let given = DOMAIN_FIELDS.iter().filter(|(name, _)| domain.contains_key(*name));
    given.map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
}

fn read_fields(name: &str, fields: &Value) -> Read<Vec<(String, String)>> {
    let wrong = || format!("types.{name}: expected an array of {{name, type}}");
    let field = |field: &Value| Some((field["name"].as_str()?.to_owned(), field["type"].as_str()?.to_owned()));
    let fields: Vec<_> = fields.as_array().and_then(|fields| fields.iter().map(field).collect()).ok_or_else(wrong)?;
    // Some applications put a colon into the names of types, such as `Exchange:Order`.
    let is_odd_type = name.split(':').any(|part| !is_identifier(part));
    let odd = fields.iter().map(|(name, _)| name.as_str()).find(|name| !is_identifier(name));
    let odd = odd.or(is_odd_type.then_some(name));
    let invalid = |name| format!("types: invalid name {name:?}: expected letters, digits, _ and $, no digit first");
    odd.map(invalid).map_or(Ok(()), Err)?;
    Ok(fields)
}

/// Whether a type or a field can have this name. Anything else could be taken for a value when it is shown.
fn is_identifier(name: &str) -> bool {
    let letter = |letter: u8| letter.is_ascii_alphanumeric() || b"_$".contains(&letter);
    name.bytes().all(letter) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

struct Types {
    /// Name and type of each field of each struct.
    fields: HashMap<String, Vec<(String, String)>>,
    /// Type hashes, once they are known.
    hashes: HashMap<String, B256>,
}

impl Types {
    fn type_hash(&mut self, name: &str) -> Read<B256> {
        if let Some(hash) = self.hashes.get(name) {
            return Ok(*hash);
        }
        let mut used = BTreeSet::new();
        let mut open = vec![name];
        while let Some(next) = open.pop() {
            for (field, kind) in self.fields.get(next).into_iter().flatten() {
                let item = item_type(kind);
                if self.fields.contains_key(item) {
                    open.extend(used.insert(item).then_some(item));
                } else if !is_atom(item) {
                    // Of an array without items no other sees it, and what it says would be a part of what is signed.
                    return Err(format!("types.{next}.{field}: invalid or missing type {kind:?}"));
                }
            }
        }
        used.remove(name);
        let text: String = std::iter::once(name).chain(used).map(|name| self.encode_type(name)).collect();
        let hash = keccak256(text);
        self.hashes.insert(name.to_owned(), hash);
        Ok(hash)
    }

    fn encode_type(&self, name: &str) -> String {
        let fields = self.fields.get(name).into_iter().flatten();
        let fields: Vec<String> = fields.map(|(name, kind)| format!("{kind} {name}")).collect();
        format!("{name}({})", fields.join(","))
    }

    fn struct_hash(&mut self, name: &str, value: &Value, at: &str) -> Read<B256> {
        let fields = self.fields.get(name).cloned().ok_or_else(|| format!("types: {name} is missing"))?;
        let object = value.as_object().ok_or_else(|| format!("{at}: expected an object, a {name}"))?;
        if let Some(unknown) = object.keys().find(|key| !fields.iter().any(|(name, _)| name == *key)) {
            return Err(format!("{at}: {name} has no field {unknown:?}"));
        }
        let mut bytes = self.type_hash(name)?.to_vec();
        for (field, kind) in &fields {
            let at = format!("{at}.{field}");
            let value = object.get(field).ok_or_else(|| format!("{at}: missing"))?;
            bytes.extend(self.encode(kind, value, &at)?.0);
        }
        Ok(keccak256(bytes))
    }

    fn encode(&mut self, kind: &str, value: &Value, at: &str) -> Read<B256> {
        if let Some((item, length)) = array_type(kind) {
            let items = value.as_array().ok_or_else(|| format!("{at}: expected an array, a {kind}"))?;
            if length.is_some_and(|length| length != items.len()) {
                return Err(format!("{at}: expected a {kind}, got {} items", items.len()));
            }
            let mut bytes = Vec::with_capacity(32 * items.len());
            for (index, value) in items.iter().enumerate() {
                bytes.extend(self.encode(item, value, &format!("{at}[{index}]"))?.0);
            }
            return Ok(keccak256(bytes));
        }
        if self.fields.contains_key(kind) {
            return self.struct_hash(kind, value, at);
        }
        atom(kind, value).ok_or_else(|| format!("{at}: expected a {kind}, got {}", shorten(value)))
    }
}

fn shorten(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

/// The type of what is in an array of arrays, or of a single value.
fn item_type(mut kind: &str) -> &str {
    while let Some((item, _)) = array_type(kind) {
        kind = item;
    }
    kind
}

/// Whether a type is that of a single value.
fn is_atom(kind: &str) -> bool {
    let has = |name: &str, fits: fn(&str) -> bool| kind.strip_prefix(name).is_some_and(fits);
    let is_width = |bits: &str| width(bits).is_some();
    matches!(kind, "string" | "bytes" | "bool" | "address")
        || has("uint", is_width)
        || has("int", is_width)
        || has("bytes", |length| count(length).is_some_and(|length| (1..=32).contains(&length)))
}

/// Type of the items of an array, and how many it has if that is fixed.
fn array_type(kind: &str) -> Option<(&str, Option<usize>)> {
    let (item, length) = kind.strip_suffix(']')?.rsplit_once('[')?;
    if length.is_empty() { Some((item, None)) } else { Some((item, Some(count(length)?))) }
}

/// A single value as a word; `None` if it is not of this type.
fn atom(kind: &str, value: &Value) -> Option<B256> {
    match kind {
        "string" => Some(keccak256(value.as_str()?)),
        "bytes" => Some(keccak256(bytes(value)?)),
        "bool" => Some(U256::from(value.as_bool()?).into()),
        "address" => Some(Address::try_from(bytes(value)?.as_slice()).ok()?.into_word()),
        _ => {
            if let Some(bits) = kind.strip_prefix("uint") {
                let number = unsigned(value)?;
                return (number.bit_len() <= width(bits)?).then(|| number.into());
            }
            if let Some(bits) = kind.strip_prefix("int") {
                let number = signed(value)?;
                return (number.bits() as usize <= width(bits)?).then(|| number.into_raw().into());
            }
            let length = count(kind.strip_prefix("bytes")?)?;
            let bytes = bytes(value).filter(|bytes| bytes.len() == length && (1..=32).contains(&length))?;
            Some(B256::right_padding_from(&bytes))
        }
    }
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    hex::decode(value.as_str()?.strip_prefix("0x")?).ok()
}

/// A number in the name of a type, which Solidity writes in one way.
fn count(digits: &str) -> Option<usize> {
    digits.parse().ok().filter(|count: &usize| count.to_string() == digits)
}

/// Bits of an integer; `uint` alone has 256.
fn width(bits: &str) -> Option<usize> {
    if bits.is_empty() {
        return Some(256);
    }
    let width = count(bits)?;
    (width.is_multiple_of(8) && (8..=256).contains(&width)).then_some(width)
}

/// A number that is not negative: in JSON, or as a decimal or hexadecimal text.
pub fn unsigned(value: &Value) -> Option<U256> {
    let text = match value {
        Value::Number(number) => return number.as_u64().map(U256::from),
        other => other.as_str()?,
    };
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    let fits = |byte: u8| byte.is_ascii_hexdigit();
    if digits.is_empty() || digits.len() > 78 || !digits.bytes().all(fits) {
        return None;
    }
    U256::from_str_radix(digits, radix).ok()
}

fn signed(value: &Value) -> Option<I256> {
    let magnitude = |value: &Value| I256::try_from(unsigned(value)?).ok();
    match value {
        Value::Number(number) if number.is_i64() => number.as_i64().and_then(|number| I256::try_from(number).ok()),
        Value::String(text) if text.starts_with('-') => {
            let least = unsigned(&json!(&text[1..]))?;
            // The least number has no positive twin.
            I256::checked_from_sign_and_abs(alloy_primitives::Sign::Negative, least)
        }
        other => magnitude(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::b256;

    /// The example of EIP-712.
    fn mail() -> Value {
        let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
        json!({
            "types": {
                "EIP712Domain": [
                    field("name", "string"), field("version", "string"),
                    field("chainId", "uint256"), field("verifyingContract", "address"),
                ],
                "Person": [field("name", "string"), field("wallet", "address")],
                "Mail": [field("from", "Person"), field("to", "Person"), field("contents", "string")],
            },
            "primaryType": "Mail",
            "domain": {
                "name": "Ether Mail", "version": "1", "chainId": 1,
                "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
            },
            "message": {
                "from": { "name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826" },
                "to": { "name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB" },
                "contents": "Hello, Bob!",
            },
        })
    }

    #[test]
    fn the_example_of_the_standard_has_its_hash() {
        let expected = b256!("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2");
        assert_eq!(hash(&mail()), Ok(expected));
        let mut untyped = mail();
        untyped["types"].as_object_mut().unwrap().remove("EIP712Domain");
        assert_eq!(hash(&untyped), Ok(expected), "the domain's type follows from its fields");
    }

    #[test]
    fn what_the_types_do_not_say_is_an_error() {
        let wrong = |change: fn(&mut Value)| {
            let mut data = mail();
            change(&mut data);
            hash(&data).unwrap_err()
        };
        assert_eq!(wrong(|data| data["types"] = json!(7)), "types: expected an object");
        assert_eq!(wrong(|data| data["primaryType"] = json!("Post")), "types: Post is missing");
        assert_eq!(
            wrong(|data| data["types"]["Mail"] = json!(["from"])),
            "types.Mail: expected an array of {name, type}"
        );
        assert_eq!(wrong(|data| data["message"]["cc"] = json!("")), "message: Mail has no field \"cc\"");
        assert_eq!(wrong(|data| drop(data["message"].as_object_mut().unwrap().remove("to"))), "message.to: missing");
        assert_eq!(
            wrong(|data| data["message"]["to"]["wallet"] = json!("0x00")),
            "message.to.wallet: expected a address, got \"0x00\""
        );
        assert_eq!(wrong(|data| data["domain"]["chainId"] = json!(-1)), "domain.chainId: expected a uint256, got -1");
    }

    #[test]
    fn names_that_could_be_taken_for_a_value_are_refused() {
        for odd in ["", "to   0x7099", "a.b", "a\u{a0}b", "7", "a\n"] {
            let expected = format!("types: invalid name {odd:?}: expected letters, digits, _ and $, no digit first");
            let mut data = mail();
            data["types"]["Person"][0]["name"] = json!(odd);
            data["message"]["from"][odd] = json!("Cow");
            assert_eq!(hash(&data), Err(expected.clone()));
            let mut data = mail();
            data["types"][odd] = json!([]);
            assert_eq!(hash(&data), Err(expected));
        }
        assert!(["a", "_1", "$x9"].into_iter().all(is_identifier));
        let with_colon =
            json!({ "types": { "Exchange:Order": [] }, "primaryType": "Exchange:Order", "domain": {}, "message": {} });
        assert!(hash(&with_colon).is_ok());
    }

    fn word(kind: &str, value: Value) -> Option<U256> {
        atom(kind, &value).map(Into::into)
    }

    #[test]
    fn integers_are_taken_up_to_their_width() {
        assert_eq!(word("uint8", json!(255)), Some(U256::from(255)));
        assert_eq!(word("uint8", json!("0xff")), Some(U256::from(255)));
        assert_eq!(word("uint8", json!(256)), None);
        assert_eq!(word("uint", json!("1000000000000000000000")), Some(U256::from(10).pow(U256::from(21))));
        for odd in ["uint7", "uint+8", "uint08", "uint 8"] {
            assert_eq!(word(odd, json!(1)), None, "{odd}");
        }
        assert_eq!(word("uint264", json!(1)), None);
        assert_eq!(word("int8", json!(-128)), Some(U256::MAX - U256::from(127)));
        assert_eq!(word("int8", json!("-128")), Some(U256::MAX - U256::from(127)));
        assert_eq!(word("int8", json!(-129)), None);
        assert_eq!(word("int8", json!(127)), Some(U256::from(127)));
        assert_eq!(word("int8", json!(128)), None);
        let least = format!("-{}", U256::ONE << 255);
        assert_eq!(word("int256", json!(least)), Some(U256::ONE << 255));
        for below in [(U256::ONE << 255) + U256::ONE, U256::MAX] {
            assert_eq!(
                (word("int256", json!(format!("-{below}"))), word("int8", json!(format!("-{below}")))),
                (None, None)
            );
        }
        for odd in [json!("1_0"), json!("+1"), json!(""), json!("0x"), json!(1.5), json!(null), json!("--1")] {
            assert_eq!((word("uint256", odd.clone()), word("int256", odd.clone())), (None, None), "{odd}");
        }
        assert_eq!(word("bytes4", json!("0x01020304")), Some(U256::from(0x0102_0304) << 224));
        assert_eq!(word("bytes4", json!("0x010203")), None);
        assert_eq!(word("bytes33", json!(format!("0x{}", "00".repeat(33)))), None);
    }

    #[test]
    fn a_type_can_bring_nothing_else_into_what_is_signed() {
        let field = |kind: &str| json!([{ "name": "items", "type": "Item[]" }, { "name": "ids", "type": kind }]);
        let data = |kind: &str| {
            let types = json!({ "Order": field(kind), "Item": [{ "name": "ids", "type": "uint256[]" }] });
            json!({ "types": types, "primaryType": "Order", "domain": {}, "message": { "items": [], "ids": [] } })
        };
        assert!(["uint256[]", "Item[][3][]", "bytes32[]", "int[]"].into_iter().all(|kind| hash(&data(kind)).is_ok()));
        for odd in ["uint256 value)Item(uint256[]", "Entry[]", "[]", "uint7[]", "bytes33[]", "uint256[0x1][]", "a[]b[]"]
        {
            let error = hash(&data(odd)).unwrap_err();
            assert_eq!(error, format!("types.Order.ids: invalid or missing type {odd:?}"));
        }
        // Within a struct of which there is no value.
        let mut nested = data("uint256[]");
        nested["types"]["Item"][0]["type"] = json!("uint256 x)(bool[]");
        assert!(hash(&nested).unwrap_err().starts_with("types.Item.ids: "));
    }

    #[test]
    fn arrays_hash_their_items() {
        let data = |kind: &str, value: Value| {
            let types = json!({ "A": [{ "name": "x", "type": kind }] });
            json!({ "types": types, "primaryType": "A", "domain": {}, "message": { "x": value } })
        };
        assert!(hash(&data("uint8[2][]", json!([[1, 2], [3, 4]]))).is_ok());
        let error = hash(&data("uint8[2][]", json!([[1, 2], [3]]))).unwrap_err();
        assert_eq!(error, "message.x[1]: expected a uint8[2], got 1 items");
        assert!(hash(&data("A[]", json!([{ "x": [] }]))).is_ok(), "a type may contain itself");
        assert!(hash(&data("uint8]", json!([]))).is_err());
    }
}
