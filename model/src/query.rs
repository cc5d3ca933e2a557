//! What queries answer: the fields QEMU shows of jobs, nodes and bitmaps.
//!
//! Only fields the model knows are there; where QEMU shows more (an image's host details), a comparison with a
//! recording asks only that ours agree.

use serde_json::{Map, Value, json};

use crate::bitmap::{Bitmap, Hold};
use crate::node::{Listed, NodeKind};
use crate::world::{NodeIx, World};

/// A command that only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// `query-jobs`
    Jobs,
    /// `query-block-jobs`
    BlockJobs,
    /// `query-block`
    Block,
    /// `query-named-block-nodes`
    NamedBlockNodes,
    /// The dirty bitmaps of every node that has any, by node name: what recordings keep of
    /// `query-named-block-nodes`.
    Bitmaps,
}

/// Answers a query.
pub fn answer(w: &World, query: Query) -> Value {
    match query {
        Query::Jobs => jobs(w),
        Query::BlockJobs => block_jobs(w),
        Query::Block => block(w),
        Query::NamedBlockNodes => {
            Value::Array(w.node_indices().map(|node| named_node(w, node)).collect())
        }
        Query::Bitmaps => bitmaps(w),
    }
}

fn jobs(w: &World) -> Value {
    let entry = |&index: &usize| {
        let (job, progress) = (w.job(index), w.copy(index).progress());
        let mut entry = json!({
            "current-progress": progress.current,
            "status": job.status.name(),
            "total-progress": progress.total,
            "type": "backup",
            "id": &*job.id,
        });
        if let Some(error) = &job.error {
            entry["error"] = json!(&**error);
        }
        entry
    };
    Value::Array(w.main().jobs.iter().map(entry).collect())
}

fn block_jobs(w: &World) -> Value {
    let entry = |&index: &usize| {
        let (job, progress) = (w.job(index), w.copy(index).progress());
        let mut entry = json!({
            "auto-finalize": job.auto_finalize,
            "io-status": job.iostatus.name(),
            "device": &*job.id,
            "auto-dismiss": job.auto_dismiss,
            "busy": job.busy,
            "len": progress.total,
            "offset": progress.current,
            "status": job.status.name(),
            "paused": job.pause_count > 0,
            "speed": job.speed,
            "ready": false,
            "type": "backup",
        });
        if let (Some(_), Some(error)) = (job.ret, &job.error) {
            entry["error"] = json!(&**error);
        }
        entry
    };
    Value::Array(w.main().jobs.iter().map(entry).collect())
}

/// One entry a drive, with what is inserted: its top node.
fn block(w: &World) -> Value {
    let drives = w.node_indices().filter_map(|node| {
        let drive = w.node(node).drive.clone()?;
        Some(json!({"device": &*drive, "inserted": named_node(w, w.top_of(node))}))
    });
    Value::Array(drives.collect())
}

fn named_node(w: &World, index: NodeIx) -> Value {
    let node = w.node(index);
    let mut entry = Map::new();
    entry.insert("node-name".into(), json!(&*node.name));
    match &node.kind {
        NodeKind::Image { chain, file } => {
            let image = &w.file(chain[0]).image;
            entry.insert("drv".into(), json!(image.format.to_string()));
            entry.insert("file".into(), json!(&**file));
            entry.insert("image".into(), json!({"virtual-size": image.length}));
        }
        NodeKind::Filter { .. } => {
            entry.insert("drv".into(), json!("copy-before-write"));
        }
    }
    if !node.listed.is_empty() {
        entry.insert("dirty-bitmaps".into(), bitmaps_of(w, index));
    }
    Value::Object(entry)
}

fn bitmaps(w: &World) -> Value {
    let mut nodes: Vec<_> = w
        .node_indices()
        .filter(|&node| !w.node(node).listed.is_empty())
        .map(|node| (w.node(node).name.to_string(), bitmaps_of(w, node)))
        .collect();
    nodes.sort_by(|a, b| a.0.cmp(&b.0));
    Value::Object(nodes.into_iter().collect())
}

/// A node's bitmaps, newest first, internal ones too.
fn bitmaps_of(w: &World, index: NodeIx) -> Value {
    let node = w.node(index);
    let entries = node.listed.iter().map(|listed| match listed {
        Listed::Bitmap(bitmap) => bitmap_entry(bitmap),
        Listed::Copy(job) => bitmap_entry(&w.copy(*job).dirty),
        Listed::Successor(name) => {
            let parent = node
                .bitmap(name)
                .expect("internal: a successor has a parent");
            match &parent.hold {
                Hold::Frozen { successor } => bitmap_entry(successor),
                _ => panic!("internal: bitmap {name} has no successor"),
            }
        }
    });
    Value::Array(entries.collect())
}

fn bitmap_entry(bitmap: &Bitmap) -> Value {
    let info = bitmap.info();
    let mut entry = Map::new();
    if let Some(name) = &info.name {
        entry.insert("name".into(), json!(&**name));
    }
    entry.insert("count".into(), json!(info.count));
    entry.insert("granularity".into(), json!(info.granularity));
    entry.insert("recording".into(), json!(info.recording));
    entry.insert("busy".into(), json!(info.busy));
    entry.insert("persistent".into(), json!(info.persistent));
    if info.inconsistent {
        entry.insert("inconsistent".into(), json!(true));
    }
    Value::Object(entry)
}

/// What releases before 6.0 showed as a bitmap's `status`, by node and bitmap name: stories may still ask.
pub fn bitmap_status(w: &World, node: &str, name: &str) -> Option<&'static str> {
    let node = w
        .node_indices()
        .find(|&index| &*w.node(index).name == node)?;
    Some(w.node(node).bitmap(name)?.status())
}
