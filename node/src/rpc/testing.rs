//! A dev chain in memory with an RPC, for the tests beside the methods.

use alloy_primitives::{Address, Bytes, U256};
use chain_core::{
    execute::{GATEWAY, withdraw_calldata},
    spec::ChainSpec,
    state::StateView,
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees, Fields},
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Witness},
        sighash::sighash,
    },
    units::Amount,
};
use jsonrpsee::server::Methods;
use secp256k1::{Keypair, SecretKey, schnorr};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::{Notify, watch},
};

use super::{
    Beneficiaries, Context, Filters, HttpLimits, Lanes, NextBlocks, NodeInfo, Templates,
    access::{Scope, Secrets},
    methods, namespaces, serve,
    server::Client,
    start_hub,
};
use crate::{
    dev::Accounts,
    engine_thread::EngineHandle,
    mempool::MempoolConfig,
    mining::Mining,
    store::{Store, StoreConfig},
};

/// Base fee of early blocks, and what is offered above it.
const MAX_FEE: u64 = 2_000_000_000;

/// Signs what a dev account says: a transfer of wei.
pub fn transfer(private_key: &str, nonce: u64, to: Address, wei: u64) -> AccountTransaction {
    let fields = Fields {
        tx_type: 2,
        chain_id: ChainSpec::dev().chain_id,
        nonce,
        fees: Fees::Dynamic { max_fee: U256::from(MAX_FEE), max_priority_fee: U256::from(1_000_000) },
        gas_limit: 21_000,
        to: Some(to),
        value: U256::from(wei),
        input: Bytes::new(),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    };
    AccountTransaction::sign(fields, &secret(private_key)).expect("the fields are sound")
}

/// Signs what a dev account says: a call with calldata, or a creation with initcode.
pub fn contract(private_key: &str, nonce: u64, to: Option<Address>, input: Bytes) -> AccountTransaction {
    let mut fields = transfer(private_key, nonce, Address::ZERO, 0).fields().clone();
    (fields.to, fields.input, fields.gas_limit) = (to, input, 1_000_000);
    AccountTransaction::sign(fields, &secret(private_key)).expect("the fields are sound")
}

/// Signs what a dev account says: a withdrawal of this coin.
pub fn withdrawal(private_key: &str, nonce: u64, output: &Output) -> AccountTransaction {
    let mut fields = transfer(private_key, nonce, GATEWAY, 0).fields().clone();
    fields.input = withdraw_calldata(&output.lock);
    (fields.value, fields.gas_limit) = (output.amount.to_wei(), 100_000);
    AccountTransaction::sign(fields, &secret(private_key)).expect("the fields are sound")
}

/// A key by its digits.
pub fn secret(hex_key: &str) -> SecretKey {
    let bytes: [u8; 32] = hex::decode(hex_key.trim_start_matches("0x")).unwrap().try_into().unwrap();
    SecretKey::from_secret_bytes(bytes).unwrap()
}

/// The key of the coins that the dev chain allocates.
pub fn dev_coin_key() -> Keypair {
    Keypair::from_secret_key(&secret("363d238760b44c1686a5036b0f8ea9350e87c0d885f3b6a1cc669db2ab952759"))
}

/// Waits for something that happens soon.
pub fn eventually(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Serves a node on loopback.
pub fn listen(node: &TestNode) -> SocketAddr {
    node.wait(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // The handle stops the server when it is dropped.
        std::mem::forget(serve(
            listener,
            node.methods.clone(),
            HttpLimits::default(),
            Secrets::default(),
            Some(Arc::default()),
        ));
        address
    })
}

/// A node of the dev chain without a listener.
pub struct TestNode {
    /// What the methods work with.
    pub context: Arc<Context>,
    /// The methods.
    pub methods: Methods,
    runtime: Runtime,
}

/// The methods as a caller of this scope has them.
pub fn methods_for(context: &Arc<Context>, scope: Scope) -> Methods {
    let mut methods = methods(context.clone());
    methods.extensions_mut().insert(Client::without_socket(scope));
    methods
}

impl TestNode {
    /// A fresh chain.
    pub fn fresh() -> Self {
        Self::with(ChainSpec::dev(), Lanes::default(), &StoreConfig::default())
    }

    /// A fresh chain of a spec.
    pub fn of(spec: ChainSpec) -> Self {
        Self::with(spec, Lanes::default(), &StoreConfig::default())
    }

    /// A fresh chain of a spec, whose RPC has these lanes, stored so.
    pub fn with(spec: ChainSpec, lanes: Lanes, settings: &StoreConfig) -> Self {
        let runtime = Runtime::new().unwrap();
        let store = Store::in_memory(&spec, settings).unwrap();
        let reader = store.reader();
        let pays_nobody = spec.name == "local";
        let engine = EngineHandle::start(store, spec.clone(), MempoolConfig::default()).unwrap();
        let context = Arc::new(Context {
            genesis: engine.chain_info().genesis,
            mining: Arc::new(Mining::new(engine.clone(), &spec, None, None, None, 1)),
            accounts: Accounts::new(&spec, false),
            spec,
            engine,
            reader,
            network: None,
            workers: Arc::default(),
            templates: Templates::default(),
            beneficiaries: Beneficiaries::default(),
            next_blocks: NextBlocks::default(),
            lanes,
            subscribers: Arc::default(),
            filters: Filters::default(),
            stopping: watch::Sender::new(false),
            node: NodeInfo {
                datadir: None,
                url: "http://127.0.0.1:0".into(),
                stratum: None,
                started: Instant::now(),
                namespaces: namespaces().map(str::to_owned).collect(),
                index: true,
                devnet: None,
                pays_nobody,
                stop: Arc::new(Notify::new()),
            },
            runtime: runtime.handle().clone(),
        });
        start_hub(&context).unwrap();
        Self { methods: methods_for(&context, Scope::Full), context, runtime }
    }

    /// Sends one request as text; the whole answer.
    pub fn raw(&self, request: &str) -> Value {
        let (answer, _) = self.runtime.block_on(self.methods.raw_json_request(request, 1)).expect("a request");
        serde_json::from_str(answer.get()).expect("JSON")
    }

    /// Calls a method.
    pub fn try_call(&self, method: &str, params: Value) -> Result<Value, (i64, String)> {
        let request = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let mut answer = self.raw(&request.to_string());
        assert_eq!(answer["id"], 7, "{answer}");
        match answer.get("error") {
            Some(error) => Err((error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())),
            None => Ok(answer["result"].take()),
        }
    }

    /// Calls a method that must succeed.
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params.clone()).unwrap_or_else(|error| panic!("{method} {params}: {error:?}"))
    }

    /// Waits for a future of the engine.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Coin address of a key.
    pub fn address(&self, key: &Keypair) -> String {
        chain_core::address::encode(&self.context.spec.hrp, &lock(key))
    }

    /// Spends a coin that allows it by `key` to these outputs, leaving out `fee`.
    pub fn spend(&self, key: &Keypair, coin: OutPoint, pays: &[(Lock, u64)]) -> Transaction {
        let spent = self.context.snapshot().unwrap().coin(&coin).unwrap().expect("the coin exists");
        self.spend_coin(key, coin, spent, pays)
    }

    /// The same for a coin that no block holds yet.
    pub fn spend_coin(&self, key: &Keypair, coin: OutPoint, spent: Coin, pays: &[(Lock, u64)]) -> Transaction {
        let outputs =
            pays.iter().map(|(lock, grains)| Output { amount: Amount::from_grains(*grains), lock: *lock }).collect();
        let mut tx = CoinTransaction { inputs: vec![coin], outputs, witnesses: Vec::new() };
        let message = sighash(&self.context.genesis, &tx, &[spent])(0);
        let signature = schnorr::sign_with_aux_rand(&message, key, &[0; 32]);
        tx.witnesses = vec![Witness::Key(signature.to_byte_array().into())];
        Transaction::Coin(tx)
    }

    /// An unspent coin of an address.
    pub fn coin_of(&self, address: &str) -> (OutPoint, u64) {
        let coins = self.call("coin_getCoins", json!([address]));
        let coin = coins["coins"].as_array().unwrap().iter().find(|coin| coin["spentBy"].is_null()).expect("a coin");
        let txid = coin["txid"].as_str().unwrap().parse().unwrap();
        let index = coin["index"].as_u64().unwrap() as u32;
        (OutPoint { txid, index }, coin["amount"].as_u64().unwrap())
    }
}

/// The lock of a key.
pub fn lock(key: &Keypair) -> Lock {
    Lock::Key(KeyBytes::of(key))
}
