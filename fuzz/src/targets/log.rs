//! A log of somebody else's, in each style: read, made a recording, and held against the model.

use scenarios::log::{self, Question, Reading, Style};

use crate::targets::recording::WORDS;
use crate::{Target, extremes, seeds};

/// How many messages of an input are held against the model: those of a log are many times as costly as its lines.
const MESSAGES_MAX: usize = 12;
/// How many worlds may be possible at once.
const WORLDS_MAX: usize = 10;
/// How many lines of a good log are an input.
const LINES_MAX: usize = 30;

/// libvirt's.
pub const LIBVIRT: Target = Target {
    name: "log_libvirt",
    run: |input| run(Style::Libvirt, input),
    seeds: logs,
    extremes: extremes::LOGS,
    words: WORDS,
};

/// Those of qmp-shell and of QEMU's Python client.
pub const QMP: Target = Target {
    name: "log_qmp",
    run: |input| run(Style::Qmp, input),
    seeds: logs,
    extremes: extremes::LOGS,
    words: WORDS,
};

/// Those of QEMU's iotests.
pub const IOTEST: Target = Target {
    name: "log_iotest",
    run: |input| run(Style::Iotest, input),
    seeds: logs,
    extremes: extremes::LOGS,
    words: WORDS,
};

fn run(style: Style, input: &[u8]) {
    let mut reading = log::read(style, &String::from_utf8_lossy(input));
    shorten(&mut reading);
    let question = Question {
        file: "in.log",
        style,
        given: None,
        dialect: None,
        worlds_max: WORLDS_MAX,
    };
    if let Err(error) = log::check(&reading, &question) {
        assert!(!error.to_string().is_empty());
    }
}

fn shorten(reading: &mut Reading) {
    reading.monitors.truncate(2);
    for monitor in &mut reading.monitors {
        monitor.messages.truncate(MESSAGES_MAX);
    }
}

/// The beginnings of logs of all styles: a reader must survive those of the others, too.
fn logs() -> Vec<Vec<u8>> {
    let mut files = seeds::files("tests/data/logs", "log");
    files.extend(seeds::files("tests/data/logs", "out"));
    seeds::beginnings(files, LINES_MAX)
}
