//! /proc/cpuinfo, from what CPUID says.

use super::super::pseudo::{Text, text};
use crate::arch;
use alloc::{string::String, vec::Vec};

/// Names of feature bits, as Linux has them, by CPUID leaf, subleaf, register (EAX 0 … EDX 3) and bit.
const FLAGS: &[(u32, u32, usize, &[(u32, &str)])] = &[
    (
        1,
        0,
        3,
        &[
            (0, "fpu"),
            (1, "vme"),
            (2, "de"),
            (3, "pse"),
            (4, "tsc"),
            (5, "msr"),
            (6, "pae"),
            (7, "mce"),
            (8, "cx8"),
            (9, "apic"),
            (11, "sep"),
            (12, "mtrr"),
            (13, "pge"),
            (14, "mca"),
            (15, "cmov"),
            (16, "pat"),
            (17, "pse36"),
            (19, "clflush"),
            (23, "mmx"),
            (24, "fxsr"),
            (25, "sse"),
            (26, "sse2"),
            (27, "ss"),
            (28, "ht"),
        ],
    ),
    (
        0x8000_0001,
        0,
        3,
        &[
            (11, "syscall"),
            (20, "nx"),
            (22, "mmxext"),
            (25, "fxsr_opt"),
            (26, "pdpe1gb"),
            (27, "rdtscp"),
            (29, "lm"),
        ],
    ),
    (
        1,
        0,
        2,
        &[
            (0, "pni"),
            (1, "pclmulqdq"),
            (9, "ssse3"),
            (12, "fma"),
            (13, "cx16"),
            (17, "pcid"),
            (19, "sse4_1"),
            (20, "sse4_2"),
            (21, "x2apic"),
            (22, "movbe"),
            (23, "popcnt"),
            (24, "tsc_deadline_timer"),
            (25, "aes"),
            (26, "xsave"),
            (28, "avx"),
            (29, "f16c"),
            (30, "rdrand"),
            (31, "hypervisor"),
        ],
    ),
    (
        0x8000_0001,
        0,
        2,
        &[
            (0, "lahf_lm"),
            (1, "cmp_legacy"),
            (5, "abm"),
            (6, "sse4a"),
            (7, "misalignsse"),
            (8, "3dnowprefetch"),
            (11, "xop"),
            (16, "fma4"),
            (21, "tbm"),
        ],
    ),
    (
        7,
        0,
        1,
        &[
            (0, "fsgsbase"),
            (3, "bmi1"),
            (5, "avx2"),
            (7, "smep"),
            (8, "bmi2"),
            (9, "erms"),
            (10, "invpcid"),
            (16, "avx512f"),
            (17, "avx512dq"),
            (18, "rdseed"),
            (19, "adx"),
            (20, "smap"),
            (21, "avx512ifma"),
            (23, "clflushopt"),
            (24, "clwb"),
            (28, "avx512cd"),
            (29, "sha_ni"),
            (30, "avx512bw"),
            (31, "avx512vl"),
        ],
    ),
    (
        0xd,
        1,
        0,
        &[
            (0, "xsaveopt"),
            (1, "xsavec"),
            (2, "xgetbv1"),
            (3, "xsaves"),
        ],
    ),
    (7, 1, 0, &[(4, "avx_vnni"), (5, "avx512_bf16")]),
    (
        7,
        0,
        2,
        &[
            (1, "avx512vbmi"),
            (2, "umip"),
            (3, "pku"),
            (4, "ospke"),
            (6, "avx512_vbmi2"),
            (8, "gfni"),
            (9, "vaes"),
            (10, "vpclmulqdq"),
            (11, "avx512_vnni"),
            (12, "avx512_bitalg"),
            (14, "avx512_vpopcntdq"),
            (22, "rdpid"),
            (27, "movdiri"),
            (28, "movdir64b"),
        ],
    ),
    (
        7,
        0,
        3,
        &[
            (4, "fsrm"),
            (8, "avx512_vp2intersect"),
            (10, "md_clear"),
            (22, "amx_bf16"),
            (23, "avx512_fp16"),
            (24, "amx_tile"),
            (25, "amx_int8"),
        ],
    ),
];

/// CPUID results, asked for once: each asking costs microseconds.
struct Cpu {
    vendor: String,
    brand: String,
    family: u32,
    model: u32,
    stepping: u32,
    level: u32,
    flags: String,
    clflush: u32,
    physical_bits: u32,
    virtual_bits: u32,
    cache_kib: u32,
}

fn chars(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let text = String::from_utf8_lossy(&bytes);
    String::from(text.trim_matches(|c: char| c == '\0' || c == ' '))
}

fn ask() -> Cpu {
    let [level, b, c, d] = arch::cpuid(0, 0);
    let [highest_extended, ..] = arch::cpuid(0x8000_0000, 0);
    let has = |leaf: u32| {
        if leaf >= 0x8000_0000 {
            leaf <= highest_extended
        } else {
            leaf <= level
        }
    };
    let leaf = |leaf: u32, sub: u32| {
        if has(leaf) {
            arch::cpuid(leaf, sub)
        } else {
            [0; 4]
        }
    };
    let [version, misc, ..] = leaf(1, 0);
    let base_family = version >> 8 & 0xf;
    let family = match base_family {
        0xf => base_family + (version >> 20 & 0xff),
        family => family,
    };
    let mut model = version >> 4 & 0xf;
    if base_family >= 6 {
        model |= version >> 12 & 0xf0;
    }
    let brand: Vec<u32> = (0x8000_0002..=0x8000_0004)
        .flat_map(|number| leaf(number, 0))
        .collect();
    let mut flags = String::new();
    for (number, sub, register, names) in FLAGS {
        let word = leaf(*number, *sub)[*register];
        for (bit, name) in names.iter() {
            if word & 1 << bit != 0 {
                if !flags.is_empty() {
                    flags.push(' ');
                }
                flags.push_str(name);
            }
        }
    }
    let sizes = leaf(0x8000_0008, 0)[0];
    let cache = leaf(0x8000_0006, 0)[2];
    Cpu {
        vendor: chars(&[b, d, c]),
        brand: chars(&brand),
        family,
        model,
        stepping: version & 0xf,
        level,
        flags,
        clflush: (misc >> 8 & 0xff) * 8,
        physical_bits: if sizes == 0 { 36 } else { sizes & 0xff },
        virtual_bits: if sizes == 0 { 48 } else { sizes >> 8 & 0xff },
        cache_kib: cache >> 16,
    }
}

/// /proc/cpuinfo.
pub fn cpuinfo() -> Text {
    static CPU: spin::Once<Cpu> = spin::Once::new();
    let cpu = CPU.call_once(ask);
    let khz = crate::time::clock::tsc_khz();
    let mut out = text!(
        "processor\t: 0\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: {}\nstepping\t: {}\n",
        cpu.vendor,
        cpu.family,
        cpu.model,
        if cpu.brand.is_empty() {
            "unknown"
        } else {
            &cpu.brand
        },
        cpu.stepping,
    );
    if khz > 0 {
        out.put(format_args!(
            "cpu MHz\t\t: {}.{:03}\n",
            khz / 1000,
            khz % 1000
        ));
    }
    if cpu.cache_kib > 0 {
        out.put(format_args!("cache size\t: {} KB\n", cpu.cache_kib));
    }
    out.put(format_args!(
        "physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\napicid\t\t: 0\ninitial apicid\t: 0\n\
         fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: {}\nwp\t\t: yes\nflags\t\t: {}\nbugs\t\t:\n\
         bogomips\t: {}.{:02}\nclflush size\t: {}\ncache_alignment\t: {}\n\
         address sizes\t: {} bits physical, {} bits virtual\npower management:\n\n",
        cpu.level,
        cpu.flags,
        khz * 2 / 1000,
        khz * 2 % 1000 / 10,
        cpu.clflush,
        cpu.clflush,
        cpu.physical_bits,
        cpu.virtual_bits,
    ));
    out
}
