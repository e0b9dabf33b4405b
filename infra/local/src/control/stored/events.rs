//! Events of the audit about one user.

use std::collections::HashMap;

use dynoxide::actions::query::QueryRequest;
use dynoxide::types::AttributeValue;

use super::keys::ID;
use super::reader::StoredData;
use super::users::{User, plain};
use crate::error::EmulatorError;

impl StoredData<'_> {
    /// The newest events about a user, at most `limit`.
    pub(crate) async fn events(&self, user_id: &str, limit: usize) -> Result<Vec<User>, EmulatorError> {
        let request = QueryRequest {
            table_name: self.keys.audit_table(),
            key_condition_expression: Some("#id = :id".to_owned()),
            expression_attribute_names: Some(HashMap::from([("#id".to_owned(), ID.to_owned())])),
            expression_attribute_values: Some(HashMap::from([(
                ":id".to_owned(),
                AttributeValue::S(user_id.to_owned()),
            )])),
            scan_index_forward: false,
            limit: Some(limit),
            ..QueryRequest::default()
        };
        let found = self.app.dynamodb.run(move |database| database.query(request).map_err(EmulatorError::dynamodb));
        Ok(found.await?.items.unwrap_or_default().into_iter().map(plain).collect())
    }
}
