//! Makes a small automaton of a numbering plan: it knows the plan's mobile numbers, written without anything else.
//!
//! A plan is a handful of patterns. Together they are one automaton over digits, which this walks once for each number
//! of digits, so that all of a plan's rules (patterns, lengths, which kind goes before which) become one table of steps.
//! It is asked first, and the library only where it does not accept (`src/models/phone/plain.rs`). So it may refuse too much, and
//! must never accept what the library refuses or takes for another number; `src/models/phone/plain.rs` tests that.

use std::collections::HashMap;
use std::error::Error;

use regex_automata::dfa::Automaton;
use regex_automata::dfa::StartKind;
use regex_automata::dfa::dense::{self, DFA};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use rlibphonenumber::{PhoneMetadata, PhoneNumberDesc};

/// No number has more digits (E.164).
const LONGEST: usize = 15;

/// A node's number, and those of its ten next ones.
pub(crate) type Node = u16;

/// The automaton of one plan. A number begins at node 1; node 0 is where no number goes on.
#[derive(Debug)]
pub(crate) struct Plan {
    /// As `1`, or `86`.
    pub(crate) country_code: String,
    /// Of each node: where each digit leads.
    pub(crate) nodes: Vec<[Node; 10]>,
    /// Of each node: whether a number may end there.
    pub(crate) ends: Vec<bool>,
}

impl Plan {
    /// The plan of a region that has its country code for itself; where regions share one, which region a number is of is
    /// the library's to tell.
    pub(crate) fn new(of: &PhoneMetadata) -> Result<Self, Box<dyn Error>> {
        let country_code = of.country_code().to_string();
        let walk = Walk::new(of, &country_code)?;
        let mut plan = Self { country_code, nodes: vec![[0; 10]; 2], ends: vec![false; 2] };
        let start = walk.patterns.start_state_forward(&Input::new("").anchored(Anchored::Yes))?;
        let (nodes, _) = walk.node(start, 0, &mut plan, &mut HashMap::new(), &mut HashMap::new())?.unwrap_or_default();
        plan.nodes[1] = nodes;
        Ok(plan)
    }
}

/// The patterns, in the order in which [`is_mobile`] asks for them.
struct Walk {
    patterns: DFA<Vec<u32>>,
    /// Of each pattern that is of a kind of number: how many digits it has; empty for any.
    lengths: Vec<Vec<i32>>,
    are_mobile_and_fixed_line_one: bool,
}

type Steps = ([Node; 10], bool);

impl Walk {
    #[expect(
        deprecated,
        reason = "the library's own wrapper leaves these empty; what is decoded from its file has them"
    )]
    fn new(of: &PhoneMetadata, country_code: &str) -> Result<Self, Box<dyn Error>> {
        let kinds: [&Option<PhoneNumberDesc>; 11] = [
            &of.mobile,
            &of.general_desc,
            &of.fixed_line,
            &of.premium_rate,
            &of.toll_free,
            &of.shared_cost,
            &of.voip,
            &of.personal_number,
            &of.pager,
            &of.uan,
            &of.voicemail,
        ];
        let none = PhoneNumberDesc::default();
        let kinds = kinds.map(|kind| kind.as_ref().unwrap_or(&none));
        let mut patterns: Vec<String> = Vec::new();
        for kind in kinds {
            // A kind without a pattern has no numbers.
            let pattern = Some(kind.national_number_pattern()).filter(|pattern| !pattern.is_empty());
            patterns.push(format!("(?:{})\\z", pattern.unwrap_or("[^0-9]")));
        }
        // What the library would take off the front, or for a code: numbers that begin so are left to it. The patterns of
        // the library's file are anchored at both ends, so they match where exactly the front has been read.
        for prefix in
            [of.international_prefix(), of.national_prefix(), of.national_prefix_for_parsing(), country_code, "0"]
        {
            patterns.push(format!("(?:{})\\z", if prefix.is_empty() { "[^0-9]" } else { prefix }));
        }
        let patterns = dense::Builder::new()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .configure(dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored))
            .build_many(&patterns)?;
        Ok(Self {
            patterns,
            lengths: kinds.iter().map(|kind| kind.possible_length.clone()).collect(),
            are_mobile_and_fixed_line_one: of.same_mobile_and_fixed_line_pattern(),
        })
    }

    /// The steps from `state`, which is `depth` digits into a number, and whether one may end there; `None` if no number
    /// goes on. Nodes with the same steps are one.
    fn node(
        &self,
        state: StateID,
        depth: usize,
        plan: &mut Plan,
        known: &mut HashMap<(StateID, usize), Node>,
        same: &mut HashMap<Steps, Node>,
    ) -> Result<Option<Steps>, Box<dyn Error>> {
        let matched = self.matched(state, depth)?;
        // One of length 0 takes nothing off.
        if depth > 0 && matched[self.lengths.len()..].contains(&true) {
            return Ok(None);
        }
        let mut steps = [0; 10];
        if depth < LONGEST && !self.patterns.is_dead_state(state) {
            for (digit, step) in (b'0'..=b'9').zip(&mut steps) {
                let next = self.patterns.next_state(state, digit);
                if let Some(node) = known.get(&(next, depth + 1)) {
                    *step = *node;
                    continue;
                }
                let node = match self.node(next, depth + 1, plan, known, same)? {
                    None => 0,
                    Some(steps) => number_of(steps, plan, same)?,
                };
                known.insert((next, depth + 1), node);
                *step = node;
            }
        }
        let is_end = self.is_mobile(&matched);
        Ok((is_end || steps != [0; 10]).then_some((steps, is_end)))
    }

    /// Whether each pattern matches the digits so far, in full.
    fn matched(&self, state: StateID, depth: usize) -> Result<[bool; 16], Box<dyn Error>> {
        let end = self.patterns.next_eoi_state(state);
        let mut matched = [false; 16];
        if self.patterns.is_match_state(end) {
            for index in 0..self.patterns.match_len(end) {
                let pattern = self.patterns.match_pattern(end, index).as_usize();
                let lengths = self.lengths.get(pattern).map_or(&[][..], |lengths| lengths);
                matched[pattern] = lengths.is_empty() || lengths.contains(&i32::try_from(depth)?);
            }
        }
        Ok(matched)
    }

    /// Whether the library would call such a number mobile, or fixed-line or mobile.
    fn is_mobile(&self, matched: &[bool; 16]) -> bool {
        let [is_mobile, is_general, is_fixed_line, others @ ..] = matched;
        let is_kind = if self.are_mobile_and_fixed_line_one { is_fixed_line } else { is_mobile };
        *is_kind && *is_general && !others.contains(&true)
    }
}

/// The node with those steps; a new one if there is none.
fn number_of(steps: Steps, plan: &mut Plan, same: &mut HashMap<Steps, Node>) -> Result<Node, Box<dyn Error>> {
    if let Some(node) = same.get(&steps) {
        return Ok(*node);
    }
    let node = Node::try_from(plan.nodes.len())?;
    plan.nodes.push(steps.0);
    plan.ends.push(steps.1);
    same.insert(steps, node);
    Ok(node)
}
