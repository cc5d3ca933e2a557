//! A file of hosts: read, without looking any of them up.

use std::path::Path;

use crate::{Target, extremes};

/// Hosts.
pub const TARGET: Target = Target {
    name: "hosts",
    run,
    seeds: kept,
    extremes: extremes::HOSTS_FILES,
    words: WORDS,
};

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Err(error) = blockrace::hosts(Path::new("hosts"), text) {
        assert!(error.starts_with("hosts:"), "{error}");
        assert!(!error.contains(|c: char| c.is_control()), "{error:?}");
    }
}

fn kept() -> Vec<Vec<u8>> {
    vec![b"# a line for each process\nnode1:4000\nnode2:4000 # the large one\n[::1]:4001\n127.0.0.1:4002\n".to_vec()]
}

const WORDS: &[&str] = &[
    "node1:4000",
    ":0",
    ":65535",
    ":65536",
    ":-1",
    "[::1]",
    "#",
    " ",
    "\t",
    "\r\n",
    "\u{feff}",
    "\u{1b}[31m",
    "a:b:1",
    "::1:1",
];
