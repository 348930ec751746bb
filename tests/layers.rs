//! The layers: who may import whom. Reads the paths of every source file and fails on a forbidden direction.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What each layer may name beside itself: a module, or a path within one.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("wire", &["model"]),
    ("source", &["model", "wire"]),
    ("store", &["model"]),
    ("findings", &["model", "store"]),
    ("field", &["model", "store", "findings"]),
    ("query", &["model", "store", "findings", "field"]),
    ("export", &["model", "store", "findings", "field", "query"]),
    ("ui", &["model", "store", "findings", "field", "query"]),
    ("cli", &["query", "ui::theme", "ui::keymap", "ui::settings", "export::Format", "model::text"]),
];

/// These see everyone: the wiring, and the roots of the program and the library.
const WIRING: &[&str] = &["app", "main", "lib"];

#[test]
fn no_file_imports_against_the_direction() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&root);
    assert!(files.len() > 20, "the sources are where they were: {files:?}");
    let complaints: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).expect("a source file is readable");
            violations(file.strip_prefix(&root).expect("below the root"), &text)
        })
        .collect();
    assert_eq!(complaints, Vec::<String>::new(), "{}", complaints.join("\n"));
}

#[test]
fn the_checker_sees_what_is_planted() {
    let planted = [
        ("ui/pane/overview.rs", "use crate::source::live;", "source::live"),
        ("store/ledger.rs", "use crate::{model::Sample, query::{Query}};", "query::Query"),
        ("model/mod.rs", "fn f() { crate::store::Ledger::new(); }", "store::Ledger::new"),
        ("wire/inet_diag/rows.rs", "use super::super::super::source;", "source"),
        ("source.rs", "use super::store::{self as s};", "store"),
        ("cli/args.rs", "use crate::{export::{Format, json}, ui::theme::Palette};", "export::json"),
        ("query/mod.rs", "pub use crate::ui::*;", "ui"),
        ("query/mod.rs", "fn f() {} mod tests { use super::super::ui; }", "ui"),
        ("export/csv.rs", r#"const A: &str = "\"//"; use crate::app;"#, "app"),
        ("colour.rs", "", "colour"),
    ];
    for (file, text, path) in planted {
        let found = violations(Path::new(file), text);
        assert_eq!(found.len(), 1, "{file}: {text}: {found:?}");
        assert!(found[0].contains(&format!("`{path}`")), "{found:?}");
    }
}

#[test]
fn the_checker_lets_pass_what_is_allowed() {
    let fine = [
        (
            "ui/pane.rs",
            "use crate::{model, query::Query, ui::theme}; use super::super::ui::x; use super::layout;",
        ),
        (
            "store/mod.rs",
            "// use crate::ui;\n/* crate::ui /* nested */ */ const C: char = '\"'; use crate::model;",
        ),
        ("wire/mod.rs", "/// See [`crate::source`].\nfn f<'a>(x: &'a str) { let _ = \"crate::ui::x\"; }"),
        ("wire/raw.rs", "const A: &str = r#\"\"crate::ui\"#;"),
        ("cli/mod.rs", "use crate::{export::Format, query::Query, ui::keymap};"),
        ("store/mod.rs", "fn f() { if a { b } } mod tests { use super::*; fn g() { super::f() } }"),
        ("app/screen.rs", "use crate::{source, ui};"),
        ("main.rs", "use twtop::source;"),
    ];
    for (file, text) in fine {
        assert_eq!(violations(Path::new(file), text), Vec::<String>::new());
    }
}

/// One sentence for each path in `text`, the file at `file` below `src`, that its layer may not name.
fn violations(file: &Path, text: &str) -> Vec<String> {
    let module = file.with_extension("");
    let mut modules: Vec<&str> = module.iter().filter_map(|part| part.to_str()).collect();
    if modules.last() == Some(&"mod") {
        modules.pop();
    }
    let layer = modules[0];
    if WIRING.contains(&layer) {
        return Vec::new();
    }
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("{}: there is no layer `{layer}`; say here what it may import", file.display())];
    };
    let within = |path: &str, prefix: &str| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    paths_from_root(text, modules.len())
        .into_iter()
        .filter(|path| !within(path, layer) && !allowed.iter().any(|prefix| within(path, prefix)))
        .map(|path| format!("{}: layer {layer} may not name `{path}`", file.display()))
        .collect()
}

/// Every path in `text` that starts at the root of the crate, by `crate::` or by as many `super::` as the module is
/// deep (`depth` for the file, more within its inline modules), without that start.
fn paths_from_root(text: &str, depth: usize) -> Vec<String> {
    let tokens = tokens(text);
    let mut paths = Vec::new();
    // For each brace that is open, whether it is an inline module's.
    let mut braces: Vec<bool> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        let supers = rest.chunks(2).take_while(|pair| *pair == ["super", "::"]).count();
        let root = depth + braces.iter().filter(|inline| **inline).count();
        match rest {
            ["crate", "::", ..] => {
                at += 2;
                tree(&tokens, &mut at, "", &mut paths);
            }
            ["super", "::", ..] => {
                at += 2 * supers;
                if supers == root {
                    tree(&tokens, &mut at, "", &mut paths);
                }
            }
            ["mod", _, "{", ..] => {
                braces.push(true);
                at += 3;
            }
            ["{", ..] => {
                braces.push(false);
                at += 1;
            }
            ["}", ..] => {
                braces.pop();
                at += 1;
            }
            _ => at += 1,
        }
    }
    paths
}

/// Reads a path or a tree of imports at `at`, and adds its leaves, each after `prefix`.
fn tree(tokens: &[&str], at: &mut usize, prefix: &str, paths: &mut Vec<String>) {
    let mut path = prefix.to_owned();
    loop {
        match tokens.get(*at) {
            Some(&"{") => {
                *at += 1;
                while tokens.get(*at).is_some_and(|token| *token != "}") {
                    tree(tokens, at, &path, paths);
                    while tokens.get(*at).is_some_and(|token| !matches!(*token, "," | "}")) {
                        *at += 1;
                    }
                    *at += usize::from(tokens.get(*at) == Some(&","));
                }
                *at += 1;
                return;
            }
            Some(&("self" | "*")) => *at += 1,
            Some(word) if is_word(word) => {
                path = if path.is_empty() { (*word).to_owned() } else { format!("{path}::{word}") };
                *at += 1;
            }
            _ => {}
        }
        if tokens.get(*at) != Some(&"::") {
            paths.push(path);
            return;
        }
        *at += 1;
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The words, `::` and single other characters of Rust source, without comments and literals of text.
fn tokens(mut text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    while let Some(first) = text.chars().next() {
        let literal = text_literal(text);
        let length = if text.starts_with("//") {
            text.find('\n').unwrap_or(text.len())
        } else if text.starts_with("/*") {
            block_comment(text)
        } else if literal > 0 {
            literal
        } else {
            let length = token(text, first);
            if !first.is_whitespace() {
                tokens.push(&text[..length]);
            }
            length
        };
        text = &text[length..];
    }
    tokens
}

fn token(text: &str, first: char) -> usize {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    if text.starts_with("::") {
        2
    } else if in_word(first) {
        text.find(|c| !in_word(c)).unwrap_or(text.len())
    } else {
        first.len_utf8()
    }
}

/// The length of the nested comment that `text` begins with.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        match rest {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the string or character that `text` begins with, 0 if it begins with neither.
fn text_literal(text: &str) -> usize {
    let body = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - body.len();
    let raw = body.strip_prefix('r').unwrap_or(body);
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if raw.len() < body.len() && raw[hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let start = prefix + 1 + hashes + 1;
        return text[start..].find(&end).map_or(text.len(), |at| start + at + end.len());
    }
    let quoted = |quote: u8| {
        let mut escaped = false;
        let end = body.bytes().skip(1).position(|byte| {
            let ends = byte == quote && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        end.map_or(text.len(), |at| prefix + 1 + at + 1)
    };
    // A quote that is not closed after one character, escaped or not, begins a lifetime.
    let mut after = body.chars().skip(1);
    match body.chars().next() {
        Some('"') if prefix <= 1 => quoted(b'"'),
        Some('\'') if after.next() == Some('\\') || after.next() == Some('\'') => quoted(b'\''),
        _ => 0,
    }
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
