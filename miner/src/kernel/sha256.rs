//! SHA-256 in scalar code, as far as a search computes it once for many nonces.

/// The eight words `a` to `h` of a state.
pub(super) type State = [u32; 8];

/// The initial state.
pub(super) const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The constants of the 64 rounds.
#[rustfmt::skip]
pub(super) const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// The padding's words of a header's second block: the bit after 80 bytes, and their number in bits.
pub(super) const W4: u32 = 0x8000_0000;
pub(super) const W15: u32 = 80 * 8;

/// σ0 of the schedule.
pub(super) fn sigma0(word: u32) -> u32 {
    word.rotate_right(7) ^ word.rotate_right(18) ^ (word >> 3)
}

/// σ1 of the schedule.
#[cfg(any(target_arch = "x86_64", test))]
pub(super) fn sigma1(word: u32) -> u32 {
    word.rotate_right(17) ^ word.rotate_right(19) ^ (word >> 10)
}

/// The state after one more round; `word` is the schedule's plus the constant's.
pub(super) fn round([a, b, c, d, e, f, g, h]: State, word: u32) -> State {
    let big1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let big0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    let choose = g ^ (e & (f ^ g));
    let majority = ((a ^ b) & (b ^ c)) ^ b;
    let first = h.wrapping_add(big1).wrapping_add(choose).wrapping_add(word);
    [first.wrapping_add(big0).wrapping_add(majority), a, b, c, d.wrapping_add(first), e, f, g]
}

/// The state after rounds 0 to 3 of a header's second block whose nonce word is zero: the nonce's own is to be added to
/// `a` and `e`.
pub(super) fn start(midstate: &State, tail: [u32; 3]) -> State {
    let words = [tail[0], tail[1], tail[2], 0];
    words.iter().zip(K).fold(*midstate, |state, (word, k)| round(state, word.wrapping_add(k)))
}

/// Words 16 and 17 of the schedule of a header's second block, which do not depend on the nonce.
#[cfg(any(target_arch = "x86_64", test))]
pub(super) fn fixed_words([w0, w1, w2]: [u32; 3]) -> [u32; 2] {
    [w0.wrapping_add(sigma0(w1)), w1.wrapping_add(sigma0(w2)).wrapping_add(sigma1(W15))]
}
