//! 0x05: modular exponentiation (EIP-198).

mod number;
mod power;
mod ring;

use alloy_primitives::{Bytes, U256};

use self::number::Exponent;
use super::result::{PrecompileError, PrecompileResult, charge, padded};
use crate::units::Gas;

/// Offset of the base, after the three lengths.
const HEADER: usize = 3 * 32;

/// Maximum length of base, exponent and modulus each (EIP-7823).
const OSAKA_MAX_LEN: u64 = 1_024;

const CANCUN_LEAST_PRICE: Gas = 200;
const OSAKA_LEAST_PRICE: Gas = 500;

/// With the price of EIP-2565.
pub(super) fn cancun(input: &[u8], gas: Gas) -> PrecompileResult {
    let task = Task::read(input);
    let words = u128::from(task.longest().div_ceil(8));
    let price = (words * words).saturating_mul(task.iterations(8)) / 3;
    task.run(gas, CANCUN_LEAST_PRICE, price)
}

/// With the price of EIP-7883.
pub(super) fn osaka(input: &[u8], gas: Gas) -> PrecompileResult {
    let task = Task::read(input);
    if task.longest().max(task.exponent_len) > OSAKA_MAX_LEN {
        return Err(PrecompileError::InvalidInput);
    }
    let words = u128::from(task.longest().div_ceil(8));
    let complexity = if task.longest() <= 32 { 16 } else { 2 * words * words };
    task.run(gas, OSAKA_LEAST_PRICE, complexity * task.iterations(16))
}

/// Lengths, then base, exponent and modulus; a short input is padded with zeros.
struct Task<'a> {
    base_len: u64,
    exponent_len: u64,
    modulus_len: u64,
    rest: &'a [u8],
}

impl<'a> Task<'a> {
    fn read(input: &'a [u8]) -> Self {
        let len = |start| u64::try_from(U256::from_be_bytes(padded::<32>(input, start))).unwrap_or(u64::MAX);
        let rest = input.get(HEADER..).unwrap_or_default();
        Self { base_len: len(0), exponent_len: len(32), modulus_len: len(64), rest }
    }

    /// The longer of base and modulus.
    fn longest(&self) -> u64 {
        self.base_len.max(self.modulus_len)
    }

    /// The iteration count: from the first word of the exponent, and `byte_price` for each byte after it.
    fn iterations(&self, byte_price: u128) -> u128 {
        let mut head = U256::from_be_bytes(padded::<32>(self.rest, usize_of(self.base_len)));
        if self.exponent_len < 32 {
            head >>= 256 - 8 * usize_of(self.exponent_len);
        }
        let beyond = u128::from(self.exponent_len.saturating_sub(32));
        (beyond * byte_price + (head.bit_len() as u128).saturating_sub(1)).max(1)
    }

    fn run(&self, gas: Gas, least: Gas, price: u128) -> PrecompileResult {
        let used = charge(gas, least.max(Gas::try_from(price).unwrap_or(Gas::MAX)))?;
        if self.modulus_len == 0 {
            return Ok((used, Bytes::new()));
        }
        let (base_len, exponent_len) = (usize_of(self.base_len), usize_of(self.exponent_len));
        let exponent_start = base_len;
        let modulus_start = exponent_start.saturating_add(exponent_len);
        let modulus_len = usize_of(self.modulus_len);
        let exponent = Exponent::new(self.part(exponent_start, exponent_len), exponent_len);
        let modulus = number::read(self.part(modulus_start, modulus_len), modulus_len);
        let base = number::read(self.part(0, base_len), base_len);
        let power = power::power(&base, exponent, &modulus);
        Ok((used, number::write(&power, modulus_len).into()))
    }

    /// The part of `len` bytes from `start` that the input has.
    fn part(&self, start: usize, len: usize) -> &'a [u8] {
        let rest = self.rest.get(start..).unwrap_or_default();
        &rest[..len.min(rest.len())]
    }
}

fn usize_of(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
