//! Who may call, how many at a time, and when a call has to end.

use jsonrpsee::{server::Methods, types::Params};
use serde_json::{Value, json};
use std::{
    io::Write,
    net::{Ipv4Addr, TcpStream},
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

use chain_core::{coin::Lock, spec::ChainSpec, state::StateView};

use crate::rpc::{
    Lanes, TABLES,
    access::{Scope, Secrets},
    call::Call,
    error::RpcError,
    lanes::Lane,
    queue::Client,
    serve,
    server::HttpLimits,
    testing::{TestNode, contract, dev_coin_key, methods_for, transfer},
};
use crate::{dev::ACCOUNTS, store::StoreConfig};

/// Initcode that never ends: `JUMPDEST PUSH0 JUMP`.
const LOOP: &str = "0x5b5f56";

/// What a method answers to a call with this much time.
fn answer(node: &TestNode, name: &str, params: &Value, call: Call) -> Result<(), RpcError> {
    let method = TABLES.iter().copied().flatten().find(|method| method.name == name).unwrap();
    let text = params.to_string();
    crate::rpc::run(method, &Params::new(Some(&text)), &node.context, &call).map(drop)
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
fn a_call_that_reads_an_old_state_ends_with_its_time() {
    let node = TestNode::fresh();
    node.call("dev_mine", json!([3]));
    let (address, one) = (ACCOUNTS[0].address, json!("0x1"));
    for (name, params) in [
        ("eth_getBalance", json!([address, one])),
        ("eth_getTransactionCount", json!([address, one])),
        ("eth_getCode", json!([address, one])),
        ("eth_getStorageAt", json!([address, "0x0", one])),
        ("eth_feeHistory", json!(["0x2", "latest", [50]])),
        ("eth_call", json!([{"to": address}, one])),
        ("eth_estimateGas", json!([{"to": address}, one])),
        ("debug_traceBlockByNumber", json!([one, {"timeout": "0ms"}])),
    ] {
        answer(&node, name, &params, Call::start(Duration::from_secs(3_600))).map_or_else(
            |error| assert!(name.starts_with("debug"), "{name}: {}", error.message()),
            |()| assert!(!name.starts_with("debug"), "{name} has no time"),
        );
        let error = answer(&node, name, &params, Call::start(Duration::ZERO)).unwrap_err();
        let message = "the call took longer than 0 ms: ask for less, or give it less gas";
        assert_eq!((error.code(), error.message()), (-32005, message), "{name}");
    }
}

#[test]
fn a_trace_ends_when_it_is_too_long() {
    let node = TestNode::fresh();
    // Time enough on a machine that has much else to do.
    for options in [json!({"timeout": "30s"}), json!({"timeout": "30s", "disableStack": true, "disableStorage": true})]
    {
        let (code, message) =
            node.try_call("debug_traceCall", json!([{"input": LOOP}, "latest", options])).unwrap_err();
        assert_eq!(code, -32005);
        assert!(message.starts_with("the trace is longer than 24 MB: "), "{message}");
    }
}

#[test]
fn a_connection_that_closes_takes_its_waiting_calls_along() {
    let node = TestNode::with(ChainSpec::dev(), Lanes::new(1, 1), &StoreConfig::default());
    let lanes = &node.context.lanes;
    let _running = node.wait(lanes.enter(Lane::Heavy, Client::at(Ipv4Addr::LOCALHOST.into()))).unwrap();
    let address = listen(&node, Scope::Public);
    let mut client = TcpStream::connect(address).unwrap();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{"input": LOOP}]}).to_string();
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    write!(client, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    until("the call to wait", || lanes.of(Lane::Heavy).room_to_wait() == 0);
    drop(client);
    until("the queue to be empty", || lanes.of(Lane::Heavy).room_to_wait() == 1);
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
        std::mem::forget(serve(listener, methods, HttpLimits::default(), Secrets::default()));
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

// Each account is an execution on the engine's thread with every new tip; an address is none.
#[test]
fn callers_with_the_mining_token_may_name_few_accounts_and_any_address() {
    let node = TestNode::fresh();
    let own = node.address(&dev_coin_key());
    let template = |scope, address: &str, account: usize| {
        let account = ACCOUNTS[account].address;
        as_scope(&node, scope, "miner_getTemplate", json!([{"address": address, "account": account}]))
    };
    for round in 0..2 {
        for account in 0..4 {
            assert_eq!(template(Scope::Mining, &own, account)["result"]["height"], 1, "round {round}: {account}");
        }
    }
    let refused = template(Scope::Mining, &own, 4);
    assert_eq!(refused["error"]["code"], -32005);
    let expected = "request.account: callers with the mining token have named 4 others within the last 10 minutes, and no \
                    more are served: name one of them, or none";
    assert_eq!(refused["error"]["message"], expected);
    assert_eq!(template(Scope::Full, &own, 4)["result"]["height"], 1, "the node's own user has no such limit");
    for payout in 0..10 {
        let address = chain_core::address::encode(&node.context.spec.hrp, &Lock::Policy([payout; 32]));
        assert_eq!(template(Scope::Mining, &address, 0)["result"]["height"], 1);
    }
    let none = as_scope(&node, Scope::Mining, "miner_getTemplate", json!([{"address": own}]));
    assert_eq!(none["result"]["height"], 1);
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
                    let pending = context.engine.pending_nonce(sender).await.unwrap();
                    let account = context.snapshot().unwrap().account(&sender).unwrap().unwrap();
                    pending.unwrap_or(account.nonce).max(account.nonce)
                },
                async {
                    let txid = chain_core::hash::TxId(tx.hash().0);
                    let pooled = context.engine.mempool_transaction(txid).await.unwrap().is_some();
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
    let settings = StoreConfig { tx_index: false, address_index: false, ..StoreConfig::default() };
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
