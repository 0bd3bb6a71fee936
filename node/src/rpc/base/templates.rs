//! Templates that were given out, so that a solution need not carry the block back.

use cairn_client::unix;
use chain_core::transaction::Transaction;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use crate::engine::Template;

/// Templates that are remembered: a minute of the most long polls that may wait, each answered every two seconds.
const KEPT: usize = 4_096;
/// Encoded bytes of their transactions in all.
const KEPT_BYTES: usize = 64 << 20;

/// What was given out.
#[derive(Default)]
pub struct Templates(Mutex<Kept>);

/// Miners of one moment differ in their coinbases alone, and share the other transactions.
#[derive(Default)]
struct Kept {
    last_id: u64,
    /// Newest last: id, caller's address, and which body.
    given: VecDeque<(u64, IpAddr, Arc<Body>)>,
    bodies: VecDeque<Arc<Body>>,
}

/// All transactions of a block but its coinbase.
pub struct Body {
    /// The coinbase's merkle branch, which commits to all of them.
    branch: Vec<[u8; 32]>,
    /// In their order.
    pub transactions: Vec<Transaction>,
    bytes: usize,
}

impl Templates {
    /// A number for the next one, which no earlier process of this node gave out: a solution of an old template is stale.
    pub fn next_id(&self) -> u64 {
        let mut kept = self.0.lock();
        if kept.last_id == 0 {
            // Seconds have 32 bits until 2106.
            kept.last_id = unix() << 32;
        }
        kept.last_id += 1;
        kept.last_id
    }

    /// Remembers a template that a caller was given.
    pub fn keep(&self, id: u64, caller: IpAddr, template: Template) {
        let mut kept = self.0.lock();
        let body = kept.body(template);
        kept.given.push_back((id, caller, body));
        kept.forget();
    }

    /// What was given out under a number.
    pub fn get(&self, id: u64) -> Option<Arc<Body>> {
        self.0.lock().given.iter().find(|(kept, ..)| *kept == id).map(|(_, _, body)| body.clone())
    }
}

impl Kept {
    /// The body of a template, which another one may have had already.
    fn body(&mut self, template: Template) -> Arc<Body> {
        let (branch, mut transactions) = (template.merkle_branch, template.block.transactions);
        let is_same = |body: &&Arc<Body>| body.branch == branch && body.transactions.len() + 1 == transactions.len();
        if let Some(body) = self.bodies.iter().find(is_same) {
            return body.clone();
        }
        transactions.drain(..transactions.len().min(1));
        let bytes = transactions.iter().map(|tx| tx.encode().len()).sum();
        let body = Arc::new(Body { branch, transactions, bytes });
        self.bodies.push_back(body.clone());
        body
    }

    /// Forgets the oldest bodies beyond their bytes, and beyond their number the oldest template of the caller with most: one
    /// who asks again and again takes nobody else's.
    fn forget(&mut self) {
        while self.bodies.len() > 1 && self.bodies.iter().map(|body| body.bytes).sum::<usize>() > KEPT_BYTES {
            let oldest = self.bodies.pop_front();
            self.given.retain(|(_, _, body)| oldest.as_ref().is_none_or(|oldest| !Arc::ptr_eq(body, oldest)));
        }
        if self.given.len() > KEPT {
            let mut of: HashMap<IpAddr, usize> = HashMap::new();
            self.given.iter().for_each(|(_, caller, _)| *of.entry(*caller).or_default() += 1);
            let most = of.into_iter().max_by_key(|(_, given)| *given).map(|(caller, _)| caller);
            let oldest = self.given.iter().position(|(_, caller, _)| Some(*caller) == most);
            oldest.and_then(|oldest| self.given.remove(oldest));
            let given = &self.given;
            self.bodies.retain(|body| given.iter().any(|(_, _, other)| Arc::ptr_eq(body, other)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_core::{U256, hash::BlockHash, spec::ChainSpec, units::Amount};

    use crate::engine::LongPollId;

    /// A template of any transactions, so many beside the coinbase.
    fn template(branch: u8, body: usize) -> Template {
        let mut block = ChainSpec::dev().genesis_block().0;
        let coinbase = block.transactions[0].clone();
        block.transactions.extend(vec![coinbase; body]);
        Template {
            longpoll: LongPollId { parent: BlockHash([0; 32]), version: 0 },
            block,
            merkle_branch: vec![[branch; 32]],
            target: U256::MAX,
            height: 1,
            coin_tips: Amount::ZERO,
            gas_used: 0,
        }
    }

    fn ip(host: u8) -> IpAddr {
        [192, 0, 2, host].into()
    }

    #[test]
    fn numbers_begin_with_the_time_so_that_no_earlier_process_gave_them_out() {
        let templates = Templates::default();
        let first = templates.next_id();
        assert!(first >> 32 > 1_700_000_000, "{first}");
        assert_eq!(templates.next_id(), first + 1);
    }

    #[test]
    fn miners_of_one_moment_share_its_transactions() {
        let templates = Templates::default();
        let given = template(7, 100);
        (1..=1_000).for_each(|id| templates.keep(id, ip(1), given.clone()));
        templates.keep(1_001, ip(1), template(8, 100));
        assert_eq!(templates.0.lock().bodies.len(), 2);
        assert_eq!(templates.get(1).unwrap().transactions.len(), 100);
        assert!(templates.get(1_000).is_some() && templates.get(1_001).is_some() && templates.get(1_002).is_none());
    }

    #[test]
    fn the_caller_with_most_templates_loses_its_oldest() {
        let templates = Templates::default();
        let given = template(7, 1);
        templates.keep(0, ip(1), given.clone());
        (1..=2 * KEPT as u64).for_each(|id| templates.keep(id, ip(2), given.clone()));
        assert!(templates.get(0).is_some());
        assert!(templates.get(1).is_none() && templates.get(2 * KEPT as u64).is_some());
        assert_eq!(templates.0.lock().given.len(), KEPT);
    }

    #[test]
    fn what_the_transactions_take_is_bounded() {
        let templates = Templates::default();
        let bytes = template(0, 1).block.transactions[0].encode().len();
        let each = (KEPT_BYTES / 4).div_ceil(bytes);
        (0..6).for_each(|id| templates.keep(u64::from(id), ip(id), template(id, each)));
        let held: usize = templates.0.lock().bodies.iter().map(|body| body.bytes).sum();
        assert!(held <= KEPT_BYTES);
        assert!(templates.get(0).is_none() && templates.get(5).is_some());
        assert!(templates.0.lock().given.iter().all(|(_, _, body)| body.bytes > 0));
    }
}
