//! House rules, kept by a test so that reviews are for ideas: the places of each endpoint agree, handlers stay
//! small. What rooms may import is held by `imports.rs`, what functions may do by `needs.rs`.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Yaml};

/// Lines that a handler's file may have.
const LONGEST_MAIN: usize = 30;
/// Lines that any file may have, unless its first lines say why it has more.
const LONGEST_FILE: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Names of the folders in a folder.
fn folders(path: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(path)).unwrap().flatten();
    entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Every file with that ending that belongs to the project.
fn files(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<_> = ["functions", "shared", "infra"].map(|name| root().join(name)).into();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The functions of the template: folder name, and the routes as `METHOD /path`.
fn template() -> Vec<(String, Vec<String>)> {
    let text = read("infra/template.yaml");
    let document = Yaml::load_from_str(&text).unwrap().remove(0);
    let resources = document.as_mapping_get("Resources").unwrap().as_mapping().unwrap();
    let functions = resources.values().filter(|one| {
        one.as_mapping_get("Type").and_then(Yaml::as_str).is_some_and(|kind| kind == "AWS::Serverless::Function")
    });
    functions
        .map(|function| {
            let properties = function.as_mapping_get("Properties").unwrap();
            let code = properties.as_mapping_get("CodeUri").unwrap().as_str().unwrap();
            let folder = code.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
            let events = properties.as_mapping_get("Events").and_then(Yaml::as_mapping);
            let routes = events.into_iter().flat_map(|events| events.values()).map(|event| {
                let text = |name| event.as_mapping_get("Properties")?.as_mapping_get(name)?.as_str();
                match (text("Method"), text("Path")) {
                    (Some(method), Some(path)) => format!("{method} {path}"),
                    _ => "$default".to_owned(),
                }
            });
            (folder, routes.collect())
        })
        .collect()
}

/// The operations of the API description: id, route, and whether anyone may call it.
fn operations() -> Vec<(String, String, bool)> {
    let text = read("docs/openapi.yaml");
    let document = Yaml::load_from_str(&text).unwrap().remove(0);
    let paths = document.as_mapping_get("paths").unwrap().as_mapping().unwrap();
    let mut found = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_mapping().unwrap() {
            let method = method.as_str().unwrap().to_uppercase();
            let id = operation.as_mapping_get("operationId").unwrap().as_str().unwrap();
            let is_open = operation.as_mapping_get("x-badge-open").and_then(Yaml::as_bool) == Some(true);
            let route = format!("{method} /{{stage}}/iwc/badge{}", path.as_str().unwrap());
            found.push((id.to_owned(), route, is_open));
        }
    }
    found
}

#[test]
fn every_function_has_a_folder_a_place_in_the_template_an_event_and_nothing_is_left_over() {
    let in_template: BTreeSet<_> = template().into_iter().map(|(folder, _)| folder).collect();
    let in_folders: BTreeSet<_> =
        folders("functions").iter().flat_map(|kind| folders(&format!("functions/{kind}"))).collect();
    assert_eq!(in_folders, in_template, "folders and template");
    let events = fs::read_dir(root().join("infra/local/events")).unwrap().map(|entry| entry.unwrap().path());
    let events: BTreeSet<_> = events.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(in_folders, events, "folders and infra/local/events");
}

#[test]
fn every_endpoint_has_its_route_its_description_and_its_tests() {
    let template = template();
    let operations = operations();
    let described: BTreeSet<_> = operations.iter().map(|(id, ..)| id.clone()).collect();
    let mut endpoints = folders("functions/api");
    assert!(endpoints.remove("fallback"));
    assert_eq!(endpoints, described, "folders and docs/openapi.yaml");
    let fallback = &template.iter().find(|(folder, _)| folder == "fallback").unwrap().1;
    assert!(fallback.contains(&"$default".to_owned()));
    for (id, route, _) in &operations {
        let routes = &template.iter().find(|(folder, _)| folder == id).unwrap().1;
        assert_eq!(routes.as_slice(), std::slice::from_ref(route), "template and docs/openapi.yaml");
        let any = format!("ANY {}", route.split_once(' ').unwrap().1);
        assert!(fallback.contains(&any), "the fallback does not take {any}, so wrong methods are 51404");
        assert!(root().join(format!("infra/local/tests/api/{id}.rs")).is_file(), "no tests of {id}");
    }
}

#[test]
fn who_may_enter_and_how_is_the_same_in_main_and_in_the_description() {
    for (id, route, is_open) in operations() {
        let main = read(format!("functions/api/{id}/src/main.rs"));
        let method = route.split_once(' ').unwrap().0;
        let accesses = ["Anyone", "SignedIn", "EndsSession"];
        let access = accesses.into_iter().find(|access| main.contains(&format!("http(Method::{method}, {access}, ")));
        assert!(access.is_some(), "{id}: main takes another method than {route}, or does not say who may enter");
        assert_eq!(access == Some("Anyone"), is_open, "{id}: x-badge-open and main disagree");
    }
}

#[test]
fn no_event_of_a_job_or_of_a_task_is_thrown_away() {
    let text = read("infra/template.yaml");
    for kind in ["jobs", "tasks"] {
        for name in folders(&format!("functions/{kind}")) {
            let from = text.find(&format!("CodeUri: ../target/lambda/{name}/")).unwrap();
            let block = text[from..].split("\n\n").next().unwrap();
            let queue = "!GetAtt FailedEventsQueue.Arn }";
            assert!(block.contains(&format!("OnFailure: {{ Type: SQS, Destination: {queue}")), "{name}: OnFailure");
            let schedules = block.matches("Type: ScheduleV2").count();
            let kept = block.matches(&format!("DeadLetterConfig: {{ Arn: {queue}")).count();
            assert_eq!(schedules, kept, "{name}: DeadLetterConfig");
        }
    }
}

#[test]
fn a_panic_unwinds_in_what_is_shipped() {
    let manifest = read("Cargo.toml");
    let release = manifest.split("\n[profile.release]\n").nth(1).unwrap().split("\n[").next().unwrap();
    assert!(release.lines().any(|line| line == "panic = \"unwind\""), "cargo-lambda makes it abort otherwise");
}

#[test]
fn handlers_fit_on_a_screen_and_use_shared_alone() {
    for kind in folders("functions") {
        for name in folders(&format!("functions/{kind}")) {
            let main = read(format!("functions/{kind}/{name}/src/main.rs"));
            assert!(main.lines().count() <= LONGEST_MAIN, "{name} has {} lines", main.lines().count());
            let manifest = read(format!("functions/{kind}/{name}/Cargo.toml"));
            let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split('[').next().unwrap();
            for dependency in dependencies.lines().filter(|line| !line.is_empty()) {
                let package = dependency.split(['.', ' ']).next().unwrap();
                assert!(matches!(package, "shared" | "serde" | "serde_json"), "{name} depends on {package}");
            }
        }
    }
}

#[test]
fn no_file_is_long_and_none_begins_without_saying_what_it_is_for() {
    for path in files("rs") {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} does not say what it is for", path.display());
        let says_why = text.lines().take(10).any(|line| line.contains("Longer than"));
        let lines = text.lines().count();
        assert!(lines <= LONGEST_FILE || says_why, "{} has {lines} lines", path.display());
        assert_ne!(path.file_name().unwrap(), "mod.rs");
        let ignored = concat!("#[", "ignore");
        assert!(!text.contains(ignored), "{} ignores a test", path.display());
    }
}

#[test]
fn every_crate_inherits_the_lints() {
    for path in files("toml").iter().filter(|path| path.ends_with("Cargo.toml")) {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{} has lints of its own", path.display());
        assert!(!text.contains("version = \""), "{} has a version of its own", path.display());
    }
}

#[test]
fn the_stage_does_not_know_the_service() {
    let manifest = read("infra/local/Cargo.toml");
    assert!(!manifest.contains("shared"), "infra/local depends on shared");
    for path in files("rs").iter().filter(|path| path.starts_with(root().join("infra/local"))) {
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains(concat!("use sha", "red")), "{} uses the service's crate", path.display());
    }
}

#[test]
fn there_is_one_tls_stack() {
    let lock = read("Cargo.lock");
    for package in ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "native-tls", "s2n-tls"] {
        assert!(
            !lock.contains(&format!("name = \"{package}\"")),
            "{package} is in Cargo.lock: find it by `cargo tree -i`"
        );
    }
}
