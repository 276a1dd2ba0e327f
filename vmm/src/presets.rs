//! Rules that come with Vitrine: `vitrine presets`, and what `--preset` means.

use std::io::Write;

use vitrine_introspect::filter::Definitions;
use vitrine_introspect::filter::rules::{self, FileError, PRESETS, RuleFile};

use crate::cli::PresetOptions;

/// Why a preset can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// There is none of this name.
    #[error("{0}")]
    Unknown(String),
    /// A setting isn't KEY=VALUE.
    #[error("`{0}` is no setting; write NAME:KEY=VALUE,KEY=VALUE, as in fake-time:offset=-1h")]
    Setting(String),
    /// The values don't fit.
    #[error("{0}")]
    File(#[from] FileError),
}

/// The rules of `NAME[:KEY=VALUE,…]`.
pub fn rules_of(spec: &str, definitions: &Definitions) -> Result<RuleFile, PresetError> {
    let (name, settings) = spec.split_once(':').unwrap_or((spec, ""));
    let preset = rules::preset(name).map_err(PresetError::Unknown)?;
    let settings = settings.split(',').filter(|setting| !setting.is_empty());
    let values: Vec<(&str, &str)> = settings
        .map(|setting| {
            setting
                .split_once('=')
                .ok_or_else(|| PresetError::Setting(setting.to_owned()))
        })
        .collect::<Result<_, _>>()?;
    Ok(rules::from_toml_with(preset.text, definitions, &values)?)
}

/// Lists the presets, or prints one, on standard output; false if there is none of that name, which standard error then says.
pub fn presets(options: &PresetOptions) -> bool {
    let text = match &options.name {
        Some(name) => match rules::preset(name) {
            Ok(preset) => preset.text.to_owned(),
            Err(error) => {
                eprintln!("vitrine: {error}");
                return false;
            }
        },
        None => list(),
    };
    // A reader that has gone away has seen enough.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    true
}

fn list() -> String {
    let mut text = String::new();
    for preset in PRESETS {
        text.push_str(preset.name);
        text.push('\n');
        for line in preset.description().lines() {
            text.push_str("    ");
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_introspect::filter::Compiler;

    #[test]
    fn all_presets_compile_and_have_two_lines_of_documentation() {
        for preset in PRESETS {
            let file = rules_of(preset.name, &Definitions::default()).unwrap();
            let mut compiler = Compiler::new();
            compiler
                .rules(&file.rules, &[])
                .unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            compiler.filter.verify().unwrap();
            assert_eq!(preset.description().lines().count(), 2, "{}", preset.name);
        }
    }

    #[test]
    fn settings_are_checked() {
        let error = |spec: &str| {
            rules_of(spec, &Definitions::default())
                .unwrap_err()
                .to_string()
        };
        assert!(error("disk-ful").contains("did you mean `disk-full`?"));
        assert!(error("fake-time:offset").contains("no setting"));
        assert!(error("fake-time:off=1h").contains("it has offset"));
        assert!(error("slow-disk:read=never").contains("no duration"));
        assert!(error("deny-network:x=1").contains("it has none"));
    }
}
