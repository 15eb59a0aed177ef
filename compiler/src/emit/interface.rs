//! What a C program sees of a standalone model: names, statuses, ports.

use frit_runtime::Port;
use frit_runtime::program::Metadata;
use serde::Serialize;

/// The most threads of a session.
pub const MOST_THREADS: usize = 1024;

/// What a function returns. In the header each name begins with the model's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum Status {
    /// All is well.
    Ok = 0,
    /// An argument that makes no sense.
    Argument = 1,
    /// The system has no more memory.
    Memory = 2,
    /// The system gives no more threads.
    Thread = 3,
    /// The CPU lacks what the code uses.
    Cpu = 4,
    /// The session is in use.
    InUse = 5,
}

/// The statuses in words, and at the end what is said of any other number.
pub const MESSAGES: [&str; 7] = [
    "no error",
    "an argument is wrong: a null or unaligned pointer, or too many threads",
    "the system refuses memory",
    "the system refuses a thread",
    "this CPU lacks instructions that the model was compiled for",
    "the session is in use: every caller needs a session of its own",
    "an unknown status",
];

impl Status {
    /// All, in the order of [`MESSAGES`].
    pub const ALL: [Status; 6] =
        [Status::Ok, Status::Argument, Status::Memory, Status::Thread, Status::Cpu, Status::InUse];

    /// Its name in the session's text.
    pub(super) fn in_text(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Argument => "argument",
            Status::Memory => "memory",
            Status::Thread => "thread",
            Status::Cpu => "cpu",
            Status::InUse => "in_use",
        }
    }

    /// Its name in C, behind the model's.
    pub(super) fn in_c(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::Argument => "ERROR_ARGUMENT",
            Status::Memory => "ERROR_MEMORY",
            Status::Thread => "ERROR_THREAD",
            Status::Cpu => "ERROR_CPU",
            Status::InUse => "ERROR_IN_USE",
        }
    }
}

/// The functions that every model has, behind its name.
const FUNCTIONS: [&str; 6] = ["create", "run", "destroy", "message", "cpu_ok", "signature"];
/// The one that a model of classes has.
const LABEL: &str = "label";

/// A model as C names it.
#[derive(Debug)]
pub struct Interface<'a> {
    /// How all of its names begin.
    pub symbol: String,
    pub(super) metadata: &'a Metadata,
}

impl<'a> Interface<'a> {
    /// The interface of a model whose names begin with `symbol`, an [`identifier`], or with its own name.
    pub fn new(symbol: Option<&str>, metadata: &'a Metadata) -> Interface<'a> {
        Interface { symbol: identifier(symbol.unwrap_or(&metadata.name), "model"), metadata }
    }

    /// The global functions.
    pub fn functions(&self) -> Vec<String> {
        let label = (!self.labels().is_empty()).then_some(LABEL);
        FUNCTIONS.into_iter().chain(label).map(|name| self.function(name)).collect()
    }

    /// Whether there is a global function of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        FUNCTIONS.contains(&name) || (name == LABEL && !self.labels().is_empty())
    }

    /// The whole name of a function.
    pub(super) fn function(&self, name: &str) -> String {
        format!("{}_{name}", self.symbol)
    }

    /// Names of the classes.
    pub(super) fn labels(&self) -> &'a [String] {
        self.metadata.source.labels.as_deref().unwrap_or_default()
    }

    /// What the model takes and gives, as JSON.
    pub(super) fn description(&self) -> String {
        #[derive(Serialize)]
        struct Tensor<'a> {
            name: &'a str,
            element: &'a str,
            shape: &'a [usize],
        }
        #[derive(Serialize)]
        struct Description<'a> {
            name: &'a str,
            producer: &'a str,
            target: &'a str,
            inputs: Vec<Tensor<'a>>,
            outputs: Vec<Tensor<'a>>,
            labels: usize,
        }
        let ports = |ports: &'a [Port]| {
            let told = |port: &'a Port| Tensor {
                name: &port.name,
                element: port.element.name(),
                shape: &port.shape,
            };
            ports.iter().map(told).collect()
        };
        let Metadata { name, producer, target, inputs, outputs, .. } = self.metadata;
        let description = Description {
            name,
            producer,
            target: &target.level,
            inputs: ports(inputs),
            outputs: ports(outputs),
            labels: self.labels().len(),
        };
        // Names and numbers are all that is in it.
        serde_json::to_string(&description).unwrap_or_default()
    }
}

/// What begins names that libc has: `pthread_create`, `sem_destroy`.
const OF_LIBC: [&str; 7] = ["pthread", "sem", "mtx", "cnd", "thrd", "tss", "timer"];

/// `name` as an identifier of C and C++ that no implementation reserves; `otherwise` where nothing is left of it.
pub fn identifier(name: &str, otherwise: &str) -> String {
    let mut identifier = String::new();
    for letter in name.chars() {
        match letter {
            letter if letter.is_ascii_alphanumeric() => identifier.push(letter),
            _ if identifier.is_empty() || identifier.ends_with('_') => {}
            _ => identifier.push('_'),
        }
    }
    let identifier = identifier.trim_end_matches('_');
    match identifier.chars().next() {
        None => otherwise.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("{otherwise}_{identifier}"),
        Some(_) if OF_LIBC.contains(&identifier) => format!("{identifier}_{otherwise}"),
        Some(_) => identifier.to_owned(),
    }
}

/// The names of `ports` as members of a structure: no word of the language, no two that differ in case alone, since macros
/// are made of them.
pub(super) fn members(ports: &[Port]) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    for port in ports {
        let mut name = identifier(&port.name, "tensor");
        if KEYWORDS.split_whitespace().any(|word| word == name) {
            name += "_tensor";
        }
        let taken = |name: &str| members.iter().any(|member| member.eq_ignore_ascii_case(name));
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name));
        members.extend(free);
    }
    members
}

/// The words of C23 and C++23 that are no names, and macros of their libraries that look like names.
const KEYWORDS: &str = "
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t
    class co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue
    decltype default delete do double dynamic_cast else enum explicit export extern false float for friend
    goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private
    protected public register reinterpret_cast requires restrict return short signed sizeof static
    static_assert static_cast struct switch template this thread_local throw true try typedef typeid
    typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq
    complex imaginary I errno assert linux unix NULL
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_becomes_an_identifier_that_is_free() {
        for (name, expected) in [
            ("mobilenet_v2", "mobilenet_v2"),
            ("ResNet-50 (v1.5)", "ResNet_50_v1_5"),
            ("__x__y", "x_y"),
            ("50", "model_50"),
            ("", "model"),
            ("日本", "model"),
            ("pthread", "pthread_model"),
        ] {
            assert_eq!(identifier(name, "model"), expected, "{name}");
            assert_eq!(identifier(expected, "model"), expected, "it stays what it is");
        }
    }

    #[test]
    fn members_are_no_keywords_and_differ_in_more_than_case() {
        let ports = ["x", "X", "x_2", "int", "", "a/b", "a.b"].map(|name| Port::new(name, &[1]));
        assert_eq!(members(&ports), ["x", "X_2", "x_2_2", "int_tensor", "tensor", "a_b", "a_b_2"]);
    }

    #[test]
    fn every_status_has_a_message() {
        assert_eq!(Status::ALL.len() + 1, MESSAGES.len());
        assert!(Status::ALL.iter().enumerate().all(|(index, status)| *status as usize == index));
    }
}
