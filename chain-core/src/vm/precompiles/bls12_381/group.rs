//! Operations of both groups G1 and G2, with blst's functions.

#![allow(
    unsafe_code,
    reason = "blst's functions take pointers; each is to a value or slice that lives through the call"
)]

use std::ptr;

use alloy_primitives::Bytes;
use blst::*;

use super::points::{FIELD_LEN, read_field, write_field};

/// Bits of a scalar.
const FACTOR_BITS: usize = 256;

/// A point on the curve of one of the groups; infinity is encoded as zeros.
pub(super) trait Group: Sized {
    /// Decodes a point if it is on the curve.
    fn read(bytes: &[u8]) -> Option<Self>;

    /// Encodes the point.
    fn write(&self) -> Bytes;

    fn is_infinite(&self) -> bool;

    fn is_in_subgroup(&self) -> bool;

    fn add(&self, other: &Self) -> Self;

    /// Multi-scalar multiplication (MSM) of finite points of the subgroup; scalars are little-endian.
    fn weigh(points: &[Self], factors: &[[u8; 32]]) -> Self;
}

macro_rules! group {
    (
        $affine:ty, $point:ty, $read:ident, $write:ident, $on_curve:ident, $is_infinite:ident, $in_subgroup:ident,
        $from_affine:ident, $to_affine:ident, $add:ident, $multiply:ident, $weigh:ident, $scratch:ident
    ) => {
        impl Group for $affine {
            fn read(bytes: &[u8]) -> Option<Self> {
                let point = $read(bytes)?;
                // SAFETY: see the module.
                unsafe { $is_infinite(&point) || $on_curve(&point) }.then_some(point)
            }

            fn write(&self) -> Bytes {
                $write(self)
            }

            fn is_infinite(&self) -> bool {
                // SAFETY: see the module.
                unsafe { $is_infinite(self) }
            }

            fn is_in_subgroup(&self) -> bool {
                // SAFETY: see the module.
                unsafe { $in_subgroup(self) }
            }

            fn add(&self, other: &Self) -> Self {
                let (mut left, mut sum, mut affine) = (<$point>::default(), <$point>::default(), Self::default());
                // SAFETY: see the module.
                unsafe {
                    $from_affine(&mut left, self);
                    $add(&mut sum, &left, other);
                    $to_affine(&mut affine, &sum);
                }
                affine
            }

            fn weigh(points: &[Self], factors: &[[u8; 32]]) -> Self {
                debug_assert_eq!(points.len(), factors.len());
                let (mut sum, mut affine) = (<$point>::default(), Self::default());
                match (points, factors) {
                    ([], _) | (_, []) => return affine,
                    // SAFETY: see the module.
                    ([point], [factor]) => unsafe {
                        let mut left = <$point>::default();
                        $from_affine(&mut left, point);
                        $multiply(&mut sum, &left, factor.as_ptr(), FACTOR_BITS);
                    },
                    // SAFETY: see the module. A null pointer after the first means that the rest follow in memory.
                    _ => unsafe {
                        let mut scratch = vec![0u64; $scratch(points.len()) / size_of::<u64>()];
                        let points_at = [points.as_ptr(), ptr::null()];
                        let factors_at = [factors.as_ptr().cast(), ptr::null()];
                        let (points_at, factors_at) = (points_at.as_ptr(), factors_at.as_ptr());
                        $weigh(&mut sum, points_at, points.len(), factors_at, FACTOR_BITS, scratch.as_mut_ptr());
                    },
                }
                // SAFETY: see the module.
                unsafe { $to_affine(&mut affine, &sum) };
                affine
            }
        }
    };
}

group!(
    blst_p1_affine,
    blst_p1,
    read_g1,
    write_g1,
    blst_p1_affine_on_curve,
    blst_p1_affine_is_inf,
    blst_p1_affine_in_g1,
    blst_p1_from_affine,
    blst_p1_to_affine,
    blst_p1_add_or_double_affine,
    blst_p1_mult,
    blst_p1s_mult_pippenger,
    blst_p1s_mult_pippenger_scratch_sizeof
);

group!(
    blst_p2_affine,
    blst_p2,
    read_g2,
    write_g2,
    blst_p2_affine_on_curve,
    blst_p2_affine_is_inf,
    blst_p2_affine_in_g2,
    blst_p2_from_affine,
    blst_p2_to_affine,
    blst_p2_add_or_double_affine,
    blst_p2_mult,
    blst_p2s_mult_pippenger,
    blst_p2s_mult_pippenger_scratch_sizeof
);

fn read_g1(bytes: &[u8]) -> Option<blst_p1_affine> {
    let (coordinates, _) = bytes.as_chunks::<FIELD_LEN>();
    let [x, y] = coordinates else { return None };
    Some(blst_p1_affine { x: read_field(x)?, y: read_field(y)? })
}

fn read_g2(bytes: &[u8]) -> Option<blst_p2_affine> {
    let (coordinates, _) = bytes.as_chunks::<FIELD_LEN>();
    let [x, x_imaginary, y, y_imaginary] = coordinates else { return None };
    let x = blst_fp2 { fp: [read_field(x)?, read_field(x_imaginary)?] };
    let y = blst_fp2 { fp: [read_field(y)?, read_field(y_imaginary)?] };
    Some(blst_p2_affine { x, y })
}

fn write_g1(point: &blst_p1_affine) -> Bytes {
    [point.x, point.y].map(|coordinate| write_field(&coordinate)).concat().into()
}

fn write_g2(point: &blst_p2_affine) -> Bytes {
    let ([x, x_imaginary], [y, y_imaginary]) = (point.x.fp, point.y.fp);
    [x, x_imaginary, y, y_imaginary].map(|coordinate| write_field(&coordinate)).concat().into()
}
