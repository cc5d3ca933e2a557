//! `blockrace member`: one process of a search over several. `check` starts it and tells it what to do.

use std::io::{BufRead, Read, Write};
use std::net::TcpListener;
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cluster::{Greeting, Lifelines, Process, Refusal, join};
use model::dialect::Dialect;
use scenarios::scene::{Scene, Step};
use sim::hash::fingerprint_of;
use sim::search::{Control, Report, Saved, SoFar, shard};
use sim::{Stale, System};

use super::message::{Counts, Job, Message, Reported};
use super::shelf::Shelf;
use crate::checkpoint::Shares;
use crate::exit::Exit;
use crate::stage;
use crate::version::VERSION;

/// How often it says how far the search is.
const TELL: Duration = Duration::from_millis(100);

/// Takes part in a search.
///
/// # Errors
/// What to print: nobody who called it is there to be told otherwise.
pub fn run() -> Result<Exit, String> {
    // Whoever started it decides what Ctrl-C means.
    let _ = ctrlc::set_handler(|| {});
    let job: Job = hear().ok_or("blockrace itself calls this, for `check --processes`")?;
    match take_part(&job) {
        Ok(()) => Ok(Exit::Clean),
        Err(why) => {
            tell(&Message::Refused(why));
            Ok(Exit::Usage)
        }
    }
}

fn take_part(job: &Job) -> Result<(), String> {
    let loaded = stage::load(&job.scenario)?;
    let dialect: &'static Dialect = job.dialect.parse()?;
    let scene = Arc::new(stage::scene(&loaded, dialect)?);
    let listener = TcpListener::bind(&job.bind).map_err(|error| {
        let bind = &job.bind;
        format!(
            "process {} cannot listen at {bind}: {error}; is the port taken?",
            job.process
        )
    })?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tell(&Message::Listening(address.to_string()));
    let hosts: Vec<String> = hear().ok_or("nobody says where the others are")?;
    let control = Arc::new(Control::default());
    let listens = Arc::clone(&control);
    thread::spawn(move || obey(&listens));
    let content = (
        format!("{:?}", loaded.story),
        dialect.name,
        scene.fingerprint(&scene.initial()),
    );
    let greeting = Greeting {
        format: shard::FORMAT,
        version: VERSION.to_owned(),
        content: format!("{:032x}", fingerprint_of(&content)),
        options: job.common(),
        processes: hosts.len(),
        jobs: job.jobs.get(),
        process: job.process,
        kept: Vec::new(),
        lifeline: false,
    };
    let shelf = Shelf::open(job, hosts.len())?;
    let greeting = Greeting {
        kept: shelf.numbers()?,
        ..greeting
    };
    let mut note = |what| tell(&Message::Note(what));
    let peers = join(&greeting, &hosts, &listener, job.connect_timeout, &mut note)
        .map_err(|refusal: Refusal| refusal.to_string())?;
    drop(listener);
    let shelf = shelf.go_on_from(peers.kept)?;
    if job.shares.as_ref().is_some_and(Shares::are_gone_on_with) {
        note(match peers.kept {
            Some(number) => format!("goes on from checkpoint {number} of all processes"),
            None => "no checkpoint is one that all processes have: begins anew".to_owned(),
        });
    }
    let has_found = Arc::new(AtomicBool::new(false));
    let lost = {
        let has_found = Arc::clone(&has_found);
        move |number: usize, how: &str| {
            if !has_found.load(Relaxed) {
                let host = &hosts[number];
                tell(&Message::Lost(format!(
                    "process {number} at {host} is gone: {how}"
                )));
            }
            exit(Exit::Inconclusive as i32);
        }
    };
    let lifelines = Lifelines::watch(peers.lifelines, job.peer_timeout, Arc::new(lost))
        .map_err(|error| format!("the connections cannot be watched: {error}"))?;
    let member = Arc::new(Member {
        scene: Arc::clone(&scene),
        shelf,
        has_found,
    });
    let (tells, looks) = (Arc::clone(&control), Arc::clone(&member));
    thread::spawn(move || tell_counts(&tells, &looks.shelf));
    let sockets = match peers.sockets.len() {
        1 => Vec::new(),
        _ => peers.sockets,
    };
    cluster::search(&scene, &job.options(), sockets, &control, member)?;
    lifelines.finish();
    Ok(())
}

/// This process, as the search sees it.
struct Member {
    scene: Arc<Scene>,
    shelf: Shelf,
    has_found: Arc<AtomicBool>,
}

impl Process<Scene> for Member {
    fn found(&self, report: &Report<Step>) {
        let reported = Reported::of(&self.scene, report);
        tell(&Message::Found(Box::new(reported)));
        self.has_found.store(true, Relaxed);
    }

    fn fail(&self, what: &str) -> ! {
        tell(&Message::Failed(what.to_owned()));
        exit(Exit::Internal as i32);
    }

    fn kept(&self, shard: usize) -> Option<(u64, Saved, Box<dyn Read>)> {
        let kept = self.shelf.kept(shard).unwrap_or_else(|why| refuse(why));
        kept.map(|(number, saved, states)| (number, saved, Box::new(states) as Box<dyn Read>))
    }

    fn refuse(&self, shard: usize, why: Stale) -> ! {
        refuse(self.shelf.refuse(shard, why))
    }

    fn keeps(&self) -> bool {
        self.shelf.keeps()
    }

    fn keep(&self, shard: usize, number: u64, so_far: &mut SoFar<'_>) {
        self.shelf.keep(shard, number, so_far);
    }
}

/// It cannot take part, and all end.
fn refuse(why: String) -> ! {
    tell(&Message::Refused(why));
    exit(Exit::Usage as i32);
}

/// Ends the search when that is wanted, and the process when nobody is there to want anything.
fn obey(control: &Control) {
    while let Some(word) = hear::<String>() {
        if word == "stop" {
            control.interrupt.store(true, Relaxed);
        }
    }
    exit(Exit::Inconclusive as i32);
}

/// A line from whoever started it.
fn hear<T: serde::de::DeserializeOwned>() -> Option<T> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

/// One message at a time, and none cut short by the end of the process.
static TELLING: Mutex<()> = Mutex::new(());

/// A line to whoever started it.
fn tell(message: &Message) {
    let _one = TELLING.lock();
    if let Ok(line) = serde_json::to_string(message) {
        let mut out = std::io::stdout().lock();
        // Whoever does not listen any more does not need to hear it.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

fn tell_counts(control: &Control, shelf: &Shelf) {
    let mut last = Counts::default();
    loop {
        let count = |number: &AtomicU64| number.load(Relaxed);
        let counts = Counts {
            states: count(&control.states),
            transitions: count(&control.transitions),
            frontier: count(&control.frontier),
            depth: count(&control.depth),
        };
        if counts != last {
            tell(&Message::Covered(counts));
            last = counts;
        }
        shelf.look(control);
        thread::sleep(TELL);
    }
}
