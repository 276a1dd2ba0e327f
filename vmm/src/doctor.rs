//! `vitrine doctor`: what this machine can do for sandboxes, what is missing, and what to do about it.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::cli::DoctorOptions;
use crate::jail;
use crate::kvm::measure::{Costs, Survey, survey};
use crate::kvm::{KvmError, Mode, open_remedy};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    /// Sandboxes run, but less well or less safely.
    Warning,
    /// Sandboxes don't run.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warn",
            Verdict::Failed => "FAIL",
        })
    }
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    text: String,
    /// What to do, when something is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    kernel: String,
    processor: String,
    processors: u32,
    /// `privileged` or `deprivileged`; null if it can't be found out.
    mode: Option<&'static str>,
    checks: Vec<Check>,
    costs: Option<Costs>,
    ok: bool,
}

/// Examines the machine and prints a report. Whether sandboxes run here.
pub fn doctor(options: &DoctorOptions) -> bool {
    let report = examine();
    let text = if options.json {
        serde_json::to_string_pretty(&report).map(|text| text + "\n")
    } else {
        Ok(report.to_string())
    };
    match text {
        // A reader that has left knows enough.
        Ok(text) => drop(io::stdout().write_all(text.as_bytes())),
        Err(cause) => tracing::error!("printing the report as JSON: {cause}"),
    }
    report.ok
}

fn examine() -> Report {
    let mut checks = vec![device()];
    let found = match checks[0].verdict {
        Verdict::Failed => None,
        _ => Some(survey()),
    };
    match &found {
        Some(Ok(survey)) => checks.extend([kind(survey), mode(survey), features(survey)]),
        Some(Err(error)) => checks.push(unusable(error)),
        None => {}
    }
    checks.extend([seccomp(), landlock(), procfs(), huge_pages()]);
    let ok = checks.iter().all(|check| check.verdict != Verdict::Failed);
    let survey = found.and_then(Result::ok);
    let name = rustix::system::uname();
    Report {
        version: env!("CARGO_PKG_VERSION"),
        kernel: format!(
            "{} {}",
            name.sysname().to_string_lossy(),
            name.release().to_string_lossy()
        ),
        processor: processor(),
        processors: rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count()),
        mode: survey.map(|survey| survey.mode.name()),
        checks,
        costs: survey.map(|survey| survey.costs),
        ok,
    }
}

fn check(name: &'static str, verdict: Verdict, text: impl Into<String>, remedy: &str) -> Check {
    Check {
        name,
        verdict,
        text: text.into(),
        remedy: (!remedy.is_empty()).then(|| remedy.to_owned()),
    }
}

fn device() -> Check {
    let opened = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm");
    match opened {
        Ok(_) => check("/dev/kvm", Verdict::Ok, "can be opened", ""),
        Err(cause) => {
            let text = match cause.kind() {
                io::ErrorKind::NotFound => "missing".to_owned(),
                io::ErrorKind::PermissionDenied => "no permission to open it".to_owned(),
                _ => cause.to_string(),
            };
            check("/dev/kvm", Verdict::Failed, text, open_remedy(&cause))
        }
    }
}

fn unusable(error: &KvmError) -> Check {
    check("KVM", Verdict::Failed, error.to_string(), "")
}

fn kind(survey: &Survey) -> Check {
    let modules = ["kvm_intel", "kvm_amd", "kvm_pvm"];
    let module = modules
        .into_iter()
        .find(|module| Path::new("/sys/module").join(module).exists())
        .unwrap_or("built in or out of sight");
    let text = match survey.mode {
        Mode::Privileged => "hardware virtualisation: both rings run natively",
        Mode::Deprivileged => {
            "software virtualisation: ring 3 runs natively, ring 0 is interpreted"
        }
    };
    check("KVM", Verdict::Ok, format!("{text} (module: {module})"), "")
}

fn mode(survey: &Survey) -> Check {
    let text = match survey.mode {
        Mode::Privileged => "privileged, because SYSCALL from ring 3 arrives in ring 0",
        Mode::Deprivileged => "deprivileged, because SYSCALL from ring 3 stays in ring 3",
    };
    check("guest mode", Verdict::Ok, text, "")
}

fn features(survey: &Survey) -> Check {
    use std::arch::is_x86_feature_detected as has;
    let states = [
        ("AVX", survey.xcr0 & 4 != 0 && has!("avx")),
        ("AVX2", survey.xcr0 & 4 != 0 && has!("avx2")),
        ("AVX-512", survey.xcr0 & 0xe0 == 0xe0 && has!("avx512f")),
        ("AES", has!("aes")),
        ("SHA", has!("sha")),
    ];
    let mut names = vec!["FSGSBASE", "XSAVE"];
    names.extend(states.iter().filter(|(_, has)| *has).map(|(name, _)| *name));
    let text = format!(
        "{}; XCR0 {:#x}; TSC {} MHz",
        names.join(" "),
        survey.xcr0,
        survey.tsc_khz / 1000
    );
    if survey.tsc_khz == 0 {
        let remedy = "the guest's clocks will be coarse";
        return check("features", Verdict::Warning, text, remedy);
    }
    check("features", Verdict::Ok, text, "")
}

fn seccomp() -> Check {
    if Path::new("/proc/sys/kernel/seccomp/actions_avail").exists() {
        return check("seccomp", Verdict::Ok, "available", "");
    }
    check(
        "seccomp",
        Verdict::Failed,
        "missing from this kernel",
        "a kernel with CONFIG_SECCOMP_FILTER is needed; --no-jail runs without confinement",
    )
}

fn landlock() -> Check {
    match jail::landlock_status() {
        (text, None) => check("landlock", Verdict::Ok, text, ""),
        (text, Some(remedy)) => check("landlock", Verdict::Warning, text, remedy),
    }
}

fn procfs() -> Check {
    if Path::new("/proc/self/fd").exists() {
        return check("/proc", Verdict::Ok, "mounted", "");
    }
    let remedy = "mount procfs on /proc: files are opened through it";
    check("/proc", Verdict::Failed, "not mounted", remedy)
}

fn huge_pages() -> Check {
    let setting = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let chosen = setting.unwrap_or_default();
    let chosen = chosen
        .split(['[', ']'])
        .nth(1)
        .unwrap_or("unknown")
        .to_owned();
    if matches!(chosen.as_str(), "always" | "madvise") {
        return check("huge pages", Verdict::Ok, chosen, "");
    }
    check(
        "huge pages",
        Verdict::Warning,
        chosen,
        "guest memory is slower to touch: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
    )
}

fn processor() -> String {
    fs::read_to_string("/proc/cpuinfo")
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or_else(
            || "unknown processor".to_owned(),
            |(_, name)| name.to_owned(),
        )
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "vitrine {} on {}, {} × {}\n",
            self.version, self.kernel, self.processors, self.processor
        )?;
        for check in &self.checks {
            writeln!(
                f,
                "  {:<5} {:<12} {}",
                check.verdict, check.name, check.text
            )?;
            if let Some(remedy) = &check.remedy {
                writeln!(f, "  {:<5} {:<12} -> {remedy}", "", "")?;
            }
        }
        if let Some(costs) = &self.costs {
            for (name, nanos) in [
                ("SYSCALL", costs.syscall_ns),
                ("page fault", costs.fault_ns),
                ("VM exit", costs.exit_ns),
            ] {
                writeln!(f, "  {:<5} {name:<12} {:>6.2} µs", "cost", nanos / 1000.0)?;
            }
        }
        let conclusion = if self.ok {
            "Sandboxes run on this machine."
        } else {
            "Sandboxes don't run on this machine yet: see what is marked FAIL."
        };
        writeln!(f, "\n{conclusion}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_its_remedy() {
        let report = Report {
            version: "1",
            kernel: "Linux 1".to_owned(),
            processor: "x".to_owned(),
            processors: 1,
            mode: None,
            checks: vec![check("/dev/kvm", Verdict::Failed, "missing", "load it")],
            costs: None,
            ok: false,
        };
        let text = report.to_string();
        assert!(text.contains("FAIL  /dev/kvm     missing\n"), "{text}");
        assert!(text.contains("-> load it\n"), "{text}");
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.contains(r#""verdict":"failed""#), "{json}");
    }
}
