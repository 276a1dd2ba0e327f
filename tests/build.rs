//! Compiles the guest test programs (programs/*.c) with gcc, dynamically and statically linked.
//! Their folder is named in `target/test-programs`, for the nested machine's image.

use std::{env, fs, path::PathBuf, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=programs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("programs");
    fs::create_dir_all(&out).unwrap_or_else(|error| panic!("making {}: {error}", out.display()));
    let mut sources: Vec<PathBuf> = fs::read_dir("programs")
        .unwrap_or_else(|error| panic!("reading tests/programs: {error}"))
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
        for (suffix, flags) in [("", &["-pie"][..]), (".static", &["-static"][..])] {
            let binary = out.join(format!("{name}{suffix}"));
            let status = Command::new("gcc")
                .args([
                    "-O1",
                    "-Wall",
                    "-Wno-stringop-overflow",
                    "-pthread",
                    "-fPIE",
                    "-o",
                ])
                .arg(&binary)
                .arg(&source)
                .args(flags)
                .args(["-lm"])
                .status();
            match status {
                Ok(status) if status.success() => {}
                Ok(status) => panic!("gcc could not compile {}: {status}", source.display()),
                Err(error) => panic!("starting gcc (Debian package gcc): {error}"),
            }
        }
    }
    println!("cargo:rustc-env=VITRINE_TEST_PROGRAMS={}", out.display());
    // OUT_DIR is target/PROFILE/build/NAME-HASH/out.
    if let Some(target) = out.ancestors().nth(5) {
        let _ = fs::write(target.join("test-programs"), format!("{}\n", out.display()));
    }
}
