//! Compiles the program whose costs are measured.

use std::{env, path::PathBuf, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=guest");
    let binary = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("primitives");
    let status = Command::new("gcc")
        .args(["-O2", "-Wall", "-static", "-o"])
        .arg(&binary)
        .arg("guest/primitives.c")
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("gcc could not compile guest/primitives.c: {status}"),
        Err(error) => panic!("starting gcc (Debian package gcc): {error}"),
    }
    println!(
        "cargo:rustc-env=VITRINE_BENCH_PRIMITIVES={}",
        binary.display()
    );
}
