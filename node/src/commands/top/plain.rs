//! A frame as lines of text, for `--once`.

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
    text::Span,
};

use super::theme::Theme;

/// The frame, without blanks at the ends of lines or empty lines at its end; with colours where the theme has them.
pub fn text(frame: &Buffer, theme: Theme) -> String {
    let width = usize::from(frame.area.width).max(1);
    let lines = frame.content.chunks(width).map(|cells| line(cells, theme.colours));
    let text = lines.fold(String::new(), |text, line| text + &line + "\n");
    format!("{}\n", text.trim_end())
}

fn line(cells: &[Cell], colours: bool) -> String {
    let blank = |cell: &&Cell| cell.symbol() == " ";
    let used = cells.len() - cells.iter().rev().take_while(blank).count();
    let (mut text, mut shown, mut hidden) = (String::new(), String::new(), 0);
    for cell in &cells[..used] {
        // Under a letter of two columns.
        if hidden > 0 {
            hidden -= 1;
            continue;
        }
        let style = if colours { codes(cell) } else { String::new() };
        if style != shown {
            text += &format!("\x1b[0{style}m");
            shown = style;
        }
        text += cell.symbol();
        hidden = Span::raw(cell.symbol()).width().saturating_sub(1);
    }
    if !shown.is_empty() {
        text += "\x1b[0m";
    }
    text
}

/// The numbers of ECMA-48 for a cell's look.
fn codes(cell: &Cell) -> String {
    let weights = [(Modifier::BOLD, ";1"), (Modifier::DIM, ";2")];
    let weights = weights.iter().filter(|(weight, _)| cell.modifier.contains(*weight)).map(|(_, code)| *code);
    let colour = match cell.fg {
        Color::Red => ";31",
        Color::Green => ";32",
        Color::Yellow => ";33",
        Color::Cyan => ";36",
        _ => "",
    };
    weights.chain([colour]).collect()
}
