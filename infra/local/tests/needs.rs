//! What each function opens at its cold start, read from its source, beside the rights and the network that the template
//! gives it.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::{BTreeMap, BTreeSet};

use support::root;
use support::tree::{files, functions, functions_of, read, texts, yaml};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ImplItem, Item, Macro, Member, Token, Type};

/// What a function can open, and what its policy in the template names for that.
const RIGHTS: &[(&str, &[&str])] = &[
    ("Cache::connect", &["CacheConnectPolicy", "elasticache:Connect"]),
    ("SecretKeys::connect veri_code", &["VeriCodeSecret"]),
    ("SecretKeys::connect jwt", &["JwtSecret"]),
    ("SecretKeys::connect sms", &["SmsSecret"]),
    ("SecretKeys::connect_both", &["secretsmanager:BatchGetSecretValue"]),
    ("Sns::new", &["sns:Publish"]),
    ("Tasks::connect", &["-send_sms:live"]),
    // Jobs that hand the rest of a long run to themselves.
    ("Tasks::new", &["-{name}:live"]),
    ("Database::connect", &["UsersTable", "RunsTable", "AuditTable"]),
    ("ElastiCache::new", &["elasticache:Describe"]),
];

/// Name and source of each function.
fn mains() -> BTreeMap<String, String> {
    let source = |(kind, name): (String, String)| {
        (name.clone(), read(root().join(format!("functions/{kind}/{name}/src/main.rs"))))
    };
    functions().into_iter().map(source).collect()
}

/// The functions that each associated function of `shared` calls, as `Type::function`; a secret's name stands behind it.
#[derive(Default)]
struct Calls(BTreeMap<String, BTreeSet<String>>);

impl Calls {
    fn of_shared() -> Self {
        let mut calls = Self::default();
        for path in files("rs").iter().filter(|path| path.starts_with(root().join("shared/src"))) {
            calls.read(&read(path));
        }
        calls
    }

    fn read(&mut self, source: &str) {
        for item in syn::parse_file(source).unwrap().items {
            let Item::Impl(block) = item else { continue };
            let Type::Path(of) = &*block.self_ty else { continue };
            let of = of.path.segments.last().unwrap().ident.to_string();
            for function in block.items {
                let ImplItem::Fn(function) = function else { continue };
                let mut found = Found { of: &of, calls: BTreeSet::new() };
                found.visit_block(&function.block);
                self.0.insert(format!("{of}::{}", function.sig.ident), found.calls);
            }
        }
    }

    /// What is opened by `connect`, and by whatever it calls.
    fn opened_by(&self, connect: &str) -> BTreeSet<&'static str> {
        let (mut opened, mut seen, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![connect.to_owned()]);
        while let Some(call) = next.pop() {
            if let Some((part, _)) = RIGHTS.iter().find(|(part, _)| *part == call) {
                opened.insert(*part);
            } else if seen.insert(call.clone()) {
                next.extend(self.0.get(&call).into_iter().flatten().cloned());
            }
        }
        opened
    }
}

struct Found<'a> {
    of: &'a str,
    calls: BTreeSet<String>,
}

impl Visit<'_> for Found<'_> {
    fn visit_expr_call(&mut self, call: &ExprCall) {
        if let Expr::Path(function) = &*call.func {
            let names: Vec<_> = function.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            if let [.., of, name] = &names[..] {
                let of = if of == "Self" { self.of } else { of };
                let secrets = call.args.iter().flat_map(fields).filter(|_| of == "SecretKeys");
                self.calls.extend(secrets.map(|secret| format!("{of}::connect {secret}")));
                self.calls.insert(format!("{of}::{name}"));
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &Macro) {
        // `try_join!` and its like take expressions.
        for expression in call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated).into_iter().flatten() {
            self.visit_expr(&expression);
        }
    }
}

/// The last name of `&a.b.name`, or those of a list of such.
fn fields(argument: &Expr) -> Vec<String> {
    match argument {
        Expr::Array(list) => list.elems.iter().flat_map(fields).collect(),
        Expr::Reference(reference) => fields(&reference.expr),
        Expr::Field(access) => match &access.member {
            Member::Named(name) => vec![name.to_string()],
            Member::Unnamed(_) => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The `connect` that a `main` names.
struct Connect<'a>(&'a mut Option<String>);
impl Visit<'_> for Connect<'_> {
    fn visit_expr_path(&mut self, path: &syn::ExprPath) {
        let names: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [.., of, name] = &names[..]
            && name == "connect"
        {
            *self.0 = Some(format!("{of}::{name}"));
        }
    }
}

/// What a function opens; nothing if its `main` names no `connect`.
fn opened(main: &str, calls: &Calls) -> BTreeSet<&'static str> {
    let mut found = Found { of: "", calls: BTreeSet::new() };
    let file = syn::parse_file(main).unwrap();
    let mut connect = None;
    Connect(&mut connect).visit_file(&file);
    found.visit_file(&file);
    let starts = ["lambda::http", "lambda::job", "lambda::stream", "lambda::task"]
        .iter()
        .any(|start| found.calls.contains(*start));
    assert_eq!(starts, connect.is_some(), "main names what it connects to: {main}");
    connect.map(|connect| calls.opened_by(&connect)).unwrap_or_default()
}

#[test]
fn a_function_has_the_rights_to_what_it_opens_and_no_others() {
    let (calls, mains, template) = (Calls::of_shared(), mains(), yaml("infra/template.yaml"));
    for (name, function) in functions_of(&template) {
        let (opened, mut policies) = (opened(&mains[name], &calls), texts(&function["Policies"]));
        // Lambda reads a stream, with the function's role.
        policies.retain(|text| !text.ends_with("/stream/*"));
        for (part, resources) in RIGHTS {
            let resources: Vec<_> = resources.iter().map(|resource| resource.replace("{name}", name)).collect();
            let has_right = resources.iter().any(|resource| policies.iter().any(|text| text.contains(resource)));
            assert_eq!(opened.contains(part), has_right, "{name}: {part} and the policy on {resources:?}: {opened:?}");
        }
    }
}

#[test]
fn a_function_is_in_the_network_exactly_if_it_opens_the_cache() {
    let (calls, mains, template) = (Calls::of_shared(), mains(), yaml("infra/template.yaml"));
    for (name, function) in functions_of(&template) {
        let is_in_network = !function["VpcConfig"].is_null();
        assert_eq!(opened(&mains[name], &calls).contains("Cache::connect"), is_in_network, "{name}");
    }
}

#[test]
fn what_is_opened_within_what_is_opened_counts() {
    let mut calls = Calls::default();
    calls.read(
        "impl Login { async fn connect() { tokio::try_join!(Cache::connect(c), Keys::connect(c)); Self::more() } \
         fn more() { Tokens::connect(&c).await.map(Self::A) } } \
         impl Tokens { fn connect() { SecretKeys::connect(c, &c.config.secrets.jwt) } }",
    );
    let opened = calls.opened_by("Login::connect");
    assert_eq!(opened.into_iter().collect::<Vec<_>>(), ["Cache::connect", "SecretKeys::connect jwt"]);
}
