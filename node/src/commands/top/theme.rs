//! Colours and weights. Without colours, weights alone tell things apart.

use ratatui::style::{Color, Modifier, Style};

use super::event::Kind;

/// How things look.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    /// Whether there are colours: none with NO_COLOR.
    pub colours: bool,
}

impl Theme {
    fn colour(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }

    /// The title of a panel.
    pub fn title(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// What matters most.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Names of figures, heads of columns.
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// All is well.
    pub fn good(self) -> Style {
        self.colour(Color::Green)
    }

    /// To be looked at.
    pub fn warning(self) -> Style {
        self.colour(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// Wrong.
    pub fn bad(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// An event.
    pub fn event(self, kind: Kind) -> Style {
        match kind {
            Kind::Block => Style::new(),
            Kind::Found => self.good(),
            Kind::Peer => self.faint(),
            Kind::Warning => self.warning(),
        }
    }
}
