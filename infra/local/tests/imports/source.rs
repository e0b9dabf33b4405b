//! What one source file names: its items, its `use` declarations, and every other path in it, macros and attributes
//! included. Code for tests or for fuzzing is left out.

use syn::buffer::{Cursor, TokenBuffer};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprLit, Field, ImplItem, Item, ItemUse, Lit, Macro, Meta, Path, Token, TraitItem, UseTree,
    Variant, Visibility,
};

/// The segments of a path; the first one is empty for `::name`.
pub(crate) type Segments = Vec<String>;

/// One name that a `use` declaration brings in.
#[derive(Debug)]
pub(crate) struct Import {
    /// What the module calls it; `*` for everything, `_` for nothing.
    pub(crate) name: String,
    pub(crate) path: Segments,
    /// Whether other modules see it by its new place.
    pub(crate) is_reexport: bool,
}

/// What the body of a module holds.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) items: Vec<String>,
    pub(crate) imports: Vec<Import>,
    pub(crate) paths: Vec<Segments>,
    /// Child modules: with a body of their own, or in a file of their own.
    pub(crate) children: Vec<(String, Option<Body>)>,
}

impl Body {
    /// Reads a file; there is none for a file that is only for tests.
    pub(crate) fn parse(text: &str) -> syn::Result<Option<Self>> {
        let file = syn::parse_file(text)?;
        if file.attrs.iter().any(is_left_out) {
            return Ok(None);
        }
        let mut body = Self::default();
        file.attrs.iter().for_each(|attribute| body.visit_attribute(attribute));
        body.read(&file.items);
        Ok(Some(body))
    }

    fn read(&mut self, items: &[Item]) {
        for item in items.iter().filter(|item| !attributes(item).iter().any(is_left_out)) {
            match item {
                Item::Mod(module) => {
                    let body = module.content.as_ref().map(|(_, items)| {
                        let mut body = Self::default();
                        body.read(items);
                        body
                    });
                    self.children.push((module.ident.to_string(), body));
                }
                other => {
                    self.items.extend(name(other));
                    self.visit_item(other);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Body {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes(item).iter().any(is_left_out) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !attributes.iter().any(is_left_out) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes: &[Attribute] = match item {
            TraitItem::Const(item) => &item.attrs,
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !attributes.iter().any(is_left_out) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !field.attrs.iter().any(is_left_out) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if !variant.attrs.iter().any(is_left_out) {
            visit::visit_variant(self, variant);
        }
    }

    /// Also those inside of functions, whose names count for the whole module here.
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_reexport = !matches!(item.vis, Visibility::Inherited);
        let start = item.leading_colon.as_ref().map(|_| String::new()).into_iter().collect();
        flatten(&item.tree, start, &mut |name, path| self.imports.push(Import { name, path, is_reexport }));
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let start = path.leading_colon.as_ref().map(|_| String::new()).into_iter();
        self.paths.push(start.chain(path.segments.iter().map(|segment| segment.ident.to_string())).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        paths_of(TokenBuffer::new2(call.tokens.clone()).begin(), &mut self.paths);
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        if let Meta::List(list) = &attribute.meta {
            let tokens = TokenBuffer::new2(list.tokens.clone());
            paths_of(tokens.begin(), &mut self.paths);
            // `#[serde(with = "crate::a::b")]`
            let mut rest = tokens.begin();
            while let Some((_, next)) = rest.token_tree() {
                let text = rest.literal().map(|(literal, _)| literal.to_string()).unwrap_or_default();
                if let Ok(path) = syn::parse_str::<Path>(text.trim_matches('"')) {
                    self.visit_path_of_text(&path);
                }
                rest = next;
            }
        }
        visit::visit_attribute(self, attribute);
    }
}

impl Body {
    fn visit_path_of_text(&mut self, path: &Path) {
        if path.segments.len() > 1 {
            self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
    }
}

/// Every `a::b` among tokens that have no grammar.
fn paths_of(mut rest: Cursor<'_>, found: &mut Vec<Segments>) {
    while !rest.eof() {
        if let Some((inside, _, _, next)) = rest.any_group() {
            paths_of(inside, found);
            rest = next;
            continue;
        }
        let mut segments = Vec::new();
        if let Some((first, next)) = rest.ident() {
            segments.push(first.to_string());
            rest = next;
        } else if colons(rest).is_some() {
            segments.push(String::new());
        } else if let Some((_, next)) = rest.token_tree() {
            rest = next;
            continue;
        }
        while let Some((segment, next)) = colons(rest).and_then(Cursor::ident) {
            segments.push(segment.to_string());
            rest = next;
        }
        if segments.len() > 1 {
            found.push(segments);
        } else if let Some(next) = colons(rest) {
            // `a::<B>`, `<A>::b`
            rest = next;
        }
    }
}

/// What follows a `::`.
fn colons(cursor: Cursor<'_>) -> Option<Cursor<'_>> {
    let (first, next) = cursor.punct()?;
    let (second, next) = next.punct()?;
    (first.as_char() == ':' && second.as_char() == ':').then_some(next)
}

fn flatten(tree: &UseTree, mut path: Segments, add: &mut impl FnMut(String, Segments)) {
    match tree {
        UseTree::Path(one) => {
            path.push(one.ident.to_string());
            flatten(&one.tree, path, add);
        }
        UseTree::Name(one) if one.ident == "self" => add(path.last().cloned().unwrap_or_default(), path),
        UseTree::Rename(one) if one.ident == "self" => add(one.rename.to_string(), path),
        UseTree::Name(one) => {
            path.push(one.ident.to_string());
            add(one.ident.to_string(), path);
        }
        UseTree::Rename(one) => {
            path.push(one.ident.to_string());
            add(one.rename.to_string(), path);
        }
        UseTree::Glob(_) => add("*".to_owned(), path),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, path.clone(), add)),
    }
}

/// Whether this is `#[cfg(…)]` with a condition that no shipped build meets.
fn is_left_out(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<Meta>().is_ok_and(|condition| is_never_shipped(&condition))
}

fn is_never_shipped(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::NameValue(pair) => {
            let Expr::Lit(ExprLit { lit: Lit::Str(value), .. }) = &pair.value else { return false };
            pair.path.is_ident("feature") && value.value() == "fuzz"
        }
        Meta::List(list) => {
            let Ok(inner) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else { return false };
            (list.path.is_ident("any") && inner.iter().all(is_never_shipped))
                || (list.path.is_ident("all") && inner.iter().any(is_never_shipped))
        }
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
