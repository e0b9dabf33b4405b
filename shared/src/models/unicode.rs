//! What Unicode says of the characters that people type and paste.

use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Characters that have no ink, though no property says so: the blank pattern of Braille, the blank note head, and the
/// blanks of hieroglyphs.
const BLANK: [char; 4] = ['\u{2800}', '\u{1d159}', '\u{13441}', '\u{13442}'];

/// The value of a decimal digit, of whichever script.
pub(super) fn digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    if category(c) != GeneralCategory::DecimalNumber {
        return None;
    }
    // Digits stand in runs from zero to nine, one run behind the other (The Unicode Standard, section 4.6).
    let is_digit = |code| CodePointMapData::<GeneralCategory>::new().get32(code) == GeneralCategory::DecimalNumber;
    let before = (0..u32::from(c)).rev().take_while(|code| is_digit(*code)).count();
    char::from_digit(u32::try_from(before % 10).ok()?, 10)
}

/// Whether a character only says how others are shown: format characters, joiners, variation selectors.
pub(super) fn is_format(c: char) -> bool {
    !c.is_ascii()
        && (category(c) == GeneralCategory::Format || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c))
}

/// Whether a character is a hyphen or a dash, or the minus sign that stands for one.
pub(super) fn is_dash(c: char) -> bool {
    c == '-' || c == '\u{2212}' || (!c.is_ascii() && category(c) == GeneralCategory::DashPunctuation)
}

/// Whether a character changes the direction of what stands behind it.
pub(super) fn is_bidi_control(c: char) -> bool {
    CodePointSetData::new::<BidiControl>().contains(c)
}

/// Whether a character alone is seen. A mark is seen on another character; one that has been added to Unicode since is
/// shown as a box.
pub(super) fn is_visible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_graphic();
    }
    let is_mark = matches!(category(c), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark);
    let is_noncharacter = matches!(u32::from(c), 0xfdd0..=0xfdef) || u32::from(c) & 0xfffe == 0xfffe;
    !(c.is_whitespace() || c.is_control() || is_format(c) || is_mark || is_noncharacter || BLANK.contains(&c))
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_have_their_value() {
        for (zero, nine) in [('0', '9'), ('０', '９'), ('٠', '٩'), ('۰', '۹'), ('०', '९'), ('𝟎', '𝟗'), ('𝟶', '𝟿')]
        {
            assert_eq!((digit(zero), digit(nine)), (Some('0'), Some('9')), "{zero}");
        }
        for none in ['a', '零', '①', '²', '½', 'Ⅷ', ' ', '-', '\u{200b}'] {
            assert_eq!(digit(none), None, "{none}");
        }
    }

    #[test]
    fn runs_of_digits_are_whole() {
        let is_digit = |c: &char| category(*c) == GeneralCategory::DecimalNumber;
        let digits: Vec<_> = ('\0'..=char::MAX).filter(is_digit).collect();
        assert!(digits.len() >= 700);
        for (at, c) in digits.iter().enumerate() {
            assert_eq!(digit(*c), char::from_digit(u32::try_from(at % 10).unwrap(), 10), "{c}");
        }
    }

    #[test]
    fn what_only_says_how_others_are_shown_is_format() {
        for c in
            ['\u{ad}', '\u{200b}', '\u{200c}', '\u{200e}', '\u{202a}', '\u{2060}', '\u{feff}', '\u{fe0d}', '\u{3164}']
        {
            assert!(is_format(c), "{c:?}");
        }
        for c in ['1', '-', ' ', '\n', '\u{202f}', '\u{301}', '中', '(', '＋'] {
            assert!(!is_format(c), "{c:?}");
        }
    }

    #[test]
    fn a_dash_is_one_in_every_script() {
        for c in ['-', '‐', '\u{2011}', '–', '－', '\u{2212}'] {
            assert!(is_dash(c), "{c}");
        }
        for c in ['+', '_', '1', '一', 'ー', '~', '\u{ad}'] {
            assert!(!is_dash(c), "{c}");
        }
    }

    #[test]
    fn the_twelve_bidirectional_controls_are_known() {
        assert_eq!(('\0'..=char::MAX).filter(|c| is_bidi_control(*c)).count(), 12);
        assert!(is_bidi_control('\u{202e}') && is_bidi_control('\u{2066}') && !is_bidi_control('\u{200d}'));
    }

    #[test]
    fn what_has_no_ink_is_not_visible() {
        for c in [
            ' ',
            '\t',
            '\u{7f}',
            '\u{a0}',
            '\u{3000}',
            '\u{200b}',
            '\u{200d}',
            '\u{3164}',
            '\u{115f}',
            '\u{ffa0}',
            '\u{2800}',
            '\u{fe0f}',
            '\u{301}',
            '\u{20dd}',
            '\u{180e}',
            '\u{e0041}',
            '\u{fdd0}',
            '\u{fffe}',
            '\u{10ffff}',
            '\u{1d159}',
            '\u{13441}',
        ] {
            assert!(!is_visible(c), "{c:?}");
        }
        for c in ['a', '!', '0', '张', 'é', 'ß', '😀', 'ि', '·', '\u{e000}', '\u{378}', '\u{fffd}', '⠁'] {
            assert!(is_visible(c), "{c:?}");
        }
    }
}
