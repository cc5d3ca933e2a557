//! How processes come together before they search.
//!
//! Every two of them have two connections: one that timely will carry frames on, and a lifeline. On each, both
//! sides say who they are and what they are about to search, and go on only if that is the same. What says
//! anything else is sent away.
//!
//! A greeting is the line `blockrace cluster`, the length of what follows as four bytes, the highest first, and
//! a JSON object.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// What every greeting begins with.
const MAGIC: &[u8] = b"blockrace cluster\n";

/// No greeting is longer.
const LENGTH_MAX: usize = 1 << 16;

/// How long somebody who has connected may take to say who he is.
const SAY: Duration = Duration::from_secs(5);

/// How long is waited before somebody who is not there yet is called again.
const AGAIN: Duration = Duration::from_millis(50);

/// How many callers at once are listened to who have not said who they are.
const CALLERS_MAX: usize = 32;

/// What a process says of itself, and of what it is about to search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// What frames are like: [`sim::search::shard::FORMAT`].
    pub format: u32,
    /// The release of blockrace.
    pub version: String,
    /// What is searched: a hash of the content.
    pub content: String,
    /// How it is searched.
    pub options: String,
    /// How many processes there are.
    pub processes: usize,
    /// How many workers each has.
    pub jobs: usize,
    /// Who it is.
    pub process: usize,
    /// The numbers with which all shards that it has were kept by an earlier call, ascending.
    #[serde(default)]
    pub kept: Vec<u64>,
    /// What the connection is for; whoever joins fills it in.
    #[serde(default)]
    pub lifeline: bool,
}

impl Greeting {
    /// What keeps the two from searching together, if something does.
    fn differs_from(&self, other: &Greeting) -> Option<String> {
        let differ = |what: &str, ours: &dyn fmt::Display, theirs: &dyn fmt::Display| {
            Some(format!("{what}: {theirs} there, {ours} here"))
        };
        if self.format != other.format {
            return differ("another format of frames", &self.format, &other.format);
        }
        if self.version != other.version {
            return differ("another blockrace", &self.version, &other.version);
        }
        if self.content != other.content {
            return differ(
                "another scenario, or another machine",
                &self.content,
                &other.content,
            );
        }
        if self.options != other.options {
            return differ("other options", &self.options, &other.options);
        }
        if self.processes != other.processes {
            return differ("other --processes", &self.processes, &other.processes);
        }
        if self.jobs != other.jobs {
            return differ("other --jobs", &self.jobs, &other.jobs);
        }
        None
    }
}

/// Why processes did not come together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody did not come in time.
    Missing(String),
    /// Somebody came who is about to search something else.
    Different(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Missing(what) | Refusal::Different(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Refusal {}

/// The other processes.
#[derive(Debug)]
pub struct Peers {
    /// By process: the connection for frames; none at our own place.
    pub sockets: Vec<Option<TcpStream>>,
    /// By process: the lifeline.
    pub lifelines: Vec<Option<TcpStream>>,
    /// The largest number with which all shards of all processes were kept, if there is one.
    pub kept: Option<u64>,
}

/// Comes together with the processes at `hosts`, in the order of their numbers; our own address is the
/// listener's. Those with lower numbers are called, those with higher ones call.
///
/// `noted` is told of callers that were sent away.
///
/// # Errors
///
/// Somebody did not come within `timeout`, or is about to search something else.
pub fn join(
    greeting: &Greeting,
    hosts: &[String],
    listener: &TcpListener,
    timeout: Duration,
    noted: &mut dyn FnMut(String),
) -> Result<Peers, Refusal> {
    let until = Instant::now() + timeout;
    let me = greeting.process;
    let none = || hosts.iter().map(|_| None).collect();
    let mut peers = Peers {
        sockets: none(),
        lifelines: none(),
        kept: None,
    };
    let mut kept = greeting.kept.clone();
    let (found, finds) = mpsc::channel();
    for (number, host) in hosts.iter().enumerate().take(me) {
        for lifeline in [false, true] {
            let greeting = Greeting {
                lifeline,
                ..greeting.clone()
            };
            let (host, found) = (host.clone(), found.clone());
            thread::spawn(move || {
                let _ = found.send(call(&greeting, number, &host, until));
            });
        }
    }
    let missing = |peers: &Peers| {
        let both = peers.sockets.iter().zip(&peers.lifelines).enumerate();
        let mut missing = both.filter(|(_, both)| both.0.is_none() || both.1.is_none());
        missing
            .find(|(number, _)| *number != me)
            .map(|(number, _)| number)
    };
    let unusable = |error: io::Error| Refusal::Missing(format!("the listener failed: {error}"));
    listener.set_nonblocking(true).map_err(unusable)?;
    let mut callers = 0;
    while let Some(number) = missing(&peers) {
        while callers < CALLERS_MAX
            && let Ok((caller, address)) = listener.accept()
        {
            let (greeting, found) = (greeting.clone(), found.clone());
            callers += 1;
            thread::spawn(move || {
                let _ = found.send(answer(&greeting, caller, address, until));
            });
        }
        callers -= take(&finds, &mut peers, &mut kept, noted)?;
        if Instant::now() >= until {
            let host = &hosts[number];
            return Err(Refusal::Missing(format!(
                "process {number} at {host} did not come within {timeout:?}: is it started, with the same hosts?"
            )));
        }
    }
    peers.kept = kept.last().copied();
    Ok(peers)
}

/// What came of a call.
enum Found {
    /// A peer.
    Peer(Box<Greeting>, TcpStream, bool),
    /// Somebody who is no peer, and who called.
    Stranger(String),
    /// The time is over.
    Nobody,
    /// A peer with whom nothing can be searched.
    Different(String),
}

/// Takes what was found so far, or waits a moment for it; returns how many callers were listened to.
fn take(
    finds: &Receiver<Found>,
    peers: &mut Peers,
    kept: &mut Vec<u64>,
    noted: &mut dyn FnMut(String),
) -> Result<usize, Refusal> {
    let mut heard = 0;
    let mut next = finds.recv_timeout(Duration::from_millis(10)).ok();
    while let Some(found) = next {
        match found {
            Found::Peer(greeting, stream, called) => {
                heard += usize::from(called);
                let places = match greeting.lifeline {
                    false => &mut peers.sockets,
                    true => &mut peers.lifelines,
                };
                let place = &mut places[greeting.process];
                if place.is_some() {
                    let number = greeting.process;
                    return Err(Refusal::Different(format!(
                        "two processes say that they are process {number}: give each its own --process"
                    )));
                }
                *place = Some(stream);
                kept.retain(|number| greeting.kept.contains(number));
            }
            Found::Stranger(what) => {
                heard += 1;
                noted(what);
            }
            Found::Nobody => {}
            Found::Different(what) => return Err(Refusal::Different(what)),
        }
        next = finds.try_recv().ok();
    }
    Ok(heard)
}

/// Calls a process until it answers as one.
fn call(greeting: &Greeting, number: usize, host: &str, until: Instant) -> Found {
    while Instant::now() < until {
        if let Ok(mut stream) = connect(host)
            && say(&mut stream, greeting).is_ok()
            // Whoever is there and busy answers later; calling again would be calling twice.
            && let Ok(theirs) = hear(&mut stream, until)
        {
            return match greeting.differs_from(&theirs) {
                Some(how) => Found::Different(format!("process {number} at {host} has {how}")),
                None if theirs.process != number => Found::Different(format!(
                    "process {number} at {host} says that it is process {}: give all the same hosts, in the same order",
                    theirs.process
                )),
                None => {
                    let theirs = Greeting {
                        lifeline: greeting.lifeline,
                        ..theirs
                    };
                    Found::Peer(Box::new(theirs), stream, false)
                }
            };
        }
        thread::sleep(AGAIN);
    }
    Found::Nobody
}

fn connect(host: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Listens to somebody who has called.
fn answer(
    greeting: &Greeting,
    mut caller: TcpStream,
    address: SocketAddr,
    until: Instant,
) -> Found {
    let until = until.min(Instant::now() + SAY);
    let theirs = caller
        .set_nonblocking(false)
        .and_then(|()| hear(&mut caller, until));
    let theirs = match theirs {
        Ok(theirs) => theirs,
        Err(error) => {
            return Found::Stranger(format!("{address} was sent away: {error}"));
        }
    };
    let said = say(&mut caller, greeting);
    if let Some(how) = greeting.differs_from(&theirs) {
        let number = theirs.process;
        return Found::Different(format!("process {number}, from {address}, has {how}"));
    }
    if theirs.process <= greeting.process || theirs.process >= greeting.processes {
        return Found::Different(format!(
            "{address} says that it is process {}, but process {} waits for higher numbers below {}: give each \
             its own --process",
            theirs.process, greeting.process, greeting.processes
        ));
    }
    match said {
        Ok(()) => Found::Peer(Box::new(theirs), caller, true),
        Err(error) => Found::Stranger(format!("{address} was sent away: {error}")),
    }
}

fn say(stream: &mut TcpStream, greeting: &Greeting) -> io::Result<()> {
    let text = serde_json::to_vec(greeting)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let bytes = [MAGIC, &length.to_be_bytes(), &text].concat();
    stream.set_write_timeout(Some(SAY))?;
    stream.set_nodelay(true)?;
    stream.write_all(&bytes)?;
    stream.set_write_timeout(None)
}

/// Hears a greeting, all of it by `until`.
fn hear(stream: &mut TcpStream, until: Instant) -> io::Result<Greeting> {
    let mut magic = vec![0; MAGIC.len()];
    read(stream, &mut magic, until)?;
    if magic != MAGIC {
        return Err(io::Error::other("it does not say that it is a blockrace"));
    }
    let mut length = [0; 4];
    read(stream, &mut length, until)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LENGTH_MAX {
        return Err(io::Error::other("its greeting is too long"));
    }
    let mut text = vec![0; length];
    read(stream, &mut text, until)?;
    stream.set_read_timeout(None)?;
    serde_json::from_slice(&text)
        .map_err(|error| io::Error::other(format!("its greeting cannot be read: {error}")))
}

/// Fills `bytes`; a slow peer gets no more time than a silent one.
fn read(stream: &mut TcpStream, bytes: &mut [u8], until: Instant) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::other("it did not say who it is in time"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes[done..]) {
            Ok(0) => return Err(io::Error::other("it hung up")),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_late(&error) => {
                return Err(io::Error::other("it did not say who it is in time"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
