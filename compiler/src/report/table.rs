//! Columns of text.

/// On which side a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells; each column is as wide as its widest cell.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these titles.
    pub(super) fn new(columns: &[(&'static str, Align)]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub(super) fn row<const CELLS: usize>(&mut self, cells: [String; CELLS]) {
        self.rows.push(cells.map(|cell| printable(&cell)).to_vec());
    }

    /// The table as lines, without trailing spaces.
    pub(super) fn text(&self) -> String {
        let titles: Vec<String> = self.columns.iter().map(|(title, _)| (*title).to_owned()).collect();
        let titled = titles.iter().any(|title| !title.is_empty());
        let lines: Vec<&Vec<String>> = titled.then_some(&titles).into_iter().chain(&self.rows).collect();
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        lines.iter().map(|line| self.line(line, &widths)).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, &width), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            let gap = if line.is_empty() { "" } else { "  " };
            match align {
                Align::Left => line.push_str(&format!("{gap}{cell:<width$}")),
                Align::Right => line.push_str(&format!("{gap}{cell:>width$}")),
            }
        }
        format!("{}\n", line.trim_end())
    }
}

/// `text` with control characters and marks of direction escaped, so that a name can't forge lines or order a terminal
/// about.
pub(super) fn printable(text: &str) -> String {
    frit_ir::diagnostic::render::escaped(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_spaces() {
        let mut table = Table::new(&[("name", Align::Left), ("n", Align::Right)]);
        table.row(["a".into(), "10".into()]);
        table.row(["long".into(), String::new()]);
        assert_eq!(table.text(), "name   n\na     10\nlong\n");
    }

    #[test]
    fn control_characters_are_escaped() {
        let mut table = Table::new(&[("", Align::Left)]);
        table.row(["a\n\u{1b}[2J".into()]);
        assert_eq!(table.text(), "a\\n\\u{1b}[2J\n");
    }
}
