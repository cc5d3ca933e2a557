//! How fast stories are played: runs/s and steps/s, one worker, random schedules; the stories of iotest 124 and the
//! two largest of the small ones.
//!
//! `cargo bench --bench runs` prints both: the time of one run, and as throughput the steps per second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use model::dialect::QEMU_10_0;
use scenarios::load::{self, SHIPPED};
use scenarios::scene::Scene;
use scenarios::script::Script;
use sim::run::Runner;
use sim::seed::run_seed;
use sim::strategy::{Random, Strategy};

/// The largest of the small stories.
const LARGEST: [&str; 2] = [
    "iothreads/three-drives-three-threads",
    "iothreads/group-across-two-iothreads",
];

fn is_measured(name: &str) -> bool {
    name.starts_with("iotest-124/") || LARGEST.contains(&name)
}

fn runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("runs");
    for (name, text) in SHIPPED.iter().filter(|(name, _)| is_measured(name)) {
        let story = load::parse(name, text).expect("shipped scenarios load");
        let script = Script::of_story(&story, name, &QEMU_10_0).expect("shipped scenarios compile");
        let scene = Scene::new(script);
        let mut runner = Runner::new(&scene);
        let mut strategy: Box<dyn Strategy> = Box::new(Random::default());
        let steps = runner.run(&mut *strategy, run_seed(0, 0), &mut ()).steps;
        group.throughput(Throughput::Elements(steps));
        let mut index = 0;
        group.bench_function(name.rsplit('/').next().unwrap_or(name), |bencher| {
            bencher.iter(|| {
                index += 1;
                black_box(
                    runner
                        .run(&mut *strategy, run_seed(0, index), &mut ())
                        .trace,
                )
            });
        });
    }
    group.finish();
}

criterion_group!(benches, runs);
criterion_main!(benches);
