//! Injected faults: the rules of a blkdebug layer, and which I/O they hit.
//!
//! A format node announces *events* to the blkdebug node under it; an event arms rules; a following I/O is hit.
//! The state lives in the node it belongs to ([`crate::node::Node::blkdebug`]).
//! QEMU: `block/blkdebug.c`, under the driver's own lock.

use crate::error::Errno;

/// What an I/O does, as a rule's `iotype` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IoType {
    /// `read`
    Read,
    /// `write`
    Write,
    /// `write-zeroes`
    WriteZeroes,
    /// `discard`
    Discard,
    /// `flush`
    Flush,
    /// `block-status`
    BlockStatus,
}

impl IoType {
    /// Every type, as QEMU's schema lists them.
    pub const ALL: [IoType; 6] = [
        IoType::Read,
        IoType::Write,
        IoType::WriteZeroes,
        IoType::Discard,
        IoType::Flush,
        IoType::BlockStatus,
    ];

    /// The word in a rule.
    pub fn name(self) -> &'static str {
        match self {
            IoType::Read => "read",
            IoType::Write => "write",
            IoType::WriteZeroes => "write-zeroes",
            IoType::Discard => "discard",
            IoType::Flush => "flush",
            IoType::BlockStatus => "block-status",
        }
    }
}

/// Every event name a rule may wait for (QEMU's `BlkdebugEvent`).
pub const EVENTS: [&str; 48] = [
    "l1_update",
    "l1_grow_alloc_table",
    "l1_grow_write_table",
    "l1_grow_activate_table",
    "l2_load",
    "l2_update",
    "l2_update_compressed",
    "l2_alloc_cow_read",
    "l2_alloc_write",
    "read_aio",
    "read_backing_aio",
    "read_compressed",
    "write_aio",
    "write_compressed",
    "vmstate_load",
    "vmstate_save",
    "cow_read",
    "cow_write",
    "reftable_load",
    "reftable_grow",
    "reftable_update",
    "refblock_load",
    "refblock_update",
    "refblock_update_part",
    "refblock_alloc",
    "refblock_alloc_hookup",
    "refblock_alloc_write",
    "refblock_alloc_write_blocks",
    "refblock_alloc_write_table",
    "refblock_alloc_switch_table",
    "cluster_alloc",
    "cluster_alloc_bytes",
    "cluster_free",
    "flush_to_os",
    "flush_to_disk",
    "pwritev_rmw_head",
    "pwritev_rmw_after_head",
    "pwritev_rmw_tail",
    "pwritev_rmw_after_tail",
    "pwritev",
    "pwritev_zero",
    "pwritev_done",
    "empty_image_prepare",
    "l1_shrink_write_table",
    "l1_shrink_free_l2_clusters",
    "cor_write",
    "cluster_alloc_space",
    "none",
];

/// One `inject-error` rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InjectError {
    /// The event that arms it, an index into [`EVENTS`].
    pub event: u8,
    /// The state it needs; 0 is any.
    pub state: u32,
    /// What the I/O fails with.
    pub errno: Errno,
    /// The byte it must touch (sector × 512), if not any.
    pub at: Option<u64>,
    /// Gone for good after one hit.
    pub once: bool,
    /// The failure comes at once, not one hop later.
    pub immediately: bool,
    /// The I/O it hits, a set of [`IoType`].
    pub iotypes: Vec<IoType>,
}

/// One `set-state` rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetState {
    /// The event, an index into [`EVENTS`].
    pub event: u8,
    /// The state it needs; 0 is any.
    pub state: u32,
    /// The state afterwards.
    pub new_state: u32,
}

/// A blkdebug layer: its rules and its state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Blkdebug {
    state: u32,
    set_state: Vec<SetState>,
    inject_error: Vec<Option<InjectError>>,
    /// Rules armed by the last event that armed any: indices into `inject_error`, first configured first.
    armed: Vec<u8>,
}

/// A fault that hits one I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// What the I/O fails with.
    pub errno: Errno,
    /// The failure comes at once, not one hop later.
    pub immediately: bool,
    /// The rule stays: the next such I/O fails too.
    pub stays: bool,
}

/// The number of an event's name, for rules.
pub fn event_number(name: &str) -> Option<u8> {
    EVENTS
        .iter()
        .position(|event| *event == name)
        .map(|at| at as u8)
}

impl Blkdebug {
    /// A fresh layer in state 1; opening it announces the pseudo-event `none`.
    pub fn new(set_state: Vec<SetState>, inject_error: Vec<InjectError>) -> Blkdebug {
        let mut layer = Blkdebug {
            state: 1,
            set_state,
            inject_error: inject_error.into_iter().map(Some).collect(),
            armed: Vec::new(),
        };
        layer.announce("none");
        layer
    }

    /// An event fires: `blkdebug_debug_event`. States are compared with the state before the event.
    pub fn announce(&mut self, event: &str) {
        let event = event_number(event).expect("internal: an event QEMU does not have");
        let state = self.state;
        let matches = |rule_event: u8, rule_state: u32| {
            rule_event == event && (rule_state == 0 || rule_state == state)
        };
        let arms = |rule: &Option<InjectError>| {
            rule.as_ref()
                .is_some_and(|rule| matches(rule.event, rule.state))
        };
        if self.inject_error.iter().any(arms) {
            self.armed = (0..self.inject_error.len() as u8)
                .filter(|&index| arms(&self.inject_error[index as usize]))
                .collect();
        }
        if let Some(rule) = self
            .set_state
            .iter()
            .find(|rule| matches(rule.event, rule.state))
        {
            self.state = rule.new_state;
        }
    }

    /// Does nothing happen, in the present state, however often that event fires and I/O follows?
    pub fn ignores(&self, event: &str) -> bool {
        self.is_disarmed() && self.is_deaf_to(event)
    }

    /// Can no I/O fail before the next event?
    pub fn is_disarmed(&self) -> bool {
        self.armed.is_empty()
    }

    /// Does that event change nothing in the present state?
    pub fn is_deaf_to(&self, event: &str) -> bool {
        let event = event_number(event).expect("internal: an event QEMU does not have");
        let matches = |rule_event: u8, rule_state: u32| {
            rule_event == event && (rule_state == 0 || rule_state == self.state)
        };
        !self
            .inject_error
            .iter()
            .flatten()
            .any(|rule| matches(rule.event, rule.state))
            && !self
                .set_state
                .iter()
                .any(|rule| matches(rule.event, rule.state))
    }

    /// An I/O reaches the layer: `rule_check`. A rule that hits once is deleted here.
    pub fn hit(&mut self, io: IoType, range: &std::ops::Range<u64>) -> Option<Fault> {
        let at = self.armed.iter().position(|&index| {
            self.inject_error[index as usize]
                .as_ref()
                .is_some_and(|rule| {
                    rule.iotypes.contains(&io) && rule.at.is_none_or(|byte| range.contains(&byte))
                })
        })?;
        let index = self.armed[at] as usize;
        let rule = self.inject_error[index].as_ref()?;
        if rule.errno.number() == 0 {
            return None;
        }
        let fault = Fault {
            errno: rule.errno,
            immediately: rule.immediately,
            stays: !rule.once,
        };
        if rule.once {
            self.inject_error[index] = None;
            self.armed.remove(at);
        }
        Some(fault)
    }
}
