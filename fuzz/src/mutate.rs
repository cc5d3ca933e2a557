//! Changes that fit text made of lines, words and numbers: what a hand, an editor or a tool does to a file, and what
//! somebody does who wants to break its reader.

use sim::seed::Randomness;

/// Numbers at the ends of ranges, and what only looks like a number.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "64",
    "511",
    "512",
    "513",
    "4096",
    "65535",
    "65536",
    "65537",
    "1048576",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "64k",
    "1M",
    "8388607T",
    "8388608T",
    "9007199254740991k",
    "1.5",
    "1e308",
    "1e999",
    "-0",
    "0x10",
    "0xffffffffffffffff",
    ".nan",
    "-.inf",
    "0b1",
    "0o7",
    "1_000",
    "99999999999999999999999",
];

/// What does not belong into a text, or means more than it seems.
const JUNK: &[&[u8]] = &[
    b"\xef\xbb\xbf",
    b"\0",
    b"\r",
    b"\r\n",
    b"\t",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\x1b[31m",
    "\u{2028}".as_bytes(),
    "é".as_bytes(),
    "\u{202e}".as_bytes(),
    "😀".as_bytes(),
    b"&a ",
    b"*a",
    b"!!binary ",
    b"!!str ",
    b"!x ",
    b"<<: *a",
    b"\n---\n",
    b"\n...\n",
    b"%YAML 1.2\n---\n",
    b"? ",
    b"| \n",
    b">- ",
    b"\"",
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b": ",
    b"#",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"~",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"\n",
    b" ",
    b"- ",
];

/// The input with a few changes; a function of the arguments alone. No change makes it much longer than
/// [`SIZE_MAX`].
pub fn mutate(input: &[u8], words: &[&str], random: &mut Randomness) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(3) {
        let change = CHANGES[random.below(CHANGES.len() as u32) as usize];
        change(&mut bytes, words, random);
        bytes.truncate(SIZE_MAX);
    }
    bytes
}

/// How long an input may become.
pub const SIZE_MAX: usize = 64 << 10;

type Change = fn(&mut Vec<u8>, &[&str], &mut Randomness);

/// All changes; what is there twice is twice as likely.
const CHANGES: &[Change] = &[
    drop_line,
    copy_line,
    copy_line,
    move_line,
    repeat_lines,
    cut,
    indent,
    newlines,
    number,
    number,
    number,
    word,
    word,
    swap_words,
    junk,
    junk,
    nest,
    lengthen,
    bomb,
    flip,
    remove,
];

// ---- lines

/// Where a random line begins and ends, its newline included.
fn line(bytes: &[u8], random: &mut Randomness) -> (usize, usize) {
    let at = place(bytes, random);
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n');
    let len = bytes[at..].iter().position(|byte| *byte == b'\n');
    (
        start.map_or(0, |start| start + 1),
        len.map_or(bytes.len(), |len| at + len + 1),
    )
}

/// A place in the bytes, or their end.
fn place(bytes: &[u8], random: &mut Randomness) -> usize {
    random.below(bytes.len() as u32 + 1) as usize
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.splice(at..at, new.iter().copied());
}

fn drop_line(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let (start, end) = line(bytes, random);
    bytes.drain(start..end);
}

fn copy_line(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let (start, end) = line(bytes, random);
    let copy = bytes[start..end].to_vec();
    let (to, _) = line(bytes, random);
    insert(bytes, to, &copy);
}

fn move_line(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let (start, end) = line(bytes, random);
    let moved: Vec<u8> = bytes.drain(start..end).collect();
    let (to, _) = line(bytes, random);
    insert(bytes, to, &moved);
}

fn repeat_lines(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let (start, end) = line(bytes, random);
    let times = 1 << random.below(8);
    let many = bytes[start..end].repeat(times);
    insert(bytes, end, &many);
}

fn cut(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let at = place(bytes, random);
    bytes.truncate(at);
}

fn indent(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let (start, end) = line(bytes, random);
    match random.below(2) {
        0 => insert(bytes, start, b"  "),
        _ => {
            let blanks = bytes[start..end].iter().take_while(|byte| **byte == b' ');
            let blanks = blanks.count().min(2);
            bytes.drain(start..start + blanks);
        }
    }
}

/// Other ends of lines, everywhere.
fn newlines(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let end: &[u8] = [b"\r\n".as_slice(), b"\r", b"\n\n", b" "][random.below(4) as usize];
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    *bytes = lines.join(end);
}

// ---- words and numbers

/// The ranges of the longest stretches of bytes that are wanted.
fn stretches(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, byte) in bytes.iter().enumerate() {
        match (wanted(*byte), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    found.extend(start.map(|start| (start, bytes.len())));
    found
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'$' | b'/')
}

fn one<T: Copy>(of: &[T], random: &mut Randomness) -> Option<T> {
    let count = of.len() as u32;
    (count > 0).then(|| of[random.below(count) as usize])
}

fn number(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let numbers = stretches(bytes, |byte| byte.is_ascii_digit());
    if let (Some((start, end)), Some(new)) = (one(&numbers, random), one(NUMBERS, random)) {
        bytes.splice(start..end, new.bytes());
    }
}

fn word(bytes: &mut Vec<u8>, words: &[&str], random: &mut Randomness) {
    let own = stretches(bytes, is_of_word);
    if let (Some((start, end)), Some(new)) = (one(&own, random), one(words, random)) {
        bytes.splice(start..end, new.bytes());
    }
}

/// A word of the input in the place of another.
fn swap_words(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let own = stretches(bytes, is_of_word);
    if let (Some((from, to)), Some((start, end))) = (one(&own, random), one(&own, random)) {
        let new = bytes[from..to].to_vec();
        bytes.splice(start..end, new);
    }
}

// ---- attacks

fn junk(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let at = place(bytes, random);
    let new = JUNK[random.below(JUNK.len() as u32) as usize];
    insert(bytes, at, new);
}

/// Lists or mappings in one another, closed or not.
fn nest(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let depth = 1 << random.below(12);
    let (open, close) =
        [("[", "]"), ("{\"a\":", "}"), ("{a: ", "}"), ("- ", "")][random.below(4) as usize];
    let mut new = open.repeat(depth);
    if random.below(2) == 0 {
        new += "1";
        new += &close.repeat(depth);
    }
    let at = place(bytes, random);
    insert(bytes, at, new.as_bytes());
}

/// A long stretch of one sign.
fn lengthen(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let at = place(bytes, random);
    let sign = [b'a', b' ', b'9', b'-', b'"', b'\\', b'&', b'#'][random.below(8) as usize];
    let new = vec![sign; 1 << random.below(14)];
    insert(bytes, at, &new);
}

/// "A billion laughs": anchors that stand for lists of anchors.
fn bomb(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let width = 2 + random.below(9) as usize;
    let mut new = String::from("a0: &a0 [x, x]\n");
    for level in 1..=random.below(12) {
        let below = vec![format!("*a{}", level - 1); width].join(", ");
        new += &format!("a{level}: &a{level} [{below}]\n");
    }
    let (at, _) = line(bytes, random);
    insert(bytes, at, new.as_bytes());
}

// ---- bytes

#[expect(clippy::ptr_arg, reason = "one row of a table of changes")]
fn flip(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let at = place(bytes, random);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn remove(bytes: &mut Vec<u8>, _: &[&str], random: &mut Randomness) {
    let (one, other) = (place(bytes, random), place(bytes, random));
    let len = one.abs_diff(other).min(16);
    let start = one.min(other);
    bytes.drain(start..start + len);
}
