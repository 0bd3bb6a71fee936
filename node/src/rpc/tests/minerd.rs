//! A miner by `getblocktemplate`, written from BIP 22 and 23 alone and as simple as pooler's minerd: it hashes each transaction's
//! data, duplicates the odd node of a level as Bitcoin does, and tries nonces. It knows nothing of this chain.

use chain_core::hash::{BlockHash, sha256};
use serde_json::{Value, json};

/// What minerd sends.
pub fn request(longpollid: Option<&str>) -> Value {
    let mut request = json!({
        "capabilities": ["coinbasetxn", "coinbasevalue", "longpoll", "workid"], "rules": ["segwit"],
    });
    if let Some(id) = longpollid {
        request["longpollid"] = id.into();
    }
    request
}

/// A solved block: its header, and what follows that.
pub struct Solved {
    pub header: [u8; 80],
    pub rest: String,
    pub workid: Value,
}

impl Solved {
    /// Its hash, as the chain has it.
    pub fn hash(&self) -> BlockHash {
        BlockHash(sha256d(&self.header))
    }

    /// The parameters of `submitblock`.
    pub fn params(&self) -> Value {
        json!([hex::encode(self.header) + &self.rest, { "workid": self.workid }])
    }
}

fn sha256d(bytes: &[u8]) -> [u8; 32] {
    sha256(&sha256(bytes))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} of {value}"))
}

fn bytes(value: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(value, field)).unwrap()
}

fn reversed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

fn number(value: &Value, field: &str) -> u32 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field} of {value}")).try_into().unwrap()
}

fn root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    while level.len() > 1 {
        if level.len() % 2 == 1 {
            level.push(level[level.len() - 1]);
        }
        level = level.chunks(2).map(|pair| sha256d(&pair.concat())).collect();
    }
    level[0]
}

/// Puts a signature at the end of the coinbase's script.
fn append(coinbase: &mut Vec<u8>, signature: &[u8]) {
    let script = usize::from(coinbase[41]);
    let pushed = [&[signature.len() as u8], signature].concat();
    assert!(script + pushed.len() <= 100);
    coinbase[41] += pushed.len() as u8;
    coinbase.splice(42 + script..42 + script, pushed);
}

/// Solves a template, with a text of the miner in the coinbase.
pub fn solve(template: &Value, signature: &[u8]) -> Solved {
    let mutable: Vec<_> = template["mutable"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let transactions = template["transactions"].as_array().unwrap();
    let mut coinbase = bytes(&template["coinbasetxn"], "data");
    assert!(coinbase.len() >= 60);
    if !signature.is_empty() {
        assert!(mutable.contains(&"coinbase/append"));
        append(&mut coinbase, signature);
    }
    let mut leaves = vec![sha256d(&coinbase)];
    for transaction in transactions {
        let leaf = sha256d(&bytes(transaction, "data"));
        assert_eq!(reversed(bytes(transaction, "hash")), leaf);
        assert_eq!(reversed(bytes(transaction, "txid")), leaf);
        leaves.push(leaf);
    }
    let count = leaves.len();
    let mut header = [0; 80];
    header[..4].copy_from_slice(&number(template, "version").to_le_bytes());
    header[4..36].copy_from_slice(&reversed(bytes(template, "previousblockhash")));
    header[36..68].copy_from_slice(&root(leaves));
    header[68..72].copy_from_slice(&number(template, "curtime").to_le_bytes());
    header[72..76].copy_from_slice(&reversed(bytes(template, "bits")));
    let target = bytes(template, "target");
    let nonce = (0_u32..).find(|nonce| {
        header[76..].copy_from_slice(&nonce.to_le_bytes());
        reversed(sha256d(&header).to_vec()) <= target
    });
    assert!(nonce.is_some());
    let mut rest = format!("{:02x}{}", u8::try_from(count).unwrap(), hex::encode(coinbase));
    if !mutable.contains(&"submit/coinbase") {
        transactions.iter().for_each(|transaction| rest += text(transaction, "data"));
    }
    Solved { header, rest, workid: template["workid"].clone() }
}
