//! House rules, held by a test: the places of each endpoint agree, handlers stay
//! small. What modules may import is held by `imports`, what functions may do by `needs.rs`.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use support::root;
use support::tree::{files, folders, functions, functions_of, main_of, read, rust, toml, yaml};

/// Lines of a function's `main.rs`.
const LONGEST_MAIN: usize = 30;
/// Lines of any file, unless its first lines say why it has more.
const LONGEST_FILE: usize = 400;
/// What functions may depend on.
const OF_FUNCTIONS: [&str; 3] = ["shared", "serde", "serde_json"];

/// The routes of a function in the template, as `METHOD /path`.
fn routes(function: &Value) -> Vec<String> {
    let events = function["Events"].as_object().into_iter().flat_map(|events| events.values());
    let apis = events.filter(|event| event["Type"] == "HttpApi");
    let route = |event: &Value| match (&event["Properties"]["Method"], &event["Properties"]["Path"]) {
        (Value::String(method), Value::String(path)) => format!("{method} {path}"),
        _ => "$default".to_owned(),
    };
    apis.map(route).collect()
}

/// The operations of the API description: id, route, and whether anyone may call it.
fn operations() -> Vec<(String, String, bool)> {
    let document = yaml("docs/openapi.yaml");
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let route = format!("{} /{{stage}}/iwc/badge{path}", method.to_uppercase());
            let id = operation["operationId"].as_str().unwrap().to_owned();
            found.push((id, route, operation["x-badge-open"] == true));
        }
    }
    found
}

#[test]
fn every_function_has_a_folder_a_place_in_the_template_an_event_and_nothing_is_left_over() {
    let template = yaml("infra/template.yaml");
    let in_template: BTreeSet<_> = functions_of(&template).map(|(name, _)| name.to_owned()).collect();
    let in_folders: BTreeSet<_> = functions().into_iter().map(|(_, name)| name).collect();
    assert_eq!(in_folders, in_template, "folders and template");
    let events = fs::read_dir(root().join("infra/local/events")).unwrap().map(|entry| entry.unwrap().path());
    let events: BTreeSet<_> = events.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(in_folders, events, "folders and infra/local/events");
}

#[test]
fn every_endpoint_has_its_route_its_description_and_its_tests() {
    let template = yaml("infra/template.yaml");
    let routes_of = |name: &str| routes(functions_of(&template).find(|(known, _)| *known == name).unwrap().1);
    let operations = operations();
    let described: BTreeSet<_> = operations.iter().map(|(id, ..)| id.clone()).collect();
    let mut endpoints = folders("functions/api");
    assert!(endpoints.remove("fallback"));
    assert_eq!(endpoints, described, "folders and docs/openapi.yaml");
    let fallback = routes_of("fallback");
    let tests = files("rs").into_iter().filter(|path| path.starts_with(root().join("infra/local/tests/api")));
    let tests: Vec<_> = tests.map(read).collect();
    let prefix = support::PREFIX.replacen("/local", "/{stage}", 1);
    assert!(fallback.contains(&"$default".to_owned()));
    for (id, route, _) in &operations {
        assert_eq!(routes_of(id), std::slice::from_ref(route), "template and docs/openapi.yaml");
        let any = format!("ANY {}", route.split_once(' ').unwrap().1);
        assert!(fallback.contains(&any), "the fallback does not have {any}, so wrong methods are 51404");
        // Several endpoints may share a file of tests, which sends requests to each.
        let path = route.split_once(' ').unwrap().1.strip_prefix(&*prefix).unwrap();
        let is_named = |source: &String| source.contains(&format!("\"{path}")) || source.contains(&format!(" {path}"));
        assert!(tests.iter().any(is_named), "no tests of {id}: nothing in infra/local/tests/api has \"{path}");
    }
}

#[test]
fn method_and_access_are_the_same_in_main_and_in_the_description() {
    for (id, route, is_open) in operations() {
        let main = main_of("api", &id);
        assert_eq!(main.method.as_deref(), route.split(' ').next(), "{id}: method");
        let access = main.access.unwrap_or_else(|| panic!("main of {id} does not say who may call it"));
        assert_eq!(access == "Anyone", is_open, "{id}: x-badge-open and main disagree");
    }
}

#[test]
fn no_event_of_a_job_or_of_a_task_is_discarded() {
    let template = yaml("infra/template.yaml");
    let queue = json!({ "GetAtt": "FailedEventsQueue.Arn" });
    for (_, name) in functions().into_iter().filter(|(kind, _)| ["jobs", "tasks"].contains(&kind.as_str())) {
        let function = functions_of(&template).find(|(known, _)| *known == name).unwrap().1;
        let destination = &function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"];
        assert_eq!(*destination, json!({ "Type": "SQS", "Destination": queue }), "{name}: OnFailure");
        for event in function["Events"].as_object().into_iter().flat_map(|events| events.values()) {
            assert_eq!(event["Properties"]["DeadLetterConfig"]["Arn"], queue, "{name}: DeadLetterConfig");
        }
    }
}

#[test]
fn no_change_of_a_stream_is_discarded() {
    let template = yaml("infra/template.yaml");
    for (_, name) in functions().into_iter().filter(|(kind, _)| kind == "streams") {
        let ids = template["Resources"].as_object().unwrap().iter();
        let code = format!("../target/lambda/{name}/");
        let (id, _) = ids.clone().find(|(_, resource)| resource["Properties"]["CodeUri"] == code.as_str()).unwrap();
        let alias = json!({ "Ref": format!("{id}.Alias") });
        let mapping = ids
            .map(|(_, resource)| resource)
            .find(|resource| resource["Properties"]["FunctionName"] == alias)
            .unwrap_or_else(|| panic!("no stream is mapped to {name}"));
        assert_eq!(mapping["Type"], "AWS::Lambda::EventSourceMapping", "{name}");
        let mapping = &mapping["Properties"];
        let queue = json!({ "GetAtt": "FailedChangesQueue.Arn" });
        assert_eq!(mapping["DestinationConfig"]["OnFailure"]["Destination"], queue, "{name}");
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{name}");
        assert_eq!(mapping["BisectBatchOnFunctionError"], true, "{name}: one bad record takes others along");
        // A stream keeps a record for 24 hours, and a person who is called needs some of them.
        let age = mapping["MaximumRecordAgeInSeconds"].as_u64().unwrap();
        assert!((3600..=72_000).contains(&age), "{name}");
        assert!(mapping["MaximumRetryAttempts"].as_u64().is_some_and(|most| most >= 3), "{name}");
    }
}

#[test]
fn a_panic_unwinds_in_what_is_shipped() {
    let panic = &toml("Cargo.toml")["profile"]["release"]["panic"];
    assert_eq!(panic.as_str(), Some("unwind"), "cargo-lambda makes it abort otherwise");
}

#[test]
fn cargo_lambda_ships_the_settings_and_leaves_the_rest_to_the_template() {
    let deploy = &toml("Cargo.toml")["workspace"]["metadata"]["lambda"]["deploy"];
    assert_eq!(deploy.as_table().unwrap().keys().collect::<Vec<_>>(), ["include"]);
    assert_eq!(
        deploy["include"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect::<Vec<_>>(),
        ["conf"]
    );
    for (kind, name) in functions() {
        assert!(toml(format!("functions/{kind}/{name}/Cargo.toml"))["package"].get("metadata").is_none(), "{name}");
    }
}

#[test]
fn functions_fit_on_a_screen_and_use_shared_alone() {
    for (kind, name) in functions() {
        let folder = format!("functions/{kind}/{name}");
        let lines = read(format!("{folder}/src/main.rs")).lines().count();
        assert!(lines <= LONGEST_MAIN, "{name} has {lines} lines");
        for package in toml(format!("{folder}/Cargo.toml"))["dependencies"].as_table().unwrap().keys() {
            assert!(OF_FUNCTIONS.contains(&package.as_str()), "{name} depends on {package}");
        }
    }
}

/// Whether a test is ignored, in a file or in a module of it.
fn ignores_a_test(items: &[syn::Item]) -> bool {
    items.iter().any(|item| match item {
        syn::Item::Fn(function) => function.attrs.iter().any(|attribute| attribute.path().is_ident("ignore")),
        syn::Item::Mod(module) => module.content.as_ref().is_some_and(|(_, items)| ignores_a_test(items)),
        _ => false,
    })
}

#[test]
fn no_file_is_long_and_every_file_says_what_it_is_for() {
    for path in files("rs") {
        let text = read(&path);
        assert!(text.starts_with("//!"), "{} does not say what it is for", path.display());
        let says_why = text.lines().take(10).any(|line| line.contains("Longer than"));
        let lines = text.lines().count();
        assert!(lines <= LONGEST_FILE || says_why, "{} has {lines} lines", path.display());
        assert_ne!(path.file_name().unwrap(), "mod.rs");
        assert!(!ignores_a_test(&rust(&path).items), "{} ignores a test", path.display());
    }
}

#[test]
fn every_crate_inherits_the_lints_and_every_version() {
    for path in files("toml").iter().filter(|path| path.ends_with("Cargo.toml")) {
        let manifest = toml(path);
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{} has lints of its own", path.display());
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (package, dependency) in manifest.get(table).and_then(|table| table.as_table()).into_iter().flatten() {
                let is_inherited = dependency.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(is_inherited, "{}: {package} has a version of its own", path.display());
            }
        }
    }
}

#[test]
fn the_emulator_does_not_depend_on_the_service() {
    let manifest = toml("infra/local/Cargo.toml");
    for table in ["dependencies", "dev-dependencies"] {
        assert!(manifest[table].get("shared").is_none(), "infra/local depends on shared");
    }
    assert!(toml("infra/local/tests/support/Cargo.toml")["dependencies"].get("shared").is_none());
}

/// Folders of the emulator, from the top down: a folder uses those behind it, and each is used by its map file alone.
const FOLDERS: [&str; 7] = ["control", "gateway", "scheduler", "streams", "backends", "lambda", "template"];

#[test]
fn folders_of_the_emulator_use_only_those_below_them() {
    for path in files("rs") {
        let source = root().join("infra/local/src");
        let Ok(inside) = path.strip_prefix(&source) else { continue };
        let folder = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some(rank) = FOLDERS.iter().position(|known| *known == folder) else { continue };
        for import in imports(&rust(&path).items) {
            if let Some(used) = FOLDERS.iter().position(|known| import.first().is_some_and(|name| name == known)) {
                assert!(used >= rank, "{} uses {}", inside.display(), FOLDERS[used]);
            }
            let is_app = ["app", "emulator"].iter().any(|name| import.first().is_some_and(|first| first == name));
            assert!(!is_app || folder == "control", "{} uses {import:?}", inside.display());
        }
    }
}

/// The paths behind `use crate::`.
fn imports(items: &[syn::Item]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for item in items {
        match item {
            syn::Item::Use(item) => collect_paths(&item.tree, &mut Vec::new(), &mut found),
            syn::Item::Mod(module) => found.extend(module.content.iter().flat_map(|(_, items)| imports(items))),
            _ => {}
        }
    }
    found.retain(|path| path[0] == "crate");
    found.into_iter().map(|path| path[1..].to_vec()).collect()
}

fn collect_paths(tree: &syn::UseTree, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match tree {
        syn::UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            collect_paths(&path.tree, prefix, found);
            prefix.pop();
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| collect_paths(item, prefix, found)),
        syn::UseTree::Name(name) => found.push(prefix.iter().cloned().chain([name.ident.to_string()]).collect()),
        syn::UseTree::Rename(name) => found.push(prefix.iter().cloned().chain([name.ident.to_string()]).collect()),
        syn::UseTree::Glob(_) => found.push(prefix.clone()),
    }
}

#[test]
fn map_files_of_the_emulator_only_declare_and_re_export() {
    for folder in FOLDERS {
        for item in rust(format!("infra/local/src/{folder}.rs")).items {
            let is_declaration = match item {
                syn::Item::Mod(module) => module.content.is_none(),
                item => matches!(item, syn::Item::Use(_)),
            };
            assert!(is_declaration, "{folder}.rs has code");
        }
    }
}

#[test]
fn no_test_module_imports_another_one() {
    for test in ["api", "local"] {
        for path in files("rs").iter().filter(|path| path.starts_with(root().join("infra/local/tests").join(test))) {
            let own = path.file_stem().unwrap().to_str().unwrap();
            for import in imports(&rust(path).items) {
                assert_eq!(import.first().map(String::as_str), Some(own), "{}", path.display());
            }
        }
    }
}

#[test]
fn there_is_one_tls_stack() {
    // Cargo.lock has more: the crates of the peer of `make bench`, which no other build asks for.
    let arguments = ["tree", "--workspace", "--offline", "--edges", "normal,build,dev", "--prefix", "none"];
    let tree = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("\nring v"), "the tree is not there");
    for name in ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "native-tls", "s2n-tls"] {
        assert!(!tree.contains(&format!("\n{name} v")), "{name} is built: find it by `cargo tree -i`");
    }
}

/// Names in backticks that stand in the last cell of the rows of a page.
fn named_in_last_cells(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_test_that_a_page_names_is_one() {
    let part = |page: &str, title: &str| {
        let page = read(root().join(page));
        page.split("\n## ").find(|part| part.starts_with(title)).unwrap().to_owned()
    };
    let faults = part("docs/testing.md", "Faults found from outside");
    for fault in (1..=22).map(|n| format!("S{n}")).chain((1..=12).map(|n| format!("B{n}"))) {
        assert_eq!(faults.matches(&format!("\n| {fault} |")).count(), 1, "{fault}");
    }
    let sources: Vec<_> = files("rs").into_iter().map(|path| (path.clone(), read(path))).collect();
    let named = named_in_last_cells(&(part("docs/security.md", "Attacks") + &faults));
    assert!(named.len() > 50, "{named:?}");
    for name in named.iter().filter(|name| !name.starts_with("make ")) {
        let file = root().join(name);
        let is_of_python = file.extension().is_some_and(|found| found == "py") && read(&file).contains("def test_");
        let is_one = is_of_python
            || sources.iter().any(|(path, source)| {
                let has_tests = source.contains("#[test]") || source.contains("#[tokio::test]");
                (has_tests && path.ends_with(name)) || source.contains(&format!("fn {name}("))
            });
        assert!(is_one, "{name} is no test");
    }
}
