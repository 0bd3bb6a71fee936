//! Lists that take no more memory than their encoding.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, de::DeserializeOwned, ser::SerializeSeq};
use std::{
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
};

use super::{decode_first, encode_into};

/// A list stored as the concatenated encodings of its items, which are decoded on reading. For items of one or two
/// bytes, which take many times as much in a `Vec`: a peer's 8 MiB would fill hundreds.
pub struct List<T> {
    bytes: Box<[u8]>,
    items: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> List<T> {
    /// The items in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        let mut rest = &*self.bytes;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (item, used) = decode_first(rest).expect("a list holds what was encoded");
            rest = &rest[used..];
            Some(item)
        })
    }

    /// Number of items. Decodes them all.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl<T: Serialize> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut bytes = Vec::new();
        items.into_iter().for_each(|item| encode_into(&mut bytes, &item));
        Self { bytes: bytes.into(), items: PhantomData }
    }
}

impl<T: Serialize> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), items: PhantomData }
    }
}

// An item has one encoding, so lists are equal if their bytes are.
impl<T> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for List<T> {}

impl<T> Hash for List<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl<T: Serialize + DeserializeOwned + fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: Serialize + DeserializeOwned> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        self.iter().try_for_each(|item| list.serialize_element(&item))?;
        list.end()
    }
}

impl<'de, T: Serialize + DeserializeOwned> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Serialize + DeserializeOwned> de::Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(item) = seq.next_element::<T>()? {
                    encode_into(&mut bytes, &item);
                }
                Ok(List { bytes: bytes.into(), items: PhantomData })
            }
        }
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

/// A `Vec` decoded into an allocation of its exact size; one that grows item by item may take twice as much.
pub struct Tight<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Tight<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut items = Vec::deserialize(deserializer)?;
        items.shrink_to_fit();
        Ok(Self(items))
    }
}
