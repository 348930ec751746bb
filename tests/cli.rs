//! The `cli` tier: the real program, its arguments, exit codes, files and pipes.

use std::{
    fs::{self, File, Permissions},
    io::{BufRead as _, BufReader},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

const TWTOP: &str = env!("CARGO_BIN_EXE_twtop");

fn twtop(args: &[&str]) -> Output {
    // What the person who runs this has set up for herself is no part of it.
    let mut command = Command::new(TWTOP);
    command.args(args).env("LANG", "C.UTF-8").env("XDG_CONFIG_HOME", "/nonexistent");
    command.output().expect("it starts")
}

/// An error: code 2, nothing on standard output, one to three lines on standard error. Yields those.
fn refusal(args: &[&str]) -> String {
    let output = twtop(args);
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    assert_eq!(output.stdout, b"", "{args:?}");
    assert!((1..=3).contains(&message.lines().count()), "{message}");
    assert!(message.chars().all(|c| c == '\n' || !c.is_control()), "{message:?}");
    message
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn help_and_version_are_no_errors() {
    for args in [&["--help"][..], &["-h"], &["--version"], &["-V"], &["snapshot", "--help"]] {
        let output = twtop(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("twtop"), "{args:?}");
        assert_eq!(output.stderr, b"", "{args:?}");
    }
}

#[test]
fn a_filter_that_cannot_be_read_is_shown_with_the_place() {
    let message = refusal(&["snapshot", "--filter", "port:443 pdi:3"]);
    let lines: Vec<&str> = message.lines().collect();
    assert!(lines[0].contains("pid"), "it says what was meant: {message}");
    assert_eq!(lines[2].find('^'), lines[1].find("pdi"), "{message}");
}

#[test]
fn explain_tells_of_findings_states_and_settings() {
    let explained = |args: &[&str]| {
        let output = twtop(&[&["explain"], args].concat());
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{args:?}");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        text
    };
    for (typed, name) in [
        ("accept-queue-overflow", "accept-queue-overflow (finding)"),
        ("time-wait", "TIME_WAIT (state)"),
        ("TIME_WAIT", "TIME_WAIT (state)"),
        ("tw", "TIME_WAIT (state)"),
        ("tcp_tw_reuse", "net.ipv4.tcp_tw_reuse (setting)"),
        ("net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_tw_reuse (setting)"),
        ("tcp_tw_recycle", "net.ipv4.tcp_tw_recycle (setting)"),
        ("SO_LINGER", "so-linger (topic)"),
    ] {
        assert_eq!(explained(&[typed]).lines().next(), Some(name), "{typed}");
    }
    assert!(explained(&["tcp_fin_timeout"]).contains("does NOT shorten TIME_WAIT"));
    let list = explained(&[]);
    for name in ["time-wait-client", "CLOSE_WAIT", "tcp_max_tw_buckets", "folklore"] {
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name} is listed");
    }
}

#[test]
fn explain_refuses_what_it_does_not_know_with_names_that_it_does() {
    assert!(refusal(&["explain", "time-weight"]).contains("TIME_WAIT"));
    assert!(refusal(&["explain", "fin_timeout"]).contains("tcp_fin_timeout"));
    assert!(refusal(&["explain", "\x1b]0;x\x07"]).contains("twtop explain"));
}

#[test]
fn hostile_arguments_do_not_reach_the_terminal_raw() {
    let message = refusal(&["snapshot", "--filter", "nokey:\x1b[31m\u{202e}"]);
    assert!(!message.contains('\u{202e}'), "{message:?}");
    refusal(&["snapshot", "--netns", "\x1b[2J"]);
    refusal(&["snapshot", "--netns", "../../etc/passwd"]);
}

#[test]
fn numbers_out_of_range_are_refused() {
    for args in [
        &["snapshot", "-i", "0"][..],
        &["snapshot", "-i", "nan"],
        &["snapshot", "--for", "-1"],
        &["snapshot", "--for", "1e300"],
        &["snapshot", "--budget", "0"],
        &["snapshot", "--netns", "4294967295"],
        &["snapshot", "--netns", "all"],
    ] {
        let output = twtop(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn short_forms_are_filters() {
    let snapshot = json(&twtop(&["snapshot", "--json", "--sockets", "--port", "1", "-4", "--pid", "1"]));
    assert_eq!(snapshot["filter"], "pid:1 port:1 family:ipv4");
    assert_eq!(snapshot["coverage"]["sockets"], 0);
    assert_eq!(snapshot["sockets"], Value::Array(vec![]));
}

#[test]
fn every_format_is_written() {
    let text = twtop(&["snapshot"]);
    assert!(String::from_utf8_lossy(&text.stdout).starts_with("twtop "));
    let markdown = twtop(&["snapshot", "--format", "markdown"]);
    assert!(String::from_utf8_lossy(&markdown.stdout).contains("| --- "));
    let csv = twtop(&["snapshot", "--csv"]);
    assert!(csv.stdout.starts_with(b"netns,cookie,family,"), "{}", String::from_utf8_lossy(&csv.stdout));
    assert_eq!(json(&twtop(&["snapshot", "--format", "json"]))["schema"], "twtop.snapshot/1");
}

#[test]
fn an_observation_has_rates_and_lasts_as_long_as_asked() {
    let snapshot = json(&twtop(&["snapshot", "--json", "--for", "0.5", "-i", "0.1"]));
    let observed = snapshot["observed_s"].as_f64().expect("a number");
    assert!(observed >= 0.49, "{observed}");
    for rate in ["opened_per_s", "accepted_per_s", "time_wait_per_s"] {
        assert!(snapshot["rates"][rate].as_f64().is_some_and(|rate| rate >= 0.0), "{rate}");
    }
    let once = json(&twtop(&["snapshot", "--json"]));
    assert!(once["rates"]["opened_per_s"].is_null(), "one look knows no rate");
}

#[test]
fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("snap.json");
    fs::write(&path, "what was before").expect("written");
    let output = twtop(&["snapshot", "--json", "-o", path.to_str().expect("UTF-8")]);
    assert!(output.status.success());
    assert_eq!(output.stdout, b"");
    let written: Value = serde_json::from_slice(&fs::read(&path).expect("there")).expect("JSON");
    assert_eq!(written["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(names(folder.path()), ["snap.json"]);
}

#[test]
fn a_link_keeps_pointing_where_it_did() {
    let folder = TempDir::new().expect("a folder");
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "old").expect("written");
    symlink(&file, &link).expect("linked");
    assert!(twtop(&["snapshot", "-o", link.to_str().expect("UTF-8")]).status.success());
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert!(fs::read_to_string(&file).expect("there").starts_with("twtop "));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = TempDir::new().expect("a folder");
    let into_nothing = folder.path().join("no/such/folder/x");
    assert!(refusal(&["snapshot", "-o", into_nothing.to_str().expect("UTF-8")]).contains("no/such/folder"));
    let onto_a_folder = folder.path().to_str().expect("UTF-8");
    assert!(refusal(&["snapshot", "-o", onto_a_folder]).contains(onto_a_folder));
    assert!(refusal(&["snapshot", "-o", "/dev/full"]).contains("/dev/full"));
    assert_eq!(names(folder.path()), [""; 0], "no half file is left");
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error_and_a_broken_pipe_is_none() {
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    let status = Command::new(TWTOP).arg("snapshot").stdout(full).stderr(Stdio::null()).status();
    assert_eq!(status.expect("it ran").code(), Some(2));

    let mut child = Command::new(TWTOP)
        .args(["snapshot", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // The reader leaves before anything is written.
    drop(child.stdout.take());
    let mut complaint = String::new();
    BufReader::new(child.stderr.take().expect("piped")).read_line(&mut complaint).expect("UTF-8");
    assert_eq!(child.wait().expect("it ran").code(), Some(0));
    assert_eq!(complaint, "");
}

#[test]
fn without_utf8_the_page_is_ascii() {
    let output = Command::new(TWTOP).arg("snapshot").env("LC_ALL", "C").output().expect("it starts");
    assert!(output.status.success());
    assert!(output.stdout.is_ascii(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_long_filter_is_quoted_in_part() {
    let filter = format!("port:443 {} pdi:3", "state:established ".repeat(200));
    let message = refusal(&["snapshot", "--filter", &filter]);
    assert!(message.len() < 400, "{message}");
    let lines: Vec<&str> = message.lines().collect();
    let column = |line: &str, text: &str| line[..line.find(text).expect("there")].chars().count();
    assert_eq!(column(lines[2], "^"), column(lines[1], "pdi"), "{message}");
}

#[test]
fn a_file_keeps_its_mode_its_other_names_and_what_was_appended_to() {
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str| twtop(&["snapshot", "-o", path(name).to_str().expect("UTF-8")]);

    fs::write(path("private"), "").expect("written");
    fs::set_permissions(path("private"), Permissions::from_mode(0o600)).expect("ours");
    assert!(write("private").status.success());
    assert_eq!(fs::metadata(path("private")).expect("there").permissions().mode() & 0o777, 0o600);

    fs::write(path("one"), "").expect("written");
    fs::hard_link(path("one"), path("two")).expect("linked");
    assert!(write("one").status.success());
    assert_eq!(fs::read(path("one")).expect("there"), fs::read(path("two")).expect("there"));

    symlink(path("not yet"), path("dangling")).expect("linked");
    assert!(write("dangling").status.success());
    assert!(fs::read_to_string(path("not yet")).expect("made").starts_with("twtop "));
    symlink(path("loop"), path("loop")).expect("linked");
    assert_eq!(write("loop").status.code(), Some(2));
    symlink("/nonexistent/file", path("nowhere")).expect("linked");
    assert_eq!(write("nowhere").status.code(), Some(2));
    assert!(fs::symlink_metadata(path("nowhere")).expect("there").is_symlink());
    let longest = "x".repeat(250);
    assert!(write(&longest).status.success());

    fs::write(path("log"), "precious\n").expect("written");
    let end = File::options().append(true).open(path("log")).expect("there");
    let status = Command::new(TWTOP).args(["snapshot", "-o", "/dev/stdout"]).stdout(end).status();
    assert!(status.expect("it ran").success());
    let text = fs::read_to_string(path("log")).expect("there");
    assert!(text.starts_with("precious\ntwtop "), "{text}");
}

#[test]
fn a_diagnosis_says_by_its_code_whether_somebody_should_act() {
    let output = twtop(&["diagnose", "--for", "1", "--no-trace", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["schema"], "twtop.diagnose/1");
    let findings = found["findings"].as_array().expect("a list");
    let bad = findings.iter().any(|finding| finding["severity"] != "info");
    assert_eq!(output.status.code(), Some(i32::from(bad)), "{found:#}");
    assert!(found["observed_s"].as_f64().is_some_and(|seconds| seconds >= 0.9), "{found:#}");
}

#[test]
fn a_diagnosis_wants_time() {
    refusal(&["diagnose", "--for", "0.2"]);
    let output = twtop(&["diagnose", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(2));
}

/// A folder with a configuration file that says `text`, and the file's name.
fn configured(text: &[u8]) -> (TempDir, String) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("config.toml");
    fs::write(&path, text).expect("written");
    let name = path.to_str().expect("UTF-8").to_owned();
    (folder, name)
}

#[test]
fn the_generated_configuration_is_the_default() {
    let output = twtop(&["generate", "config"]);
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
    let (_folder, path) = configured(&output.stdout);
    let snapshot = json(&twtop(&["snapshot", "--json", "--config", &path]));
    assert_eq!(snapshot["filter"], json(&twtop(&["snapshot", "--json", "--no-config"]))["filter"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for part in ["#theme = \"auto\"", "[columns]", "#quit = [\"q\", \"F10\", \"Ctrl-C\"]"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_configuration_is_generated_into_a_file_even_beside_a_broken_one() {
    let (_folder, path) = configured(b"nonsense");
    let output = twtop(&["generate", "config", "--config", &path, "-o", &path]);
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b""[..]));
    assert!(twtop(&["snapshot", "--config", &path]).status.success());
}

#[test]
fn a_mistake_in_the_configuration_is_told_with_file_and_line() {
    let (_folder, path) = configured(b"theme = 'dark'\n\n[keys]\nexprot = 'x'\n");
    let message = refusal(&["snapshot", "--config", &path]);
    assert!(
        message.contains(&format!("{path}:4: ")) && message.contains("did you mean export?"),
        "{message}"
    );
    assert!(twtop(&["snapshot", "--no-config"]).status.success());
    // What obeys no setting is not kept back by it.
    assert!(twtop(&["explain", "--config", &path]).status.success());
}

#[test]
fn the_configuration_is_looked_for_where_it_belongs() {
    let folder = TempDir::new().expect("a folder");
    let run = |name: &str, value: &Path| {
        let mut command = Command::new(TWTOP);
        command.args(["snapshot", "--csv"]).env_remove("XDG_CONFIG_HOME").env("HOME", "/nonexistent");
        command.env(name, value).output().expect("it starts")
    };
    let write = |path: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, "x = 1").expect("written");
    };
    assert!(run("XDG_CONFIG_HOME", folder.path()).status.success(), "none is needed");
    write("twtop/config.toml");
    write(".config/twtop/config.toml");
    for name in ["XDG_CONFIG_HOME", "HOME"] {
        let output = run(name, folder.path());
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("unknown key x"), "{name}");
    }
    assert!(run("XDG_CONFIG_HOME", Path::new("relative")).status.success());
}

#[test]
fn whatever_is_in_the_place_of_a_configuration_is_an_answer_and_no_wait() {
    let (folder, path) = configured(b"");
    let at = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::write(at("latin"), b"slow = true\n# caf\xe9\n").expect("written");
    File::create(at("large")).expect("made").set_len(100 << 20).expect("sparse");
    let made = Command::new("mkfifo").arg(at("pipe")).status();
    assert!(made.expect("it is there").success());
    symlink(at("loop"), at("loop")).expect("linked");
    for (file, part) in [
        (at("missing"), "there is no such file"),
        (at("latin"), "not UTF-8 text (line 2)"),
        (at("large"), "larger than 1 MiB"),
        (at("pipe"), "not a regular file"),
        (at(""), "not a regular file"),
        (at("loop"), "cannot be read"),
        ("/dev/zero".to_owned(), "not a regular file"),
        (at("esc\u{1b}[2J"), "esc\\x1b[2J"),
    ] {
        let message = refusal(&["snapshot", "--config", &file]);
        assert!(message.contains(part) && message.contains("--no-config"), "{message}");
    }
    refusal(&["snapshot", "--config", &format!("{path}/below")]);
}

#[test]
fn a_report_obeys_the_sampling_of_the_configuration_and_no_filter() {
    let (_folder, path) = configured(b"filter = 'port:1'\ninterval = 0.2\n");
    let config = &["snapshot", "--json", "--for", "0.5", "--config", &path];
    let snapshot = json(&twtop(config));
    assert_eq!(snapshot["filter"], json(&twtop(&["snapshot", "--json"]))["filter"]);
    let filtered = json(&twtop(&[&config[..], &["--filter", "port:2"]].concat()));
    assert_eq!(filtered["filter"], "port:2");
}
