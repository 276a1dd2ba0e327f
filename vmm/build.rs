//! Builds the guest kernel with its own flags in a target folder of its own and hands its ELF to `boot::image`; compiles
//! `resources/seccomp.json` into the filters that `jail` installs.
//!
//! The kernel is a package of this workspace but not an ordinary dependency: it is linked at −2 GiB, without a
//! C runtime. Its target folder lies inside this build's one, so that no lock is shared with the outer cargo.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use seccompiler::{TargetArch, compile_from_json};
use serde_json::{Value, json};

/// Where the kernel's image is linked: `vitrine_abi::layout::IMAGE_BASE + KERNEL_IMAGE`.
const IMAGE_ADDRESS: u64 = 0xffff_ffff_8010_0000;
/// Given explicitly so that the flags reach the kernel alone, not the proc macros that it uses.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const PACKAGE: &str = "vitrine-guest-kernel";

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let crate_dir = PathBuf::from(var("CARGO_MANIFEST_DIR")?);
    let workspace = crate_dir.parent().ok_or("vmm lies in no workspace")?;
    let out_dir = PathBuf::from(var("OUT_DIR")?);
    let rules = workspace.join("resources/seccomp.json");
    let filters = seccomp_filters(&rules)
        .map_err(|reason| format!("compiling {}: {reason}", rules.display()))?;
    std::fs::write(out_dir.join("seccomp.rs"), filters)
        .map_err(|cause| format!("writing the seccomp filters: {cause}"))?;
    let image = guest_kernel(workspace, &out_dir)
        .map_err(|reason| format!("building the guest kernel: {reason}"))?;
    println!("cargo:rustc-env=VITRINE_GUEST_KERNEL={}", image.display());
    Ok(())
}

/// Rust source with one filter a kind of thread: `common` and the thread's own calls are allowed, the rest fails with EPERM.
fn seccomp_filters(rules: &Path) -> Result<String, String> {
    println!("cargo:rerun-if-changed={}", rules.display());
    let text = std::fs::read_to_string(rules).map_err(|cause| cause.to_string())?;
    let rules: Value = serde_json::from_str(&text).map_err(|cause| cause.to_string())?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let threads = rules["threads"].as_object().ok_or("no `threads`")?;
    let mut filters = serde_json::Map::new();
    for (name, own) in threads {
        let allowed = [list(&rules["common"]), list(own)].concat();
        filters.insert(
            name.clone(),
            json!({
                "mismatch_action": { "errno": 1 },
                "match_action": "allow",
                "filter": allowed,
            }),
        );
    }
    let text = Value::Object(filters).to_string();
    let compiled = compile_from_json(text.as_bytes(), TargetArch::x86_64)
        .map_err(|cause| cause.to_string())?;
    let mut names: Vec<_> = compiled.keys().collect();
    names.sort();
    let mut source = String::new();
    for name in names {
        let program: Vec<_> = compiled[name]
            .iter()
            .map(|step| (step.code, step.jt, step.jf, step.k))
            .collect();
        source += &format!(
            "pub(super) static {}: &[(u16, u8, u8, u32)] = &{program:?};\n",
            name.to_uppercase()
        );
    }
    Ok(source)
}

fn guest_kernel(workspace: &Path, out_dir: &Path) -> Result<PathBuf, String> {
    for input in ["guest-kernel", "abi", "Cargo.lock", "Cargo.toml"] {
        println!("cargo:rerun-if-changed={}", workspace.join(input).display());
    }
    let target_dir = kernel_target_dir(out_dir);
    let mut cargo = Command::new(var("CARGO")?);
    cargo
        .current_dir(workspace)
        .args(["build", "--release", "--package", PACKAGE])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target_dir);
    // The outer cargo's settings are meant for the VMM: wrappers such as clippy-driver or a coverage flag would break the kernel.
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let ours = name.starts_with("CARGO_")
            && !["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_TERM_COLOR"].contains(&name);
        let disturbs = [
            "RUSTFLAGS",
            "RUSTDOCFLAGS",
            "CARGO",
            "TARGET",
            "HOST",
            "PROFILE",
        ]
        .contains(&name)
            || name.starts_with("RUSTC")
            || name == "CLIPPY_ARGS";
        if ours || disturbs {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags().join("\u{1f}"));
    let status = cargo
        .status()
        .map_err(|cause| format!("starting {cargo:?}: {cause}"))?;
    if !status.success() {
        return Err(format!(
            "{cargo:?} failed with {status}; its messages stand above"
        ));
    }
    let image = target_dir.join(TARGET).join("release").join(PACKAGE);
    if image.is_file() {
        Ok(image)
    } else {
        Err(format!("no image at {}", image.display()))
    }
}

/// One stable folder beside `build/`, for all of this profile's builds of the VMM: the kernel is then rebuilt incrementally.
fn kernel_target_dir(out_dir: &Path) -> PathBuf {
    // OUT_DIR is TARGET_DIR/PROFILE/build/vitrine-HASH/out.
    match out_dir.ancestors().nth(3) {
        Some(profile) if profile.join("build").is_dir() => profile.join("guest-kernel"),
        _ => out_dir.join("guest-kernel"),
    }
}

fn flags() -> Vec<String> {
    let mut flags = Vec::new();
    for codegen in [
        "panic=abort",
        "relocation-model=static",
        "code-model=kernel",
        "no-redzone=yes",
        "force-frame-pointers=yes",
        "link-arg=-nostartfiles",
        "link-arg=-nostdlib",
        "link-arg=-static",
        "link-arg=-no-pie",
        "link-arg=-Wl,--build-id=none",
        "link-arg=-Wl,-z,norelro",
        "link-arg=-Wl,-z,noexecstack",
        // Only the precompiled `alloc`'s unwind tables name it; nothing unwinds in the kernel.
        "link-arg=-Wl,--defsym=rust_eh_personality=0",
    ] {
        flags.push(format!("-C{codegen}"));
    }
    flags.push(format!("-Clink-arg=-Wl,--image-base={IMAGE_ADDRESS:#x}"));
    flags
}

fn var(name: &str) -> Result<String, String> {
    env::var(name).map_err(|cause| format!("reading the variable {name}: {cause}"))
}
