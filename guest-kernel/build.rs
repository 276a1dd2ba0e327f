//! Builds the vDSO (`vdso/`) into `OUT_DIR/vdso.so`: a shared object for user mode that the kernel embeds.
//!
//! The compiler makes an object file and the C compiler's linker the image, because rustc brings a version script of its own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("building the vDSO: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let crate_dir = PathBuf::from(var("CARGO_MANIFEST_DIR")?);
    let out_dir = PathBuf::from(var("OUT_DIR")?);
    let source = crate_dir.join("vdso/vdso.rs");
    let script = crate_dir.join("vdso/vdso.lds");
    let data = crate_dir.join("../abi/src/vdso.rs");
    for input in [&source, &script, &data] {
        println!("cargo:rerun-if-changed={}", input.display());
    }
    println!("cargo:rerun-if-changed=build.rs");

    let object = out_dir.join("vdso.o");
    let mut compile = Command::new(var("RUSTC")?);
    compile
        .args([
            "--crate-name",
            "vdso",
            "--crate-type",
            "lib",
            "--emit",
            "obj",
        ])
        .args(["--edition", "2024", "--target", "x86_64-unknown-linux-gnu"]);
    for option in [
        "panic=abort",
        "opt-level=3",
        "codegen-units=1",
        "debuginfo=0",
        "overflow-checks=no",
        "relocation-model=pic",
    ] {
        compile.args(["-C", option]);
    }
    run(compile.arg("-o").arg(&object).arg(&source))?;

    let image = out_dir.join("vdso.so");
    let mut link = Command::new("cc");
    link.args(["-shared", "-nostdlib", "-Wl,-soname,linux-vdso.so.1"])
        .args([
            "-Wl,--hash-style=both",
            "-Wl,-Bsymbolic",
            "-Wl,--no-undefined",
        ])
        .args([
            "-Wl,-z,max-page-size=4096",
            "-Wl,--eh-frame-hdr",
            "-Wl,--build-id=sha1",
            "-Wl,-s",
        ])
        .arg(format!("-Wl,-T,{}", script.display()));
    run(link.arg("-o").arg(&image).arg(&object))?;
    check(&image)
}

/// The kernel maps the file as it is, so it must be small and need no relocation.
fn check(image: &Path) -> Result<(), String> {
    let bytes = std::fs::read(image).map_err(|cause| format!("reading {image:?}: {cause}"))?;
    if bytes.len() > 4096 {
        return Err(format!("{} is {} bytes long", image.display(), bytes.len()));
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|cause| format!("starting {command:?}: {cause}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} failed with {status}"))
    }
}

fn var(name: &str) -> Result<String, String> {
    env::var(name).map_err(|cause| format!("reading the variable {name}: {cause}"))
}
