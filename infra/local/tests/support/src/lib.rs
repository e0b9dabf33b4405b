//! What all Rust tests share: an HTTP client, the app under test, raw access to its stores, and the names of its codes.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]
#![expect(clippy::missing_panics_doc, reason = "a test fails by a panic")]

mod account_calls;
mod app;
mod audit;
mod builder;
mod client;
pub mod code;
mod dynamodb_proxy;
mod gate;
mod jobs;
mod query_service;
mod repository;
mod stores;
mod token;
pub mod tree;

pub use account_calls::{AccountCall, account_calls};
pub use app::{PREFIX, Reply, SignedIn, TestApp, applicant, other_than};
pub use builder::{
    EXPIRED_TEST_NUMBER, TEST_CODE, TEST_NUMBER, TestAppBuilder, env_option, for_crowds, with_app, with_settings,
    with_test_numbers,
};
pub use client::{HttpResponse, get, post, post_signed, send, signature};
pub use dynamodb_proxy::{Attempt, DynamoDbProxy, Refusal};
pub use gate::{Gate, Stop, first_command, with_variables};
pub use jobs::report;
pub use query_service::{Form, QueryReply, QueryService, Received, query_error};
pub use repository::{Repository, eventually, probe, processes_with, root, write_program};
pub use stores::{dynamodb, redis};
pub use token::forge;
