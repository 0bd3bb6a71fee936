//! Who may call, how many at a time, and when a call has to end.

use futures::FutureExt;
use jsonrpsee::{server::Methods, types::Params};
use serde_json::{Value, json};
use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

use alloy_primitives::Address;
use chain_core::{
    codec,
    spec::ChainSpec,
    state::StateView,
    transaction::{Transaction, account::AccountTransaction},
};

use crate::rpc::{
    HttpLimits, Lanes,
    access::{Scope, Secrets},
    base::{Args, Call, RpcError, render},
    chain::history::account_history,
    dispatch::run,
    lanes::Lane,
    serve, table,
    testing::{TestNode, contract, dev_coin_key, methods_for, transfer},
};
use crate::{dev::ACCOUNTS, store::StoreConfig};

/// Initcode that never ends: `JUMPDEST PUSH0 JUMP`.
const LOOP: &str = "0x5b5f56";

/// What a method answers to a call with this much time.
fn answer(node: &TestNode, name: &str, params: &Value, call: Call) -> Result<(), RpcError> {
    let method = table::all().map(|(_, method)| method).find(|method| method.name == name).unwrap();
    let text = params.to_string();
    run(method, &Params::new(Some(&text)), &node.context, call).map(drop)
}

#[test]
fn code_that_never_ends_ends_with_its_call() {
    let node = TestNode::fresh();
    for (name, params) in [
        ("eth_call", json!([{"input": LOOP}])),
        ("eth_estimateGas", json!([{"input": LOOP}])),
        ("debug_traceCall", json!([{"input": LOOP}, "latest", {"tracer": "callTracer"}])),
        ("debug_traceCall", json!([{"input": LOOP}, "latest", {"timeout": "1m"}])),
    ] {
        let gone = Call::start(Duration::from_secs(3_600));
        drop(gone.end_on_drop());
        let error = answer(&node, name, &params, gone).unwrap_err();
        assert_eq!(error.message(), "the client has closed the connection", "{name}");
    }
    for (name, params) in [
        ("eth_call", json!([{"input": LOOP}])),
        ("debug_traceCall", json!([{"input": LOOP}, "latest", {"timeout": "0ms"}])),
    ] {
        let error = answer(&node, name, &params, Call::start(Duration::ZERO)).unwrap_err();
        let message = "the call took longer than 0 ms: ask for less, or give it less gas";
        assert_eq!((error.code(), error.message()), (-32005, message), "{name}");
    }
    let out_of_gas = node.try_call("eth_call", json!([{"input": LOOP}])).unwrap_err();
    assert_eq!(out_of_gas, (-32000, "out of gas".into()), "with time enough it ends by itself");
}

#[test]
fn a_trace_ends_when_it_is_too_long() {
    let node = TestNode::fresh();
    for options in [json!({}), json!({"disableStack": true, "disableStorage": true})] {
        let (code, message) =
            node.try_call("debug_traceCall", json!([{"input": LOOP}, "latest", options])).unwrap_err();
        assert_eq!(code, -32005);
        assert!(message.starts_with("the trace is longer than 24 MB: "), "{message}");
    }
}

#[test]
fn a_connection_that_closes_takes_its_waiting_calls_along() {
    let node = TestNode::with(ChainSpec::dev(), Lanes::new(1, 1, 1), &StoreConfig::default());
    let lanes = &node.context.lanes;
    let _running = node.wait(async { lanes.fill(Lane::Code) });
    let address = listen(&node, Scope::Public);
    let mut client = TcpStream::connect(address).unwrap();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{"input": LOOP}]}).to_string();
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    write!(client, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    until("the call to wait", || lanes.waiting(Lane::Code) == 1);
    drop(client);
    until("the queue to be empty", || lanes.waiting(Lane::Code) == 0);
}

#[test]
fn brief_calls_need_no_place_while_a_thread_is_left_for_others() {
    let node = TestNode::fresh();
    let lanes = &node.context.lanes;
    // The operator has a place of its own.
    let methods = methods_for(&node.context, Scope::Public);
    let asked = |method: &str| {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).to_string();
        let (answered, waiting) = node.wait(async {
            let mut call = Box::pin(methods.raw_json_request(&request, 1));
            (call.as_mut().now_or_never().is_some(), lanes.waiting(Lane::Light))
        });
        assert_ne!(answered, waiting == 1, "{method} is answered or waits");
        answered
    };
    let _running = node.wait(async { lanes.fill(Lane::Light) });
    assert!(asked("eth_chainId") && !asked("eth_gasPrice"));
    let _slots: Vec<_> = std::iter::from_fn(|| lanes.slot()).collect();
    assert!(!asked("eth_chainId"));
}

/// Waits until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
    }
}

fn listen(node: &TestNode, scope: Scope) -> std::net::SocketAddr {
    node.wait(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let methods: Methods = methods_for(&node.context, scope);
        // The handle stops the server when it is dropped.
        std::mem::forget(serve(listener, methods, HttpLimits::default(), Secrets::default(), None));
        address
    })
}

/// What a caller of a scope is answered.
fn as_scope(node: &TestNode, scope: Scope, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let methods = methods_for(&node.context, scope);
    let (answer, _) = node.wait(methods.raw_json_request(&request, 1)).unwrap();
    serde_json::from_str(answer.get()).unwrap()
}

#[test]
fn a_transaction_without_a_signature_is_taken_from_this_machine_alone() {
    let node = TestNode::fresh();
    let (rich, key) = (ACCOUNTS[0].address, ACCOUNTS[0].private_key);
    let unsigned =
        AccountTransaction::naming(transfer(key, 0, Address::repeat_byte(7), 5).fields().clone(), rich).unwrap();
    let raw = json!([format!("0x{}", hex::encode(unsigned.raw()))]);
    let encoded = json!([hex::encode(codec::encode(&Transaction::Account(unsigned)))]);
    // Which account is impersonated here is nothing that others may use.
    let somebody = Address::repeat_byte(0x5b).to_string();
    node.call("anvil_impersonateAccount", json!([somebody]));
    let sent = json!([{"from": somebody, "to": rich.to_string(), "gas": "0x5208"}]);
    for scope in [Scope::Wallet, Scope::Public, Scope::Mining] {
        for (method, params) in [
            ("eth_sendRawTransaction", &raw),
            ("eth_sendRawTransactionSync", &raw),
            ("coin_sendRawTransaction", &encoded),
            ("eth_sendTransaction", &sent),
            ("anvil_impersonateAccount", &sent),
        ] {
            let answer = as_scope(&node, scope, method, params.clone());
            assert_eq!(answer["error"]["code"], 4100, "{method} as {scope:?}: {answer}");
        }
    }
    assert_eq!(node.call("txpool_status", json!([]))["pending"], "0x0");
    assert!(as_scope(&node, Scope::Local, "eth_sendRawTransaction", raw)["result"].is_string());
}

// Otherwise anyone who reaches the node could spend from any account by a block of an own development chain.
#[test]
fn a_block_with_such_a_transaction_is_taken_from_this_machine_alone() {
    let (own, node) = (TestNode::fresh(), TestNode::fresh());
    own.call("anvil_setBalance", json!([ACCOUNTS[0].address, "0x1"]));
    let block = own.call("chain_getBlock", json!([1, 0]));
    // A miner sends the coinbase as a Bitcoin transaction: without the tag behind the header and the count.
    let text = block.as_str().unwrap();
    let of_miner = json!([&text[..162], &text[164..]].concat());
    for scope in [Scope::Public, Scope::Wallet, Scope::Mining] {
        for (method, block) in [("chain_submitBlock", &block), ("submitblock", &of_miner)] {
            let answer = as_scope(&node, scope, method, json!([block]));
            assert_eq!(answer["error"]["code"], 4100, "{method} as {scope:?}: {answer}");
        }
    }
    assert_eq!(node.call("eth_blockNumber", json!([])), "0x0");
    let answer = as_scope(&node, Scope::Local, "chain_submitBlock", json!([block]));
    assert_eq!(answer["result"]["status"], "connected", "{answer}");
}

#[test]
fn nobody_steers_the_node_without_its_cookie() {
    let node = TestNode::fresh();
    let before = node.call("miner_status", json!([]));
    let address = node.address(&dev_coin_key());
    for scope in [Scope::Wallet, Scope::Public, Scope::Local, Scope::Mining] {
        for (method, params) in [
            ("miner_setAddress", json!([address])),
            ("miner_start", json!([])),
            ("miner_stop", json!([])),
            ("admin_stop", json!([])),
            ("admin_nodeInfo", json!([])),
        ] {
            assert_eq!(as_scope(&node, scope, method, params)["error"]["code"], 4100, "{method} as {scope:?}");
        }
    }
    assert_eq!(node.call("miner_status", json!([])), before);
    assert_eq!(as_scope(&node, Scope::Full, "miner_setAddress", json!([address]))["result"], true);
    assert_eq!(node.call("miner_status", json!([]))["address"], address);
}

#[test]
fn a_miner_elsewhere_mines_for_itself_and_does_nothing_else() {
    let node = TestNode::fresh();
    let address = node.address(&dev_coin_key());
    node.call("miner_setAddress", json!([address]));
    let template = |scope, request: Value| as_scope(&node, scope, "miner_getTemplate", json!([request]));
    assert_eq!(template(Scope::Mining, json!({"address": address}))["result"]["height"], 1);
    let missing = template(Scope::Mining, json!({}));
    assert_eq!(missing["error"]["code"], -32602);
    assert!(missing["error"]["message"].as_str().unwrap().contains("cairn-miner --address"), "{missing}");
    assert_eq!(template(Scope::Full, json!({}))["result"]["height"], 1, "the node's own user has its payout");
    for scope in [Scope::Public, Scope::Local] {
        assert_eq!(template(scope, json!({"address": address}))["error"]["code"], 4100);
    }
}

#[test]
fn a_mined_transaction_is_nowhere_for_no_moment() {
    let node = TestNode::fresh();
    node.call("dev_setAutomine", json!([false]));
    let (sender, key) = (ACCOUNTS[0].address, ACCOUNTS[0].private_key);
    for nonce in 0..30 {
        let tx = transfer(key, nonce, ACCOUNTS[1].address, 1);
        node.call("eth_sendRawTransaction", json!([format!("0x{}", hex::encode(tx.raw()))]));
        let context = &node.context;
        // The block and both questions are on their way to the engine together.
        let (mined, nonces, pooled) = node.wait(async {
            tokio::join!(
                context.mining.mine_now(1, None),
                async {
                    let pending =
                        context.engine.query(move |engine| engine.mempool().pending_nonce(&sender)).await.unwrap();
                    let account = context.snapshot().unwrap().account(&sender).unwrap().unwrap();
                    pending.unwrap_or(account.nonce).max(account.nonce)
                },
                async {
                    let txid = chain_core::hash::TxId(tx.hash().0);
                    let pooled = context.engine.query(move |engine| engine.mempool().contains(&txid)).await.unwrap();
                    pooled || context.snapshot().unwrap().transaction(&txid).unwrap().is_some()
                },
            )
        });
        mined.unwrap();
        assert_eq!(nonces, nonce + 1, "the nonce is used");
        assert!(pooled, "it waits or is mined");
    }
}

#[test]
fn an_index_that_is_off_is_minus_32002() {
    let settings = StoreConfig { tx_index: false, address_index: false, log_index: false, ..StoreConfig::default() };
    let node = TestNode::with(ChainSpec::dev(), Lanes::default(), &settings);
    let hash = format!("0x{}", "11".repeat(32));
    let address = node.address(&dev_coin_key());
    for (method, params) in [
        ("eth_getTransactionByHash", json!([hash])),
        ("eth_getTransactionReceipt", json!([hash])),
        ("coin_getTransaction", json!([hash])),
        ("coin_getCoins", json!([address])),
        ("coin_getHistory", json!([address])),
        ("debug_traceTransaction", json!([hash])),
    ] {
        let (code, message) = node.try_call(method, params).unwrap_err();
        assert_eq!(code, -32002, "{method}: {message}");
        assert!(message.contains("index is switched off on this node (--no-index)"), "{message}");
    }
}

#[test]
fn a_receipt_alone_is_the_one_in_its_block() {
    let node = TestNode::fresh();
    node.call("dev_setAutomine", json!([false]));
    // `PUSH0 PUSH0 LOG0 PUSH0 PUSH0 LOG0`: two logs each.
    let initcode: alloy_primitives::Bytes = alloy_primitives::hex!("5f5fa05f5fa0").into();
    for (nonce, input) in [(0, initcode.clone()), (1, alloy_primitives::Bytes::new()), (2, initcode)] {
        let tx = contract(ACCOUNTS[0].private_key, nonce, None, input);
        node.call("eth_sendRawTransaction", json!([format!("0x{}", hex::encode(tx.raw()))]));
    }
    node.call("dev_mine", json!([1]));
    let receipts = node.call("eth_getBlockReceipts", json!(["latest"]));
    let receipts = receipts.as_array().unwrap();
    assert_eq!(receipts.len(), 3);
    assert_eq!(receipts[2]["logs"][1]["logIndex"], "0x3");
    for receipt in receipts {
        assert_eq!(node.call("eth_getTransactionReceipt", json!([receipt["transactionHash"]])), *receipt);
    }
}

#[test]
fn a_page_of_an_accounts_history_reads_a_bounded_number_of_bytes() {
    let node = TestNode::fresh();
    let to = alloy_primitives::Address::repeat_byte(0x77);
    for nonce in 0..5 {
        let transfer = transfer(ACCOUNTS[0].private_key, nonce, to, 1);
        node.call("eth_sendRawTransaction", json!([format!("0x{}", hex::encode(transfer.raw()))]));
        node.call("evm_mine", json!([]));
    }
    let page = |cursor: &Value, most: usize| {
        let text = json!([to, { "cursor": cursor }]).to_string();
        let call = Call::start(Duration::from_secs(60));
        let args = Args::new(&Params::new(Some(&text)), &["account", "options"], call).unwrap();
        account_history(&node.context, args, most).unwrap()
    };
    // One byte is enough for one block, and the page says where the next begins.
    let (mut cursor, mut heights) = (Value::Null, Vec::new());
    loop {
        let page = page(&cursor, 1);
        let entries = page["entries"].as_array().unwrap();
        heights.extend(entries.iter().map(|entry| entry["height"].as_u64().unwrap()));
        assert!(entries.len() <= 1, "{page}");
        cursor = page["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(heights, [5, 4, 3, 2, 1]);
    assert_eq!(page(&Value::Null, 1 << 20)["entries"].as_array().unwrap().len(), 5);
}

#[test]
fn the_size_of_the_pool_is_told_without_a_question_to_the_engine() {
    let node = TestNode::fresh();
    for nonce in 0..3 {
        let transfer = transfer(ACCOUNTS[0].private_key, nonce, ACCOUNTS[1].address, 1);
        node.call("eth_sendRawTransaction", json!([format!("0x{}", hex::encode(transfer.raw()))]));
    }
    // An engine that is gone answers nobody.
    node.wait(node.context.engine.shutdown());
    assert!(node.try_call("txpool_content", json!([])).is_err());
    assert_eq!(node.call("txpool_status", json!([])), json!({"pending": "0x3", "queued": "0x0", "coins": "0x0"}));
}

#[test]
fn the_work_of_a_chain_is_read_with_its_header_and_asked_of_nobody() {
    let node = TestNode::fresh();
    node.call("dev_mine", json!([3]));
    let hash = |height| node.call("chain_getBlockHash", json!([height])).as_str().unwrap().parse().unwrap();
    let hashes = [0, 1, 2, 3].map(hash);
    let infos = node.context.query(move |engine| hashes.map(|hash| engine.chain().tree().get(&hash).unwrap())).unwrap();
    let work = infos.map(|info| render::word(info.work));
    assert_eq!(node.call("chain_getInfo", json!([]))["chainWork"], work[3]);
    node.wait(node.context.engine.shutdown());
    for (height, work) in work.iter().enumerate() {
        assert_eq!(node.call("chain_getHeader", json!([height]))["chainWork"], *work);
        assert_eq!(node.call("chain_getBlock", json!([height]))["chainWork"], *work);
    }
}
