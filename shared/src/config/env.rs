//! The environment: the only place that reads it.

use super::error::SettingError;

/// Who we are to AWS and where its services are. On Lambda the environment has all of it.
pub struct AwsEnv {
    /// `AWS_REGION`
    pub region: String,
    /// Who we are.
    pub credentials: Credentials,
    /// What is in the file that `AWS_CA_BUNDLE` names: certificates (PEM) of authorities to trust beside AWS's own, as
    /// AWS's tools read it (AWS SDKs and Tools Reference Guide, "Settings reference").
    pub authorities: Vec<u8>,
}

/// What a signature is made with. Neither `Debug` nor `Display`: nobody prints it.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`
    pub session_token: Option<String>,
}

impl AwsEnv {
    /// Reads the variables that Lambda sets.
    ///
    /// # Errors
    /// The first one that is not there, or cannot work.
    pub fn load() -> Result<Self, SettingError> {
        Ok(Self {
            region: needed("AWS_REGION")?,
            credentials: Credentials {
                access_key_id: needed("AWS_ACCESS_KEY_ID")?,
                secret_access_key: needed("AWS_SECRET_ACCESS_KEY")?,
                session_token: given("AWS_SESSION_TOKEN"),
            },
            authorities: authorities("AWS_CA_BUNDLE")?,
        })
    }
}

/// The address of a service, when it is not the public one: the variable `AWS_ENDPOINT_URL_<SERVICE>`, as AWS's own SDKs
/// and tools read it (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
#[must_use]
pub fn endpoint_url(variable: &'static str) -> Option<String> {
    given(variable)
}

/// How this function logs: Lambda's `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT`, where they are set.
#[must_use]
pub fn log_settings() -> (Option<String>, Option<String>) {
    (given("AWS_LAMBDA_LOG_LEVEL"), given("AWS_LAMBDA_LOG_FORMAT"))
}

/// The name of the stage, as it is set; `Config::load` refuses one that cannot be.
#[must_use]
pub fn stage_name() -> String {
    given("STAGE").unwrap_or_default()
}

/// The name of this function.
#[must_use]
pub fn function_name() -> String {
    given("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(super) fn given(name: &'static str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(super) fn needed(name: &'static str) -> Result<String, SettingError> {
    given(name).ok_or(SettingError::Unset(name))
}

/// What is in the file that the variable `name` names; nothing if it names none.
pub(super) fn authorities(name: &'static str) -> Result<Vec<u8>, SettingError> {
    let unreadable = |_| SettingError::Impossible { key: name, must: "must name a file that can be read" };
    given(name).map_or(Ok(Vec::new()), |path| std::fs::read(path).map_err(unreadable))
}

/// Runs `check` in a process of its own that has these variables: a process cannot set its own without `unsafe`. `test` is
/// the path of the test that calls.
#[cfg(test)]
pub(super) fn with_variables(test: &str, variables: &[(&str, &str)], check: impl FnOnce()) {
    const HAS_THEM: &str = "BADGE_TEST_HAS_VARIABLES";
    if given(HAS_THEM).is_some() {
        return check();
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test]).envs(variables.iter().copied()).env(HAS_THEM, "1");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    // A path that is no test's would pass without a check.
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A variable that every process has, and one that none has.
    const SET: &str = "PATH";
    const UNSET: &str = "BADGE_UNSET";

    #[test]
    fn a_variable_is_read_or_named_as_missing() {
        assert!(given(SET).unwrap().contains('/') && needed(SET).unwrap().contains('/'));
        assert_eq!(given(UNSET), None);
        assert!(matches!(needed(UNSET), Err(SettingError::Unset(UNSET))));
    }

    #[test]
    fn names_and_how_to_log_are_variables() {
        let variables = [
            ("STAGE", "test"),
            ("AWS_LAMBDA_FUNCTION_NAME", "badge-test-login"),
            ("AWS_LAMBDA_LOG_LEVEL", "DEBUG"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ];
        with_variables("config::env::tests::names_and_how_to_log_are_variables", &variables, || {
            assert_eq!((&*stage_name(), &*function_name()), ("test", "badge-test-login"));
            assert_eq!(log_settings(), (Some("DEBUG".to_owned()), Some("JSON".to_owned())));
        });
    }

    #[test]
    fn the_address_of_a_service_is_a_variable() {
        assert_eq!((endpoint_url(SET), endpoint_url(UNSET)), (given(SET), None));
    }

    #[test]
    fn authorities_are_in_a_file_that_can_be_read() {
        assert!(authorities(UNSET).unwrap().is_empty());
        assert!(matches!(authorities(SET), Err(SettingError::Impossible { key: SET, .. })));
    }
}
