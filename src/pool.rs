//! Many small pieces of independent work on a few threads, their results in order.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

/// Does `work` for every number below `count`, and gives the results to `take` in the order of the numbers, whoever
/// has finished first. When `take` says `false`, no more work is begun, and no more results are taken.
pub fn in_order<T: Send>(
    workers: NonZeroUsize,
    count: usize,
    work: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(usize, T) -> bool,
) {
    let (next, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (results, inbox) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..workers.get().min(count) {
            let results = results.clone();
            let (next, ended, work) = (&next, &ended, &work);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= count || ended.load(Relaxed) {
                        return;
                    }
                    if results.send((number, work(number))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        let (mut waiting, mut due) = (BTreeMap::new(), 0);
        for (number, result) in inbox {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&due)
                && !ended.load(Relaxed)
            {
                if !take(due, result) {
                    ended.store(true, Relaxed);
                }
                due += 1;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_stop_when_told() {
        for workers in [1, 2, 5] {
            let workers = NonZeroUsize::new(workers).expect("not zero");
            let mut taken = Vec::new();
            in_order(
                workers,
                100,
                |number| number * number,
                |number, square| {
                    taken.push((number, square));
                    number < 41
                },
            );
            let expected: Vec<_> = (0..=41).map(|number| (number, number * number)).collect();
            assert_eq!(taken, expected);
        }
    }
}
