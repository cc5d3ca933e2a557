//! The catalogues of the model, as tables and lists.

use model::defect::DEFECTS;
use model::dialect::DIALECTS;
use model::mutation::MUTATIONS;
use model::property::{PROPERTIES, WITNESSES};
use scenarios::recording::KINDS;
use sim::strategy::STRATEGIES;

use crate::markdown::{cell, row};

fn heading(names: &[&str]) -> String {
    row(names) + &row(&vec!["---"; names.len()])
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A link to the file of a shipped story.
fn story(name: &str) -> String {
    format!("[`{name}`](../../scenarios/{name}.yaml)")
}

/// A sentence, ended.
fn sentence(text: &str) -> String {
    let text = cell(text);
    if text.ends_with('.') {
        text
    } else {
        format!("{text}.")
    }
}

/// Every promise.
pub fn promises() -> String {
    let mut made = String::new();
    for promise in PROPERTIES {
        made += &format!("### {}\n\n{}\n\n", promise.id, sentence(promise.says));
        made += &format!("- kept by: {}\n", sentence(promise.kept_by));
        made += &format!("- checked: {}", promise.kind.word());
        if let Some(remark) = promise.kind.remark() {
            let word = if promise.kind.is_checked() {
                "except"
            } else {
                "because"
            };
            made += &format!("; {word}: {}", cell(remark));
        }
        made += "\n";
        let names = MUTATIONS.iter().filter(|bug| bug.breaks == promise.id);
        let names: Vec<String> = names.map(|bug| code(bug.name)).collect();
        if !names.is_empty() {
            made += &format!("- broken by the planted bugs: {}\n", names.join(", "));
        }
        let names = DEFECTS
            .iter()
            .filter(|defect| defect.breaks.contains(&promise.id));
        let names: Vec<String> = names.map(|defect| code(defect.name)).collect();
        if !names.is_empty() {
            made += &format!("- broken by QEMU's own defects: {}\n", names.join(", "));
        }
        made += "\n";
    }
    made
}

/// Every witness.
pub fn witnesses() -> String {
    let mut made = heading(&["witness", "what happened"]);
    for (id, says) in WITNESSES {
        made += &row(&[&code(id), &cell(says)]);
    }
    made
}

/// Every planted bug.
pub fn bugs() -> String {
    let mut made = heading(&["bug", "what goes wrong", "breaks", "story", "on record"]);
    for bug in MUTATIONS {
        made += &row(&[
            &format!("{} ({})", code(bug.name), bug.bug),
            &sentence(bug.what),
            &code(bug.breaks),
            &format!("{} in {}", story(bug.story), bug.dialect),
            &sentence(bug.reference),
        ]);
    }
    made
}

/// Every known defect.
pub fn defects() -> String {
    let mut made = String::new();
    for defect in DEFECTS {
        let lives = DIALECTS.iter().filter(|dialect| dialect.has(defect));
        let lives: Vec<&str> = lives.map(|dialect| dialect.name).collect();
        let breaks: Vec<String> = defect.breaks.iter().map(|id| code(id)).collect();
        let number = defect.id.strip_prefix("bug-").unwrap_or(defect.id);
        made += &format!(
            "### {} ({number})\n\n{}\n\n",
            defect.name,
            sentence(defect.says)
        );
        made += &format!(
            "- in QEMU {}: {}\n",
            lives.join(" and "),
            sentence(defect.place)
        );
        made += &format!(
            "- breaks {}; shown by {}\n",
            breaks.join(", "),
            story(defect.story)
        );
        made += &format!("- known: {}\n", sentence(defect.evidence));
        made += &format!("- repaired: {}\n\n", sentence(defect.repaired));
    }
    made
}

/// Every strategy.
pub fn strategies() -> String {
    let mut made = heading(&["strategy", "who is chosen"]);
    for strategy in STRATEGIES {
        made += &row(&[&code(strategy.name), &sentence(strategy.about)]);
    }
    made
}

/// Every kind of line of a recording.
pub fn line_kinds() -> String {
    let mut made = heading(&["`t`", "fields", "what it is"]);
    for kind in KINDS {
        let fields: Vec<String> = kind.fields.iter().map(|field| code(field)).collect();
        made += &row(&[&code(kind.name), &fields.join(", "), &sentence(kind.says)]);
    }
    made
}
