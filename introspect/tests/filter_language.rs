//! The filter language: what is accepted, what is refused and how that is said, and that it is bounded.

use proptest::prelude::*;
use vitrine_abi::{filter::Filter, nr};
use vitrine_introspect::filter::{Compiler, Definitions, explain, parse};

fn definitions() -> Definitions {
    let mut definitions = Definitions::default();
    let mut add = |name: &str, text: &str| {
        definitions.macros.insert(name.into(), text.into());
    };
    add("opens", "evt.type in (open, openat, openat2)");
    add("twice", "opens and opens");
    add("endless", "not endless");
    add("wrong", "evt.type =");
    let shells = ["bash", "sh", "zsh"].map(String::from).to_vec();
    definitions.lists.insert("shells".into(), shells);
    definitions
}

#[test]
fn accepted() {
    for text in [
        "evt.type = openat",
        "evt.type==openat and proc.name!=bash",
        "evt.type in (open, openat) or (not fd.name contains \"/etc\")",
        "evt.type = %file && evt.failed || !evt.failed",
        "evt.arg.flags contains O_CREAT|O_EXCL",
        "evt.arg.flags & 3 = O_RDONLY",
        "evt.arg.flags & ~O_CLOEXEC = 0",
        "evt.arg[1] = 5 and evt.rawarg.0 >= 0x1000",
        "evt.res = -ENOENT or evt.res = ENOENT or evt.res = SUCCESS or evt.res < 0",
        "evt.errno in (ENOENT, EACCES, 13)",
        "evt.latency > 10ms and evt.latency <= 1.5s",
        "evt.arg.count >= 4K and evt.arg.mode = 0o644 and evt.arg.mode = 0644",
        "pathname glob /etc/[!a-c]*.conf",
        "path startswith '/etc/' and path endswith .so and path icontains PaSS",
        "proc.name in shells and proc.name in (shells, dash) and proc.name not in (a)",
        "fd.num = -100 and dirfd = AT_FDCWD and evt.arg.sig = SIGKILL and sig = TERM",
        "evt.type = kill and sig = KILL",
        "evt.dir = < and evt.dir = >",
        "fd.name exists and not evt.errno exists",
        "user.uid = 0 and group.gid != 0 and proc.ppid = 1 and thread.tid > 1",
        "proc.aname = sshd and proc.apid = 1 and proc.pname = bash and proc.cmdline contains -c",
        "evt.type = connect and addr contains 127.0.0.1",
        "evt.type = execve and argv contains -c",
        "evt.type = read and fd = /etc/passwd",
        "opens and twice",
        "evt.kind != syscall or evt.type = procexit",
        "evt.nr = openat",
        "path = \"\\x41\\n\\101\\\\\"",
        "evt.type in ()",
    ] {
        let expr = parse(text, &definitions()).unwrap_or_else(|error| panic!("{error}"));
        let mut compiler = Compiler::new();
        compiler.record(&expr);
        let blob = compiler.filter.encode();
        assert!(Filter::decode(&blob).is_ok(), "{text}");
        explain(&expr);
    }
}

/// Expression, column of the error, a piece of what is said.
const REFUSED: &[(&str, usize, &str)] = &[
    (
        "",
        1,
        "a field, a macro, `not` or `(` is expected, not the end",
    ),
    ("evt.typ = openat", 1, "did you mean `evt.type`?"),
    ("evt.type = opnat", 12, "did you mean `openat`?"),
    ("evt.type = %fil", 12, "did you mean `%file`?"),
    ("evt.type = openat and", 22, "not the end"),
    ("evt.type = openat openat", 19, "`and`, `or` or the end"),
    ("(evt.type = openat", 19, "the bracket at column 1 is open"),
    ("evt.type = openat)", 18, "there is no `(` for this `)`"),
    ("evt.type = \"openat", 12, "no closing quote"),
    ("path = \"\\q\"", 9, "unknown escape"),
    (
        "evt.type = openat and buf = x",
        23,
        "openat has no argument `buf`",
    ),
    (
        "evt.type = openat and pathnme = x",
        23,
        "did you mean `pathname`? its arguments are openat(dirfd, pathname, flags, mode)",
    ),
    ("frobnicate = 1", 1, "no call has an argument `frobnicate`"),
    ("proc.pid = bash", 12, "there is no constant `bash`"),
    ("proc.pid = \"1\"", 12, "not with a string"),
    (
        "proc.pid startswith 1",
        10,
        "is a number; this operator is for strings",
    ),
    ("proc.pid contians 1", 10, "did you mean `contains`?"),
    ("proc.name", 1, "neither true nor false"),
    ("evt.arg.flags = O_CREATE", 17, "did you mean `O_CREAT`?"),
    ("evt.errno = ENOET", 13, "did you mean `ENOENT`?"),
    ("evt.arg.flags = 0x1ffffffffffffffff", 17, "out of range"),
    (
        "evt.type = openat and flags = 0x100000000",
        31,
        "`flags` has 32 bits",
    ),
    ("proc.pid = 10ms", 12, "isn't counted in that unit"),
    ("evt.latency > 10K", 15, "a duration such as 10ms"),
    ("evt.failed = 2", 14, "out of range"),
    ("evt.failed < true", 12, "true or false"),
    ("proc.pid = (1, 2)", 10, "use `in`"),
    ("proc.pid in 1", 13, "a list in brackets"),
    ("proc.pid in (1 2)", 16, "`,` or `)`"),
    ("proc.name not = x", 11, "`not` stands before `in` only"),
    ("proc.name = a|b", 13, "`|` joins flags"),
    ("evt.rawarg.6 = 1", 1, "evt.rawarg.0 to evt.rawarg.5"),
    ("evt.arg.6 = 1", 1, "counted from 0 to 5"),
    ("evt.dir = x", 11, "> and <"),
    ("evt.kind = syscal", 12, "did you mean `syscall`?"),
    ("wrong", 1, "the macro `wrong` is wrong"),
    ("endless", 1, "nested deeper"),
    ("and", 1, "a field, a macro"),
    ("proc.pid &", 11, "a value for `proc.pid`"),
];

#[test]
fn refused() {
    for (text, column, said) in REFUSED {
        let error = match parse(text, &definitions()) {
            Ok(expr) => panic!("{text} was accepted: {expr:?}"),
            Err(error) => error,
        };
        let shown = error.to_string();
        assert!(shown.contains(said), "{text}:\n{shown}");
        assert_eq!(error.column(), *column, "{text}:\n{shown}");
    }
}

#[test]
fn an_error_shows_the_place() {
    let error = parse("path = /x and evt.typ = y", &definitions()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no field `evt.typ`\n  path = /x and evt.typ = y\n                ^^^^^^^\n  help: did you mean `evt.type`?"
    );
}

#[test]
fn many_terms() {
    for (term, joined) in [
        ("proc.name = p", " or "),
        ("path startswith /p", " or "),
        ("proc.pid != ", " and "),
        ("evt.type = openat and path = /", " or "),
    ] {
        let terms: Vec<String> = (0..10_000).map(|i| format!("{term}{i}")).collect();
        let expr = parse(&terms.join(joined), &definitions()).expect("parses");
        let mut compiler = Compiler::new();
        let plans = compiler.record(&expr);
        assert!(plans[nr::OPENAT].watched);
        assert!(plans[nr::OPENAT].exact, "{term}");
        let filter = Filter::decode(&compiler.filter.encode()).expect("valid");
        assert!(filter.insns.len() <= 80_000, "{}", filter.insns.len());
    }
}

#[test]
fn nesting_is_bounded() {
    for open in ["(", "not ", "! ", "(not "] {
        let error = parse(&open.repeat(500_000), &definitions()).unwrap_err();
        assert!(error.message.contains("nested deeper"), "{error}");
    }
    let deep = format!("{}evt.failed{}", "(".repeat(90), ")".repeat(90));
    assert!(parse(&deep, &definitions()).is_ok());
    // Macros that double each time.
    let mut definitions = definitions();
    definitions.macros.insert("m0".into(), "evt.failed".into());
    for i in 1..40 {
        let body = format!("m{} or m{}", i - 1, i - 1);
        definitions.macros.insert(format!("m{i}"), body);
    }
    let error = parse("m39", &definitions).unwrap_err();
    assert!(error.to_string().contains("terms"), "{error}");
}

#[test]
fn unwatched_calls_stay_unwatched() {
    let expr = parse(
        "evt.type = openat and path startswith /etc/",
        &definitions(),
    )
    .unwrap();
    let mut compiler = Compiler::new();
    let plans = compiler.record(&expr);
    let watched: Vec<usize> = (0..plans.len()).filter(|i| plans[*i].watched).collect();
    assert_eq!(watched, [nr::OPENAT]);
    assert!(plans[nr::OPENAT].exact && !plans[nr::OPENAT].late);
    for (text, late, exact) in [
        ("evt.failed", true, true),
        ("proc.aname = x", false, false),
        ("proc.aname = x and evt.failed", true, false),
        ("evt.type = read and buf contains x", true, false),
        ("fd.name = /x", true, true),
    ] {
        let expr = parse(text, &definitions()).unwrap();
        let plans = Compiler::new().record(&expr);
        let index = if text.contains("read") {
            nr::READ
        } else {
            nr::OPENAT
        };
        assert_eq!(
            (plans[index].late, plans[index].exact),
            (late, exact),
            "{text}"
        );
    }
}

const PIECES: &[&str] = &[
    "evt.type",
    "proc.name",
    "path",
    "fd.name",
    "evt.res",
    "flags",
    "=",
    "!=",
    "in",
    "not",
    "and",
    "or",
    "(",
    ")",
    ",",
    "openat",
    "%file",
    "10ms",
    "0x",
    "-",
    "\"",
    "'",
    "|",
    "~",
    "&",
    "exists",
    "contains",
    "<",
    ">=",
    "opens",
    "twice",
    "shells",
    "\\",
    "é",
    "[",
    "ENOENT",
    "1",
    "glob",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]
    #[test]
    fn any_text_is_survived(text in ".{0,200}") {
        if let Err(error) = parse(&text, &definitions()) {
            let _ = error.to_string();
            let _ = error.column();
        }
    }

    #[test]
    fn any_pieces_are_survived(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..30)) {
        let text = pieces.join(" ");
        match parse(&text, &definitions()) {
            Ok(expr) => {
                let mut compiler = Compiler::new();
                compiler.record(&expr);
                prop_assert_eq!(compiler.filter.verify(), Ok(()));
            }
            Err(error) => { let _ = error.to_string(); }
        }
    }

    #[test]
    fn any_blob_is_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..64), at in 0usize..4000) {
        let _ = Filter::decode(&bytes);
        let mut blob = Filter::record_all().encode();
        bytes.truncate(8);
        let end = (at + bytes.len()).min(blob.len());
        if at < end {
            blob[at..end].copy_from_slice(&bytes[..end - at]);
        }
        let _ = Filter::decode(&blob);
    }
}
