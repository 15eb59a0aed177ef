//! Functions of a standalone session for which Cranelift has no instruction.

/// A function as machine code.
pub(super) struct Raw {
    /// What the text calls it.
    pub(super) name: &'static str,
    /// Position-independent, by the System V convention.
    pub(super) code: &'static [u8],
}

/// `cpuid(leaf, registers)` at subleaf 0, `xgetbv()` of register 0, and the hint of a loop that waits.
pub(super) const X86_64: [Raw; 3] = [
    Raw {
        name: "cpuid",
        code: &[
            0x53, // push rbx
            0x49, 0x89, 0xf0, // mov r8, rsi
            0x89, 0xf8, // mov eax, edi
            0x31, 0xc9, // xor ecx, ecx
            0x0f, 0xa2, // cpuid
            0x41, 0x89, 0x00, // mov [r8], eax
            0x41, 0x89, 0x58, 0x04, // mov [r8 + 4], ebx
            0x41, 0x89, 0x48, 0x08, // mov [r8 + 8], ecx
            0x41, 0x89, 0x50, 0x0c, // mov [r8 + 12], edx
            0x5b, // pop rbx
            0xc3, // ret
        ],
    },
    Raw {
        name: "xgetbv",
        code: &[
            0x31, 0xc9, // xor ecx, ecx
            0x0f, 0x01, 0xd0, // xgetbv
            0xc3, // ret
        ],
    },
    Raw {
        name: "pause",
        code: &[
            0xf3, 0x90, // pause
            0xc3, // ret
        ],
    },
];

/// The hint of a loop that waits.
pub(super) const AARCH64: [Raw; 1] = [Raw {
    name: "pause",
    code: &[
        0xdf, 0x3f, 0x03, 0xd5, // isb
        0xc0, 0x03, 0x5f, 0xd6, // ret
    ],
}];
