//! The file that says where the processes of a search listen: a line `HOST:PORT` for each, in the order of their numbers;
//! what follows a `#` is for people.

use std::path::Path;

use scenarios::limits::PROCESSES_MAX;

/// A line of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// The number of the line, from 1.
    pub line: usize,
    /// Where the process listens.
    pub address: &'a str,
}

/// Reads the text of such a file. Nothing is looked up.
///
/// # Errors
/// What to print: a line that cannot be an address, or is there twice.
pub fn parse<'a>(file: &Path, text: &'a str) -> Result<Vec<Host<'a>>, String> {
    let mut hosts: Vec<Host<'_>> = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let address = content.split('#').next().unwrap_or_default().trim();
        if address.is_empty() {
            continue;
        }
        judge(&hosts, address).map_err(|why| format!("{}:{line}: {why}", file.display()))?;
        hosts.push(Host { line, address });
    }
    Ok(hosts)
}

fn judge(hosts: &[Host<'_>], address: &str) -> Result<(), String> {
    let port = address
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    let is_one_word = !address.contains(|c: char| c.is_whitespace() || c.is_control());
    if !matches!(port, Some(Ok(1..))) || !is_one_word {
        let shown: String = address.chars().take(80).collect();
        return Err(format!(
            "`{}` is no address; it looks like node7:4000",
            shown.escape_debug()
        ));
    }
    if let Some(before) = hosts.iter().position(|other| other.address == address) {
        return Err(format!(
            "`{address}` is where process {before} listens: each has its own port"
        ));
    }
    match hosts.len() < PROCESSES_MAX {
        true => Ok(()),
        false => Err(format!("more than {PROCESSES_MAX} processes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_hosts_in_their_order() {
        let text = "# all of them\nnode1:4000\n\n  [::1]:4001   # here\r\n";
        let hosts = parse(Path::new("hosts"), text).expect("they are hosts");
        let told: Vec<_> = hosts.iter().map(|host| (host.line, host.address)).collect();
        assert_eq!(told, [(2, "node1:4000"), (4, "[::1]:4001")]);
    }

    #[test]
    fn what_is_no_host_is_named() {
        let check = |text: &str, expected: &str| {
            let error = parse(Path::new("hosts"), text).expect_err(text);
            assert!(error.starts_with(expected), "{error}");
        };
        check("a:1\nnode", "hosts:2: `node` is no address");
        check("a:0", "hosts:1: `a:0` is no address");
        check("a b:1", "hosts:1: `a b:1` is no address");
        check("a:65536", "hosts:1: `a:65536` is no address");
        check("a:1\na:1", "hosts:2: `a:1` is where process 0 listens");
        let many: String = (1..300).map(|port| format!("a:{port}\n")).collect();
        check(&many, "hosts:257: more than 256 processes");
    }
}
