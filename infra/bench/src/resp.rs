//! The protocol of Redis, as much as it takes to know where commands and replies end and which keys a command names.
//!
//! Source: "Redis serialization protocol specification", version 2.

/// The length of the first reply in `bytes`, once it is there to its end.
pub(crate) fn reply_length(bytes: &[u8]) -> Option<usize> {
    let (sign, number, mut length) = line(bytes)?;
    match sign {
        b'$' => length += usize::try_from(number).map_or(0, |string| string + 2),
        b'*' => {
            for _ in 0..number.max(0) {
                length += reply_length(bytes.get(length..)?)?;
            }
        }
        _ => {}
    }
    (length <= bytes.len()).then_some(length)
}

/// The commands in `bytes`, each as its words. What is not whole at the end is left away.
pub(crate) fn commands(bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut commands = Vec::new();
    let mut rest = bytes;
    while let Some((words, left)) = command(rest) {
        commands.push(words);
        rest = left;
    }
    commands
}

/// The keys that a command names, as far as this service uses commands.
pub(crate) fn keys(words: &[Vec<u8>]) -> &[Vec<u8>] {
    let Some((name, rest)) = words.split_first() else { return &[] };
    match (name.to_ascii_uppercase().as_slice(), rest) {
        (b"EVAL" | b"EVALSHA", [_, count, named @ ..]) => {
            let count = str::from_utf8(count).ok().and_then(|count| count.parse().ok()).unwrap_or(0);
            named.get(..count).unwrap_or(&[])
        }
        (b"PING" | b"MULTI" | b"EXEC" | b"SCRIPT" | b"SELECT" | b"CLIENT" | b"AUTH", _) => &[],
        (_, rest) => rest.get(..1).unwrap_or(&[]),
    }
}

/// A command as clients write it.
pub(crate) fn command_of(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn command(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, &[u8])> {
    let (b'*', count, mut at) = line(bytes)? else { return None };
    let mut words = Vec::new();
    for _ in 0..count {
        let (b'$', length, head) = line(bytes.get(at..)?)? else { return None };
        let (from, length) = (at + head, usize::try_from(length).ok()?);
        words.push(bytes.get(from..from + length)?.to_vec());
        at = from + length + 2;
    }
    Some((words, bytes.get(at..)?))
}

/// A line's first byte, the number behind it if it is one, and the line's length.
fn line(bytes: &[u8]) -> Option<(u8, i64, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (sign, text) = bytes[..end].split_first()?;
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    Some((*sign, number, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_where_its_last_part_does() {
        for whole in [
            "+OK\r\n",
            ":12\r\n",
            "$-1\r\n",
            "$5\r\na\r\nbc\r\n",
            "*-1\r\n",
            "*2\r\n$2\r\nok\r\n*1\r\n:1\r\n",
            "-ERR 3\r\n",
        ] {
            assert_eq!(reply_length(format!("{whole}+next\r\n").as_bytes()), Some(whole.len()), "{whole}");
            assert!((0..whole.len()).all(|end| reply_length(&whole.as_bytes()[..end]).is_none()), "{whole}");
        }
    }

    #[test]
    fn a_command_names_its_keys() {
        let script = command_of(&[b"EVALSHA", b"0f", b"2", b"one", b"two", b"argument"]);
        let bytes = [script, command_of(&[b"GETEX", b"three", b"EX", b"5"]), command_of(&[b"PING"])].concat();
        let commands = commands(&bytes);
        let keys: Vec<_> = commands.iter().flat_map(|words| keys(words)).map(Vec::as_slice).collect();
        assert_eq!(commands.len(), 3);
        assert_eq!(keys, [b"one".as_slice(), b"two", b"three"]);
    }
}
