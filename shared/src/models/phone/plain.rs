//! Numbers in plain digits, as nearly everybody writes them, without the library's patterns.
//!
//! The library makes all its patterns before it reads its first number, and interprets them for each one: half of what
//! a login's cold start did. `build/plain.rs` makes one small automaton of each plan; what it accepts is what the library
//! would say, and all else goes to the library, refusals too.

use rlibphonenumber::enums::Region;

use super::rules::PhoneRules;

/// One region's mobile numbers.
struct Plan {
    region: Region,
    country_code: &'static str,
    /// Of each node: where each digit leads. A number begins at node 1; node 0 is where no number goes on.
    nodes: &'static [[u16; 10]],
    /// Of each node: whether a number may end there.
    ends: &'static [bool],
}

/// The plans of the regions that `conf/*.toml` name, without those that share a country code.
static PLANS: &[Plan] = include!(concat!(env!("OUT_DIR"), "/plain_numbers.rs"));

/// No number has more digits (E.164).
const LONGEST: usize = 15;

/// The E.164 spelling of a mobile number of an allowed region, if it is one beyond doubt.
pub(super) fn read(text: &str, rules: &PhoneRules) -> Option<String> {
    let (is_international, text) = match text.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut buffer = [0; LONGEST];
    let digits = digits(text, &mut buffer)?;
    let (plan, national) = if is_international {
        PLANS.iter().find_map(|plan| Some((plan, digits.strip_prefix(plan.country_code)?)))?
    } else {
        (PLANS.iter().find(|plan| plan.region == rules.default_region)?, digits)
    };
    let is_good = rules.allowed_regions.contains(&plan.region) && plan.has(national);
    is_good.then(|| ["+", plan.country_code, national].concat())
}

/// The region of a number in E.164.
pub(super) fn region_of(e164: &str) -> Option<Region> {
    let plan = PLANS.iter().find(|plan| e164.get(1..).is_some_and(|digits| digits.starts_with(plan.country_code)));
    plan.map(|plan| plan.region)
}

impl Plan {
    fn has(&self, national: &str) -> bool {
        let end = national.bytes().try_fold(1, |node, digit| {
            let next = *self.nodes.get(node)?.get(usize::from(digit.wrapping_sub(b'0')))?;
            (next != 0).then_some(usize::from(next))
        });
        end.is_some_and(|node| self.ends.get(node) == Some(&true))
    }
}

/// Digits, with at most one space or hyphen between any two.
fn digits<'a>(text: &str, buffer: &'a mut [u8; LONGEST]) -> Option<&'a str> {
    let mut count = 0;
    let mut may_part = false;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => {
                *buffer.get_mut(count)? = byte;
                count += 1;
                may_part = true;
            }
            b' ' | b'-' if may_part => may_part = false,
            _ => return None,
        }
    }
    // The last one is a digit.
    if may_part { std::str::from_utf8(&buffer[..count]).ok() } else { None }
}

#[cfg(test)]
#[path = "../../../build/plain.rs"]
mod build;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use proptest::test_runner::{RngAlgorithm, TestRng};
    use prost::Message;
    use rlibphonenumber::{
        PHONE_NUMBER_UTIL, PhoneMetadata, PhoneMetadataCollection, PhoneNumberFormat, PhoneNumberType,
    };

    use super::*;
    use crate::models::params::Rules;
    use crate::models::phone::Phone;

    fn all_plans() -> Vec<PhoneMetadata> {
        let file = std::fs::read(env!("BADGE_ALL_PLANS")).unwrap();
        PhoneMetadataCollection::decode(&*file).unwrap().metadata
    }

    /// Numbers that the automaton accepts: at least one for each of its steps.
    fn numbers(plan: &build::Plan, random: &mut impl FnMut(usize) -> usize) -> Vec<String> {
        let nodes = plan.nodes.len();
        let mut numbers = Vec::new();
        for from in 1..nodes {
            for digit in (0..10).filter(|digit| plan.nodes[from][*digit] != 0) {
                let before = way_to(plan, from, random);
                let (mut number, mut node) = (format!("{before}{digit}"), usize::from(plan.nodes[from][digit]));
                while !plan.ends[node] || random(4) == 0 {
                    let open: Vec<_> = (0..10).filter(|digit| plan.nodes[node][*digit] != 0).collect();
                    if open.is_empty() {
                        break;
                    }
                    let digit = open[random(open.len())];
                    number += &digit.to_string();
                    node = plan.nodes[node][digit].into();
                }
                numbers.push(number);
            }
        }
        numbers
    }

    /// Digits that lead to a node.
    fn way_to(plan: &build::Plan, node: usize, random: &mut impl FnMut(usize) -> usize) -> String {
        if node == 1 {
            return String::new();
        }
        let steps: Vec<_> = (1..plan.nodes.len())
            .flat_map(|from| (0..10).map(move |digit| (from, digit)))
            .filter(|(from, digit)| usize::from(plan.nodes[*from][*digit]) == node)
            .collect();
        let (from, digit) = steps[random(steps.len())];
        format!("{}{digit}", way_to(plan, from, random))
    }

    /// What the library, with all its plans, makes of a text: region and E.164 of a mobile number.
    fn of_library(text: &str, default: Region) -> Option<(Region, String)> {
        let number = PHONE_NUMBER_UTIL.parse(text, Some(default)).ok()?;
        let is_mobile = matches!(
            PHONE_NUMBER_UTIL.get_number_type(&number),
            PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile
        );
        let is_good = is_mobile && number.extension.is_none() && PHONE_NUMBER_UTIL.is_valid_number(&number);
        let region = PHONE_NUMBER_UTIL.get_region_for_number(&number)?;
        is_good.then(|| (region, PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned()))
    }

    /// Lets the library judge what the automaton of a plan accepts, in both spellings. Gives how many numbers it judged.
    fn agree(plan: &PhoneMetadata, most: usize, random: &mut impl FnMut(usize) -> usize) -> usize {
        let region = Region::try_from(&*plan.id).unwrap();
        let automaton = build::Plan::new(plan).unwrap();
        let mut numbers = numbers(&automaton, random);
        while numbers.len() > most {
            numbers.swap_remove(random(numbers.len()));
        }
        for number in &numbers {
            let e164 = format!("+{}{number}", automaton.country_code);
            for text in [number, &e164] {
                assert_eq!(of_library(text, region), Some((region, e164.clone())), "{text} of {}", plan.id);
            }
        }
        numbers.len()
    }

    fn chance() -> impl FnMut(usize) -> usize {
        let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        move |below| random.random_range(0..below)
    }

    #[test]
    fn the_library_agrees_for_every_step_of_the_served_plans() {
        let served = env!("BADGE_REGIONS").split(',').collect::<BTreeSet<_>>();
        for plan in all_plans().iter().filter(|plan| served.contains(&*plan.id)) {
            assert!(agree(plan, usize::MAX, &mut chance()) > 50);
        }
    }

    #[test]
    fn the_library_agrees_in_every_region_that_a_stage_could_serve() {
        let plans = all_plans();
        // Numbers of no region, of satellites for instance, are listed as those of 001.
        let alone = |plan: &&PhoneMetadata| {
            plan.id != "001" && plans.iter().filter(|other| other.country_code() == plan.country_code()).count() == 1
        };
        let checked = plans.iter().filter(alone).map(|plan| agree(plan, 25, &mut chance())).filter(|count| *count > 0);
        assert!(checked.count() > 150, "few regions have an automaton that accepts anything");
    }

    #[test]
    #[expect(deprecated, reason = "the library's own wrapper leaves it empty; what is decoded from its file has it")]
    fn numbers_that_begin_with_a_front_are_left_to_the_library() {
        let mut plan = all_plans().into_iter().find(|plan| plan.id == "CN").unwrap();
        // As the library's file writes it: anchored at both ends.
        plan.international_prefix = Some("^(?:138)$".to_owned());
        let automaton = build::Plan::new(&plan).unwrap();
        let numbers = numbers(&automaton, &mut chance());
        assert!(numbers.len() > 50 && !numbers.iter().any(|number| number.starts_with("138")));
    }

    #[test]
    fn ordinary_numbers_take_this_way() {
        let rules = Rules::sample().phone;
        for text in ["13800138000", "+8613800138000", "138 0013 8000", "138-0013-8000", "+86 138 0013 8000"] {
            assert_eq!(read(text, &rules).as_deref(), Some("+8613800138000"), "{text}");
        }
    }

    #[test]
    fn a_region_is_that_of_the_country_code() {
        for (e164, region) in
            [("+8613800138000", Some(Region::CN)), ("+4915112345678", None), ("8613800138000", None), ("", None)]
        {
            assert_eq!(region_of(e164), region, "{e164}");
        }
    }

    #[test]
    fn all_else_is_left_to_the_library() {
        let rules = Rules::sample().phone;
        for text in [
            "",
            "+",
            "1",
            "138001380000",
            "1380013800",
            "+86",
            "+8601065529988",
            "01065529988",
            "8613800138000",
            "008613800138000",
            "+1 415 555 2671",
            "138  0013 8000",
            "138 -0013 8000",
            " 13800138000",
            "13800138000 ",
            "+ 8613800138000",
            "++8613800138000",
            "１３８００１３８０００",
            "13800138000;ext=5",
            "13800138000x5",
        ] {
            assert_eq!(read(text, &rules), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_here_is_what_the_library_reads(text in r"\+?(86)?[ -]?1[0-9 -]{8,13}") {
            let rules = Rules::sample().phone;
            if let Some(e164) = read(&text, &rules) {
                let phone = Phone::parse_by_library(&text, &rules).ok();
                prop_assert_eq!(phone.as_ref().map(Phone::e164), Some(e164.as_str()));
            }
        }
    }
}
