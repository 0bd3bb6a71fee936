//! What panels are made of.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Rect},
    style::{Modifier, Style},
    text::{Line, Span, Text},
    widgets::{Block, Borders, Paragraph, Row, Table, Widget, Wrap},
};

use super::super::{texts::fit, theme::Theme};

/// A rule with a title; returns what is below.
pub fn panel(title: &str, theme: Theme, area: Rect, frame: &mut Buffer) -> Rect {
    // The rule is faint, and the title is drawn upon it.
    let title = Span::styled(format!(" {title} "), theme.title().remove_modifier(Modifier::DIM));
    let block = Block::new().borders(Borders::TOP).border_style(theme.faint()).title(title);
    let inner = block.inner(area);
    block.render(area, frame);
    let margin = inner.width.min(1);
    Rect { x: inner.x + margin, width: inner.width - margin, ..inner }
}

/// A figure with its name.
pub fn figure<'a>(name: &'a str, value: impl Into<Span<'a>>, theme: Theme) -> Line<'a> {
    Line::from(vec![Span::styled(format!("{name:<11}"), theme.faint()), value.into()])
}

/// A value in a style.
pub fn styled<'a>(value: impl Into<String>, style: Style) -> Span<'a> {
    Span::styled(value.into(), style)
}

/// Lines, one below the other.
pub fn show(lines: Vec<Line>, area: Rect, frame: &mut Buffer) {
    Paragraph::new(lines).render(area, frame);
}

/// A text in as many lines as it needs.
pub fn wrapped(text: Span, area: Rect, frame: &mut Buffer) {
    Paragraph::new(text).wrap(Wrap { trim: true }).render(area, frame);
}

/// Lines, with what is below them.
pub fn show_above(lines: Vec<Line>, area: Rect, frame: &mut Buffer) -> Rect {
    let used = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    show(lines, area, frame);
    Rect { y: area.y + used, height: area.height - used, ..area }
}

/// A column of a table.
pub struct Column {
    name: &'static str,
    width: Constraint,
    right: bool,
}

impl Column {
    /// Text of this width.
    pub const fn left(name: &'static str, width: u16) -> Self {
        Self { name, width: Constraint::Length(width), right: false }
    }

    /// Numbers of this width.
    pub const fn right(name: &'static str, width: u16) -> Self {
        Self { name, width: Constraint::Length(width), right: true }
    }

    /// Text that takes what is left.
    pub const fn rest(name: &'static str) -> Self {
        Self { name, width: Constraint::Fill(1), right: false }
    }
}

/// A table with a head, and so many blanks between columns; rows that do not fit are left out.
pub fn table<const N: usize>(
    (columns, blanks): (&[Column; N], u16),
    rows: impl Iterator<Item = [String; N]>,
    theme: Theme,
    area: Rect,
    frame: &mut Buffer,
) {
    let cells = |texts: [String; N]| {
        let cell = |(text, column): (String, &Column)| match column.width {
            // A number that loses its first digit would be another.
            Constraint::Length(width) if column.right => Text::raw(fit(&text, width.into())).right_aligned(),
            Constraint::Length(width) => Text::raw(fit(&text, width.into())),
            _ => Text::raw(text),
        };
        Row::new(texts.into_iter().zip(columns).map(cell).collect::<Vec<_>>())
    };
    let head = cells(columns.each_ref().map(|column| column.name.to_owned())).style(theme.faint());
    let rows = rows.take(area.height.into()).map(cells).collect::<Vec<_>>();
    let table = Table::new(rows, columns.each_ref().map(|column| column.width)).header(head).column_spacing(blanks);
    Widget::render(table, area, frame);
}
