//! A frame: what stands where. 80 x 24 shows everything; a larger terminal shows more peers, workers and events, a smaller one
//! less.

use ratatui::{buffer::Buffer, layout::Rect, text::Line};

use super::{
    super::words::duration,
    event::Event,
    panels::{chain, height_of_miners, height_of_peers, miners, panel, peers, pool, show, styled},
    snapshot::Snapshot,
    texts::{columns, fit, text},
    theme::Theme,
    view::View,
};

/// Lines of the chain and of the mempool: the title, and seven figures.
const TOP: u16 = 8;

/// The same where there is room for all eight blocks to come.
const TALL_TOP: u16 = 13;

/// Lines of a terminal that has this room.
const TALL: u16 = 36;

/// Least lines of the miners (title, two figures, head of the table and one worker), the peers, the events, as far as they
/// have something to show.
const LEAST: [u16; 3] = [5, 3, 5];

/// Draws a frame.
pub fn frame(view: &View, theme: Theme, frame: &mut Buffer) {
    let mut rest = frame.area;
    let head = take(&mut rest, 1);
    let foot = Rect { y: rest.bottom().saturating_sub(1), height: rest.height.min(1), ..rest };
    rest.height = rest.height.saturating_sub(1);
    footer(view, theme, foot, frame);
    let Some(seen) = &view.snapshot else {
        show(vec![styled(format!(" cairn-node top  {}", view.url), theme.strong()).into()], head, frame);
        if view.failure.is_none() {
            show(vec![Line::raw(""), Line::raw(format!(" asking {}", view.url))], rest, frame);
        }
        return;
    };
    header(view, seen, theme, head, frame);
    let top = take(&mut rest, if frame.area.height >= TALL { TALL_TOP } else { TOP });
    // A column between the two.
    let left = top.width / 2;
    chain(view, seen, theme, Rect { width: left.saturating_sub(1), ..top }, frame);
    pool(seen, theme, Rect { x: top.x + left, width: top.width - left, ..top }, frame);
    let shared = rest.height.saturating_sub(LEAST[2].max(rest.height / 3));
    let rows = height_of_miners(seen).min(LEAST[0].max(shared / 2));
    miners(seen, view.now, theme, take(&mut rest, rows), frame);
    let rows = height_of_peers(seen).min(LEAST[1].max(shared.saturating_sub(rows)));
    peers(seen, theme, take(&mut rest, rows), frame);
    events(view, theme, rest, frame);
}

/// Takes lines off the top, as many as there are.
fn take(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    let taken = Rect { height: rows, ..*rest };
    *rest = Rect { y: rest.y + rows, height: rest.height - rows, ..*rest };
    taken
}

fn header(view: &View, seen: &Snapshot, theme: Theme, area: Rect, frame: &mut Buffer) {
    let version = match seen.node["version"].as_str() {
        Some(_) => format!("Cairn {}", text(&seen.node["version"])),
        // Only the node's own user is told more.
        None => fit(&text(&seen.version), 30),
    };
    let mut left = format!(" {version}  {} (id {})", text(&seen.chain["chain"]), text(&seen.chain["chainId"]));
    if let Some(uptime) = seen.node["uptime"].as_u64() {
        left += &format!("  up {}", duration(uptime));
    }
    let right = format!("{} ", view.url);
    let room = usize::from(area.width).saturating_sub(columns(&left));
    let place = if columns(&right) < room { format!("{right:>room$}") } else { String::new() };
    show(vec![Line::from(vec![styled(left, theme.strong()), styled(place, theme.faint())])], area, frame);
}

/// What is wrong, or the keys.
fn footer(view: &View, theme: Theme, area: Rect, frame: &mut Buffer) {
    if let Some(trouble) = view.trouble() {
        return show(vec![styled(format!(" {trouble}"), theme.bad()).into()], area, frame);
    }
    let pause = if view.paused { "go on" } else { "pause" };
    let keys = format!(" q quit   p {pause}   r refresh");
    let age = view.snapshot.as_ref().map(|seen| view.now.saturating_sub(seen.at));
    let state = match (view.paused, age) {
        (true, Some(age)) => format!("paused {} ago ", duration(age)),
        // A slow answer.
        (false, Some(age @ 3..)) => format!("as of {} ago ", duration(age)),
        _ => String::new(),
    };
    let room = usize::from(area.width).saturating_sub(columns(&keys));
    let state = styled(format!("{state:>room$}"), theme.warning());
    show(vec![Line::from(vec![styled(keys, theme.faint()), state])], area, frame);
}

/// The newest lines of the node's log, the newest last; for those who may not read it, of what was seen to happen.
fn events(view: &View, theme: Theme, area: Rect, frame: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let (title, events) = match view.log.is_empty() {
        true => ("Events (UTC)", &view.events),
        false => ("Log (UTC)", &view.log),
    };
    let area = panel(title, theme, area, frame);
    let first = events.len().saturating_sub(area.height.into());
    let lines = events.iter().skip(first).map(|event| line(event, theme, area.width));
    show(lines.collect(), area, frame);
}

fn line(event: &Event, theme: Theme, width: u16) -> Line<'_> {
    let (hours, minutes, seconds) = (event.at / 3_600 % 24, event.at / 60 % 60, event.at % 60);
    let time = format!("{hours:02}:{minutes:02}:{seconds:02}  ");
    let what = fit(&event.text, usize::from(width).saturating_sub(columns(&time)));
    Line::from(vec![styled(time, theme.faint()), styled(what, theme.event(event.kind))])
}
