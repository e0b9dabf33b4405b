//! The cache of a stage, and what each function may do in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use support::root;
use support::tree::{functions_of, of_type};

use super::{flat, reference, statements, template};

/// The quoted words of a text.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_page_of_rights_to_the_cache_says_what_each_function_may_touch() {
    let template = template();
    let page = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let rows = page.split("| function | keys (terms) | commands |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows: Vec<_> = rows.lines().map(|row| row.split('|').map(quoted).collect::<Vec<_>>()).collect();
    let found = rows.iter().filter(|row| row.len() > 2);
    let found = found.flat_map(|row| row[1].iter().map(|function| (*function, row[2].iter().copied().collect())));
    let found: BTreeMap<_, BTreeSet<_>> = found.collect();
    for (folder, function) in functions_of(&template) {
        let Some(user) = function["Environment"]["Variables"]["CACHE_USER"]["If"][1]["Ref"].as_str() else { continue };
        // The page has those that a scaffold makes in one sentence.
        if user == "SignedInCacheUser" && !found.contains_key(folder) {
            continue;
        }
        let access = template["Resources"][user]["Properties"]["AccessString"].as_str().unwrap();
        let terms = access.split(' ').filter_map(|word| word.strip_prefix("~*}:")?.strip_suffix(":*"));
        assert_eq!(found.get(folder), Some(&terms.collect()), "{folder}");
    }
}

#[test]
fn the_cache_signs_in_by_iam_and_its_bill_has_a_bound() {
    let template = template();
    let resources = &template["Resources"];
    let cache = &resources["Cache"]["Properties"];
    let name = json!({ "Sub": "badge-${Stage}" });
    assert_eq!(cache["ServerlessCacheName"], name);
    assert_eq!(cache["CacheUsageLimits"]["DataStorage"]["Maximum"], reference("CacheGb"));
    assert_eq!(cache["CacheUsageLimits"]["ECPUPerSecond"]["Maximum"], reference("CacheEcpu"));
    assert!(template["Parameters"]["CacheGb"]["Default"].as_u64().unwrap() <= 5);
    assert!(template["Parameters"]["CacheEcpu"]["MinValue"].as_u64().unwrap() >= 1000, "less is refused");
    assert_eq!(cache["UserGroupId"], reference("CacheUserGroup"));
    let users: Vec<_> = of_type(&template, "AWS::ElastiCache::User").collect();
    let members: Vec<_> = users.iter().map(|(id, _)| reference(id)).collect();
    let mut in_group = resources["CacheUserGroup"]["Properties"]["UserIds"].as_array().unwrap().clone();
    in_group.sort_by_key(Value::to_string);
    assert_eq!(in_group, members);
    for (id, user) in &users {
        assert_eq!(user["AuthenticationMode"], json!({ "Type": "iam" }));
        assert_eq!(user["UserId"], user["UserName"], "IAM asks for the same name twice");
        // Every stage's name fits: ElastiCache takes 40 characters, and a stage has at most 16.
        let name = user["UserId"]["Sub"].as_str().unwrap().replace("${Stage}", "");
        assert!(name.len() <= 24 && !name.contains('_'), "{name}");
        let access = user["AccessString"].as_str().unwrap();
        assert!(access.starts_with("on ") && access.contains(" -@all ") && !access.contains("~* "), "{id}: {access}");
        assert!(!access.contains("@write") || access.ends_with("-@dangerous"), "{id}: {access}");
        assert_eq!(resources[id.as_str()]["Condition"], "MakesCache", "{id}");
    }
    for made in ["Cache", "CacheUserGroup"] {
        assert_eq!(resources[made]["Condition"], "MakesCache", "{made}");
    }
    // A function signs in as one user, whom it shares at most with those that only find sessions.
    let mut functions = BTreeMap::<String, usize>::new();
    for (folder, function) in functions_of(&template) {
        let user = &function["Environment"]["Variables"]["CACHE_USER"];
        let connects: Vec<_> = statements(&template)
            .into_iter()
            .filter(|(who, one)| who == folder && flat(&one["Action"]) == ["elasticache:Connect"])
            .map(|(_, one)| one["Resource"]["Sub"][1]["User"].clone())
            .collect();
        assert_eq!(connects, if user.is_null() { Vec::new() } else { vec![user.clone()] }, "{folder}");
        if let Some(id) = user["If"][1]["Ref"].as_str() {
            *functions.entry(id.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(functions.len(), users.len(), "a user whom no function signs in as");
    for (user, count) in functions {
        assert!(count == 1 || user == "SignedInCacheUser", "{user} has {count} functions");
    }
    let variables = &template["Globals"]["Function"]["Environment"]["Variables"];
    assert!(variables["CACHE_URL"]["If"][1]["Sub"].as_str().unwrap().starts_with("rediss://"), "IAM needs TLS");
}
