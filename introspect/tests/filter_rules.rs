//! Rules as text and TOML, their checks, and strace's options.

use vitrine_abi::{
    filter::{AT_EXIT, Filter, NO_LAST, PHASE_EXIT, SCOPE_THREAD, WATCH_RULES, action},
    nr,
};
use vitrine_introspect::filter::{
    Compiler, Definitions, Rule, parse,
    rules::{ActionKind, PRESETS, from_toml, from_toml_with},
    strace::{Options, call_set},
};

fn compiled(rules: &[Rule]) -> Result<Filter, String> {
    let mut compiler = Compiler::new();
    compiler
        .rules(rules, &[])
        .map_err(|error| error.to_string())?;
    Ok(Filter::decode(&compiler.filter.encode()).expect("valid"))
}

fn rule(text: &str) -> Rule {
    Rule::parse(text, &Definitions::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn accepted() {
    for text in [
        r#"openat if path == "/etc/passwd" then set path = "/tmp/fake""#,
        "open,openat,%stat then log; return -ENOENT",
        "* then delay 10ms",
        "!read,write then log",
        "openat if flags contains O_CREAT when=3+2 probability=0.1 scope=process then set flags &= ~O_CREAT; set mode = 0600",
        "write if fd.type = pipe then set buf = \"hello\\0\"",
        "connect then set addr = 127.0.0.1:80",
        "connect then set addr = unix:/tmp/s; annotate redirected = yes",
        "read if evt.res > 4K then signal USR1; after delay 1s",
        "openat if evt.failed then return 0; log 'it failed'",
        "getuid,geteuid then return 0",
        "kill if sig = KILL then stop",
        "openat when=2.. then log",
        "openat when=2..5+ then kill",
        "clock_gettime then after poke tp = \"\\0\\0\\0\\0\"",
        "clock_gettime if clockid = CLOCK_REALTIME then poke tp.tv_sec += 30d",
        "getresuid then poke ruid = 1000; poke evt.arg.euid = 1000",
        "newfstatat then poke statbuf.st_mode &= ~S_IWOTH",
        "nanosleep then poke req.tv_sec = 0",
        "time then return += -1h",
        "nanosleep then set req.tv_sec -= 1h; set req.tv_nsec = 0",
        "futex then set timeout.tv_sec += 5s; set val += 1",
        "prlimit64 then set new_limit.rlim_cur = 1M",
        "getdents,getdents64 then hide \"*.secret\"; after log",
        "connect if evt.address startswith unix: then log",
        "%file if fs.path.name glob /etc/* or fs.path.target glob /etc/* then log",
        "socket then set arg0 |= 1",
        "dup2 then set newfd = 7",
    ] {
        if text.contains("2.. ") {
            assert!(Rule::parse(text, &Definitions::default()).is_err());
            continue;
        }
        let filter = compiled(&[rule(text)]).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(!filter.rules.is_empty(), "{text}");
    }
}

#[test]
fn refused() {
    let long = format!("openat then set path = \"{}\"", "x".repeat(4097));
    for (text, said) in [
        (
            "",
            "a system call, a class such as %file, or `*` is expected",
        ),
        ("opnat then log", "did you mean `openat`?"),
        (
            "openat",
            "`if`, `when=`, `probability=`, `scope=` or `then`",
        ),
        ("openat if path = /x", "`and`, `or`, `when=`"),
        ("openat then", "an action is expected"),
        ("openat then retrun 0", "did you mean `return`?"),
        (
            "openat then set count = 1",
            "openat has no argument `count`",
        ),
        (
            "openat then set count = 1",
            "openat(dirfd, pathname, flags, mode)",
        ),
        (
            "openat if count = 1 then log",
            "openat has no argument `count`",
        ),
        (
            "openat,close then set flags = 1",
            "name only those that have it",
        ),
        ("openat then set flags = O_CREATE", "no number or constant"),
        ("openat then set flags = 0x100000000", "out of range"),
        (&long, "at most 4096"),
        ("openat then set path = \"a\\0b\"", "NUL"),
        ("openat then set path |= \"a\"", "can only be set with `=`"),
        (
            "openat then set flags = \"a\"",
            "no string, buffer or address",
        ),
        (
            "connect then set addr = \"nowhere\"",
            "this is no socket address",
        ),
        ("openat then return -ENOET", "neither a number nor an error"),
        ("openat then return ENOENT", "write -ENOENT"),
        ("openat then return -5000", "out of range"),
        (
            "openat then return 0x80000000",
            "out of range for the result of openat",
        ),
        ("openat then return 0; return 1", "returns twice"),
        (
            "openat then poke tp.tv_sec = 1",
            "openat has no argument `tp`",
        ),
        (
            "clock_gettime then poke tp.tv_secs = 1",
            "did you mean `tv_sec`?",
        ),
        ("clock_gettime then poke tp += 1", "say which member"),
        (
            "clock_gettime then poke tp.tv_sec = soon",
            "`soon` is no number for `tp.tv_sec`",
        ),
        (
            "getresuid then poke ruid = 0x100000000",
            "out of range for `ruid`, which has 32 bits",
        ),
        ("openat then poke pathname.x = 1", "points to no structure"),
        ("openat then hide x", "openat lists no directory"),
        ("getdents64 then hide", "a pattern of names or paths"),
        ("time then return += x", "no number that a result"),
        (
            "openat if evt.address = x and fs.path.nme = x then log",
            "did you mean `fs.path.name`?",
        ),
        (
            "clock_gettime then set tp.tv_sec = 1",
            "the call writes to `tp.tv_sec`",
        ),
        (
            "nanosleep if evt.failed then set req.tv_sec = 1",
            "can't be set after the call",
        ),
        ("openat then delay 10", "has no unit"),
        ("openat then delay 25h", "from 0 to 24h"),
        ("openat then signal KIL", "there is no signal"),
        ("openat when=0 then log", "counted from 1"),
        ("openat when=5..2 then log", "ends before it begins"),
        ("openat probability=2 then log", "no probability"),
        ("openat scope=all then log", "global, process and thread"),
        (
            "openat if evt.failed then set flags = 0",
            "can't be set after the call",
        ),
        ("openat if proc.aname = x then log", "only the host knows"),
        ("openat then log; log log log", "`;` or the end"),
    ] {
        let error = match Rule::parse(text, &Definitions::default()) {
            Ok(rule) => compiled(&[rule]).expect_err(text),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(said), "{text}:\n{error}");
    }
}

#[test]
fn conflicts() {
    let both = [
        rule("open,openat then return -EACCES"),
        rule("%file then return -ENOENT"),
    ];
    let error = compiled(&both).unwrap_err();
    assert!(error.contains("returns always already"), "{error}");
    let one_is_conditional = [
        rule("openat then return -EACCES"),
        rule("openat if path = /x then return 0"),
    ];
    assert!(compiled(&one_is_conditional).is_ok());
    let in_vain = [
        rule("openat then return -EACCES"),
        rule("%file then set arg0 = 3"),
    ];
    let error = compiled(&in_vain).unwrap_err();
    assert!(error.contains("openat never runs"), "{error}");
    let twice = [
        rule("openat then set flags = O_RDONLY"),
        rule("open,openat then set flags = O_RDWR"),
    ];
    let error = compiled(&twice).unwrap_err();
    assert!(error.contains("is set always already"), "{error}");
    let composed = [
        rule("openat then set flags = O_RDONLY"),
        rule("openat then set flags |= O_CLOEXEC"),
        rule("openat if path = /x then set flags = O_RDWR"),
    ];
    assert!(compiled(&composed).is_ok());
    let mut disabled = both;
    disabled[0].enabled = false;
    assert!(compiled(&disabled).is_ok());
}

#[test]
fn how_a_rule_is_compiled() {
    let filter = compiled(&[
        rule(
            "open,openat if path = /a when=3+2 then set path = /b; after delay 1ms; return -ENOENT",
        ),
        rule("write then set buf = abc"),
        rule("openat if evt.errno = ENOENT then return 5"),
    ])
    .unwrap();
    let call = filter.call(nr::OPENAT as u64);
    assert_eq!(call.watch, WATCH_RULES);
    let rules: Vec<_> = filter.rules_of(&call).collect();
    assert_eq!(rules.len(), 2);
    assert_eq!(
        (rules[0].id, rules[0].first, rules[0].last, rules[0].step),
        (1, 3, NO_LAST, 2)
    );
    let actions = filter.actions_of(rules[0]);
    assert_eq!((actions[0].kind, actions[0].arg), (action::SET_STRING, 1));
    assert_eq!(filter.bytes(actions[0].bytes), b"/b");
    assert_eq!(
        (actions[1].kind, actions[1].value, actions[1].flags),
        (action::DELAY, 1_000_000, AT_EXIT)
    );
    assert_eq!(actions[2].value as i64, -2);
    assert_eq!((rules[1].id, rules[1].phase), (3, PHASE_EXIT));
    let open = filter.call(nr::OPEN as u64);
    let of_open: Vec<_> = filter.rules_of(&open).collect();
    assert_eq!(
        (of_open[0].id, filter.actions_of(of_open[0])[0].arg),
        (1, 0)
    );
    let write = filter.call(nr::WRITE as u64);
    let of_write: Vec<_> = filter.rules_of(&write).collect();
    let set = filter.actions_of(of_write[0])[0];
    assert_eq!(
        (set.kind, set.arg, set.length_arg),
        (action::SET_BYTES, 1, 2)
    );
    assert_eq!(filter.call(nr::GETPID as u64).watch, 0);
}

#[test]
fn toml() {
    let text = r#"
        [macros]
        config = "path startswith /etc/"
        [lists]
        names = ["shadow", "gshadow"]
        [[rule]]
        name = "no passwords"
        calls = ["open", "openat"]
        if = "config and path endswith shadow"
        when = "3+2"
        probability = 0.5
        scope = "process"
        then = ["log", "return -EACCES"]
        [[rule]]
        calls = "getuid"
        when = 1
        then = "return 0"
        enabled = false
    "#;
    let file = from_toml(text, &Definitions::default()).unwrap();
    assert_eq!(file.rules.len(), 2);
    assert_eq!(file.rules[0].name, "no passwords");
    assert_eq!(file.rules[0].actions.len(), 2);
    assert!(!file.rules[1].enabled);
    assert!(compiled(&file.rules).is_ok());
    for (text, said) in [
        (
            "[[rule]]\ncalls = \"openat\"\nthen = \"log\"\nwhenn = 3",
            "whenn",
        ),
        ("[[rule]]\ncalls = \"openat\"", "then"),
        ("[[rule]\n", "TOML"),
        (
            "[[rule]]\nname = \"n\"\ncalls = \"opnat\"\nthen = \"log\"",
            "rule 1 (n): there is no system call `opnat`",
        ),
        ("rule = 3", "TOML"),
    ] {
        let error = from_toml(text, &Definitions::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(said), "{text}:\n{error}");
    }
}

#[test]
fn toml_values() {
    let text = r#"
        [values]
        who = "/etc"
        whole = "/usr"
        chance = 0.25
        from = 3
        [macros]
        ours = "path startswith $who/ or path startswith $whole/"
        [[rule]]
        calls = "openat"
        if = "ours"
        when = "$from+"
        probability = "$chance"
        then = ["log \"$who\"", "return -ENOENT"]
    "#;
    let file = from_toml_with(
        text,
        &Definitions::default(),
        &[("who", "/srv"), ("from", "5")],
    )
    .unwrap();
    let rule = &file.rules[0];
    assert_eq!((rule.when.first, rule.probability), (5, 0.25));
    assert_eq!(rule.actions[0].kind, ActionKind::Log("/srv".into()));
    assert!(compiled(&file.rules).is_ok());
    let error = from_toml_with(text, &Definitions::default(), &[("why", "1")])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no value `why`; it has chance, from, who, whole"),
        "{error}"
    );
}

/// A file that is being written when it is read is refused, wherever it ends, or is a whole one.
#[test]
fn toml_half_written() {
    for preset in PRESETS {
        for end in 0..preset.text.len() {
            let Some(part) = preset.text.get(..end) else {
                continue;
            };
            if let Ok(file) = from_toml(part, &Definitions::default()) {
                let _ = compiled(&file.rules);
            }
        }
    }
}

fn strace(list: &[&str]) -> Options {
    let mut options = Options::default();
    for text in list {
        options
            .apply(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    options
}

#[test]
fn strace_traces() {
    assert_eq!(strace(&["trace=all"]).expression(), None);
    let mut options = strace(&["trace=%file,read", "status=failed", "fd=3,4"]);
    options.path("/etc/it's");
    let text = options.expression().unwrap();
    parse(&text, &Definitions::default()).unwrap_or_else(|error| panic!("{error}"));
    for text in [
        "openat",
        "trace=!openat,close",
        "t=/^(open|close)",
        "trace=?nonsense,read",
        "file",
        "status=!failed,unfinished",
        "trace=none",
    ] {
        let text = strace(&[text]).expression().expect(text);
        parse(&text, &Definitions::default()).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(
        call_set("/^open")
            .unwrap()
            .rows()
            .map(|call| call.name)
            .collect::<Vec<_>>(),
        [
            "open",
            "openat",
            "open_by_handle_at",
            "open_tree",
            "openat2"
        ]
    );
    assert!(call_set("!openat").unwrap().contains(nr::READ));
    let quiet = strace(&[
        "quiet=attach,exits",
        "signal=!SIGCHLD,pipe",
        "write=1,2",
        "read=!3",
        "decode-fds=all",
        "raw=read",
        "abbrev=none",
    ]);
    assert!(quiet.quiet.unwrap().words.contains("exit"));
    let signals = quiet.signals.unwrap();
    assert!(signals.contains(2) && !signals.contains(13) && !signals.contains(17));
    assert!(quiet.read.unwrap().contains(4) && quiet.write.unwrap().contains(1));
}

#[test]
fn strace_injects() {
    let options = strace(&[
        "inject=openat:error=ENOENT:when=3+",
        "inject=read,write:retval=0:signal=USR1:delay_enter=100:delay_exit=2ms:when=1..9+2",
        "fault=%network",
        "inject=clock_gettime:poke_exit=@arg2=0011",
    ]);
    let filter = compiled(&options.rules).unwrap();
    let call = filter.call(nr::OPENAT as u64);
    let rule = filter.rules_of(&call).next().unwrap();
    assert_eq!(
        (rule.first, rule.last, rule.step, rule.scope),
        (3, NO_LAST, 1, SCOPE_THREAD)
    );
    let call = filter.call(nr::READ as u64);
    let rule = filter.rules_of(&call).next().unwrap();
    assert_eq!((rule.first, rule.last, rule.step), (1, 9, 2));
    let kinds: Vec<_> = filter
        .actions_of(rule)
        .iter()
        .map(|action| (action.kind, action.value, action.flags))
        .collect();
    assert_eq!(
        kinds,
        [
            (action::SIGNAL, 10, 0),
            (action::DELAY, 100_000, 0),
            (action::DELAY, 2_000_000, AT_EXIT),
            (action::RETURN, 0, 0)
        ]
    );
}

#[test]
fn strace_refuses() {
    for (text, said) in [
        (
            "trace=opnat",
            "invalid system call 'opnat'; did you mean `openat`?",
        ),
        (
            "trase=open",
            "invalid -e qualifier 'trase'; did you mean `trace`?",
        ),
        ("trace=open,,close", "before a comma"),
        ("trace=/(", "invalid regular expression"),
        ("trace=/nothinglikeit", "no system call matches"),
        ("signal=NOPE", "invalid signal"),
        ("status=fialed", "did you mean `failed`?"),
        ("read=x", "invalid descriptor"),
        ("inject=openat", "says nothing"),
        ("inject=openat:error=ENOPE", "invalid inject argument"),
        ("inject=openat:error=1:retval=2", "more than one"),
        ("inject=openat:when=0:error=1", "counted from 1"),
        ("fault=openat:signal=1", "invalid fault argument"),
    ] {
        let error = Options::default().apply(text).expect_err(text).to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}
