//! Pages in Markdown, with their pictures.

use std::{fmt::Write as _, fs, path::Path};

/// Largest picture in bytes.
const MOST_BYTES: usize = 60_000;

/// A page of the report.
#[derive(Debug, Default)]
pub struct Page {
    /// File name without extension.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    text: String,
    pictures: Vec<(String, String)>,
    /// What was compared, and whether it was as expected.
    pub checks: Vec<(String, bool)>,
}

impl Page {
    /// An empty page.
    pub fn new(name: &'static str, title: &'static str) -> Self {
        Self { name, title, ..Self::default() }
    }

    /// A paragraph.
    pub fn text(&mut self, text: impl AsRef<str>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{}\n", text.as_ref());
    }

    /// A heading.
    pub fn heading(&mut self, text: &str) {
        self.text(format!("## {text}"));
    }

    /// A table.
    pub fn table(&mut self, heads: &[&str], rows: &[Vec<String>]) {
        let _ = writeln!(self.text, "| {} |", heads.join(" | "));
        let _ = writeln!(self.text, "|{}", " --- |".repeat(heads.len()));
        rows.iter().for_each(|row| _ = writeln!(self.text, "| {} |", row.join(" | ")));
        self.text.push('\n');
    }

    /// A picture, as SVG.
    pub fn picture(&mut self, name: &str, what: &str, svg: String) {
        self.text(format!("![{what}]({name}.svg)"));
        self.pictures.push((name.to_owned(), svg));
    }

    /// Notes whether something is as expected.
    pub fn check(&mut self, claim: impl Into<String>, holds: bool) {
        self.checks.push((claim.into(), holds));
    }

    /// Writes the page and its pictures.
    ///
    /// # Errors
    /// What cannot be written, or a picture that is too large.
    pub fn write(&self, folder: &Path) -> Result<(), String> {
        let save = |name: String, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
        };
        for (name, svg) in &self.pictures {
            if svg.len() > MOST_BYTES {
                return Err(format!("{name}.svg has {} bytes, {MOST_BYTES} are allowed", svg.len()));
            }
            save(format!("{name}.svg"), svg)?;
        }
        save(format!("{}.md", self.name), &format!("# {}\n\n{}", self.title, self.text.trim_end().to_owned() + "\n"))
    }
}
