//! The languages that people are spoken to in.

use serde::{Deserialize, Serialize};

/// The language of a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Language {
    /// The default.
    #[default]
    #[serde(rename = "zh")]
    Chinese,
    /// For those who prefer it.
    #[serde(rename = "en")]
    English,
}
