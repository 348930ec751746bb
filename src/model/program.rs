//! What a process runs, where its name says only what runs it: the script of an interpreter.

use std::borrow::Cow;

use super::Process;

/// Interpreters, which have many scripts and one name.
const INTERPRETERS: [&str; 7] = ["python", "node", "nodejs", "java", "ruby", "perl", "php"];
/// Options that are followed by what is run.
const RUN_NEXT: [&str; 3] = ["-m", "--module", "-jar"];
/// Options that are followed by the code itself.
const CODE_NEXT: [&str; 4] = ["-c", "-e", "-E", "--eval"];
/// Options that are followed by a value of theirs.
const VALUE_NEXT: [&str; 10] =
    ["-W", "-X", "-r", "--require", "--import", "-cp", "-classpath", "--class-path", "-p", "--module-path"];

/// The name of a process. One that calls itself nothing is told by the file that it runs.
#[must_use]
pub fn name(process: &Process) -> &str {
    if !process.name.trim().is_empty() {
        return &process.name;
    }
    let file = process.command.split(' ').find(|word| !word.is_empty()).map(last_part);
    file.filter(|file| !file.is_empty()).unwrap_or("(no name)")
}

/// The name of a process, with the script that it runs if it is an interpreter: `python3 worker.py`.
#[must_use]
pub fn program(process: &Process) -> Cow<'_, str> {
    match script(process) {
        Some(script) => Cow::Owned(format!("{} {script}", name(process))),
        None => Cow::Borrowed(name(process)),
    }
}

/// The last part of the path of the script, module, archive or class that an interpreter runs, as far as its
/// command line tells; `None` if the name says it already.
#[must_use]
pub fn script(process: &Process) -> Option<&str> {
    let mut words = process.command.split(' ').filter(|word| !word.is_empty());
    let interpreter = last_part(words.next()?);
    let family = interpreter.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !INTERPRETERS.contains(&family) {
        return None;
    }
    let script = loop {
        match words.next()? {
            option if RUN_NEXT.contains(&option) => break words.next()?,
            option if CODE_NEXT.contains(&option) => return None,
            option if VALUE_NEXT.contains(&option) => drop(words.next()),
            option if option.starts_with('-') => {}
            script => break script,
        }
    };
    let script = last_part(script);
    let script = match script.rsplit_once('.') {
        // Of a class in its package, the class.
        Some((_, class)) if family == "java" && class != "jar" => class,
        _ => script,
    };
    // A script that was started by its own name has given it to the process, cut to 15 bytes.
    let told = script.is_empty() || script.starts_with(name(process));
    (!told).then_some(script)
}

fn last_part(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::ProcKey;

    fn shown(name: &str, command: &str) -> String {
        let process = Process {
            key: ProcKey { pid: 1, start_ticks: 1 },
            started: Timestamp::UNIX_EPOCH,
            name: name.to_owned(),
            command: command.to_owned(),
            uid: 0,
            user: "root".to_owned(),
            container: None,
            runtime: None,
        };
        program(&process).into_owned()
    }

    #[test]
    fn interpreters_show_what_they_run() {
        let cases = [
            ("python3", "python3 /srv/app/worker.py 8080 client", "python3 worker.py"),
            ("python3.11", "/usr/bin/python3.11 -u -W ignore w.py", "python3.11 w.py"),
            ("python3", "python3 -m http.server 80", "python3 http.server"),
            ("node", "node --inspect -r ./trace.js /srv/index.js", "node index.js"),
            ("MainThread", "node /srv/api/", "MainThread api"),
            ("java", "java -Xmx1g -cp a.jar:b.jar com.example.Shop --port 80", "java Shop"),
            ("java", "java -jar /opt/shop-1.2.jar", "java shop-1.2.jar"),
            ("ruby", "ruby bin/puma -p 80", "ruby puma"),
            ("perl", "perl -w /x/y.pl", "perl y.pl"),
        ];
        for (name, command, expected) in cases {
            assert_eq!(shown(name, command), expected, "{command}");
        }
    }

    #[test]
    fn who_has_no_name_is_told_by_a_file() {
        for (name, command, expected) in [
            ("", "/usr/sbin/nginx -g off", "nginx"),
            (" ", "python3 /srv/w.py", "python3 w.py"),
            ("", "", "(no name)"),
            ("", "/", "(no name)"),
        ] {
            assert_eq!(shown(name, command), expected, "{command}");
        }
    }

    #[test]
    fn other_names_stay_alone() {
        let cases = [
            ("nginx", "nginx: worker process"),
            ("python3", "python3 -c import http.server"),
            ("python3", "python3"),
            ("python3", ""),
            ("perl", "perl -e while(1){}"),
            ("certbot-renewal", "/usr/bin/python3 /usr/bin/certbot-renewal-daemon"),
        ];
        for (name, command) in cases {
            assert_eq!(shown(name, command), name, "{command}");
        }
    }
}
