//! Where in a log a QEMU begins and ends.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Message, Said, version_in};

/// Cuts a monitor's messages where somebody connected anew, where QEMU had ended, and where a node was added that
/// was there already, so that another QEMU must have been started unsaid.
pub fn split(messages: &[Message]) -> Vec<Vec<Message>> {
    let mut sessions: Vec<Vec<Message>> = vec![Vec::new()];
    let (mut ended, mut nodes) = (false, BTreeSet::new());
    for (index, message) in messages.iter().enumerate() {
        let begins = match &message.said {
            Said::Greeting(_) => true,
            Said::Command { execute, arguments } => {
                let succeeds = || succeeds(messages, index);
                ended
                    || execute == "blockdev-add"
                        && nodes.contains(&node_name(arguments))
                        && succeeds()
            }
            _ => false,
        };
        if begins {
            sessions.push(Vec::new());
            ended = false;
            nodes.clear();
        }
        match &message.said {
            Said::Event { event, .. } => ended |= event == "SHUTDOWN",
            Said::Command { execute, .. } if execute == "quit" => ended = true,
            Said::Command { execute, arguments }
                if execute == "blockdev-add" && succeeds(messages, index) =>
            {
                nodes.insert(node_name(arguments));
            }
            Said::Command { execute, arguments } if execute == "blockdev-del" => {
                nodes.remove(&node_name(arguments));
            }
            _ => {}
        }
        let session = sessions.last_mut().expect("internal: there is always one");
        session.push(message.clone());
    }
    sessions.retain(|session| {
        session
            .iter()
            .any(|message| !matches!(message.said, Said::Greeting(_)))
    });
    sessions
}

fn node_name(arguments: &Value) -> Option<String> {
    Some(arguments.get("node-name")?.as_str()?.to_owned())
}

/// Is the next reply one of success?
fn succeeds(messages: &[Message], index: usize) -> bool {
    let reply = messages[index + 1..]
        .iter()
        .find_map(|message| match &message.said {
            Said::Reply(reply) => Some(reply),
            _ => None,
        });
    reply.is_some_and(|reply| reply.get("return").is_some())
}

/// The version of QEMU, by its greeting or by what `query-version` returned.
pub fn version(messages: &[Message]) -> Option<String> {
    messages.iter().find_map(|message| match &message.said {
        Said::Greeting(version) => version.clone(),
        Said::Reply(reply) => version_in(reply.get("return")?),
        _ => None,
    })
}
