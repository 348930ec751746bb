//! The grammar of the filter language.
//!
//! ```text
//! query   = [ or ]
//! or      = and { ( "or" | "|" | "||" ) and }
//! and     = unary { [ "and" | "&" | "&&" ] unary }
//! unary   = { "!" | "not" } ( "(" or ")" | term )
//! term    = key op value { "," value } | word | quoted
//! op      = ":" | "=" | "!=" | ">" | ">=" | "<" | "<="
//! value   = [ ">" | ">=" | "<" | "<=" | "=" ] ( text | quoted )
//! ```

use winnow::{
    ModalResult, Parser,
    ascii::multispace0,
    combinator::{alt, eof, not, opt, peek, preceded, repeat, terminated},
    error::{ErrMode, ParserError},
    stream::{LocatingSlice, Location, Stateful, Stream},
    token::{any, one_of, take_while},
};

use super::{
    QueryError,
    ast::{Expr, Number, Place, Term, Word},
    keys::{End, KEYS, Key, Kind, nearest},
    value::{self, Written},
};

/// The longest filter that is read, in bytes.
pub(super) const MAX_LENGTH: usize = 4096;
/// How deep parentheses may nest.
pub(super) const MAX_DEPTH: usize = 64;

/// The text with its position, and how deep in parentheses it is.
type Input<'a> = Stateful<LocatingSlice<&'a str>, usize>;
type Parsed<T> = ModalResult<T, Problem>;

/// What is wrong, and at which byte.
#[derive(Debug, Clone, PartialEq)]
struct Problem {
    at: usize,
    message: String,
}

impl<'a> ParserError<Input<'a>> for Problem {
    type Inner = Self;

    fn from_input(input: &Input<'a>) -> Self {
        let message = match input.input.peek_token() {
            Some(c) => format!("`{}` does not fit here", c.escape_debug()),
            None => "something is missing at the end".to_owned(),
        };
        Self { at: input.current_token_start(), message }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// A problem that no other reading of the text could cure.
fn fatal<T>(at: usize, message: impl Into<String>) -> Parsed<T> {
    Err(ErrMode::Cut(Problem { at, message: message.into() }))
}

/// The tree of a filter, `None` for an empty one.
pub(super) fn parse(text: &str) -> Result<Option<Expr>, QueryError> {
    let failed = |at: usize, message: String| {
        let column = text.char_indices().take_while(|(index, _)| *index < at).count();
        QueryError { column, message }
    };
    if text.len() > MAX_LENGTH {
        return Err(failed(MAX_LENGTH, format!("a filter has at most {MAX_LENGTH} bytes")));
    }
    if text.trim().is_empty() {
        return Ok(None);
    }
    let input = Input { input: LocatingSlice::new(text), state: 0 };
    whole.parse(input).map(Some).map_err(|error| {
        let Problem { at, message } = error.into_inner();
        failed(at, message)
    })
}

fn whole(input: &mut Input<'_>) -> Parsed<Expr> {
    let expr = preceded(multispace0, either).parse_next(input)?;
    let at = input.current_token_start();
    match input.peek_token() {
        None => Ok(expr),
        Some(')') => fatal(at, "this parenthesis was never opened"),
        Some(c) => fatal(at, format!("`{}` does not fit here", c.escape_debug())),
    }
}

fn either(input: &mut Input<'_>) -> Parsed<Expr> {
    let mut parts = vec![both(input)?];
    while opt(operator(&["||", "|"], "or")).parse_next(input)?.is_some() {
        parts.push(both(input)?);
    }
    Ok(Expr::or(parts))
}

fn both(input: &mut Input<'_>) -> Parsed<Expr> {
    let mut parts = vec![unary(input)?];
    loop {
        let joined = opt(operator(&["&&", "&"], "and")).parse_next(input)?.is_some();
        if !joined && at_end(input)? {
            return Ok(Expr::and(parts));
        }
        parts.push(unary(input)?);
    }
}

/// Whether no further condition of the same `and` follows.
fn at_end(input: &mut Input<'_>) -> Parsed<bool> {
    let end = alt((eof.void(), one_of((')', '|')).void(), keyword("or").void()));
    Ok(opt(peek(end)).parse_next(input)?.is_some())
}

/// Signs or a word that stand between or before conditions, with the space after them.
fn operator<'a>(
    signs: &'static [&'static str],
    word: &'static str,
) -> impl Parser<Input<'a>, (), ErrMode<Problem>> {
    let sign = move |input: &mut Input<'a>| -> Parsed<()> {
        let found = signs.iter().find(|sign| input.input.starts_with(**sign));
        let Some(sign) = found else { return Err(ErrMode::Backtrack(Problem::from_input(input))) };
        input.next_slice(sign.len());
        Ok(())
    };
    terminated(alt((sign, keyword(word))), multispace0)
}

/// The word alone, in any case: not as the beginning of a longer one, nor as a key.
fn keyword<'a>(word: &'static str) -> impl Parser<Input<'a>, (), ErrMode<Problem>> {
    let rest = one_of(|c: char| is_bare(c) || c == ',' || is_comparison(c));
    terminated(winnow::ascii::Caseless(word), not(rest)).void()
}

fn unary(input: &mut Input<'_>) -> Parsed<Expr> {
    let signs: Vec<()> = repeat(0.., operator(&["!"], "not")).parse_next(input)?;
    let expr = terminated(primary, multispace0).parse_next(input)?;
    Ok(if signs.len() % 2 == 1 { Expr::not(expr) } else { expr })
}

fn primary(input: &mut Input<'_>) -> Parsed<Expr> {
    let at = input.current_token_start();
    match input.peek_token() {
        Some('(') => group(input, at),
        None => fatal(at, "a condition is missing here, such as port:443"),
        Some(')' | '|' | '&') => fatal(at, "a condition is missing before this"),
        Some('"' | '\'') => quoted(input).map(|text| Expr::Term(Term::Word(Word::new(text)))),
        Some(_) if opt(peek(alt((keyword("or"), keyword("and"))))).parse_next(input)?.is_some() => {
            fatal(at, "a condition is missing before this; put the word in quotes if it is a name")
        }
        Some(_) => term(input),
    }
}

fn group(input: &mut Input<'_>, at: usize) -> Parsed<Expr> {
    if input.state == MAX_DEPTH {
        return fatal(at, format!("parentheses nest at most {MAX_DEPTH} deep"));
    }
    input.state += 1;
    let expr = preceded(('(', multispace0), either).parse_next(input)?;
    input.state -= 1;
    match opt(any).parse_next(input)? {
        Some(')') => Ok(expr),
        _ => fatal(at, "this parenthesis is never closed"),
    }
}

fn term(input: &mut Input<'_>) -> Parsed<Expr> {
    let at = input.current_token_start();
    let start = input.checkpoint();
    let word = take_while(1.., is_bare).parse_next(input)?;
    if let Some(term) = bare(word) {
        return match meant(word, input.input.as_ref()) {
            Some(meant) => fatal(at, format!("a colon is missing; did you mean {meant}?")),
            None => Ok(Expr::Term(term)),
        };
    }
    input.reset(&start);
    let key = take_while(0.., |c| is_bare(c) && !is_comparison(c)).parse_next(input)?;
    let Some(sign) = sign(input, &["!=", ">=", "<=", ":", "=", ">", "<"]) else {
        return fatal(at, unknown_key(key));
    };
    let Some(key) = Key::find(key) else { return fatal(at, unknown_key(key)) };
    let comparison = if matches!(sign, ">=" | "<=" | ">" | "<") { sign } else { "" };
    let values = values(input, key, comparison)?;
    let term = value::term(key.kind, &values).or_else(|(at, message)| fatal(at, message))?;
    Ok(if sign == "!=" { Expr::not(Expr::Term(term)) } else { Expr::Term(term) })
}

fn unknown_key(name: &str) -> String {
    if name.is_empty() {
        return "a key is missing here, such as port or state".to_owned();
    }
    match nearest(name, KEYS.iter().flat_map(Key::names)) {
        Some(near) => format!("there is no key `{name}`; did you mean {near}?"),
        None => format!("there is no key `{name}`; put the text in quotes to find it in a name"),
    }
}

/// What `word` and the text after it were meant to be, if the word is a key and a value of it follows: `port:443`
/// for `port 443`, and for `dst port 443`, as some write it, `rport:443`.
fn meant(word: &str, rest: &str) -> Option<String> {
    let key = Key::find(word)?;
    let (next, rest) = next_word(rest)?;
    let inner = match (key.kind, Key::find(next).map(|key| key.kind)) {
        (Kind::Address(end @ (End::Local | End::Peer)), Some(Kind::Port(End::Either))) => Kind::Port(end),
        (Kind::Address(end), Some(Kind::Address(End::Either))) => Kind::Address(end),
        _ => return is_value_of(key.kind, next).then(|| format!("{word}:{next}")),
    };
    let (value, _) = next_word(rest)?;
    is_value_of(inner, value).then(|| format!("{}:{value}", inner.key().name))
}

/// The first word of `text` and what follows it; `None` if something else than a word comes first.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let (word, rest) = text.split_at(text.find(|c| !is_bare(c)).unwrap_or(text.len()));
    let operator = ["or", "and", "not"].iter().any(|operator| word.eq_ignore_ascii_case(operator));
    (!word.is_empty() && !word.starts_with('!') && !operator).then_some((word, rest))
}

/// Whether `text` is no condition of its own and can stand after a key of that kind.
fn is_value_of(kind: Kind, text: &str) -> bool {
    let written = Written { at: 0, sign: "", text: text.to_owned(), quoted: false };
    bare(text).is_some() && value::term(kind, &[written]).is_ok()
}

/// A word without a key: a port, an address, or part of a name. `None` if it has a key.
fn bare(word: &str) -> Option<Term> {
    let ports = word.split_once('-').map_or_else(
        || value::port(word).map(Number::Is),
        |(low, high)| {
            let (low, high) = (value::port(low)?, value::port(high)?);
            (low <= high).then_some(Number::Between(low, high))
        },
    );
    if let Some(ports) = ports {
        return Some(Term::Port(End::Either, vec![ports]));
    }
    if let Some(place) = value::place(word).filter(|place| place.net.is_some() || place.port.is_some()) {
        return Some(match place {
            Place { net: None, port: Some(port) } => Term::Port(End::Either, vec![Number::Is(port.into())]),
            place => Term::Address(End::Either, vec![place]),
        });
    }
    (!word.contains(is_comparison)).then(|| Term::Word(Word::new(word.to_owned())))
}

/// Whether `text` may stand in a filter without quotes and is that word again when it is read.
pub(super) fn is_bare_word(text: &str) -> bool {
    let reserved = ["or", "and", "not"].iter().any(|word| text.eq_ignore_ascii_case(word));
    // A key alone is a word, but not before every other word.
    let plain = !text.is_empty()
        && Key::find(text).is_none()
        && text.chars().all(|c| is_bare(c) && !is_comparison(c) && c != '!');
    plain && !reserved && bare(text) == Some(Term::Word(Word::new(text.to_owned())))
}

/// Whether `text` may stand after a key without quotes.
pub(super) fn is_bare_value(text: &str) -> bool {
    !text.is_empty()
        && text != "*"
        && !text.starts_with(['>', '<', '='])
        && text.chars().all(|c| is_bare(c) && !c.is_control())
}

/// The characters of words and values that need no quotes.
fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '(' | ')' | '|' | '&' | ',' | '"' | '\'' | '\\')
}

/// The characters that end a key.
fn is_comparison(c: char) -> bool {
    matches!(c, ':' | '=' | '<' | '>' | '!')
}

/// The first of `signs` that the text goes on with.
fn sign(input: &mut Input<'_>, signs: &[&'static str]) -> Option<&'static str> {
    let sign = *signs.iter().find(|sign| input.input.starts_with(**sign))?;
    input.next_slice(sign.len());
    Some(sign)
}

fn values(input: &mut Input<'_>, key: &Key, first: &'static str) -> Parsed<Vec<Written>> {
    let mut values = vec![value(input, key, first)?];
    while opt(',').parse_next(input)?.is_some() {
        values.push(value(input, key, "")?);
    }
    Ok(values)
}

fn value(input: &mut Input<'_>, key: &Key, given: &'static str) -> Parsed<Written> {
    let at = input.current_token_start();
    let own = sign(input, &[">=", "<=", ">", "<", "="]).unwrap_or("");
    let sign = match (given, own) {
        (given, "") => given,
        ("", own) => own,
        (_, own) => return fatal(at, format!("`{own}` is one sign too many")),
    };
    if input.peek_token().is_some_and(|c| matches!(c, '"' | '\'')) {
        return Ok(Written { at, sign, text: quoted(input)?, quoted: true });
    }
    let text = take_while(0.., is_bare).parse_next(input)?;
    if text.is_empty() {
        return fatal(input.current_token_start(), format!("a value is missing after {}", key.name));
    }
    Ok(Written { at, sign, text: text.to_owned(), quoted: false })
}

/// Text in single or double quotes. A backslash takes away the meaning of the next character, and
/// `\n`, `\t`, `\u{…}` stand for what they do elsewhere.
fn quoted(input: &mut Input<'_>) -> Parsed<String> {
    let at = input.current_token_start();
    let quote = any.parse_next(input)?;
    let mut text = String::new();
    loop {
        let here = input.current_token_start();
        match opt(any).parse_next(input)? {
            None => return fatal(at, "this quote is never closed"),
            Some(c) if c == quote => return Ok(text),
            Some('\\') => match opt(escape).parse_next(input)? {
                Some(c) => text.push(c),
                None => return fatal(here, "there is no such escape; write \\\\ for a backslash"),
            },
            Some(c) => text.push(c),
        }
    }
}

fn escape(input: &mut Input<'_>) -> Parsed<char> {
    let code = ("u{", take_while(1..=6, |c: char| c.is_ascii_hexdigit()), '}')
        .verify_map(|(_, digits, _)| char::from_u32(u32::from_str_radix(digits, 16).ok()?));
    let plain = any.verify_map(|c: char| match c {
        'n' => Some('\n'),
        't' => Some('\t'),
        c => (!c.is_ascii_alphanumeric()).then_some(c),
    });
    alt((code, plain)).parse_next(input)
}
