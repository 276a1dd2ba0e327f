//! The filter language, and rules.
//!
//! The way of an expression: text → [`lexer`] → [`parser`] → [`ast`] → [`check`] (types) → [`expr`] → [`lower`](mod@lower) (for one call: which argument a name means) →
//! [`compile`](mod@compile) (the part that the guest decides, an abi filter) and [`eval`] (all of it, on the host).
//!
//! - [`fields`], [`constants`], [`calls`]: what names mean.
//! - [`error`]: what is wrong, where, and what to do about it.
//!
//! ```text
//! expression  = conjunction { "or" conjunction }
//! conjunction = factor { "and" factor }
//! factor      = "not" factor | "(" expression ")" | macro | test
//! test        = field [ "&" value ] operator value | field [ "not" ] "in" list | field "exists" | field
//! operator    = "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "contains" | "icontains" | "startswith" | "endswith" | "glob"
//! list        = "(" [ value { "," value } ] ")" | name of a list
//! value       = [ "~" ] ( word | string ) { "|" value }
//! ```
//!
//! A test of a value that is absent (a descriptor that isn't open, the result of a call that hasn't ended) is false, whatever the operator; `not` of it is true.

pub mod ast;
pub mod calls;
pub mod check;
pub mod compile;
pub mod constants;
pub mod error;
pub mod eval;
pub mod explain;
pub mod expr;
pub mod fields;
pub mod lexer;
pub mod lower;
pub mod parser;
mod residual;
pub mod rules;
pub mod strace;

pub use compile::Compiler;
pub use error::Error;
pub use eval::Evaluator;
pub use explain::explain;
pub use parser::Definitions;
pub use residual::Residual;
pub use rules::Rule;

use expr::Expr;

/// Parses and checks an expression.
pub fn parse(text: &str, definitions: &Definitions) -> Result<Expr, Error> {
    parse_unplaced(text, definitions).map_err(|error| error.of(text))
}

fn parse_unplaced(text: &str, definitions: &Definitions) -> Result<Expr, Error> {
    let ast = parser::Parser::new(text, definitions)?.whole()?;
    check::check(&ast, &check::any_call())
}
