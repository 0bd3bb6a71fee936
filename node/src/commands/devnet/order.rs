//! What may be typed while a devnet runs.

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Cut the network into these groups; who is in none is in one more.
    Partition(Vec<Vec<usize>>),
    /// Join what was cut.
    Heal,
    /// End a node as a power cut does.
    Kill(usize),
    /// Start a node that was killed.
    Restart(usize),
    /// Mine so many blocks on a node.
    Mine(u32, usize),
    /// Pay all nodes' blocks to an address.
    Pay(String),
    /// Take back so many blocks on all nodes but one.
    Reorg(u32),
    /// Print how all are.
    Status,
    /// Print what may be typed.
    Help,
    /// End all.
    Quit,
}

/// What reaches the devnet from outside.
#[derive(Debug)]
pub enum Input {
    /// A line was typed.
    Line(String),
    /// The page of a node gives an order.
    Order(String, Order),
    /// Nothing will be typed any more.
    End,
    /// A signal asks to stop.
    Stop,
}

/// What may be typed.
pub const HELP: &str = "partition 0,1 | 2,3   cut the network into groups; nodes named in none are a group of their own\n\
                        heal                  join them again\n\
                        kill 2, restart 2     end a node with SIGKILL, start it again\n\
                        mine 3, mine 3 1      mine blocks on the first node, or on another\n\
                        pay ADDRESS           have all nodes pay for their blocks there\n\
                        reorg 5               mine two branches apart, and let the longer one take back 5 blocks\n\
                        status, help, quit";

/// Deepest reorganisation on demand, and most blocks mined by one order.
const DEEPEST: u32 = 1_000;

impl Order {
    /// Reads a line, for so many nodes; nothing of an empty one.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(line: &str, nodes: usize) -> Result<Option<Self>, String> {
        let line = line.trim();
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let order = match (name, rest) {
            ("", "") => return Ok(None),
            ("partition", groups) => Self::Partition(partition(groups, nodes)?),
            ("kill", index) => Self::Kill(node(index, nodes)?),
            ("restart", index) => Self::Restart(node(index, nodes)?),
            ("mine", rest) => {
                let (count, index) = rest.split_once(char::is_whitespace).unwrap_or((rest, "0"));
                Self::Mine(number(count, "count")?, node(index, nodes)?)
            }
            ("pay", address) if !address.is_empty() => Self::Pay(address.to_owned()),
            ("reorg", depth) => Self::Reorg(number(depth, "depth")?),
            ("heal", "") => Self::Heal,
            ("status", "") => Self::Status,
            ("help", "") => Self::Help,
            ("quit" | "exit", "") => Self::Quit,
            _ => return Err(format!("unknown command {line:?}, expected one of:\n{HELP}")),
        };
        Ok(Some(order))
    }

    /// Whether it does something to the nodes.
    pub fn changes(&self) -> bool {
        !matches!(self, Self::Status | Self::Help | Self::Quit)
    }
}

fn node(text: &str, nodes: usize) -> Result<usize, String> {
    if text.trim().contains(char::is_whitespace) {
        return Err(format!(
            "{:?}: expected one node; in a partition commas stand between nodes, | between groups",
            text.trim()
        ));
    }
    let index = text.trim().parse().ok().filter(|index| *index < nodes);
    index.ok_or_else(|| {
        let got = if text.trim().is_empty() { "none was named".to_owned() } else { format!("{:?}", text.trim()) };
        format!("{got}: expected a node from 0 to {}", nodes.saturating_sub(1))
    })
}

fn number(text: &str, what: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=DEEPEST).contains(number));
    number.ok_or_else(|| format!("{text:?}: expected a {what} from 1 to {DEEPEST}"))
}

fn partition(text: &str, nodes: usize) -> Result<Vec<Vec<usize>>, String> {
    let mut seen = vec![false; nodes];
    let mut groups = Vec::new();
    for group in text.split('|') {
        let mut members = Vec::new();
        for text in group.split(',') {
            let index = node(text, nodes)?;
            if std::mem::replace(&mut seen[index], true) {
                return Err(format!("node {index} is named twice"));
            }
            members.push(index);
        }
        groups.push(members);
    }
    let rest: Vec<usize> = (0..nodes).filter(|index| !seen[*index]).collect();
    groups.extend((!rest.is_empty()).then_some(rest));
    match groups.len() {
        1 => Err("that is all nodes in one group: name at least two, as in `partition 0,1 | 2,3`".to_owned()),
        _ => Ok(groups),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_help_says() {
        let parse = |line| Order::parse(line, 5).unwrap();
        assert_eq!(parse(""), None);
        assert_eq!(parse(" partition 0,1 | 2, 3 "), Some(Order::Partition(vec![vec![0, 1], vec![2, 3], vec![4]])));
        assert_eq!(parse("partition 4"), Some(Order::Partition(vec![vec![4], vec![0, 1, 2, 3]])));
        assert_eq!(parse("kill 2"), Some(Order::Kill(2)));
        assert_eq!(parse("restart 4"), Some(Order::Restart(4)));
        assert_eq!(parse("reorg 1000"), Some(Order::Reorg(1_000)));
        assert_eq!(parse("mine 3"), Some(Order::Mine(3, 0)));
        assert_eq!(parse("mine 3  4"), Some(Order::Mine(3, 4)));
        assert_eq!(parse("pay lcrn1q"), Some(Order::Pay("lcrn1q".to_owned())));
        assert_eq!(parse("heal"), Some(Order::Heal));
        assert_eq!(parse("quit"), Some(Order::Quit));
    }

    #[test]
    fn says_what_is_wrong() {
        let wrong = |line| Order::parse(line, 3).unwrap_err();
        assert_eq!(wrong("kill 3"), "\"3\": expected a node from 0 to 2");
        assert_eq!(wrong("kill"), "none was named: expected a node from 0 to 2");
        assert!(wrong("partition 0 1").ends_with("commas stand between nodes, | between groups"));
        assert_eq!(wrong("reorg 0"), "\"0\": expected a depth from 1 to 1000");
        assert_eq!(wrong("mine 0"), "\"0\": expected a count from 1 to 1000");
        assert_eq!(wrong("mine 1 3"), "\"3\": expected a node from 0 to 2");
        assert_eq!(wrong("partition 0,0 | 1"), "node 0 is named twice");
        assert!(wrong("partition 0,1,2").starts_with("that is all nodes in one group"));
        assert!(wrong("heal now").starts_with("unknown command \"heal now\", expected one of:\npartition"));
    }
}
