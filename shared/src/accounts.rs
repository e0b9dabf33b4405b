//! What people do with their accounts. Each use case is a struct whose fields are what it needs.

pub mod admin;
pub mod audit;
pub mod audit_log;
mod confirmed;
pub mod deletion;
pub mod epochs;
pub mod export;
pub mod list;
pub mod login;
mod own;
pub mod own_sessions;
pub mod phone_change;
pub mod profile;
pub mod refresh;
pub mod register;
pub mod rights;
mod row;
mod session_data;
pub mod sessions;
mod tokens;
