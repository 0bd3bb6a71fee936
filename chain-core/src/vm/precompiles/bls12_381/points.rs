//! Field elements, the maps to points, and the pairing, with blst's functions.

#![allow(
    unsafe_code,
    reason = "blst's functions take pointers; each is to a value or slice that lives through the call"
)]

use std::ptr;

use blst::{
    blst_bendian_from_fp, blst_final_exp, blst_fp, blst_fp_from_bendian, blst_fp2, blst_fp12, blst_fp12_is_one,
    blst_map_to_g1, blst_map_to_g2, blst_miller_loop_n, blst_p1, blst_p1_affine, blst_p1_to_affine, blst_p2,
    blst_p2_affine, blst_p2_to_affine,
};

/// Bytes of an encoded element: 16 zeros, then the number.
pub(super) const FIELD_LEN: usize = 64;

const ZEROS: usize = 16;

/// The field's prime.
const PRIME: [u8; FIELD_LEN - ZEROS] = alloy_primitives::hex!(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab"
);

/// Decodes an element; `None` unless it is below the prime.
pub(super) fn read_field(bytes: &[u8; FIELD_LEN]) -> Option<blst_fp> {
    let (zeros, number) = bytes.split_at(ZEROS);
    if zeros != [0; ZEROS] || number >= PRIME.as_slice() {
        return None;
    }
    let mut element = blst_fp::default();
    // SAFETY: see the module.
    unsafe { blst_fp_from_bendian(&mut element, number.as_ptr()) };
    Some(element)
}

/// Encodes the element.
pub(super) fn write_field(element: &blst_fp) -> [u8; FIELD_LEN] {
    let mut bytes = [0; FIELD_LEN];
    // SAFETY: see the module.
    unsafe { blst_bendian_from_fp(bytes[ZEROS..].as_mut_ptr(), element) };
    bytes
}

pub(super) fn map_to_g1(element: &blst_fp) -> blst_p1_affine {
    let (mut point, mut affine) = (blst_p1::default(), blst_p1_affine::default());
    // SAFETY: see the module. The second element is optional and may be null.
    unsafe {
        blst_map_to_g1(&mut point, element, ptr::null());
        blst_p1_to_affine(&mut affine, &point);
    }
    affine
}

pub(super) fn map_to_g2((real, imaginary): (blst_fp, blst_fp)) -> blst_p2_affine {
    let element = blst_fp2 { fp: [real, imaginary] };
    let (mut point, mut affine) = (blst_p2::default(), blst_p2_affine::default());
    // SAFETY: as above.
    unsafe {
        blst_map_to_g2(&mut point, &element, ptr::null());
        blst_p2_to_affine(&mut affine, &point);
    }
    affine
}

/// Whether the product of the pairings of finite points of the subgroups is 1.
pub(super) fn product_is_one(left: &[blst_p1_affine], right: &[blst_p2_affine]) -> bool {
    let count = left.len().min(right.len());
    if count == 0 {
        return true;
    }
    let (left, right) = ([left.as_ptr(), ptr::null()], [right.as_ptr(), ptr::null()]);
    let (mut product, mut power) = (blst_fp12::default(), blst_fp12::default());
    // SAFETY: see the module. A null pointer after the first means that the rest follow in memory.
    unsafe {
        blst_miller_loop_n(&mut product, right.as_ptr(), left.as_ptr(), count);
        blst_final_exp(&mut power, &product);
        blst_fp12_is_one(&power)
    }
}
