//! The modules of `shared` depend on each other without a circle and downwards only, and only some of them name the
//! crates of AWS, Redis and Lambda. The graph is read from the syntax of the sources, not from their text.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod graph;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use self::graph::{Graph, circles, top};

/// Modules without a folder, below everything else. `leaves` in the table stands for all of them.
const LEAVES: [&str; 5] = ["error", "random", "mac", "telemetry", "clock"];

/// Each top-level module, and what it may use besides itself. A name with `::` is that part of a module alone.
const MAY_USE: &[(&str, &[&str])] = &[
    (
        "lambda",
        &["http", "accounts", "jobs", "verification", "db", "cache", "aws", "config", "jwt", "models", "leaves"],
    ),
    ("http", &["accounts::sessions", "config", "jwt", "models", "error", "telemetry", "clock"]),
    ("accounts", &["verification", "db", "cache", "aws", "config", "jwt", "models", "leaves"]),
    ("jobs", &["verification", "db", "cache", "aws", "config", "jwt", "models", "leaves"]),
    ("verification", &["cache", "aws", "config", "models", "leaves"]),
    ("db", &["aws", "config", "models", "leaves"]),
    ("cache", &["aws", "config", "models", "leaves"]),
    ("aws", &["config", "models", "leaves"]),
    ("config", &["models", "leaves"]),
    ("jwt", &["models", "leaves"]),
    ("models", &["leaves"]),
    ("error", &["telemetry"]),
    ("random", &["error"]),
    ("mac", &[]),
    ("telemetry", &["clock"]),
    ("clock", &[]),
];

/// External crates, by their name or its beginning, and the modules that may name them. The first row that fits counts.
const NAMED_BY: &[(&str, &[&str])] = &[
    ("lambda_*", &["lambda"]),
    ("aws_lambda_events", &["lambda"]),
    ("tracing_subscriber", &["lambda", "telemetry"]),
    ("aws_sdk_dynamodb", &["db"]),
    ("serde_dynamo", &["db"]),
    ("redis", &["cache"]),
    ("aws_sdk_sns", &["aws", "verification::sms"]),
    ("aws_runtime", &["db"]),
    ("aws_smithy_*", &["aws", "db"]),
    ("aws_types", &["aws", "db"]),
    ("aws_*", &["aws"]),
];

/// Modules without I/O, and crates that do it.
const PURE: [&str; 7] = ["models", "jwt", "error", "random", "mac", "telemetry", "clock"];
const DO_IO: [&str; 5] = ["tokio*", "redis", "aws_*", "hyper*", "lambda_*"];

/// Top-level modules that are no part of the design: the map, and what `infra/fuzz` drives.
const OUTSIDE: [&str; 2] = ["lib", "fuzz"];

/// What a graph does against the tables, one offender each.
fn offenders(graph: &Graph) -> Vec<String> {
    let is_inside = |file: &str| !OUTSIDE.contains(&top(file));
    let arrows: BTreeSet<_> =
        graph.arrows.iter().filter(|(from, to)| is_inside(from) && is_inside(to)).cloned().collect();
    let graph = Graph { arrows, files: graph.files.clone(), crates: graph.crates.clone() };
    let mut found = Vec::new();
    for name in graph.files.iter().filter(|file| is_inside(file) && !file.contains('/')).map(|file| top(file)) {
        if !MAY_USE.iter().any(|(known, _)| *known == name) {
            found.push(format!("unknown module: {name}"));
        }
    }
    for (kind, arrows) in [("files", &graph.arrows), ("modules", &graph.top_arrows())] {
        for (circle, count) in circles(arrows) {
            found.push(format!("circle of {count} {kind}: {}", circle.join(" -> ")));
        }
    }
    for (from, to) in graph.arrows.iter().filter(|(from, to)| top(from) != top(to) && !may_use(from, to)) {
        found.push(format!("upward: {from} -> {to}"));
    }
    for (from, name) in graph.crates.iter().filter(|(from, name)| is_inside(from) && !may_name(from, name)) {
        found.push(format!("external: {from} -> {name}"));
    }
    found
}

fn may_use(from: &str, to: &str) -> bool {
    let allowed = MAY_USE.iter().find(|(known, _)| *known == top(from)).map_or(&[][..], |(_, allowed)| allowed);
    allowed.iter().any(|one| is_part_of(to, one) || (*one == "leaves" && LEAVES.contains(&top(to))))
}

fn may_name(from: &str, name: &str) -> bool {
    let does_io = DO_IO.iter().any(|one| fits(name, one)) && PURE.contains(&top(from));
    let row = NAMED_BY.iter().find(|(one, _)| fits(name, one));
    !does_io && row.is_none_or(|(_, modules)| modules.iter().any(|module| is_part_of(from, module)))
}

/// Whether a file is that of the module `a::b`, or in its folder.
fn is_part_of(file: &str, module: &str) -> bool {
    let rest = file.strip_prefix(&module.replace("::", "/"));
    rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn fits(name: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(name == pattern, |start| name.starts_with(start))
}

/// Every source file below `shared/src`, by its path there.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/src");
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn modules_of_the_service_depend_downwards_and_in_no_circle() {
    let sources = sources();
    let graph = Graph::of(&sources).unwrap();
    assert!(graph.arrows.len() > 50, "the graph is not that of the service: {graph:?}");
    let found = offenders(&graph);
    assert!(found.is_empty(), "{} offenders:\n{}", found.len(), found.join("\n"));
}

/// The graph of a small crate.
fn graph(sources: &[(&str, &str)]) -> Graph {
    let map = sources.iter().map(|(name, _)| *name).filter(|name| !name.contains('/'));
    let map = map.map(|name| format!("pub mod {};", top(name))).collect::<Vec<_>>().concat();
    let sources = sources.iter().copied().chain([("lib.rs", map.as_str())]);
    Graph::of(&sources.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()).unwrap()
}

fn arrows(sources: &[(&str, &str)]) -> Vec<String> {
    graph(sources).arrows.iter().map(|(from, to)| format!("{from} -> {to}")).collect()
}

#[test]
fn a_circle_of_files_and_of_modules_is_found() {
    let sources = [
        ("db.rs", "mod users; use self::users::User; pub struct Db;"),
        ("db/users.rs", "use super::Db; pub struct User;"),
        ("models.rs", "use crate::jwt::Token; pub struct Role;"),
        ("jwt.rs", "pub struct Token(crate::models::Role);"),
    ];
    let found = offenders(&graph(&sources));
    assert_eq!(
        found,
        [
            "circle of 2 files: db.rs -> db/users.rs -> db.rs",
            "circle of 2 files: jwt.rs -> models.rs -> jwt.rs",
            "circle of 2 modules: jwt -> models -> jwt",
            "upward: models.rs -> jwt.rs",
        ]
    );
}

#[test]
fn an_arrow_upward_and_one_to_the_side_are_found() {
    let sources = [
        ("accounts.rs", "pub mod login; pub mod sessions;"),
        ("accounts/login.rs", "pub struct Login;"),
        ("accounts/sessions.rs", "pub struct Session;"),
        ("http.rs", "use crate::accounts::{login::Login, sessions::Session};"),
        ("db.rs", "fn f() { crate::cache::get() }"),
        ("cache.rs", "pub fn get() {}"),
        ("ctx.rs", ""),
    ];
    let found = offenders(&graph(&sources));
    assert_eq!(found, ["unknown module: ctx", "upward: db.rs -> cache.rs", "upward: http.rs -> accounts/login.rs"]);
}

#[test]
fn a_path_is_followed_to_where_its_end_is_defined() {
    let cache = ("cache.rs", "mod codes; pub use self::codes::{Codes, place as put}; pub struct Cache;");
    let codes = ("cache/codes.rs", "use super::Cache; pub struct Codes; pub fn place() {}");
    for text in [
        "use crate::cache::Codes;",
        "use crate::cache; fn f(codes: cache::Codes) {}",
        "fn f() { crate::cache::put() }",
        "use super::cache::*; fn f(codes: Codes) {}",
        "fn f() { assert_eq!(1, g(&[crate::cache::put()])) }",
        "#[serde(with = \"crate::cache::Codes\")] struct S;",
        "mod inner { fn f(codes: super::super::cache::Codes) {} }",
        "pub use crate::cache::Codes as Renamed;",
    ] {
        let found = arrows(&[cache, codes, ("jobs.rs", text)]);
        assert!(found.contains(&"jobs.rs -> cache/codes.rs".to_owned()), "{text}: {found:?}");
        let names_the_map = text.contains('*');
        assert_eq!(found.contains(&"jobs.rs -> cache.rs".to_owned()), names_the_map, "{text}: {found:?}");
        // The map file lists what its folder has, and does not depend on it.
        assert!(!found.contains(&"cache.rs -> cache/codes.rs".to_owned()), "{found:?}");
        assert!(found.contains(&"cache/codes.rs -> cache.rs".to_owned()), "{found:?}");
    }
}

#[test]
fn a_re_export_does_not_hide_the_module_that_it_stands_in() {
    let sources = [
        ("lambda.rs", "pub use crate::error::Fatal; pub use lambda_runtime::Error;"),
        ("error.rs", "pub struct Fatal;"),
        ("db.rs", "use crate::lambda::{Error, Fatal};"),
    ];
    assert_eq!(offenders(&graph(&sources)), ["upward: db.rs -> lambda.rs", "external: db.rs -> lambda_runtime"]);
}

#[test]
fn a_module_and_a_function_of_one_name_are_two_things() {
    let sources = [
        ("lambda.rs", "mod job; pub use self::job::{Report, job};"),
        ("lambda/job.rs", "pub struct Report; pub fn job() {}"),
        ("aws.rs", "fn f() { crate::lambda::job() }"),
    ];
    assert_eq!(arrows(&sources), ["aws.rs -> lambda/job.rs"]);
}

#[test]
fn tests_and_fuzzing_and_documentation_draw_no_arrows() {
    let sources = [
        ("lambda.rs", "pub struct Error; pub mod tests;"),
        ("lambda/tests.rs", "#![cfg(test)] use crate::db::Db;"),
        (
            "db.rs",
            "/// See [`crate::lambda::Error`].
            pub struct Db;
            #[cfg(test)] mod tests { use crate::lambda::Error; use tokio::net; }
            #[cfg(feature = \"fuzz\")] pub use crate::lambda::Error;
            #[cfg(any(test, feature = \"fuzz\"))] fn f() { crate::lambda::Error; }
            impl Db { #[cfg(test)] fn f() { crate::lambda::Error; } }",
        ),
    ];
    assert_eq!(arrows(&sources), [""; 0]);
    let shipped = ("db.rs", "#[cfg(any(test, unix))] fn f() { crate::lambda::Error; }");
    assert_eq!(arrows(&[("lambda.rs", "pub struct Error;"), shipped]), ["db.rs -> lambda.rs"]);
}

#[test]
fn an_external_crate_is_named_by_its_own_module_alone() {
    let sources = [
        ("aws.rs", "use aws_sdk_elasticache::Client; use aws_types::SdkConfig; use aws_lambda_events as events;"),
        ("cache.rs", "use redis::{self, Cmd}; fn f() -> redis::RedisResult<()> {}"),
        ("db.rs", "use aws_smithy_runtime_api::client; fn f(client: aws_sdk_dynamodb::Client) {}"),
        ("http.rs", "fn f() { ::http::Method::GET; tokio::select! { _ = ::lambda_http::run() => {} } }"),
        ("models.rs", "use ::tokio::net::TcpStream; fn f() { String::new(); redis }"),
        ("verification.rs", "pub mod sms; use aws_sdk_sns::Client;"),
        ("verification/sms.rs", "use aws_sdk_sns::Client; use aws_sdk_dynamodb::types;"),
    ];
    assert_eq!(
        offenders(&graph(&sources)),
        [
            "external: aws.rs -> aws_lambda_events",
            "external: http.rs -> lambda_http",
            "external: models.rs -> tokio",
            "external: verification.rs -> aws_sdk_sns",
            "external: verification/sms.rs -> aws_sdk_dynamodb",
        ]
    );
}
