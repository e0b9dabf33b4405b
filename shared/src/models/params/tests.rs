//! What parameters can be.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn falsy_is_what_python_says() {
    for falsy in [json!(null), json!(false), json!(0), json!(0.0), json!(-0.0), json!(""), json!([]), json!({})] {
        assert!(is_falsy(&falsy), "{falsy}");
    }
    for truthy in [json!(true), json!(1), json!(0.1), json!("0"), json!(" "), json!([0]), json!({"a": null})] {
        assert!(!is_falsy(&truthy), "{truthy}");
    }
}

#[test]
fn an_integer_is_one_by_its_value() {
    let text = |json: &str| text_or_integer(&serde_json::from_str(json).unwrap());
    for (json, expected) in [
        ("13800138000", "13800138000"),
        ("13800138000.0", "13800138000"),
        ("1.38e10", "13800000000"),
        ("999999999999999.0", "999999999999999"),
        ("9.99999999999999e14", "999999999999999"),
        ("18446744073709551615", "18446744073709551615"),
        ("1e0", "1"),
        ("\"1.0\"", "1.0"),
    ] {
        assert_eq!(text(json).as_deref(), Some(expected), "{json}");
    }
    for json in
        ["1.5", "-1", "-1.0", "1e-1", "1000000000000000.0", "18446744073709551616", "1e300", "true", "[1]", "null"]
    {
        assert_eq!(text(json), None, "{json}");
    }
}

#[test]
fn a_text_is_seen_and_keeps_its_direction() {
    for good in ["a", " 张三 ", "می‌خواهم", "👨‍👩‍👧", "☺\u{fe0f}", "a\u{301}", "·", "नि"]
    {
        assert_eq!(short_text(good, 32).as_deref(), Ok(good.trim()), "{good}");
    }
    for invisible in ["\u{200b}", "\u{3164}", "\u{2800}", "\u{200b} \u{3164}\u{2800}", "\u{fe0f}", "\u{301}"] {
        assert_eq!(short_text(invisible, 32), Err(Reason::Invisible), "{invisible:?}");
    }
    for bent in ["a\u{202e}b", "\u{202e}", "a\u{2066}", "\u{200f}a", "a\u{61c}b", "a\nb", "a\0"] {
        assert_eq!(short_text(bent, 32), Err(Reason::ControlCharacter), "{bent:?}");
    }
    for long in ["", " ", "\u{3000}", "aaa"] {
        assert_eq!(short_text(long, 2), Err(Reason::Length(2)), "{long:?}");
    }
    assert_eq!(short_text(" 名名 ", 2).as_deref(), Ok("名名"));
}

/// Reads `a`, and `b` if it is there, in the way of the old service's routes.
struct Pair;

impl Params for Pair {
    fn required() -> Required {
        Required::OneByOne(&["a"])
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let a = fields.read::<Phone>("a");
        let b = fields.read_optional::<Phone>("b");
        a.and(b).map(|_| Self)
    }
}

#[test]
fn what_cannot_be_read_was_given_and_is_named() {
    let (given, rules) = (json!({ "b": "x" }), Rules::sample());
    let names = BTreeSet::from(["a".to_owned(), "unknown".to_owned()]);
    let mut fields = Fields::new(given.as_object().unwrap(), &rules).with_unreadable(&names);
    let Err(Error::Invalid(invalid)) = read::<Pair>(&mut fields) else { panic!("accepted") };
    assert_eq!(invalid, [("a", Reason::Unreadable), ("b", Reason::NotAPhone)]);
    assert_eq!(fields.into_logged().names, ["a", "b"]);
}

#[test]
fn a_flag_is_true_or_false() {
    let rules = Rules::sample();
    for (given, read, names) in [
        (json!({}), Some(None), 0),
        (json!({ "a": null }), Some(None), 0),
        (json!({ "a": true }), Some(Some(true)), 1),
        (json!({ "a": false }), Some(Some(false)), 1),
        (json!({ "a": "true" }), None, 1),
        (json!({ "a": 1 }), None, 1),
    ] {
        let mut fields = Fields::new(given.as_object().unwrap(), &rules);
        assert_eq!((fields.read_flag("a"), fields.logged.names.len()), (read, names), "{given}");
        assert_eq!(fields.invalid.len(), usize::from(read.is_none()), "{given}");
    }
}

#[test]
fn null_is_a_value_that_is_there() {
    let rules = Rules::sample();
    for (given, is_null) in [(json!({ "a": null }), true), (json!({ "a": 0 }), false), (json!({}), false)] {
        let mut fields = Fields::new(given.as_object().unwrap(), &rules);
        assert_eq!((fields.is_null("a"), fields.logged.names.len()), (is_null, usize::from(is_null)), "{given}");
    }
}

#[test]
fn what_the_whole_request_refuses_is_named_and_an_id_is_no_phone() {
    struct Refused;
    impl Params for Refused {
        fn required() -> Required {
            Required::Together(vec!["a"])
        }
        fn read(fields: &mut Fields<'_>) -> Option<Self> {
            fields.read::<UserId>("a")?;
            fields.refuse("a", Reason::NotAFlag);
            None
        }
    }
    let (given, rules) = (json!({ "a": "0193a5f0-0000-7000-8000-000000000003" }), Rules::sample());
    let mut fields = Fields::new(given.as_object().unwrap(), &rules);
    let refusal = read::<Refused>(&mut fields).err();
    assert!(matches!(refusal, Some(Error::Invalid(named)) if named == [("a", Reason::NotAFlag)]));
    assert_eq!(fields.into_logged().phone, None);
    let (given, names) = (json!({}), BTreeSet::new());
    let mut fields = Fields::new(given.as_object().unwrap(), &rules).with_unreadable(&names);
    assert!(matches!(read::<Refused>(&mut fields), Err(Error::Missing(names)) if names == ["a"]));
}

#[test]
fn only_what_is_known_and_given_is_logged() {
    let (given, rules) = (json!({ "a": "13800138000", "b": "", "c": 1 }), Rules::sample());
    let mut fields = Fields::new(given.as_object().unwrap(), &rules);
    assert!(read::<Pair>(&mut fields).is_ok());
    let logged = fields.into_logged();
    assert_eq!((logged.names, logged.phone), (vec!["a"], Some(Phone::stored("+8613800138000".to_owned()).masked())));
    let (empty, mut fields) = (json!({}), None::<Fields<'_>>);
    let fields = fields.get_or_insert(Fields::new(empty.as_object().unwrap(), &rules));
    assert!(matches!(read::<Pair>(fields), Err(Error::MissingOne("a"))));
}

proptest! {
    #[test]
    fn short_text_is_trimmed_bounded_and_printable(text in any::<String>()) {
        match short_text(&text, 32) {
            Ok(kept) => {
                prop_assert_eq!(kept.as_str(), text.trim());
                prop_assert!((1..=32).contains(&kept.chars().count()));
                prop_assert!(!kept.chars().any(char::is_control));
            }
            Err(Reason::Length(32)) => {
                let length = text.trim().chars().count();
                prop_assert!(length == 0 || length > 32);
            }
            Err(Reason::Invisible) => {
                let is_seen = text.contains(|c: char| c.is_ascii_graphic());
                prop_assert!(!is_seen);
            }
            Err(reason) => prop_assert_eq!(reason, Reason::ControlCharacter),
        }
    }
}
