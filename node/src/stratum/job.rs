//! Work for a miner: a template in the fields of `mining.notify`, and the header that a share stands for.

use chain_core::{
    block::{Block, header::Header, merkle},
    hash::{BlockHash, sha256d},
    transaction::{Transaction, coin::Lock, coinbase::Coinbase},
};
use serde_json::{Value, json};
use std::{ops::Range, sync::Arc};

use super::target::difficulty;
use crate::engine::Template;

/// Bytes of the coinbase that a miner has for itself: the node gives each connection the first, the miner counts through the
/// rest.
pub const EXTRANONCE1: usize = 4;
/// The miner's.
pub const EXTRANONCE2: usize = 4;
const EXTRANONCE: usize = EXTRANONCE1 + EXTRANONCE2;

/// Before them. With it the coinbase is longer than those of the node's own miner and of `getblocktemplate`, and shorter than
/// those of `miner_getTemplate`, so that none of them searches the same headers. One byte: NerdMiner has room for 255 bytes of
/// coinbase, which are all in use from height 32,768 on.
const MARK: &[u8; 1] = b"/";

/// A template for all miners. Whom it pays is theirs to choose: no commitment depends on that (CB-7), so one execution serves
/// every address.
#[derive(Debug)]
pub struct Work {
    number: u64,
    template: Template,
    difficulty: f64,
}

impl Work {
    /// Work with a number of its own.
    pub fn new(number: u64, template: Template) -> Self {
        Self { number, difficulty: difficulty(template.target), template }
    }

    /// What to ask a template with, as its `extra`.
    pub fn extra() -> Vec<u8> {
        [&MARK[..], &[0; EXTRANONCE]].concat()
    }

    /// Its number, which jobs of it have unless a connection has used it up.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The tip that it builds on.
    pub fn parent(&self) -> BlockHash {
        self.template.block.header.prev
    }

    /// The block's own difficulty: no share needs more.
    pub fn difficulty(&self) -> f64 {
        self.difficulty
    }
}

/// Work of one payout.
#[derive(Debug)]
pub struct Job {
    number: u64,
    work: Arc<Work>,
    payout: Lock,
    /// The coinbase's bytes, and where the extranonces stand in them.
    coinbase: Vec<u8>,
    place: Range<usize>,
}

impl Job {
    /// The job of an address, with a number of its own; `None` if the template has no room for an extranonce.
    pub fn new(number: u64, work: Arc<Work>, payout: Lock) -> Option<Self> {
        let coinbase = pay(work.template.block.coinbase()?, payout);
        let place = coinbase.extranonce(EXTRANONCE)?;
        Some(Self { number, payout, coinbase: coinbase.to_bytes(), place, work })
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The work that it was made of.
    pub fn work(&self) -> &Arc<Work> {
        &self.work
    }

    /// The job's header, which the miner's fields change.
    pub fn base(&self) -> &Header {
        &self.work.template.block.header
    }

    /// Parameters of `mining.notify`.
    pub fn notify(&self, clean: bool) -> Value {
        let header = self.base();
        // Bitcoin's miners read the hash as eight numbers, each in the other order.
        let previous: Vec<u8> = header.prev.0.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
        let (first, second) = (&self.coinbase[..self.place.start], &self.coinbase[self.place.end..]);
        json!([
            format!("{:x}", self.number()),
            hex::encode(previous),
            hex::encode(first),
            hex::encode(second),
            self.work.template.merkle_branch.iter().map(hex::encode).collect::<Vec<_>>(),
            format!("{:08x}", header.version),
            format!("{:08x}", header.bits),
            format!("{:08x}", header.time),
            clean,
        ])
    }

    /// The header of a share.
    pub fn header(&self, extranonce: [u8; EXTRANONCE], version: i32, nonce: u32) -> Header {
        let mut coinbase = self.coinbase.clone();
        coinbase[self.place.clone()].copy_from_slice(&extranonce);
        let (count, branch) = (self.work.template.block.transactions.len(), &self.work.template.merkle_branch);
        let root = merkle::root_from_branch(sha256d(&coinbase), 0, count, branch);
        // The branch is the template's own, so it fits.
        Header { version, nonce, merkle_root: root.unwrap_or_default(), ..*self.base() }
    }

    /// The block of a share that solves it.
    pub fn block(&self, extranonce: [u8; EXTRANONCE], header: Header) -> Block {
        let mut block = self.work.template.block.clone();
        if let Some(Transaction::Coinbase(coinbase)) = block.transactions.first_mut() {
            *coinbase = pay(coinbase, self.payout);
            let place = coinbase.extra.len().saturating_sub(EXTRANONCE);
            coinbase.extra.splice(place.., extranonce);
        }
        block.header = header;
        block
    }
}

/// The coinbase with another payout.
fn pay(coinbase: &Coinbase, payout: Lock) -> Coinbase {
    let mut coinbase = coinbase.clone();
    for output in &mut coinbase.outputs {
        output.lock = payout;
    }
    coinbase
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use chain_core::{
        spec::ChainSpec,
        transaction::coin::{KeyBytes, Output},
        units::Amount,
        work::pow,
    };

    use crate::engine::{LongPollId, tag};

    /// Work of a block of so many transactions, on a parent of this byte, with these bits.
    pub fn work(number: u64, parent: u8, transactions: usize, bits: u32) -> Arc<Work> {
        let mut block = ChainSpec::dev().genesis_block().0;
        let Some(Transaction::Coinbase(coinbase)) = block.transactions.first_mut() else { panic!("a coinbase") };
        coinbase.extra = [tag(7).as_slice(), &Work::extra()].concat();
        coinbase.outputs = vec![Output { amount: Amount::from_grains(5), lock: Lock::Key(KeyBytes([1; 32])) }];
        let coinbase = block.transactions[0].clone();
        block.transactions.resize(transactions, coinbase);
        let leaves: Vec<_> = block.transactions.iter().map(merkle::leaf).collect();
        block.header = Header {
            version: 0x2000_0000,
            prev: BlockHash(std::array::from_fn(|index| parent + index as u8)),
            merkle_root: merkle::root(&leaves),
            time: 0x6500_0001,
            bits,
            nonce: 0,
        };
        let template = Template {
            longpoll: LongPollId { parent: block.header.prev, version: 0 },
            merkle_branch: merkle::branch(&leaves, 0),
            block,
            target: pow::target(bits).unwrap(),
            height: 1,
            coin_tips: Amount::ZERO,
            gas_used: 0,
        };
        Arc::new(Work::new(number, template))
    }

    #[test]
    fn a_coinbase_fits_the_buffer_of_a_nerdminer() {
        for payout in [Lock::Key(KeyBytes([0xff; 32])), Lock::Policy([0xff; 32])] {
            let mut template = work(1, 0, 1, 0x1d00_ffff).template().clone();
            let Some(Transaction::Coinbase(coinbase)) = template.block.transactions.first_mut() else { panic!() };
            coinbase.height = (1 << 23) - 1;
            let params = Job::new(1, Arc::new(Work::new(1, template)), payout).unwrap().notify(true);
            let bytes = (text(&params, 2).len() + text(&params, 3).len()) / 2 + EXTRANONCE;
            // Of `coinbase_buffer[512]` in NerdMiner 1.8.1 and later, with a zero at the end.
            assert_eq!(bytes, 255);
        }
    }

    fn text(params: &Value, index: usize) -> String {
        params[index].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_fields_of_a_job_are_these() {
        let job = Job::new(0xab, work(0xab, 0, 3, 0x1d00_ffff), Lock::Key(KeyBytes([0xcc; 32]))).unwrap();
        let params = job.notify(true);
        assert_eq!(params[0], "ab");
        let words = ["03020100", "07060504", "0b0a0908", "0f0e0d0c", "13121110", "17161514", "1b1a1918", "1f1e1d1c"];
        assert_eq!(params[1], words.concat());
        // Up to the index of the null outpoint as in every coinbase, then the script: length, height, tag, mark.
        let head = ["0200000001", &"00".repeat(32), "ffffffff"].concat();
        assert_eq!(text(&params, 2), [&head, "130100", &hex::encode("HAAAAAAA/")].concat());
        assert!(text(&params, 3).starts_with("ffffffff02"), "the sequence and the number of outputs");
        assert!(text(&params, 3).ends_with(&["0500000000000000225120", &"cc".repeat(32), "00000000"].concat()));
        assert_eq!(params[4].as_array().unwrap().len(), 2);
        assert_eq!([5, 6, 7].map(|index| text(&params, index)), ["20000000", "1d00ffff", "65000001"]);
        assert_eq!(params[8], true);
    }

    #[test]
    fn a_header_of_a_share_is_that_of_its_block() {
        for transactions in [1, 2, 5] {
            let job = Job::new(1, work(1, 0, transactions, 0x207f_ffff), Lock::Policy([3; 32])).unwrap();
            let extranonce = [1, 2, 3, 4, 5, 6, 7, 8];
            let header = job.header(extranonce, 0x2abc_0000, 99);
            let block = job.block(extranonce, header);
            let leaves: Vec<_> = block.transactions.iter().map(merkle::leaf).collect();
            assert_eq!(block.header.merkle_root, merkle::root(&leaves));
            assert_eq!((header.version, header.nonce, header.time), (0x2abc_0000, 99, 0x6500_0001));
            let Transaction::Coinbase(coinbase) = &block.transactions[0] else { panic!("a coinbase") };
            assert!(coinbase.extra.ends_with(&extranonce) && coinbase.outputs[0].lock == Lock::Policy([3; 32]));
            let params = job.notify(true);
            let parts = [text(&params, 2), hex::encode(extranonce), text(&params, 3)].concat();
            assert_eq!(parts, hex::encode(coinbase.to_bytes()), "what the miner puts together");
        }
    }
}
