//! From the text of the file to what it says.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Config,
    items::{COLUMNS, ITEMS, KEYS, SORT, WORST, list, quoted},
};
use crate::{
    model::text::printable,
    query::nearest_name,
    ui::{
        keymap::{BindError, Keymap},
        settings::{ColumnError, Listed},
    },
};

/// What is wrong, and the place in the text.
type Wrong = (usize, String);
/// A key and its value.
type Entry<'t> = (&'t Spanned<toml::de::DeString<'t>>, &'t Spanned<DeValue<'t>>);

/// What `text` says, or the line of the first mistake and what it is.
pub(super) fn config(text: &str) -> Result<Config, (usize, String)> {
    let line = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
    whole(text).map_err(|(at, what)| (line(at), what))
}

fn whole(text: &str) -> Result<Config, Wrong> {
    let document = DeTable::parse(text).map_err(|error| {
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        (error.span().map_or(0, |span| span.start), format!("not TOML: {}", printable(&message)))
    })?;
    let mut config = Config::default();
    for (key, value) in entries(document.get_ref()) {
        let name = key.get_ref().as_ref();
        match name {
            _ if name == COLUMNS.name => columns(&mut config, table(name, value)?)?,
            _ if name == SORT.name => sort(&mut config, table(name, value)?)?,
            _ if name == KEYS.name => keys(&mut config, &table(name, value)?)?,
            _ => item(&mut config, key, value, text)?,
        }
    }
    Ok(config)
}

/// The entries of a table in the order in which they stand, so that the first mistake is the one that is told.
fn entries<'t>(table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn table<'t>(name: &str, value: &'t Spanned<DeValue<'t>>) -> Result<Vec<Entry<'t>>, Wrong> {
    let table = value.get_ref().as_table();
    let table =
        table.ok_or_else(|| (value.span().start, format!("{name} is not a table; write [{name}]")))?;
    Ok(entries(table))
}

/// A key outside all tables.
fn item(
    config: &mut Config,
    key: &Spanned<toml::de::DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
    text: &str,
) -> Result<(), Wrong> {
    let name = key.get_ref().as_ref();
    let Some(item) = ITEMS.iter().find(|item| item.name == name) else {
        let sections = [COLUMNS.name, SORT.name, KEYS.name];
        let known = ITEMS.iter().map(|item| item.name).chain(sections);
        return Err(unknown("key", "", key.span().start, name, known));
    };
    (item.set)(config, value.get_ref()).map_err(|wrong| {
        let shown = quoted(text.get(value.span()).unwrap_or_default());
        let wrong =
            wrong.map_or_else(|| format!("must be {}", (item.allowed)()), |why| printable(&why).into_owned());
        (value.span().start, format!("{name} = {shown}: {wrong}"))
    })
}

/// There is no such name; which one may have been meant, and which there are.
fn unknown(
    what: &str,
    section: &str,
    at: usize,
    name: &str,
    known: impl Iterator<Item = &'static str> + Clone,
) -> Wrong {
    (
        at,
        format!(
            "unknown {what} {section}{}{}",
            quoted(name),
            instead(nearest_name(name, known.clone()), known)
        ),
    )
}

fn instead(near: Option<&'static str>, known: impl Iterator<Item = &'static str>) -> String {
    let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
    format!("{near} (known: {})", known.collect::<Vec<_>>().join(" "))
}

fn listed(section: &str, key: &Spanned<toml::de::DeString<'_>>) -> Result<Listed, Wrong> {
    let name = key.get_ref().as_ref();
    let known = Listed::ALL.into_iter();
    let found = known.clone().find(|table| table.name() == name);
    let section = format!("{section}.");
    found.ok_or_else(|| unknown("table", &section, key.span().start, name, known.map(Listed::name)))
}

/// The texts of a list, each with its place.
fn texts<'t>(what: &str, value: &'t Spanned<DeValue<'t>>) -> Result<Vec<(usize, &'t str)>, Wrong> {
    let wrong = |at: usize| (at, format!("{what} must be a list of texts, such as [\"a\", \"b\"]"));
    let list = value.get_ref().as_array().ok_or_else(|| wrong(value.span().start))?;
    list.iter()
        .map(|text| {
            let at = text.span().start;
            text.get_ref().as_str().map(|text| (at, text)).ok_or_else(|| wrong(at))
        })
        .collect()
}

fn columns(config: &mut Config, entries: Vec<Entry<'_>>) -> Result<(), Wrong> {
    for (key, value) in entries {
        let table = listed(COLUMNS.name, key)?;
        let what = format!("{}.{}", COLUMNS.name, table.name());
        let (places, keys): (Vec<_>, Vec<_>) = texts(&what, value)?.into_iter().unzip();
        if keys.is_empty() {
            return Err((value.span().start, format!("{what} is empty; a table has at least one column")));
        }
        config
            .settings
            .choose_columns(table, &keys)
            .map_err(|(i, error)| (places[i], format!("{what}: {}", no_column(table, keys[i], error))))?;
    }
    Ok(())
}

fn no_column(table: Listed, key: &str, error: ColumnError) -> String {
    match error {
        ColumnError::Unknown(near) => {
            format!("unknown column {}{}", quoted(key), instead(near, table.columns()))
        }
        ColumnError::Twice => format!("{} stands there twice", quoted(key)),
    }
}

fn sort(config: &mut Config, entries: Vec<Entry<'_>>) -> Result<(), Wrong> {
    for (key, value) in entries {
        let table = listed(SORT.name, key)?;
        let (what, at) = (format!("{}.{}", SORT.name, table.name()), value.span().start);
        let Some(text) = value.get_ref().as_str() else {
            return Err((at, format!("{what} must be {}", list([WORST, "column", "-column"].into_iter()))));
        };
        if text == WORST {
            continue;
        }
        let (column, descending) = text.strip_prefix('-').map_or((text, false), |column| (column, true));
        config
            .settings
            .choose_sort(table, column, descending)
            .map_err(|error| (at, format!("{what}: {}", no_column(table, column, error))))?;
    }
    Ok(())
}

fn keys(config: &mut Config, entries: &[Entry<'_>]) -> Result<(), Wrong> {
    let mut bindings = vec![];
    let mut places = vec![];
    for (key, value) in entries {
        let name = key.get_ref().as_ref();
        let (at, labels): (Vec<_>, Vec<_>) = match value.get_ref().as_str() {
            Some("none") => (vec![], vec![]),
            Some(label) => (vec![value.span().start], vec![label]),
            None => texts(KEYS.name, value)
                .map_err(|(at, _)| {
                    (at, format!("{}.{} must be a key, a list of keys or \"none\"", KEYS.name, quoted(name)))
                })?
                .into_iter()
                .unzip(),
        };
        bindings.push((name, labels));
        places.push((key.span().start, at));
    }
    config.settings.keymap = Keymap::bound(&bindings).map_err(|(index, error)| {
        let (name, labels) = &bindings[index];
        let (at_name, at) = &places[index];
        let what = format!("{}.{}", KEYS.name, quoted(name));
        match error {
            BindError::NoCommand(near) => {
                (*at_name, format!("unknown command {what}{}", instead(near, Keymap::names())))
            }
            BindError::NoKey(i, why) => (at[i], format!("{what}: {} {why}", quoted(labels[i]))),
            BindError::Taken(i, owner) => {
                (at[i], format!("{what}: {} is given to {owner} already", quoted(labels[i])))
            }
        }
    })?;
    Ok(())
}
