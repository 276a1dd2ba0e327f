//! Rules that come with Vitrine, by name: the files in `resources/rules/`.

/// A file of rules that comes with Vitrine.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// As in `--preset NAME`.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

impl Preset {
    /// What it does: the comment at its head.
    pub fn description(&self) -> String {
        let lines = self.text.lines();
        let head = lines.map_while(|line| line.strip_prefix('#'));
        head.map(str::trim).collect::<Vec<_>>().join("\n")
    }
}

macro_rules! presets {
    ($($name:literal,)*) => {
        /// All of them.
        pub const PRESETS: &[Preset] = &[$(Preset {
            name: $name,
            text: include_str!(concat!("../../../../resources/rules/", $name, ".toml")),
        },)*];
    };
}

presets! {
    "deny-network",
    "disk-full",
    "fake-time",
    "fake-uid",
    "flaky-network",
    "hide-files",
    "package-audit",
    "readonly-home",
    "slow-disk",
}

/// The preset with this name; the error says which there are.
pub fn preset(name: &str) -> Result<&'static Preset, String> {
    PRESETS
        .iter()
        .find(|preset| preset.name == name)
        .ok_or_else(|| {
            let names = || PRESETS.iter().map(|preset| preset.name);
            let close = crate::filter::error::did_you_mean(name, names());
            let all: Vec<&str> = names().collect();
            let help = close.unwrap_or_else(|| format!("there are {}", all.join(", ")));
            format!("there is no preset `{name}`; {help}")
        })
}
