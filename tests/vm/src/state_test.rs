//! Official state tests: what they say, as types.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    execute::{Environment, Revision},
    gas::MAX_TRANSACTION_GAS,
    hash::BlockHash,
    state::{Account, MemoryState},
    transaction::account::{Authorization, Fees, Fields, address_of},
    units::Gas,
};
use serde_json::Value;

use crate::lenient::{Malformed, address, bytes, gas, hash, items, number, optional, required, slots, word};

/// A test: one state and block, and a transaction in several forms.
#[derive(Clone, Debug)]
pub struct StateTest {
    /// Accounts before.
    pub pre: Vec<(Address, Genesis)>,
    /// One for each form of the transaction under each fork.
    pub cases: Vec<Case>,
    environment: Environment,
    transaction: Value,
}

/// An account as tests write it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Genesis {
    /// Transactions sent.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Its code.
    pub code: Bytes,
    /// Its slots that are not zero.
    pub storage: Vec<(U256, U256)>,
}

/// One form of the transaction under one fork, and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The rules.
    pub fork: String,
    /// Which data (and access list), gas limit and value.
    pub indexes: [usize; 3],
    /// State root afterwards.
    pub root: B256,
    /// keccak-256 of the RLP of the logs.
    pub logs: Option<B256>,
    /// The signed transaction.
    pub raw: Option<Bytes>,
    /// Why the transaction must be refused.
    pub exception: Option<String>,
    /// The state afterwards, where it is spelled out.
    pub state: Option<Value>,
}

impl Case {
    /// The rules it runs under, if Cairn's VM knows them.
    pub fn revision(&self) -> Option<Revision> {
        match self.fork.as_str() {
            "Cancun" => Some(Revision::Cancun),
            "Osaka" => Some(Revision::Osaka),
            _ => None,
        }
    }
}

impl StateTest {
    /// Whether some json is a state test.
    pub fn is_one(test: &Value) -> bool {
        test.get("transaction").is_some() && test.get("post").is_some() && test.get("pre").is_some()
    }

    /// Reads a test.
    ///
    /// # Errors
    /// [`Malformed`] if it is none; what is wrong with the transaction alone is found with [`StateTest::fields`].
    pub fn parse(test: &Value) -> Result<Self, Malformed> {
        let pre = parse_accounts(required(test, "pre")?)?;
        let environment = parse_environment(test)?;
        let post = required(test, "post")?.as_object().ok_or(Malformed::Missing("post"))?;
        let mut cases = Vec::new();
        for (fork, entries) in post {
            for entry in items(Some(entries)) {
                cases.push(parse_case(fork, entry)?);
            }
        }
        Ok(Self { pre, cases, environment, transaction: required(test, "transaction")?.clone() })
    }

    /// The block under some rules.
    pub fn environment(&self, revision: Revision) -> Environment {
        Environment { revision, ..self.environment.clone() }
    }

    /// The chain it is on.
    pub fn chain_id(&self) -> u64 {
        self.environment.chain_id
    }

    /// The state before, with the hashes of the latest blocks.
    pub fn state(&self) -> MemoryState {
        let mut state = MemoryState::default();
        for (address, genesis) in &self.pre {
            let account = Account { nonce: genesis.nonce, balance: genesis.balance, ..Account::default() };
            state.insert_account(*address, account, genesis.code.clone(), &genesis.storage);
        }
        let number = self.environment.number;
        let heights = number.saturating_sub(256)..number;
        state.block_hashes = heights.filter_map(|n| Some((u32::try_from(n).ok()?, block_hash(n)))).collect();
        state
    }

    /// Whether the transaction carries blobs, whatever its type.
    pub fn has_blobs(&self) -> bool {
        optional(&self.transaction, "blobVersionedHashes").is_some()
            || optional(&self.transaction, "maxFeePerBlobGas").is_some()
    }

    /// Who sends the transaction.
    ///
    /// # Errors
    /// [`Malformed`] if it is neither said nor follows from the key.
    pub fn sender(&self) -> Result<Address, Malformed> {
        if let Some(sender) = optional(&self.transaction, "sender") {
            return address("sender", sender);
        }
        let key = hash("secretKey", required(&self.transaction, "secretKey")?)?;
        let key = secp256k1::SecretKey::from_secret_bytes(key.0).map_err(|_| Malformed::Missing("sender"))?;
        Ok(address_of(&secp256k1::PublicKey::from_secret_key(&key)))
    }

    /// What the transaction of a case says.
    ///
    /// # Errors
    /// [`Malformed`] if there is no such transaction.
    pub fn fields(&self, [data, gas_index, value]: [usize; 3]) -> Result<Fields, Malformed> {
        let transaction = &self.transaction;
        let access_lists = items(transaction.get("accessLists"));
        let access_list = access_lists.get(data).filter(|list| !list.is_null()).or(transaction.get("accessList"));
        let authorizations = optional(transaction, "authorizationList");
        let dynamic = optional(transaction, "maxFeePerGas").is_some();
        let tx_type = match (authorizations, dynamic, access_list) {
            (Some(_), ..) => 4,
            (None, true, _) => 2,
            (None, false, Some(list)) if !list.is_null() => 1,
            _ => 0,
        };
        Ok(Fields {
            tx_type,
            chain_id: self.environment.chain_id,
            nonce: number("nonce", required(transaction, "nonce")?)?,
            fees: parse_fees(transaction, dynamic)?,
            gas_limit: number("gasLimit", indexed(transaction, "gasLimit", gas_index)?)?,
            to: optional(transaction, "to").map(|to| address("to", to)).transpose()?,
            value: word("value", indexed(transaction, "value", value)?)?,
            input: bytes("data", indexed(transaction, "data", data)?)?,
            access_list: items(access_list).iter().map(parse_access).collect::<Result<_, _>>()?,
            authorizations: items(authorizations).iter().map(parse_authorization).collect::<Result<_, _>>()?,
        })
    }
}

/// The hash that official tests give to a block, in the order in which this chain keeps bytes.
fn block_hash(number: u64) -> BlockHash {
    let mut hash = alloy_primitives::keccak256(number.to_string()).0;
    hash.reverse();
    BlockHash(hash)
}

/// One of a list of alternatives; a single value stands for all of them.
fn indexed<'a>(transaction: &'a Value, field: &'static str, index: usize) -> Result<&'a Value, Malformed> {
    match required(transaction, field)? {
        Value::Array(alternatives) => alternatives.get(index).ok_or(Malformed::Missing(field)),
        single => Ok(single),
    }
}

fn parse_fees(transaction: &Value, dynamic: bool) -> Result<Fees, Malformed> {
    if !dynamic {
        return Ok(Fees::Legacy { gas_price: word("gasPrice", required(transaction, "gasPrice")?)? });
    }
    let tip = optional(transaction, "maxPriorityFeePerGas").map(|tip| word("maxPriorityFeePerGas", tip));
    Ok(Fees::Dynamic {
        max_fee: word("maxFeePerGas", required(transaction, "maxFeePerGas")?)?,
        max_priority_fee: tip.transpose()?.unwrap_or_default(),
    })
}

fn parse_access(entry: &Value) -> Result<(Address, Vec<B256>), Malformed> {
    let keys = items(entry.get("storageKeys")).iter().map(|key| hash("storageKeys", key));
    Ok((address("address", required(entry, "address")?)?, keys.collect::<Result<_, _>>()?))
}

fn parse_authorization(entry: &Value) -> Result<Authorization, Malformed> {
    let parity = ["yParity", "y_parity", "v"].iter().find_map(|name| optional(entry, name));
    let parity = number("yParity", parity.ok_or(Malformed::Missing("yParity"))?)?;
    Ok(Authorization {
        chain_id: word("chainId", required(entry, "chainId")?)?,
        address: address("address", required(entry, "address")?)?,
        nonce: number("nonce", required(entry, "nonce")?)?,
        y_parity: u8::try_from(parity)
            .map_err(|_| Malformed::TooLarge { field: "yParity", got: parity.to_string() })?,
        r: word("r", required(entry, "r")?)?,
        s: word("s", required(entry, "s")?)?,
    })
}

/// The accounts of a state.
///
/// # Errors
/// [`Malformed`] if it is none.
pub fn parse_accounts(accounts: &Value) -> Result<Vec<(Address, Genesis)>, Malformed> {
    let entries = accounts.as_object().into_iter().flatten();
    let account = |(key, account): (&String, &Value)| {
        let mut storage = slots("storage", account.get("storage"))?;
        storage.retain(|(_, value)| !value.is_zero());
        storage.sort_unstable();
        let genesis = Genesis {
            nonce: optional(account, "nonce").map_or(Ok(0), |nonce| number("nonce", nonce))?,
            balance: optional(account, "balance").map_or(Ok(U256::ZERO), |balance| word("balance", balance))?,
            code: optional(account, "code").map_or(Ok(Bytes::new()), |code| bytes("code", code))?,
            storage,
        };
        Ok((address("account", &Value::from(key.as_str()))?, genesis))
    };
    entries.map(account).collect()
}

fn parse_environment(test: &Value) -> Result<Environment, Malformed> {
    let env = required(test, "env")?;
    let config = test.get("config").unwrap_or(&Value::Null);
    let chain_id = optional(config, "chainid").or(optional(config, "chainId"));
    let limited = |field, default| optional(env, field).map_or(Ok(default), |value| gas(field, value));
    let random = optional(env, "currentRandom").or(optional(env, "currentDifficulty"));
    Ok(Environment {
        revision: Revision::Osaka,
        chain_id: chain_id.map_or(Ok(1), |id| number("chainid", id))?,
        number: limited("currentNumber", 1)?,
        time: limited("currentTimestamp", 1)?,
        gas_limit: limited("currentGasLimit", Gas::MAX)?,
        base_fee: limited("currentBaseFee", 10)?,
        difficulty: random.map_or(Ok(U256::ZERO), |random| word("currentRandom", random))?,
        beneficiary: optional(env, "currentCoinbase")
            .map_or(Ok(Address::ZERO), |coinbase| address("currentCoinbase", coinbase))?,
        transaction_gas: MAX_TRANSACTION_GAS,
        gateway: false,
        trial: None,
    })
}

fn parse_case(fork: &str, entry: &Value) -> Result<Case, Malformed> {
    let index = |name: &'static str| -> Result<usize, Malformed> {
        let index = entry.get("indexes").and_then(|indexes| optional(indexes, name));
        // Any index beyond the list is missing from it.
        Ok(index.map_or(Ok(0), |index| number(name, index))?.try_into().unwrap_or(usize::MAX))
    };
    let exception = optional(entry, "expectException");
    Ok(Case {
        fork: fork.to_owned(),
        indexes: [index("data")?, index("gas")?, index("value")?],
        root: hash("hash", required(entry, "hash")?)?,
        logs: optional(entry, "logs").map(|logs| hash("logs", logs)).transpose()?,
        raw: optional(entry, "txbytes").map(|raw| bytes("txbytes", raw)).transpose()?,
        exception: exception.map(|text| text.as_str().map_or_else(|| text.to_string(), str::to_owned)),
        state: optional(entry, "state").cloned(),
    })
}
