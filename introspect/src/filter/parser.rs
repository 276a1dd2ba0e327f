//! Tokens to an expression: recursive descent, bounded in depth and size.

use super::{
    ast::{Ast, Op, Part, Test, Value},
    error::{Error, Result, did_you_mean},
    lexer::{self, Spanned, Token},
};
use std::{collections::BTreeMap, ops::Range};

/// Deepest nesting of brackets, `not` and macros.
pub const MAX_DEPTH: usize = 100;
/// Most tests in an expression, those of macros included, and most values.
pub const MAX_TERMS: usize = 1 << 17;

/// Names that the configuration gives to expressions and lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Definitions {
    /// Expressions by name.
    pub macros: BTreeMap<String, String>,
    /// Lists of values by name.
    pub lists: BTreeMap<String, Vec<String>>,
}

/// A reader of tokens.
pub struct Parser<'a> {
    tokens: Vec<Spanned>,
    next: usize,
    end: usize,
    definitions: &'a Definitions,
    depth: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    /// A parser at the start of a text.
    pub fn new(text: &str, definitions: &'a Definitions) -> Result<Parser<'a>> {
        Ok(Parser {
            tokens: lexer::tokens(text)?,
            next: 0,
            end: text.trim_end().len(),
            definitions,
            depth: 0,
            terms: 0,
        })
    }

    /// The next token, if there is one.
    pub fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|spanned| &spanned.token)
    }

    /// Where the next token stands; at the end of the text an empty place.
    pub fn at(&self) -> Range<usize> {
        match self.tokens.get(self.next) {
            Some(spanned) => spanned.at.clone(),
            None => self.end..self.end,
        }
    }

    /// Takes the next token.
    pub fn take(&mut self) -> Option<Spanned> {
        let token = self.tokens.get(self.next).cloned();
        self.next += usize::from(token.is_some());
        token
    }

    /// Takes the next token if it is this operator.
    pub fn eat(&mut self, op: &str) -> bool {
        let is_it = matches!(self.peek(), Some(Token::Op(found)) if *found == op);
        self.next += usize::from(is_it);
        is_it
    }

    /// Takes the next token if it is this word.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.next += usize::from(is_it);
        is_it
    }

    /// The error that something else was expected here.
    pub fn expected(&self, what: &str) -> Error {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Word(word)) => {
                let short: String = word.chars().take(40).collect();
                format!("`{short}`")
            }
            Some(Token::Quoted(_)) => "a string".to_owned(),
            Some(Token::Op(op)) => format!("`{op}`"),
        };
        Error::new(format!("{what} is expected, not {found}"), self.at())
    }

    /// An expression.
    pub fn expression(&mut self) -> Result<Ast> {
        let mut any = vec![self.conjunction()?];
        while self.eat_word("or") || self.eat("||") {
            any.push(self.conjunction()?);
        }
        Ok(match any.len() {
            1 => any.remove(0),
            _ => Ast::Or(any),
        })
    }

    fn conjunction(&mut self) -> Result<Ast> {
        let mut all = vec![self.factor()?];
        while self.eat_word("and") || self.eat("&&") {
            all.push(self.factor()?);
        }
        Ok(match all.len() {
            1 => all.remove(0),
            _ => Ast::And(all),
        })
    }

    fn factor(&mut self) -> Result<Ast> {
        self.deeper()?;
        let at = self.at();
        let ast = if self.eat_word("not") || self.eat("!") {
            Ast::Not(Box::new(self.factor()?))
        } else if self.eat("(") {
            let inner = self.expression()?;
            if !self.eat(")") {
                return Err(self
                    .expected("`and`, `or` or `)`")
                    .help(format!("the bracket at column {} is open", at.start + 1)));
            }
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(ast)
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::new(
                format!("the expression is nested deeper than {MAX_DEPTH}"),
                self.at(),
            ));
        }
        Ok(())
    }

    fn count(&mut self, at: &Range<usize>) -> Result<()> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(Error::new(
                format!("the expression has more than {MAX_TERMS} terms"),
                at.clone(),
            ));
        }
        Ok(())
    }

    fn test(&mut self) -> Result<Ast> {
        let field_at = self.at();
        let field = match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => word.clone(),
            _ => return Err(self.expected("a field, a macro, `not` or `(`")),
        };
        self.next += 1;
        self.count(&field_at)?;
        if let Some(text) = self.definitions.macros.get(&field)
            && !self.operator_follows()
        {
            return self.macro_body(&field, text, field_at);
        }
        let mask = if self.eat("&") {
            Some(self.value(&field)?)
        } else {
            None
        };
        let op_at = self.at();
        let negated = self.eat_word("not");
        let Some(op) = self.operator() else {
            if mask.is_none() && !negated && self.ends_here() {
                let op = Op::Bare;
                let (op_at, values) = (field_at.clone(), Vec::new());
                return Ok(Ast::Test(Test {
                    field,
                    field_at,
                    mask,
                    op,
                    op_at,
                    values,
                }));
            }
            let help = match self.peek() {
                Some(Token::Word(word)) => did_you_mean(word, Op::WORDS.iter().copied()),
                _ => None,
            };
            let what = format!("an operator after `{field}`");
            return Err(self.expected(&what).maybe(help));
        };
        let op_end = self.tokens[self.next - 1].at.end;
        let op_at = op_at.start..op_end;
        if negated && op != Op::In {
            return Err(Error::new("`not` stands before `in` only", op_at)
                .help("put it before the field: `not FIELD contains …`"));
        }
        let values = match op {
            Op::Exists => Vec::new(),
            _ => self.values(&field, op)?,
        };
        let test = Ast::Test(Test {
            field,
            field_at,
            mask,
            op,
            op_at,
            values,
        });
        Ok(if negated {
            Ast::Not(Box::new(test))
        } else {
            test
        })
    }

    fn operator_follows(&self) -> bool {
        match self.peek() {
            Some(Token::Word(word)) => Op::from_name(word).is_some(),
            Some(Token::Op(op)) => Op::from_name(op).is_some() || *op == "&",
            _ => false,
        }
    }

    fn operator(&mut self) -> Option<Op> {
        let op = match self.peek()? {
            Token::Word(word) => Op::from_name(word),
            Token::Op(op) => Op::from_name(op),
            Token::Quoted(_) => None,
        }?;
        self.next += 1;
        Some(op)
    }

    /// Whether what follows can't belong to the test any more.
    fn ends_here(&self) -> bool {
        match self.peek() {
            None => true,
            Some(Token::Word(word)) => is_keyword(word),
            Some(Token::Op(op)) => matches!(*op, ")" | "&&" | "||" | ";"),
            Some(Token::Quoted(_)) => false,
        }
    }

    fn macro_body(&mut self, name: &str, text: &str, at: Range<usize>) -> Result<Ast> {
        self.deeper()?;
        let inside = |error: Error| {
            let help = error.to_string().replace('\n', "\n    ");
            Error::new(format!("the macro `{name}` is wrong"), at.clone()).help(help)
        };
        let mut parser = Parser::new(text, self.definitions).map_err(|e| inside(e.of(text)))?;
        parser.depth = self.depth;
        parser.terms = self.terms;
        let ast = parser.whole().map_err(|e| inside(e.of(text)))?;
        self.terms = parser.terms;
        self.depth -= 1;
        Ok(placed(ast, &at))
    }

    /// An expression and nothing after it.
    pub fn whole(&mut self) -> Result<Ast> {
        let ast = self.expression()?;
        match self.peek() {
            None => Ok(ast),
            Some(Token::Op(")")) => Err(Error::new("there is no `(` for this `)`", self.at())),
            Some(_) => Err(self.expected("`and`, `or` or the end")),
        }
    }

    fn values(&mut self, field: &str, op: Op) -> Result<Vec<Value>> {
        let mut values = Vec::new();
        if !self.eat("(") {
            if op == Op::In && !self.is_list() {
                return Err(self.expected("a list in brackets after `in`"));
            }
            self.listed(&mut values, field)?;
            return Ok(values);
        }
        loop {
            if self.eat(")") {
                break;
            }
            self.listed(&mut values, field)?;
            if self.eat(")") {
                break;
            }
            if !self.eat(",") {
                return Err(self.expected("`,` or `)`"));
            }
        }
        Ok(values)
    }

    fn is_list(&self) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if self.definitions.lists.contains_key(word))
    }

    /// One value, or those of a list that has a name.
    fn listed(&mut self, values: &mut Vec<Value>, field: &str) -> Result<()> {
        let at = self.at();
        let list = match self.peek() {
            Some(Token::Word(word)) => self.definitions.lists.get(word),
            _ => None,
        };
        let Some(list) = list else {
            self.count(&at)?;
            values.push(self.value(field)?);
            return Ok(());
        };
        self.next += 1;
        for text in list {
            self.count(&at)?;
            let part = Part {
                text: text.clone().into_bytes(),
                quoted: false,
                complement: false,
                at: at.clone(),
            };
            values.push(Value {
                parts: vec![part],
                at: at.clone(),
            });
        }
        Ok(())
    }

    /// A value; `after` says what it belongs to, for the error.
    pub fn value(&mut self, after: &str) -> Result<Value> {
        let start = self.at().start;
        let mut parts = Vec::new();
        loop {
            let from = self.at().start;
            let complement = self.eat("~");
            let (text, quoted) = match self.peek() {
                Some(Token::Word(word)) => (word.clone().into_bytes(), false),
                Some(Token::Quoted(text)) => (text.clone(), true),
                // The two directions of an event.
                Some(Token::Op(op @ ("<" | ">"))) => (op.as_bytes().to_vec(), false),
                _ => return Err(self.expected(&format!("a value for `{after}`"))),
            };
            let at = from..self.at().end;
            self.next += 1;
            parts.push(Part {
                text,
                quoted,
                complement,
                at,
            });
            if !self.eat("|") {
                break;
            }
        }
        let end = parts.last().map_or(start, |part| part.at.end);
        Ok(Value {
            parts,
            at: start..end,
        })
    }
}

/// Words that are no fields.
fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "and" | "or" | "not" | "then" | "when" | "probability" | "scope"
    ) || Op::from_name(word).is_some()
}

/// An expression from a macro: errors about it point to the macro's name.
fn placed(mut ast: Ast, at: &Range<usize>) -> Ast {
    fn visit(ast: &mut Ast, at: &Range<usize>) {
        match ast {
            Ast::And(list) | Ast::Or(list) => list.iter_mut().for_each(|ast| visit(ast, at)),
            Ast::Not(inner) => visit(inner, at),
            Ast::Test(test) => {
                test.field_at = at.clone();
                test.op_at = at.clone();
                for value in test.values.iter_mut().chain(&mut test.mask) {
                    value.at = at.clone();
                    value.parts.iter_mut().for_each(|part| part.at = at.clone());
                }
            }
        }
    }
    visit(&mut ast, at);
    ast
}
