//! Where in a scenario's text something stands that is known by its path, such as `script[3].qmp.arguments.device`.
//!
//! A story keeps no places but the lines of its items. So the text is read once more when there is something to show,
//! as nothing but keys, lists and their places.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::error::Place;

/// The place of the key (or of its value) at the end of a path; if there is none, of the last one on the way to it.
pub(super) fn place_of(text: &str, path: &str, of_value: bool) -> Option<Place> {
    let root: Spanned<Tree> = serde_saphyr::from_str(text).ok()?;
    let (mut here, mut rest) = (&root, path);
    let mut place = None;
    while !rest.is_empty() {
        let Some((key, next, left)) = here.value.step(rest) else {
            break;
        };
        let value = Place::from(next.referenced);
        place = Some(if left.is_empty() && of_value {
            value
        } else {
            key.unwrap_or(value)
        });
        (here, rest) = (next, left);
    }
    place
}

/// A document, of which only its keys matter.
enum Tree {
    Leaf,
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl Tree {
    /// One step along a path: the place of the key, what stands there, and the rest of the path. Keys may have dots
    /// in them, so the longest key that fits is taken.
    fn step<'t, 'p>(
        &'t self,
        path: &'p str,
    ) -> Option<(Option<Place>, &'t Spanned<Tree>, &'p str)> {
        match self {
            Tree::Leaf => None,
            Tree::List(items) => {
                let (index, left) = path.strip_prefix('[')?.split_once(']')?;
                let item = items.get(index.parse::<usize>().ok()?)?;
                Some((None, item, left.strip_prefix('.').unwrap_or(left)))
            }
            Tree::Map(entries) => {
                let fits = entries.iter().filter_map(|(key, value)| {
                    let left = path.strip_prefix(key.value.as_str())?;
                    let is_whole = left.is_empty() || left.starts_with(['.', '[']);
                    is_whole.then(|| (key, value, left.strip_prefix('.').unwrap_or(left)))
                });
                let (key, value, left) = fits.max_by_key(|(key, ..)| key.value.len())?;
                Some((Some(key.referenced.into()), value, left))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Tree, D::Error> {
        input.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<Tree, D::Error> {
        Tree::deserialize(input)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
title: x
list: [a, bb]
script:
  - wait: {event: STOP}
  - qmp: {\"execute\": \"e\", \"arguments\": {\"a.b\": 1, \"a\": [{\"c\": ~}]}}
";

    #[test]
    fn keys_values_and_what_is_not_there() {
        let check = |path: &str, of_value, line, column| {
            let found = place_of(TEXT, path, of_value);
            assert_eq!(found, Some(Place { line, column }), "{path}");
        };
        check("title", false, 1, 1);
        check("title", true, 1, 8);
        check("list[1]", true, 2, 11);
        check("script[0].wait.event", false, 4, 12);
        check("script[1].qmp.arguments.a.b", false, 5, 41);
        check("script[1].qmp.arguments.a[0].c", false, 5, 58);
        check("script[1].qmp.arguments.none.of[3]", false, 5, 27);
        assert_eq!(place_of(TEXT, "other", false), None);
    }
}
