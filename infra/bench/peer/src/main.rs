//! The peer that functions are measured against: one JSON body becomes one item of DynamoDB, as `put-product` of
//! `aws-samples/serverless-rust-demo` does it, with every crate and every setting as it comes.

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use lambda_http::{Body, Error, Request, Response, run, service_fn};
use serde::Deserialize;
use tracing::info;

#[derive(Debug, Deserialize)]
struct Product {
    id: String,
    name: String,
    price: f64,
}

async fn put_product(client: &Client, request: Request) -> Result<Response<Body>, Error> {
    let product: Product = serde_json::from_slice(request.body())?;
    info!(?product, "received");
    client
        .put_item()
        .table_name("products")
        .item("id", AttributeValue::S(product.id.clone()))
        .item("name", AttributeValue::S(product.name))
        .item("price", AttributeValue::N(product.price.to_string()))
        .send()
        .await?;
    info!(product.id, "created");
    let response = Response::builder().status(201).header("content-type", "application/json");
    Ok(response.body(r#"{"message":"created"}"#.into())?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().json().init();
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    run(service_fn(|request| put_product(&client, request))).await
}
