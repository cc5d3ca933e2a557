//! Which of several unexpected arguments is named: the first in GLib's hash table of all of them.
//!
//! QEMU's visitor puts the members of an object into a `GHashTable` in the order of its own dictionary's buckets, takes
//! out what the schema asks for, and names whatever an iteration then meets first. So this is a function of the names,
//! whatever their order on the wire. QEMU: `qobject_input_push`, `qobject_input_check_struct`, `qdict_put_obj`. Where
//! four or more are unexpected beside many others, the table has been moved to another size on the way, and collisions
//! may make it another one.

/// The smallest table, and how its slots are counted.
const SMALLEST: (usize, u32) = (8, 7);

/// The buckets of QEMU's own dictionary: `QDICT_BUCKET_MAX`.
const BUCKETS: u32 = 512;

/// The name that is said to be unexpected: of `names`, one that is `left`.
pub(super) fn first<'a>(names: &[&'a str], left: impl Fn(&str) -> bool) -> Option<&'a str> {
    // A bucket's last comes first.
    let mut names: Vec<&str> = names.iter().rev().copied().collect();
    names.sort_by_key(|name| dictionary_hash(name) % BUCKETS);
    let table = match names.len() {
        0..8 => SMALLEST,
        8..16 => (16, 13),
        16..31 => (32, 31),
        _ => (64, 61),
    };
    let mut rest = placed(&names, table);
    rest.retain(|name| left(name));
    if table.0 > 4 * rest.len() {
        // The table was made smaller.
        rest = placed(&rest, SMALLEST);
    }
    rest.first().copied()
}

/// The names in the order of their slots in a table of that many, whose hashes are taken modulo a prime.
fn placed<'a>(names: &[&'a str], (size, prime): (usize, u32)) -> Vec<&'a str> {
    let mut slots = vec![None; size];
    for name in names {
        let mut slot = (string_hash(name).wrapping_mul(11) % prime) as usize;
        let mut step = 0;
        while slots[slot].is_some() {
            step += 1;
            slot = (slot + step) % size;
        }
        slots[slot] = Some(*name);
    }
    slots.into_iter().flatten().collect()
}

/// GLib: `g_str_hash`.
fn string_hash(text: &str) -> u32 {
    text.bytes().fold(5381_u32, |hash, byte| {
        let signed = i32::from(byte.cast_signed()).cast_unsigned();
        hash.wrapping_mul(33).wrapping_add(signed)
    })
}

/// QEMU: `tdb_hash`.
fn dictionary_hash(text: &str) -> u32 {
    let seed = 0x238F_13AF_u32.wrapping_mul(text.len() as u32);
    let sum = text.bytes().enumerate().fold(seed, |sum, (index, byte)| {
        sum.wrapping_add(u32::from(byte) << (index * 5 % 24))
    });
    sum.wrapping_mul(1_103_515_243).wrapping_add(12345)
}

#[cfg(test)]
mod tests {
    use super::first;

    /// What QEMU 7.2.22 and 10.0.2 named, of arguments sent in this order.
    #[test]
    fn the_one_that_qemu_names() {
        for (names, expected) in OBSERVED {
            let names: Vec<&str> = names.split(' ').collect();
            let unexpected =
                |name: &str| !["device", "sync", "target", "job-id", "speed"].contains(&name);
            assert_eq!(first(&names, unexpected), Some(expected), "of {names:?}");
        }
        assert_eq!(first(&["device"], |_| false), None);
    }

    const OBSERVED: [(&str, &str); 14] = [
        ("bar spare speed target device sync", "spare"),
        ("yy speed target sync job-id device w", "w"),
        ("speed job-id target format sync foo device", "format"),
        ("foo mode speed job-id sync target device k2", "mode"),
        ("target k3 sync a device mode", "k3"),
        ("sync target foo granularity device", "granularity"),
        ("zz node target device a sync", "zz"),
        (
            "x-y speed zz granularity device job-id mode target sync",
            "x-y",
        ),
        ("k3 job-id target device extra sync speed", "k3"),
        ("speed xx device extra sync job-id target", "xx"),
        ("sync speed granularity foo extra device target a mode", "a"),
        ("w device2 target x-y device foo granularity q sync", "x-y"),
        (
            "bar k2 sync extra b job-id xx name speed format k3 k5 device target a",
            "bar",
        ),
        ("sync device speed target spare zz", "spare"),
    ];
}
