//! Shares: the parameters of `mining.submit`, and those of a session that were counted.

use serde_json::Value;
use std::collections::{HashSet, VecDeque};

use super::{job::EXTRANONCE2, reject::Reject};

/// Shares on one tip that are remembered. More than that many at the speed that the difficulty aims at take hours.
const MOST: usize = 1_024;

/// What a miner hands in.
#[derive(Debug, PartialEq, Eq)]
pub struct Share {
    /// The user name that it authorized with.
    pub worker: String,
    /// The job's number; `None` if it is none of this node's.
    pub job: Option<u64>,
    /// Its part of the extranonce; `None` if it has another length.
    pub extranonce2: Option<[u8; EXTRANONCE2]>,
    /// Seconds since 1970.
    pub time: u32,
    /// The number that miners search.
    pub nonce: u32,
    /// Bits of the version that differ from the job's.
    pub version: u32,
}

impl Share {
    /// Reads the parameters: worker, job, extranonce2, ntime, nonce, and the version's bits of BIP 310.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(params: &Value) -> Result<Self, String> {
        let params = params.as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |index: usize, name: &str| {
            params.get(index).and_then(Value::as_str).ok_or_else(|| format!("mining.submit: {name} is not a string"))
        };
        let number = |index: usize, name: &str| {
            word(text(index, name)?)
                .ok_or_else(|| format!("mining.submit: {name} is not a number of 1 to 8 hex digits"))
        };
        let job = text(1, "job id")?;
        let extranonce2 = text(2, "extranonce2")?;
        Ok(Self {
            worker: text(0, "worker")?.to_owned(),
            // As it was sent, so that no job has two names.
            job: u64::from_str_radix(job, 16).ok().filter(|number| format!("{number:x}") == job),
            extranonce2: hex::decode(extranonce2).ok().and_then(|bytes| bytes.try_into().ok()),
            time: number(3, "ntime")?,
            nonce: number(4, "nonce")?,
            version: if params.len() > 5 { number(5, "version bits")? } else { 0 },
        })
    }

    /// The bits of the version, if all of them were agreed on.
    ///
    /// # Errors
    /// [`Reject::VersionMask`].
    pub fn rolled(&self, version: i32, mask: u32) -> Result<i32, Reject> {
        match self.version & !mask {
            // The header's version is a pattern of bits.
            0 => Ok(version & !(mask as i32) | self.version as i32),
            _ => Err(Reject::VersionMask),
        }
    }
}

/// A number of up to eight hex digits; small chips leave out leading zeros.
pub fn word(text: &str) -> Option<u32> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(text, 16).ok().filter(|_| is_hex && text.len() <= 8)
}

/// Shares that were counted on the current tip. A miner that hands in more than are remembered could have old ones counted
/// again, which deceives nobody but its owner: only blocks are paid.
#[derive(Debug, Default)]
pub struct Counted {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Counted {
    /// Notes the hash of a share's header; whether it is new.
    pub fn note(&mut self, hash: &[u8; 32]) -> bool {
        // The low end, which is as random for a share as for any other hash.
        let key = u64::from_le_bytes(std::array::from_fn(|index| hash[index]));
        if !self.known.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > MOST {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
        true
    }

    /// Forgets all, on a new tip.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_read_as_miners_write_them() {
        let share = Share::read(&json!(["a.b", "1f", "0000002a", "6500000f", "b2957c02", "00c0e000"])).unwrap();
        assert_eq!((share.worker.as_str(), share.job, share.extranonce2), ("a.b", Some(0x1f), Some([0, 0, 0, 0x2a])));
        assert_eq!((share.time, share.nonce, share.version), (0x6500_000f, 0xb295_7c02, 0x00c0_e000));
        let short = Share::read(&json!(["a", "1", "00000000", "6500000f", "2a"])).unwrap();
        assert_eq!((short.nonce, short.version), (0x2a, 0));
    }

    #[test]
    fn wrong_parameters_are_named_and_foreign_jobs_are_none() {
        let read = |params: Value| Share::read(&params);
        for wrong in [json!(null), json!({}), json!([]), json!([1, 2, 3, 4, 5]), json!("x")] {
            assert_eq!(read(wrong), Err("mining.submit: job id is not a string".to_owned()));
        }
        let nonce = read(json!(["a", "1", "00000000", "00", "0x1"]));
        assert_eq!(nonce, Err("mining.submit: nonce is not a number of 1 to 8 hex digits".to_owned()));
        for bad in ["", "+1", "123456789", "g", "é"] {
            assert!(read(json!(["a", "1", "00000000", bad, "00"])).unwrap_err().contains("ntime"), "{bad}");
        }
        for job in ["", "01", "+1", "1F", "ffffffffffffffffff", "job"] {
            assert_eq!(read(json!(["a", job, "00000000", "0", "0"])).unwrap().job, None, "{job}");
        }
        for extranonce in ["", "00", "0000000000", "0000000g"] {
            assert_eq!(read(json!(["a", "1", extranonce, "0", "0"])).unwrap().extranonce2, None, "{extranonce}");
        }
    }

    #[test]
    fn version_bits_stay_within_the_mask() {
        let share = |version| Share { version, ..Share::read(&json!(["a", "1", "00000000", "0", "0"])).unwrap() };
        assert_eq!(share(0x00c0_0000).rolled(0x2000_0000, 0x1fff_ffe0), Ok(0x20c0_0000));
        assert_eq!(share(0).rolled(0x2000_0000, 0), Ok(0x2000_0000));
        for (bits, mask) in [(1, 0x1fff_ffe0), (0x2000_0000, 0x1fff_ffe0), (0x8000_0000, 0x1fff_ffe0), (0x20, 0)] {
            assert_eq!(share(bits).rolled(0x2000_0000, mask), Err(Reject::VersionMask), "{bits:x}");
        }
    }

    #[test]
    fn a_share_counts_once_and_the_memory_is_bounded() {
        let mut counted = Counted::default();
        let hash = |number: u64| -> [u8; 32] { [number, 0, 0, 0].map(u64::to_le_bytes).concat().try_into().unwrap() };
        assert!((0..2 * MOST as u64).all(|number| counted.note(&hash(number))));
        assert!(!counted.note(&hash(2 * MOST as u64 - 1)) && !counted.note(&hash(MOST as u64)));
        assert_eq!((counted.known.len(), counted.order.len()), (MOST, MOST));
        counted.clear();
        assert!(counted.note(&hash(1)));
    }
}
