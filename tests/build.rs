//! Compiles the guest test programs with gcc: programs/*.c dynamically and statically linked, fuzz/*.c statically.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    let dynamic = ("", &["-pie"][..]);
    let fixed = (".static", &["-static"][..]);
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let (programs, fuzz) = (out.join("programs"), out.join("fuzz"));
    compile("programs", &programs, &[dynamic, fixed]);
    compile("fuzz", &fuzz, &[("", &["-static"][..])]);
    println!(
        "cargo:rustc-env=VITRINE_TEST_PROGRAMS={}",
        programs.display()
    );
    println!("cargo:rustc-env=VITRINE_FUZZ_PROGRAMS={}", fuzz.display());
}

/// Compiles each C file in `from` to a program in `to` for each suffix and its flags.
fn compile(from: &str, to: &Path, variants: &[(&str, &[&str])]) {
    println!("cargo:rerun-if-changed={from}");
    fs::create_dir_all(to).unwrap_or_else(|error| panic!("making {}: {error}", to.display()));
    let mut sources: Vec<PathBuf> = fs::read_dir(from)
        .unwrap_or_else(|error| panic!("reading tests/{from}: {error}"))
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    sources.sort();
    for source in sources {
        let name = source
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for (suffix, flags) in variants {
            let status = Command::new("gcc")
                .args([
                    "-O1",
                    "-Wall",
                    "-Wno-stringop-overflow",
                    "-Wno-unused-result",
                    "-pthread",
                    "-fPIE",
                    "-o",
                ])
                .arg(to.join(format!("{name}{suffix}")))
                .arg(&source)
                .args(*flags)
                .args(["-lm"])
                .status();
            match status {
                Ok(status) if status.success() => {}
                Ok(status) => panic!("gcc could not compile {}: {status}", source.display()),
                Err(error) => panic!("starting gcc (Debian package gcc): {error}"),
            }
        }
    }
}
