//! The scripts of `infra/deploy` and `infra/dev`: what they refuse, and how a rollback works. `aws` is a script that
//! stores aliases in files, because these tests are about the order of calls.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::write_program;
use tempfile::TempDir;

#[path = "setup/deployment.rs"]
mod deployment;

/// A stand-in for `aws`: aliases and objects are files; there is nothing else. `THROTTLED` names a function whose alias does not
/// move.
const AWS: &str = r#"#!/bin/sh
option() { while [ $# -gt 1 ]; do [ "$1" != "$OPTION" ] || echo "$2"; shift; done; }
function=$(OPTION=--function-name option "$@")
name=$(OPTION=--name option "$@")
object=$ALIASES/$(OPTION=--key option "$@" | tr / _)
case "$1 $2" in
"sts get-caller-identity")
    case "$*" in *json*) echo '{"Arn": "arn:aws:iam::000000000000:user/ann"}' ;; *) echo 000000000000 ;; esac ;;
"cloudformation list-stack-resources") printf 'badge-test-a\nbadge-test-b\n' ;;
"lambda get-alias") cat "$ALIASES/$function.$name" ;;
"lambda update-alias")
    [ "$function" != "${THROTTLED-}" ] || { echo 'TooManyRequestsException: Rate exceeded' >&2; exit 254; }
    [ -f "$ALIASES/$function.$name" ] || { echo 'ResourceNotFoundException: no such alias' >&2; exit 254; }
    OPTION=--function-version option "$@" >"$ALIASES/$function.$name" ;;
"lambda create-alias") OPTION=--function-version option "$@" >"$ALIASES/$function.$name" ;;
"s3api head-bucket") ;;
"s3api put-object")
    case "$*" in *--if-none-match*) [ ! -f "$object" ] || { echo PreconditionFailed >&2; exit 254; } ;; esac
    cp "$(OPTION=--body option "$@")" "$object" ;;
"s3api get-object") cp "$object" "$9" 2>/dev/null && echo '{"ETag": "tag"}' ;;
"s3api delete-object") rm -f "$object" ;;
"s3api list-objects-v2")
    cd "$ALIASES" && ls | sed -n 's|^releases_test_\(release-.*\)|{"Key": "releases/test/\1"}|p' | paste -sd, - | sed 's|.*|{"Contents": [&]}|' ;;
*) echo "not played: $*" >&2; exit 1 ;;
esac
"#;

/// A copy of the scripts and settings, with its own `aws`.
struct Setup(TempDir);

impl Setup {
    fn new(aws: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for part in ["infra/deploy", "infra/dev", "conf", "functions/api/login", "bin", "aliases"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        for part in ["infra/deploy", "infra/dev", "conf"] {
            for file in fs::read_dir(root.join(part)).unwrap().flatten().filter(|file| file.path().is_file()) {
                fs::copy(file.path(), folder.path().join(part).join(file.file_name())).unwrap();
            }
        }
        write_program(&folder.path().join("bin/aws"), aws);
        Self(folder)
    }

    fn run(&self, script: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("PATH=$PWD/bin:$PATH; export PATH; {script}")).current_dir(self.0.path());
        for ours in
            ["STAGE", "FN", "TO", "LOCKED", "PHONE", "CONFIRM", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"]
        {
            command.env_remove(ours);
        }
        command.env("ALIASES", self.0.path().join("aliases"));
        command.envs(variables.iter().copied()).output().unwrap()
    }

    fn refusal(&self, script: &str, variables: &[(&str, &str)]) -> String {
        let output = self.run(&format!("infra/deploy/{script}"), variables);
        assert!(!output.status.success(), "{script} {variables:?} was not refused");
        String::from_utf8(output.stderr).unwrap()
    }

    fn set(&self, alias: &str, version: &str) {
        fs::write(self.0.path().join("aliases").join(alias), format!("{version}\n")).unwrap();
    }

    fn alias(&self, alias: &str) -> String {
        fs::read_to_string(self.0.path().join("aliases").join(alias)).unwrap_or_default().trim().to_owned()
    }
}

const ON_TEST: [(&str, &str); 2] = [("STAGE", "test"), ("AWS_REGION", "us-east-1")];

const VERBS: [&str; 10] = [
    "deploy.sh",
    "push.sh",
    "rollback.sh",
    "releases.sh",
    "logs.sh",
    "outputs.sh",
    "destroy.sh",
    "drill.sh",
    "restore_user.sh",
    "sms_key.sh",
];

#[test]
fn a_verb_without_a_stage_says_how_to_name_one() {
    let setup = Setup::new(AWS);
    for verb in VERBS {
        let name = verb.trim_end_matches(".sh").replace('_', "-");
        for stage in ["", "local"] {
            assert!(setup.refusal(verb, &[("STAGE", stage)]).contains(&format!("type: make {name}")), "{verb}");
        }
        let refusal = setup.refusal(verb, &[("STAGE", "nowhere")]);
        assert!(refusal.contains("write conf/nowhere.toml"), "{refusal}");
    }
}

#[test]
fn a_verb_without_what_it_is_about_says_so() {
    let setup = Setup::new(AWS);
    for (verb, variables, sentence) in [
        ("push.sh", &[("STAGE", "test")][..], "type: make push FN=login STAGE=test"),
        ("push.sh", &[("STAGE", "test"), ("FN", "logn")], "there is no function logn"),
        ("admin.sh", &[("STAGE", "test")], "type it whole: make admin"),
        ("admin.sh", &[("CHANGE", "end_sessions")], "type it whole: make end-sessions"),
        ("admin.sh", &[("STAGE", "nowhere"), ("PHONE", "+8613800138000")], "write conf/nowhere.toml"),
        ("admin.sh", &[("PHONE", "+8613800138000"), ("PORT", "1")], "no emulator listens on http://127.0.0.1:1"),
        ("admin.sh", &[("STAGE", "test"), ("PHONE", "13800138000")], "type it whole"),
        ("restore_user.sh", &[("STAGE", "test")], "type it whole"),
        ("restore_user.sh", &[("STAGE", "test"), ("PHONE", "+8613800138000")], "FROM=badge-test-users-restored"),
        ("destroy.sh", &[("STAGE", "prod")], "CONFIRM=badge-prod"),
        ("destroy.sh", &[("STAGE", "prod"), ("CONFIRM", "yes")], "CONFIRM=badge-prod"),
        ("deploy.sh", &[("STAGE", "test")], "type: export AWS_REGION="),
        ("outputs.sh", &[("STAGE", "test")], "type: export AWS_REGION="),
    ] {
        let refusal = setup.refusal(verb, variables);
        assert!(refusal.contains(sentence), "{verb} {variables:?}: {refusal}");
    }
}

#[test]
fn settings_that_a_deployment_cannot_use_are_refused_before_it_begins() {
    let setup = Setup::new(AWS);
    let file = setup.0.path().join("conf/test.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, settings.replace("provider = \"sns\"", "provider = \"http\"")).unwrap();
    let refusal = setup.refusal("deploy.sh", &[("STAGE", "test")]);
    assert!(refusal.contains("sms_url under [deploy]"), "{refusal}");
    fs::write(&file, settings.replace("protected = false", "protect = true")).unwrap();
    let refusal = setup.refusal("deploy.sh", &[("STAGE", "test")]);
    assert!(refusal.contains("no setting protect; there are:"), "{refusal}");
    fs::write(&file, settings.replace("protected = false", "protected = true")).unwrap();
    let refusal = setup.refusal("destroy.sh", &[("STAGE", "test")]);
    assert!(refusal.contains("CONFIRM=badge-test"), "{refusal}");
}

#[test]
fn nothing_is_done_without_credentials() {
    let setup = Setup::new("#!/bin/sh\necho 'Unable to locate credentials' >&2\nexit 253\n");
    for verb in ["deploy.sh", "rollback.sh", "outputs.sh", "logs.sh", "destroy.sh"] {
        let variables = [("STAGE", "prod"), ("CONFIRM", "badge-prod"), ("AWS_REGION", "us-east-1")];
        let refusal = setup.refusal(verb, &variables);
        assert!(
            refusal.contains("Unable to locate credentials") && refusal.contains("AWS_PROFILE"),
            "{verb}: {refusal}"
        );
    }
}

#[test]
fn a_name_that_rust_or_cargo_reserves_is_refused_with_the_reason() {
    let setup = Setup::new(AWS);
    for (reason, names) in [
        ("is a keyword of Rust", &["fn", "match", "self", "async", "gen", "union"][..]),
        ("is a crate of Rust's own", &["std", "core", "test", "proc_macro"]),
        ("is a folder of Cargo's", &["deps", "build"]),
        ("is a device of Windows", &["nul", "com1"]),
        ("lowercase letters", &["Ping", "a__b", "1a"]),
    ] {
        for name in names {
            for what in [format!("endpoint {name} GET /x"), format!("job {name} 'rate(1 hour)'")] {
                let output = setup.run(&format!("python3 infra/dev/scaffold.py {what}"), &[]);
                let refusal = String::from_utf8(output.stderr).unwrap();
                assert!(!output.status.success() && refusal.contains(reason), "{what}: {refusal}");
            }
        }
    }
}

#[test]
fn a_key_that_the_provider_has_given_is_not_rotated() {
    let setup = Setup::new(AWS);
    let file = setup.0.path().join("conf/test.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, settings.replace("provider = \"sns\"", "provider = \"aliyun\"")).unwrap();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/venv/bin/python");
    let script = format!("PYTHONDONTWRITEBYTECODE=1 '{}' infra/deploy/rotate.py test sms", python.display());
    let output = setup.run(&script, &[("AWS_REGION", "us-east-1")]);
    let refusal = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && refusal.contains("its key is of aliyun"), "{refusal}");
}

#[test]
fn keys_are_not_rotated_without_a_region_or_credentials() {
    let setup = Setup::new(AWS);
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/venv/bin/python");
    let script = format!("PYTHONDONTWRITEBYTECODE=1 '{}' infra/deploy/rotate.py test", python.display());
    let nobody = [
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    for (region, sentence) in [("", "type: export AWS_REGION="), ("us-east-1", "set AWS_PROFILE")] {
        let mut variables = nobody.to_vec();
        variables.extend([("AWS_REGION", region), ("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")]);
        let output = setup.run(&script, &variables);
        let refusal = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && refusal.contains(sentence) && refusal.lines().count() == 1, "{refusal}");
    }
}

#[test]
fn what_is_packed_starts_on_lambda_and_is_the_same_each_time() {
    let setup = Setup::new(AWS);
    let built = setup.0.path().join("target/lambda/login");
    fs::create_dir_all(&built).unwrap();
    let pack = |binary: &[u8]| {
        fs::write(built.join("bootstrap"), binary).unwrap();
        let output = setup.run("python3 infra/deploy/pack.py", &[]);
        let zip = fs::read(setup.0.path().join("target/lambda/login.zip")).unwrap_or_default();
        (output.status.success(), String::from_utf8(output.stderr).unwrap(), zip)
    };
    let (is_packed, _, zip) = pack(b"GLIBC_2.17 GLIBC_2.34");
    assert!(is_packed);
    assert!(zip.windows(15).any(|name| name == b"conf/local.json"), "settings lie beside the function");
    assert_eq!(pack(b"GLIBC_2.17 GLIBC_2.34").2, zip);
    assert!(built.join("conf/local.json").is_file(), "and in its folder, for `sam deploy`");
    let (is_packed, refusal, _) = pack(b"GLIBC_2.34 GLIBC_2.38");
    assert!(!is_packed && refusal.contains("needs glibc 2.38"), "{refusal}");
}

/// A stand-in for `aws` with a restored table, which has one user; what is written is stored in a file.
const AWS_WITH_A_COPY: &str = r#"#!/bin/sh
case "$*" in
"sts get-caller-identity"*) echo 000000000000 ;;
"dynamodb get-item --table-name restored --key {\"phone\": {\"S\": \"+8613800138000\"}}"*) echo '{"phone": {"S": "+8613800138000"}}' ;;
"dynamodb get-item --table-name restored"*) echo null ;;
"dynamodb put-item --table-name badge-test-users"*) cp "${6#file://}" "$ALIASES/written"; echo "$6" >"$ALIASES/file" ;;
*) echo "not played: $*" >&2; exit 1 ;;
esac
"#;

#[test]
fn a_user_is_restored_from_a_copy_of_the_table_and_nothing_stays_behind() {
    let setup = Setup::new(AWS_WITH_A_COPY);
    let restore = |phone| {
        let variables = [("STAGE", "test"), ("AWS_REGION", "us-east-1"), ("PHONE", phone), ("FROM", "restored")];
        let output = setup.run("infra/deploy/restore_user.sh", &variables);
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (is_restored, says) = restore("+8613800138001");
    assert!(!is_restored && says.contains("restored has no user with that phone"), "{says}");
    assert_eq!(setup.alias("written"), "");
    let (is_restored, says) = restore("+8613800138000");
    assert!(is_restored && says.contains("make end-sessions PHONE=+8613800138000 STAGE=test"), "{says}");
    assert!(setup.alias("written").contains("+8613800138000"));
    let file = setup.alias("file");
    assert!(!Path::new(file.strip_prefix("file://").unwrap()).exists(), "{file}");
}

/// What `deny.sh` does with a cargo-deny whose database can be reached, or not.
fn deny(option: &str, has_database: bool) -> (bool, String) {
    let setup = Setup::new(AWS);
    let tools = setup.0.path().join("tools/bin");
    fs::create_dir_all(&tools).unwrap();
    let script = fs::read_to_string(setup.0.path().join("infra/dev/deny.sh")).unwrap();
    let version = script.lines().find_map(|line| line.strip_prefix("VERSION=")).unwrap();
    let program = format!(
        "#!/bin/sh\ncase $1 in --version) echo cargo-deny {version} ;; fetch) exit {} ;; *) echo \"$@\" >&2 ;; esac\n",
        i32::from(!has_database)
    );
    write_program(&tools.join("cargo-deny"), &program);
    let tools = setup.0.path().join("tools");
    let output = setup.run(&format!("infra/dev/deny.sh {option}"), &[("BADGE_TOOLS", tools.to_str().unwrap())]);
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_check_that_did_not_run_is_not_called_one() {
    for has_database in [true, false] {
        let (is_good, says) = deny("", has_database);
        assert!(is_good && says.contains("check --hide-inclusion-graph bans licenses sources"), "{says}");
        assert!(!says.contains("advisories"), "{says}");
    }
    let (is_good, says) = deny("--advisories", true);
    assert!(is_good && says.contains("check advisories"), "{says}");
    let (is_good, says) = deny("--advisories", false);
    assert!(!is_good && says.contains("no advisory was checked") && !says.contains("check advisories"), "{says}");
}
