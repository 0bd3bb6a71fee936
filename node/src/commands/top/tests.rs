//! Whole frames, as a terminal of 80 x 24 or 120 x 40 shows them.

use ratatui::{
    backend::TestBackend,
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
};
use serde_json::{Value, json};

use super::{
    draw,
    event::{Event, Kind},
    plain,
    screen::Screen,
    snapshot::{Pace, Snapshot},
    theme::Theme,
    view::View,
};
use crate::error::CommandError;

/// 2027-01-15 08:00:00 UTC.
const NOW: u64 = 1_800_000_000;

const PLAIN: Theme = Theme { colours: false };

fn worker(name: &str, sessions: u64, hashrate: f64) -> Value {
    json!({
        "address": "lcrn1qx", "worker": name, "agent": "bitaxe", "sessions": sessions, "hashrate": hashrate, "bestShare": 812_345.5,
        "accepted": 1_203, "staleRate": 0.0016, "blocks": 3, "lastSeen": NOW - 7,
    })
}

fn peer(number: u64, agent: &str) -> Value {
    json!({
        "id": format!("12D3{number}"), "address": format!("/ip4/10.0.0.{number}/tcp/30303/p2p/12D3{number}"),
        "direction": if number.is_multiple_of(2) { "inbound" } else { "outbound" }, "agent": agent, "height": 1_204,
        "connected": 3_700 * number, "pingMs": 0.4 * number as f64,
    })
}

fn snapshot() -> Snapshot {
    let next = |count: u64| {
        json!({
            "transactions": count, "gas": 250_000 * count, "size": 277 * count,
            "tipPerGas": { "least": 1, "median": count, "most": 2 * count },
        })
    };
    Snapshot {
        at: NOW,
        chain: json!({
            "chain": "local", "chainId": 133_702, "height": 1_204, "headers": 1_204, "time": NOW - 5, "targetInterval": 5,
            "bestHash": "0000014f592d91360000000000000000000000000000000000000000fdf1e885", "difficulty": 8_388_607.0,
            "syncing": false, "sync": null, "baseFee": 7,
            "mempool": { "transactions": 1_350, "pending": 1_340, "bytes": 402_000, "maxBytes": 104_857_600 },
        }),
        finality: json!({ "members": [] }),
        next: json!({ "blocks": [next(240), next(120), next(60), next(30), next(15), next(8), next(4), next(2)] }),
        miner: json!({ "mining": true, "hashrate": 2_500_000.0, "threads": 1, "blocks": 2, "waiting": null }),
        stratum: json!({ "workers": 2, "hashrate": 1.2e12, "blocks": 3, "stratum": "127.0.0.1:3333" }),
        workers: json!([worker("attic", 0, 5e12), worker("desk", 1, 2e11), worker("garage", 2, 1e12)]),
        node: json!({ "version": "0.1.0 (1a2b3c4d5)", "uptime": 3_700 }),
        peers: Ok((1..=12).map(|number| peer(number, "cairn-node/v0.1.0-1a2b3c4d5/linux")).collect()),
        peer_count: Some(12),
        version: json!("cairn-node/v0.1.0"),
        pace: Some(Pace { blocks: 50, interval: 5.25, hash_rate: Some(1.68e6) }),
        events: (1_190..=1_204)
            .map(|height| Event::new(NOW - 5 * (1_204 - height), Kind::Block, format!("block {height}")))
            .collect(),
        log: None,
    }
}

fn view(snapshot: Snapshot) -> View {
    let mut view = View::new("http://127.0.0.1:8545".to_owned());
    view.take(Ok(snapshot), NOW);
    view
}

fn drawn(view: &View, theme: Theme, (width, height): (u16, u16)) -> Buffer {
    let mut screen = Screen::new(TestBackend::new(width, height));
    screen.draw((width, height), |frame| draw::frame(view, theme, frame)).unwrap();
    screen.backend().buffer().clone()
}

fn text(view: &View, size: (u16, u16)) -> String {
    plain::text(&drawn(view, PLAIN, size), PLAIN)
}

fn expect(view: &View, size: (u16, u16), expected: &str) {
    let shown = text(view, size);
    assert!(shown == expected, "shown:\n{shown}\nexpected:\n{expected}");
}

#[test]
fn all_fits_into_80_by_24() {
    expect(&view(snapshot()), (80, 24), include_str!("tests/80x24.txt"));
}

#[test]
fn a_larger_terminal_shows_more() {
    expect(&view(snapshot()), (120, 40), include_str!("tests/120x40.txt"));
}

#[test]
fn without_colours_nothing_is_coloured() {
    let mut view = view(snapshot());
    for failure in [None, Some(CommandError::NoAnswer { url: view.url.clone(), reason: "refused".into() })] {
        view.failure = failure;
        let coloured = |theme| {
            let frame = drawn(&view, theme, (80, 24));
            let count = frame.content.iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count();
            (count, plain::text(&frame, theme))
        };
        let ((none, text), (some, escapes)) = (coloured(PLAIN), coloured(Theme { colours: true }));
        assert_eq!((none, text.contains('\x1b')), (0, false));
        assert!(some > 0 && escapes.contains("\x1b[0;1;36m"));
    }
}

#[test]
fn those_who_have_the_cookie_see_the_log_and_others_events() {
    let line = |text: &str| Event::new(NOW, Kind::Warning, text);
    let mut view = view(Snapshot { log: Some(vec![line("reorganised depth=2"), line("stopping")]), ..snapshot() });
    let shown = text(&view, (80, 24));
    assert!(shown.contains("Log (UTC)") && shown.contains("  stopping") && !shown.contains("block 1204"), "{shown}");
    view.take(Err(CommandError::NoAnswer { url: view.url.clone(), reason: "refused".into() }), NOW);
    view.take(Ok(Snapshot { log: Some(Vec::new()), ..snapshot() }), NOW);
    assert!(text(&view, (80, 24)).contains("the node answers again"), "what this side knows is there, too");
    view.take(Ok(snapshot()), NOW);
    let shown = text(&view, (80, 24));
    assert!(shown.contains("Events (UTC)") && shown.contains("block 1204"), "{shown}");
}

#[test]
fn where_the_cookie_is_can_be_read_on_a_narrow_terminal() {
    let why = "the node refuses: admin_peers needs the node's cookie. Programs of the node's user on its machine find it by themselves; others are \
        given --cookie FILE (or CAIRN_COOKIE), a copy of the node's DATADIR/.cookie";
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = words(&text(&view(Snapshot { peers: Err(why.into()), ..snapshot() }), (80, 24)));
    assert!(shown.contains(&words(why)), "{shown}");
}

#[test]
fn a_number_that_does_not_fit_loses_its_end_and_says_so() {
    let mut seen = snapshot();
    seen.workers = json!([worker("a name of more than 18 letters", 1, 1.234_567e16)]);
    let shown = text(&view(seen), (80, 24));
    assert!(shown.contains(" a name of more th…  12345.67 T…    1,203"), "{shown}");
}

/// What a screen shows beside letters: blanks, rules, dashes, an ellipsis.
fn is_harmless(symbol: &str) -> bool {
    symbol.chars().all(|letter| !cairn_client::disguises(letter)) && symbol.chars().count() == 1
}

#[test]
fn what_the_node_says_steers_no_terminal() {
    let bad = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}evil\u{200b}\r\nroot# \u{301}\u{338}\u{fe0f}".repeat(20);
    let mut seen = snapshot();
    for field in ["chain", "chainId", "bestHash"] {
        seen.chain[field] = json!(bad);
    }
    seen.node["version"] = json!(bad);
    seen.version = json!(bad);
    seen.workers = json!([worker(&bad, 1, 1e12)]);
    seen.stratum["stratum"] = json!(bad);
    seen.miner["waiting"] = json!(bad);
    seen.peers = Ok(json!([peer(1, &bad), { "address": bad, "direction": bad, "agent": bad }]));
    seen.finality = json!({ "members": [{}], "alarm": bad });
    let mut view = view(seen);
    for round in 0..2 {
        for size in [(80, 24), (120, 40)] {
            let frame = drawn(&view, Theme { colours: true }, size);
            let wrong = frame.content.iter().find(|cell| !is_harmless(cell.symbol()));
            assert_eq!(wrong, None);
            assert!(text(&view, size).contains("evil"));
        }
        if round == 0 {
            view.snapshot.as_mut().unwrap().peers = Err(bad.clone());
            view.failure = Some(CommandError::NoAnswer { url: "http://x".into(), reason: bad.clone() });
        }
    }
}

#[test]
fn numbers_that_no_node_has_are_shown_all_the_same() {
    for odd in [json!(null), json!(u64::MAX), json!(-1), json!(1e308), json!("x"), json!([]), json!({})] {
        let mut seen = snapshot();
        for part in
            [&mut seen.chain, &mut seen.next, &mut seen.miner, &mut seen.stratum, &mut seen.node, &mut seen.finality]
        {
            for value in part.as_object_mut().unwrap().values_mut() {
                *value = odd.clone();
            }
        }
        let all =
            |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), odd.clone())).collect::<serde_json::Map<_, _>>();
        let of_pool = all(&["transactions", "pending", "bytes", "maxBytes"]);
        seen.chain["mempool"] = of_pool.into();
        seen.chain["syncing"] = true.into();
        seen.chain["sync"] = all(&["current", "highest"]).into();
        seen.next = json!({ "blocks": [all(&["transactions", "gas", "size", "tipPerGas"]), odd] });
        seen.workers =
            json!([all(&["worker", "sessions", "hashrate", "bestShare", "staleRate", "accepted", "lastSeen"]), odd]);
        seen.peers = Ok(json!([all(&["address", "direction", "height", "pingMs", "connected"]), odd]));
        let mut view = view(seen);
        view.now = u64::MAX;
        text(&view, (80, 24));
        view.now = 0;
        text(&view, (80, 24));
    }
}

#[test]
fn any_size_is_drawn() {
    let (full, empty) = (view(snapshot()), View::new("http://127.0.0.1:8545".to_owned()));
    for width in (0..=40).chain([79, 80, 81, 300]) {
        for height in (0..=30).chain([100]) {
            // A backend of no cells has nothing to be drawn on.
            for view in [&full, &empty] {
                draw::frame(view, PLAIN, &mut Buffer::empty(Rect::new(0, 0, width, height)));
            }
        }
    }
}

#[test]
fn a_screen_that_changes_its_size_is_drawn_anew() {
    let view = view(snapshot());
    let mut screen = Screen::new(TestBackend::new(80, 24));
    for (width, height) in [(80, 24), (40, 10), (120, 40), (80, 24)] {
        screen.backend().resize(width, height);
        screen.draw((width, height), |frame| draw::frame(&view, PLAIN, frame)).unwrap();
        let shown = screen.backend().buffer().clone();
        assert!(plain::text(&shown, PLAIN) == text(&view, (width, height)), "{shown:?}");
    }
}

#[test]
fn a_node_that_is_away_is_named_until_it_is_back() {
    let mut view = View::new("http://127.0.0.1:8545".to_owned());
    assert!(text(&view, (80, 24)).contains("asking http://127.0.0.1:8545"));
    let away = || CommandError::NoAnswer { url: "http://127.0.0.1:8545".into(), reason: "Connection refused".into() };
    view.take(Err(away()), NOW);
    view.retry = Some(3);
    let last = |view: &View| text(view, (80, 24)).lines().last().unwrap_or_default().to_owned();
    let line = " no answer from http://127.0.0.1:8545 (Connection refused), trying again in 3 s";
    assert_eq!(last(&view), line);
    view.take(Ok(Snapshot { at: NOW + 3, ..snapshot() }), NOW + 3);
    assert_eq!(last(&view), " q quit   p pause   r refresh");
    view.take(Err(away()), NOW + 4);
    view.take(Err(away()), NOW + 7);
    assert_eq!(last(&view), line);
    // What was known stays.
    assert!(text(&view, (80, 24)).contains("tip        1,204"));
    view.take(Ok(Snapshot { at: NOW + 10, events: Vec::new(), ..snapshot() }), NOW + 10);
    let shown = text(&view, (80, 24));
    for line in
        ["08:00:04  no answer from http://127.0.0.1:8545 (Connection refused)\n", "08:00:10  the node answers again\n"]
    {
        assert!(shown.contains(line), "{shown}");
    }
    view.paused = true;
    view.now = NOW + 12;
    let expected = format!(" q quit   p go on   r refresh{:>50}", "paused 2 s ago");
    assert_eq!(last(&view), expected);
}

#[test]
fn a_sync_tells_how_long_it_takes() {
    let mut view = view(snapshot());
    for second in 0..40 {
        let mut seen = snapshot();
        seen.at = NOW + second;
        seen.chain["syncing"] = true.into();
        seen.chain["sync"] = json!({ "start": 0, "current": 10_000 + 100 * second, "highest": 50_000 });
        view.take(Ok(seen), NOW + second);
    }
    let shown = text(&view, (80, 24));
    assert!(shown.contains("sync       27 % of 50,000, 6 min left"), "{shown}");
}

#[test]
fn finality_and_what_is_wrong_are_shown() {
    let mut seen = snapshot();
    seen.finality = json!({ "members": [{}, {}, {}, {}], "finalized": { "height": 1_200 }, "lag": 4 });
    seen.chain["time"] = json!(NOW - 60);
    seen.peers = Ok(json!([{ "height": 1_206 }]));
    let view = view(seen);
    let frame = drawn(&view, PLAIN, (80, 24));
    let shown = plain::text(&frame, PLAIN);
    for line in ["final      1,200, 4 below the tip", "sync       stuck: a peer claims 1,206", "age        1 min 0 s"] {
        assert!(shown.contains(line), "{shown}");
    }
    // The age, in the third line, is late.
    assert!(frame[(13, 3)].modifier.contains(Modifier::BOLD));
}
