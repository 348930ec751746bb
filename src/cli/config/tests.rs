//! What the file may say, and what is answered to what it may not.

use super::{items::ITEMS, *};
use crate::ui::{
    keymap::Keymap,
    settings::{Listed, VIEWS},
};

fn read(text: &str) -> Result<Config, String> {
    read::config(text).map_err(|(line, what)| format!("{line}: {what}"))
}

/// The template with every line in force.
fn in_force() -> String {
    let setting =
        |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
    template().lines().map(|line| setting(line) + "\n").collect()
}

#[test]
fn the_template_changes_nothing_with_or_without_its_signs() {
    assert_eq!(read(&template()), Ok(Config::default()));
    let all = read(&in_force()).expect("every line is right");
    let screen = &all.settings;
    assert_eq!((&screen.keymap, screen.view), (&Keymap::default(), 1));
    for table in Listed::ALL {
        assert!(in_force().contains(&format!("\n{} = [", table.name())));
    }
    assert_eq!(all.interval, Some(Duration::from_secs(1)));
    assert_eq!(
        (all.budget, all.trace, all.history_mib, all.slow),
        (Some(0.05), Some(true), Some(16), Some(false))
    );
    assert_eq!((all.theme, all.color), (Some(ThemeArg::Auto), Some(When::Auto)));
    assert_eq!((all.graphs, all.filter.as_deref()), (Some(GraphsArg::Auto), Some("")));
}

#[test]
fn the_template_is_ascii_and_fits_a_terminal() {
    let text = template();
    for line in text.lines().filter(|line| line.starts_with("# ")) {
        assert!(line.is_ascii() && line.len() <= 97, "{line}");
    }
    let (outside, _) = text.split_once("[columns]").expect("tables follow");
    for item in ITEMS {
        assert_eq!(outside.matches(&format!("\n#{} = ", item.name)).count(), 1, "{}", item.name);
    }
}

#[test]
fn every_key_is_obeyed() {
    let config = read(
        "theme = 'light'\ncolor = '256'\ngraphs = 'block'\ninterval = 0.5\nbudget = 10\ntrace = false\n\
         history_mib = 64\nslow = true\nfilter = 'port:443'\nview = 'findings'\n\
         [columns]\npeers = ['time_wait', 'address']\n[sort]\nsockets = '-recv_q'\nports = 'worst'\n\
         [keys]\nsort = 'F6'\nexport = ['x', 'Ctrl-X']\nwhy = 'none'\n",
    )
    .expect("all of it is right");
    let mut settings = Settings::default();
    settings.choose_columns(Listed::Peers, &["time_wait", "address"]).expect("columns");
    settings.choose_sort(Listed::Sockets, "recv_q", true).expect("a column");
    assert!(settings.choose_view("findings"));
    let bindings = [("sort", vec!["F6"]), ("export", vec!["x", "Ctrl-X"]), ("why", vec![])];
    settings.keymap = Keymap::bound(&bindings).expect("keys");
    let expected = Config {
        theme: Some(ThemeArg::Light),
        color: Some(When::Indexed),
        graphs: Some(GraphsArg::Block),
        interval: Some(Duration::from_millis(500)),
        budget: Some(0.1),
        trace: Some(false),
        history_mib: Some(64),
        slow: Some(true),
        filter: Some("port:443".to_owned()),
        settings,
    };
    assert_eq!(config, expected);
    for view in VIEWS {
        assert!(read(&format!("view = '{view}'")).is_ok(), "{view}");
    }
}

#[test]
fn a_mistake_is_told_with_its_line_and_what_is_allowed() {
    for (text, parts) in [
        ("\n\nthem = 'dark'", &["3: unknown key them", "did you mean theme?", "interval"][..]),
        ("theme = 'drak'", &["1: theme = 'drak': must be \"auto\", \"dark\", \"light\" or \"terminal\""]),
        ("theme = 3", &["1: theme = 3: must be \"auto\""]),
        ("color = 256", &["1: color = 256: must be ", "\"256\""]),
        ("trace = 'yes'", &["1: trace = 'yes': must be true or false"]),
        ("slow = 1", &["1: slow = 1: must be true or false"]),
        ("#\ninterval = 0", &["2: interval = 0: must be a number of seconds from 0.1 to 3600"]),
        ("interval = nan", &["1: interval = nan: must be a number"]),
        ("interval = '1'", &["1: interval = '1': must be a number"]),
        ("budget = 0x10", &["1: budget = 0x10: must be a percentage"]),
        ("history_mib = 1.5", &["1: history_mib = 1.5: must be a whole number of MiB from 1 to 4096"]),
        ("history_mib = 99999999999999999999", &["must be a whole number"]),
        ("history_mib = -1", &["must be a whole number"]),
        ("filter = 'pdi:3'", &["1: filter = 'pdi:3': ", "pid", "(at character 1)"]),
        ("view = 'port'", &["1: view = 'port': must be \"overview\"", "\"ports\""]),
        ("columns = 3", &["1: columns is not a table; write [columns]"]),
        ("[columns]\npeer = []", &["2: unknown table columns.peer; did you mean peers?"]),
        ("[columns]\npeers = []", &["2: columns.peers is empty"]),
        ("[columns]\npeers = 'address'", &["2: columns.peers must be a list of texts"]),
        ("[columns]\npeers = [1]", &["2: columns.peers must be a list of texts"]),
        (
            "[columns]\npeers = [\n 'address',\n 'adress' ]",
            &["4: columns.peers: unknown column adress; did you mean address? (known: address sockets"],
        ),
        ("[columns]\npeers = ['share', 'share']", &["2: columns.peers: share stands there twice"]),
        ("[sort]\nports = 'pid'", &["2: sort.ports: unknown column pid", "known: source peer_endpoint"]),
        ("[sort]\nports = true", &["2: sort.ports must be \"worst\", \"column\" or \"-column\""]),
        ("[sort]\nstates = 'worst'", &["2: unknown table sort.states"]),
        ("[keys]\nexprot = 'x'", &["2: unknown command keys.exprot; did you mean export?"]),
        ("[keys]\nexport = 'Alt-x'", &["2: keys.export: Alt-x is no key; write q, Ctrl-D"]),
        ("[keys]\nexport = ['x',\n 'Ctrl-I']", &["3: keys.export: Ctrl-I cannot be told from Tab"]),
        ("[keys]\nexport = 'Ctrl-C'", &["2: keys.export: Ctrl-C always leaves twtop"]),
        ("[keys]\nsort = 'x'\nexport = 'x'", &["3: keys.export: x is given to sort already"]),
        ("[keys]\nexport = 7", &["2: keys.export must be a key, a list of keys or \"none\""]),
        ("slow = true\nslow = true", &["2: not TOML: duplicate key"]),
        ("slow = true\n[keys", &["2: not TOML: "]),
    ] {
        let error = read(text).expect_err(text);
        for part in parts {
            assert!(error.contains(part), "{text}\n{error}\nwithout: {part}");
        }
    }
}

#[test]
fn the_first_of_several_mistakes_is_the_one_that_is_told() {
    let error = read("view = 'x'\nbudget = 0\n").expect_err("two mistakes");
    assert!(error.starts_with("1: "), "{error}");
}

#[test]
fn hostile_text_is_told_printable_and_short() {
    let key = "k".repeat(5000);
    for text in [
        "\"\\u001b[2J\" = 1".to_owned(),
        "theme = \"\\u202E\"".to_owned(),
        "theme = '\u{202e}'".to_owned(),
        format!("{key} = 1"),
        format!("theme = '{key}'"),
        format!("[keys]\n{key} = 'x'"),
        format!("[keys]\nsort = '{key}'"),
        format!("x = {}", "[".repeat(5000)),
        format!("{}x", "[".repeat(5000)),
        "\0".to_owned(),
    ] {
        let error = read(&text).expect_err("it is wrong");
        assert!(error.len() < 700, "{error}");
        assert!(!error.contains(['\u{1b}', '\u{202e}', '\n', '\0']), "{error:?}");
    }
}
