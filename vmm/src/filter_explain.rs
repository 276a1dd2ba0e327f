//! `vitrine filter explain`: how an expression is split between guest and host, and the guest's program as text.

use std::io::Write;

use vitrine_introspect::filter::{self, Definitions};

use crate::cli::ExplainOptions;

/// Explains an expression on standard output; false if it is wrong, which standard error then says.
pub fn explain(options: &ExplainOptions) -> bool {
    match filter::parse(&options.expression, &Definitions::default()) {
        Ok(expr) => {
            let text = filter::explain(&expr);
            // A reader that has gone away has seen enough.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            true
        }
        Err(error) => {
            eprintln!("vitrine: {error}");
            false
        }
    }
}
