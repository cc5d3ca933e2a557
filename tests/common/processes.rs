//! What Linux says of processes.
#![allow(dead_code)]

use std::fs::{read_dir, read_to_string};

/// The processes that a process has started, in the order of their numbers.
pub fn children(process: u32) -> Vec<u32> {
    // Each is the child of the thread that has started it.
    let threads = read_dir(format!("/proc/{process}/task")).into_iter();
    let files = threads.flatten().flatten();
    let lists = files.filter_map(|thread| read_to_string(thread.path().join("children")).ok());
    let numbers = |list: String| -> Vec<u32> {
        let words = list.split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let mut found: Vec<u32> = lists.flat_map(numbers).collect();
    found.sort_unstable();
    found
}

/// The most memory that the process had so far, in bytes; nothing if it is gone.
pub fn peak_of(process: u32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
