//! What settings files can be.

use super::super::env::with_variables;
use super::*;

const LOCAL: &str = include_str!("../../../../conf/local.toml");
const TEST: &str = include_str!("../../../../conf/test.toml");
const PROD: &str = include_str!("../../../../conf/prod.toml");

fn parse(stage: &str, text: &str) -> Result<Config, String> {
    Config::parse(stage.to_owned(), text, Deployed::default()).map_err(|error| error.to_string())
}

fn refusal(stage: &str, text: &str) -> String {
    parse(stage, text).err().unwrap()
}

#[test]
fn keys_of_a_front_are_long() {
    let (one, other) = ("a".repeat(32), "b".repeat(64));
    assert_eq!(front_keys(None).unwrap(), [""; 0]);
    assert_eq!(front_keys(Some(&format!("{one} {other}"))).unwrap(), [one.clone(), other]);
    for text in ["k1", &one[1..], &format!("{one} none")] {
        assert!(front_keys(Some(text)).unwrap_err().to_string().contains("FRONT_KEYS"), "{text}");
    }
}

#[test]
fn the_three_files_are_right() {
    for (stage, text) in [("local", LOCAL), ("test", TEST), ("prod", PROD)] {
        assert!(parse(stage, text).is_ok(), "{stage}: {:?}", parse(stage, text).err());
    }
}

/// The keys of a table and those below it, each with its path; those of `[deploy]` are not the service's.
fn keys(path: &str, value: &toml::Value, found: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => {
            let inner = table.iter().filter(|(key, _)| *key != "deploy");
            inner.for_each(|(key, value)| keys(format!("{path}.{key}").trim_start_matches('.'), value, found));
        }
        toml::Value::Array(values) if values.iter().any(toml::Value::is_table) => {
            for value in values {
                keys(path, value, found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn the_page_of_settings_has_every_key_and_no_other() {
    const PAGE: &str = include_str!("../../../../docs/settings.md");
    let cells = PAGE.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let listed: Vec<_> = cells.flat_map(|cell| cell.split(',')).map(|key| key.trim().trim_matches('`')).collect();
    let mut there = Vec::new();
    for text in [LOCAL, TEST, PROD, "sms.aliyun.endpoint = 1\nsms.tencent = { endpoint = 1, region = 1, app_id = 1 }"] {
        keys("", &toml::from_str(text).unwrap(), &mut there);
    }
    let is_of = |key: &str, listed: &str| key == listed || key.starts_with(&format!("{listed}."));
    for key in &there {
        assert!(listed.iter().any(|listed| is_of(key, listed)), "{key}");
    }
    for listed in listed {
        assert!(there.iter().any(|key| is_of(key, listed)), "{listed}");
    }
}

#[test]
fn the_stage_is_local_by_its_name_and_has_the_days_of_its_file() {
    for (stage, text, is_local) in [("local", LOCAL, true), ("test", TEST, false), ("prod", PROD, false)] {
        let config = parse(stage, text).unwrap();
        assert_eq!((config.is_local(), config.restore_time().as_hours()), (is_local, 360), "{stage}");
    }
}

#[test]
fn what_was_not_deployed_is_named() {
    let names = |deployed| {
        let config = Config::parse("local".to_owned(), LOCAL, deployed).unwrap();
        let all = [
            config.users_table(),
            config.runs_table(),
            config.audit_table(),
            config.sms_url(),
            config.function_prefix(),
        ];
        all.map(|name| name.map_or_else(|error| error.to_string(), str::to_owned))
    };
    let of = |name: &str| Some(name.to_owned());
    let deployed = Deployed {
        users_table: of("a"),
        runs_table: of("b"),
        audit_table: of("c"),
        sms_url: of("d"),
        function_prefix: of("e"),
        ..Deployed::default()
    };
    assert_eq!(names(deployed), ["a", "b", "c", "d", "e"]);
    let unset = ["USERS_TABLE", "RUNS_TABLE", "AUDIT_TABLE", "SMS_URL", "FUNCTION_PREFIX"];
    assert_eq!(names(Deployed::default()), unset.map(|name| format!("the variable {name} is not set")));
}

#[test]
fn the_stage_its_folder_and_its_cache_are_variables() {
    let variables = [
        ("STAGE", "test"),
        ("LAMBDA_TASK_ROOT", concat!(env!("CARGO_MANIFEST_DIR"), "/..")),
        ("USERS_TABLE", "users"),
        ("CACHE_URL", "redis://cache.example:7000"),
    ];
    with_variables("config::settings::tests::the_stage_its_folder_and_its_cache_are_variables", &variables, || {
        let config = Config::load().map_err(|error| error.to_string()).unwrap();
        assert_eq!((&*config.stage, config.users_table().ok()), ("test", Some("users")));
        assert_eq!(config.cache_address().ok(), Some(("cache.example".to_owned(), 7000)));
    });
}

/// As `infra/deploy/pack.py` writes them.
#[test]
fn settings_of_a_package_are_read_too_and_their_faults_have_a_line() {
    for (stage, text) in [("local", LOCAL), ("test", TEST), ("prod", PROD)] {
        let packed = format!("{:#}", toml::from_str::<serde_json::Value>(text).unwrap());
        assert!(File::of_json(stage, &packed).is_ok(), "{stage}");
        let refusal = File::of_json(stage, &packed.replace("\"tries\": 5", "\"trys\": 5")).err().unwrap().to_string();
        let file = format!("conf/{stage}.json: line ");
        assert!(refusal.starts_with(&file) && refusal.contains(" (trys): unknown field `trys`"), "{refusal}");
    }
}

#[test]
fn a_stage_that_could_leave_the_folder_is_refused_before_its_file_is_looked_for() {
    let variables = [("STAGE", "../local"), ("LAMBDA_TASK_ROOT", "/")];
    with_variables(
        "config::settings::tests::a_stage_that_could_leave_the_folder_is_refused_before_its_file_is_looked_for",
        &variables,
        || assert!(matches!(Config::load(), Err(SettingError::StageName))),
    );
}

#[test]
fn epochs_are_kept_as_long_as_the_longest_lived_credential() {
    for (stage, text) in [("local", LOCAL), ("test", TEST), ("prod", PROD)] {
        assert_eq!(parse(stage, text).unwrap().longest_credential_secs(), 7_776_000, "{stage}");
    }
}

#[test]
fn an_unknown_key_stops_the_start_by_name() {
    assert!(refusal("prod", &format!("tiem_zone = \"x\"\n{PROD}")).contains("tiem_zone"));
}

#[test]
fn a_missing_key_stops_the_start_by_name() {
    assert!(refusal("prod", &PROD.replace("user_shards", "# user_shards")).contains("user_shards"));
}

#[test]
fn a_value_of_the_wrong_type_stops_the_start_by_name_and_is_not_shown() {
    let text = PROD.replace("ttl_secs = 86400", "ttl_secs = \"hunter2\"");
    let refusal = refusal("prod", &text);
    assert!(refusal.contains("ttl_secs") && !refusal.contains("hunter2"), "{refusal}");
}

#[test]
fn impossible_values_stop_the_start_by_name() {
    for (from, to, key) in [
        ("user_shards = 1", "user_shards = 17", "user_shards"),
        ("restore_days = 15", "restore_days = 0", "restore_days"),
        ("\"Asia/Shanghai\"", "\"Asia/Atlantis\"", "time_zone"),
        ("cookie_secure = true", "cookie_secure = false", "session.cookie_secure"),
        ("max_age_secs = 2592000", "max_age_secs = 86399", "session.max_age_secs"),
        ("cors_origins = []", "cors_origins = [\"*\"]", "http.cors_origins"),
        ("own_origins = []", "own_origins = [\"http://app.example\"]", "http.own_origins"),
        ("open_to = \"users\"", "open_to = \"everybody\"", "open_to"),
        ("tries = 5", "tries = 0", "veri_code.tries"),
        ("window = \"60s\"", "window = \"60\"", "limits"),
        ("CN = 0.045", "DE = 0.045", "sms.prices"),
        ("cache_prefix = \"iwc\"", "cache_prefix = \"{iwc}\"", "cache_prefix"),
        ("name = \"badge-prod\"", "name = \"Badge prod\"", "cache.name"),
        ("valkey = 8", "memcached = 1", "cache.engines"),
        ("snapshot_max_hours = 26", "snapshot_max_hours = 0", "cache.snapshot_max_hours"),
        ("keep_days = 180", "keep_days = 179", "audit.keep_days"),
    ] {
        assert!(PROD.contains(from), "{from}");
        let refusal = refusal("prod", &PROD.replace(from, to));
        assert!(refusal.contains(key), "{refusal}");
    }
}

const NUMBER: &str =
    "\n[[veri_code.test_numbers]]\nphone = \"13900000001\"\ncode = \"042424\"\nexpires = \"2026-12-31\"\n";

#[test]
fn production_with_a_test_number_refuses_to_start() {
    assert!(refusal("prod", &format!("{PROD}{NUMBER}")).contains("veri_code.test_numbers"));
}

#[test]
fn a_test_number_works_until_its_date() {
    let config = parse("test", &format!("{TEST}{NUMBER}")).unwrap();
    let phone = Phone::parse("+8613900000001", &config.phone).ok().unwrap();
    assert_eq!(config.veri_code.fixed_code(&phone, "2026-12-31".parse().unwrap()), Some("042424"));
    assert_eq!(config.veri_code.fixed_code(&phone, "2027-01-01".parse().unwrap()), None);
}

#[test]
fn a_test_number_without_a_date_is_refused() {
    let number = NUMBER.replace("expires", "# expires");
    assert!(refusal("test", &format!("{TEST}{number}")).contains("expires"));
}

#[test]
fn stage_names_cannot_leave_the_folder() {
    for name in ["../local", "Local", "", "1st", "a/b", "averyveryverylongname"] {
        assert!(!is_stage_name(name), "{name}");
    }
    assert!(is_stage_name("eu-test-2"));
}

#[test]
fn names_may_be_so_long_and_no_longer() {
    assert!(is_stage_name(&"a".repeat(16)) && !is_stage_name(&"a".repeat(17)));
    assert!(is_key_prefix(&"a".repeat(32)) && !is_key_prefix(&"a".repeat(33)) && !is_key_prefix(""));
    assert!(is_key_prefix("Iwc_1-a") && !is_key_prefix("i:c"));
}
