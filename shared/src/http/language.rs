//! The language of a reply's sentence.

/// The language of a reply's sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// The default.
    Chinese,
    /// When `Accept-Language` prefers it.
    English,
}

impl Language {
    /// Chinese, unless English is named with a higher weight (RFC 9110, section 12.5.4) or, at the same weight, first.
    pub(super) fn of(accept: Option<&str>) -> Self {
        let mut best = (0.0_f32, Self::Chinese);
        for range in accept.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse::<f32>().ok());
            let weight = weight.unwrap_or(1.0).clamp(0.0, 1.0);
            let language = match tag.split('-').next() {
                Some("en") => Self::English,
                Some("zh" | "*") => Self::Chinese,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }
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
        ] {
            assert_eq!(Language::of(accept), expected, "{accept:?}");
        }
    }
}
