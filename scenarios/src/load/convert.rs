//! From the shape of the document to the story: one verb per item, and only expectations that go with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use crate::format::{
    Answer, Comparison, Guest, Hmp, HmpCommand, Img, Item, Mistake, Qmp, QmpError, StoredBitmap,
    Story, Verb, Wait,
};
use crate::limits::{GUESTS_MAX, ITEMS_MAX, REQUESTS_MAX};
use crate::load::error::{Place, Trouble, one_of};
use crate::load::raw::{
    Entry, ImgCmd, ImgResult, ImgWord, Key, Named, Outcome, RawGuest, RawHmp, RawImg, RawItem,
    RawQmp, RawStory, RawWait, VERBS, verbs_in_words,
};

/// Where the parts of a story stand that `check` may have to point at.
pub(crate) struct Places {
    /// The script as a whole.
    pub script: Place,
    /// Each item of the script, in order.
    pub items: Vec<Place>,
    /// Each name under `faults`.
    pub faults: BTreeMap<String, Place>,
    /// Each name under `guests`.
    pub guests: BTreeMap<String, Place>,
}

/// Makes the story, and the places of its parts.
pub(crate) fn story(name: &str, raw: RawStory) -> Result<(Story, Places), Trouble> {
    if raw.title.value.trim().is_empty() {
        return Err(Trouble::new(
            at(&raw.title),
            "the title is empty",
            "one sentence: what the story shows",
        ));
    }
    let witnesses = ids(&raw.witnesses, "witness", "cancel-while-copying")?;
    let defects = ids(&raw.defects, "defect", "grouped-abort-hangs")?;
    refuse_too_much(&raw)?;
    let (faults, fault_places) = named(raw.faults, |rules| rules);
    let (guests, guest_places) = named(raw.guests, |guest| Guest {
        drive: guest.drive.value,
        requests: guest.requests,
    });
    let mut places = Places {
        script: at(&raw.script),
        items: Vec::new(),
        faults: fault_places,
        guests: guest_places,
    };
    let mut script = Vec::new();
    for raw in raw.script.value {
        let place = at(&raw);
        places.items.push(place);
        script.push(Item {
            line: place.line,
            verb: verb(place, raw.value)?,
        });
    }
    let title = raw.title.value;
    Ok((
        Story {
            name: name.to_owned(),
            title,
            source: raw.source,
            about: raw.about,
            faults,
            guests,
            witnesses,
            defects,
            script,
        },
        places,
    ))
}

/// Scripts and guests have bounds of their own: what they do is played.
fn refuse_too_much(raw: &RawStory) -> Result<(), Trouble> {
    let too_much = |place: Place, what: String| {
        Err(Trouble::new(place, what, "write it as several scenarios"))
    };
    if let Some(item) = raw.script.value.get(ITEMS_MAX) {
        return too_much(at(item), format!("a script has at most {ITEMS_MAX} items"));
    }
    if let Some((name, _)) = raw.guests.0.get(GUESTS_MAX) {
        return too_much(at(name), format!("a story has at most {GUESTS_MAX} guests"));
    }
    let busy = |(_, guest): &&(Spanned<String>, RawGuest)| guest.requests.len() > REQUESTS_MAX;
    match raw.guests.0.iter().find(busy) {
        None => Ok(()),
        Some((name, _)) => too_much(
            at(name),
            format!("a guest sends at most {REQUESTS_MAX} requests"),
        ),
    }
}

fn at<T>(spanned: &Spanned<T>) -> Place {
    spanned.referenced.into()
}

fn named<T, U>(
    raw: Named<T>,
    convert: impl Fn(T) -> U,
) -> (BTreeMap<String, U>, BTreeMap<String, Place>) {
    let (mut values, mut places) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in raw.0 {
        places.insert(name.value.clone(), at(&name));
        values.insert(name.value, convert(value));
    }
    (values, places)
}

/// The ids of witnesses, or the names of defects: words with hyphens, each once. Whether there is such a thing is for
/// those to say who look for it.
fn ids(raw: &[Spanned<String>], of: &str, like: &str) -> Result<Vec<String>, Trouble> {
    let mut ids: Vec<String> = Vec::new();
    for id in raw {
        let place = at(id);
        let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
        if !id.value.split('-').all(word) {
            let what = format!("`{}` is not the id of a {of}", id.value);
            let help = format!("an id is like `{like}`: small letters and hyphens");
            return Err(Trouble::new(place, what, help));
        }
        if ids.contains(&id.value) {
            let what = format!("the {of} `{}` is named twice", id.value);
            return Err(Trouble::new(place, what, "once is enough"));
        }
        ids.push(id.value.clone());
    }
    Ok(ids)
}

/// The expectations of an item, each at most once and each taken by its verb.
#[derive(Default)]
struct Expectations {
    result: Option<(Place, ImgResult)>,
    reply: Option<Value>,
    error: Option<(Place, QmpError)>,
    either: Option<(Place, Vec<Outcome>)>,
    any: Option<Place>,
    output: Option<Vec<String>>,
    data: Option<(Place, Map<String, Value>)>,
    absent: Option<(Place, Vec<String>)>,
}

fn verb(place: Place, raw: RawItem) -> Result<Verb, Trouble> {
    let (first, rest) = split(place, raw)?;
    let mut expected = Expectations::default();
    for (place, entry) in rest {
        match entry {
            Entry::Result(result) => expected.result = Some((place, result)),
            Entry::Reply(reply) => expected.reply = Some(reply),
            Entry::Error(error) => expected.error = Some((place, error)),
            Entry::Either(outcomes) => expected.either = Some((place, outcomes)),
            Entry::Any(_) => expected.any = Some(place),
            Entry::Output(lines) => expected.output = Some(lines),
            Entry::Data(data) => expected.data = Some((place, data)),
            Entry::Absent(keys) => expected.absent = Some((place, keys)),
            _ => unreachable!("internal bug: `split` leaves one verb"),
        }
    }
    match first {
        Entry::Img(raw) => img(raw, expected).map(Verb::Img),
        Entry::Launch(launch) => Ok(Verb::Launch(launch)),
        Entry::Qmp(raw) => qmp(raw, expected).map(Verb::Qmp),
        Entry::Hmp(raw) => hmp(raw, expected).map(Verb::Hmp),
        Entry::Wait(raw) => wait(place, raw, expected).map(Verb::Wait),
        Entry::Bitmaps(bitmaps) => Ok(Verb::Bitmaps(bitmaps)),
        Entry::Pending(count) => Ok(Verb::Pending(count)),
        Entry::Forget(_) => Ok(Verb::Forget),
        Entry::Settle(settle) => Ok(Verb::Settle {
            ms: settle.ms,
            until: settle.until,
        }),
        Entry::Sleep(time) => Ok(Verb::Sleep { ms: time.ms }),
        Entry::Guests(guests) => Ok(Verb::Guests(guests)),
        Entry::Shutdown(_) => Ok(Verb::Shutdown),
        Entry::Kill(_) => Ok(Verb::Kill),
        _ => unreachable!("internal bug: `split` puts the verb first"),
    }
}

/// The verb of an item, and its expectations: exactly one verb, and only what goes with it.
fn split(place: Place, raw: RawItem) -> Result<(Entry, Vec<(Place, Entry)>), Trouble> {
    let row = |key: &Key| VERBS.iter().find(|(verb, _)| *verb == key.0);
    let mut verb: Option<(&str, &[&str], Entry)> = None;
    let mut rest: Vec<(Place, &str, Entry)> = Vec::new();
    for (key, entry) in raw.entries {
        match (row(&key.value), &verb) {
            (Some((name, allowed)), None) => verb = Some((name, allowed, entry)),
            (Some((second, _)), Some((first, ..))) => {
                let help = format!("one verb per item: begin another item with `- {second}: ...`");
                return Err(Trouble::new(
                    at(&key),
                    format!("`{first}` and `{second}` in one item"),
                    help,
                ));
            }
            (None, _) => rest.push((at(&key), key.value.0, entry)),
        }
    }
    let Some((name, allowed, verb)) = verb else {
        return Err(match rest.first() {
            None => Trouble::new(place, "an item without a verb", verbs_in_words()),
            Some((place, key, _)) => {
                let owners: Vec<&str> = VERBS
                    .iter()
                    .filter(|row| row.1.contains(key))
                    .map(|row| row.0)
                    .collect();
                let help = format!(
                    "`{key}` stands beside its verb, in the same item: {}",
                    owners.join(", ")
                );
                Trouble::new(*place, format!("`{key}` without a verb"), help)
            }
        });
    };
    if let Some((place, key, _)) = rest.iter().find(|(_, key, _)| !allowed.contains(key)) {
        let help = match allowed {
            [] => format!("`{name}` has no expectations"),
            _ => format!("beside `{name}`, {}", one_of(allowed)),
        };
        return Err(Trouble::new(
            *place,
            format!("`{key}` does not go with `{name}`"),
            help,
        ));
    }
    Ok((
        verb,
        rest.into_iter()
            .map(|(place, _, entry)| (place, entry))
            .collect(),
    ))
}

fn img(mut raw: Box<RawImg>, expected: Expectations) -> Result<Img, Trouble> {
    // The keys that the command has asked for: what is left over afterwards does not belong to it.
    let mut asked: Vec<&str> = Vec::new();
    let cmd = at(&raw.cmd);
    macro_rules! may {
        ($key:ident) => {{
            asked.push(stringify!($key));
            raw.$key.take().map(|value| value.value)
        }};
    }
    macro_rules! must {
        ($key:ident) => {
            may!($key).ok_or_else(|| {
                let what = concat!("`", stringify!($key), "` is missing");
                Trouble::new(
                    cmd,
                    what,
                    format!("this command needs {}", asked.join(", ")),
                )
            })?
        };
    }
    let mut result = expected.result;
    let img = match raw.cmd.value {
        ImgCmd::Create => Img::Create {
            img: must!(img),
            size: must!(size),
            backing: may!(backing),
            opts: may!(opts).unwrap_or_default(),
        },
        ImgCmd::Write => Img::Write {
            img: must!(img),
            pattern: must!(pattern),
            offset: must!(offset),
            len: must!(len),
        },
        ImgCmd::Read => Img::Read {
            img: must!(img),
            pattern: must!(pattern),
            offset: must!(offset),
            len: must!(len),
        },
        ImgCmd::Copy => Img::Copy {
            img: must!(img),
            to: must!(to),
        },
        ImgCmd::Rebase => Img::Rebase {
            img: must!(img),
            backing: must!(backing),
        },
        ImgCmd::Compare => Img::Compare {
            a: must!(a),
            b: must!(b),
            result: comparison(result.take())?,
        },
        ImgCmd::Map => Img::Map { img: must!(img) },
        ImgCmd::Bitmaps => Img::Bitmaps {
            img: must!(img),
            result: stored(result.take())?,
        },
        ImgCmd::Remove => Img::Remove { img: must!(img) },
    };
    if let Some((key, place)) = leftover(&raw) {
        let help = format!("it takes {}", asked.join(", "));
        return Err(Trouble::new(
            place,
            format!("`{key}` does not go with this command"),
            help,
        ));
    }
    match result {
        // Every command but a comparison must succeed anyhow.
        None | Some((_, ImgResult::Word(ImgWord::Ok))) => Ok(img),
        Some((place, _)) => Err(Trouble::new(
            place,
            "no command but a comparison or `bitmaps` ends so",
            "leave `result` out, or write `result: ok`",
        )),
    }
}

/// A key of an image command that nobody has asked for.
fn leftover(raw: &RawImg) -> Option<(&'static str, Place)> {
    let keys = [
        ("img", raw.img.as_ref().map(at)),
        ("size", raw.size.as_ref().map(at)),
        ("backing", raw.backing.as_ref().map(at)),
        ("opts", raw.opts.as_ref().map(at)),
        ("pattern", raw.pattern.as_ref().map(at)),
        ("offset", raw.offset.as_ref().map(at)),
        ("len", raw.len.as_ref().map(at)),
        ("to", raw.to.as_ref().map(at)),
        ("a", raw.a.as_ref().map(at)),
        ("b", raw.b.as_ref().map(at)),
    ];
    keys.into_iter()
        .find_map(|(key, place)| Some((key, place?)))
}

fn comparison(result: Option<(Place, ImgResult)>) -> Result<Option<Comparison>, Trouble> {
    match result {
        None => Ok(None),
        Some((_, ImgResult::Word(ImgWord::Identical))) => Ok(Some(Comparison::Identical)),
        Some((_, ImgResult::Word(ImgWord::Different))) => Ok(Some(Comparison::Different)),
        Some((place, ImgResult::Word(ImgWord::Ok) | ImgResult::Bitmaps(_))) => {
            let help = "possible are `identical` and `different`";
            Err(Trouble::new(
                place,
                "a comparison does not end with `ok`",
                help,
            ))
        }
    }
}

fn stored(result: Option<(Place, ImgResult)>) -> Result<Option<Vec<StoredBitmap>>, Trouble> {
    match result {
        None => Ok(None),
        Some((_, ImgResult::Bitmaps(bitmaps))) => Ok(Some(bitmaps)),
        Some((place, ImgResult::Word(_))) => Err(Trouble::new(
            place,
            "`bitmaps` ends with a list",
            "such as `result: [{name: a, granularity: 64k, flags: [auto]}]`",
        )),
    }
}

fn qmp(raw: RawQmp, expected: Expectations) -> Result<Qmp, Trouble> {
    let answers = match (expected.either, expected.reply, expected.error) {
        (None, None, None) if expected.any.is_some() => vec![Answer::Any],
        _ if let Some(place) = expected.any => {
            return Err(Trouble::new(
                place,
                "`any` beside another way to end",
                "`any` says that nothing is expected: leave it out",
            ));
        }
        (None, reply, None) => vec![Answer::Return(reply)],
        (None, None, Some((_, error))) => vec![Answer::Error(error)],
        (None, Some(_), Some((place, _))) => {
            return Err(Trouble::new(
                place,
                "`reply` and `error` at once",
                "a command either succeeds or fails; where the moment decides, write `either: [...]`",
            ));
        }
        (Some((place, outcomes)), None, None) => either(place, outcomes)?,
        (Some((place, _)), ..) => {
            return Err(Trouble::new(
                place,
                "`either` beside `reply` or `error`",
                "write each way to end as an entry of `either`",
            ));
        }
    };
    Ok(Qmp {
        execute: raw.execute,
        arguments: raw.arguments,
        answers,
    })
}

fn either(place: Place, outcomes: Vec<Outcome>) -> Result<Vec<Answer>, Trouble> {
    if outcomes.len() < 2 {
        return Err(Trouble::new(
            place,
            "`either` with fewer than two ways to end",
            "write `reply` or `error` beside the command",
        ));
    }
    let answer = |outcome| match outcome {
        Outcome::Reply(value) => Answer::Return(Some(value)),
        Outcome::Error(error) => Answer::Error(error),
    };
    Ok(outcomes.into_iter().map(answer).collect())
}

fn hmp(raw: RawHmp, expected: Expectations) -> Result<Hmp, Trouble> {
    let place = at(&raw.line);
    let line = raw.line.value;
    let command: HmpCommand = line
        .parse()
        .map_err(|mistake: Mistake| Trouble::new(place, mistake.what, mistake.help))?;
    Ok(Hmp {
        drive: raw.drive,
        line,
        command,
        output: expected.output,
    })
}

fn wait(place: Place, raw: RawWait, expected: Expectations) -> Result<Wait, Trouble> {
    let event = raw.event.value.as_str();
    if event.is_empty()
        || !event
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    {
        let help = "QEMU's events are in capitals, like BLOCK_JOB_COMPLETED";
        return Err(Trouble::new(
            at(&raw.event),
            format!("`{event}` is not the name of an event"),
            help,
        ));
    }
    let (data_place, data) = expected.data.unwrap_or((place, Map::new()));
    let (absent_place, absent) = expected.absent.unwrap_or((place, Vec::new()));
    for (place, wanted) in [(place, &raw.matching), (data_place, &data)] {
        if let Some((key, _)) = wanted.iter().find(|(_, value)| value.is_null()) {
            let what = format!("`{key}` is YAML's nothing here, which no event holds");
            return Err(Trouble::new(
                place,
                what,
                "the text is `\"null\"`, in quotes",
            ));
        }
    }
    if let Some(key) = absent.iter().find(|key| data.contains_key(*key)) {
        let what = format!("`{key}` is both expected and absent");
        return Err(Trouble::new(
            absent_place,
            what,
            "name it in `data` or in `absent`",
        ));
    }
    let RawWait {
        event,
        matching,
        skip,
        timeout,
    } = raw;
    Ok(Wait {
        event: event.value,
        matching,
        skip,
        timeout,
        data,
        absent,
    })
}
