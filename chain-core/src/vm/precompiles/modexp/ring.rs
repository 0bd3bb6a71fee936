//! Multiplication modulo an odd number, by Montgomery's method, and modulo a power of two.

use alloy_primitives::ruint::algorithms::{mul_redc, square_redc};

use super::number::{add_product, subtract};

/// Arithmetic modulo a common modulus; all numbers have the same number of digits.
pub(super) trait Ring {
    /// Multiplies `left` by `right`.
    fn multiply(&mut self, left: &mut [u64], right: &[u64]);

    /// Multiplies a number by itself.
    fn square(&mut self, number: &mut [u64]);

    /// Converts a number out of Montgomery form.
    fn leave(&mut self, number: &mut [u64]);
}

/// Modulo an odd number of `N` digits, in Montgomery form: x is represented by x times 2^(64 N).
pub(super) struct Short<const N: usize> {
    modulus: [u64; N],
    inverse: u64,
}

impl<const N: usize> Short<N> {
    pub(super) fn new(modulus: [u64; N]) -> Self {
        Self { modulus, inverse: negative_inverse(modulus[0]) }
    }
}

impl<const N: usize> Ring for Short<N> {
    fn multiply(&mut self, left: &mut [u64], right: &[u64]) {
        if let (Ok(left), Ok(right)) = (<&mut [u64; N]>::try_from(left), right.try_into()) {
            *left = mul_redc(*left, right, self.modulus, self.inverse);
        }
    }

    fn square(&mut self, number: &mut [u64]) {
        if let Ok(number) = <&mut [u64; N]>::try_from(number) {
            *number = square_redc(*number, self.modulus, self.inverse);
        }
    }

    fn leave(&mut self, number: &mut [u64]) {
        let mut one = [0; N];
        one[0] = 1;
        self.multiply(number, &one);
    }
}

/// Modulo an odd number of any size, in Montgomery form: x is represented by x times 2^64 for each digit.
pub(super) struct Long<'a> {
    modulus: &'a [u64],
    inverse: u64,
    /// A product: twice as many digits.
    product: Vec<u64>,
}

impl<'a> Long<'a> {
    pub(super) fn new(modulus: &'a [u64]) -> Self {
        Self { modulus, inverse: negative_inverse(modulus[0]), product: vec![0; 2 * modulus.len()] }
    }

    /// Montgomery reduction: adds multiples of the modulus until the product's low half is zero; its high half is the
    /// result.
    fn reduce(&mut self, result: &mut [u64]) {
        let len = self.modulus.len();
        let mut carry = false;
        for start in 0..len {
            let by = self.product[start].wrapping_mul(self.inverse);
            let (low, high) = self.product[start..].split_at_mut(len);
            let over = add_product(low, self.modulus, by);
            (high[0], carry) = high[0].carrying_add(over, carry);
        }
        result.copy_from_slice(&self.product[len..]);
        if carry || !is_less(result, self.modulus) {
            subtract(result, self.modulus);
        }
    }
}

impl Ring for Long<'_> {
    fn multiply(&mut self, left: &mut [u64], right: &[u64]) {
        let len = left.len();
        self.product[..len].fill(0);
        for (start, by) in right.iter().enumerate() {
            let (sum, high) = self.product[start..].split_at_mut(len);
            high[0] = add_product(sum, left, *by);
        }
        self.reduce(left);
    }

    fn square(&mut self, number: &mut [u64]) {
        square(&mut self.product, number);
        self.reduce(number);
    }

    fn leave(&mut self, number: &mut [u64]) {
        let (low, high) = self.product.split_at_mut(number.len());
        low.copy_from_slice(number);
        high.fill(0);
        self.reduce(number);
    }
}

/// Modulo 2 to the power of 64 times the count of digits.
pub(super) struct Binary {
    product: Vec<u64>,
}

impl Binary {
    pub(super) fn new(len: usize) -> Self {
        Self { product: vec![0; len] }
    }
}

impl Ring for Binary {
    fn multiply(&mut self, left: &mut [u64], right: &[u64]) {
        low_product(&mut self.product, left, right);
        left.copy_from_slice(&self.product);
    }

    fn square(&mut self, number: &mut [u64]) {
        low_product(&mut self.product, number, number);
        number.copy_from_slice(&self.product);
    }

    fn leave(&mut self, _: &mut [u64]) {}
}

/// The lower half of the digits of a product.
fn low_product(product: &mut [u64], left: &[u64], right: &[u64]) {
    product.fill(0);
    for (start, by) in right.iter().enumerate() {
        let sum = &mut product[start..];
        let len = sum.len();
        add_product(sum, &left[..len], *by);
    }
}

/// The square of a number, as twice as many digits: products of different digits once, doubled, then the squares.
fn square(product: &mut [u64], number: &[u64]) {
    let len = number.len();
    product.fill(0);
    for (start, by) in number.iter().enumerate() {
        let others = &number[start + 1..];
        let (sum, high) = product[2 * start + 1..].split_at_mut(others.len());
        let carry = add_product(sum, others, *by);
        if let Some(high) = high.first_mut() {
            *high = carry;
        }
    }
    let (mut shifted, mut carry) = (0, false);
    let (pairs, _) = product.as_chunks_mut::<2>();
    for ([low, high], digit) in pairs.iter_mut().zip(&number[..len]) {
        let squared = u128::from(*digit) * u128::from(*digit);
        let (doubled_low, doubled_high) = (*low << 1 | shifted, *high << 1 | *low >> 63);
        shifted = *high >> 63;
        (*low, carry) = doubled_low.carrying_add(squared as u64, carry);
        (*high, carry) = doubled_high.carrying_add((squared >> 64) as u64, carry);
    }
}

fn is_less(left: &[u64], right: &[u64]) -> bool {
    left.iter().rev().lt(right.iter().rev())
}

/// The negated inverse of an odd number modulo 2^64. Each step of Newton's method doubles the correct bits.
fn negative_inverse(odd: u64) -> u64 {
    inverse(odd).wrapping_neg()
}

/// The inverse of an odd number modulo 2^64.
pub(super) fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
    }
    inverse
}
