//! What is in a bitmap after a backup: the table of `docs/bitmaps-after-a-backup.md`, made of the stories in
//! `scenarios/modes/` by looking at all their interleavings.
//!
//! `UPDATE_TABLE=1 cargo test -p scenarios --test modes` writes the tables in that file anew.

mod common;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use common::{on_two_threads, stage};
use model::dialect::DIALECTS;
use model::event::Reply;
use model::file::File;
use model::image::{Allocation, Cell, Fill};
use model::node::NodeKind;
use model::world::World;
use scenarios::line::Line;
use scenarios::load::SHIPPED;
use scenarios::scene::{Moment, Scene};
use sim::System;

/// The stories, in the table's order: what is copied, and the bitmap's mode.
const ROWS: [(&str, &str); 8] = [
    ("incremental", "on-success"),
    ("bitmap", "on-success"),
    ("bitmap", "never"),
    ("bitmap", "always"),
    ("full", "on-success"),
    ("full", "always"),
    ("top", "on-success"),
    ("top", "always"),
];

/// The ends in each story, by the name of the target's file, and what the table calls them.
const ENDS: [(&str, &str); 6] = [
    ("success", "success"),
    ("failed", "failure"),
    ("cancelled", "cancel"),
    ("cancelled-by-force", "cancel with force"),
    (
        "cancelled-while-stopped",
        "cancel with force of a stopped job",
    ),
    ("sibling-failed", "a sibling failed"),
];

const CLUSTER: u64 = 65536;

/// What the guest writes while the job runs.
const MEANWHILE: Fill = Fill(0x33);

/// The clusters that are dirty before the job, in every story.
const BEFORE: [u64; 7] = [0, 1, 4, 5, 8, 11, 12];

type Clusters = BTreeSet<u64>;

/// One way in which a backup may have come to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct After {
    /// What of the disk the job was to copy.
    scope: Clusters,
    /// What it has copied, the guest's saved clusters included.
    copied: Clusters,
    /// What the guest has written while it ran.
    written: Clusters,
    /// What is in the bitmap.
    marked: Clusters,
}

/// The number of clusters of a file.
fn clusters(file: &File) -> std::ops::Range<u64> {
    0..file.image.length / CLUSTER
}

fn allocated(file: &File) -> Clusters {
    let is_data = |cluster: &u64| {
        let start = cluster * CLUSTER;
        file.image.allocation(start, start + CLUSTER).0 == Allocation::Data
    };
    clusters(file).filter(is_data).collect()
}

fn holding(file: &File, fill: Fill) -> Clusters {
    let held = |cluster: &u64| {
        let start = cluster * CLUSTER;
        let mut cells = file.image.cells().over(start..start + CLUSTER);
        cells.all(|(_, cell)| cell == Some(Cell::Data(fill)))
    };
    clusters(file).filter(held).collect()
}

/// The file of an image node.
fn file_of<'w>(world: &'w World, node: &str) -> (&'w str, &'w File) {
    let index = world.find_drive(node).or_else(|| world.find_node(node));
    let index = index.unwrap_or_else(|| panic!("there is no {node}"));
    match &world.node(index).kind {
        NodeKind::Image { chain, file } => (file, world.file(chain[0])),
        NodeKind::Filter { .. } => panic!("{node} is below a filter"),
    }
}

/// The end that the target's name says, and what it has left.
fn after(world: &World, sync: &str) -> (&'static str, After) {
    let (target, copies) = file_of(world, "target0");
    let (_, source) = file_of(world, "drive0");
    let end = ENDS
        .iter()
        .find(|(file, _)| format!("$DIR/{file}.qcow2") == target);
    let (end, _) = end.unwrap_or_else(|| panic!("{target} is no target"));
    let drive = world.find_drive("drive0").expect("it is there");
    let bitmap = world.node(drive).bitmap("bitmap0").expect("it is there");
    let marked = clusters(source).filter(|cluster| bitmap.is_dirty(cluster * CLUSTER));
    let scope = match sync {
        "full" => clusters(source).collect(),
        "top" => allocated(source),
        _ => Clusters::from(BEFORE),
    };
    let left = After {
        scope,
        copied: allocated(copies),
        written: holding(source, MEANWHILE),
        marked: marked.collect(),
    };
    (end, left)
}

/// All moments of a scene at which it shows the bitmaps: every interleaving, each state once.
fn every_showing(scene: &Scene, mut shown: impl FnMut(&Moment)) {
    let mut known = HashSet::new();
    let mut open = vec![scene.initial()];
    let (mut steps, mut seen) = (Vec::new(), Vec::new());
    while let Some(moment) = open.pop() {
        scene.enabled(&moment, &mut steps);
        for step in steps.clone() {
            let mut next = moment.clone();
            seen.clear();
            scene.apply(&mut next, step, &mut seen);
            scene.judge(&next, false).expect("no promise is broken");
            if seen.iter().any(|line| matches!(line, Line::Bitmaps(_))) {
                shown(&next);
            }
            if known.insert(scene.fingerprint(&next)) {
                open.push(next);
            }
        }
    }
}

/// What each end of a story may leave behind.
fn look(sync: &str, mode: &str) -> BTreeMap<&'static str, BTreeSet<After>> {
    let name = format!("modes/{sync}-{mode}");
    let (name, text) = (SHIPPED.iter())
        .find(|(shipped, _)| *shipped == name)
        .unwrap_or_else(|| panic!("no story {name}"));
    let mut found = BTreeMap::new();
    for dialect in DIALECTS {
        let mut of_dialect: BTreeMap<_, BTreeSet<After>> = BTreeMap::new();
        every_showing(&stage(name, text, dialect).scene, |moment| {
            let (end, left) = after(&moment.world, sync);
            of_dialect.entry(end).or_default().insert(left);
        });
        if found.is_empty() {
            found = of_dialect;
        } else {
            assert!(found == of_dialect, "{name}: releases differ");
        }
    }
    found
}

/// One sign for some clusters after a backup: all marked, none, or there are no such clusters.
fn sign(cases: &BTreeSet<After>, which: impl Fn(&After) -> Clusters) -> &'static str {
    let (mut marked, mut clear) = (false, false);
    for after in cases {
        for cluster in which(after) {
            if after.written.contains(&cluster) {
                continue;
            }
            if after.marked.contains(&cluster) {
                marked = true;
            } else {
                clear = true;
            }
        }
    }
    match (marked, clear) {
        (true, false) => "marked",
        (false, true) => "clear",
        (true, true) => "**either**",
        (false, false) => "–",
    }
}

/// In words that hold for each of the cases what the bitmap holds.
fn words(cases: &BTreeSet<After>) -> &'static str {
    let before = Clusters::from(BEFORE);
    let with = |what: &Clusters, after: &After| -> Clusters { what | &after.written };
    let holds = |means: &dyn Fn(&After) -> Clusters| {
        cases
            .iter()
            .all(|after| with(&means(after), after) == after.marked)
    };
    if holds(&|_| Clusters::new()) {
        "only what the guest wrote meanwhile"
    } else if holds(&|_| before.clone()) {
        "all as before, and what the guest wrote meanwhile"
    } else if holds(&|after| &before - &after.copied) {
        "what was marked and is not copied, and what the guest wrote meanwhile"
    } else if holds(&|after| &after.scope - &after.copied) {
        "all that was to be copied and is not, **marked before or not**, and what the guest wrote meanwhile"
    } else {
        "**nothing that can be said in a few words**"
    }
}

/// The cells of a row: what becomes of which clusters, and that in words.
fn cells(cases: &BTreeSet<After>) -> String {
    let before = Clusters::from(BEFORE);
    let copied = sign(cases, |after| &before & &after.copied);
    let uncopied = sign(cases, |after| &before - &after.copied);
    let new_copied = sign(cases, |after| &after.copied - &before);
    let elsewhere = sign(cases, |after| &(&after.scope - &before) - &after.copied);
    let words = words(cases);
    format!("{copied} | {uncopied} | {new_copied} | {elsewhere} | {words}")
}

/// The table of what is left. Ends that leave the same share a row.
fn table() -> String {
    let rows = on_two_threads(&ROWS, |(sync, mode)| {
        let found = look(sync, mode);
        let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
        for (end, called) in ENDS {
            let cases = &found[end];
            let marked = |after: &After| after.written.is_subset(&after.marked);
            assert!(
                cases.iter().all(marked),
                "{sync} {mode} {end}: a write of the guest's is not marked"
            );
            let cells = cells(cases);
            match rows.iter_mut().find(|(other, _)| *other == cells) {
                Some((_, ends)) => ends.push(called),
                None => rows.push((cells, vec![called])),
            }
        }
        let row = |(cells, ends): (String, Vec<&str>)| {
            format!("| {sync} | {mode} | {} | {cells} |\n", ends.join(", "))
        };
        rows.into_iter().map(row).collect::<String>()
    });
    let head = "| `sync` | `bitmap-mode` | the job's end | marked, copied | marked, not copied | unmarked, copied \
                | unmarked, not copied | so the bitmap holds |\n|---|---|---|---|---|---|---|---|\n";
    format!("{head}{}", rows.concat())
}

/// The table of what is refused: from what QEMU answers in the one story of refusals.
fn refusals() -> String {
    let (name, text) = (SHIPPED.iter())
        .find(|(shipped, _)| *shipped == "modes/refused-combinations")
        .expect("it is shipped");
    let scene = stage(name, text, DIALECTS[0]).scene;
    let (mut moment, mut steps, mut seen) = (scene.initial(), Vec::new(), Vec::new());
    loop {
        scene.enabled(&moment, &mut steps);
        let Some(&step) = steps.first() else { break };
        scene.apply(&mut moment, step, &mut seen);
    }
    let mut table =
        "| `sync` | `bitmap` | `bitmap-mode` | the error |\n|---|---|---|---|\n".to_owned();
    let mut asked = None;
    for line in &seen {
        match line {
            Line::Cmd(command) => asked = Some(command["arguments"].clone()),
            Line::Reply {
                reply: Reply::Error(error),
                ..
            } => {
                let asked = asked.as_ref().expect("a command comes before its reply");
                let text = |key: &str| asked[key].as_str().unwrap_or("–");
                let bitmap = if asked["bitmap"].is_null() {
                    "–"
                } else {
                    "given"
                };
                let (sync, mode) = (text("sync"), text("bitmap-mode"));
                let _ = writeln!(table, "| {sync} | {bitmap} | {mode} | {} |", error.desc);
            }
            _ => {}
        }
    }
    table
}

/// Puts text between the two lines of a page that speak of it.
fn put(page: &str, what: &str, table: &str) -> String {
    let (begin, end) = (
        format!("<!-- {what}: begin -->\n"),
        format!("<!-- {what}: end -->"),
    );
    let from = page.find(&begin).expect("the page has the place") + begin.len();
    let to = page.find(&end).expect("the place has an end");
    format!("{}{table}{}", &page[..from], &page[to..])
}

#[test]
fn the_page_has_the_tables_of_the_stories() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/bitmaps-after-a-backup.md");
    let page = std::fs::read_to_string(&file).expect("the page is there");
    let (after, refused) = (table(), refusals());
    let fresh = put(&put(&page, "after", &after), "refused", &refused);
    if std::env::var_os("UPDATE_TABLE").is_some() {
        std::fs::write(&file, &fresh).expect("the page can be written");
    } else {
        assert!(
            fresh == page,
            "{} is not what the stories say; write it anew by\n    \
             UPDATE_TABLE=1 cargo test -p scenarios --test modes",
            file.display()
        );
    }
    insta::assert_snapshot!(format!("{after}\n{refused}"));
}
