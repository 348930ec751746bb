//! A command line made ready to be copied: for the network namespace that is looked at, and no longer than
//! terminals take.

use crate::{cli::NetnsArg, model::text::printable, query::SsCommand};

/// The longest command that is copied, in bytes. Terminals and multiplexers take more, but not all say so when they do
/// not; the longest filter that anybody writes by hand is far shorter.
const LONGEST: usize = 8 << 10;

/// `command` so that it looks at the sockets of `netns`.
///
/// # Errors
/// Why it cannot be copied, as the end of a sentence.
pub(super) fn within(netns: &NetnsArg, command: SsCommand) -> Result<SsCommand, String> {
    let line = match netns {
        NetnsArg::Own => command.line,
        NetnsArg::Pid(pid) => format!("nsenter --target {pid} --net {}", command.line),
        NetnsArg::Name(name) if name.starts_with('-') || name.chars().any(char::is_control) => {
            return Err(format!("the namespace {} cannot be named in a shell", printable(name)));
        }
        NetnsArg::Name(name) => format!("ip netns exec {} {}", quoted(name), command.line),
    };
    if line.len() > LONGEST {
        return Err(format!("the command has {} bytes, and {LONGEST} are the most", line.len()));
    }
    Ok(SsCommand { line, ..command })
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn within(netns: &NetnsArg) -> Result<String, String> {
        let line = "ss -tan | grep 'pid=1,'".to_owned();
        super::within(netns, SsCommand { line, notes: vec![] }).map(|command| command.line)
    }

    #[test]
    fn the_command_looks_where_twtop_looks() {
        let made = |netns| within(&netns).expect("it can be named");
        assert_eq!(made(NetnsArg::Own), "ss -tan | grep 'pid=1,'");
        assert_eq!(made(NetnsArg::Pid(7)), "nsenter --target 7 --net ss -tan | grep 'pid=1,'");
        assert_eq!(made(NetnsArg::Name("blue".into())), "ip netns exec blue ss -tan | grep 'pid=1,'");
        assert_eq!(
            made(NetnsArg::Name("it's; reboot".into())),
            r"ip netns exec 'it'\''s; reboot' ss -tan | grep 'pid=1,'"
        );
        assert!(within(&NetnsArg::Name("a\nb".into())).is_err());
        assert!(within(&NetnsArg::Name("-n".into())).is_err());
    }

    #[test]
    fn what_is_too_long_is_not_copied() {
        let command = SsCommand { line: "x".repeat(LONGEST + 1), notes: vec![] };
        assert_eq!(
            super::within(&NetnsArg::Own, command),
            Err("the command has 8193 bytes, and 8192 are the most".to_owned())
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_reads_a_quoted_text_as_itself(text in "[^\\x00]{0,40}") {
            let script = format!("printf %s {}", quoted(&text));
            let output = Command::new("sh").arg("-c").arg(script).output().expect("a shell");
            prop_assert_eq!(output.stdout, text.as_bytes());
            prop_assert!(output.stderr.is_empty());
        }
    }
}
