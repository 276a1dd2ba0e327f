//! Types: what an expression's names mean, and whether its values fit.

use super::{
    ast::{self, Ast, Op},
    calls::{self, CallSet},
    constants::{self, Unit},
    error::{Error, Result, did_you_mean},
    expr::{self, Expr, Literal, Test},
    fields::{self, ArgRef, Field, Type},
};
use std::sync::Arc;
use vitrine_abi::{
    filter::{MAX_GLOB, MAX_STRING},
    nr::TABLE_LEN,
    syscall::{self, ArgKind},
};

/// Names of events that aren't calls: for [`Field::Type`], and for [`Field::Kind`], as [`super::eval::subject`] gives them.
const EVENTS: &[(&str, &str)] = &[
    ("procstart", "exec"),
    ("procstart", "process"),
    ("procfork", "fork"),
    ("procexit", "exit"),
    ("procname", "comm"),
    ("procstop", "stop"),
    ("signaldeliver", "signal"),
    ("mapping", "mapping"),
    ("descriptor", "descriptor"),
    ("credentials", "credentials"),
    ("session", "session"),
    ("umask", "umask"),
    ("signal_sent", "signal_sent"),
    ("stop", "stop"),
    ("resume", "resume"),
    ("config", "config"),
    ("drops", "drops"),
    ("unimplemented", "unimplemented"),
    ("corrupt", "corrupt"),
];
/// [`Field::Kind`] of calls.
const CALL: &str = "syscall";

/// Checks an expression about these calls.
pub fn check(ast: &Ast, calls: &CallSet) -> Result<Expr> {
    Ok(match ast {
        Ast::And(list) => {
            // What one part says about the type of call holds for the others.
            let narrowed = list.iter().filter_map(constraint);
            let narrowed = narrowed.fold(*calls, |calls, set| calls.and(&set));
            let calls = if narrowed.rows().next().is_some() {
                narrowed
            } else {
                *calls
            };
            Expr::And(
                list.iter()
                    .map(|ast| check(ast, &calls))
                    .collect::<Result<_>>()?,
            )
        }
        Ast::Or(list) => Expr::Or(
            list.iter()
                .map(|ast| check(ast, calls))
                .collect::<Result<_>>()?,
        ),
        Ast::Not(inner) => Expr::Not(Box::new(check(inner, calls)?)),
        Ast::Test(test) => check_test(test, calls)?,
    })
}

/// The calls for which an expression can hold, as far as that shows at once.
fn constraint(ast: &Ast) -> Option<CallSet> {
    match ast {
        Ast::Test(test) if test.field == "evt.type" && matches!(test.op, Op::Eq | Op::In) => {
            let words = test.values.iter().flat_map(|value| &value.parts);
            let mut set = CallSet::NONE;
            for part in words {
                set = set.or(&calls::word(std::str::from_utf8(&part.text).ok()?).ok()?);
            }
            Some(set)
        }
        Ast::Test(_) | Ast::Not(_) => None,
        Ast::And(list) => list.iter().filter_map(constraint).reduce(|a, b| a.and(&b)),
        Ast::Or(list) => list
            .iter()
            .map(constraint)
            .try_fold(CallSet::NONE, |sum, set| Some(sum.or(&set?))),
    }
}

fn check_test(test: &ast::Test, calls: &CallSet) -> Result<Expr> {
    let (field, ty) = fields::by_name(&test.field)
        .map_err(|(message, help)| Error::new(message, test.field_at.clone()).maybe(help))?;
    let kinds = match &field {
        Field::Arg(arg) => argument_kinds(test, arg, calls)?,
        _ => Vec::new(),
    };
    let text = match ty {
        Type::Text => true,
        Type::Number | Type::Duration | Type::Bool => false,
        Type::Argument => is_text(test, &kinds),
    };
    if test.op == Op::Bare {
        if ty != Type::Bool {
            let what = format!("`{}` is neither true nor false by itself", test.field);
            return Err(Error::new(what, test.field_at.clone()).help(
                "compare it, as in `FIELD = VALUE`, or ask whether it is there with `FIELD exists`",
            ));
        }
        return Ok(finish(
            test,
            field,
            false,
            None,
            Op::Eq,
            vec![Literal::Number(1)],
        ));
    }
    operator_fits(test, text, ty)?;
    let mask = match &test.mask {
        None => None,
        Some(value) if !text => match number(test, value, &kinds, &field, ty)? {
            Literal::Number(mask) => Some(mask as u64),
            _ => None,
        },
        Some(value) => {
            return Err(Error::new(
                "`&` is for numbers; this is a string",
                value.at.clone(),
            ));
        }
    };
    if field == Field::Res && test.values.len() == 1 && word(&test.values[0]) == Some("SUCCESS") {
        let success = finish(
            test,
            Field::Failed,
            false,
            None,
            Op::Eq,
            vec![Literal::Number(0)],
        );
        return match test.op {
            Op::Eq | Op::In => Ok(success),
            Op::Ne => Ok(finish(
                test,
                Field::Failed,
                false,
                None,
                Op::Eq,
                vec![Literal::Number(1)],
            )),
            _ => Err(
                Error::new("SUCCESS is no number", test.values[0].at.clone())
                    .help("compare it with = or !="),
            ),
        };
    }
    let values = test.values.iter().map(|value| {
        if text {
            string(test, value, &field)
        } else {
            number(test, value, &kinds, &field, ty)
        }
    });
    let values: Vec<Literal> = values.collect::<Result<_>>()?;
    Ok(finish(test, field, text, mask, test.op, values))
}

fn finish(
    test: &ast::Test,
    field: Field,
    text: bool,
    mask: Option<u64>,
    op: Op,
    values: Vec<Literal>,
) -> Expr {
    Expr::Test(Arc::new(Test {
        field,
        text,
        mask,
        op,
        values,
        at: test.field_at.clone(),
    }))
}

/// The kinds that an argument has in the calls that have it.
fn argument_kinds(test: &ast::Test, arg: &ArgRef, calls: &CallSet) -> Result<Vec<ArgKind>> {
    let kinds = |calls: &CallSet| -> Vec<ArgKind> {
        let found = calls.rows().filter_map(|call| expr::argument(call, arg));
        found.map(|(_, kind)| kind).collect()
    };
    let found = kinds(calls);
    if !found.is_empty() {
        return Ok(found);
    }
    let name = match arg {
        ArgRef::Name(name) => name.to_string(),
        ArgRef::Index(index) => index.to_string(),
    };
    let at = test.field_at.clone();
    let named: Vec<&syscall::Syscall> = calls.rows().take(4).collect();
    if named.len() > 3 || named.is_empty() {
        let known = fields::FIELDS.iter().map(|(name, ..)| *name);
        let help = did_you_mean(&name, fields::argument_names())
            .or_else(|| did_you_mean(&test.field, known));
        return Err(Error::new(
            format!("no call has an argument `{name}`, and there is no such macro"),
            at,
        )
        .maybe(help));
    }
    Err(no_such_argument(&name, &named, at))
}

/// The error that none of these calls has an argument of this name: which ones they have.
pub fn no_such_argument(
    name: &str,
    calls: &[&syscall::Syscall],
    at: std::ops::Range<usize>,
) -> Error {
    let names: Vec<&str> = calls.iter().map(|call| call.name).collect();
    let lists: Vec<String> = calls.iter().map(|call| signature(call)).collect();
    let close = did_you_mean(
        name,
        calls
            .iter()
            .flat_map(|call| call.args.iter().map(|arg| arg.name)),
    );
    let message = format!("{} has no argument `{name}`", names.join(" or "));
    let mut help = format!("its arguments are {}", lists.join(", "));
    if let Some(close) = close {
        help = format!("{close} {help}");
    }
    Error::new(message, at).help(help)
}

/// A call with its arguments.
pub fn signature(call: &syscall::Syscall) -> String {
    let args: Vec<&str> = call.args.iter().map(|arg| arg.name).collect();
    format!("{}({})", call.name, args.join(", "))
}

/// Whether a test of an argument is one of a string.
fn is_text(test: &ast::Test, kinds: &[ArgKind]) -> bool {
    let textual = kinds.iter().any(|kind| expr::is_textual(*kind));
    let pointed = kinds.iter().any(|kind| expr::is_pointed(*kind));
    let parts = || test.values.iter().flat_map(|value| &value.parts);
    let numeric = |part: &ast::Part| {
        part.word().is_some_and(|word| {
            constants::number(word).is_some()
                || own_constant(kinds, word)
                    .or_else(|| constants::any(word))
                    .is_some()
        })
    };
    match test.op {
        Op::StartsWith | Op::EndsWith | Op::Glob | Op::IContains => true,
        Op::Contains => textual || !parts().all(numeric),
        Op::Exists => textual,
        Op::Bare => false,
        _ if textual => true,
        _ if parts().any(|part| part.quoted) => true,
        // A descriptor is compared with a path, a structure with its text, if it isn't a number.
        _ => {
            let fd = kinds
                .iter()
                .any(|kind| matches!(kind, ArgKind::Fd | ArgKind::AtFd));
            (fd || pointed) && parts().any(|part| part.text.first() == Some(&b'/'))
        }
    }
}

fn operator_fits(test: &ast::Test, text: bool, ty: Type) -> Result<()> {
    let string_only = matches!(
        test.op,
        Op::StartsWith | Op::EndsWith | Op::Glob | Op::IContains
    );
    if string_only && !text {
        return Err(Error::new(
            format!("`{}` is a number; this operator is for strings", test.field),
            test.op_at.clone(),
        )
        .help("numbers are compared with = != < <= > >= in, and `contains` asks for bits"));
    }
    let order = matches!(test.op, Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::Contains);
    if order && ty == Type::Bool {
        return Err(Error::new(
            format!("`{}` is true or false; it can't be compared so", test.field),
            test.op_at.clone(),
        ));
    }
    if test.values.len() != 1
        && matches!(test.op, Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::Eq | Op::Ne)
    {
        return Err(
            Error::new("one value is expected, not a list", test.op_at.clone())
                .help("use `in` to compare with a list"),
        );
    }
    Ok(())
}

fn word(value: &ast::Value) -> Option<&str> {
    match value.parts.as_slice() {
        [part] if !part.complement => part.word(),
        _ => None,
    }
}

/// A value of a string field.
fn string(test: &ast::Test, value: &ast::Value, field: &Field) -> Result<Literal> {
    let [part] = value.parts.as_slice() else {
        return Err(
            Error::new("`|` joins flags; this is a string", value.at.clone())
                .help("put the string in quotes, or use `in (A, B)`"),
        );
    };
    if part.complement {
        return Err(
            Error::new("`~` is for flags; this is a string", value.at.clone())
                .help("put the string in quotes"),
        );
    }
    let most = if test.op == Op::Glob {
        MAX_GLOB
    } else {
        MAX_STRING
    };
    if part.text.len() > most as usize {
        let message = format!(
            "the string has {} bytes; at most {most} are possible",
            part.text.len()
        );
        return Err(Error::new(message, value.at.clone()));
    }
    let exact = matches!(test.op, Op::Eq | Op::Ne | Op::In);
    let text = String::from_utf8_lossy(&part.text);
    let kinds = || EVENTS.iter().map(|(_, kind)| *kind).chain([CALL]);
    match field {
        Field::Type if exact && !EVENTS.iter().any(|(name, _)| *name == text) => {
            let set = calls::word(&text)
                .map_err(|(message, help)| Error::new(message, value.at.clone()).maybe(help))?;
            return Ok(Literal::Calls(Box::new(set)));
        }
        Field::Kind if exact && !kinds().any(|kind| kind == text) => {
            let message = format!("there is no kind of event `{text}`");
            return Err(Error::new(message, value.at.clone()).maybe(did_you_mean(&text, kinds())));
        }
        Field::Dir if !matches!(&*text, ">" | "<") => {
            return Err(Error::new("the directions are > and <", value.at.clone()));
        }
        _ => {}
    }
    let text = match test.op {
        Op::IContains => part.text.to_ascii_lowercase(),
        _ => part.text.clone(),
    };
    Ok(Literal::Text(Arc::from(text)))
}

/// A constant that one of these kinds of arguments knows.
pub fn own_constant(kinds: &[ArgKind], name: &str) -> Option<constants::Constant> {
    kinds.iter().find_map(|kind| match kind {
        ArgKind::Flags(set) | ArgKind::Enum(set) | ArgKind::FlagsMode(set) => {
            constants::in_set(*set, name)
        }
        ArgKind::FutexOp => constants::in_set(syscall::Set::FutexOp, name),
        ArgKind::SocketType => constants::in_set(syscall::Set::SockType, name),
        ArgKind::Signal => constants::signal(name).map(|number| constants::Constant {
            value: number.into(),
            mask: u64::MAX,
        }),
        _ => None,
    })
}

/// A value of a number field.
fn number(
    test: &ast::Test,
    value: &ast::Value,
    kinds: &[ArgKind],
    field: &Field,
    ty: Type,
) -> Result<Literal> {
    let bits = test.op == Op::Contains && test.mask.as_ref() != Some(value);
    let (mut sum, mut mask) = (0i128, 0u64);
    for part in &value.parts {
        let constant = number_part(test, part, kinds, field, ty)?;
        let many = value.parts.len() > 1 || part.complement || bits;
        if many && !(-(1 << 63)..1 << 64).contains(&constant.value) {
            return Err(range_error(test, part));
        }
        if part.complement {
            sum |= i128::from(!(constant.value as u64));
        } else {
            sum |= constant.value;
        }
        mask |= if constant.mask == u64::MAX {
            constant.value as u64
        } else {
            constant.mask
        };
    }
    if bits {
        let value = sum as u64;
        return Ok(Literal::Bits { value, mask });
    }
    let narrow = !kinds.is_empty() && kinds.iter().all(|kind| expr::width(*kind).narrow);
    let fits = match ty {
        Type::Bool => (0..=1).contains(&sum),
        _ if narrow
            && test.mask.as_ref() != Some(value)
            && value.parts.iter().all(|part| !part.complement) =>
        {
            (-(1i128 << 31)..1 << 32).contains(&sum)
        }
        _ => (-(1i128 << 63)..1 << 64).contains(&sum),
    };
    if !fits {
        return Err(range_error(test, &value.parts[0])
            .maybe(narrow.then(|| format!("`{}` has 32 bits", test.field))));
    }
    Ok(Literal::Number(sum))
}

fn range_error(test: &ast::Test, part: &ast::Part) -> Error {
    let text = String::from_utf8_lossy(&part.text);
    Error::new(
        format!("`{text}` is out of range for `{}`", test.field),
        part.at.clone(),
    )
}

fn number_part(
    test: &ast::Test,
    part: &ast::Part,
    kinds: &[ArgKind],
    field: &Field,
    ty: Type,
) -> Result<constants::Constant> {
    let text = String::from_utf8_lossy(&part.text);
    let what = match ty {
        Type::Duration => "a duration such as 10ms",
        Type::Bool => "true or false",
        _ => "a number or constant",
    };
    let Some(word) = part.word() else {
        return Err(Error::new(
            format!(
                "`{}` is compared with {what}, not with a string",
                test.field
            ),
            part.at.clone(),
        ));
    };
    let plain = |value: i128| constants::Constant {
        value,
        mask: u64::MAX,
    };
    if let Some((value, unit)) = constants::number(word) {
        let unit_fits = match unit {
            Unit::None => true,
            Unit::Time => ty == Type::Duration,
            Unit::Bytes => matches!(ty, Type::Number | Type::Argument),
        };
        if !unit_fits {
            let message = format!("`{}` isn't counted in that unit", test.field);
            return Err(Error::new(message, part.at.clone()).help(format!("{what} is expected")));
        }
        return Ok(plain(value));
    }
    let is_result = matches!(field, Field::Res);
    let (negative, name) = match word.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, word),
    };
    let errno = || vitrine_abi::Errno::from_name(name);
    let found = match field {
        Field::Errno | Field::Res if errno().is_some() => {
            errno().map(|errno| plain(errno.0.into()))
        }
        // The number of a call may be given by name.
        Field::Nr => syscall::by_name(name).map(|call| plain(call.nr.into())),
        _ if ty == Type::Bool => match name {
            "true" | "yes" => Some(plain(1)),
            "false" | "no" => Some(plain(0)),
            _ => None,
        },
        _ => own_constant(kinds, name).or_else(|| constants::any(name)),
    };
    let Some(mut constant) = found else {
        let own = kinds.iter().filter_map(|kind| match kind {
            ArgKind::Flags(set) | ArgKind::Enum(set) | ArgKind::FlagsMode(set) => Some(*set),
            _ => None,
        });
        let help = did_you_mean(name, own.flat_map(constants::names_of))
            .or_else(|| match field {
                Field::Nr => did_you_mean(name, syscall::all().map(|call| call.name)),
                _ => did_you_mean(name, constants::errno_names()),
            })
            .unwrap_or_else(|| format!("`{}` is compared with {what}", test.field));
        return Err(
            Error::new(format!("there is no constant `{text}`"), part.at.clone()).help(help),
        );
    };
    // The result of a failed call is the negated error number.
    let is_errno = vitrine_abi::Errno::from_name(name).is_some();
    if negative || is_result && is_errno {
        constant = plain(-constant.value);
    }
    Ok(constant)
}

/// All calls and all other numbers.
pub fn any_call() -> CallSet {
    (0..=TABLE_LEN).collect()
}
