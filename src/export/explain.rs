//! What `twtop explain` writes: one topic, or the list of them.

use std::io::{self, Write};

use super::text::Page;
use crate::findings::{Topic, TopicKind};

/// The column at which the list says what a topic is.
const LINE: usize = 30;

/// Writes a topic.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_topic(topic: &Topic, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} ({})", topic.name, topic.kind.name())?;
    writeln!(out, "{}", topic.text)
}

/// Writes which topics there are.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_topics(mut out: &mut dyn Write) -> io::Result<()> {
    let page = Page { ascii: true };
    let intro = "twtop explain TOPIC tells what it means, how twtop knows, what to do, and what is often said of it and is not so.";
    page.hanging("", 0, intro, &mut out)?;
    for kind in TopicKind::ALL {
        writeln!(out, "\n{}", title(kind))?;
        for topic in Topic::all().iter().filter(|topic| topic.kind == kind) {
            let name = format!("  {:<width$}", topic.short(), width = LINE - 2);
            if topic.short().len() + 2 < LINE {
                page.hanging(&name, LINE, topic.line, &mut out)?;
            } else {
                writeln!(out, "{}", name.trim_end())?;
                page.hanging(&" ".repeat(LINE), LINE, topic.line, &mut out)?;
            }
        }
    }
    Ok(())
}

const fn title(kind: TopicKind) -> &'static str {
    match kind {
        TopicKind::Finding => "Findings",
        TopicKind::State => "States",
        TopicKind::Setting => "Settings of the kernel",
        TopicKind::Other => "Topics",
    }
}
