//! The coinbase: the miner's claim, and the commitments to the state after the block.
//!
//! Its bytes are those of a Bitcoin coinbase transaction without witnesses, so that the firmware of miners, pools and
//! Bitcoin's libraries read height, payout and extranonce of a block of this chain (CB-10):
//!
//! ```text
//! version (4) | 1 input: null outpoint (36), script, sequence (4) | outputs | lock time (4)
//!   script      push of the height (BIP 34), extra
//!   output 0    value 0, OP_RETURN push of: tag (4), beneficiary (20), state, receipts and coins root (32 each), gas used (8)
//!   output i    value, OP_1 push of a key (32) or OP_2 push of a policy's hash (32)
//! ```

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser, ser::SerializeTuple};
use std::{fmt, ops::Range};

use crate::{
    gas,
    hash::{TxId, sha256d},
    transaction::coin::{KeyBytes, Lock, Output},
    units::{Amount, Gas, Height},
};

/// A coinbase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coinbase {
    /// Height of the block.
    pub height: Height,
    /// The account that receives tips of account transactions, COINBASE in contracts.
    pub beneficiary: Address,
    /// Outputs that pay the miner; the first has the index 1 (see [`Coinbase::coins`]).
    pub outputs: Vec<Output>,
    /// Root of the account trie after the block.
    pub state_root: B256,
    /// Root of the receipts of the block's account transactions.
    pub receipts_root: B256,
    /// Digest of the coin set after the block, without this coinbase's own coins, whose outpoints depend on it.
    pub coins_root: B256,
    /// Gas that the block's transactions used.
    pub gas_used: Gas,
    /// Bytes of the miner's choice, the end of the script: 98 below height 128, later fewer, 94 at every height.
    pub extra: Vec<u8>,
}

/// Version 2 and one input, whose outpoint is null.
const HEAD: [u8; 41] = {
    let mut head = [0; 41];
    (head[0], head[4]) = (2, 1);
    // The index of the null outpoint.
    (head[37], head[38], head[39], head[40]) = (0xff, 0xff, 0xff, 0xff);
    head
};
const SEQUENCE: [u8; 4] = [0xff; 4];
const LOCK_TIME: [u8; 4] = [0; 4];

/// Index of the first output that pays: output 0 is the commitments.
pub(super) const FIRST_INDEX: u32 = 1;

/// Bytes of a push of the highest height: its length, four bytes and a sign.
const HEIGHT_PUSH: usize = 6;
/// Bitcoin's limit for the script of a coinbase.
const MAX_SCRIPT: usize = 100;
/// Bytes of `extra` that fit at every height.
pub const MAX_EXTRA: usize = MAX_SCRIPT - HEIGHT_PUSH;

const OP_PUSHDATA1: u8 = 0x4c;
const OP_RETURN: u8 = 0x6a;
const OP_1: u8 = 0x51;
const OP_2: u8 = 0x52;
/// Of an account lock, which CB-4 refuses.
const OP_3: u8 = 0x53;

/// Tells the commitments from other data after OP_RETURN.
const TAG: [u8; 4] = *b"CRN\x01";
const COMMITMENTS: u8 = 4 + 20 + 3 * 32 + 8;
/// The first output up to its data: value 0, length of the script, OP_RETURN, the push.
const COMMITMENTS_HEAD: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, COMMITMENTS + 3, OP_RETURN, OP_PUSHDATA1, COMMITMENTS];

/// Maximum size of the encoding of a coinbase with one output, which pays a key or a policy.
pub(crate) const MAX_SIZE_WITH_ONE_OUTPUT: usize = HEAD.len()
    + (1 + MAX_SCRIPT)
    + SEQUENCE.len()
    + 1
    + (COMMITMENTS_HEAD.len() + COMMITMENTS as usize)
    + (8 + 1 + 34)
    + LOCK_TIME.len();

/// Maximum bytes of `extra` at a height (CB-2).
pub fn max_extra(height: Height) -> usize {
    MAX_SCRIPT - push_of(height).len()
}

impl Coinbase {
    /// SHA-256d of the bytes; the merkle leaf too.
    pub fn txid(&self) -> TxId {
        TxId(sha256d(&self.to_bytes()))
    }

    /// Gas of its outputs in the block's total (BLK-6): 8,000 each.
    pub fn gas(&self) -> Gas {
        gas::OUTPUT * self.outputs.len() as u64
    }

    /// The outputs that pay, with their indexes.
    pub fn coins(&self) -> impl Iterator<Item = (u32, &Output)> {
        (FIRST_INDEX..).zip(&self.outputs)
    }

    /// Where the last `size` bytes of `extra` stand in [`Coinbase::to_bytes`]: a miner puts its extranonce there. `None` if
    /// `extra` is shorter.
    pub fn extranonce(&self, size: usize) -> Option<Range<usize>> {
        let script = HEAD.len() + compact_size(push_of(self.height).len() + self.extra.len()).len();
        let end = script + push_of(self.height).len() + self.extra.len();
        (size <= self.extra.len()).then_some(end - size..end)
    }

    /// The bytes of the Bitcoin transaction.
    pub fn to_bytes(&self) -> Vec<u8> {
        // CB-10
        let mut bytes = HEAD.to_vec();
        let push = push_of(self.height);
        bytes.extend(compact_size(push.len() + self.extra.len()));
        bytes.extend(push);
        bytes.extend(&self.extra);
        bytes.extend(SEQUENCE);
        bytes.extend(compact_size(1 + self.outputs.len()));
        bytes.extend(COMMITMENTS_HEAD);
        bytes.extend(TAG);
        bytes.extend(self.beneficiary);
        bytes.extend(self.state_root);
        bytes.extend(self.receipts_root);
        bytes.extend(self.coins_root);
        bytes.extend(self.gas_used.to_le_bytes());
        self.outputs.iter().for_each(|output| put_output(&mut bytes, output));
        bytes.extend(LOCK_TIME);
        bytes
    }
}

/// The push of a height as BIP 34 has it: a length, and a little-endian number with a sign bit and no byte too many. Always
/// as data and of at least one byte, as firmware reads it, where Bitcoin's scripts would have OP_0 to OP_16.
fn push_of(height: Height) -> Vec<u8> {
    let mut number = height.to_le_bytes().to_vec();
    while let [.., below, 0] = number[..] {
        if below >= 0x80 {
            break;
        }
        number.pop();
    }
    if number.last().is_some_and(|last| *last >= 0x80) {
        number.push(0);
    }
    [&[number.len() as u8], &number[..]].concat()
}

/// Bitcoin's variable-length integer.
fn compact_size(number: usize) -> Vec<u8> {
    match number {
        0..=0xfc => vec![number as u8],
        0xfd..=0xffff => [&[0xfd], &(number as u16).to_le_bytes()[..]].concat(),
        // No memory holds 2^32 outputs.
        _ => [&[0xfe], &(number as u32).to_le_bytes()[..]].concat(),
    }
}

fn put_output(bytes: &mut Vec<u8>, output: &Output) {
    let (opcode, data): (u8, &[u8]) = match &output.lock {
        Lock::Key(key) => (OP_1, &key.0),
        Lock::Policy(hash) => (OP_2, hash),
        Lock::Account(address) => (OP_3, address.as_slice()),
    };
    bytes.extend(output.amount.grains().to_le_bytes());
    bytes.extend([data.len() as u8 + 2, opcode, data.len() as u8]);
    bytes.extend(data);
}

impl Serialize for Coinbase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return Err(ser::Error::custom("bytes of consensus have no form for people: write them as hexadecimal"));
        }
        let bytes = self.to_bytes();
        let mut tuple = serializer.serialize_tuple(bytes.len())?;
        bytes.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Coinbase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CoinbaseVisitor;
        impl<'de> de::Visitor<'de> for CoinbaseVisitor {
            type Value = Coinbase;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a coinbase")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Coinbase, A::Error> {
                read_coinbase(&mut Bytes(seq))
            }
        }
        if deserializer.is_human_readable() {
            return Err(de::Error::custom("bytes of consensus have no form for people: read hexadecimal"));
        }
        // Its lengths are in the bytes.
        deserializer.deserialize_tuple(usize::MAX, CoinbaseVisitor)
    }
}

/// Reads what [`Coinbase::to_bytes`] writes, and nothing else.
fn read_coinbase<'de, A: de::SeqAccess<'de>>(bytes: &mut Bytes<A>) -> Result<Coinbase, A::Error> {
    bytes.expect(HEAD)?;
    let script = bytes.compact_size()?;
    let (height, push) = bytes.height()?;
    let extra = script.checked_sub(push).ok_or_else(|| de::Error::custom("a coinbase's script without the height"))?;
    let extra = bytes.take(extra)?;
    bytes.expect(SEQUENCE)?;
    let paying = bytes.compact_size()?.checked_sub(1);
    let paying = paying.ok_or_else(|| de::Error::custom("a coinbase without outputs"))?;
    bytes.expect(COMMITMENTS_HEAD)?;
    bytes.expect(TAG)?;
    let beneficiary = Address::from(bytes.array::<20>()?);
    let [state_root, receipts_root, coins_root] = [bytes.array()?, bytes.array()?, bytes.array()?].map(B256::from);
    let gas_used = Gas::from_le_bytes(bytes.array()?);
    let outputs = (0..paying).map(|_| bytes.output()).collect::<Result<_, _>>()?;
    bytes.expect(LOCK_TIME)?;
    Ok(Coinbase { height, beneficiary, outputs, state_root, receipts_root, coins_root, gas_used, extra })
}

/// Bytes that are read one after another.
struct Bytes<A>(A);

impl<'de, A: de::SeqAccess<'de>> Bytes<A> {
    fn byte(&mut self) -> Result<u8, A::Error> {
        self.0.next_element()?.ok_or_else(|| de::Error::custom("fewer bytes than a coinbase has"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], A::Error> {
        let mut array = [0; N];
        for byte in &mut array {
            *byte = self.byte()?;
        }
        Ok(array)
    }

    /// So many bytes. What they need is allocated as they come.
    fn take(&mut self, count: usize) -> Result<Vec<u8>, A::Error> {
        (0..count).map(|_| self.byte()).collect()
    }

    fn expect<const N: usize>(&mut self, expected: [u8; N]) -> Result<(), A::Error> {
        // CB-10
        if self.array()? == expected { Ok(()) } else { Err(de::Error::custom("not the form of a coinbase")) }
    }

    fn compact_size(&mut self) -> Result<usize, A::Error> {
        let (number, least) = match self.byte()? {
            0xfd => (usize::from(u16::from_le_bytes(self.array()?)), 0xfd),
            0xfe => (u32::from_le_bytes(self.array()?) as usize, 0x1_0000),
            0xff => return Err(de::Error::custom("a length of more than 32 bits")),
            short => (short.into(), 0),
        };
        // COD-1
        if number < least { Err(de::Error::custom("a length that is longer than needed")) } else { Ok(number) }
    }

    /// A height, and the bytes of its push.
    fn height(&mut self) -> Result<(Height, usize), A::Error> {
        let length = self.byte()?.into();
        if !(1..HEIGHT_PUSH).contains(&length) {
            return Err(de::Error::custom("a coinbase's script that does not begin with the height"));
        }
        let mut number = [0; 8];
        number[..length].copy_from_slice(&self.take(length)?);
        let height = Height::try_from(u64::from_le_bytes(number)).map_err(de::Error::custom)?;
        // COD-1
        let is_shortest = push_of(height)[1..] == number[..length];
        if is_shortest {
            Ok((height, 1 + length))
        } else {
            Err(de::Error::custom("a height that is longer than needed"))
        }
    }

    fn output(&mut self) -> Result<Output, A::Error> {
        let amount = Amount::from_grains(u64::from_le_bytes(self.array()?));
        let lock = match self.array()? {
            [34, OP_1, 32] => Lock::Key(KeyBytes(self.array()?)),
            [34, OP_2, 32] => Lock::Policy(self.array()?),
            [22, OP_3, 20] => Lock::Account(self.array::<20>()?.into()),
            _ => return Err(de::Error::custom("an output of a coinbase with an unknown script")),
        };
        Ok(Output { amount, lock })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bitcoin::{
        blockdata::script::Instruction, consensus::deserialize, opcodes::all, script::read_scriptint_non_minimal,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::{
        codec::{self, CodecError},
        testing,
        transaction::Transaction,
    };

    fn coinbase() -> Coinbase {
        Coinbase {
            height: 0x12_3456,
            beneficiary: Address::repeat_byte(0xbe),
            outputs: vec![
                Output { amount: Amount::from_grains(5_000_000_000), lock: Lock::Key(KeyBytes([0xaa; 32])) },
                Output { amount: Amount::from_grains(7), lock: Lock::Policy([0xbb; 32]) },
            ],
            state_root: B256::repeat_byte(0x51),
            receipts_root: B256::repeat_byte(0x52),
            coins_root: B256::repeat_byte(0x53),
            gas_used: 16_000,
            extra: [&[1, 2, 3, 4, 5, 6, 7, 8], &b"cairn"[..]].concat(),
        }
    }

    /// Reads a coinbase with a program of others, and compares everything that miners and explorers show.
    pub(crate) fn assert_bitcoin_reads(coinbase: &Coinbase) {
        let bytes = coinbase.to_bytes();
        let read: bitcoin::Transaction = deserialize(&bytes).unwrap();
        assert!(read.is_coinbase());
        assert_eq!(bitcoin::consensus::serialize(&read), bytes);
        assert_eq!(AsRef::<[u8]>::as_ref(&read.compute_txid()), coinbase.txid().0);
        let script = &read.input[0].script_sig;
        let Some(Ok(Instruction::PushBytes(height))) = script.instructions().next() else { panic!("{script}") };
        assert_eq!(height_of(height.as_bytes()), i64::from(coinbase.height));
        assert_eq!(script.as_bytes()[1 + height.len()..], coinbase.extra);
        assert_eq!(read.output.len(), 1 + coinbase.outputs.len());
        let commitments = &read.output[0];
        assert!(commitments.script_pubkey.is_op_return() && commitments.value == bitcoin::Amount::ZERO);
        let data = commitments.script_pubkey.instructions().nth(1).unwrap().unwrap();
        assert_eq!(data.push_bytes().unwrap().as_bytes()[4..24], coinbase.beneficiary[..]);
        for (index, output) in coinbase.coins() {
            let other = &read.output[index as usize];
            assert_eq!(other.value.to_sat(), output.amount.grains());
            let parts: Vec<_> = other.script_pubkey.instructions().map(Result::unwrap).collect();
            let (opcode, data): (_, &[u8]) = match &output.lock {
                Lock::Key(key) => (all::OP_PUSHNUM_1, &key.0),
                Lock::Policy(hash) => (all::OP_PUSHNUM_2, hash),
                Lock::Account(address) => (all::OP_PUSHNUM_3, &address[..]),
            };
            assert_eq!(parts[0], Instruction::Op(opcode));
            assert_eq!(parts[1].push_bytes().unwrap().as_bytes(), data);
            assert_eq!(other.script_pubkey.is_p2tr(), matches!(output.lock, Lock::Key(_)));
        }
    }

    /// Bitcoin's reader, which stops at four bytes, as its scripts do.
    fn height_of(push: &[u8]) -> i64 {
        match push {
            [low @ .., 0] if low.len() == 4 => i64::from(u32::from_le_bytes(low.try_into().unwrap())),
            short => read_scriptint_non_minimal(short).unwrap(),
        }
    }

    // CB-10
    #[test]
    fn is_these_bytes_of_a_bitcoin_transaction() {
        let bytes = hex::decode(
            "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff110356341201020304\
         05060708636169726effffffff030000000000000000836a4c8043524e01bebebebebebebebebebebebebebebebebebebebe\
         5151515151515151515151515151515151515151515151515151515151515151525252525252525252525252525252525252\
         52525252525252525252525252525353535353535353535353535353535353535353535353535353535353535353803e0000\
         0000000000f2052a01000000225120aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa070000\
         0000000000225220bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb00000000",
        )
        .unwrap();
        let txid = "d99a6ab9c1c1c77d6255fdc5e37401146ba611b908476ec5b721c7ff4f2f64ce";
        assert_eq!(coinbase().to_bytes(), bytes);
        assert_eq!(codec::decode(&bytes), Ok(coinbase()));
        assert_eq!(coinbase().txid().to_string(), txid);
        assert_eq!(Transaction::Coinbase(coinbase()).encode(), [&[0], &bytes[..]].concat());
        // What firmware reads of it: the lengths of the script and of the height's push.
        assert_eq!(bytes[41..43], [17, 3]);
        assert_bitcoin_reads(&coinbase());
    }

    #[test]
    fn heights_are_pushed_with_a_sign_bit_and_no_byte_too_many() {
        for (height, push) in [
            (0, &[1, 0][..]),
            (1, &[1, 1]),
            (16, &[1, 16]),
            (127, &[1, 127]),
            (128, &[2, 128, 0]),
            (255, &[2, 255, 0]),
            (256, &[2, 0, 1]),
            (0x7fff, &[2, 0xff, 0x7f]),
            (0x8000, &[3, 0, 0x80, 0]),
            (0x7f_ffff, &[3, 0xff, 0xff, 0x7f]),
            (0x80_0000, &[4, 0, 0, 0x80, 0]),
            (u32::MAX, &[5, 0xff, 0xff, 0xff, 0xff, 0]),
        ] {
            assert_eq!(push_of(height), push, "{height}");
            let coinbase = Coinbase { height, ..coinbase() };
            assert_eq!(codec::decode(&coinbase.to_bytes()), Ok(coinbase.clone()));
            assert_bitcoin_reads(&coinbase);
        }
    }

    // COD-1, CB-10
    #[test]
    fn each_byte_of_the_form_is_the_only_one() {
        let bytes = coinbase().to_bytes();
        let refused = |bytes: &[u8]| matches!(codec::decode::<Coinbase>(bytes), Err(CodecError::Malformed(_)));
        // Version, number and outpoint of the input; length of the script.
        let head = 0..42;
        // Sequence, number of outputs, and the first up to the tag.
        let middle = 59..59 + 4 + 1 + 12 + 4;
        for at in head.chain(middle).chain(bytes.len() - 4..bytes.len()) {
            for flip in [1, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                assert!(codec::decode::<Coinbase>(&changed).is_err(), "byte {at}");
            }
        }
        let with = |at: usize, old: &[u8], new: &[u8]| {
            assert_eq!(&bytes[at..at + old.len()], old);
            [&bytes[..at], new, &bytes[at + old.len()..]].concat()
        };
        assert!(refused(&with(41, &[17], &[0xfd, 17, 0])), "a length of three bytes");
        assert!(
            refused(&with(41, &[17, 3, 0x56, 0x34, 0x12], &[18, 4, 0x56, 0x34, 0x12, 0])),
            "a height of four bytes"
        );
        assert!(refused(&with(63, &[3], &[0xfe, 3, 0, 0, 0])), "a count of five bytes");
        assert!(refused(&with(41, &[17, 3], &[17, 0])), "no height");
        let paying_nobody = Coinbase { outputs: Vec::new(), ..coinbase() }.to_bytes();
        assert!(codec::decode::<Coinbase>(&paying_nobody).is_ok());
        assert!(refused(&[&paying_nobody[..63], &[0], &paying_nobody[64..]].concat()), "no outputs");
        // A script of a witness program of version 4.
        assert!(refused(&with(63 + 1 + 140 + 9, &[0x51], &[0x54])), "an unknown lock");
        for end in 0..bytes.len() {
            assert!(refused(&bytes[..end]), "{end} bytes");
        }
    }

    #[test]
    fn lengths_that_promise_gigabytes_cost_nothing() {
        let bytes = coinbase().to_bytes();
        for (at, until) in [(41, 42), (63, 64)] {
            let long = [&bytes[..at], &[0xfe, 0xff, 0xff, 0xff, 0xff], &bytes[until..]].concat();
            assert!(matches!(codec::decode::<Coinbase>(&long), Err(CodecError::Malformed(_))));
        }
    }

    #[test]
    fn an_extranonce_changes_its_bytes_alone() {
        let whole = coinbase();
        let place = whole.extranonce(5).unwrap();
        assert_eq!(whole.to_bytes()[place.clone()], *b"cairn");
        let changed = Coinbase { extra: [&whole.extra[..8], b"CAIRN"].concat(), ..whole.clone() };
        let mut bytes = whole.to_bytes();
        bytes[place].copy_from_slice(b"CAIRN");
        assert_eq!(codec::decode(&bytes), Ok(changed));
        assert_eq!(whole.extranonce(13).map(|place| place.len()), Some(13));
        assert_eq!(whole.extranonce(14), None);
    }

    #[test]
    fn has_no_form_for_people() {
        assert!(serde_json::to_string(&coinbase()).is_err());
        assert!(serde_json::from_str::<Coinbase>("[2,0,0,0]").is_err());
    }

    proptest! {
        // COD-1
        #[test]
        fn bitcoin_reads_any_coinbase(coinbase in testing::coinbase()) {
            assert_bitcoin_reads(&coinbase);
            prop_assert_eq!(codec::decode(&coinbase.to_bytes()), Ok(coinbase));
        }
    }
}
