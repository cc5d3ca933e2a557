//! What a checkpoint is bound to, each part by itself, so that a refusal can say which of them is another one now.

use serde::{Deserialize, Serialize};
use sim::hash::fingerprint_of;

use crate::stage::Loaded;
use crate::version::VERSION;

/// What a checkpoint is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound(Vec<Part>);

/// One part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    name: String,
    /// What it is, or the hash of that.
    value: String,
    is_hash: bool,
}

impl Bound {
    /// To the rules of this program.
    pub fn to_rules() -> Bound {
        Bound(vec![Part {
            name: "the version of blockrace".to_owned(),
            value: VERSION.to_owned(),
            is_hash: false,
        }])
    }

    /// And to the content of a story.
    pub fn story(self, loaded: &Loaded) -> Bound {
        let text = scenarios::load::text_of(&loaded.name);
        let text = text.unwrap_or_else(|| loaded.story.to_string());
        self.content(&format!("the scenario {}", loaded.name), &text)
    }

    /// And to something long.
    pub fn content(mut self, name: &str, text: &str) -> Bound {
        self.0.push(Part {
            name: name.to_owned(),
            value: format!("{:032x}", fingerprint_of(&text)),
            is_hash: true,
        });
        self
    }

    /// And to something short, such as what an option says.
    pub fn option(mut self, name: &str, value: impl ToString) -> Bound {
        self.0.push(Part {
            name: name.to_owned(),
            value: value.to_string(),
            is_hash: false,
        });
        self
    }

    /// What differs between what a checkpoint was bound to, and what is there `now`.
    pub fn difference(&self, now: &Bound) -> Option<String> {
        let of = |bound: &Bound, name: &str| bound.0.iter().find(|part| part.name == name).cloned();
        for part in &now.0 {
            match of(self, &part.name) {
                Some(before) if before == *part => {}
                Some(before) if !part.is_hash => {
                    return Some(format!(
                        "{} was {}, and is {} now",
                        part.name, before.value, part.value
                    ));
                }
                Some(_) => return Some(format!("{} is not what it was", part.name)),
                None => return Some(format!("{} is new", part.name)),
            }
        }
        let gone = self.0.iter().find(|part| of(now, &part.name).is_none());
        gone.map(|part| format!("{} is not there any more", part.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_which() {
        let before = Bound::to_rules()
            .option("--root", 7)
            .content("the scenario s", "a");
        let check = |now: Bound, expected: Option<&str>| {
            assert_eq!(before.difference(&now).as_deref(), expected);
        };
        let same = || Bound::to_rules().option("--root", 7);
        check(before.clone(), None);
        check(
            Bound::to_rules()
                .option("--root", 8)
                .content("the scenario s", "a"),
            Some("--root was 7, and is 8 now"),
        );
        check(
            same().content("the scenario s", "b"),
            Some("the scenario s is not what it was"),
        );
        check(
            same().content("the scenario t", "a"),
            Some("the scenario t is new"),
        );
        check(same(), Some("the scenario s is not there any more"));
    }
}
