//! The texts of `/proc/PID`: `stat`, `status`, `cmdline`, `limits`, and the links of `fd`.
//!
//! A process chooses its own name and command line, so every parser takes bytes and none of them
//! believes that a separator cannot be part of a name.

/// `PF_KTHREAD`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// What `/proc/PID/stat` says, as far as twtop uses it (`proc_pid_stat(5)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat<'a> {
    /// The kernel's name of the process, field 2. Any byte may occur in it, parentheses and newlines included.
    pub comm: &'a [u8],
    /// The state, field 3, such as `b'Z'` for a zombie.
    pub state: u8,
    /// The PID of its parent, field 4; 0 for none that is visible.
    pub parent: u32,
    /// Whether it is a thread of the kernel: `PF_KTHREAD` (`include/linux/sched.h`) in field 9.
    pub kernel: bool,
    /// Its threads, field 20.
    pub threads: u32,
    /// When it started, clock ticks since boot, field 22.
    pub start_ticks: u64,
}

/// Reads `/proc/PID/stat`. `None` if it is not of that form.
///
/// The name ends at the last `)`: no later field can hold one.
#[must_use]
pub fn stat(text: &[u8]) -> Option<Stat<'_>> {
    let open = text.iter().position(|&b| b == b'(')?;
    let close = text.iter().rposition(|&b| b == b')')?;
    let comm = text.get(open + 1..close)?;
    let mut fields = words(&text[close + 1..]);
    let &[state] = fields.next()? else { return None };
    let parent = number(fields.next()?)?.try_into().ok()?;
    let flags = number(fields.nth(4)?)?;
    let threads = number(fields.nth(10)?)?.try_into().ok()?;
    let start_ticks = number(fields.nth(1)?)?;
    Some(Stat { comm, state, parent, kernel: flags & KERNEL_THREAD != 0, threads, start_ticks })
}

/// The real user id of `/proc/PID/status` (the first figure of `Uid:`).
///
/// The kernel escapes newlines in the `Name:` line, so a name cannot pass for a line of its own.
#[must_use]
pub fn status_uid(text: &[u8]) -> Option<u32> {
    let line = text.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    number(words(line).next()?)?.try_into().ok()
}

/// In how many PID namespaces, from that of the `/proc` on, the process of `/proc/PID/status` has a PID: 1 if the `/proc` is of
/// the process's own. `None` before Linux 4.1.
#[must_use]
pub fn status_pid_namespaces(text: &[u8]) -> Option<usize> {
    let line = text.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"))?;
    Some(words(line).count())
}

/// What the time namespace adds to `CLOCK_MONOTONIC`, in nanoseconds, from `/proc/self/timens_offsets` (Linux 5.6).
#[must_use]
pub fn monotonic_offset(text: &[u8]) -> Option<i64> {
    let line = text.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"monotonic"))?;
    let [seconds, nanoseconds] = str::from_utf8(line).ok()?.split_whitespace().collect::<Vec<_>>()[..] else {
        return None;
    };
    seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanoseconds.parse().ok()?)
}

/// The arguments of `/proc/PID/cmdline`, separated by spaces, with the padding of programs that rewrite
/// their own title cut off. Invalid UTF-8 is replaced; nothing else is changed.
#[must_use]
pub fn command_line(text: &[u8]) -> String {
    let end = text.iter().rposition(|&b| b != 0 && b != b' ').map_or(0, |last| last + 1);
    let joined: Vec<u8> = text[..end].iter().map(|&b| if b == 0 { b' ' } else { b }).collect();
    String::from_utf8_lossy(&joined).into_owned()
}

/// The soft limit of open files in `/proc/PID/limits`, `None` if it is unlimited or not there.
#[must_use]
pub fn open_files_limit(text: &[u8]) -> Option<u64> {
    let line = text.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"Max open files"))?;
    number(words(line).next()?)
}

/// The inode in the target of a link in `/proc/PID/fd` if that is a socket (`socket:[12345]`).
///
/// Socket inodes have 32 bits in `sock_diag` and in the kernel's pseudo file systems; a larger number is
/// no socket that could be looked up, and is `None`.
#[must_use]
#[inline]
pub fn socket_inode(link: &[u8]) -> Option<u32> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    number(digits)?.try_into().ok()
}

/// The inode in the target of `/proc/PID/ns/net` (`net:[4026531840]`).
#[must_use]
pub fn netns_inode(link: &[u8]) -> Option<u64> {
    number(link.strip_prefix(b"net:[")?.strip_suffix(b"]")?)
}

/// A whole name as a decimal number, such as a directory of `/proc` or an entry of `fd`.
#[must_use]
#[inline]
pub fn id(name: &[u8]) -> Option<u32> {
    number(name)?.try_into().ok()
}

/// The resident pages of `/proc/PID/statm` (its second figure).
#[must_use]
pub fn resident_pages(text: &[u8]) -> Option<u64> {
    number(words(text).nth(1)?)
}

/// The names of users by id, from lines of `/etc/passwd` (passwd(5)); of an id that occurs twice the first counts.
pub fn passwd(text: &[u8]) -> impl Iterator<Item = (u32, String)> + '_ {
    text.split(|&b| b == b'\n').filter_map(|line| {
        let mut fields = line.split(|&b| b == b':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = id(fields.nth(1)?)?;
        Some((uid, String::from_utf8_lossy(name).into_owned()))
    })
}

/// Decimal digits as a number; `None` for anything else, a sign included, or if it is too large.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, &b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TAIL: &str = "S 1 7 7 0 -1 4194304 1 0 0 0 1 2 3 4 20 0 6 0 8642 9 9 18446744073709551615";

    #[test]
    fn what_namespaces_add_is_read() {
        assert_eq!(status_pid_namespaces(b"Name:\tx\nNSpid:\t21485\t3\nNSpgid:\t1\n"), Some(2));
        assert_eq!(status_pid_namespaces(b"NStgid:\t1\nNSpid:\t7\n"), Some(1));
        assert_eq!(status_pid_namespaces(b"Name:\tNSpid:\n"), None);
        let offsets = |seconds| format!("monotonic  {seconds}         5\nboottime            0         0\n");
        assert_eq!(monotonic_offset(offsets(-3000).as_bytes()), Some(-2_999_999_999_995));
        assert_eq!(monotonic_offset(offsets(i64::MAX).as_bytes()), None);
        assert_eq!(monotonic_offset(b"monotonic 1"), None);
    }

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        for comm in ["nginx", "a b", "a) S 1 (b", ")", "", "new\nline", ") R 1 1 1"] {
            let text = format!("42 ({comm}) {TAIL}\n");
            let stat = stat(text.as_bytes()).expect("well formed");
            assert_eq!(stat.comm, comm.as_bytes());
            assert_eq!((stat.state, stat.threads, stat.start_ticks), (b'S', 6, 8642));
            assert!(!stat.kernel);
        }
        let kworker = b"7 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 0 6 0 0 20 0 1 0 33 0 0";
        assert!(stat(kworker).expect("well formed").kernel);
    }

    #[test]
    fn a_cut_stat_is_refused() {
        assert_eq!(stat(b"42 (nginx) S 1 2 3"), None);
        assert_eq!(stat(b"42 (nginx"), None);
        assert_eq!(stat(b")("), None);
        assert_eq!(stat(b""), None);
    }

    #[test]
    fn a_user_id_is_the_real_one() {
        assert_eq!(status_uid(b"Name:\tx\\nUid:\t7\nUid:\t1000\t0\t0\t0\nGid:\t1\n"), Some(1000));
        assert_eq!(status_uid(b"Name:\tx\n"), None);
    }

    #[test]
    fn arguments_are_joined_and_padding_is_cut() {
        assert_eq!(command_line(b"python3\0-m\0http.server\0"), "python3 -m http.server");
        assert_eq!(command_line(b"nginx: worker process\0\0\0  \0"), "nginx: worker process");
        assert_eq!(command_line(b""), "");
        assert_eq!(command_line(b"a\xff\0\x1b[31m\0"), "a\u{fffd} \x1b[31m");
    }

    #[test]
    fn the_limit_is_the_soft_one() {
        let text = b"Limit                     Soft Limit           Hard Limit           Units     \n\
            Max open files            1024                 524288               files     \n";
        assert_eq!(open_files_limit(text), Some(1024));
        assert_eq!(
            open_files_limit(b"Max open files            unlimited            unlimited  files\n"),
            None
        );
    }

    #[test]
    fn only_sockets_have_a_socket_inode() {
        assert_eq!(socket_inode(b"socket:[12345]"), Some(12345));
        assert_eq!(socket_inode(b"socket:[4294967296]"), None);
        assert_eq!(socket_inode(b"/tmp/socket:[1]"), None);
        assert_eq!(socket_inode(b"socket:[1] (deleted)"), None);
        assert_eq!(socket_inode(b"pipe:[12345]"), None);
        assert_eq!(socket_inode(b"socket:[-1]"), None);
    }

    #[test]
    fn a_namespace_is_its_inode() {
        assert_eq!(netns_inode(b"net:[4026531840]"), Some(4_026_531_840));
        assert_eq!(netns_inode(b"mnt:[4026531840]"), None);
        assert_eq!(netns_inode(b"net:[x]"), None);
    }

    #[test]
    fn odd_lines_of_passwd_are_passed_over() {
        let text = b"root:x:0:0:root:/root:/bin/sh\n# c\n\n:x:9::\nbad:x:nine:\nweb:x:33:33::\n";
        let users: Vec<_> = passwd(text).collect();
        assert_eq!(users, [(0, "root".to_owned()), (33, "web".to_owned())]);
    }

    proptest! {
        #[test]
        fn any_name_is_read_back(comm in proptest::collection::vec(any::<u8>(), 0..64), start in any::<u64>()) {
            let mut text = b"42 (".to_vec();
            text.extend_from_slice(&comm);
            text.extend_from_slice(b") R 1 7 7 0 -1 4194304 1 0 0 0 1 2 3 4 20 0 1 0 ");
            text.extend_from_slice(format!("{start} 9 9").as_bytes());
            let stat = stat(&text).expect("well formed");
            prop_assert_eq!(stat.comm, &comm[..]);
            prop_assert_eq!(stat.start_ticks, start);
        }

        #[test]
        fn no_bytes_make_a_parser_panic(text in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = (stat(&text), status_uid(&text), command_line(&text), open_files_limit(&text));
            let _ = (socket_inode(&text), id(&text), resident_pages(&text), passwd(&text).count());
        }

        #[test]
        fn an_inode_is_read_back(inode in any::<u32>()) {
            let link = format!("socket:[{inode}]");
            prop_assert_eq!(socket_inode(link.as_bytes()), Some(inode));
        }
    }
}
