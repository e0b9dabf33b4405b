//! The peer that functions are measured against: `put-product` of `aws-samples/serverless-rust-demo`, with every crate and every
//! setting as it comes. One JSON body becomes one item of DynamoDB. As there, `RUST_LOG=info`, and what handles the request and
//! what stores the product are instrumented: each line of the log carries their spans, and so the whole request.

use std::collections::HashMap;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use lambda_http::{Error, Request, RequestPayloadExt, Response, run, service_fn};
use serde::Deserialize;
use serde_json::json;
use tracing::{info, instrument};
use tracing_subscriber::EnvFilter;

#[derive(Debug, Deserialize)]
struct Product {
    id: String,
    name: String,
    price: f64,
}

impl From<&Product> for HashMap<String, AttributeValue> {
    fn from(product: &Product) -> Self {
        let attributes = [
            ("id", AttributeValue::S(product.id.clone())),
            ("name", AttributeValue::S(product.name.clone())),
            ("price", AttributeValue::N(product.price.to_string())),
        ];
        attributes.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

struct Store {
    client: Client,
    table_name: String,
}

impl Store {
    #[instrument(skip(self))]
    async fn put(&self, product: &Product) -> Result<(), Error> {
        info!("Putting item with id '{}' into DynamoDB table", product.id);
        self.client.put_item().table_name(&self.table_name).set_item(Some(product.into())).send().await?;
        Ok(())
    }
}

#[instrument(skip(store))]
async fn put_product(store: &Store, event: Request) -> Result<Response<String>, Error> {
    let product: Product = event.payload()?.ok_or("Missing product in request body")?;
    info!("Parsed product: {:?}", product);
    store.put(&product).await?;
    info!("Created product {:?}", product.id);
    let response = Response::builder().status(201).header("Content-Type", "application/json");
    Ok(response.body(json!({ "message": "Product created" }).to_string())?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).json().init();
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let store = Store { client, table_name: "products".into() };
    run(service_fn(|event: Request| put_product(&store, event))).await
}
