//! AWS: the clients of its services and how they are made.

mod clients;
mod elasticache;
mod hosts;
mod http_client;
mod iam_token;
mod secrets;
mod signed;
mod tasks;
mod tls;
mod ttl_cache;

pub use self::clients::Clients;
pub(crate) use self::clients::{BACKGROUND_CALL, CALL, CONNECT, OPERATOR_CALL, OPERATOR_CONNECT, sdk_cause};
pub use self::elasticache::{Description, ElastiCache};
pub use self::http_client::{HttpClient, HttpResponse};
pub(crate) use self::http_client::{NO_ANSWER, requests_are_sent};
pub(crate) use self::iam_token::{IamToken, UNRESERVED};
pub use self::secrets::SecretKeys;
pub(crate) use self::tasks::Spawned;
pub use self::tasks::{Task, Tasks};
pub(crate) use self::tls::client_config;
