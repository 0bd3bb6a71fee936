//! `anvil_dumpState` and `anvil_loadState`: the accounts of a chain as one text, and back by blocks that edit them.

use alloy_primitives::{Address, B256, U256};
use chain_core::{
    codec,
    execute::{EDITOR, Edit, GATEWAY, HISTORY},
    gas::MAX_CODE,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::params::Word;
use crate::{
    rpc::base::{Args, Context, Data, Method, Object, Options, Param, RpcResult, data, invalid, over_limit, quantity},
    store::WholeAccount,
};

pub const METHODS: &[Method] = &[
    Method::new("anvil_dumpState", &[], dump).reads(),
    Method::new("hardhat_dumpState", &[], dump).reads(),
    Method::new("anvil_loadState", &["state"], load).reads(),
    Method::new("hardhat_loadState", &["state"], load).reads(),
];

/// Accounts and slots of a dump.
const MOST_ROWS: usize = 100_000;
/// Bytes of a dump, which is twice as long in hex.
const MOST_BYTES: usize = 12_000_000;
/// Bytes of edits in one block: the gas of a transaction pays for some 400 KB.
const EDITS_OF_BLOCK: usize = 256_000;
/// What each block changes by itself.
const SYSTEM: [Address; 3] = [EDITOR, GATEWAY, HISTORY];

type State = BTreeMap<Address, WholeAccount>;

fn state_of(context: &Context) -> RpcResult<State> {
    let state = context.snapshot()?.whole_state(MOST_ROWS, MOST_BYTES)?;
    let too_large =
        || over_limit(format!("the state has more than {MOST_ROWS} accounts and slots, or {MOST_BYTES} bytes of code"));
    let mut state = state.ok_or_else(too_large)?;
    SYSTEM.iter().for_each(|address| drop(state.remove(address)));
    Ok(state)
}

/// JSON as Anvil writes it, without the blocks, in hex.
fn dump(context: &Context, _: Args) -> RpcResult<Value> {
    let account = |(address, whole): (&Address, &WholeAccount)| {
        let storage =
            whole.storage.iter().map(|(slot, word)| (B256::from(*slot).to_string(), json!(B256::from(*word))));
        let fields = json!({
            "nonce": whole.account.nonce,
            "balance": quantity(whole.account.balance),
            "code": whole.code,
            "storage": storage.collect::<Map<_, _>>(),
        });
        (address.to_string().to_lowercase(), fields)
    };
    let accounts: Map<_, _> = state_of(context)?.iter().map(account).collect();
    let height = context.engine.chain_info().height;
    let text = json!({ "accounts": accounts, "best_block_number": height }).to_string();
    match text.len() <= MOST_BYTES {
        true => Ok(data(text.as_bytes())),
        false => Err(over_limit(format!("the state is longer than {MOST_BYTES} bytes"))),
    }
}

/// Gives each account of a dump what it had then. Others stay as they are.
fn load(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Data(bytes) = args.required()?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(invalid("state: compressed, as Anvil writes it: unpack it with gunzip, and give the JSON in hex"));
    }
    let wanted = parse(&bytes)?;
    let now = state_of(context)?;
    let mut edits = Vec::new();
    for (address, wanted) in &wanted {
        let before = now.get(address).cloned().unwrap_or_default();
        edits.extend(changes(*address, &before, wanted));
    }
    for block in in_blocks(edits) {
        context.ask(context.mining.edit(block))?;
    }
    Ok(true.into())
}

/// What has to be edited in an account. No account may be empty and have storage, not even between two edits.
fn changes(account: Address, now: &WholeAccount, wanted: &WholeAccount) -> Vec<Edit> {
    let slot = |slot: &U256, value: U256| Edit::Slot { account, slot: *slot, value };
    let gone = now.storage.keys().filter(|key| !wanted.storage.contains_key(*key));
    let mut edits: Vec<Edit> = gone.map(|key| slot(key, U256::ZERO)).collect();
    let (nonce, wei) = (wanted.account.nonce, wanted.account.balance);
    let mut fields = vec![
        (now.account.nonce != nonce, nonce == 0, Edit::Nonce { account, nonce }),
        (now.account.balance != wei, wei.is_zero(), Edit::Balance { account, wei }),
        (now.code != wanted.code, wanted.code.is_empty(), Edit::Code { account, code: wanted.code.to_vec() }),
    ];
    fields.sort_by_key(|(_, empties, _)| *empties);
    edits.extend(fields.into_iter().filter(|(changes, ..)| *changes).map(|(.., edit)| edit));
    let new = wanted.storage.iter().filter(|(key, word)| now.storage.get(*key) != Some(*word));
    edits.extend(new.map(|(key, word)| slot(key, *word)));
    edits
}

/// Edits in blocks that have room for them.
fn in_blocks(edits: Vec<Edit>) -> Vec<Vec<Edit>> {
    let (mut blocks, mut room): (Vec<Vec<Edit>>, _) = (Vec::new(), 0);
    for edit in edits {
        let size = codec::encode(&edit).len();
        match blocks.last_mut().filter(|_| size <= room) {
            Some(block) => block.push(edit),
            None => {
                blocks.push(vec![edit]);
                room = EDITS_OF_BLOCK;
            }
        }
        room = room.saturating_sub(size);
    }
    blocks
}

fn parse(bytes: &[u8]) -> RpcResult<State> {
    let state: Value = serde_json::from_slice(bytes).map_err(|error| invalid(format!("state: {error}")))?;
    let Object(accounts) = Options::nested("state", state)?.get("accounts")?.unwrap_or(Object(Map::new()));
    let mut all = State::new();
    for (key, value) in accounts {
        let name = format!("state.accounts.{}", key.chars().take(44).collect::<String>());
        let address = Address::parse(&key.into())
            .ok_or_else(|| invalid(format!("{name}: expected {} as a key", Address::EXPECTED)))?;
        let whole = parse_account(&name, value)?;
        if !SYSTEM.contains(&address) {
            all.insert(address, whole);
        }
    }
    Ok(all)
}

fn parse_account(name: &str, value: Value) -> RpcResult<WholeAccount> {
    let options = Options::nested(name, value)?;
    let mut whole = WholeAccount::default();
    whole.account.balance = options.get("balance")?.map_or(U256::ZERO, |Word(balance)| balance);
    let nonce = options.get("nonce")?.map_or(U256::ZERO, |Word(nonce)| nonce);
    let nonce = u64::try_from(nonce).ok().filter(|nonce| *nonce < u64::MAX);
    whole.account.nonce = nonce.ok_or_else(|| invalid(format!("{name}.nonce: expected at most 2^64 - 2")))?;
    let Data(code) = options.get("code")?.unwrap_or(Data(Vec::new()));
    if code.len() > MAX_CODE {
        return Err(invalid(format!("{name}.code: expected at most {MAX_CODE} bytes, got {}", code.len())));
    }
    whole.code = code.into();
    let Object(storage) = options.get("storage")?.unwrap_or(Object(Map::new()));
    for (key, value) in storage {
        let shown: String = key.chars().take(68).collect();
        let word = |value: &Value| Word::parse(value).map(|word| word.0);
        let wrong = || invalid(format!("{name}.storage.{shown}: expected {} as a key and a value", Word::EXPECTED));
        let (slot, value) = word(&key.into()).zip(word(&value)).ok_or_else(wrong)?;
        if !value.is_zero() {
            whole.storage.insert(slot, value);
        }
    }
    let is_empty = whole.account.nonce == 0 && whole.account.balance.is_zero() && whole.code.is_empty();
    if is_empty && !whole.storage.is_empty() {
        return Err(invalid(format!("{name}.storage: expected a nonce, a balance or code beside it")));
    }
    Ok(whole)
}
