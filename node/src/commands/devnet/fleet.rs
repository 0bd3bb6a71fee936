//! All nodes of a devnet: who is connected with whom, and how they are.

use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    member::{Member, text},
    stop::Stop,
};
use crate::{error::CommandError, logging};

/// Up to so many nodes, everybody is connected with everybody.
const MESH: usize = 6;
/// A partition lasts until it is healed: ten years, in seconds.
const LONG: u32 = 10 * 365 * 24 * 3_600;

/// How one node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Whether it answers.
    pub up: bool,
    /// Height of its tip.
    pub height: u64,
    /// Hash of its tip.
    pub tip: String,
    /// Work of its chain, as fixed-width hex, so that texts compare as numbers do.
    pub work: String,
    /// Connected peers.
    pub peers: u64,
    /// Transactions in its mempool.
    pub mempool: u64,
    /// Whether it mines.
    pub mining: bool,
    /// Which side of a partition it is on.
    pub side: usize,
}

/// The nodes. Dropping them ends the processes and removes their folders.
pub struct Fleet {
    /// The nodes.
    pub members: Vec<Member>,
    sides: Vec<usize>,
    folder: PathBuf,
    keep: bool,
    stop: Stop,
}

impl Fleet {
    /// Starts nodes in a folder, which is removed in the end unless it is to be kept, and connects them.
    ///
    /// # Errors
    /// [`CommandError`] if one does not start.
    pub fn start(members: Vec<Member>, folder: &Path, keep: bool, stop: Stop) -> Result<Self, CommandError> {
        let sides = vec![0; members.len()];
        let mut fleet = Self { members, sides, folder: folder.to_owned(), keep, stop };
        fleet.members.iter_mut().try_for_each(Member::start)?;
        let stop = fleet.stop.clone();
        fleet.members.iter_mut().try_for_each(|member| member.wait(&stop))?;
        (0..fleet.members.len()).try_for_each(|index| fleet.connect(index))?;
        fleet.mine(true)?;
        Ok(fleet)
    }

    /// Pairs of nodes that are connected; the first dials.
    fn links(&self) -> Vec<(usize, usize)> {
        let nodes = self.members.len();
        if nodes <= MESH {
            return (0..nodes).flat_map(|from| (from + 1..nodes).map(move |to| (from, to))).collect();
        }
        (0..nodes).flat_map(|from| [1, 2].map(|step| (from, (from + step) % nodes))).collect()
    }

    /// Connects a node with those of its side.
    fn connect(&mut self, index: usize) -> Result<(), CommandError> {
        for (from, to) in self.links() {
            let concerned = from == index || to == index;
            if concerned && self.sides[from] == self.sides[to] && self.is_alive(from) && self.is_alive(to) {
                let address = self.members[to].address.clone();
                self.call(from, "admin_addPeer", json!([address]))?;
            }
        }
        Ok(())
    }

    /// Whether a node runs.
    pub fn is_alive(&mut self, index: usize) -> bool {
        self.members[index].is_alive()
    }

    /// Goes on unless a signal or `quit` asked to stop.
    ///
    /// # Errors
    /// [`CommandError::Interrupted`].
    pub fn go_on(&self) -> Result<(), CommandError> {
        self.stop.check()
    }

    /// Asks a node, unless a signal or `quit` asked to stop.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn call(&self, index: usize, method: &'static str, params: Value) -> Result<Value, CommandError> {
        self.go_on()?;
        self.members[index].call(method, params)
    }

    /// Nodes that run.
    pub fn alive(&mut self) -> Vec<usize> {
        (0..self.members.len()).filter(|index| self.members[*index].is_alive()).collect()
    }

    /// Has the miners mine, or stop.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn mine(&mut self, on: bool) -> Result<(), CommandError> {
        let method = if on { "miner_start" } else { "miner_stop" };
        for index in self.alive() {
            if self.members[index].mines {
                self.call(index, method, json!([]))?;
            }
        }
        Ok(())
    }

    /// Has all nodes pay for their blocks to an address.
    ///
    /// # Errors
    /// [`CommandError`] if it is none of this chain.
    pub fn pay(&mut self, address: &str) -> Result<(), CommandError> {
        for index in self.alive() {
            self.call(index, "miner_setAddress", json!([address]))?;
        }
        Ok(())
    }

    /// Cuts the network into groups: nobody lets in, or dials, anybody of another.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn partition(&mut self, groups: &[Vec<usize>]) -> Result<(), CommandError> {
        self.heal()?;
        for (side, group) in groups.iter().enumerate() {
            group.iter().for_each(|index| self.sides[*index] = side);
        }
        self.alive().into_iter().try_for_each(|index| self.shut_out(index))
    }

    /// Keeps all of other sides out of one node.
    fn shut_out(&self, index: usize) -> Result<(), CommandError> {
        for other in 0..self.members.len() {
            if self.sides[other] != self.sides[index] {
                let id = &self.members[other].id;
                self.call(index, "admin_ban", json!([id, LONG, "partition"]))?;
            }
        }
        Ok(())
    }

    /// Joins what was cut.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn heal(&mut self) -> Result<(), CommandError> {
        self.sides.fill(0);
        let alive = self.alive();
        for index in &alive {
            for other in 0..self.members.len() {
                let id = &self.members[other].id;
                self.call(*index, "admin_unban", json!([id]))?;
            }
        }
        alive.into_iter().try_for_each(|index| self.connect(index))
    }

    /// Starts a node that has ended.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn restart(&mut self, index: usize) -> Result<(), CommandError> {
        self.members[index].start()?;
        self.members[index].wait(&self.stop)?;
        self.shut_out(index)?;
        self.connect(index)?;
        if self.members[index].mines {
            self.call(index, "miner_start", json!([]))?;
        }
        Ok(())
    }

    /// How all are. They are asked at once: a node that hangs is waited for, and there may be several.
    pub fn status(&mut self) -> Vec<Row> {
        self.rows(&(0..self.members.len()).collect::<Vec<_>>())
    }

    fn rows(&mut self, nodes: &[usize]) -> Vec<Row> {
        let alive = self.alive();
        let fleet = &*self;
        let row = |index: usize| match alive.contains(&index) {
            true => fleet.row(index),
            false => Row { side: fleet.sides[index], ..Row::default() },
        };
        thread::scope(|scope| {
            let asked: Vec<_> = nodes.iter().map(|index| scope.spawn(move || row(*index))).collect();
            let lost = |index: &usize| Row { side: fleet.sides[*index], ..Row::default() };
            asked.into_iter().zip(nodes).map(|(row, index)| row.join().unwrap_or_else(|_| lost(index))).collect()
        })
    }

    /// How one is.
    pub fn row(&self, index: usize) -> Row {
        let side = self.sides[index];
        let questions = ["chain_getInfo", "net_peerCount", "miner_status"].map(|method| (method, json!([])));
        let answers = self.go_on().and_then(|()| self.members[index].batch(&questions)).unwrap_or_default();
        let mut answers = answers.into_iter().map(|answer| answer.unwrap_or_default());
        let mut next = || answers.next().unwrap_or_default();
        let (info, peers, miner) = (next(), next(), next());
        let peers = u64::from_str_radix(text(&peers).trim_start_matches("0x"), 16).unwrap_or_default();
        Row {
            up: !info.is_null(),
            height: info["height"].as_u64().unwrap_or_default(),
            tip: text(&info["bestHash"]),
            work: text(&info["chainWork"]),
            peers,
            mempool: info["mempool"]["transactions"].as_u64().unwrap_or_default(),
            mining: miner["mining"] == true,
            side,
        }
    }

    /// Waits until these nodes have one tip; returns it.
    ///
    /// # Errors
    /// [`CommandError`] if they do not in time.
    pub fn agree(&mut self, nodes: &[usize], within: Duration) -> Result<Row, CommandError> {
        let end = Instant::now() + within;
        loop {
            self.go_on()?;
            let rows = self.rows(nodes);
            if let Some(first) = rows.first().filter(|first| rows.iter().all(|row| row.up && row.tip == first.tip)) {
                return Ok(first.clone());
            }
            if Instant::now() > end {
                let tips: Vec<String> =
                    rows.iter().map(|row| format!("{} at {}", shorten(&row.tip), row.height)).collect();
                return Err(CommandError::Stopped(format!("the nodes do not agree: {}", tips.join(", "))));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.members.iter_mut().for_each(Member::terminate);
        self.members.iter_mut().for_each(Member::finish);
        if !self.keep
            && let Err(error) = std::fs::remove_dir_all(&self.folder)
        {
            logging::say(&format!("cannot remove {}: {error}", self.folder.display()));
        }
    }
}

/// The end of a hash, for people: its beginning is zeros.
pub fn shorten(hash: &str) -> &str {
    &hash[hash.len().saturating_sub(8)..]
}
