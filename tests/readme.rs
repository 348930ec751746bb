//! What the README says that the program knows better: its keys and commands are held against the tables.
//! `TWTOP_UPDATE=1 cargo test --test readme` writes them anew.

use std::fs;

use twtop::{query::Query, ui::command::TABLE};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

fn keys_table() -> String {
    let rows = TABLE.iter().map(|entry| {
        let keys: Vec<String> = entry.keys.iter().map(|key| format!("`{}`", key.label())).collect();
        format!("| {} | {} |\n", keys.join(" "), entry.help)
    });
    format!("| key | what it does |\n| --- | --- |\n{}", rows.collect::<String>())
}

/// Replaces what stands between two marks.
fn with_section(text: &str, name: &str, section: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = text.find(&open).expect("the opening mark") + open.len();
    let end = text.find(&close).expect("the closing mark");
    format!("{}{section}{}", &text[..start], &text[end..])
}

#[test]
fn the_keys_are_those_of_the_command_table() {
    let readme = fs::read_to_string(README).expect("a README");
    let wanted = with_section(&readme, "keys", &keys_table());
    if std::env::var_os("TWTOP_UPDATE").is_some() {
        fs::write(README, &wanted).expect("the README can be written");
    }
    assert!(
        readme == wanted || std::env::var_os("TWTOP_UPDATE").is_some(),
        "TWTOP_UPDATE=1 cargo test --test readme"
    );
}

#[test]
fn every_filter_in_the_readme_can_be_read() {
    let readme = fs::read_to_string(README).expect("a README");
    let filters: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.split_once("--filter ")?.1.split('`').next())
        .filter_map(|rest| match rest.trim().strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next(),
            None => rest.split_whitespace().next(),
        })
        .collect();
    assert!(filters.len() >= 3, "{filters:?}");
    for filter in filters {
        Query::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    }
}

#[test]
fn every_option_is_in_the_readme() {
    use clap::CommandFactory as _;
    let readme = fs::read_to_string(README).expect("a README");
    let cli = twtop::cli::args::Cli::command();
    let options: Vec<String> = std::iter::once(&cli)
        .chain(cli.get_subcommands())
        .flat_map(clap::Command::get_arguments)
        .filter_map(|option| option.get_long().map(|long| format!("--{long}")))
        .filter(|long| !["--ipv4", "--ipv6"].contains(&&**long))
        .collect();
    assert!(options.len() > 10, "{options:?}");
    for option in options {
        assert!(readme.contains(&option), "{option} is not in the README");
    }
}
