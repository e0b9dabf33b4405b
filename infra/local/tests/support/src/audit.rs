//! The audit: what is in its table, and when all of it is there.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::repository::eventually;

impl TestApp {
    /// Waits until every change was delivered or given up, for as long as there are fewer and fewer.
    pub async fn streams_are_empty(&self) {
        let mut left = u64::MAX;
        while left > 0 {
            left = eventually("streams go on", async || {
                let state = self.inspect("state").await;
                let streams = state["streams"].as_array().unwrap().clone();
                assert!(!streams.is_empty(), "nothing reads a stream");
                let pending: u64 = streams.iter().map(|stream| stream["pending"].as_u64().unwrap()).sum();
                (pending < left).then_some(pending)
            })
            .await;
        }
    }

    /// The events of a user in the table, oldest first, once every change was delivered.
    pub async fn audited(&self, user_id: &str) -> Vec<Value> {
        self.streams_are_empty().await;
        let (mut found, mut start) = (Vec::new(), Value::Null);
        loop {
            let mut query = json!({
                "TableName": "badge-local-audit", "KeyConditionExpression": "id = :id",
                "ExpressionAttributeValues": { ":id": { "S": user_id } },
            });
            if !start.is_null() {
                query["ExclusiveStartKey"] = start;
            }
            let mut page = self.dynamodb("Query", &query).await;
            found.extend(page["Items"].as_array().unwrap().iter().cloned());
            start = page["LastEvaluatedKey"].take();
            if start.is_null() {
                return found;
            }
        }
    }
}
