//! Message sequence charts, as text and as SVG.

use crate::process::Id;
use std::fmt::Write;

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// The processes' names by id.
    pub names: Vec<String>,
    /// One line each.
    pub rows: Vec<Row>,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The time in the runner; the step in the explorer.
    pub at: u64,
    /// What happened.
    pub what: What,
    /// The message, the timer or the event.
    pub label: String,
}

/// Kinds of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A message arrived that was sent in row `sent`, or at the start.
    Arrives {
        /// The sender.
        from: Id,
        /// The receiver.
        to: Id,
        /// The row in which it was sent.
        sent: Option<usize>,
    },
    /// A message was lost.
    Lost {
        /// The sender.
        from: Id,
        /// Who will never receive it.
        to: Id,
    },
    /// A timer expired.
    Timer(Id),
    /// A process crashed.
    Crash(Id),
    /// A round ended for all.
    Round,
    /// A process showed something to the observer.
    Event(Id),
    /// What is wrong.
    Verdict,
}

const COLUMN: usize = 10;
const STEP: usize = 26;
const GAP: usize = 170;

impl Chart {
    /// The chart in letters, one line a row.
    pub fn text(&self) -> String {
        let mut text = format!("{:>6} ", "");
        for name in &self.names {
            let _ = write!(text, "{name:^COLUMN$}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        for row in &self.rows {
            let line = format!("{:>6} {} {}", row.at, self.lifelines(row.what), row.label);
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn lifelines(&self, what: What) -> String {
        let column = |id: Id| usize::from(id) * COLUMN + COLUMN / 2;
        let mut line = vec![b' '; self.names.len() * COLUMN];
        for id in 0..self.names.len() {
            line[id * COLUMN + COLUMN / 2] = b'|';
        }
        match what {
            What::Arrives { from, to, .. } => arrow(&mut line, column(from), column(to), None),
            What::Lost { from, to } => arrow(&mut line, column(from), column(to), Some(b'x')),
            What::Timer(who) => line[column(who)] = b'T',
            What::Crash(who) => line[column(who)] = b'X',
            What::Event(who) => line[column(who)] = b'*',
            What::Round => line.iter_mut().filter(|letter| **letter == b' ').for_each(|letter| *letter = b'.'),
            What::Verdict => line.fill(b'='),
        }
        String::from_utf8(line).expect("ASCII alone was written")
    }

    /// The chart as a picture. An arrow leaves the line of its sender where it was sent.
    pub fn svg(&self) -> String {
        let x = |id: Id| usize::from(id) * GAP + GAP / 2;
        let y = |row: usize| (row + 2) * STEP;
        let (width, height) = (self.names.len().max(3) * GAP, y(self.rows.len()) + STEP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
             font-size=\"11\">\n<defs><marker id=\"a\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"3\" \
             orient=\"auto\"><path d=\"M0,0 L7,3 L0,6 z\"/></marker></defs>\n<rect width=\"100%\" height=\"100%\" \
             fill=\"white\"/>\n"
        );
        for (id, name) in (0..).zip(&self.names) {
            let (at, end) = (x(id), height - STEP / 2);
            let _ = writeln!(svg, "<text x=\"{at}\" y=\"18\" text-anchor=\"middle\">{}</text>", escape(name));
            let _ = writeln!(svg, "<path d=\"M{at},24 V{end}\" stroke=\"silver\"/>");
        }
        for (number, row) in self.rows.iter().enumerate() {
            draw(&mut svg, row, x, y, number, width);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn arrow(line: &mut [u8], from: usize, to: usize, end: Option<u8>) {
    if from == to {
        line[from + 1] = b'<';
        line[from + 2] = b'-';
        return;
    }
    let (low, high) = (from.min(to), from.max(to));
    line[low + 1..high].fill(b'-');
    let (at, head) = if from < to { (to - 1, b'>') } else { (to + 1, b'<') };
    line[at] = end.unwrap_or(head);
}

fn draw(svg: &mut String, row: &Row, x: impl Fn(Id) -> usize, y: impl Fn(usize) -> usize, number: usize, width: usize) {
    let (end, label) = (y(number), escape(&row.label));
    let _ = match row.what {
        What::Arrives { from, to, sent } => {
            let start = sent.map_or(STEP, &y);
            let (middle, height) = (usize::midpoint(x(from), x(to)), usize::midpoint(start, end) - 4);
            writeln!(
                svg,
                "<path d=\"M{},{start} L{},{end}\" stroke=\"black\" marker-end=\"url(#a)\"/><text x=\"{middle}\" \
                 y=\"{height}\" text-anchor=\"middle\">{label}</text>",
                x(from),
                x(to)
            )
        }
        What::Lost { from, to } => {
            let (start, middle) = (x(from), usize::midpoint(x(from), x(to)));
            writeln!(
                svg,
                "<path d=\"M{start},{end} H{middle}\" stroke=\"red\" stroke-dasharray=\"4\"/><text x=\"{middle}\" \
                 y=\"{end}\" fill=\"red\">lost: {label}</text>"
            )
        }
        What::Timer(who) => writeln!(svg, "<text x=\"{}\" y=\"{end}\" fill=\"gray\">{label}</text>", x(who) + 6),
        What::Crash(who) => {
            writeln!(svg, "<text x=\"{}\" y=\"{end}\" fill=\"red\" font-weight=\"bold\">{label}</text>", x(who) + 6)
        }
        What::Event(who) => writeln!(
            svg,
            "<circle cx=\"{}\" cy=\"{end}\" r=\"4\"/><text x=\"{}\" y=\"{end}\">{label}</text>",
            x(who),
            x(who) + 7
        ),
        What::Round => writeln!(svg, "<path d=\"M0,{end} H{width}\" stroke=\"silver\" stroke-dasharray=\"2\"/>"),
        What::Verdict => writeln!(
            svg,
            "<path d=\"M0,{end} H{width}\" stroke=\"red\"/><text x=\"8\" y=\"{}\" fill=\"red\">{label}</text>",
            end - 5
        ),
    };
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let row = |at, what, label: &str| Row { at, what, label: label.to_owned() };
        Chart {
            names: vec!["a".into(), "b".into()],
            rows: vec![
                row(1, What::Arrives { from: 0, to: 1, sent: None }, "Ask<1>"),
                row(2, What::Lost { from: 1, to: 0 }, "Answer"),
                row(3, What::Crash(1), "crash"),
                row(4, What::Verdict, "blocked"),
            ],
        }
    }

    #[test]
    fn text_shows_arrows_losses_and_crashes() {
        let text = chart().text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "     1      |-------->|     Ask<1>");
        assert_eq!(lines[2], "     2      |x--------|     Answer");
        assert_eq!(lines[3], "     3      |         X     crash");
        assert_eq!(lines[4], "     4 ==================== blocked");
    }

    #[test]
    fn pictures_escape_what_a_protocol_prints() {
        let svg = chart().svg();
        assert!(svg.contains("Ask&lt;1&gt;"));
        assert!(svg.contains("lost: Answer"));
    }
}
