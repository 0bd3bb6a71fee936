//! Natural numbers of any size, as 64-bit digits in little-endian order.

/// The number of `len` big-endian bytes of which the first are given and the rest are zeros; without leading zeros.
pub(super) fn read(bytes: &[u8], len: usize) -> Vec<u64> {
    let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
    if skipped == bytes.len() {
        return Vec::new();
    }
    let (bytes, len) = (&bytes[skipped..], len - skipped);
    let mut aligned = vec![0; len.next_multiple_of(8)];
    let start = aligned.len() - len;
    aligned[start..start + bytes.len()].copy_from_slice(bytes);
    let (digits, _) = aligned.as_chunks::<8>();
    digits.iter().rev().map(|digit| u64::from_be_bytes(*digit)).collect()
}

/// The number as `len` big-endian bytes, which are enough for it.
pub(super) fn write(number: &[u64], len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = number.iter().flat_map(|digit| digit.to_le_bytes()).collect();
    bytes.resize(len, 0);
    bytes.reverse();
    bytes
}

/// The number without leading zeros.
pub(super) fn trim(number: &[u64]) -> &[u64] {
    let zeros = number.iter().rev().take_while(|digit| **digit == 0).count();
    &number[..number.len() - zeros]
}

/// Adds `factor` times `by` to the lowest digits of `sum`; returns the carry.
#[inline(always)]
pub(super) fn add_product(sum: &mut [u64], factor: &[u64], by: u64) -> u64 {
    let mut carry = 0;
    let mut step = |sum: &mut u64, digit: u64| {
        let product = u128::from(digit) * u128::from(by) + u128::from(*sum) + u128::from(carry);
        (*sum, carry) = (product as u64, (product >> 64) as u64);
    };
    let (sums, last_sums) = sum.as_chunks_mut::<4>();
    let (digits, last_digits) = factor.as_chunks::<4>();
    for (sums, digits) in sums.iter_mut().zip(digits) {
        for index in 0..4 {
            step(&mut sums[index], digits[index]);
        }
    }
    last_sums.iter_mut().zip(last_digits).for_each(|(sum, digit)| step(sum, *digit));
    carry
}

/// Subtracts a number from another with the same number of digits; returns the borrow.
pub(super) fn subtract(from: &mut [u64], number: &[u64]) -> bool {
    let mut borrow = false;
    for (digit, taken) in from.iter_mut().zip(number) {
        (*digit, borrow) = digit.borrowing_sub(*taken, borrow);
    }
    borrow
}

/// An exponent; trailing zero bytes take no memory.
#[derive(Clone, Copy)]
pub(super) struct Exponent<'a> {
    /// Its first bytes, without leading zeros.
    bytes: &'a [u8],
    /// Its length in bytes with the trailing zeros.
    len: usize,
}

impl<'a> Exponent<'a> {
    /// The number of `len` big-endian bytes of which the first are given and the rest are zeros.
    pub(super) fn new(bytes: &'a [u8], len: usize) -> Self {
        let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
        let bytes = &bytes[skipped..];
        Self { bytes, len: if bytes.is_empty() { 0 } else { len - skipped } }
    }

    /// The number in its lowest bytes.
    pub(super) fn lowest(self, len: usize) -> Self {
        let cut = self.len.saturating_sub(len);
        Self::new(self.bytes.get(cut..).unwrap_or_default(), self.len - cut)
    }

    /// Its length in bits, without leading zeros.
    pub(super) fn bits(self) -> usize {
        self.bytes.first().map_or(0, |first| self.len.saturating_mul(8) - first.leading_zeros() as usize)
    }

    /// The bit at a position, counted from the lowest.
    pub(super) fn bit(self, index: usize) -> bool {
        let byte = self.len - 1 - index / 8;
        self.bytes.get(byte).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }
}
