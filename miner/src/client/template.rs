//! Templates and results of submissions, as JSON.

use cairn_client::fault;
use chain_core::{U256, block::header::Header, units::Height};
use serde::Deserialize;
use serde_json::Value;

use crate::work::{MAX_SOLUTIONS, VERSION_MASK, Work};

/// The payout of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Coin address for subsidy and coin tips; by default the node's own.
    pub address: Option<String>,
    /// Account for the tips of account transactions.
    pub account: Option<String>,
}

impl Request {
    pub(super) fn to_json(&self, than: Option<&str>) -> Value {
        let fields = [("address", self.address.as_deref()), ("account", self.account.as_deref()), ("longpollId", than)];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        Value::Object(given.collect())
    }
}

/// A block template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The long-poll id.
    pub longpoll_id: String,
    /// The work.
    pub work: Work,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    id: String,
    longpoll_id: String,
    height: Height,
    target: String,
    header: String,
    coinbase: String,
    extranonce_offset: usize,
    extranonce_size: usize,
    merkle_branch: Vec<String>,
}

impl Template {
    /// Parses a node's response.
    ///
    /// # Errors
    /// A description of the fault.
    pub(super) fn read(answer: Value) -> Result<Self, String> {
        let text: Text = serde_json::from_value(answer).map_err(|error| fault(&error))?;
        let header: [u8; Header::SIZE] = array("header", &text.header)?;
        let coinbase = hex::decode(&text.coinbase).map_err(|_| "coinbase is not hexadecimal".to_owned())?;
        if text.extranonce_size > 8 {
            return Err(format!("extranonceSize is {}, expected at most 8", text.extranonce_size));
        }
        let extranonce = text.extranonce_offset..text.extranonce_offset.saturating_add(text.extranonce_size);
        if extranonce.end > coinbase.len() {
            return Err(format!("extranonceOffset is {}, beyond the coinbase", text.extranonce_offset));
        }
        let branch = text.merkle_branch.iter().map(|sibling| array("merkleBranch", sibling));
        let work = Work {
            id: text.id,
            height: text.height,
            header: Header::from_bytes(&header),
            target: U256::from_be_bytes::<32>(array("target", &text.target)?),
            coinbase,
            extranonce,
            merkle_branch: branch.collect::<Result<_, _>>()?,
            version_mask: VERSION_MASK,
            time_slack: 0,
            max_solutions: MAX_SOLUTIONS,
        };
        Ok(Self { longpoll_id: text.longpoll_id, work })
    }
}

fn array<const N: usize>(name: &str, text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|error| format!("{name}: {error}"))?;
    Ok(bytes)
}

/// The node's response to a block.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Submitted {
    /// `connected` if it is the new tip; `stored`, `known` or `held` if not.
    pub status: String,
}

impl Submitted {
    /// Whether the block is the new tip.
    pub fn is_connected(&self) -> bool {
        self.status == "connected"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({
            "id": "7", "longpollId": "5-1", "height": 121, "prev": "00", "version": 1, "bits": "1f00ffff",
            "target": format!("0000ffff{}", "0".repeat(56)), "time": 5, "header": "01".repeat(80),
            "coinbase": "02".repeat(100), "extranonceOffset": 40, "extranonceSize": 8, "merkleBranch": ["03".repeat(32)], "transactions": 1,
        })
    }

    #[test]
    fn reads_a_template() {
        let template = Template::read(answer()).unwrap();
        assert_eq!((template.work.height, template.longpoll_id.as_str()), (121, "5-1"));
        assert_eq!(template.work.target, U256::from(0xffff) << 224);
        assert_eq!(template.work.header.to_bytes(), [1; 80]);
        assert_eq!(template.work.merkle_branch, [[3; 32]]);
        assert_eq!((template.work.id.as_str(), template.work.coinbase.len()), ("7", 100));
        assert_eq!(template.work.extranonce, 40..48);
    }

    #[test]
    fn refuses_a_malformed_template() {
        for (field, value, reason) in [
            ("header", json!("00"), "header: Invalid string length"),
            ("header", json!("zz".repeat(80)), "header: Invalid character 'z' at position 0"),
            ("target", json!(""), "target: Invalid string length"),
            ("coinbase", json!("0"), "coinbase is not hexadecimal"),
            ("extranonceSize", json!(9), "extranonceSize is 9, expected at most 8"),
            ("extranonceOffset", json!(93), "extranonceOffset is 93, beyond the coinbase"),
            ("extranonceOffset", json!(u64::MAX), "extranonceOffset is 18446744073709551615, beyond the coinbase"),
            ("merkleBranch", json!(["00"]), "merkleBranch: Invalid string length"),
            ("height", json!(-1), "invalid value: integer `-1`, expected a whole number"),
            ("id", Value::Null, "invalid type: null, expected a string"),
        ] {
            let mut answer = answer();
            answer[field] = value;
            assert_eq!(Template::read(answer).unwrap_err(), reason);
        }
        assert_eq!(Template::read(json!({})).unwrap_err(), "missing field `id`");
        assert_eq!(Template::read(json!(7)).unwrap_err(), "invalid type: integer `7`, expected an object");
    }

    #[test]
    fn asks_with_what_is_given() {
        let request = Request { address: Some("crn1".into()), account: None };
        assert_eq!(request.to_json(Some("x")), json!({ "address": "crn1", "longpollId": "x" }));
        assert_eq!(Request::default().to_json(None), json!({}));
    }
}
