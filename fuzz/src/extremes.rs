//! The largest files that are read: what takes most memory for its size. Each is made when its turn comes.

use scenarios::limits::{
    CONFIG, HOSTS, LOG, Limits, NODES_MAX, RECORDING, REPORT, SCENARIO, SCHEDULE, VALUES_MAX,
};

/// Makes one.
pub type Extreme = fn() -> Vec<u8>;

/// Scenarios: one long text, and as many small lists as there may be.
pub const SCENARIOS: &[Extreme] = &[
    || filled(&SCENARIO, "title: x\nscript: [kill: {}]\nabout: ", "a"),
    || {
        let story = "title: x\nscript:\n  - qmp: {execute: x, arguments: {a: ";
        format!("{story}{}}}}}\n", lists(NODES_MAX - 100)).into_bytes()
    },
    || filled(&SCENARIO, "title: x\nabout: &a ", "a b\n  "),
];

/// Schedules: as many steps as there may be, no two alike, and one step with an endless name.
pub const SCHEDULES: &[Extreme] = &[
    || {
        let steps = (0..SCHEDULE.lines_max).map(|step| format!("drive0 job read {step}k+64k\n"));
        steps.collect::<String>().into_bytes()
    },
    || filled(&SCHEDULE, "drive0 job read ", "a"),
];

/// Recordings: likewise.
pub const RECORDINGS: &[Extreme] = &[
    || filled(&RECORDING, HEADER, "{\"t\":\"hang\"}\n"),
    || {
        format!(
            "{HEADER}{{\"t\":\"reply\",\"return\":{}}}\n",
            lists(VALUES_MAX - 100)
        )
        .into_bytes()
    },
    || {
        filled(
            &RECORDING,
            &format!("{HEADER}{{\"t\":\"reply\",\"return\":\""),
            "a",
        )
    },
];

/// Logs: likewise, and objects that begin and never end.
pub const LOGS: &[Extreme] = &[
    || filled(&LOG, "", "{\"event\":\"STOP\"}\n"),
    || format!("{{\"return\":{}}}\n", lists(VALUES_MAX - 100)).into_bytes(),
    || filled(&LOG, "{\"execute\":\"", "a"),
    || "{'a':[\n".repeat(100_000).into_bytes(),
];

/// Profiles: one long text, many profiles, a list of many values, and lists in lists.
pub const CONFIGS: &[Extreme] = &[
    || filled(&CONFIG, "[profile.a]\nfailures = \"", "a"),
    || {
        let profiles = (0..30_000).map(|number| format!("[profile.p{number}]\njobs = 1\n"));
        profiles.collect::<String>().into_bytes()
    },
    || filled(&CONFIG, "[profile.a]\nscenarios = [", "1,"),
    || filled(&CONFIG, "[profile.a]\nscenarios = ", "["),
    || filled(&CONFIG, "[profile.a]\nscenarios = ", "{a="),
    || filled(&CONFIG, "", "a."),
    || filled(&CONFIG, "", "[a.a]\n"),
];

/// Hosts: no end of comments, one endless line, and more hosts than there may be.
pub const HOSTS_FILES: &[Extreme] = &[
    || "#\n".repeat(HOSTS.lines_max).into_bytes(),
    || filled(&HOSTS, "node", "0"),
    || {
        let hosts = (1..5_000).map(|port| format!("node:{port}\n"));
        hosts.collect::<String>().into_bytes()
    },
];

/// Reports: no row, many rows that are none, and lists in lists. (As large as they may be takes too long in each test.)
pub const REPORTS: &[Extreme] = &[
    || "\n".repeat(REPORT.lines_max).into_bytes(),
    || "{}\n".repeat(REPORT.lines_max).into_bytes(),
    || "[".repeat(1 << 20).into_bytes(),
    || "---\n".repeat(10_000).into_bytes(),
];

const HEADER: &str = "{\"t\":\"header\",\"qemu\":\"10.0.2\"}\n";

/// A file as large as may be: a beginning, and something over and over.
fn filled(limits: &Limits, begin: &str, with: &str) -> Vec<u8> {
    let mut file = begin.to_owned();
    let left = limits.bytes_max as usize - begin.len();
    file += &with.repeat(left / with.len());
    file.into_bytes()
}

/// A list of lists of one number: so many values in all.
fn lists(values: usize) -> String {
    format!("[{}[0]]", "[0],".repeat(values / 2 - 1))
}
