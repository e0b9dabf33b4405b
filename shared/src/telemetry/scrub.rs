//! What free text must not bring into the log.

use std::net::Ipv4Addr;
use std::ops::Range;

/// Digits that could be a verification code, or more of them a phone.
const DIGITS: usize = 6;

/// Free text as the log may have it: at most `max` characters on one line. Six or more digits, however they are
/// separated (phones, codes), and long words that look like tokens or keys become `…`, with the words that they are in.
/// An IPv4 address stays: it is where a backend is.
#[must_use]
pub fn scrub(text: &str, max: usize) -> String {
    let runs = digit_runs(text);
    let mut clean = String::with_capacity(text.len().min(4 * max));
    let mut at = 0;
    for part in text.split_inclusive(|c: char| !is_word(c)) {
        let (word, rest) = part.split_at(part.find(|c: char| !is_word(c)).unwrap_or(part.len()));
        let (word_at, rest_at) = (at, at + word.len());
        at += part.len();
        if runs.iter().any(|run| run.start < rest_at && word_at < run.end) || is_token_like(word) {
            hide(&mut clean);
        } else {
            clean.push_str(word);
        }
        if runs.iter().any(|run| run.contains(&rest_at)) {
            hide(&mut clean);
        } else {
            clean.extend(rest.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
    }
    if clean.chars().count() > max {
        clean = clean.chars().take(max).chain(['…']).collect();
    }
    clean
}

/// What is hidden side by side is one `…`.
fn hide(clean: &mut String) {
    if !clean.ends_with('…') {
        clean.push('…');
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '+')
}

/// From the first to the last digit of each run that is long enough. Whatever is neither a letter nor a colon (the port
/// of an address, the parts of a time) can stand between two digits of one number.
fn digit_runs(text: &str) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let (mut count, mut run) = (0, 0..0);
    for (at, c) in text.char_indices().chain([(text.len(), 'x')]) {
        if c.is_numeric() {
            if count == 0 {
                run.start = at;
            }
            count += 1;
            run.end = at + c.len_utf8();
        } else if c.is_alphabetic() || matches!(c, ':' | '…') {
            if count >= DIGITS && text[run.clone()].parse::<Ipv4Addr>().is_err() {
                runs.push(run.clone());
            }
            count = 0;
        }
    }
    runs
}

/// Names of errors are long words too, but without digits and not this long.
fn is_token_like(word: &str) -> bool {
    word.len() >= 40 || (word.len() >= 20 && word.contains(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_be_secret_is_taken_out() {
        for (text, clean) in [
            ("no answer from 127.0.0.1:41235", "no answer from 127.0.0.1:41235"),
            ("user +8613800138000 is there", "user … is there"),
            ("code 042424", "code …"),
            ("code 042 424 of", "code … of"),
            ("tel 138-0013-8000, sir", "tel …, sir"),
            ("(138) 0013.8000/x", "(…/x"),
            ("１３８－００１３－８０００", "…"),
            ("x13800138000y is", "… is"),
            ("at 10.11.12.13:6379 in 12 of 400 ms", "at 10.11.12.13:6379 in 12 of 400 ms"),
            ("/local/iwc/badge/user/13800138000", "/local/iwc/badge/user/…"),
            ("ProvisionedThroughputExceededException", "ProvisionedThroughputExceededException"),
            ("sid 3fAbCdEfGhIjKlMnOpQrStUvWxYz", "sid …"),
            ("two\nlines\r\n", "two lines  "),
        ] {
            assert_eq!(scrub(text, 500), clean);
        }
        assert_eq!(scrub("abcdef", 3), "abc…");
    }

    proptest! {
        #[test]
        fn no_text_makes_a_second_line_or_keeps_a_phone(before in any::<String>(), after in any::<String>()) {
            let clean = scrub(&format!("{before}13800138000{after}"), 10_000);
            prop_assert!(!clean.contains('\n'));
            prop_assert!(!clean.contains("13800138000"));
        }
    }
}
