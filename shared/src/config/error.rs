//! What is wrong with a setting.

/// A setting that stops the cold start. Says which, never its value.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// A variable of the environment that is not there.
    #[error("the variable {0} is not set")]
    Unset(&'static str),
    /// The name of the stage could not be the name of a file.
    #[error("STAGE must be a lower-case letter followed by up to 15 lower-case letters, digits or hyphens")]
    StageName,
    /// The stage has no settings file.
    #[error("conf/{stage}.toml cannot be read: {cause}")]
    Unreadable {
        /// The stage.
        stage: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is not what it should be; the sentence names the key.
    #[error("conf/{file}: {sentence}")]
    Malformed {
        /// The name of the file.
        file: String,
        /// What the parser said, without the line it quotes.
        sentence: String,
    },
    /// A value that cannot work.
    #[error("{key} {must}")]
    Impossible {
        /// The key, with the tables it lies in.
        key: &'static str,
        /// What it must be.
        must: &'static str,
    },
}

impl SettingError {
    pub(super) fn malformed_toml(stage: &str, text: &str, cause: &toml::de::Error) -> Self {
        let at = cause.span().and_then(|span| text.get(..span.start)).map_or(0, |before| before.matches('\n').count());
        Self::malformed(format!("{stage}.toml"), text, at, cause.message())
    }

    pub(super) fn malformed_json(stage: &str, text: &str, cause: &serde_json::Error) -> Self {
        Self::malformed(format!("{stage}.json"), text, cause.line().saturating_sub(1), &cause.to_string())
    }

    /// The parser's sentence names an unknown or missing key, but not the key of a value of the wrong type: that is on
    /// the line that it points at, the first of which is 0. Only what stands before the `=` or `:` is shown.
    fn malformed(file: String, text: &str, at: usize, message: &str) -> Self {
        let line = text.lines().nth(at).unwrap_or_default();
        let key = line.split(['=', ':']).next().unwrap_or_default().trim().trim_matches('"');
        // What stands between quotes is a value; an unknown or missing key stands between backticks.
        let said: String =
            message.split('"').enumerate().map(|(at, part)| if at % 2 == 0 { part } else { "…" }).collect();
        Self::Malformed { file, sentence: format!("line {} ({key}): {said}", at + 1) }
    }
}

/// An error unless `is_possible`.
pub(super) fn require(is_possible: bool, key: &'static str, must: &'static str) -> Result<(), SettingError> {
    if is_possible { Ok(()) } else { Err(impossible(key, must)) }
}

pub(super) fn impossible(key: &'static str, must: &'static str) -> SettingError {
    SettingError::Impossible { key, must }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_file_is_told_by_its_line_and_key_and_never_by_a_value() {
        let text = "a = 1\n\nb = \"hunter2\" # hunter3\nc = 3\n";
        let cause = toml::from_str::<std::collections::BTreeMap<String, u8>>(text).unwrap_err();
        let of_toml = SettingError::malformed_toml("prod", text, &cause).to_string();
        let text = "{\n \"a\": 1,\n \"b\": \"hunter2\"\n}";
        let cause = serde_json::from_str::<std::collections::BTreeMap<String, u8>>(text).unwrap_err();
        let of_json = SettingError::malformed_json("prod", text, &cause).to_string();
        for (sentence, file) in [(of_toml, "prod.toml"), (of_json, "prod.json")] {
            assert!(sentence.starts_with(&format!("conf/{file}: line 3 (b): invalid type: ")), "{sentence}");
            assert!(!sentence.contains("hunter"), "{sentence}");
        }
    }
}
