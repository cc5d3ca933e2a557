//! `check` over several processes: what is asked for, and who takes part.
//!
//! Each process that searches is a child of the one that was called (`member.rs`), so that nothing that befalls it, a
//! panic of the network's threads above all, befalls the one that answers (`team.rs`). They talk in lines of JSON
//! (`message.rs`). Members of different hosts talk as `blockrace-cluster` says.

pub mod hosts;
#[cfg(feature = "cluster")]
pub mod member;
#[cfg(feature = "cluster")]
mod message;
#[cfg(feature = "cluster")]
mod shelf;
#[cfg(feature = "cluster")]
mod team;

use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use scenarios::limits::{HOSTS, PROCESSES_MAX};
use sim::search::{Control, Options, Report};
#[cfg(feature = "cluster")]
use sim::search::{Limit, Verdict};

use crate::checkpoint::Shares;
use crate::cli::duration;
use crate::stage::Staged;
use scenarios::scene::Step;

/// Who searches, if not this process alone.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Several processes")]
pub struct SpreadArgs {
    /// Search in so many processes on this machine: for their memory, and to try it; more --jobs are faster
    #[arg(long, value_name = "N", conflicts_with_all = ["processes", "process", "hosts"])]
    local_processes: Option<NonZeroUsize>,
    /// Search in so many processes, each started with the same command line but for --process
    #[arg(long, value_name = "N", requires_all = ["process", "hosts"])]
    processes: Option<NonZeroUsize>,
    /// Which of them this one is, from 0
    #[arg(long, value_name = "I", requires = "processes")]
    process: Option<usize>,
    /// Where they listen: HOST:PORT, a line for each, in their order
    #[arg(long, value_name = "FILE", requires = "processes")]
    hosts: Option<PathBuf>,
    /// How long the other processes are waited for
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    connect_timeout: Duration,
    /// After what silence another process is taken to be gone
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    peer_timeout: Duration,
    /// Everybody who can reach the hosts may be trusted: nothing is encrypted, and nobody proves who he is
    #[arg(long)]
    trusted_network: bool,
}

/// Who searches together, and for how long they wait for each other.
#[cfg_attr(
    not(feature = "cluster"),
    allow(dead_code, reason = "nobody makes a plan without it")
)]
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where each listens; a port of 0 is any.
    pub hosts: Vec<String>,
    /// How many workers each has.
    pub jobs: NonZeroUsize,
    /// Those of them that are started here.
    pub ours: std::ops::Range<usize>,
    /// How long the others are waited for.
    pub connect_timeout: Duration,
    /// After what silence one is gone.
    pub peer_timeout: Duration,
}

impl SpreadArgs {
    /// Whether anything is asked for.
    pub fn is_wanted(&self) -> bool {
        self.local_processes.is_some() || self.processes.is_some()
    }

    /// How many processes are started on this machine.
    pub fn here(&self) -> usize {
        self.local_processes.map_or(1, NonZeroUsize::get)
    }

    /// Who searches, if not this process alone.
    ///
    /// # Errors
    /// What to print: hosts that cannot be used.
    pub fn plan(&self, jobs: NonZeroUsize) -> Result<Option<Plan>, String> {
        if !self.is_wanted() {
            return Ok(None);
        }
        if !cfg!(feature = "cluster") {
            return Err(
                "this blockrace was built without the search over several processes: build it with \
                 `cargo install --path . --features cluster`"
                    .to_owned(),
            );
        }
        let (hosts, ours) = match (&self.hosts, self.process) {
            (Some(file), Some(process)) => {
                let hosts = self.hosts(file)?;
                if process >= hosts.len() {
                    let count = hosts.len();
                    return Err(format!(
                        "--process {process} is not one of {count} processes: they are counted from 0"
                    ));
                }
                (hosts, process..process + 1)
            }
            _ => (vec!["127.0.0.1:0".to_owned(); self.here()], 0..self.here()),
        };
        if hosts.len() > PROCESSES_MAX {
            return Err(format!("more than {PROCESSES_MAX} processes"));
        }
        Ok(Some(Plan {
            hosts,
            jobs,
            ours,
            connect_timeout: self.connect_timeout,
            peer_timeout: self.peer_timeout,
        }))
    }

    fn hosts(&self, file: &Path) -> Result<Vec<String>, String> {
        let (name, text) = (file.display(), HOSTS.read_text(file)?);
        let hosts = hosts::parse(file, &text)?;
        for host in &hosts {
            self.judge(host.address)
                .map_err(|why| format!("{name}:{}: {why}", host.line))?;
        }
        let wanted = self.processes.map_or(0, NonZeroUsize::get);
        if hosts.len() != wanted {
            return Err(format!(
                "{name}: {} hosts for --processes {wanted}: there is a line for each",
                hosts.len()
            ));
        }
        let addresses = hosts.into_iter().map(|host| host.address.to_owned());
        Ok(addresses.collect())
    }

    /// Whether that is an address, and one that may be used.
    fn judge(&self, host: &str) -> Result<(), String> {
        let addresses: Vec<SocketAddr> = host
            .to_socket_addrs()
            .map_err(|error| format!("`{host}` is no address: {error}; it looks like node7:4000"))?
            .collect();
        let is_outside = |address: &&SocketAddr| !address.ip().is_loopback();
        match addresses.iter().find(is_outside) {
            Some(address) if !self.trusted_network => Err(format!(
                "`{host}` is {address}, which others can reach: nothing is encrypted and nobody proves who he is; \
                 if only those can whom you trust, say --trusted-network"
            )),
            _ => Ok(()),
        }
    }
}

/// Searches with all who take part. The counts in `control` are those of all. Each keeps its share, if `shares` are
/// wanted.
///
/// # Errors
/// What to print: somebody did not come, or is about to search something else.
#[cfg(feature = "cluster")]
pub fn search(
    plan: &Plan,
    staged: &Staged<'_>,
    options: &Options,
    shares: Option<&Shares>,
    control: &Control,
) -> Result<Report<Step>, String> {
    let report = team::search(plan, staged, options, shares, control)?;
    if report.verdict != Verdict::Inconclusive(Limit::Cycle) {
        return Ok(report);
    }
    eprintln!(
        "blockrace: a state leads back to itself: this process looks by itself for a run that need never rest"
    );
    Ok(sim::search::search(&staged.scene, options, control))
}

/// Never called: there is no plan without the feature.
///
/// # Errors
/// Always.
#[cfg(not(feature = "cluster"))]
pub fn search(
    plan: &Plan,
    _: &Staged<'_>,
    _: &Options,
    _: Option<&Shares>,
    _: &Control,
) -> Result<Report<Step>, String> {
    Err(format!("nobody searches {:?}", plan.hosts))
}
