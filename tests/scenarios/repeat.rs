//! Lines of a scenario that are played several times.

/// The lines of a scenario with their numbers, without comments, repeated where they should be.
pub(crate) fn unrolled(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut block: Option<(u32, Vec<(usize, String)>)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        match (&words[..], &mut block) {
            (["repeat", times], None) => block = Some((times.parse().expect("repeat TIMES"), Vec::new())),
            (["end"], Some(_)) => {
                let (times, body) = block.take().expect("just seen");
                for n in 0..times {
                    lines.extend(body.iter().map(|(number, line)| (*number, filled(line, n))));
                }
            }
            (_, Some((_, body))) => body.push((number, line.to_owned())),
            _ => lines.push((number, line.to_owned())),
        }
    }
    assert!(block.is_none(), "a repeat without its end");
    lines
}

/// `line` with each `{…}` worked out.
fn filled(line: &str, n: u32) -> String {
    let mut parts = line.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sum, rest) = part.split_once('}').expect("a brace is closed");
        filled.push_str(&value(sum, n).to_string());
        filled.push_str(rest);
    }
    filled
}

/// A sum of products such as `n*50+1`.
fn value(sum: &str, n: u32) -> f64 {
    let factor = |word: &str| if word == "n" { f64::from(n) } else { word.parse().expect("a number or n") };
    sum.split('+').map(|term| term.split('*').map(factor).product::<f64>()).sum()
}
