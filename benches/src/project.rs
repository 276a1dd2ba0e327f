//! A small C project, for what building it costs.

use std::{fs, io, path::PathBuf, process::Command};

/// Sources of it.
const FILES: usize = 40;
const MAKEFILE: &str =
    "prog: $(patsubst %.c,%.o,$(wildcard *.c))\n\tgcc -o $@ $^\n%.o: %.c\n\tgcc -O1 -c -o $@ $<\n";

/// The project, in a folder of its own that goes when this is dropped.
pub struct Project {
    folder: PathBuf,
}

impl Project {
    /// Writes it to the temporary folder.
    pub fn new() -> io::Result<Project> {
        let folder = std::env::temp_dir().join(format!("vitrine-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let project = Project { folder };
        fs::write(project.folder.join("Makefile"), MAKEFILE)?;
        for number in 0..FILES {
            let text = format!(
                "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n\
                 int f{number}(int x) {{ char text[64]; snprintf(text, sizeof text, \"%d\", x); return strlen(text) + {number}; }}\n"
            );
            fs::write(project.folder.join(format!("f{number}.c")), text)?;
        }
        fs::write(project.folder.join("main.c"), "int main() { return 0; }\n")?;
        Ok(project)
    }

    /// Builds all of it with `make -j2`: `prefix` is what runs make, such as `strace -f`; nothing: the host does.
    pub fn build(&self, prefix: &[&str]) -> Command {
        let line = [prefix, &["make", "-s", "-B", "-j2"]].concat();
        let mut command = Command::new(line[0]);
        command.args(&line[1..]).current_dir(&self.folder);
        command
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
