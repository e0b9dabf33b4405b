//! The graph of the modules of a crate: which file names what of which other file, and which external crates it names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::source::{Body, Import, Segments};

/// Re-exports that lead to each other are no Rust, and yet must not hang the test.
const MAX_HOPS: usize = 16;

/// Arrows from file to file, and from file to external crate.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) arrows: BTreeSet<(String, String)>,
    pub(crate) crates: BTreeSet<(String, String)>,
    /// Every file that a `mod` declaration reaches.
    pub(crate) files: BTreeSet<String>,
}

/// A module, in a file of its own or inside another module's.
#[derive(Debug)]
struct Module {
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    imports: Vec<Import>,
    paths: Vec<Segments>,
}

struct Tree(Vec<Module>);

/// What a path names.
#[derive(Debug, Clone, PartialEq)]
enum Named {
    /// Something that is defined in that module.
    Item(usize),
    Module(usize),
    External(String),
    /// A local name, or one of the prelude.
    Unknown,
}

impl Graph {
    /// The graph of the crate with these sources: paths below `src`, and their text.
    pub(crate) fn of(sources: &BTreeMap<String, String>) -> syn::Result<Self> {
        let tree = Tree::of(sources)?;
        let mut graph = Self { files: tree.0.iter().map(|module| module.file.clone()).collect(), ..Self::default() };
        for (from, module) in tree.0.iter().enumerate() {
            for import in &module.imports {
                let mut passed = Vec::new();
                let named = tree.resolve(from, &import.path, true, &mut passed);
                let named = match named {
                    // Naming a module is not yet using what is in it.
                    Named::Module(_) if import.name != "*" => continue,
                    Named::Module(module) => Named::Item(module),
                    named => named,
                };
                let is_map_entry = import.is_reexport && matches!(named, Named::Item(to) if tree.is_within(to, from));
                if !is_map_entry {
                    graph.add(&tree, from, &named, &passed);
                }
            }
            for path in &module.paths {
                let mut passed = Vec::new();
                let named = tree.resolve(from, path, false, &mut passed);
                graph.add(&tree, from, &named, &passed);
            }
        }
        Ok(graph)
    }

    fn add(&mut self, tree: &Tree, from: usize, named: &Named, passed: &[usize]) {
        let from = &tree.0[from].file;
        let to = match named {
            Named::Item(to) => Some(&tree.0[*to].file),
            Named::External(name) => {
                // `String::new` and `T::default` name no crate.
                if name.starts_with(char::is_lowercase) {
                    self.crates.insert((from.clone(), name.clone()));
                }
                None
            }
            Named::Module(_) | Named::Unknown => return,
        };
        // A re-export of what lies in another top-level module is named, whatever is behind it.
        let passed = passed.iter().map(|module| &tree.0[*module].file);
        let passed = passed.filter(|file| to.is_none_or(|to| top(file) != top(to)));
        for file in passed.chain(to).filter(|file| *file != from) {
            self.arrows.insert((from.clone(), file.clone()));
        }
    }

    /// The arrows between top-level modules.
    pub(crate) fn top_arrows(&self) -> BTreeSet<(String, String)> {
        let arrows = self.arrows.iter().map(|(from, to)| (top(from).to_owned(), top(to).to_owned()));
        arrows.filter(|(from, to)| from != to).collect()
    }
}

/// The top-level module that a file belongs to.
pub(crate) fn top(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// For each set of nodes that reach each other, a shortest way around, and how many they are.
pub(crate) fn circles(arrows: &BTreeSet<(String, String)>) -> Vec<(Vec<&str>, usize)> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (start, _) in arrows {
        let Some(circle) = way_back(arrows, start).filter(|_| !seen.contains(start.as_str())) else { continue };
        let reached: BTreeSet<_> = reach(arrows, start).into_keys().collect();
        let members: Vec<_> =
            reached.into_iter().filter(|node| reach(arrows, node).contains_key(start.as_str())).collect();
        found.push((circle, members.len()));
        seen.extend(members);
    }
    found
}

/// Every node that arrows lead to from `start`, and the node before it on a shortest way.
fn reach<'a>(arrows: &'a BTreeSet<(String, String)>, start: &'a str) -> BTreeMap<&'a str, &'a str> {
    let mut before = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for (_, to) in arrows.iter().filter(|(from, _)| from == node) {
            before.entry(to.as_str()).or_insert_with(|| {
                queue.push_back(to);
                node
            });
        }
    }
    before
}

fn way_back<'a>(arrows: &'a BTreeSet<(String, String)>, start: &'a str) -> Option<Vec<&'a str>> {
    let before = reach(arrows, start);
    let mut way = vec![start];
    loop {
        let node = before.get(way[way.len() - 1])?;
        way.push(node);
        if *node == start {
            way.reverse();
            return Some(way);
        }
    }
}

impl Tree {
    fn of(sources: &BTreeMap<String, String>) -> syn::Result<Self> {
        let mut tree = Self(Vec::new());
        let mut open = vec![("lib.rs".to_owned(), Vec::new(), None, None)];
        while let Some((file, place, parent, inline)) = open.pop() {
            let body = if inline.is_some() {
                inline
            } else {
                let text = sources.get(&file);
                Body::parse(text.unwrap_or_else(|| panic!("{file} is declared and not there")))?
            };
            let Some(body) = body else { continue };
            let index = tree.0.len();
            if let (Some(parent), Some(name)) = (parent, place.last()) {
                let parent: &mut Module = &mut tree.0[parent];
                parent.children.insert(String::clone(name), index);
            }
            for (name, body) in body.children {
                let place: Vec<String> = place.iter().cloned().chain([name]).collect();
                let file = if body.is_some() { file.clone() } else { format!("{}.rs", place.join("/")) };
                open.push((file, place, Some(index), body));
            }
            let items = body.items.into_iter().collect();
            let (imports, paths) = (body.imports, body.paths);
            tree.0.push(Module { file, parent, children: BTreeMap::new(), items, imports, paths });
        }
        Ok(tree)
    }

    fn is_within(&self, module: usize, outer: usize) -> bool {
        module == outer || self.0[module].parent.is_some_and(|parent| self.is_within(parent, outer))
    }

    /// What `path` names in `module`. `passed` gets the modules whose re-exports are followed.
    fn resolve(&self, module: usize, path: &[String], is_import: bool, passed: &mut Vec<usize>) -> Named {
        self.resolve_in(module, path, is_import, passed, 0)
    }

    fn resolve_in(
        &self,
        module: usize,
        path: &[String],
        is_import: bool,
        passed: &mut Vec<usize>,
        hops: usize,
    ) -> Named {
        let external = |name: &String| Named::External(name.clone());
        let mut at = module;
        let mut rest = path;
        match path {
            [] => return Named::Unknown,
            [empty, name, ..] if empty.is_empty() => return external(name),
            [first, others @ ..] if first == "crate" => (at, rest) = (0, others),
            [first, others @ ..] if first == "self" => rest = others,
            [first, ..] if first == "super" => {}
            [first, others @ ..] => match self.look_up(module, first, others.is_empty(), passed, hops) {
                Some(Named::Module(found)) => (at, rest) = (found, others),
                Some(found) => return found,
                None if is_import || !others.is_empty() => return external(first),
                None => return Named::Unknown,
            },
        }
        while let [first, others @ ..] = rest {
            if first == "super" {
                (at, rest) = (self.0[at].parent.unwrap_or(0), others);
                continue;
            }
            let is_first = at == module;
            match self.look_up(at, first, others.is_empty(), passed, hops) {
                Some(Named::Module(found)) => (at, rest) = (found, others),
                Some(found) => return found,
                // What a macro defines.
                None if is_first => return Named::Unknown,
                None => return Named::Item(at),
            }
        }
        Named::Module(at)
    }

    /// What a module calls by that name. Where a module and something else share it, the end of a path names both, and
    /// the something else counts.
    fn look_up(&self, module: usize, name: &str, is_end: bool, passed: &mut Vec<usize>, hops: usize) -> Option<Named> {
        let Module { children, items, imports, .. } = &self.0[module];
        let child = children.get(name).map(|child| Named::Module(*child));
        if child.is_some() && !is_end {
            return child;
        }
        if items.contains(name) {
            return Some(Named::Item(module));
        }
        if hops == MAX_HOPS {
            return child;
        }
        if let Some(import) = imports.iter().find(|import| import.name == name) {
            // `use http::{self, Method}`
            if import.path[0] == name && child.is_none() {
                return Some(Named::External(name.to_owned()));
            }
            if import.path[0] != name {
                passed.push(module);
                return Some(self.resolve_in(module, &import.path, true, passed, hops + 1));
            }
        }
        if child.is_some() {
            return child;
        }
        imports.iter().filter(|import| import.name == "*").find_map(|import| {
            match self.resolve_in(module, &import.path, true, &mut Vec::new(), hops + 1) {
                Named::Module(from) if from != module => {
                    let found = self.look_up(from, name, is_end, passed, hops + 1)?;
                    passed.push(module);
                    Some(found)
                }
                _ => None,
            }
        })
    }
}
