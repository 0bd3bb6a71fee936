//! Writing and reading the bytes of values.

use alloy_primitives::U256;

/// A value that does not decode. Its checksum matched, so this is a bug and not an error of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Appends to a value.
#[derive(Clone, Debug, Default)]
pub struct Encoder(pub Vec<u8>);

impl Encoder {
    /// A value of about so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// A byte.
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Bytes whose number the decoder knows.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Four bytes, big-endian.
    pub fn be32(&mut self, number: u32) {
        self.raw(&number.to_be_bytes());
    }

    /// A number in seven bits a byte.
    pub fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80); // the low seven bits
            number >>= 7;
        }
        self.byte(number as u8); // less than 0x80
    }

    /// A 256-bit number without leading zeros, after its length.
    pub fn word(&mut self, word: &U256) {
        let len = word.byte_len();
        self.byte(len as u8); // at most 32
        self.raw(&word.to_be_bytes::<32>()[32 - len..]);
    }

    /// Bytes after their number.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.raw(bytes);
    }

    /// Items after their number.
    pub fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.varint(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }
}

/// Reads a value from its front.
#[derive(Clone, Debug)]
pub struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    /// Starts at the front.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads a value that is all there is.
    pub fn whole<T>(bytes: &'a [u8], read: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<T, Malformed> {
        let mut decoder = Self(bytes);
        let value = read(&mut decoder)?;
        decoder.end()?;
        Ok(value)
    }

    /// Nothing is left.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// So many bytes.
    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// So many bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*bytes)
    }

    /// A byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Reads [`Encoder::be32`].
    pub fn be32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// Reads [`Encoder::varint`].
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(Malformed);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    /// Reads [`Encoder::word`].
    pub fn word(&mut self) -> Result<U256, Malformed> {
        let len = self.byte()?;
        U256::try_from_be_slice(self.raw(usize::from(len))?).ok_or(Malformed)
    }

    /// Reads [`Encoder::bytes`].
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        self.raw(len)
    }

    /// Reads [`Encoder::list`].
    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, Malformed>) -> Result<Vec<T>, Malformed> {
        let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        // Every item takes a byte at least, which bounds what is reserved.
        let mut items = Vec::with_capacity(len.min(self.0.len()));
        for _ in 0..len {
            items.push(read(self)?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, word: [u64; 4], bytes: Vec<u8>, list: Vec<u32>) {
            let word = U256::from_limbs(word);
            let mut encoder = Encoder::default();
            encoder.varint(number);
            encoder.word(&word);
            encoder.bytes(&bytes);
            encoder.list(&list, |encoder, item| encoder.be32(*item));
            let mut decoder = Decoder::new(&encoder.0);
            prop_assert_eq!(decoder.varint(), Ok(number));
            prop_assert_eq!(decoder.word(), Ok(word));
            prop_assert_eq!(decoder.bytes(), Ok(&bytes[..]));
            prop_assert_eq!(decoder.list(Decoder::be32), Ok(list));
            prop_assert_eq!(decoder.end(), Ok(()));
        }

        #[test]
        fn no_bytes_make_a_reader_panic(bytes: Vec<u8>) {
            let _ = Decoder::new(&bytes).varint();
            let _ = Decoder::new(&bytes).word();
            let _ = Decoder::new(&bytes).bytes();
            let _ = Decoder::new(&bytes).list(Decoder::word);
        }
    }
}
