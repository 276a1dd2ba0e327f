//! execve: from a path to a running program.
//!
//! [`find`] resolves the file; [`execute`] follows `#!` lines ([`script`]), reads the ELF headers ([`elf`]), builds a new address
//! space with the program, its interpreter, the [`stack`] and the [`vdso`], and then [`replace`]s the caller's. Until the new space is
//! complete the old one is untouched; from there on there is no way back, and what fails kills.

pub mod arguments;
mod elf;
mod find;
mod replace;
mod script;
mod stack;
pub mod vdso;

pub use find::{Executable, find};
pub use replace::Outcome;

use crate::{
    Errno,
    arch::TrapFrame,
    mm::space::{AddressSpace, Limits},
    random, sched, signal,
    task::{Credentials, ExecArguments},
};
use alloc::{sync::Arc, vec, vec::Vec};
use elf::{Elf, Placement};
use linux_raw_sys::general::SIGSEGV;
use script::Interpreter;

/// Scripts whose interpreter is a script whose interpreter …: so many are followed.
const MAX_SCRIPTS: usize = 5;
/// Where position-independent programs go (Linux's ELF_ET_DYN_BASE), and how many pages further at random.
const PIE_BASE: u64 = 0x5555_5555_4000;
const PIE_RANDOM_PAGES: u64 = 1 << 28;
/// How far after the program the heap starts at most.
const HEAP_RANDOM_PAGES: u64 = 1 << 13;
/// How far the stack's top is moved: whole pages, and bytes within one.
const STACK_RANDOM_BYTES: u64 = 16 << 20;
/// personality(2): addresses are not to be randomised.
const ADDR_NO_RANDOMIZE: u32 = 0x0040000;

/// A program in an address space of its own, ready to run.
struct Image {
    space: Arc<AddressSpace>,
    entry: u64,
    stack: u64,
    arguments: ExecArguments,
    credentials: Credentials,
    secure: bool,
}

/// Random places in an address space.
struct Randomness {
    pie: u64,
    heap: u64,
    stack: u64,
    seed: [u8; 16],
}

impl Randomness {
    fn new(fixed: bool) -> Randomness {
        let mut words = [[0u8; 8]; 5];
        random::fill(words.as_flattened_mut());
        let [pie, heap, stack, low, high] = words.map(u64::from_ne_bytes);
        let pick = |random: u64, range: u64| if fixed { 0 } else { random % range };
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&low.to_ne_bytes());
        seed[8..].copy_from_slice(&high.to_ne_bytes());
        Randomness {
            pie: pick(pie, PIE_RANDOM_PAGES) << 12,
            heap: pick(heap, HEAP_RANDOM_PAGES) << 12,
            stack: pick(stack, STACK_RANDOM_BYTES) & !15,
            seed,
        }
    }
}

/// Runs `file` in the current task, whose state in user mode becomes that of a new program in `frame`.
pub fn execute(
    mut file: Executable,
    mut argv: Vec<Arc<[u8]>>,
    envp: Vec<Arc<[u8]>>,
    frame: &mut TrapFrame,
) -> Result<Outcome, Errno> {
    if argv.is_empty() {
        // A program that takes argv[0] for granted would otherwise read the environment.
        argv.push(Arc::from(&b""[..]));
    }
    let comm = file.base_name().to_vec();
    let name = file.name.clone();
    let mut scripts = 0;
    while let Some(line) = script::parse(&file.contents.head()?) {
        scripts += 1;
        if scripts > MAX_SCRIPTS {
            return Err(Errno::ELOOP);
        }
        if file.hidden_from_interpreter {
            return Err(Errno::ENOENT);
        }
        let Interpreter { path, argument } = line?;
        let mut front: Vec<Arc<[u8]>> = vec![Arc::from(&path[..])];
        front.extend(argument.map(Arc::from));
        front.push(Arc::from(&file.name[..]));
        argv.splice(..1, front);
        file = find::program(&path)?;
    }
    let program = Elf::parse(file.contents.clone())?;
    let interpreter = match program.interpreter()? {
        Some(path) => {
            let file = find::program(&path)?;
            let parsed = Elf::parse(file.contents);
            Some(parsed.map_err(|error| match error {
                Errno::ENOEXEC => Errno::ELIBBAD,
                other => other,
            })?)
        }
        None => None,
    };

    let task = sched::current();
    let (set_uid, set_gid) = file.set_ids();
    let (credentials, secure) = task.credentials().for_exec(set_uid, set_gid);
    let fixed = task.attributes.lock().personality & ADDR_NO_RANDOMIZE != 0;
    let request = LoadRequest {
        program: &program,
        interpreter: interpreter.as_ref(),
        argv: &argv,
        envp: &envp,
        name: &name,
        randomness: Randomness::new(fixed),
        limits: Limits::of(&task.process.rlimits.lock()),
    };
    let has_old_program = task.space.lock().is_some();
    match load(&request, credentials, secure) {
        Ok(image) => {
            drop((argv, envp));
            replace::replace(image, file.location, &comm, frame)
        }
        Err(_) if has_old_program => {
            // Where Linux finds these faults the old program is gone already, and the process dies.
            task.process.signals.exec();
            signal::force(signal::SigInfo {
                signo: SIGSEGV,
                code: 0x80,
                ..Default::default()
            });
            Err(Errno::ENOEXEC)
        }
        Err(error) => Err(error),
    }
}

struct LoadRequest<'a> {
    program: &'a Elf,
    interpreter: Option<&'a Elf>,
    argv: &'a [Arc<[u8]>],
    envp: &'a [Arc<[u8]>],
    name: &'a [u8],
    randomness: Randomness,
    limits: Limits,
}

fn load(request: &LoadRequest<'_>, credentials: Credentials, secure: bool) -> Result<Image, Errno> {
    let random = &request.randomness;
    let space = AddressSpace::new()?;
    space.set_limits(request.limits);
    // What is position-independent and asks for no interpreter may be one itself (`ld.so PROGRAM`): it goes where interpreters do, and
    // leaves the place of programs to what it loads, and to the heap.
    let standalone = request.interpreter.is_none() && request.program.is_position_independent();
    let pie_base = PIE_BASE + random.pie;
    let program = if standalone {
        request.program.load(&space, Placement::Anywhere)?
    } else {
        request.program.load(&space, Placement::At(pie_base))?
    };
    let heap_after = if standalone { pie_base } else { program.end };
    space.set_heap_start(heap_after + random.heap);
    let interpreter = match request.interpreter {
        Some(elf) => Some(elf.load(&space, Placement::Anywhere)?),
        None => None,
    };
    let vdso = vdso::map(&space)?;
    let contents = stack::Contents {
        argv: request.argv,
        envp: request.envp,
        name: request.name,
        program,
        interpreter: interpreter.map_or(0, |loaded| loaded.bias),
        vdso,
        credentials: &credentials,
        secure,
        random: random.seed,
        shift: random.stack,
        executable: request.program.executable_stack(),
    };
    let (stack, arguments) = stack::build(&space, &contents)?;
    Ok(Image {
        entry: interpreter.map_or(program.entry, |loaded| loaded.entry),
        space,
        stack,
        arguments,
        credentials,
        secure,
    })
}
