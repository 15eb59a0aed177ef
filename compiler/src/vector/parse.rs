//! Reads what `print` writes. Blank lines, indentation and comments (from `;` to the line's end) mean nothing.

use std::fmt;
use std::str::FromStr;

use frit_ir::Element;

use super::check::DEEPEST_NESTING;
use super::program::{Address, Comparison, Count, Instruction, Operand, Pointer, Program, Register, Vectors};

/// Why a text is no vector program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What was expected there.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// The program that `text` spells. Whether it is well formed is `check`'s business.
///
/// # Errors
/// The first line that is not as `print` would write it.
pub fn parse(text: &str) -> Result<Program, ParseError> {
    let mut lines =
        text.lines().enumerate().map(|(index, line)| (index + 1, code(line))).filter(|(_, c)| !c.is_empty());
    let (line, head) = lines.next().ok_or(ParseError { line: 1, message: "a kernel is missing".into() })?;
    let mut program = head_of(head).map_err(|message| ParseError { line, message })?;
    program.body = body(&mut lines, text)?;
    match lines.next() {
        None => Ok(program),
        Some((line, _)) => {
            Err(ParseError { line, message: "nothing may follow the kernel's last brace".into() })
        }
    }
}

/// `line` without its comment and indentation.
fn code(line: &str) -> &str {
    line.split_once(';').map_or(line, |(code, _)| code).trim()
}

fn head_of(line: &str) -> Result<Program, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let &[
        "kernel",
        name,
        "parameters",
        parameters,
        "pointers",
        pointers,
        "registers",
        registers,
        "lanes",
        lanes,
        "of",
        of,
        rounding,
        "{",
    ] = words.as_slice()
    else {
        return Err(
            "expected `kernel NAME parameters N pointers N registers N lanes N of N fused|unfused {`".into(),
        );
    };
    let fused = match rounding {
        "fused" => true,
        "unfused" => false,
        _ => return Err(format!("`{rounding}` is neither `fused` nor `unfused`")),
    };
    Ok(Program {
        name: name.to_owned(),
        vectors: Vectors { lanes: number(lanes)?, registers: number(of)?, fused },
        parameters: number(parameters)?,
        pointers: number(pointers)?,
        registers: number(registers)?,
        body: Vec::new(),
    })
}

/// The instructions up to the kernel's closing brace. Open loops wait on a stack with their count.
fn body<'a>(
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
    text: &str,
) -> Result<Vec<Instruction>, ParseError> {
    let mut open: Vec<(Count, Vec<Instruction>)> = Vec::new();
    let mut current = Vec::new();
    for (line, code) in lines {
        let error = |message: String| ParseError { line, message };
        if let Some(count) = code.strip_prefix("loop ").and_then(|rest| rest.strip_suffix('{')) {
            if open.len() == DEEPEST_NESTING {
                return Err(error(format!("loops are nested deeper than {DEEPEST_NESTING}")));
            }
            open.push((count_of(count.trim()).map_err(error)?, std::mem::take(&mut current)));
        } else if code == "}" {
            let Some((count, outer)) = open.pop() else {
                return Ok(current);
            };
            let body = std::mem::replace(&mut current, outer);
            current.push(Instruction::Loop { count, body });
        } else {
            current.push(instruction(code).map_err(error)?);
        }
    }
    Err(ParseError { line: text.lines().count(), message: "a closing brace is missing".into() })
}

fn count_of(text: &str) -> Result<Count, String> {
    if text == "items" { Ok(Count::Items) } else { number(text).map(Count::Static) }
}

fn instruction(line: &str) -> Result<Instruction, String> {
    let (mnemonic, rest) = line.split_once(' ').ok_or_else(|| format!("`{line}` is no instruction"))?;
    let operands: Vec<&str> = rest.split(',').map(str::trim).collect();
    memory(mnemonic, &operands)
        .or_else(|| arithmetic(mnemonic, &operands))
        .or_else(|| bits(mnemonic, &operands))
        .unwrap_or_else(|| {
            Err(format!("there is no instruction `{mnemonic}` with {} operands", operands.len()))
        })
}

type Parsed = Option<Result<Instruction, String>>;

/// Loads, stores and pointers.
fn memory(mnemonic: &str, operands: &[&str]) -> Parsed {
    use Instruction as I;
    let parsed = match (mnemonic, operands) {
        ("load", [to, from]) => both(register(to), address(from)).map(|(to, from)| I::Load { to, from }),
        ("store", [to, from]) => both(address(to), register(from)).map(|(to, from)| I::Store { to, from }),
        ("load.part", [to, from, lanes]) => both(both(register(to), address(from)), number(lanes))
            .map(|((to, from), lanes)| I::LoadPart { to, from, lanes }),
        ("store.part", [to, from, lanes]) => both(both(address(to), register(from)), number(lanes))
            .map(|((to, from), lanes)| I::StorePart { to, from, lanes }),
        ("broadcast", [to, from]) => {
            both(register(to), address(from)).map(|(to, from)| I::Broadcast { to, from })
        }
        ("set", [to, base, offset]) => both(both(pointer(to), pointer(base)), number(offset))
            .map(|((to, base), offset)| I::SetPointer { to, base, offset }),
        ("advance", [p, bytes]) => {
            both(pointer(p), number(bytes)).map(|(pointer, bytes)| I::Advance { pointer, bytes })
        }
        ("prefetch", [from]) => address(from).map(|from| I::Prefetch { from }),
        _ => return None,
    };
    Some(parsed)
}

/// Instructions whose last operand may lie in memory.
fn arithmetic(mnemonic: &str, operands: &[&str]) -> Parsed {
    use Instruction as I;
    let &[to, a, b] = operands else {
        return None;
    };
    let make: fn(Register, Register, Operand) -> Instruction = match mnemonic {
        "madd" => |sum, a, b| I::MultiplyAdd { sum, a, b },
        "add" => |to, a, b| I::Add { to, a, b },
        "sub" => |to, a, b| I::Subtract { to, a, b },
        "mul" => |to, a, b| I::Multiply { to, a, b },
        "div" => |to, a, b| I::Divide { to, a, b },
        "min" => |to, a, b| I::Minimum { to, a, b },
        "max" => |to, a, b| I::Maximum { to, a, b },
        _ => return None,
    };
    Some(both(both(register(to), register(a)), operand(b)).map(|((to, a), b)| make(to, a, b)))
}

/// Instructions on registers and constants.
fn bits(mnemonic: &str, operands: &[&str]) -> Parsed {
    use Instruction as I;
    let compare = |comparison: Comparison, [to, a, b]: [&str; 3]| {
        three(to, a, b).map(|[to, a, b]| I::Compare { to, comparison, a, b })
    };
    let parsed = match (mnemonic, operands) {
        ("constant", [to, bits]) => both(register(to), hexadecimal(bits))
            .map(|(to, bits)| I::Constant { to, value: f32::from_bits(bits) }),
        ("move", [to, from]) => both(register(to), register(from)).map(|(to, from)| I::Move { to, from }),
        ("less", &[to, a, b]) => compare(Comparison::Less, [to, a, b]),
        ("less.equal", &[to, a, b]) => compare(Comparison::LessOrEqual, [to, a, b]),
        ("select", [to, mask, yes, no]) => both(register(to), three(mask, yes, no))
            .map(|(to, [mask, yes, no])| I::Select { to, mask, yes, no }),
        ("add.integer", [to, a, b]) => three(to, a, b).map(|[to, a, b]| I::AddInteger { to, a, b }),
        ("shift.left", [to, a, bits]) => both(both(register(to), register(a)), number(bits))
            .map(|((to, a), bits)| I::ShiftLeft { to, a, bits }),
        ("shift.right", [to, a, bits]) => both(both(register(to), register(a)), number(bits))
            .map(|((to, a), bits)| I::ShiftRight { to, a, bits }),
        ("sqrt", [to, a]) => both(register(to), register(a)).map(|(to, a)| I::SquareRoot { to, a }),
        _ => return None,
    };
    Some(parsed)
}

fn both<A, B>(a: Result<A, String>, b: Result<B, String>) -> Result<(A, B), String> {
    Ok((a?, b?))
}

fn three(a: &str, b: &str, c: &str) -> Result<[Register; 3], String> {
    Ok([register(a)?, register(b)?, register(c)?])
}

fn register(text: &str) -> Result<Register, String> {
    let index = text.strip_prefix('r').ok_or_else(|| format!("`{text}` is no register (such as `r3`)"))?;
    number(index).map(Register)
}

fn pointer(text: &str) -> Result<Pointer, String> {
    let index = text.strip_prefix('p').ok_or_else(|| format!("`{text}` is no pointer (such as `p1`)"))?;
    number(index).map(Pointer)
}

fn address(text: &str) -> Result<Address, String> {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or_else(|| format!("`{text}` is no address (such as `[p1+16]`)"))?;
    let (element, inner) = inner.split_once(' ').unwrap_or((Element::F32.name(), inner));
    let element = Element::ALL.into_iter().find(|known| known.name() == element);
    let element = element.ok_or_else(|| format!("`{text}` names no element"))?;
    let end = inner.find(['+', '-']).unwrap_or(inner.len());
    let (base, offset) = inner.split_at(end);
    let offset = if offset.is_empty() { 0 } else { number(offset)? };
    Ok(Address { base: pointer(base)?, offset, element })
}

fn operand(text: &str) -> Result<Operand, String> {
    match text.strip_prefix("each ") {
        Some(rest) => address(rest.trim()).map(Operand::Broadcast),
        None if text.starts_with('[') => address(text).map(Operand::Memory),
        None => register(text).map(Operand::Register),
    }
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{text}` is no number, or one that is too large here"))
}

fn hexadecimal(text: &str) -> Result<u32, String> {
    let digits = text
        .strip_prefix("0x")
        .filter(|digits| digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(|| format!("`{text}` is no constant (the bits of an f32, such as `0x3f800000`)"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vector::random;

    const VECTORS: [Vectors; 3] = [
        Vectors { lanes: 4, registers: 16, fused: false },
        Vectors { lanes: 8, registers: 16, fused: true },
        Vectors { lanes: 16, registers: 32, fused: true },
    ];

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same_program(program in prop::sample::select(&VECTORS[..]).prop_flat_map(random::programs)) {
            let text = program.to_string();
            let again = parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            // NaN is unlike itself, so that programs are compared by their text, which holds all of a program.
            prop_assert_eq!(again.to_string(), text);
            prop_assert_eq!(format!("{again:?}"), format!("{program:?}"));
        }

        #[test]
        fn no_text_makes_the_parser_panic(lines in prop::collection::vec(
            "(kernel|loop|load|madd|constant|set|\\}|\\{| |r[0-9]{1,6}|p1|\\[p0[+-][0-9]{0,12}\\]|,|0x[0-9a-g+]{8}|;|\u{e9}){0,8}", 0..8
        )) {
            let head = "kernel k parameters 1 pointers 2 registers 3 lanes 4 of 16 fused {\n";
            let _ = parse(&lines.join("\n"));
            let _ = parse(&format!("{head}{}", lines.join("\n")));
        }
    }

    fn in_kernel(body: &str) -> Result<Program, ParseError> {
        parse(&format!("kernel k parameters 1 pointers 2 registers 3 lanes 4 of 16 fused {{\n{body}\n}}"))
    }

    #[test]
    fn comments_and_indentation_mean_nothing() {
        let plain = in_kernel("load r0, [p0]\nloop items {\nadvance p0, -8\n}").unwrap();
        let decorated =
            in_kernel("    load   r0 ,[p0] ; a comment\n\n\t; another\nloop   items {\n advance p0, -8\n }")
                .unwrap();
        assert_eq!(plain, decorated);
    }

    #[test]
    fn an_error_names_the_line_and_what_was_expected() {
        let cases = [
            ("lod r0, [p0]", "there is no instruction `lod` with 2 operands"),
            ("add r0, r1", "there is no instruction `add` with 2 operands"),
            ("load x0, [p0]", "`x0` is no register (such as `r3`)"),
            ("load r70000, [p0]", "`70000` is no number, or one that is too large here"),
            ("load r0, [p0+99999999999]", "`+99999999999` is no number, or one that is too large here"),
            ("constant r0, 1.0", "`1.0` is no constant (the bits of an f32, such as `0x3f800000`)"),
            (
                "constant r0, 0x+3f80000",
                "`0x+3f80000` is no constant (the bits of an f32, such as `0x3f800000`)",
            ),
            ("loop often {", "`often` is no number, or one that is too large here"),
            ("}", "nothing may follow the kernel's last brace"),
        ];
        for (body, message) in cases {
            let error = in_kernel(body).unwrap_err();
            assert_eq!(error.message, message);
            assert_eq!(error.line, if body == "}" { 3 } else { 2 });
        }
    }

    #[test]
    fn missing_braces_and_deep_nests_are_refused() {
        assert_eq!(in_kernel("loop 2 {").unwrap_err().message, "a closing brace is missing");
        assert!(in_kernel(&format!("{}{}", "loop 2 {\n".repeat(24), "}\n".repeat(24))).is_ok());
        assert!(in_kernel(&format!("{}{}", "loop 2 {\n".repeat(25), "}\n".repeat(25))).is_err());
        assert!(parse("").is_err());
    }
}
