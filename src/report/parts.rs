//! What the parts of a world are called that a step touched.

use model::world::{Part, World};

/// The names of these parts: those of `after`, and of `before` what is gone.
pub fn names(before: &World, after: &World, parts: u64) -> Vec<String> {
    if parts == u64::MAX {
        return vec!["everything".to_owned()];
    }
    let mut named = all(after);
    for gone in all(before) {
        if !named.contains(&gone) {
            named.push(gone);
        }
    }
    let touched = named.into_iter().filter(|(bit, _)| parts & bit != 0);
    touched.map(|(_, name)| name).collect()
}

/// Every part that there is, with its bit.
fn all(world: &World) -> Vec<(u64, String)> {
    let mut parts = vec![
        (Part::Monitor, "the monitor".to_owned()),
        (Part::Main, "the main loop".to_owned()),
        (Part::Outbox, "the outbox".to_owned()),
        (Part::Directory, "the image folder".to_owned()),
    ];
    let nodes = world.node_indices();
    parts.extend(nodes.map(|ix| (Part::Node(ix), format!("node {}", world.node(ix).name))));
    for (name, file) in world.directory().iter() {
        let name = name.strip_prefix("$DIR/").unwrap_or(name);
        parts.push((Part::File(file), format!("file {name}")));
    }
    for job in world.job_indices() {
        let id = &world.job(job).id;
        parts.push((Part::Copy(job), format!("copy of {id}")));
        parts.push((Part::Job(job), format!("job {id}")));
    }
    let guests = world.guest_indices();
    parts.extend(guests.map(|ix| (Part::Guest(ix), world.guest(ix).name.to_string())));
    for context in world.context_indices() {
        let name = world.context(context).name.as_deref();
        parts.push((
            Part::Context(context),
            name.unwrap_or("iothread").to_owned(),
        ));
    }
    parts.push((Part::Graph, "the graph".to_owned()));
    let bit = |(part, name): (Part, String)| (part.bit(), name);
    parts.into_iter().map(bit).collect()
}
