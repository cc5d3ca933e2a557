//! What `check` costs, story by story: `cargo bench --bench checks [-- NAME..]`.
//!
//! One worker, reduced, without the search for cycles. `remembered` is how often what an actor can do was known
//! already; `B/state` counts everything that the search holds.

use std::time::Instant;

use model::dialect::DIALECTS;
use scenarios::load::{self, SHIPPED};
use scenarios::scene::Scene;
use scenarios::script::Script;
use sim::search::{Control, Options, search};

fn main() {
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    println!("| story | QEMU | states | steps | states/s | steps/s | B/state | remembered |");
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    for (name, text) in SHIPPED {
        if !names.is_empty() && !names.iter().any(|wanted| name.contains(wanted.as_str())) {
            continue;
        }
        for dialect in DIALECTS {
            let story = load::parse(name, text).expect("shipped stories can be read");
            let script = Script::of_story(&story, name, dialect).expect("and played");
            let scene = Scene::new(script);
            let options = Options {
                cycles: false,
                ..Options::default()
            };
            let start = Instant::now();
            let report = search(&scene, &options, &Control::default());
            let seconds = start.elapsed().as_secs_f64();
            let (states, steps) = (report.states as f64, report.transitions as f64);
            let asked = (report.memo_hits + report.memo_misses) as f64;
            println!(
                "| {name} | {dialect} | {states} | {steps} | {:.0} | {:.0} | {:.0} | {:.1} % |",
                states / seconds,
                steps / seconds,
                report.bytes as f64 / states,
                100.0 * report.memo_hits as f64 / asked
            );
        }
    }
}
