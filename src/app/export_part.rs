//! What somebody at the screen wants to keep, written to a new file beside them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    export_file::{fill, place},
    snapshot::{begin, concerning},
};
use crate::{
    export::{self, Format, Options},
    field::{Context, CounterRow, FailureRow, LimitRow, SettingRow, SocketRows, Value, format as value},
    findings::Finding,
    model::TcpState,
    query,
    store::{Change, DestinationRow, PeerRow, PortRange, ProcessRow},
    ui::{self, ExportPart, ExportRequest, Look, Message, View, view::Pane},
};

/// Writes what was asked for to a new file in the current folder, or in the temporary one if that is not writable,
/// and says where it is or why it is not. It is named by the moment that is in it.
pub(super) fn write(request: &ExportRequest) -> Message {
    write_to([Path::new("."), &std::env::temp_dir()], request)
}

fn write_to(folders: [&Path; 2], request: &ExportRequest) -> Message {
    let at = request.look.moment.sample.stamp.wall;
    let stem = format!("twtop-{}", at.strftime("%Y%m%dT%H%M%SZ"));
    let moment = if request.held { format!(", as of {}", value::time(at)) } else { String::new() };
    let extension = format(&request.part).extension();
    let mut failure = String::new();
    for folder in folders {
        let mut report = |out: &mut dyn Write| report(request, out);
        let written = create_new(folder, &stem, extension)
            .and_then(|(file, path)| fill(file, &mut report).map(|()| path));
        match written {
            Ok(path) => {
                let path = fs::canonicalize(&path).unwrap_or(path);
                let instead = if folder == folders[0] {
                    String::new()
                } else {
                    format!(" ({} cannot be written)", place(folders[0]))
                };
                let text = format!("exported to {}{moment}{instead}", place(&path));
                return Message { text, failure: false };
            }
            Err(error) => failure = format!("not exported: {}: {error}", place(folder)),
        }
    }
    Message { text: failure, failure: true }
}

/// In which form a part is written.
const fn format(part: &ExportPart) -> Format {
    match part {
        ExportPart::Table(..) => Format::Csv,
        ExportPart::Sample | ExportPart::Finding(_) => Format::Json,
        ExportPart::Report(_) => Format::Text,
    }
}

/// A file that was not there before, and that nobody else may read: the folder may be everybody's.
fn create_new(folder: &Path, stem: &str, extension: &str) -> io::Result<(File, PathBuf)> {
    for n in 0..100 {
        let number = if n == 0 { String::new() } else { format!("-{n}") };
        let path = folder.join(format!("{stem}{number}.{extension}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|file| (file, path)),
        }
    }
    Err(io::Error::other("a hundred exports of one moment"))
}

fn report(request: &ExportRequest, out: &mut dyn Write) -> io::Result<()> {
    let ExportRequest { look, query, part, .. } = request;
    let Look { moment, findings } = look;
    let one = match part {
        ExportPart::Table(pane, view) => return table(*pane, view, look, out),
        ExportPart::Finding(finding) | ExportPart::Report(finding) => Some(finding),
        ExportPart::Sample => None,
    };
    let observation = begin(Arc::clone(moment), query);
    let options = |findings| Options { query, findings, sockets: true, ascii: false, top: usize::MAX };
    if let Some(finding) = one {
        let options = options(std::slice::from_ref(&**finding));
        return export::write_diagnosis(format(part), &observation, &options, out);
    }
    let findings = concerning(moment, findings, query);
    export::write(Format::Json, &observation, &options(&findings), out)
}

/// The rows of one table, all of them in the order that the view shows them in.
fn table(pane: Pane, view: &View, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let mut selection = ui::select(view, look);
    let moment = &*look.moment;
    if let Some(sort) = view.page().table(pane).sort.filter(|_| pane == Pane::Sockets) {
        // On screen a large table is only in order where it is seen.
        query::sort_rows(moment, &mut selection.rows, sort);
    }
    // What is gone since the mark is part of the picture, not of the sample.
    let here = |change: Option<Change>| !change.is_some_and(Change::is_gone);
    let aggregate = &mut selection.aggregate;
    aggregate.processes.retain(|row| here(row.change));
    aggregate.peers.retain(|row| here(row.change));
    aggregate.destinations.retain(|row| here(row.change));
    let aggregate = &selection.aggregate;
    let context = Context {
        elapsed_s: moment.elapsed_s,
        usable_ports: PortRange::from_sysctls(&moment.sample.sysctls).map(|range| range.usable),
        sockets: aggregate.states.total(),
    };
    match pane {
        Pane::Processes => export::write_rows::<ProcessRow>(aggregate.processes.iter(), &context, out),
        Pane::Peers => export::write_rows::<PeerRow>(aggregate.peers.iter(), &context, out),
        Pane::Destinations => {
            export::write_rows::<DestinationRow>(aggregate.destinations.iter(), &context, out)
        }
        Pane::Sockets => {
            let sockets = selection.rows.iter().filter_map(|row| moment.get(*row as usize));
            export::write_rows::<SocketRows>(sockets, &context, out)
        }
        Pane::Findings => {
            let found = selection.findings.iter().filter_map(|row| look.findings.get(*row as usize));
            export::write_rows::<Finding>(found, &context, out)
        }
        Pane::States => {
            let row = |state| [Value::State(state), Value::Count(aggregate.states[state].into())];
            export::write_values(&["state", "sockets"], TcpState::ALL.into_iter().map(row), out)
        }
        Pane::Failures => export::write_rows::<FailureRow>(selection.failures.iter(), &context, out),
        Pane::Counters => export::write_rows::<CounterRow>(selection.kernel.counters.iter(), &context, out),
        Pane::Settings => export::write_rows::<SettingRow>(selection.kernel.settings.iter(), &context, out),
        Pane::Limits => export::write_rows::<LimitRow>(selection.kernel.limits.iter(), &context, out),
        // No tables.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn no_file_is_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = |extension| create_new(folder.path(), "twtop", extension).expect("a new file").1;
        let rights = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(rights(&made("txt")) & 0o777, 0o600, "in a folder that may be everybody's");
        std::os::unix::fs::symlink("/dev/null", folder.path().join("twtop.link")).expect("a link");
        assert!(made("link").ends_with("twtop-1.link"), "a link is not followed");
        let names: Vec<_> = [made("csv"), made("csv"), made("json")]
            .iter()
            .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["twtop.csv", "twtop-1.csv", "twtop.json"]);
    }
}
