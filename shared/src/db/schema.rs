//! The tables that a deployment made: whether they are as this code expects them.

use aws_sdk_dynamodb::types::{IndexStatus, KeySchemaElement, KeyType, TableDescription, TableStatus};

use super::database::{Database, read};
use crate::config::Config;
use crate::error::{Cause, Error, StartError};

/// The tables of a stage, as DynamoDB describes them.
pub struct Schema {
    database: Database,
    users_table: String,
    runs_table: String,
    audit_table: String,
}

impl Schema {
    /// The tables of this stage.
    ///
    /// # Errors
    /// `USERS_TABLE`, `RUNS_TABLE` or `AUDIT_TABLE`, when it is not set.
    pub fn new(database: &Database, config: &Config) -> Result<Self, StartError> {
        let users_table = config.users_table().map_err(StartError::of)?.to_owned();
        let runs_table = config.runs_table().map_err(StartError::of)?.to_owned();
        let audit_table = config.audit_table().map_err(StartError::of)?.to_owned();
        Ok(Self { database: database.clone(), users_table, runs_table, audit_table })
    }

    /// What is wrong with each table: nothing, or a sentence.
    ///
    /// # Errors
    /// [`Error::Db`].
    pub async fn faults(&self) -> Result<[(&'static str, Option<String>); 3], Error> {
        // In this order always, so that a test knows which answer is whose.
        let (users, runs, audit) = tokio::join!(
            biased;
            self.describe(&self.users_table),
            self.describe(&self.runs_table),
            self.describe(&self.audit_table)
        );
        let indexes = [
            ("by_id", ["shard", "id"]),
            ("by_delete_time", ["is_delete", "delete_time"]),
            ("by_disabled", ["is_disabled", "id"]),
        ];
        Ok([
            ("users table", fault(&users?, &["phone"], &indexes)),
            ("runs table", fault(&runs?, &["run"], &[])),
            ("audit table", fault(&audit?, &["id", "version"], &[])),
        ])
    }

    async fn describe(&self, table: &str) -> Result<TableDescription, Error> {
        let describe = self.database.client.describe_table().table_name(table);
        let described = read(describe.send(), |_| None).await?;
        described.table.ok_or_else(|| Error::Db(Cause::new("a table without a description")))
    }
}

fn fault(table: &TableDescription, keys: &[&str], indexes: &[(&str, [&str; 2])]) -> Option<String> {
    if table.table_status() != Some(&TableStatus::Active) {
        return Some("is not active".to_owned());
    }
    if !has_keys(table.key_schema(), keys) {
        return Some(format!("has another key than {}", keys.join(", ")));
    }
    indexes.iter().find_map(|(name, expected)| {
        let Some(index) = table.global_secondary_indexes().iter().find(|index| index.index_name() == Some(name)) else {
            return Some(format!("has no index {name}"));
        };
        if index.index_status() != Some(&IndexStatus::Active) {
            return Some(format!("has an index {name} that is not active"));
        }
        (!has_keys(index.key_schema(), expected))
            .then(|| format!("has an index {name} with other keys than {expected:?}"))
    })
}

fn has_keys(schema: &[KeySchemaElement], expected: &[&str]) -> bool {
    let is_there =
        |(name, kind): (&&str, _)| schema.iter().any(|part| part.attribute_name() == *name && *part.key_type() == kind);
    schema.len() == expected.len() && expected.iter().zip([KeyType::Hash, KeyType::Range]).all(is_there)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::scripted::{Ending, Scripted};
    use super::*;

    fn keys(names: &[&str]) -> Value {
        names
            .iter()
            .zip(["HASH", "RANGE"])
            .map(|(name, kind)| json!({ "AttributeName": name, "KeyType": kind }))
            .collect()
    }

    fn users_table() -> Value {
        let index = |name, names| json!({ "IndexName": name, "IndexStatus": "ACTIVE", "KeySchema": keys(names) });
        json!({
            "TableStatus": "ACTIVE",
            "KeySchema": keys(&["phone"]),
            "GlobalSecondaryIndexes": [
                index("by_id", &["shard", "id"]),
                index("by_delete_time", &["is_delete", "delete_time"]),
                index("by_disabled", &["is_disabled", "id"]),
            ],
        })
    }

    fn faults(users: &Value) -> [Option<String>; 3] {
        let runs = json!({ "TableStatus": "ACTIVE", "KeySchema": keys(&["run"]) });
        let audit = json!({ "TableStatus": "ACTIVE", "KeySchema": keys(&["id", "version"]) });
        let described = |table: &Value| Ending::ok(&json!({ "Table": table }));
        let dynamodb = Scripted::new(&[described(users), described(&runs), described(&audit)]);
        let database = Database::new(dynamodb.config());
        let schema = Schema {
            database,
            users_table: "users".to_owned(),
            runs_table: "runs".to_owned(),
            audit_table: "audit".to_owned(),
        };
        dynamodb.run(schema.faults()).unwrap().map(|(_, fault)| fault)
    }

    #[test]
    fn tables_as_the_template_makes_them_have_no_fault() {
        assert_eq!(faults(&users_table()), [None, None, None]);
    }

    #[test]
    fn a_table_that_is_otherwise_is_told() {
        for (pointer, value, expected) in [
            ("/TableStatus", json!("CREATING"), "is not active"),
            ("/KeySchema", keys(&["id"]), "has another key than phone"),
            ("/GlobalSecondaryIndexes", json!([]), "has no index by_id"),
            (
                "/GlobalSecondaryIndexes/1/IndexStatus",
                json!("CREATING"),
                "has an index by_delete_time that is not active",
            ),
            (
                "/GlobalSecondaryIndexes/0/KeySchema",
                keys(&["id", "shard"]),
                r#"has an index by_id with other keys than ["shard", "id"]"#,
            ),
        ] {
            let mut table = users_table();
            *table.pointer_mut(pointer).unwrap() = value;
            assert_eq!(faults(&table), [Some(expected.to_owned()), None, None]);
        }
    }
}
