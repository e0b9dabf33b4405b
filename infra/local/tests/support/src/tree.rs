//! The repository's files, parsed: YAML, TOML and Rust.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, ScalarOwned, YamlOwned};
use serde_json::{Map, Value, json};

use crate::repository::root;

/// The text of a file.
#[must_use]
pub fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// A TOML file.
#[must_use]
pub fn toml(path: impl AsRef<Path>) -> toml::Table {
    read(&path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// A Rust file.
#[must_use]
pub fn rust(path: impl AsRef<Path>) -> syn::File {
    syn::parse_file(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// A YAML file; `!Ref x` is `{"Ref": "x"}`.
#[must_use]
pub fn yaml(path: impl AsRef<Path>) -> Value {
    json_of(YamlOwned::load_from_str(&read(path)).unwrap().remove(0))
}

fn json_of(node: YamlOwned) -> Value {
    match node {
        YamlOwned::Value(ScalarOwned::Null) => Value::Null,
        YamlOwned::Value(ScalarOwned::String(text)) => Value::String(text),
        YamlOwned::Value(ScalarOwned::Integer(number)) => number.into(),
        YamlOwned::Value(ScalarOwned::FloatingPoint(number)) => number.into_inner().into(),
        YamlOwned::Value(ScalarOwned::Boolean(value)) => value.into(),
        YamlOwned::Sequence(items) => items.into_iter().map(json_of).collect(),
        YamlOwned::Mapping(entries) => {
            let entry = |(key, value): (YamlOwned, YamlOwned)| {
                let number = key.as_integer().map(|number| number.to_string());
                (number.or_else(|| key.as_str().map(str::to_owned)).unwrap(), json_of(value))
            };
            entries.into_iter().map(entry).collect::<Map<_, _>>().into()
        }
        YamlOwned::Tagged(tag, inner) => json!({ tag.suffix: json_of(*inner) }),
        other => panic!("{other:?} is not expected in YAML"),
    }
}

/// Names of the folders in a folder.
#[must_use]
pub fn folders(path: impl AsRef<Path>) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(path)).unwrap().flatten();
    entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Every file of the project's crates with that extension.
#[must_use]
pub fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<_> = ["functions", "shared", "infra"].map(|name| root().join(name)).into();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|known| known == extension) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// Every function: its kind (`api`, `jobs`, `streams`, `tasks`) and its name.
#[must_use]
pub fn functions() -> Vec<(String, String)> {
    let of_kind = |kind: String| folders(format!("functions/{kind}")).into_iter().map(move |name| (kind.clone(), name));
    folders("functions").into_iter().flat_map(of_kind).collect()
}

/// The functions of a template: names of their folders, and their properties.
pub fn functions_of(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    of_type(template, "AWS::Serverless::Function").map(|(_, function)| {
        (function["CodeUri"].as_str().unwrap().trim_end_matches('/').rsplit('/').next().unwrap(), function)
    })
}

/// Logical ids and properties of the resources of a type.
pub fn of_type<'a>(template: &'a Value, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let resources = template["Resources"].as_object().unwrap().iter();
    resources.filter(move |(_, resource)| resource["Type"] == kind).map(|(id, resource)| (id, &resource["Properties"]))
}

/// All texts in a value.
#[must_use]
pub fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(object) => object.values().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// How the `main` of a function serves it.
#[derive(Debug)]
pub struct Main {
    /// The only method, of an endpoint.
    pub method: Option<String>,
    /// Who may call it: `Anyone`, `SignedIn`, `BySession`, `ConfirmsByCode`, `Admin` or `EndsSession`, of an endpoint.
    pub access: Option<String>,
}

/// Reads the call that `main` ends with: `lambda::http(Method::POST, Anyone, Login::connect, handler)`.
#[must_use]
pub fn main_of(kind: &str, name: &str) -> Main {
    let file = rust(format!("functions/{kind}/{name}/src/main.rs"));
    let main = file.items.iter().find_map(|item| match item {
        syn::Item::Fn(function) if function.sig.ident == "main" => Some(function),
        _ => None,
    });
    let Some(syn::Stmt::Expr(syn::Expr::Call(call), None)) = main.unwrap().block.stmts.last() else {
        panic!("main of {name} does not end with a call");
    };
    let arguments: Vec<String> = call.args.iter().filter_map(path).collect();
    let method = arguments.iter().find_map(|argument| argument.strip_prefix("Method::")).map(str::to_owned);
    let known = ["Admin", "Anyone", "BySession", "ConfirmsByCode", "EndsSession", "SignedIn"];
    let access = arguments.into_iter().find(|argument| known.contains(&argument.as_str()));
    Main { method, access }
}

/// The path that an expression is.
fn path(expression: &syn::Expr) -> Option<String> {
    let syn::Expr::Path(path) = expression else { return None };
    let segments: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    Some(segments.join("::"))
}
