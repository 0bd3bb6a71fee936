//! The tip, how fast blocks come, whether the node is in sync, and what is final.

use cairn_client::{counted, hash_rate};
use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};
use serde_json::Value;

use super::{
    super::{
        super::words::{duration, grouped, scaled},
        snapshot::Snapshot,
        texts::{short, text},
        theme::Theme,
        view::{View, progress},
    },
    parts::{figure, panel, show, styled},
};

/// A tip that is older than so many intervals is looked at: one in 22,000 intervals is as long.
const LATE: u64 = 10;

/// Draws it.
pub fn chain(view: &View, seen: &Snapshot, theme: Theme, area: Rect, frame: &mut Buffer) {
    let area = panel("Chain", theme, area, frame);
    let chain = &seen.chain;
    let number = |name: &str| chain[name].as_u64().unwrap_or_default();
    let tip = format!("{}  {}", grouped(number("height")), short(&text(&chain["bestHash"])));
    let age = view.now.saturating_sub(number("time"));
    let is_late = age > LATE.saturating_mul(number("targetInterval")) && number("height") > 0;
    let [interval, rate] = pace(seen);
    let mut lines = vec![
        figure("tip", styled(tip, theme.strong()), theme),
        figure("age", styled(duration(age), if is_late { theme.warning() } else { Style::new() }), theme),
        figure("block time", interval, theme),
        figure("difficulty", scaled(chain["difficulty"].as_f64().unwrap_or_default()).trim_end().to_owned(), theme),
        figure("hash rate", rate, theme),
        figure("sync", sync(view, seen, theme), theme),
    ];
    lines.extend(finality(&seen.finality, theme).map(|value| figure("final", value, theme)));
    show(lines, area, frame);
}

/// How fast blocks come, against the target, and the hash rate that follows.
fn pace(seen: &Snapshot) -> [String; 2] {
    let target = duration(seen.chain["targetInterval"].as_u64().unwrap_or_default());
    let Some(pace) = seen.pace else { return [format!("target {target}"), "too few blocks".to_owned()] };
    let (interval, blocks) = (pace.interval, counted(pace.blocks, "block"));
    let interval = if interval < 60.0 { format!("{interval:.1} s") } else { duration(interval as u64) };
    let rate = pace.hash_rate.map_or("–".to_owned(), |rate| format!("{}, last {blocks}", hash_rate(rate)));
    [format!("{interval}, target {target}"), rate]
}

/// Whether the node has all blocks that it knows of.
fn sync(view: &View, seen: &Snapshot, theme: Theme) -> Span<'static> {
    let peers = seen.peers.as_ref().ok().and_then(Value::as_array);
    let claimed = peers.into_iter().flatten().filter_map(|peer| peer["height"].as_u64()).max();
    let height = seen.chain["height"].as_u64().unwrap_or_default();
    if seen.chain["syncing"] == true {
        let (current, highest) = progress(&seen.chain);
        let percent = 100 * u128::from(current) / u128::from(highest.max(1));
        let left = view.seconds_left().map(|seconds| format!(", {} left", rough(seconds))).unwrap_or_default();
        return styled(format!("{percent} % of {}{left}", grouped(highest)), theme.warning());
    }
    match claimed {
        // One block may be on its way.
        Some(claimed) if claimed > height.saturating_add(1) => {
            styled(format!("stuck: a peer claims {}", grouped(claimed)), theme.warning())
        }
        _ if seen.peer_count == Some(0) => styled("no peer to compare with", Style::new()),
        _ => styled("done", theme.good()),
    }
}

/// On a chain with finality.
fn finality(finality: &Value, theme: Theme) -> Option<Span<'static>> {
    finality["members"].as_array().filter(|members| !members.is_empty())?;
    if finality["alarm"].is_string() {
        return Some(styled(text(&finality["alarm"]), theme.bad()));
    }
    let (height, lag) = (finality["finalized"]["height"].as_u64(), finality["lag"].as_u64());
    let (height, lag) = (grouped(height.unwrap_or_default()), grouped(lag.unwrap_or_default()));
    Some(styled(format!("{height}, {lag} below the tip"), Style::new()))
}

/// Seconds in the largest unit alone.
fn rough(seconds: u64) -> String {
    let words = duration(seconds);
    // Two numbers with their units, or one.
    words.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
