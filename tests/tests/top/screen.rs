//! As much of a terminal (ECMA-48, xterm) as a program needs that draws by moving the cursor.

/// Letters in rows.
pub struct Screen {
    columns: usize,
    rows: usize,
    cells: Vec<char>,
    cursor: (usize, usize),
    /// What came of a sequence or a letter that is not complete.
    pending: Vec<u8>,
    /// Whether the other screen is shown, which full-screen programs draw on.
    pub is_alternate: bool,
    /// Whether the cursor is hidden.
    pub hides_cursor: bool,
    /// Whether anything was drawn in a colour.
    pub had_colours: bool,
}

impl Screen {
    /// An empty screen.
    pub fn new(columns: u16, rows: u16) -> Self {
        let (columns, rows) = (columns.into(), rows.into());
        Self {
            columns,
            rows,
            cells: vec![' '; columns * rows],
            cursor: (0, 0),
            pending: Vec::new(),
            is_alternate: false,
            hides_cursor: false,
            had_colours: false,
        }
    }

    /// Another size; the program draws anew.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let mut cells = Self::new(columns, rows);
        for (row, line) in self.cells.chunks(self.columns).enumerate().take(cells.rows) {
            for (column, letter) in line.iter().enumerate().take(cells.columns) {
                cells.cells[row * cells.columns + column] = *letter;
            }
        }
        (self.columns, self.rows, self.cells) = (cells.columns, cells.rows, cells.cells);
    }

    /// One row, without blanks at its end.
    pub fn row(&self, row: usize) -> String {
        let line: String = self.cells[row * self.columns..][..self.columns].iter().collect();
        line.trim_end().to_owned()
    }

    /// All rows.
    pub fn text(&self) -> String {
        (0..self.rows).map(|row| self.row(row) + "\n").collect()
    }

    /// Takes what a program writes.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.pending.push(*byte);
            match self.pending.as_slice() {
                [0x1b] | [0x1b, b'['] => {}
                [0x1b, b'[', .., 0x40..=0x7e] => {
                    let sequence = std::mem::take(&mut self.pending);
                    self.obey(&String::from_utf8_lossy(&sequence[2..]));
                }
                [0x1b, b'[', ..] => {}
                bytes => {
                    let Ok(letter) = std::str::from_utf8(bytes).map(str::to_owned) else {
                        assert!(bytes.len() < 4, "{bytes:?} is not text");
                        continue;
                    };
                    self.pending.clear();
                    for letter in letter.chars() {
                        self.put(letter);
                    }
                }
            }
        }
    }

    fn put(&mut self, letter: char) {
        match letter {
            '\r' => self.cursor.1 = 0,
            '\n' => self.cursor.0 += 1,
            letter => {
                assert!(!letter.is_control(), "{letter:?} was written");
                let (row, column) = self.cursor;
                if row < self.rows && column < self.columns {
                    self.cells[row * self.columns + column] = letter;
                }
                self.cursor.1 += 1;
            }
        }
    }

    /// A control sequence, from its parameters on.
    fn obey(&mut self, sequence: &str) {
        let (parameters, last) = sequence.split_at(sequence.len() - 1);
        let numbers = || parameters.split(';').map(|number| number.parse::<usize>().unwrap_or(0));
        match (parameters, last) {
            ("?1049", _) => {
                self.is_alternate = last == "h";
                self.cells.fill(' ');
            }
            ("?25", _) => self.hides_cursor = last == "l",
            ("2", "J") => self.cells.fill(' '),
            (_, "H") => {
                let mut place = numbers().map(|number| number.max(1) - 1);
                self.cursor = (place.next().unwrap_or(0), place.next().unwrap_or(0));
            }
            // 39, 49 and 59 are the terminal's own colours.
            (_, "m") => self.had_colours |= numbers().any(|code| matches!(code, 30..=38 | 40..=48 | 58 | 90..=107)),
            _ => panic!("the program sent ESC [ {sequence}"),
        }
    }
}
