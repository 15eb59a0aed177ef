//! The C header of a standalone model.

use std::fmt::{Debug, Write};

use frit_runtime::program::{Metadata, Preprocess};
use frit_runtime::{Element, Port};

use super::interface::{Interface, MESSAGES, MOST_THREADS, Status, members};

/// The header of a model: what it takes and gives, statuses and functions, for C from C99 on and for C++.
pub fn header(interface: &Interface<'_>) -> String {
    let Metadata { name, producer, target, inputs, outputs, source, .. } = interface.metadata;
    let symbol = &interface.symbol;
    let upper = symbol.to_ascii_uppercase();
    let mut text = format!(
        "/* {}, compiled by {producer} for {}. Written by frit: what is changed here is lost.\n *\n{}",
        comment(name),
        target.level,
        HEAD.replace("MODEL", symbol),
    );
    text += &format!("#ifndef {upper}_H\n#define {upper}_H\n\n#include <stddef.h>\n\n");
    text += "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
    ports(&mut text, (symbol, "inputs"), inputs);
    ports(&mut text, (symbol, "outputs"), outputs);
    if let Some(preprocess) = source.preprocess.as_ref().filter(|preprocess| is_finite(preprocess)) {
        text += &pictures(&upper, preprocess);
    }
    statuses(&mut text, symbol);
    text += &FUNCTIONS.replace("UPPER", &upper).replace("MODEL", symbol);
    if !interface.labels().is_empty() {
        text += &LABELS
            .replace("UPPER", &upper)
            .replace("COUNT", &interface.labels().len().to_string())
            .replace("MODEL", symbol);
    }
    text + &format!("#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {upper}_H */\n")
}

/// How it is used; `MODEL` stands for the model's name.
const HEAD: &str = " \
* The object that belongs to this file holds code and weights. It needs libc and its threads (-pthread), and a system that
 * is Linux. A session has the memory and the threads of one caller; sessions are independent of each other.
 *
 *     MODEL_session *session;
 *     int status = MODEL_create(&session, 2);
 *     if (status != 0) { fputs(MODEL_message(status), stderr); exit(1); }
 *     status = MODEL_run(session, &inputs, &outputs, 1);
 *     MODEL_destroy(session);
 */
";

const FUNCTIONS: &str = "\
/* The memory and the threads of one caller. */
typedef struct MODEL_session MODEL_session;

/* Makes a session of so many threads, the caller's among them: 0 is 1, and UPPER_MOST_THREADS are the most. Where it returns
 * another status than 0, *session is null. */
int MODEL_create(MODEL_session **session, unsigned threads);

/* Runs `batch` images, one after the other. Each member of both structures points to the values of all images, one dense
 * image behind the other; what is written overlaps nothing else. Results are the same bits for any number of threads. A
 * session that runs already is refused. */
int MODEL_run(MODEL_session *session, const MODEL_inputs *inputs, const MODEL_outputs *outputs, size_t batch);

/* Ends the threads of a session that does not run, and gives its memory back. Null is allowed. */
void MODEL_destroy(MODEL_session *session);

/* A status in words. */
const char *MODEL_message(int status);

/* Whether this CPU has the instructions that the model was compiled for; MODEL_create asks too. */
int MODEL_cpu_ok(void);

/* What the model takes and gives, as JSON, for programs that have no header. */
const char *MODEL_signature(void);

";

const LABELS: &str = "\
/* The number of classes, and the name of each; null beyond the last. */
#define UPPER_LABELS COUNT
const char *MODEL_label(size_t index);

";

/// A structure of pointers, one a port, and before it what each points to.
fn ports(text: &mut String, (symbol, kind): (&str, &str), ports: &[Port]) {
    let upper = symbol.to_ascii_uppercase();
    let (qualifier, one) = if kind == "inputs" { ("const ", "INPUT") } else { ("", "OUTPUT") };
    let members = members(ports);
    for (port, member) in ports.iter().zip(&members) {
        let axes: Vec<String> = port.shape.iter().map(usize::to_string).collect();
        let prefix = format!("{upper}_{one}_{}", member.to_ascii_uppercase());
        // Writing to a String never fails.
        let _ = writeln!(
            text,
            "/* {} \"{}\": {} {}, the last axis fastest. */",
            if qualifier.is_empty() { "Output" } else { "Input" },
            comment(&port.name),
            port.element.name(),
            if axes.is_empty() { "alone".to_owned() } else { axes.join(" x ") },
        );
        let _ = writeln!(text, "#define {prefix}_RANK {}", axes.len());
        if !axes.is_empty() {
            let _ = writeln!(text, "#define {prefix}_SHAPE {{{}}}", axes.join(", "));
        }
        let _ = writeln!(text, "#define {prefix}_ELEMENTS {}\n", port.elements());
    }
    let _ = writeln!(text, "typedef struct {symbol}_{kind} {{");
    for (port, member) in ports.iter().zip(&members) {
        let _ = writeln!(text, "    {qualifier}{} *{member};", type_of(port.element));
    }
    if members.is_empty() {
        let _ = writeln!(text, "    {qualifier}void *none;");
    }
    let _ = writeln!(text, "}} {symbol}_{kind};\n");
}

/// The type of an element in C; of one that it has no type for there are bytes.
fn type_of(element: Element) -> &'static str {
    match element {
        Element::F32 => "float",
        _ => "unsigned char",
    }
}

fn pictures(upper: &str, preprocess: &Preprocess) -> String {
    let Preprocess { crop_center_square, bicubic, range, mean, std } = preprocess;
    format!(
        "/* A picture becomes an input: {}resized by a {} filter, then each byte of a channel\n * becomes (low + byte / 255 * \
         (high - low) - mean) / std. */\n#define {upper}_PICTURE_RANGE {}\n#define {upper}_PICTURE_MEAN {}\n#define \
         {upper}_PICTURE_STD {}\n\n",
        if *crop_center_square { "cropped to its centre square, " } else { "" },
        if *bicubic { "bicubic" } else { "bilinear" },
        list(range),
        list(mean),
        list(std),
    )
}

/// Numbers as C initialises an array with them, exactly.
fn list<N: Debug>(numbers: &[N]) -> String {
    let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:?}f")).collect();
    format!("{{{}}}", numbers.join(", "))
}

fn is_finite(Preprocess { range, mean, std, .. }: &Preprocess) -> bool {
    range.iter().chain(mean).chain(std).all(|number| number.is_finite())
}

fn statuses(text: &mut String, symbol: &str) {
    let upper = symbol.to_ascii_uppercase();
    let _ = writeln!(text, "/* What functions return. */\nenum {symbol}_status {{");
    for (index, (status, message)) in Status::ALL.iter().zip(MESSAGES).enumerate() {
        let comma = if index + 1 < Status::ALL.len() { "," } else { "" };
        let _ = writeln!(text, "    {upper}_{} = {}{comma} /* {message} */", status.in_c(), *status as i64);
    }
    let _ = writeln!(text, "}};\n\n#define {upper}_MOST_THREADS {MOST_THREADS}\n");
}

/// A name inside of a comment.
fn comment(name: &str) -> String {
    let printable = name.chars().map(|letter| if letter.is_control() { '?' } else { letter });
    printable.collect::<String>().replace("*/", "* /").replace("/*", "/ *")
}
