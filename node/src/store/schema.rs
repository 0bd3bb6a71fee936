//! What stands in the database: every key and value, version 5.
//!
//! Numbers in keys are big-endian, so that keys sort like them. `varint` is seven bits a byte, low ones first. `block` is
//! `height (4) | hash (32)`, so that a chain's blocks are together and old ones can be dropped as a range.
//!
//! | column | key | value |
//! | --- | --- | --- |
//! | headers | `h`, hash | header (80), height (4), flags (1), if executed: base fee, gas used, minted, burned, roots; work from genesis on |
//! | headers | `n`, height | hash: the active chain |
//! | bodies | block | consensus encoding of the block |
//! | undo | block | about coins spent and made, what its body does not contain; accounts and slots before and after |
//! | receipts | block | sender, gas and receipt of each account transaction, and the txid if there are logs |
//! | coins | txid (32), index (4) | varint of height x 2 + coinbase, varint amount, lock |
//! | accounts | address | flags, varint nonce, balance, storage root and code hash unless empty |
//! | storage | address, slot (32) | word |
//! | code | keccak-256 | code |
//! | trie | [`chain_core::trie::NodeKey::to_bytes`] | RLP of the node |
//! | tx_index | txid | height (4), position (4) |
//! | address_index | `l`, lock id, height, position | txid, 1 for a withdrawal, varints: received, sent, outputs (each behind the coin's txid for a withdrawal) |
//! | address_index | `a`, address, height, position | empty |
//! | log_index | `0` for an address or `1` to `4` for a topic (1), [`LogTerm::id`] (8), height | empty |
//! | history | `a`, address, height | the account before that block; empty if there was none |
//! | history | `s`, address, slot (32), height | the word before that block |
//! | meta | `tip` | block, sums, digest of the coins (2,048): written by every flush |
//! | meta | `identity` | schema version (4), indexes (1), genesis hash, name of the chain |
//! | meta | `rebuild` | empty: the state is being rebuilt from genesis |
//! | meta | `pruned` | height: bodies, undo and receipts of the blocks from 1 up to it are deleted |
//! | meta | `certificate`, height | consensus encoding of the certificate for this height; only with finality |
//! | meta | `evidence`, member (1) | consensus encoding of evidence against a member; only with finality |
//! | meta | `promise` | what this node's member has promised (`finality::Promise`), which its record beside the key has, too; only on a member |
//! | meta | `history` | height (4): the states after this block and after each later one are known; 1 while rows below it are dropped |
//!
//! A lock id is the first 16 bytes of the SHA-256 of the encoded lock: nobody can find a second lock for the id of another's.
//! The unspent coins of a lock are those of its history that are in `coins`. Rows of their own would double what the index
//! costs while syncing, to save an owner of many spent coins a longer search.

use alloy_primitives::{Address, B256, U256};
use chain_core::{
    block::header::Header,
    codec,
    hash::{BlockHash, TxId, sha256},
    state::Account,
    transaction::coin::{Coin, KeyBytes, Lock, OutPoint, Output},
    units::{Amount, Height},
};

use super::{
    BlockRef, Executed, HeaderRecord, HistoryPlace, LockEvent, LogTerm, Totals, Verdict,
    encoding::{Decoder, Encoder, Malformed},
};

/// Version of everything in this file.
pub const SCHEMA: u32 = 5;

/// The oldest version whose headers and bodies are those of this one, so that all else can be made from them.
pub const REBUILT_FROM: u32 = 4;

/// Key of the tip.
pub const TIP: &[u8] = b"tip";
/// Key of what the directory is.
pub const IDENTITY: &[u8] = b"identity";
/// Key that is there while the state is reset to genesis.
pub const REBUILD: &[u8] = b"rebuild";

/// Key of where the known states begin.
pub const HISTORY: &[u8] = b"history";

/// Key of how far blocks are pruned.
pub const PRUNED: &[u8] = b"pruned";

/// Prefix of headers by hash.
pub const HEADER: &[u8] = b"h";

/// Key of a header.
pub fn header_key(hash: &BlockHash) -> [u8; 33] {
    joined(&[HEADER, &hash.0])
}

/// Key of the active chain's block at a height.
pub fn height_key(height: Height) -> [u8; 5] {
    joined(&[b"n", &height.to_be_bytes()])
}

/// Key of what belongs to a block.
pub fn block_key(at: BlockRef) -> [u8; 36] {
    joined(&[&at.height.to_be_bytes(), &at.hash.0])
}

/// Key of a coin.
pub fn coin_key(outpoint: &OutPoint) -> [u8; 36] {
    joined(&[&outpoint.txid.0, &outpoint.index.to_be_bytes()])
}

/// Key of a storage slot.
pub fn slot_key(address: &Address, slot: &U256) -> [u8; 52] {
    joined(&[address.as_slice(), &slot.to_be_bytes::<32>()])
}

/// Shortens a lock for the index.
pub fn lock_id(lock: &Lock) -> [u8; 16] {
    let (tag, content) = lock_parts(lock);
    let hash = sha256(&[&[tag], content].concat());
    std::array::from_fn(|index| hash[index])
}

/// A lock's kind and what it holds.
fn lock_parts(lock: &Lock) -> (u8, &[u8]) {
    match lock {
        Lock::Key(key) => (0, &key.0),
        Lock::Account(address) => (1, address.as_slice()),
        Lock::Policy(hash) => (2, hash),
    }
}

/// Prefix of a lock's history.
pub fn lock_prefix(lock: &[u8; 16]) -> [u8; 17] {
    joined(&[b"l", lock])
}

/// Key of one transaction in a lock's history.
pub fn lock_event_key(lock: &[u8; 16], place: HistoryPlace) -> [u8; 25] {
    joined(&[b"l", lock, &place.height.to_be_bytes(), &place.position.to_be_bytes()])
}

/// Prefix of an account's history.
pub fn account_prefix(address: &Address) -> [u8; 21] {
    joined(&[b"a", address.as_slice()])
}

/// Key of one transaction in an account's history.
pub fn account_event_key(address: &Address, place: HistoryPlace) -> [u8; 29] {
    joined(&[b"a", address.as_slice(), &place.height.to_be_bytes(), &place.position.to_be_bytes()])
}

/// Key of a block of the active chain in the log index.
pub fn log_key(term: LogTerm, height: Height) -> [u8; 13] {
    joined(&[&[term.kind], &term.id, &height.to_be_bytes()])
}

/// The first key after that of a block in the log index.
pub fn log_key_after(term: LogTerm, height: Height) -> Vec<u8> {
    [&log_key(term, height)[..], &[0]].concat()
}

/// The height at the end of a key of the log index.
pub fn read_log_height(key: &[u8]) -> Result<Height, Malformed> {
    key.last_chunk().map(|height| Height::from_be_bytes(*height)).ok_or(Malformed)
}

/// Prefix of what an account was before the blocks that changed it.
pub fn past_account(address: &Address) -> [u8; 21] {
    joined(&[b"a", address.as_slice()])
}

/// Prefix of what a slot was before the blocks that changed it.
pub fn past_slot(address: &Address, slot: &U256) -> [u8; 53] {
    joined(&[b"s", address.as_slice(), &slot.to_be_bytes::<32>()])
}

/// Key of what something with one of these prefixes was before a block.
pub fn past_key<const N: usize>(prefix: &[u8], height: Height) -> [u8; N] {
    joined(&[prefix, &height.to_be_bytes()])
}

/// Value of an account of the past.
pub fn write_past_account(account: Option<&Account>) -> Vec<u8> {
    account.map_or_else(Vec::new, write_account)
}

/// Reads [`write_past_account`].
pub fn read_past_account(value: &[u8]) -> Result<Option<Account>, Malformed> {
    (!value.is_empty()).then(|| read_account(value)).transpose()
}

/// Joins parts of known lengths.
fn joined<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut key = [0; N];
    let mut at = 0;
    for part in parts {
        key[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    debug_assert_eq!(at, N);
    key
}

/// The place at the end of a history's key.
pub fn read_place(key: &[u8]) -> Result<HistoryPlace, Malformed> {
    let tail = key.last_chunk::<8>().ok_or(Malformed)?;
    let mut decoder = Decoder::new(tail);
    Ok(HistoryPlace { height: decoder.be32()?, position: decoder.be32()? })
}

/// Value of a lock's history: what the transaction did, and which coins under the lock it made.
pub fn write_lock_event(event: &LockEvent, coins: impl Iterator<Item = OutPoint>) -> Vec<u8> {
    let mut encoder = Encoder::with_capacity(48);
    encoder.raw(&event.txid.0);
    encoder.byte(u8::from(event.withdrawal));
    encoder.varint(event.received.grains());
    encoder.varint(event.sent.grains());
    for coin in coins {
        if event.withdrawal {
            encoder.raw(&coin.txid.0);
        }
        encoder.varint(u64::from(coin.index));
    }
    encoder.0
}

/// Reads [`write_lock_event`] but the coins, and the place in its key.
pub fn read_lock_event(key: &[u8], value: &[u8]) -> Result<LockEvent, Malformed> {
    lock_event(key, value).map(|(event, _)| event)
}

/// Reads the coins that [`write_lock_event`] names, spent or not.
pub fn read_lock_coins(key: &[u8], value: &[u8]) -> Result<Vec<OutPoint>, Malformed> {
    let (event, mut rest) = lock_event(key, value)?;
    let mut coins = Vec::new();
    while rest.end().is_err() {
        let txid = if event.withdrawal { TxId(rest.array()?) } else { event.txid };
        let index = u32::try_from(rest.varint()?).map_err(|_| Malformed)?;
        coins.push(OutPoint { txid, index });
    }
    Ok(coins)
}

fn lock_event<'a>(key: &[u8], value: &'a [u8]) -> Result<(LockEvent, Decoder<'a>), Malformed> {
    let mut decoder = Decoder::new(value);
    let event = LockEvent {
        place: read_place(key)?,
        txid: TxId(decoder.array()?),
        withdrawal: decoder.byte()? == 1,
        received: Amount::from_grains(decoder.varint()?),
        sent: Amount::from_grains(decoder.varint()?),
    };
    Ok((event, decoder))
}

/// Value of the transaction index.
pub fn write_place(place: HistoryPlace) -> [u8; 8] {
    joined(&[&place.height.to_be_bytes(), &place.position.to_be_bytes()])
}

impl Encoder {
    /// A coin without its outpoint.
    pub fn coin(&mut self, coin: &Coin) {
        self.varint((u64::from(coin.height) << 1) | u64::from(coin.coinbase));
        self.varint(coin.output.amount.grains());
        let (tag, content) = lock_parts(&coin.output.lock);
        self.byte(tag);
        self.raw(content);
    }

    /// An account without its address.
    pub fn account(&mut self, account: &Account) {
        let empty = Account::default();
        let storage = account.storage_root != empty.storage_root;
        let code = account.code_hash != empty.code_hash;
        self.byte(u8::from(storage) | (u8::from(code) << 1));
        self.varint(account.nonce);
        self.word(&account.balance);
        if storage {
            self.raw(account.storage_root.as_slice());
        }
        if code {
            self.raw(account.code_hash.as_slice());
        }
    }
}

impl Decoder<'_> {
    /// Reads [`Encoder::coin`].
    pub fn coin(&mut self) -> Result<Coin, Malformed> {
        let height = self.varint()?;
        let amount = Amount::from_grains(self.varint()?);
        let lock = match self.byte()? {
            0 => Lock::Key(KeyBytes(self.array()?)),
            1 => Lock::Account(Address(self.array::<20>()?.into())),
            2 => Lock::Policy(self.array()?),
            _ => return Err(Malformed),
        };
        let coinbase = height & 1 == 1;
        let height = Height::try_from(height >> 1).map_err(|_| Malformed)?;
        Ok(Coin { output: Output { amount, lock }, height, coinbase })
    }

    /// Reads [`Encoder::account`].
    pub fn account(&mut self) -> Result<Account, Malformed> {
        let flags = self.byte()?;
        let mut account = Account { nonce: self.varint()?, balance: self.word()?, ..Account::default() };
        if flags & 1 != 0 {
            account.storage_root = B256::from(self.array()?);
        }
        if flags & 2 != 0 {
            account.code_hash = B256::from(self.array()?);
        }
        if flags > 3 { Err(Malformed) } else { Ok(account) }
    }
}

/// Value of a coin.
pub fn write_coin(coin: &Coin) -> Vec<u8> {
    let mut encoder = Encoder::with_capacity(48);
    encoder.coin(coin);
    encoder.0
}

/// Reads [`write_coin`].
pub fn read_coin(value: &[u8]) -> Result<Coin, Malformed> {
    Decoder::whole(value, Decoder::coin)
}

/// Value of an account.
pub fn write_account(account: &Account) -> Vec<u8> {
    let mut encoder = Encoder::with_capacity(32);
    encoder.account(account);
    encoder.0
}

/// Reads [`write_account`].
pub fn read_account(value: &[u8]) -> Result<Account, Malformed> {
    Decoder::whole(value, Decoder::account)
}

/// Value of a storage slot.
pub fn write_slot(word: &U256) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.word(word);
    encoder.0
}

/// Reads [`write_slot`].
pub fn read_slot(value: &[u8]) -> Result<U256, Malformed> {
    Decoder::whole(value, Decoder::word)
}

/// Bits of a header's flags.
const BODY: u8 = 1;
const VALID: u8 = 2;
const INVALID: u8 = 4;
const EXECUTED: u8 = 8;

/// Value of a header.
pub fn write_header(record: &HeaderRecord) -> Vec<u8> {
    let mut encoder = Encoder::with_capacity(224);
    encoder.raw(&record.header.to_bytes());
    encoder.be32(record.height);
    let verdict = match record.verdict {
        Verdict::Unknown => 0,
        Verdict::Valid => VALID,
        Verdict::Invalid => INVALID,
    };
    encoder.byte((u8::from(record.body) * BODY) | verdict | (u8::from(record.executed.is_some()) * EXECUTED));
    if let Some(executed) = &record.executed {
        encoder.varint(executed.base_fee);
        encoder.varint(executed.gas_used);
        encoder.word(&executed.minted);
        encoder.word(&executed.burned);
        encoder.raw(executed.state_root.as_slice());
        encoder.raw(executed.coins_digest.as_slice());
    }
    encoder.word(&record.work);
    encoder.0
}

/// Reads [`write_header`], whose key ends in the hash.
pub fn read_header(hash: BlockHash, value: &[u8]) -> Result<HeaderRecord, Malformed> {
    Decoder::whole(value, |decoder| {
        let header = Header::from_bytes(&decoder.array()?);
        let height = decoder.be32()?;
        let flags = decoder.byte()?;
        let verdict = match flags & (VALID | INVALID) {
            0 => Verdict::Unknown,
            VALID => Verdict::Valid,
            INVALID => Verdict::Invalid,
            _ => return Err(Malformed),
        };
        let executed = if flags & EXECUTED == 0 { None } else { Some(read_executed(decoder)?) };
        let work = decoder.word()?;
        Ok(HeaderRecord { hash, header, height, body: flags & BODY != 0, verdict, executed, work })
    })
}

fn read_executed(decoder: &mut Decoder<'_>) -> Result<Executed, Malformed> {
    Ok(Executed {
        base_fee: decoder.varint()?,
        gas_used: decoder.varint()?,
        minted: decoder.word()?,
        burned: decoder.word()?,
        state_root: B256::from(decoder.array()?),
        coins_digest: B256::from(decoder.array()?),
    })
}

/// Value of the tip: the block, the sums, and the digest of the coins.
pub fn write_tip(tip: BlockRef, totals: &Totals, digest: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::with_capacity(160 + digest.len());
    encoder.raw(&block_key(tip));
    encoder.varint(totals.coins);
    encoder.varint(totals.coin_grains.grains());
    encoder.varint(totals.accounts);
    encoder.word(&totals.account_wei);
    encoder.word(&totals.minted);
    encoder.word(&totals.burned);
    encoder.raw(digest);
    encoder.0
}

/// Reads [`write_tip`].
pub fn read_tip(value: &[u8]) -> Result<(BlockRef, Totals, &[u8]), Malformed> {
    let mut decoder = Decoder::new(value);
    let tip = BlockRef { height: decoder.be32()?, hash: BlockHash(decoder.array()?) };
    let totals = Totals {
        coins: decoder.varint()?,
        coin_grains: Amount::from_grains(decoder.varint()?),
        accounts: decoder.varint()?,
        account_wei: decoder.word()?,
        minted: decoder.word()?,
        burned: decoder.word()?,
    };
    Ok((tip, totals, decoder.rest()))
}

/// What a directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Version of this file that wrote it.
    pub schema: u32,
    /// Whether the transaction index is complete.
    pub tx_index: bool,
    /// Whether the address index is complete.
    pub address_index: bool,
    /// Whether the log index is complete.
    pub log_index: bool,
    /// The genesis block.
    pub genesis: BlockHash,
    /// Name of the chain.
    pub name: String,
}

impl Identity {
    /// As a value. The version comes first in every version.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.be32(self.schema);
        let indexes = [self.tx_index, self.address_index, self.log_index];
        encoder.byte((0..).zip(indexes).map(|(bit, index)| u8::from(index) << bit).sum());
        encoder.raw(&self.genesis.0);
        encoder.raw(self.name.as_bytes());
        encoder.0
    }

    /// Reads [`Identity::to_bytes`], of a newer version too as far as it can.
    pub fn from_bytes(value: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(value);
        let schema = decoder.be32()?;
        if schema > SCHEMA {
            return Ok(Self {
                schema,
                tx_index: false,
                address_index: false,
                log_index: false,
                genesis: BlockHash::default(),
                name: String::new(),
            });
        }
        let flags = decoder.byte()?;
        let genesis = BlockHash(decoder.array()?);
        let name = String::from_utf8(decoder.rest().to_vec()).map_err(|_| Malformed)?;
        let [tx_index, address_index, log_index] = [1, 2, 4].map(|bit| flags & bit != 0);
        Ok(Self { schema, tx_index, address_index, log_index, genesis, name })
    }
}

/// Decodes a stored block.
pub fn read_block(value: &[u8]) -> Result<chain_core::block::Block, Malformed> {
    codec::decode(value).map_err(|_| Malformed)
}
