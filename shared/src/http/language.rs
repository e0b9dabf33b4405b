//! The language that a request asks for.

use crate::models::language::Language;

/// The preference that a header has for a language: its weight and its position. Of two with one weight the first is preferred.
#[derive(Clone, Copy)]
struct Preference {
    weight: f32,
    at: usize,
}

/// Chinese, unless English is preferred: with a higher weight, or at the same weight first (RFC 9110, sections 12.4.2
/// and 12.5.4). What the header does not name is preferred as `*` is, and without that over what has the weight 0.
pub(super) fn preferred(accept: Option<&str>) -> Language {
    let (mut chinese, mut english, mut others) = (None, None, None);
    for (at, range) in accept.unwrap_or_default().split(',').enumerate() {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
        let preference = Preference { weight: parts.find_map(weight).unwrap_or(1.0), at };
        let slot = match tag.split('-').next() {
            Some("zh") => &mut chinese,
            Some("en") => &mut english,
            Some("*") => &mut others,
            _ => continue,
        };
        // Of several ranges of a language, `en-GB` and `en`, the best one is served by it.
        if slot.is_none_or(|best: Preference| preference.weight > best.weight) {
            *slot = Some(preference);
        }
    }
    match (chinese.or(others), english.or(others)) {
        (Some(chinese), Some(english)) => {
            let is_english =
                english.weight > chinese.weight || (english.is_as_heavy_as(chinese) && english.at < chinese.at);
            if is_english { Language::English } else { Language::Chinese }
        }
        (None, Some(english)) if english.weight > 0.0 => Language::English,
        (Some(chinese), None) if chinese.weight <= 0.0 => Language::English,
        _ => Language::Chinese,
    }
}

impl Preference {
    fn is_as_heavy_as(self, other: Self) -> bool {
        self.weight.total_cmp(&other.weight).is_eq()
    }
}

/// The weight of a parameter `q`, whose name is case-insensitive. One that is none counts as 1, as without it.
fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    Some(value.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_is_given_to_those_who_prefer_it() {
        for (accept, expected) in [
            (None, Language::Chinese),
            (Some(""), Language::Chinese),
            (Some("en"), Language::English),
            (Some("en-GB,en;q=0.9"), Language::English),
            (Some("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese),
            (Some("en;q=0.8, zh;q=0.9"), Language::Chinese),
            (Some("fr, en;q=0.5"), Language::English),
            (Some("en;q=0"), Language::Chinese),
            (Some("*"), Language::Chinese),
            (Some("EN-us"), Language::English),
            (Some("english"), Language::Chinese),
            (Some("en;q=nonsense"), Language::English),
            (Some("zh, en"), Language::Chinese),
            (Some("en, zh"), Language::English),
            (Some("en, zh, en-GB"), Language::English),
            (Some("zh, en, zh-TW"), Language::Chinese),
        ] {
            assert_eq!(preferred(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn the_name_of_a_weight_is_case_insensitive() {
        assert_eq!(preferred(Some("zh;Q=0.1, en;Q=0.9")), Language::English);
        assert_eq!(preferred(Some("en ; Q = 0.1 , zh ; q = 0.9")), Language::Chinese);
        assert_eq!(preferred(Some("en;level=1;q=0.1, zh;q=0.2")), Language::Chinese);
    }

    #[test]
    fn a_star_stands_for_what_is_not_named() {
        for (accept, expected) in [
            ("zh;q=0, *", Language::English),
            ("en;q=0, *", Language::Chinese),
            ("zh;q=0.5, *", Language::English),
            ("zh;q=0.5, *;q=0.4", Language::Chinese),
            ("en;q=0.5, *", Language::Chinese),
            ("en;q=0.5, *;q=0.4", Language::English),
            ("*;q=0, en", Language::English),
            ("*;q=0", Language::Chinese),
            ("fr, *;q=0.5", Language::Chinese),
        ] {
            assert_eq!(preferred(Some(accept)), expected, "{accept}");
        }
    }

    #[test]
    fn a_weight_of_zero_refuses() {
        for (accept, expected) in [
            ("zh;q=0", Language::English),
            ("zh;q=0, en;q=0", Language::Chinese),
            ("zh;q=0.000, fr", Language::English),
            ("zh;q=0.001", Language::Chinese),
            ("en;q=0, zh;q=0.1", Language::Chinese),
        ] {
            assert_eq!(preferred(Some(accept)), expected, "{accept}");
        }
    }

    #[test]
    fn a_language_has_the_weight_of_its_best_range() {
        assert_eq!(preferred(Some("en-US;q=0.1, en;q=0.8, zh;q=0.5")), Language::English);
        assert_eq!(preferred(Some("en;q=0.8, en-US;q=0.1, zh;q=0.5")), Language::English);
        assert_eq!(preferred(Some("zh-TW;q=0.9, zh-CN;q=0.1, en;q=0.5")), Language::Chinese);
    }

    #[test]
    fn a_weight_that_is_none_counts_as_one() {
        for weight in ["2", "-1", "nan", "inf", "", "0.5x"] {
            assert_eq!(preferred(Some(&format!("en;q={weight}, zh;q=0.9"))), Language::English, "{weight}");
        }
    }
}
