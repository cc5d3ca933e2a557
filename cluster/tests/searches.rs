//! Workers and processes find what one worker finds. The processes are threads of this one, with real connections.

use cluster::{Greeting, Process, Refusal, join, search};
use sim::parts::Parts;
use sim::search::{Control, Options, Report, search as search_alone};
use sim::toys::{GroupedBackup, TwoPhaseCommit};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

fn options(jobs: usize) -> Options {
    Options {
        jobs: NonZeroUsize::new(jobs).unwrap(),
        ..Options::default()
    }
}

fn greeting(process: usize, processes: usize) -> Greeting {
    Greeting {
        format: 1,
        version: "0.1.0".into(),
        content: "a story".into(),
        options: String::new(),
        processes,
        jobs: 1,
        process,
        kept: vec![2, 3],
        lifeline: false,
    }
}

/// A process that waits for nothing but the report.
struct Told<S: Parts>(Arc<Mutex<Vec<Report<S::Step>>>>);

impl<S: Parts> Process<S> for Told<S>
where
    S::Step: Send,
{
    fn found(&self, report: &Report<S::Step>) {
        self.0.lock().unwrap().push(report.clone());
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{what}")
    }
}

fn listeners(count: usize) -> (Vec<TcpListener>, Vec<String>) {
    let listeners: Vec<_> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let hosts = listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().to_string())
        .collect();
    (listeners, hosts)
}

/// Searches in so many processes with so many workers each.
fn spread<S>(system: &Arc<S>, processes: usize, jobs: usize) -> Report<S::Step>
where
    S: Parts + Send + Sync + 'static,
{
    let (listeners, hosts) = listeners(processes);
    let reports = Arc::new(Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for (process, listener) in listeners.iter().enumerate() {
            let (hosts, reports) = (&hosts, Arc::clone(&reports));
            scope.spawn(move || {
                let sockets = match processes {
                    1 => Vec::new(),
                    _ => {
                        let greeting = greeting(process, processes);
                        join(&greeting, hosts, listener, LONG, &mut |what| {
                            panic!("{what}")
                        })
                        .unwrap()
                        .sockets
                    }
                };
                let control = Arc::new(Control::default());
                let told = Arc::new(Told::<S>(reports));
                search(system, &options(jobs), sockets, &control, told).unwrap();
            });
        }
    });
    let reports = std::mem::take(&mut *reports.lock().unwrap());
    assert_eq!(reports.len(), processes);
    let first = format!("{:?}", reports[0]);
    assert!(reports.iter().all(|report| format!("{report:?}") == first));
    reports.into_iter().next().unwrap()
}

fn assert_same<S>(system: S)
where
    S: Parts + Send + Sync + 'static,
{
    let system = Arc::new(system);
    let alone = search_alone(&*system, &options(1), &Control::default());
    for (processes, jobs) in [(1, 1), (1, 3), (2, 1), (2, 2), (4, 1)] {
        let spread = spread(&system, processes, jobs);
        let counts = |report: &Report<S::Step>| {
            (
                [report.states, report.transitions, report.resting],
                report.layers.clone(),
                report.witnessed,
            )
        };
        assert_eq!(counts(&spread), counts(&alone), "{processes} × {jobs}");
        assert_eq!(spread.verdict, alone.verdict, "{processes} × {jobs}");
    }
}

#[test]
fn a_protocol_is_searched_alike_by_workers_and_processes() {
    assert_same(TwoPhaseCommit {
        resource_managers: 4,
    });
}

#[test]
fn a_broken_promise_is_shown_by_the_same_schedule() {
    assert_same("2,2,1,1,1,bug".parse::<GroupedBackup>().unwrap());
}

#[test]
fn who_does_not_come_is_named_in_time() {
    let (listeners, hosts) = listeners(2);
    let started = Instant::now();
    let refusal = join(
        &greeting(0, 2),
        &hosts,
        &listeners[0],
        Duration::from_millis(300),
        &mut |_| {},
    )
    .unwrap_err();
    let said = format!(
        "process 1 at {} did not come within 300ms: is it started, with the same hosts?",
        hosts[1]
    );
    assert_eq!(refusal, Refusal::Missing(said));
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Joins two that greet like that, and returns what each was told.
fn told(first: &Greeting, second: &Greeting) -> [String; 2] {
    let (listeners, hosts) = listeners(2);
    let both = [first, second];
    thread::scope(|scope| {
        let threads = [0, 1].map(|process| {
            let (hosts, listener, greeting) = (&hosts, &listeners[process], both[process]);
            let join = move || {
                join(greeting, hosts, listener, LONG, &mut |what| {
                    panic!("{what}")
                })
            };
            scope.spawn(join)
        });
        threads.map(|thread| match thread.join().unwrap() {
            Ok(_) => "joined".to_owned(),
            Err(refusal) => {
                let said = refusal.to_string();
                let port = said.find("127.0.0.1:").map(|at| at + "127.0.0.1:".len());
                match port {
                    None => said,
                    Some(at) => {
                        let digits = said[at..].bytes().take_while(u8::is_ascii_digit).count();
                        format!("{}PORT{}", &said[..at], &said[at + digits..])
                    }
                }
            }
        })
    })
}

#[test]
fn who_searches_something_else_is_told_so_on_both_sides() {
    let one = greeting(0, 2);
    let two = greeting(1, 2);
    assert_eq!(told(&one, &two), ["joined", "joined"]);
    let other = Greeting {
        version: "0.2.0".into(),
        ..two.clone()
    };
    assert_eq!(
        told(&one, &other),
        [
            "process 1, from 127.0.0.1:PORT, has another blockrace: 0.2.0 there, 0.1.0 here",
            "process 0 at 127.0.0.1:PORT has another blockrace: 0.1.0 there, 0.2.0 here",
        ]
    );
    let other = Greeting {
        content: "another story".into(),
        ..two.clone()
    };
    assert!(told(&one, &other)[0].contains("another scenario"));
    let other = Greeting { jobs: 2, ..two };
    assert!(told(&one, &other)[1].contains("other --jobs: 1 there, 2 here"));
}

#[test]
fn garbage_is_sent_away_and_the_others_are_waited_for() {
    let (listeners, hosts) = listeners(2);
    let noted = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            let mut note = |what| noted.lock().unwrap().push(what);
            join(&greeting(0, 2), &hosts, &listeners[0], LONG, &mut note)
        });
        let garbage: [&[u8]; 4] = [
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &[0xff; 4096],
            b"blockrace cluster\n\xff\xff\xff\xff",
            b"blockrace cluster\n\0\0\0\x02{]",
        ];
        for bytes in garbage {
            let mut stranger = TcpStream::connect(&hosts[0]).unwrap();
            let _ = stranger.write_all(bytes);
            // It is sent away, and hears nothing that was not for it.
            let mut heard = Vec::new();
            let _ = stranger.read_to_end(&mut heard);
            assert!(heard.is_empty(), "{heard:?}");
        }
        let second = join(&greeting(1, 2), &hosts, &listeners[1], LONG, &mut |_| {});
        assert!(second.is_ok() && first.join().unwrap().is_ok());
    });
    let noted = noted.into_inner().unwrap();
    assert_eq!(noted.len(), 4);
    for (note, why) in noted.iter().zip([
        "it does not say that it is a blockrace",
        "it does not say that it is a blockrace",
        "its greeting is too long",
        "its greeting cannot be read",
    ]) {
        assert!(
            note.contains("was sent away: ") && note.contains(why),
            "{note}"
        );
    }
}
