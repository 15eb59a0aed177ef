//! Whether a licence expression lets the project use a package.

/// Licences that the project takes code under; none asks more than its text beside a copy.
const ALLOWED: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether `expression` (SPDX, with `/` as an old way to write `OR`) can be met by licences that are allowed.
pub fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, next: 0 };
    let met = reader.any();
    met && reader.next == words.len()
}

struct Reader<'a> {
    words: &'a [&'a str],
    next: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.next) == Some(&word);
        self.next += usize::from(found);
        found
    }

    fn any(&mut self) -> bool {
        let mut met = self.every();
        while self.take("OR") {
            met |= self.every();
        }
        met
    }

    fn every(&mut self) -> bool {
        let mut met = self.one();
        while self.take("AND") {
            met &= self.one();
        }
        met
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let met = self.any();
            return self.take(")") && met;
        }
        let Some(&name) = self.words.get(self.next) else { return false };
        self.next += 1;
        let mut licence = name.to_owned();
        if self.take("WITH") {
            licence = format!("{name} WITH {}", self.words.get(self.next).unwrap_or(&""));
            self.next += 1;
        }
        ALLOWED.contains(&licence.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn one_allowed_alternative_is_enough_and_every_part_is_needed() {
        assert!(allowed("MIT OR Apache-2.0"));
        assert!(allowed("GPL-3.0 OR MIT"));
        assert!(allowed("(MIT OR GPL-3.0) AND Unicode-3.0"));
        assert!(allowed("Apache-2.0 WITH LLVM-exception"));
        assert!(allowed("Unlicense/MIT"));
        assert!(!allowed("MIT AND GPL-3.0"));
        assert!(!allowed("GPL-3.0"));
        assert!(!allowed("Apache-2.0 WITH something-else"));
        assert!(!allowed("MIT )"));
        assert!(!allowed(""));
    }
}
