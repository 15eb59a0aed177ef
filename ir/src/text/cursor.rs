//! A place in a line, and the small parts that lines are made of.

use super::is_plain;
use crate::Shape;
use crate::diagnostic::{Code, Diagnostic, Place, codes};

/// Line and column from 1; columns count characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    line: usize,
    column: usize,
}

impl Spot {
    /// The fault that the text can't be read here.
    pub(super) fn fault(self, message: impl Into<String>) -> Diagnostic {
        self.fault_with(codes::TEXT_SYNTAX, message)
    }

    /// A fault here with another code.
    pub(super) fn fault_with(self, code: Code, message: impl Into<String>) -> Diagnostic {
        let place = Place { line: Some(self.line), column: Some(self.column), ..Place::default() };
        Diagnostic::error(code, message).in_file(place)
    }
}

/// What is left of a line.
pub(super) struct Cursor<'a> {
    rest: &'a str,
    spot: Spot,
}

impl<'a> Cursor<'a> {
    /// The beginning of `text`, the line of this number.
    pub(super) fn new(text: &'a str, line: usize) -> Cursor<'a> {
        let mut cursor = Cursor { rest: text, spot: Spot { line, column: 1 } };
        cursor.skip_blanks();
        cursor
    }

    /// Where it stands.
    pub(super) fn spot(&self) -> Spot {
        self.spot
    }

    /// Whether nothing is left.
    pub(super) fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether `start` comes next.
    pub(super) fn sees(&self, start: &str) -> bool {
        self.rest.starts_with(start)
    }

    /// Passes `c` if it comes next.
    pub(super) fn eats(&mut self, c: char) -> bool {
        let eats = self.rest.starts_with(c);
        if eats {
            self.advance(c.len_utf8());
            self.skip_blanks();
        }
        eats
    }

    /// Passes `c`, which must come next.
    pub(super) fn expect(&mut self, c: char) -> Result<(), Diagnostic> {
        if self.eats(c) { Ok(()) } else { Err(self.unexpected(&format!("`{c}`"))) }
    }

    /// The fault that something else than `wanted` comes next.
    pub(super) fn unexpected(&self, wanted: &str) -> Diagnostic {
        let found: String = self.rest.chars().take_while(|c| !c.is_whitespace()).take(24).collect();
        let found =
            if found.is_empty() { "the line ends".to_owned() } else { format!("`{found}` stands there") };
        self.spot.fault(format!("expected {wanted}, but {found}"))
    }

    /// The plain word that comes next, which may be empty.
    pub(super) fn word(&mut self) -> &'a str {
        self.until(|c| !is_plain(c))
    }

    /// The text up to the first character that `ends` it.
    pub(super) fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let length = self.rest.find(ends).unwrap_or(self.rest.len());
        let text = self.advance(length);
        self.skip_blanks();
        text.trim_end()
    }

    /// The value of an attribute: the text up to the next comma or brace, where commas in parentheses don't count. `None`
    /// where there is none.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        let mut depth = 0usize;
        let end = |c: char| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return c == '}' || (c == ',' && depth == 0),
            }
            false
        };
        let length = self.rest.find(end).unwrap_or(self.rest.len());
        let value = self.advance(length).trim_end();
        (!value.is_empty()).then_some(value)
    }

    /// A name, plain or in quotes.
    pub(super) fn name(&mut self) -> Result<String, Diagnostic> {
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        match self.word() {
            "" => Err(self.unexpected("a name")),
            name => Ok(name.to_owned()),
        }
    }

    /// What `item` reads, as often as commas go on.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Diagnostic>,
    ) -> Result<Vec<T>, Diagnostic> {
        let mut items = vec![item(self)?];
        while self.eats(',') {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A shape.
    pub(super) fn shape(&mut self) -> Result<Shape, Diagnostic> {
        let spot = self.spot;
        shape(self.word()).ok_or_else(|| spot.fault("expected a shape such as 112x112x32"))
    }

    fn quoted(&mut self) -> Result<String, Diagnostic> {
        let start = self.spot;
        self.advance(1);
        let mut name = String::new();
        loop {
            let length = self.rest.find(['"', '\\']).ok_or_else(|| start.fault("a quote is never closed"))?;
            name.push_str(self.advance(length));
            let spot = self.spot;
            if self.eats('"') {
                return Ok(name);
            }
            name.push(self.escape().ok_or_else(|| spot.fault("the escapes are \\\" \\\\ and \\u{HEX}"))?);
        }
    }

    /// The character that an escape stands for.
    fn escape(&mut self) -> Option<char> {
        let escape = self.rest.strip_prefix('\\')?;
        if escape.starts_with(['"', '\\']) {
            self.advance(1);
            return self.advance(1).chars().next();
        }
        let (digits, _) = escape.strip_prefix("u{")?.split_once('}')?;
        let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
        self.advance("\\u{}".len() + digits.len());
        Some(c)
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest.len() - self.rest.trim_start().len();
        self.advance(blanks);
    }

    fn advance(&mut self, bytes: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.spot.column += passed.chars().count();
        passed
    }
}

/// The shape that `text` spells.
pub(super) fn shape(text: &str) -> Option<Shape> {
    if text == "scalar" {
        return Some(Shape::new(&[]));
    }
    let axes: Option<Vec<usize>> = text.split('x').map(|axis| axis.parse().ok()).collect();
    Some(Shape::new(&axes?))
}
