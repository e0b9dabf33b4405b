//! What people do with their accounts. Each use case is a struct whose fields are what it needs.

pub mod audit;
pub mod audit_log;
pub mod list;
pub mod login;
pub mod register;
pub mod rights;
pub mod sessions;
mod tokens;
