//! `vitrine run`: puts one sandbox together, runs it to its end, and takes it down in order.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::FileType;
use rustix::process::{Resource, Rlimit};
use vitrine_abi::boot::{
    FLAG_LOSSY, FLAG_TRACE_ALL, FLAG_TRACE_ENVIRONMENT, FLAG_TRACE_RIP, TRACE_GROUPS_SHIFT,
};
use vitrine_abi::filter::Filter;
use vitrine_introspect::Pipeline;
use vitrine_introspect::print::summary::{Column, SummaryOptions, SummarySink};

use crate::account::User;
use crate::bell::{Bell, End};
use crate::boot::{self, BootError, KernelImage, RING_DATA_BYTES, Workload};
use crate::cli::{self, RunOptions};
use crate::control::follow::{FanOut, Followers};
use crate::control::place::{self, Bound, PlaceError};
use crate::control::{self, Control, Policy};
use crate::events::{EventError, Events};
use crate::host::{Console, FileError, Files, Host, Writer, service};
use crate::identity::Identities;
use crate::jail::{Jail, JailError, ThreadKind};
use crate::kvm::{KvmError, Mode, Vm, probe};
use crate::program::{self, Unrunnable};
use crate::requests::Requests;
use crate::ring::{RingReader, Sink};
use crate::stops::{self, Stops};
use crate::trace::{Output, TraceSink};
use crate::vcpu::exit::Context;
use crate::vcpu::{self, RunLoop};
use crate::watch::{Live, Watch, WatchError};
use crate::{progress, tty, workload, zone};

/// From here on the host backs RAM with 2 MiB pages: what a small program touches stays small.
const HUGE_FROM: u64 = 0;
/// Stack of the VMM's helper threads.
const THREAD_STACK: usize = 256 << 10;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An empty name.
    #[error("the command to run is an empty string")]
    Empty,
    /// No such program.
    #[error("running {program}: not found; give a path, or check PATH and --root")]
    NotFound {
        /// As given.
        program: String,
    },
    /// The program can't be executed.
    #[error("running {program}: {reason}")]
    NotExecutable {
        /// As given.
        program: String,
        /// Why.
        reason: &'static str,
    },
    /// A string with a NUL.
    #[error("running {program}: an argument or variable contains a NUL byte")]
    Nul {
        /// As given.
        program: String,
    },
    /// The trace's file.
    #[error("creating {}: {cause}; name another file with -o", .path.display())]
    Output {
        /// As given.
        path: PathBuf,
        /// The host's answer.
        cause: io::Error,
    },
    /// Another guest kernel.
    #[error("reading the guest kernel {}: {cause}; --kernel takes an ELF file", .path.display())]
    Kernel {
        /// As given.
        path: PathBuf,
        /// The host's answer.
        cause: io::Error,
    },
    /// The controller's socket.
    #[error("connecting to the controller at {}: {cause}; --controller takes the path of a socket that a program listens on", .path.display())]
    Controller {
        /// As given.
        path: PathBuf,
        /// The host's answer.
        cause: io::Error,
    },
    /// The working directory given.
    #[error("--cwd {}: no such directory in the sandbox", .0.display())]
    Cwd(PathBuf),
    /// Files.
    #[error(transparent)]
    Files(#[from] FileError),
    /// What is to be watched or changed.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The control socket.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// KVM.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// Boot.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// The event thread.
    #[error(transparent)]
    Events(#[from] EventError),
    /// The jail.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// Threads, entropy.
    #[error("starting the sandbox: {0}; the machine may be out of memory or processes")]
    Start(#[from] io::Error),
    /// The guest.
    #[error(transparent)]
    Guest(#[from] vcpu::RunError),
}

/// What takes the events of a run, and how much it wants to know.
pub struct Tracing {
    /// Takes them.
    pub sink: Box<dyn Sink>,
    /// How much of each call is recorded.
    pub capture: Capture,
    /// Whether a terminal is told how it is getting on.
    pub progress: bool,
}

/// How much of a call is recorded. Limits that are 0 are the guest kernel's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// Bytes of a buffer.
    pub buffer: u32,
    /// Bytes of a string that is no path.
    pub string: u32,
    /// Whether environments are recorded, not only counted.
    pub environment: bool,
    /// Whether the address that it was made from is.
    pub rip: bool,
    /// Groups of events that are recorded besides (`vitrine_abi::event::change::group`).
    pub groups: u8,
}

/// Runs a sandbox to its end, with its trace where the options want one.
pub fn run(options: RunOptions) -> Result<End, RunError> {
    let mut watch = Watch::new(&options)?;
    let filter = watch.filter.take();
    let live = watch.live.take();
    let tracing = watch
        .printed
        .then(|| tracing(&options, watch))
        .transpose()?;
    run_traced(options, tracing, filter, live)
}

/// Runs a sandbox to its end; its events go where the caller says. Without a filter, all calls are recorded if there is a trace. `live`: what its control
/// socket starts from; without, it has none.
pub fn run_traced(
    options: RunOptions,
    tracing: Option<Tracing>,
    filter: Option<Filter>,
    live: Option<Live>,
) -> Result<End, RunError> {
    if let Some(tracing) = &tracing {
        zone::install();
        if tracing.progress {
            progress::enable();
        }
    }
    let started = Instant::now();
    let umask = workload::umask();
    let rlimits = workload::rlimits();
    let descriptors = raise_descriptor_limit();
    let here = options.cwd.clone().or_else(|| std::env::current_dir().ok());
    let here = here.unwrap_or_else(|| PathBuf::from("/"));
    let hide: Vec<PathBuf> = options.hide.iter().map(|path| here.join(path)).collect();
    let files = Files::new(&options.root, &hide, descriptors)?;
    let capture = tracing.as_ref().map(|tracing| tracing.capture);
    let filter = filter.map_or_else(Vec::new, |filter| encoded(filter, capture));
    let workload = workload(&options, capture, filter, &files, umask, rlimits)?;
    let sink = tracing.map(|tracing| tracing.sink);

    let other_kernel = options.kernel.as_deref().map(read_kernel).transpose()?;
    let image = match &other_kernel {
        Some(elf) => KernelImage::from_elf(elf),
        None => KernelImage::embedded(),
    };
    let image = image.map_err(BootError::from)?;
    let vm = Vm::new(options.mem, HUGE_FROM)?;
    let mut vcpu = vm.vcpu()?;
    let mode = choose_mode(&options, &mut vcpu, &vm)?;
    let loaded = boot::load(vm.ram(), &vcpu, &image, mode, &workload)?;
    vcpu.set_state(&loaded.cpu)?;
    let ram = Arc::clone(vm.ram());

    let events = Events::new(vcpu.tsc_khz(), vcpu.tsc_offset())?;
    let bell = Arc::new(Bell::new(Arc::clone(&ram))?);
    let console = Arc::new(Console::new(
        workload.console,
        Arc::clone(&bell),
        events.input_arm(),
    ));
    let bound = match live.is_some() && !options.no_control {
        true => control_socket(&options)?,
        false => None,
    };
    let controller = options.controller.as_deref().map(controller).transpose()?;
    let stops = Arc::new(Stops::new(stops::Policy {
        timeout: options.stop_timeout,
        on_detach: options.on_detach,
        controllable: controller.is_some() || bound.is_some(),
    }));
    let host = Arc::new(Host::new(
        Arc::clone(&ram),
        Arc::clone(&bell),
        Arc::clone(&console),
        files,
        Arc::clone(&stops),
    ));
    let ticker = events.ticker();

    let sockets = bound.as_ref().and_then(|bound| bound.path.parent());
    // What each thread inherits comes first; then each, this one last, installs its own filter.
    let jail = if options.no_jail {
        Jail::disabled()
    } else {
        Jail::enter(&options.root, sockets)?
    };
    let followers = Arc::new(Followers::default());
    let ring = RingReader::new(Arc::clone(&ram), loaded.ring, RING_DATA_BYTES);
    ring.set_active(sink.is_some());
    let fan_out = FanOut {
        log: sink,
        followers: Arc::clone(&followers),
    };
    let confine = move || jail.confine_or_abort(ThreadKind::Ring);
    let consumer = ring.start(Arc::clone(&bell), Box::new(fan_out), confine)?;
    let requests = Requests::new(Arc::clone(&ram), Arc::clone(&bell), loaded.mailbox);
    let requests = Arc::new(requests);
    let control = match (bound, live) {
        (Some(bound), Some(live)) => {
            let context = control::Context {
                name: bound.name.clone(),
                command: options
                    .command
                    .iter()
                    .map(|word| word.to_string_lossy().into_owned())
                    .collect(),
                mode: mode.name(),
                memory: options.mem,
                started,
                uid: rustix::process::geteuid().as_raw(),
                policy: Policy::new(
                    live,
                    Arc::clone(&requests),
                    Arc::clone(&ring),
                    Arc::clone(&followers),
                    capture.unwrap_or_default(),
                ),
                requests: Arc::clone(&requests),
                followers,
                stops: Arc::clone(&stops),
            };
            Some(Control::start(bound, context, jail)?)
        }
        _ => None,
    };
    {
        let (ram, bell) = (Arc::clone(&ram), Arc::clone(&bell));
        spawn("events", move || {
            jail.confine_or_abort(ThreadKind::Events);
            events.run(&ram, &bell)
        })?;
    }
    {
        let writer = Writer(Arc::clone(&console));
        spawn("console", move || {
            jail.confine_or_abort(ThreadKind::Console);
            writer.run()
        })?;
    }
    if let Some(stream) = controller {
        let stops = Arc::clone(&stops);
        // Before the guest's first stop.
        stops.attach(0, Box::new(|_| ()));
        spawn("control", move || {
            jail.confine_or_abort(ThreadKind::Ring);
            stops::serve::controller(&stops, 0, requests.as_ref(), &stream);
        })?;
    }
    let doorbells = (mode == Mode::Deprivileged && several_processors())
        .then(|| {
            let confine = move || jail.confine_or_abort(ThreadKind::Service);
            let (host, ram, bell) = (Arc::clone(&host), Arc::clone(&ram), Arc::clone(&bell));
            service::start(host, ram, bell, vcpu.tsc_khz(), confine)
        })
        .transpose()?;
    // Sleeps until a timer's deadline should end then, not up to 50 µs later.
    let _ = rustix::thread::set_current_timer_slack(Some(std::num::NonZeroU64::MIN));
    jail.confine(ThreadKind::Vcpu)?;

    tty::enter_raw_mode();
    let run_loop = RunLoop {
        vcpu,
        ram,
        context: Context {
            mode,
            kernel_text: loaded.kernel_text,
        },
        host,
        doorbells,
        bell,
        ticker,
        ring: Some(ring),
    };
    let result = run_loop.run();
    stops.close();
    // A killed sandbox doesn't wait for a reader that doesn't read.
    if !matches!(result, Ok(End::Killed(_))) {
        console.flush();
    }
    tty::restore();
    consumer.finish();
    if let Some(control) = control {
        control.finish();
    }
    Ok(result?)
}

/// The program that decides about stopped threads.
fn controller(path: &Path) -> Result<UnixStream, RunError> {
    let connect = || {
        let stream = UnixStream::connect(path)?;
        // One that doesn't read must not keep the sandbox from ending.
        stream.set_write_timeout(Some(Duration::from_secs(1)))?;
        Ok(stream)
    };
    connect().map_err(|cause| RunError::Controller {
        path: path.to_owned(),
        cause,
    })
}

/// The control socket. One that wasn't asked for by name isn't worth a failure.
fn control_socket(options: &RunOptions) -> Result<Option<Bound>, RunError> {
    match place::bind(options.name.as_deref()) {
        Ok(bound) => Ok(Some(bound)),
        Err(error) if options.name.is_some() => Err(error.into()),
        Err(error) => {
            tracing::warn!("{error}; other commands won't find this sandbox");
            Ok(None)
        }
    }
}

fn several_processors() -> bool {
    rustix::thread::sched_getaffinity(None).is_ok_and(|processors| processors.count() > 1)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(THREAD_STACK)
        .spawn(body)
        .map(drop)
}

/// Probes unless the mode is forced; even then the probe finds the TSC's offset.
fn choose_mode(
    options: &RunOptions,
    vcpu: &mut crate::kvm::Vcpu,
    vm: &Vm,
) -> Result<Mode, KvmError> {
    let found = probe::run(vcpu, vm.ram());
    let mode = match (options.guest_mode.forced(), found) {
        (None, found) => found?.mode,
        (Some(forced), Ok(found)) => {
            if forced != found.mode {
                tracing::warn!(
                    "the guest mode {} is forced, but this KVM offers {}",
                    forced.name(),
                    found.mode.name()
                );
            }
            forced
        }
        (Some(forced), Err(error)) => {
            tracing::warn!("{error}");
            forced
        }
    };
    tracing::info!("guest mode {}", mode.name());
    Ok(mode)
}

fn read_kernel(path: &Path) -> Result<Vec<u8>, RunError> {
    std::fs::read(path).map_err(|cause| RunError::Kernel {
        path: path.to_owned(),
        cause,
    })
}

/// The guest's filter, with the limits of the trace.
fn encoded(mut filter: Filter, capture: Option<Capture>) -> Vec<u8> {
    if let Some(capture) = capture {
        for (limit, wanted) in [
            (&mut filter.header.buffer_limit, capture.buffer),
            (&mut filter.header.string_limit, capture.string),
        ] {
            if wanted != 0 {
                *limit = wanted;
            }
        }
    }
    filter.encode()
}

/// The trace that the options describe: strace's text with paths and durations, unless they want something else.
fn tracing(options: &RunOptions, mut watch: Watch) -> Result<Tracing, RunError> {
    let output = match &options.output {
        Some(path) => {
            Output::File(
                std::fs::File::create(path).map_err(|cause| RunError::Output {
                    path: path.clone(),
                    cause,
                })?,
            )
        }
        None => Output::Stderr,
    };
    let print = options.print.options(options.output.is_some());
    let mut pipeline = if options.print.summary {
        let sink = SummarySink::new(summary(), output.writer());
        Pipeline::with_sinks(vec![Box::new(sink)])
    } else {
        let format = match options.format {
            cli::Format::Strace => vitrine_introspect::Format::Strace,
            cli::Format::Json => vitrine_introspect::Format::Json,
            cli::Format::Perfetto => vitrine_introspect::Format::Perfetto,
        };
        Pipeline::new(format, print, output.writer())
    };
    if options.format == cli::Format::Json
        && let Some(identities) = Identities::new(&options.root)
    {
        pipeline.identify(identities.hook());
    }
    let guest_groups = watch.guest_groups;
    pipeline.only(Box::new(move |event| watch.accepts(event)));
    let limit = options.print.string_limit.saturating_add(1);
    Ok(Tracing {
        sink: Box::new(TraceSink::of(pipeline)),
        capture: Capture {
            buffer: limit.max(64),
            string: limit.max(256),
            environment: options.print.no_abbrev,
            rip: options.print.instruction_pointer,
            groups: guest_groups,
        },
        progress: options.output.is_some() && !options.no_progress,
    })
}

/// strace's table with the time that calls took on the clock, and how it is spread.
fn summary() -> SummaryOptions {
    SummaryOptions {
        columns: vec![
            Column::Percent,
            Column::Total,
            Column::Average,
            Column::P50,
            Column::P99,
            Column::Calls,
            Column::Errors,
            Column::Name,
        ],
        wall_clock: true,
        ..SummaryOptions::default()
    }
}

/// Handles of the guest are descriptors of this process: allows as many as the caller's hard limit does. Returns the limit.
fn raise_descriptor_limit() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    current.unwrap_or(1 << 20)
}

fn workload(
    options: &RunOptions,
    capture: Option<Capture>,
    filter: Vec<u8>,
    files: &Files,
    umask: u32,
    rlimits: [[u64; 2]; 16],
) -> Result<Workload, RunError> {
    let command = &options.command[0];
    if command.is_empty() {
        return Err(RunError::Empty);
    }
    let program_name = || command.to_string_lossy().into_owned();
    let cwd = working_directory(options, files)?;
    let env = environment(options);
    let path = env
        .iter()
        .find_map(|variable| variable.strip_prefix(b"PATH="));
    let program = program::find(files, command, &cwd, path).map_err(|why| match why {
        Unrunnable::NotFound => RunError::NotFound {
            program: program_name(),
        },
        Unrunnable::NotExecutable(reason) => RunError::NotExecutable {
            program: program_name(),
            reason,
        },
    })?;
    let argv: Vec<Vec<u8>> = options
        .command
        .iter()
        .map(|argument| argument.clone().into_vec())
        .collect();
    let mut strings = argv.iter().chain(&env);
    if strings.any(|string| string.contains(&0)) || options.hostname.contains('\0') {
        return Err(RunError::Nul {
            program: program_name(),
        });
    }
    let user = options.user.clone().unwrap_or_else(|| User {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        groups: workload::groups(),
    });
    let mut flags = 0;
    if let Some(capture) = capture {
        flags |= FLAG_TRACE_ALL;
        if capture.environment {
            flags |= FLAG_TRACE_ENVIRONMENT;
        }
        flags |= u64::from(capture.groups) << TRACE_GROUPS_SHIFT;
        if capture.rip {
            flags |= FLAG_TRACE_RIP;
        }
    }
    if options.lossy {
        flags |= FLAG_LOSSY;
    }
    let mut seed = [0; 64];
    workload::fill_random(&mut seed).map_err(io::Error::from)?;
    Ok(Workload {
        argv,
        env,
        program,
        cwd,
        hostname: options.hostname.clone().into_bytes(),
        flags,
        console: workload::console(),
        winsize: tty::window_size().unwrap_or_default(),
        terminal: tty::modes().unwrap_or_default(),
        memory_limit: 0,
        max_tasks: options.max_processes,
        uid: user.uid,
        gid: user.gid,
        groups: user.groups,
        umask,
        nice: workload::nice(),
        rlimits,
        seed,
        filter,
        trace_limits: capture.map_or([0; 2], |capture| [capture.buffer, capture.string]),
    })
}

/// The directory that the program starts in.
fn working_directory(options: &RunOptions, files: &Files) -> Result<Vec<u8>, RunError> {
    let exists = |path: &Path| {
        let found = files.look_at(path.as_os_str().as_bytes());
        path.is_absolute() && found.is_ok_and(|(kind, _)| kind == FileType::Directory)
    };
    match &options.cwd {
        Some(path) if exists(path) => Ok(path.clone().into_os_string().into_vec()),
        Some(path) => Err(RunError::Cwd(path.clone())),
        None => Ok(std::env::current_dir()
            .ok()
            .filter(|path| exists(path))
            .map_or(b"/".to_vec(), |path| path.into_os_string().into_vec())),
    }
}

/// The program's environment: the caller's unless cleared, with the variables given.
fn environment(options: &RunOptions) -> Vec<Vec<u8>> {
    let mut variables: Vec<(OsString, OsString)> = if options.clear_env {
        Vec::new()
    } else {
        std::env::vars_os().collect()
    };
    for setting in &options.env {
        let bytes = setting.as_bytes();
        let (name, value) = match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) => (
                OsString::from_vec(bytes[..at].to_vec()),
                Some(OsString::from_vec(bytes[at + 1..].to_vec())),
            ),
            None => (setting.clone(), std::env::var_os(setting)),
        };
        variables.retain(|(known, _)| *known != name);
        if let Some(value) = value {
            variables.push((name, value));
        }
    }
    variables
        .into_iter()
        .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
        .collect()
}
