//! Ports that stay a test's own, over restarts of what listens on them.

use std::{
    fs::{self, File},
    net::{TcpListener, UdpSocket},
};

/// Below those that the system gives to outgoing connections (32768 and above on Linux): a port from `bind(0)` that is
/// released, to be bound by a node, or again after a restart, may meanwhile be the near end of some client's connection.
const RANGE: std::ops::Range<u16> = 20_000..30_000;

/// A port of this machine, for TCP and UDP, that no other test takes while this exists.
pub struct Port {
    number: u16,
    /// Locked by this process; the system unlocks it however the process ends.
    _lock: File,
}

impl Port {
    /// Takes a free one.
    ///
    /// # Panics
    /// If all are taken, or no file can be made in the folder for temporary files.
    pub fn take() -> Self {
        let folder = std::env::temp_dir().join("cairn-test-ports");
        fs::create_dir_all(&folder).expect("the temporary folder can be written");
        // Processes begin at different places, so that they seldom try the same.
        let first =
            u16::try_from(std::process::id() * 7 % u32::from(RANGE.end - RANGE.start)).expect("it is in the range");
        let numbers = (RANGE.start + first..RANGE.end).chain(RANGE.start..RANGE.start + first);
        let free = |number: u16| {
            let lock = File::create(folder.join(number.to_string())).ok()?;
            lock.try_lock().ok()?;
            TcpListener::bind(("127.0.0.1", number)).ok()?;
            UdpSocket::bind(("127.0.0.1", number)).ok()?;
            Some(Self { number, _lock: lock })
        };
        numbers.into_iter().find_map(free).expect("one of ten thousand ports is free")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_taken_once_and_lies_below_those_of_outgoing_connections() {
        let (one, two) = (Port::take(), Port::take());
        assert_ne!(one.number(), two.number());
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_else(|_| "32768".to_owned());
        let lowest: u16 = range.split_whitespace().next().and_then(|text| text.parse().ok()).expect("a range");
        assert!(RANGE.contains(&one.number()) && RANGE.end <= lowest);
        let lock = File::create(std::env::temp_dir().join("cairn-test-ports").join(one.number().to_string()));
        assert!(lock.expect("a file").try_lock().is_err(), "another process finds it taken");
    }
}
