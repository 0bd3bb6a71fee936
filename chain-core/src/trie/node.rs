//! Trie nodes and their RLP (Ethereum yellow paper, appendix D).

use super::Nibbles;
use alloy_primitives::{B256, keccak256};
use alloy_rlp::{EMPTY_STRING_CODE, Header};

/// A stored node as its RLP, which is hashed, stored and returned in proofs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node(Box<[u8]>);

/// Bytes that are not the RLP of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the RLP of a trie node")]
pub struct NodeError;

impl Node {
    /// Reads a stored node.
    ///
    /// # Errors
    /// [`NodeError`] unless it is the RLP of exactly one node.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, NodeError> {
        Shape::decode(&bytes)?;
        Ok(Self(bytes.into_boxed_slice()))
    }

    /// The RLP.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes of memory behind an `Arc`, for caches that bound their size.
    pub fn memory(&self) -> usize {
        let arc = 2 * size_of::<usize>() + size_of::<Self>();
        let allocator = 2 * size_of::<usize>();
        self.0.len() + arc + allocator
    }

    pub(super) fn new(shape: &Shape) -> Self {
        Self(shape.encode().into_boxed_slice())
    }
}

/// RLP header of a string of 32 bytes.
const HASH_CODE: u8 = EMPTY_STRING_CODE + 32;

/// A node's reference to a child, or to none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reference {
    #[default]
    Empty,
    /// keccak-256 of the child's RLP; the child is stored separately.
    Hash(B256),
    /// The child's RLP itself, if it is shorter than a hash.
    Inline { len: u8, rlp: [u8; 31] },
}

impl Reference {
    /// The reference to a node by its RLP.
    pub(super) fn to(rlp: &[u8]) -> Self {
        if rlp.len() >= 32 {
            return Self::Hash(keccak256(rlp));
        }
        let mut inline = [0; 31];
        inline[..rlp.len()].copy_from_slice(rlp);
        Self::Inline { len: rlp.len() as u8, rlp: inline } // less than 32
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::Empty
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Empty => 1,
            Self::Hash(_) => 33,
            Self::Inline { len, .. } => usize::from(*len),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Empty => out.push(EMPTY_STRING_CODE),
            Self::Hash(hash) => {
                out.push(HASH_CODE);
                out.extend_from_slice(hash.as_slice());
            }
            Self::Inline { len, rlp } => out.extend_from_slice(&rlp[..usize::from(*len)]),
        }
    }

    #[inline]
    fn decode(buffer: &mut &[u8]) -> Result<Self, NodeError> {
        if let [EMPTY_STRING_CODE, rest @ ..] = *buffer {
            *buffer = rest;
            return Ok(Self::Empty);
        }
        if let [HASH_CODE, rest @ ..] = *buffer
            && let Some((hash, rest)) = rest.split_first_chunk::<32>()
        {
            *buffer = rest;
            return Ok(Self::Hash(B256::from(*hash)));
        }
        let item = Item::decode(buffer)?;
        if !item.list || item.whole.len() >= 32 {
            return Err(NodeError);
        }
        Shape::decode(item.whole)?;
        Ok(Self::to(item.whole))
    }
}

/// A decoded node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The rest of a key, and its value.
    Leaf { path: Nibbles, value: Vec<u8> },
    /// The common nibbles of all keys below, and the branch there.
    Extension { path: Nibbles, child: Reference },
    /// One child per nibble.
    Branch(Box<Branch>),
}

/// A branch; its own value is for a key that ends there (empty: none), which hashed keys never do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) children: [Reference; 16],
    pub(super) value: Vec<u8>,
}

/// The next step of a key from a node.
pub(super) enum Step<'a> {
    /// The key ends here.
    Value(&'a [u8]),
    /// The key is not in the trie.
    Absent,
    /// On to a child, this many nibbles further.
    Child(usize, Reference),
}

impl Shape {
    /// Follows the rest of a key.
    pub(super) fn step(&self, rest: &Nibbles) -> Step<'_> {
        match self {
            Self::Leaf { path, value } if path == rest => Step::Value(value),
            Self::Extension { path, child } if rest.starts_with(path) => Step::Child(path.len(), *child),
            Self::Leaf { .. } | Self::Extension { .. } => Step::Absent,
            Self::Branch(branch) if rest.is_empty() && branch.value.is_empty() => Step::Absent,
            Self::Branch(branch) if rest.is_empty() => Step::Value(&branch.value),
            Self::Branch(branch) => match branch.children[usize::from(rest.at(0))] {
                Reference::Empty => Step::Absent,
                child => Step::Child(1, child),
            },
        }
    }

    /// Decodes the RLP of exactly one node.
    pub(super) fn decode(rlp: &[u8]) -> Result<Self, NodeError> {
        let mut rest = rlp;
        let node = Item::decode(&mut rest)?;
        if !node.list || !rest.is_empty() {
            return Err(NodeError);
        }
        let mut rest = node.payload;
        let (first, second) = (Item::decode(&mut rest)?, Item::decode(&mut rest)?);
        if !rest.is_empty() {
            return Branch::decode(node.payload).map(Self::Branch);
        }
        let (path, is_leaf) = decode_path(first.string()?)?;
        if is_leaf {
            return Ok(Self::Leaf { path, value: second.string()?.to_vec() });
        }
        match Reference::decode(&mut &*second.whole)? {
            Reference::Empty => Err(NodeError),
            // It would lead to itself.
            _ if path.is_empty() => Err(NodeError),
            child => Ok(Self::Extension { path, child }),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Branch(branch) => branch.encode(),
            Self::Leaf { path, value } => {
                let mut out = short_node(path, true, string_len(value));
                encode_string(value, &mut out);
                out
            }
            Self::Extension { path, child } => {
                let mut out = short_node(path, false, child.encoded_len());
                child.encode(&mut out);
                out
            }
        }
    }
}

impl Branch {
    fn decode(mut payload: &[u8]) -> Result<Box<Self>, NodeError> {
        let mut branch = Box::<Self>::default();
        for child in &mut branch.children {
            *child = Reference::decode(&mut payload)?;
        }
        branch.value = Item::decode(&mut payload)?.string()?.to_vec();
        if payload.is_empty() { Ok(branch) } else { Err(NodeError) }
    }

    fn encode(&self) -> Vec<u8> {
        let children: usize = self.children.iter().map(Reference::encoded_len).sum();
        let mut out = list_of(children + string_len(&self.value));
        self.children.iter().for_each(|child| child.encode(&mut out));
        encode_string(&self.value, &mut out);
        out
    }
}

/// A buffer for a list, with its header.
fn list_of(payload_length: usize) -> Vec<u8> {
    let header = Header { list: true, payload_length };
    let mut out = Vec::with_capacity(header.length() + payload_length);
    header.encode(&mut out);
    out
}

fn string_len(bytes: &[u8]) -> usize {
    alloy_rlp::Encodable::length(bytes)
}

fn encode_string(bytes: &[u8], out: &mut Vec<u8>) {
    alloy_rlp::Encodable::encode(bytes, out);
}

/// A leaf or extension up to its path, with room for a second item.
fn short_node(path: &Nibbles, is_leaf: bool, second: usize) -> Vec<u8> {
    // Hex prefix: a flag nibble (2 for a leaf, 1 for an odd length), padded to whole bytes.
    let flag = if is_leaf { 0x20 } else { 0 };
    let mut prefixed = [0; 33];
    let bytes = if path.len() % 2 == 1 {
        prefixed[0] = flag | 0x10 | path.at(0);
        let rest = path.skip(1);
        prefixed[1..=rest.packed().len()].copy_from_slice(rest.packed());
        &prefixed[..=rest.packed().len()]
    } else {
        prefixed[0] = flag;
        prefixed[1..=path.packed().len()].copy_from_slice(path.packed());
        &prefixed[..=path.packed().len()]
    };
    let mut out = list_of(string_len(bytes) + second);
    encode_string(bytes, &mut out);
    out
}

/// Decodes a hex-prefixed path, and whether it is a leaf's.
fn decode_path(bytes: &[u8]) -> Result<(Nibbles, bool), NodeError> {
    let (first, rest) = bytes.split_first().ok_or(NodeError)?;
    let tail = Nibbles::of_bytes(rest).ok_or(NodeError)?;
    let path = match first & 0x1f {
        0 => tail,
        odd @ 0x10..=0x1f if tail.len() < Nibbles::MAX => Nibbles::default().push(odd & 0x0f).join(&tail),
        _ => return Err(NodeError),
    };
    match first >> 5 {
        0 => Ok((path, false)),
        1 => Ok((path, true)),
        _ => Err(NodeError),
    }
}

/// One RLP item within a buffer.
struct Item<'a> {
    list: bool,
    payload: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Item<'a> {
    fn decode(buffer: &mut &'a [u8]) -> Result<Self, NodeError> {
        let whole = *buffer;
        let header = Header::decode(buffer).map_err(|_| NodeError)?;
        let (payload, rest) = buffer.split_at_checked(header.payload_length).ok_or(NodeError)?;
        *buffer = rest;
        Ok(Self { list: header.list, payload, whole: &whole[..whole.len() - rest.len()] })
    }

    fn string(&self) -> Result<&'a [u8], NodeError> {
        if self.list { Err(NodeError) } else { Ok(self.payload) }
    }
}
