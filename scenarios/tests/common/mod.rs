//! What several of these tests need: the shipped stories as scenes, and work done by two threads.

// Each test is a crate of its own, and none needs everything.
#![allow(dead_code)]

use std::sync::Mutex;
use std::thread;

use model::dialect::{DIALECTS, Dialect};
use scenarios::load::{self, SHIPPED};
use scenarios::scene::Scene;
use scenarios::script::Script;

/// A story, ready to be played by one dialect.
pub struct Stage {
    /// The story's name, without its folder.
    pub story: String,
    /// The dialect's name.
    pub dialect: &'static str,
    /// The scene.
    pub scene: Scene,
}

/// A text of a story on the stage of a dialect.
pub fn stage(name: &str, text: &str, dialect: &'static Dialect) -> Stage {
    let story = load::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
    let script = Script::of_story(&story, name, dialect)
        .unwrap_or_else(|error| panic!("{name}:{}: {}", error.line, error.what));
    let scene = Scene::new(script);
    Stage {
        story: story.name.clone(),
        dialect: dialect.name,
        scene,
    }
}

/// A story that shows a known defect holds in a repaired dialect only.
pub fn where_it_holds(name: &str, dialect: &'static Dialect) -> &'static Dialect {
    match name.starts_with("defects/") {
        true => dialect.fixed(),
        false => dialect,
    }
}

/// Every shipped story on the stage of every dialect, repaired where the story shows a defect.
pub fn shipped() -> Vec<Stage> {
    let each = |(name, text): &(&str, &str)| {
        DIALECTS.map(|dialect| stage(name, text, where_it_holds(name, dialect)))
    };
    SHIPPED.iter().flat_map(each).collect()
}

/// The stories of the seeds, which everybody knows, on the stage of every dialect.
pub fn iotest_124() -> Vec<Stage> {
    let each = |(name, text): &(&str, &str)| DIALECTS.map(|dialect| stage(name, text, dialect));
    let known = |(name, _): &&(&str, &str)| name.starts_with("iotest-124/");
    SHIPPED.iter().filter(known).flat_map(each).collect()
}

/// Does `work` on every item, by two threads, and returns what came of each, in the order of the items.
pub fn on_two_threads<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(0..items.len());
    let take = || {
        next.lock()
            .expect("no thread panics while it takes its next item")
            .next()
    };
    let thread = || {
        let mut done = Vec::new();
        while let Some(index) = take() {
            done.push((index, work(&items[index])));
        }
        done
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let threads = [scope.spawn(thread), scope.spawn(thread)];
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
