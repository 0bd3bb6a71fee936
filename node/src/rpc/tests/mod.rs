//! Every method on a dev chain in memory.

mod access_list;
mod admission;
mod branches;
mod calls;
mod conformance;
mod debug;
mod dev;
mod eth;
mod gbt;
mod history;
mod logs;
mod manual;
mod minerd;
mod mining;
mod next_block;
mod odd;
mod otterscan;
mod overrides;
mod programs;
mod proof;
mod pubsub;
mod simulate;
mod socket {
    include!("../../../../tests/src/socket.rs");
}
mod traces;
mod withdrawal;

use super::testing::{TestNode, dev_coin_key, lock, methods_for};
use super::{Beneficiaries, Context, Filters, Lanes, NextBlocks, Templates, access::Scope, base::Method, table};
use crate::dev::{ACCOUNTS, Accounts};
use alloy_primitives::{Address, U256};
use chain_core::{
    block::Block,
    codec,
    spec::ChainSpec,
    transaction::{
        Transaction,
        account::AccountTransaction,
        coin::{Coin, Lock, OutPoint, Output},
    },
    units::Amount,
};
use serde_json::{Value, json};
use std::sync::Arc;

const GWEI: u64 = 1_000_000_000;
const COIN: u64 = 1_000 * 100_000_000;

fn account(index: usize) -> Address {
    ACCOUNTS[index].address
}

fn raw(transaction: &AccountTransaction) -> String {
    format!("0x{}", hex::encode(transaction.raw()))
}

fn encoded(transaction: &Transaction) -> String {
    hex::encode(transaction.encode())
}

/// What the methods of a node work with, for others on the same chain.
fn like(context: &Context) -> Context {
    Context {
        spec: context.spec.clone(),
        genesis: context.genesis,
        engine: context.engine.clone(),
        reader: context.reader.clone(),
        network: None,
        accounts: Accounts::new(&ChainSpec::dev(), false),
        mining: context.mining.clone(),
        workers: Arc::default(),
        templates: Templates::default(),
        beneficiaries: Beneficiaries::default(),
        next_blocks: NextBlocks::default(),
        lanes: Lanes::default(),
        subscribers: Arc::default(),
        filters: Filters::default(),
        stopping: tokio::sync::watch::Sender::new(false),
        node: context.node.clone(),
        runtime: context.runtime.clone(),
    }
}

fn all_methods() -> Vec<&'static Method> {
    table::all().map(|(_, method)| method).collect()
}

#[test]
fn a_namespace_that_is_not_served_is_not_there() {
    let node = TestNode::fresh();
    let mut fewer = like(&node.context);
    fewer.node.namespaces = vec!["eth".into()];
    let fewer = methods_for(&Arc::new(fewer), Scope::Public);
    let names: Vec<_> = fewer.method_names().collect();
    assert!(["eth_chainId", "rpc_modules", "rpc.discover"].iter().all(|name| names.contains(name)));
    assert!(names.iter().all(|name| name.starts_with("eth_") || name.starts_with("rpc")), "{names:?}");
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "rpc.discover", "params": [] }).to_string();
    let (document, _) = node.wait(fewer.raw_json_request(&request, 1)).unwrap();
    let document: Value = serde_json::from_str(document.get()).unwrap();
    let described = document["result"]["methods"].as_array().unwrap();
    assert_eq!(described.len(), names.len());
    assert!(described.iter().all(|method| names.contains(&method["name"].as_str().unwrap())));
}

#[test]
fn tells_about_the_chain() {
    let node = TestNode::fresh();
    node.call("dev_mine", json!([3]));
    let info = node.call("chain_getInfo", json!([]));
    assert_eq!(info["chain"], "dev");
    assert_eq!(info["chainId"], 1337);
    assert_eq!(info["hrp"], "dcrn");
    assert_eq!(info["height"], 3);
    assert_eq!(info["genesis"], node.call("chain_getBlockHash", json!([0])));
    assert_eq!(info["bestHash"], node.call("chain_getBlockHash", json!([3])));
    assert_eq!(info["baseFee"], GWEI);
    assert_eq!(info["syncing"], false);
    assert_eq!(info["mempool"]["transactions"], 0);

    let header = node.call("chain_getHeader", json!([2]));
    assert_eq!(header["height"], 2);
    assert_eq!(header["confirmations"], 2);
    assert_eq!(header["prev"], node.call("chain_getBlockHash", json!([1])));
    assert_eq!(header["next"], info["bestHash"]);
    let plain = node.call("chain_getHeader", json!({"block": header["hash"], "verbose": false}));
    assert_eq!(plain.as_str().unwrap().len(), 160);

    let block = node.call("chain_getBlock", json!([header["hash"]]));
    assert_eq!(block["hash"], header["hash"]);
    assert_eq!(block["transactions"].as_array().unwrap().len(), 1);
    let bytes = hex::decode(node.call("chain_getBlock", json!([2, 0])).as_str().unwrap()).unwrap();
    let decoded: Block = codec::decode(&bytes).unwrap();
    assert_eq!(decoded.hash().to_string(), header["hash"]);
    assert_eq!(block["size"], bytes.len());
    let full = node.call("chain_getBlock", json!([2, 2]));
    assert_eq!(full["transactions"][0]["kind"], "coinbase");
    assert_eq!(full["transactions"][0]["txid"], block["transactions"][0]);

    let tips = node.call("chain_getTips", json!([]));
    assert_eq!(tips, json!([{"hash": info["bestHash"], "height": 3, "branchLength": 0, "status": "active"}]));
}

#[test]
fn counts_the_supply() {
    let node = TestNode::fresh();
    node.call("dev_mine", json!([4]));
    let supply = node.call("chain_getSupply", json!([]));
    assert_eq!(supply["height"], 4);
    assert_eq!(supply["subsidies"], 4 * 500_000_000u64);
    assert_eq!(supply["allocatedWei"], "110000000000000000000000");
    assert_eq!(supply["coins"], 4 * 500_000_000 + 10 * COIN);
    let wei = |field: &str| supply[field].as_str().unwrap().parse::<U256>().unwrap();
    let coins = U256::from(supply["coins"].as_u64().unwrap()) * U256::from(10_000_000_000u64);
    assert_eq!(wei("mintedWei") - wei("burnedWei"), coins + wei("accountsWei"));
}

#[test]
fn a_block_that_is_not_there_is_minus_32001() {
    let node = TestNode::fresh();
    let unknown = "00".repeat(32);
    for (params, message) in [
        (json!([9]), "no block at height 9: the tip is at 0".to_owned()),
        (json!([unknown]), format!("block {unknown} is unknown")),
    ] {
        assert_eq!(node.try_call("chain_getBlock", params.clone()), Err((-32001, message.clone())));
        assert_eq!(node.try_call("chain_getHeader", params), Err((-32001, message)));
    }
    assert_eq!(node.call("eth_getBlockByNumber", json!(["0x9", false])), Value::Null);
    assert_eq!(node.call("eth_getBlockByHash", json!([format!("0x{unknown}"), false])), Value::Null);
}

#[test]
fn a_coin_is_paid_pending_and_then_confirmed() {
    let node = TestNode::fresh();
    node.call("dev_setAutomine", json!([false]));
    let key = dev_coin_key();
    let address = node.address(&key);
    let (coin, amount) = node.coin_of(&address);
    assert_eq!(amount, COIN);
    let before = node.call("coin_getBalance", json!([address]));
    assert_eq!(before["confirmed"], 10 * COIN);
    assert_eq!((&before["coins"], &before["complete"]), (&json!(10), &json!(true)));
    assert_eq!(node.call("coin_getBalance", json!([address, 1])), before, "these few are read at once");
    let cut = node.call(
        "coin_getBalance",
        json!([[address, node.address(&secp256k1::Keypair::from_secret_bytes([9; 32]).unwrap())], 1]),
    );
    assert_eq!((&cut["coins"], &cut["complete"]), (&json!(10), &json!(false)));

    let (fee, paid) = (50_000, 100_000_000);
    let other = Lock::Policy([7; 32]);
    let tx = node.spend(&key, coin, &[(other, paid), (lock(&key), COIN - paid - fee)]);
    let tested = node.call("coin_testTransaction", json!([encoded(&tx)]));
    assert_eq!((&tested["allowed"], &tested["fee"]), (&json!(true), &json!(fee)));
    let txid = node.call("coin_sendRawTransaction", json!([encoded(&tx)]));
    assert_eq!(txid, tx.txid().to_string());
    assert_eq!(node.call("coin_sendRawTransaction", json!([encoded(&tx)])), txid, "sending again is no error");

    let pending = node.call("coin_getTransaction", json!([txid]));
    assert_eq!(pending["confirmations"], 0);
    assert_eq!(pending["height"], Value::Null);
    assert_eq!(pending["fee"], fee);
    assert_eq!(pending["hex"], encoded(&tx));
    let balance = node.call("coin_getBalance", json!([[address]]));
    assert_eq!(balance["pendingOut"], COIN);
    assert_eq!(balance["pendingIn"], COIN - paid - fee);
    assert_eq!(balance["spendable"], 10 * COIN - paid - fee);
    assert_eq!(node.call("coin_getCoin", json!([coin.txid.to_string(), coin.index])), Value::Null);
    let unspent = node.call("coin_getCoin", json!([coin.txid.to_string(), coin.index, false]));
    assert_eq!(unspent["amount"], COIN);
    let coins = node.call("coin_getCoins", json!([address]));
    let spent: Vec<_> = coins["coins"].as_array().unwrap().iter().filter(|coin| coin["spentBy"] == txid).collect();
    assert_eq!(spent.len(), 1);
    assert_eq!(coins["coins"][10]["height"], Value::Null);
    assert_eq!(coins["coins"][10]["txid"], txid);
    let listed = node.call("txpool_coins", json!([]));
    assert_eq!(listed[0]["txid"], txid);
    assert_eq!(node.call("txpool_status", json!([])), json!({"pending": "0x0", "queued": "0x0", "coins": "0x1"}));
    let history = node.call("coin_getHistory", json!([address]));
    assert_eq!(history["entries"][0]["height"], Value::Null);
    assert_eq!(history["entries"][0]["sent"], COIN);
    assert_eq!(history["entries"][0]["received"], COIN - paid - fee);

    node.call("evm_mine", json!([]));
    let mined = node.call("coin_getTransaction", json!([txid]));
    assert_eq!(mined["confirmations"], 1);
    assert_eq!(mined["height"], 1);
    assert_eq!(mined["position"], 1);
    assert_eq!(mined["fee"], fee);
    assert_eq!(mined["blockHash"], node.call("chain_getBlockHash", json!([1])));
    assert_eq!(node.call("coin_getBalance", json!([address]))["confirmed"], 10 * COIN - paid - fee);
    let full = node.call("chain_getBlock", json!([1, 2]));
    assert_eq!(full["transactions"][1]["fee"], fee);
    let history = node.call("coin_getHistory", json!([address]));
    assert_eq!(history["entries"][0]["height"], 1);
    assert_eq!(history["entries"][0]["kind"], "coin");
    assert_eq!(history["next"], Value::Null);
}

#[test]
fn what_the_mempool_makes_and_spends_is_listed_and_a_deposit_waits_in_the_accounts_history() {
    let node = TestNode::fresh();
    let key = dev_coin_key();
    let address = node.address(&key);
    let (coin, _) = node.coin_of(&address);
    let parent = node.spend(&key, coin, &[(lock(&key), COIN - 50_000)]);
    let made = OutPoint { txid: parent.txid(), index: 0 };
    let output = Output { amount: Amount::from_grains(COIN - 50_000), lock: lock(&key) };
    let payee = Address::repeat_byte(7);
    let pays = [(Lock::Account(payee), 1_000_000), (Lock::Account(payee), 2_000_000), (lock(&key), COIN - 3_100_000)];
    let deposit = node.spend_coin(&key, made, Coin { output, height: 1, coinbase: false }, &pays);
    for tx in [&parent, &deposit] {
        node.call("coin_sendRawTransaction", json!([encoded(tx)]));
    }
    let coins = node.call("coin_getCoins", json!([address]));
    let listed = coins["coins"].as_array().unwrap().iter().find(|coin| coin["txid"] == parent.txid().to_string());
    let listed = listed.expect("what the mempool makes is listed though the mempool spends it");
    assert_eq!((&listed["spentBy"], &listed["height"]), (&json!(deposit.txid().to_string()), &Value::Null));
    assert_eq!(node.call("coin_getBalance", json!([address]))["pendingIn"], COIN - 3_100_000);
    let entries = |node: &TestNode| {
        let history = node.call("chain_getAccountHistory", json!([payee.to_string()]));
        history["entries"].as_array().unwrap().clone()
    };
    let waiting = entries(&node);
    assert_eq!(waiting.len(), 1);
    assert_eq!((&waiting[0]["txid"], &waiting[0]["kind"]), (&json!(deposit.txid().to_string()), &json!("deposit")));
    assert_eq!((&waiting[0]["valueWei"], &waiting[0]["direction"]), (&json!("30000000000000000"), &json!("in")));
    assert_eq!((&waiting[0]["height"], &waiting[0]["success"]), (&Value::Null, &Value::Null));
    node.call("evm_mine", json!([]));
    let mined = entries(&node);
    assert_eq!((mined.len(), &mined[0]["height"], &mined[0]["success"]), (1, &json!(1), &json!(true)));
}

#[test]
fn a_double_spend_is_minus_32003() {
    let node = TestNode::fresh();
    let key = dev_coin_key();
    let (coin, _) = node.coin_of(&node.address(&key));
    let first = node.spend(&key, coin, &[(lock(&key), COIN - 50_000)]);
    let second = node.spend(&key, coin, &[(lock(&key), COIN - 51_000)]);
    node.call("coin_sendRawTransaction", json!([encoded(&first)]));
    assert_eq!(node.call("coin_testTransaction", json!([encoded(&second)]))["allowed"], false);
    let (code, _) = node.try_call("coin_sendRawTransaction", json!([encoded(&second)])).unwrap_err();
    assert_eq!(code, -32003);
    let answer = node.raw(
        &json!({"jsonrpc": "2.0", "id": 1, "method": "coin_sendRawTransaction", "params": [encoded(&second)]})
            .to_string(),
    );
    assert_eq!(answer["error"]["data"]["reason"], "fee");
}

#[test]
fn coins_come_in_pages() {
    let node = TestNode::fresh();
    let address = node.address(&dev_coin_key());
    let mut seen = Vec::new();
    let mut cursor = Value::Null;
    for _ in 0..6 {
        let page = node.call("coin_getCoins", json!([address, {"limit": 3, "cursor": cursor}]));
        seen.extend(page["coins"].as_array().unwrap().iter().map(|coin| coin["index"].as_u64().unwrap()));
        cursor = page["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen, (1..11).collect::<Vec<_>>());
    assert_eq!(
        node.try_call("coin_getCoins", json!([address, {"cursor": "7"}])),
        Err((-32602, "options.cursor: expected the \"next\" of an earlier page".into()))
    );
    assert_eq!(
        node.try_call("coin_getCoins", json!([address, {"limit": 10_001}])),
        Err((-32602, "options.limit: expected 1 to 10000, got 10001".into()))
    );
}

#[test]
fn addresses_are_validated_with_the_reason() {
    let node = TestNode::fresh();
    let address = node.address(&dev_coin_key());
    let valid = node.call("coin_validateAddress", json!([address]));
    assert_eq!(valid["valid"], true);
    assert_eq!(valid["lock"]["type"], "key");
    let wrong = node.call("coin_validateAddress", json!(["nonsense"]));
    assert_eq!(wrong["valid"], false);
    assert!(wrong["error"].as_str().unwrap().starts_with("neither a coin address (dcrn1...)"), "{wrong}");
    let (code, message) = node.try_call("coin_getBalance", json!(["nonsense"])).unwrap_err();
    assert_eq!((code, message == "address: expected a coin address (dcrn1...)"), (-32602, true), "{message}");
}

#[test]
fn tells_about_itself() {
    let node = TestNode::fresh();
    assert!(node.call("web3_clientVersion", json!([])).as_str().unwrap().starts_with("anvil/cairn-node/v"));
    let hash = "0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad";
    assert_eq!(node.call("web3_sha3", json!(["0x68656c6c6f20776f726c64"])), hash);
    assert_eq!(node.call("net_peerCount", json!([])), "0x0");
    assert_eq!(node.call("net_listening", json!([])), true);
    assert_eq!(node.call("eth_syncing", json!([])), false);
    assert_eq!(node.call("eth_accounts", json!([])).as_array().unwrap().len(), 10);
    assert_eq!(node.call("eth_blockNumber", json!([])), "0x0");
    assert_eq!(node.call("eth_hashrate", json!([])), "0x0");
    assert_eq!(node.call("admin_nodeInfo", json!([]))["chain"], "dev");
    assert_eq!(node.call("rpc_modules", json!([]))["eth"], "1.0");
    node.call("admin_stop", json!([]));
    node.wait(node.context.node.stop.notified());
}

#[test]
fn an_unknown_method_is_minus_32601() {
    let node = TestNode::fresh();
    assert_eq!(node.try_call("eth_mineBitcoin", json!([])).unwrap_err().0, -32601);
}
