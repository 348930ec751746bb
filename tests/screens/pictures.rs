//! The pictures under `screenshots/`: what the screen shows of the recorded incident (`tests/recordings/README.md`).
//!
//! `TWTOP_UPDATE=1` writes them anew and takes away those that are no longer told of here.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use twtop::ui::{Palette, Theme, picture, theme::Ground};

use crate::{LARGE, SMALL, recording, stage::Stage};

/// A screen: its name, the second of the incident, and the keys that lead there.
type Shot = (&'static str, u32, &'static str);

/// Each at the second that tells most: ports run out at 119, and the last sample is that of 124.
const SHOTS: [Shot; 12] = [
    ("overview", 124, ""),
    ("sockets", 124, "2"),
    ("processes", 124, "3"),
    ("peers", 124, "4"),
    ("ports", 110, "5"),
    ("findings", 124, "6"),
    ("kernel", 124, "7"),
    ("process", 124, "<Enter>"),
    ("peer", 124, "4<Enter>"),
    ("socket", 124, "2<Enter>"),
    ("finding", 124, "6<Enter>"),
    ("held", 124, "[[[[[[[[[["),
];

/// What those see who have fewer colours, of one of these.
const PALETTES: [(&str, Palette, Ground); 5] = [
    ("256-on-dark", Palette::Indexed(Ground::Dark), Ground::Dark),
    ("256-on-light", Palette::Indexed(Ground::Light), Ground::Light),
    ("16-on-dark", Palette::Sixteen, Ground::Dark),
    ("16-on-light", Palette::Sixteen, Ground::Light),
    ("monochrome", Palette::Monochrome, Ground::Dark),
];

/// Those that the README shows, which is read where an SVG has no fonts.
const FOR_README: [&str; 3] = ["dark/overview-160x45", "dark/overview-80x24", "dark/finding-80x24"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots")
}

/// What the incident looks like: the name of the picture below `screenshots/`, and the picture.
fn pictures() -> Vec<(String, String)> {
    let mut shown = Stage::new(SMALL.0, SMALL.1);
    let mut pictures = vec![];
    for (second, sample) in (0..).zip(recording::incident()) {
        shown.sample(sample);
        for (name, _, keys) in SHOTS.into_iter().filter(|shot| shot.1 == second) {
            for size in [SMALL, LARGE] {
                let mut stage = shown.afresh(size);
                stage.keys(keys);
                let mut shoot = |name: String, palette, ground| {
                    stage.theme = Theme::new(palette, false);
                    pictures.push((format!("{name}.svg"), picture::svg(&stage.buffer(), ground)));
                };
                let (width, height) = size;
                for (folder, ground) in [("dark", Ground::Dark), ("light", Ground::Light)] {
                    shoot(format!("{folder}/{name}-{width}x{height}"), Palette::True(ground), ground);
                }
                if name == "overview" && size == SMALL {
                    for (palette_name, palette, ground) in PALETTES {
                        shoot(format!("palettes/{palette_name}"), palette, ground);
                    }
                }
            }
        }
    }
    pictures
}

#[test]
fn the_pictures_are_those_of_today() {
    let update = std::env::var_os("TWTOP_UPDATE").is_some();
    let mut wanted = BTreeSet::new();
    for (name, svg) in pictures() {
        let path = folder().join(&name);
        if update {
            fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
            fs::write(&path, &svg).expect("the picture can be written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == svg, "{name} is not what the screen looks like: run with TWTOP_UPDATE=1");
        let png = path.with_extension("png");
        if FOR_README.iter().any(|shown| name.strip_suffix(".svg") == Some(shown)) {
            if update && !fs::read(&png).is_ok_and(|png| shows(&png, &svg)) {
                fs::write(&png, drawn(&path, &svg)).expect("the picture can be written");
            }
            let png_is_new = fs::read(&png).is_ok_and(|png| shows(&png, &svg));
            assert!(png_is_new, "{} does not show {name}: run with TWTOP_UPDATE=1", png.display());
            wanted.insert(png);
        }
        wanted.insert(path);
    }
    for path in files(&folder()).difference(&wanted) {
        if update {
            fs::remove_file(path).expect("what is no longer wanted can be removed");
        } else {
            panic!("{} is no picture of today: run with TWTOP_UPDATE=1", path.display());
        }
    }
    let readme = fs::read_to_string(folder().with_file_name("README.md")).expect("a README");
    let shown: Vec<&str> =
        readme.split("](screenshots/").skip(1).map(|rest| rest.split(')').next().expect("a path")).collect();
    assert!(!shown.is_empty(), "the README shows none");
    for path in shown {
        assert!(wanted.contains(&folder().join(path)), "the README shows {path}, which is not there");
    }
}

/// The files in `folder` and below.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).expect("it can be listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) }).collect()
}

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The signature, and the chunk that says how large it is, which is always the first.
const HEAD: usize = SIGNATURE.len() + 25;

/// The SVG at `path` as a PNG that tells of what it was made.
fn drawn(path: &Path, svg: &str) -> Vec<u8> {
    let output = Command::new("rsvg-convert").arg(path).output();
    let output = output.unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            panic!("rsvg-convert makes the PNGs: install it (Debian: librsvg2-bin, fonts-dejavu-core)")
        }
        _ => panic!("rsvg-convert: {error}"),
    });
    assert!(output.status.success(), "rsvg-convert: {}", String::from_utf8_lossy(&output.stderr));
    let mut png = output.stdout;
    png.splice(HEAD..HEAD, origin(svg));
    png
}

/// Whether that is a PNG of that SVG: as large as it, and made of it.
fn shows(png: &[u8], svg: &str) -> bool {
    let told = |name: &str| {
        let (_, rest) = svg.split_once(&format!(" {name}=\""))?;
        rest.split('"').next()?.parse::<u32>().ok()
    };
    let (width, height) = told("width").zip(told("height")).expect("an SVG says how large it is");
    let head = [SIGNATURE, &[0, 0, 0, 13], b"IHDR", &width.to_be_bytes(), &height.to_be_bytes()].concat();
    png.starts_with(&head) && png.get(HEAD..).is_some_and(|rest| rest.starts_with(&origin(svg)))
}

/// A chunk of text of a PNG: of which SVG it was made.
fn origin(svg: &str) -> Vec<u8> {
    let text = format!("Source\0SVG of {} bytes, CRC-32 {:08x}", svg.len(), crc32fast::hash(svg.as_bytes()));
    let body = [b"tEXt", text.as_bytes()].concat();
    let length = u32::try_from(text.len()).expect("short");
    [&length.to_be_bytes(), &*body, &crc32fast::hash(&body).to_be_bytes()].concat()
}
