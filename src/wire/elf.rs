//! As much of an ELF executable as tells which version of Go built it. 64-bit little-endian files only.

/// How long the header of a file is.
pub const HEADER: usize = 64;
/// How long the header of a section is.
pub const SECTION: usize = 64;
/// As much of the section `.go.buildinfo` as holds the version.
pub const BUILD_INFO: usize = 64;

/// A part of a file: its offset and length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

/// Where the headers of sections are, and which of them names the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sections {
    /// All headers, [`SECTION`] bytes each.
    pub headers: Part,
    /// The index of the section with the names.
    pub names: usize,
}

/// Where the sections of the file that begins with `header` are; `None` if it is not such a file.
#[must_use]
pub fn sections(header: &[u8]) -> Option<Sections> {
    // ELF, 64 bits, little endian (`e_ident` in elf(5)).
    if header.len() < HEADER || !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let count = u16_at(header, 60)?;
    let size = usize::from(u16_at(header, 58)?);
    let headers = Part { offset: u64_at(header, 40)?, length: u64::from(count) * SECTION as u64 };
    (size == SECTION && count > 0).then_some(Sections { headers, names: usize::from(u16_at(header, 62)?) })
}

/// The part of the section with that index among `headers`.
#[must_use]
pub fn part(headers: &[u8], index: usize) -> Option<Part> {
    let header = headers.get(index.checked_mul(SECTION)?..)?.get(..SECTION)?;
    Some(Part { offset: u64_at(header, 24)?, length: u64_at(header, 32)? })
}

/// The part of the section called `name`; `names` is the content of the section with the names.
#[must_use]
pub fn find(headers: &[u8], names: &[u8], name: &[u8]) -> Option<Part> {
    let index = headers.chunks_exact(SECTION).position(|header| {
        let start = u32_at(header, 0).and_then(|start| usize::try_from(start).ok());
        let rest = start.and_then(|start| names.get(start..)).unwrap_or_default();
        rest.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&0))
    })?;
    part(headers, index)
}

/// The version of Go in the section `.go.buildinfo`, such as `1.24.2`, if it is given there as text (since Go 1.18).
#[must_use]
pub fn go_version(build_info: &[u8]) -> Option<&str> {
    let flags = *build_info.strip_prefix(b"\xff Go buildinf:")?.get(1)?;
    let inline = flags & 2 != 0;
    let (&length, text) = build_info.get(32..)?.split_first()?;
    // A varint of one byte: versions are short.
    if !inline || length >= 128 {
        return None;
    }
    let text = std::str::from_utf8(text.get(..usize::from(length))?).ok()?;
    text.strip_prefix("go").map(|version| version.split(' ').next().unwrap_or(version))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_where_it_is_text() {
        let mut info = b"\xff Go buildinf:\x08\x02".to_vec();
        info.resize(32, 0);
        info.push(8);
        info.extend(b"go1.24.2 and more");
        assert_eq!(go_version(&info), Some("1.24.2"));
        info[15] = 0;
        assert_eq!(go_version(&info), None, "pointers, as before Go 1.18");
        assert_eq!(go_version(&info[..20]), None);
    }

    #[test]
    fn sections_are_found_by_name() {
        let mut header = vec![0; HEADER];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        header[40] = 64;
        header[58] = 64;
        header[60] = 2;
        header[62] = 1;
        let found = sections(&header).expect("an ELF file");
        assert_eq!((found.headers, found.names), (Part { offset: 64, length: 128 }, 1));
        let mut headers = vec![0; 128];
        headers[0] = 5;
        headers[24] = 7;
        headers[32] = 9;
        let names = b"\0one\0.go.buildinfo\0";
        assert_eq!(find(&headers, names, b".go.buildinfo"), Some(Part { offset: 7, length: 9 }));
        assert_eq!(find(&headers, names, b".go.build"), None);
        assert_eq!(sections(b"#!/bin/sh"), None);
        assert_eq!(part(&headers, usize::MAX), None);
    }
}
