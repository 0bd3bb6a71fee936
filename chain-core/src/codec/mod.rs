//! Consensus encoding. The only module that names bincode.
//!
//! One fixed configuration: little-endian, variable-length integers, at most [`MAX_ENCODED`] bytes. Trailing bytes and
//! non-canonical integers are refused, so that `decode(encode(x)) = x` and `encode(decode(b)) = b`. A length allocates
//! no memory before its bytes are present.

#[cfg(all(target_arch = "x86", not(target_feature = "sse2")))]
compile_error!(
    "without SSE2 a float that is returned changes the bits of signalling NaNs, and with them bytes of consensus"
);

// Jump targets and lengths of contracts are 64-bit numbers that become sizes of memory.
#[cfg(not(target_pointer_width = "64"))]
compile_error!("on a target whose pointers have fewer than 64 bits contracts would run otherwise than on all others");

mod list;

pub use list::{List, Tight};

use bincode::{
    config::{self, Config},
    enc::write::Writer,
    error::{DecodeError, EncodeError},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned},
};
use std::{fmt, marker::PhantomData};

/// Maximum encoded size of a value: 8 MiB.
pub const MAX_ENCODED: usize = 8 << 20;

/// A backstop behind [`MAX_ENCODED`]: bincode counts a variable-length integer as up to 8 bytes however it is encoded.
const MAX_CLAIMED: usize = 8 * MAX_ENCODED;

/// Why bytes are not a canonical encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// More bytes than any value has.
    #[error("{got} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// [`MAX_ENCODED`].
        limit: usize,
    },
    /// Malformed or cut short.
    #[error("malformed encoding: {0}")]
    Malformed(String),
    /// Bytes are left after the value.
    #[error("{0} bytes are left after the value")]
    Trailing(usize),
    /// The value has a shorter encoding.
    #[error("the encoding is not canonical")]
    NotCanonical,
}

fn configuration() -> impl Config {
    config::standard().with_limit::<MAX_CLAIMED>()
}

/// Encodes a value canonically.
///
/// # Panics
/// Never for this crate's types: their serializers cannot fail and a `Vec` grows.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, value);
    bytes
}

/// Appends the canonical encoding of a value to the buffer.
///
/// # Panics
/// See [`encode`].
pub fn encode_into<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, value: &T) {
    struct Append<'a>(&'a mut Vec<u8>);
    impl Writer for Append<'_> {
        fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }
    bincode::serde::encode_into_writer(value, Append(buffer), configuration()).expect("consensus types always encode");
}

/// Decodes a value from exactly these bytes.
///
/// # Errors
/// [`CodecError`] if the bytes are anything but the canonical encoding of one value.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (value, used) = decode_first(bytes)?;
    if used != bytes.len() {
        // COD-1
        return Err(CodecError::Trailing(bytes.len() - used));
    }
    if encode(&value) != bytes {
        // COD-1
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

/// Decodes the value at the front of the bytes; returns it with its length. The caller checks that the encoding is
/// canonical.
pub fn decode_first<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), CodecError> {
    if bytes.len() > MAX_ENCODED {
        // COD-2
        return Err(CodecError::TooLong { got: bytes.len(), limit: MAX_ENCODED });
    }
    bincode::serde::decode_from_slice(bytes, configuration()).map_err(|error| {
        CodecError::Malformed(match error {
            // Of our own types, whose words say what is wrong.
            DecodeError::OtherString(text) => text,
            other => other.to_string(),
        })
    })
}

/// Deserializes a list of at most `MAX` items, so that a list of tiny items cannot fill the memory.
///
/// # Errors
/// The deserializer's; a longer list.
pub fn at_most<'de, const MAX: usize, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct ListVisitor<T, const MAX: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MAX: usize> de::Visitor<'de> for ListVisitor<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MAX} items")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            match seq.size_hint() {
                Some(count) if count > MAX => return Err(de::Error::invalid_length(count, &self)),
                _ => {}
            }
            let mut items = Vec::new();
            while let Some(item) = seq.next_element()? {
                items.push(item);
            }
            Ok(items)
        }
    }
    deserializer.deserialize_seq(ListVisitor::<T, MAX>(PhantomData))
}

/// Serde for fixed-size byte types (`Address`, `B256`, hashes): the bare bytes, without a length.
///
/// Eight bytes at a time are passed as an `f64`, the one type of more than a byte that bincode always writes unchanged:
/// that is five times faster than byte by byte, with the same encoding. The values are moved, never computed with, so
/// their bits do not change. Human-readable formats would show nonsense and are refused.
pub mod fixed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser, ser::SerializeTuple};
    use std::{fmt, marker::PhantomData};

    /// Serializes the bytes as a tuple.
    ///
    /// # Errors
    /// The serializer's; a human-readable format.
    pub fn serialize<T: AsRef<[u8]>, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return Err(ser::Error::custom("bytes of consensus have no form for people: write them as hexadecimal"));
        }
        let (words, rest) = value.as_ref().as_chunks();
        let mut tuple = serializer.serialize_tuple(words.len() + rest.len())?;
        for word in words {
            tuple.serialize_element(&f64::from_le_bytes(*word))?;
        }
        for byte in rest {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }

    /// Deserializes the bytes of a tuple.
    ///
    /// # Errors
    /// The deserializer's; too few bytes; a human-readable format.
    pub fn deserialize<'de, const N: usize, T: From<[u8; N]>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        if deserializer.is_human_readable() {
            return Err(de::Error::custom("bytes of consensus have no form for people: read hexadecimal"));
        }
        deserializer.deserialize_tuple(N / 8 + N % 8, BytesVisitor::<N>(PhantomData)).map(T::from)
    }

    struct BytesVisitor<const N: usize>(PhantomData<[u8; N]>);

    impl<'de, const N: usize> de::Visitor<'de> for BytesVisitor<N> {
        type Value = [u8; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{N} bytes")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<[u8; N], A::Error> {
            let mut bytes = [0; N];
            let cut = || de::Error::custom("fewer bytes than the type has");
            let (words, rest) = bytes.as_chunks_mut();
            for word in words {
                *word = f64::to_le_bytes(seq.next_element()?.ok_or_else(cut)?);
            }
            for byte in rest {
                *byte = seq.next_element()?.ok_or_else(cut)?;
            }
            Ok(bytes)
        }
    }

    /// A fixed-size byte array that serde's derive does not cover, such as a signature.
    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Array<const N: usize>(pub [u8; N]);

    impl<const N: usize> AsRef<[u8]> for Array<N> {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl<const N: usize> From<[u8; N]> for Array<N> {
        fn from(bytes: [u8; N]) -> Self {
            Self(bytes)
        }
    }

    impl<const N: usize> fmt::Debug for Array<N> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }

    impl<const N: usize> Serialize for Array<N> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serialize(self, serializer)
        }
    }

    impl<'de, const N: usize> Deserialize<'de> for Array<N> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserialize(deserializer)
        }
    }
}

/// Serde for byte strings: a length and the bytes, copied at once.
pub mod bytes {
    use serde::{Deserializer, Serializer, de};
    use std::fmt;

    /// Serializes the bytes at once.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<T: AsRef<[u8]>, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(value.as_ref())
    }

    /// Deserializes a byte string; allocates only after its bytes are known to be present.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, T: From<Vec<u8>>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        struct ByteVisitor;
        impl de::Visitor<'_> for ByteVisitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte string")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(ByteVisitor).map(T::from)
    }
}

#[cfg(test)]
mod tests;
