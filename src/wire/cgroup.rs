//! `/proc/PID/cgroup`: which container a process runs in.

/// How many digits of a container's id are kept, as container tools print it.
const SHORT: usize = 12;

/// The container in the text of `/proc/PID/cgroup`, `None` for a process of the host.
///
/// A long hexadecimal id is shortened to 12 digits; LXC and systemd-nspawn containers have names, which stay whole.
/// Every line is looked at, since on hosts that mix both versions of cgroups the line of the second
/// (`0::/`) says nothing. The innermost container counts.
#[must_use]
pub fn container(text: &[u8]) -> Option<String> {
    text.split(|&b| b == b'\n').find_map(|line| {
        let path = line.splitn(3, |&b| b == b':').nth(2)?;
        container_of_path(path)
    })
}

fn container_of_path(path: &[u8]) -> Option<String> {
    let parts: Vec<&[u8]> = path.split(|&b| b == b'/').collect();
    let innermost = (0..parts.len()).rev().find_map(|index| {
        let parent = index.checked_sub(1).map_or(&b""[..], |parent| parts[parent]);
        container_of_part(parent, parts[index])
    })?;
    Some(String::from_utf8_lossy(innermost).into_owned())
}

/// The container that `part` of a path, a child of `parent`, is the cgroup of.
fn container_of_part<'a>(parent: &[u8], part: &'a [u8]) -> Option<&'a [u8]> {
    if let Some(name) = part.strip_prefix(b"lxc.payload.") {
        return named(name);
    }
    // Before LXC 4: /lxc/NAME. systemd-nspawn: machine-NAME.scope, or a service.
    if parent == b"lxc" {
        return named(part);
    }
    if let Some(name) = part.strip_prefix(b"machine-").and_then(|rest| rest.strip_suffix(b".scope")) {
        return named(name);
    }
    if let Some(name) = part.strip_prefix(b"systemd-nspawn@").and_then(|rest| rest.strip_suffix(b".service"))
    {
        return named(name);
    }
    if let Some(scope) = part.strip_suffix(b".scope") {
        let dash = scope.iter().rposition(|&b| b == b'-')?;
        let (engine, id) = (&scope[..dash], &scope[dash + 1..]);
        // The monitor of a container (conmon) runs on the host, in a scope named after the container.
        let id = id.get(..SHORT).filter(|_| is_hex(id))?;
        return (!engine.ends_with(b"conmon")).then_some(id);
    }
    part.get(..SHORT).filter(|_| part.len() == 64 && is_hex(part))
}

fn named(name: &[u8]) -> Option<&[u8]> {
    (!name.is_empty()).then_some(name)
}

fn is_hex(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn of(path: &str) -> Option<String> {
        container(format!("0::{path}\n").as_bytes())
    }

    #[test]
    fn every_engine_names_its_containers_in_its_own_way() {
        let id = Some("0123456789ab".to_owned());
        assert_eq!(of(&format!("/system.slice/docker-{ID}.scope")), id);
        assert_eq!(of(&format!("/docker/{ID}")), id);
        assert_eq!(
            of(&format!("/kubepods.slice/kubepods-besteffort-pod1_2.slice/cri-containerd-{ID}.scope")),
            id
        );
        assert_eq!(of(&format!("/kubepods/burstable/pod0a-1b/{ID}")), id);
        assert_eq!(of(&format!("/machine.slice/libpod-{ID}.scope/container")), id);
        assert_eq!(of(&format!("/kubepods.slice/crio-{ID}.scope")), id);
        assert_eq!(of("/lxc.payload.web/init.scope"), Some("web".to_owned()));
        assert_eq!(of("/lxc/web/system.slice/nginx.service"), Some("web".to_owned()));
        assert_eq!(of("/machine.slice/machine-web.scope"), Some("web".to_owned()));
    }

    #[test]
    fn a_host_process_has_none() {
        for path in
            ["/", "/init.scope", "/system.slice/ssh.service", "/user.slice/user-0.slice/session-12.scope"]
        {
            assert_eq!(of(path), None, "{path}");
        }
        assert_eq!(of(&format!("/machine.slice/libpod-conmon-{ID}.scope")), None);
        assert_eq!(of("/lxc.monitor.web"), None);
    }

    #[test]
    fn the_second_version_alone_is_not_trusted() {
        let text = format!("9:name=systemd:/\n4:memory:/docker/{ID}\n0::/\n");
        assert_eq!(container(text.as_bytes()), Some("0123456789ab".to_owned()));
    }

    #[test]
    fn a_container_in_a_container_is_the_inner_one() {
        let inner = ID.replace('0', "f");
        assert_eq!(of(&format!("/docker/{ID}/docker/{inner}")), Some("f123456789ab".to_owned()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = container(&text);
        }
    }
}
