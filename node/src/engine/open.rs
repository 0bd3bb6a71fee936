//! Opening the engine on a store.

use chain_core::{
    headers::{self, HeaderTree, Status, StoredHeader},
    spec::ChainSpec,
};

use std::sync::Arc;

use super::{
    Engine, OpenError, RelayConfig, Time, connect::Session, held::Held, ready::Ready, relay::Relay,
    templates::TemplateState, transactions::Resubmission,
};
use crate::{
    mempool::{Mempool, MempoolConfig},
    store::{HeaderRecord, Store, Verdict},
    template::Tag,
    verify::{Verifier, VerifyConfig},
};

/// How the engine works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineConfig {
    /// What the mempool takes.
    pub mempool: MempoolConfig,
    /// How signatures are verified.
    pub verify: VerifyConfig,
    /// How peers are dealt with.
    pub relay: RelayConfig,
    /// What tells this process's blocks from those of others with the same payout.
    pub tag: Tag,
}

impl Engine {
    /// Opens the engine on a store: loads the headers. Stored blocks above the store's tip are connected afterwards, by
    /// [`super::Event::Continue`].
    ///
    /// # Errors
    /// [`OpenError`] if the store cannot be read or its headers are no tree.
    pub fn open(store: Store, spec: ChainSpec, config: EngineConfig) -> Result<Self, OpenError> {
        let mut tree = HeaderTree::load(&spec, store.load_headers()?.into_iter().map(stored_header))?;
        let tip = store.tip();
        tree.prefer(&tip.hash);
        let base_fee = tree.next_base_fee(&tip.hash).unwrap_or(spec.initial_base_fee);
        // Decoded, a transaction takes about three times its encoding.
        let returned_bytes = config.mempool.max_bytes / 3;
        Ok(Self {
            genesis: tree.genesis(),
            tree,
            store,
            spec: Arc::new(spec),
            verifier: Verifier::new(config.verify),
            mempool: Mempool::new(config.mempool, base_fee),
            held: Held::default(),
            ready: Ready::default(),
            relay: Relay::new(config.relay),
            templates: TemplateState::new(config.tag),
            resubmission: Resubmission::new(returned_bytes),
            session: Session::at(tip.hash),
            undecided: Vec::new(),
            actions: Vec::new(),
            now: Time::default(),
            steady: Time::default(),
            stopped: false,
        })
    }
}

fn stored_header(record: HeaderRecord) -> StoredHeader {
    let status = match (record.verdict, record.body) {
        (Verdict::Invalid, _) => Status::Invalid,
        (Verdict::Valid, true) => Status::Valid,
        (Verdict::Unknown, true) => Status::BodyStored,
        (_, false) => Status::HeaderOnly,
    };
    let executed = record
        .executed
        .filter(|_| status == Status::Valid)
        .map(|executed| headers::Executed { base_fee: executed.base_fee, gas_used: executed.gas_used });
    StoredHeader { header: record.header, hash: record.hash, status, executed }
}
