//! Settings: `conf/<stage>.json` or `.toml` beside the function, one file here per table of it, and what only the deployment
//! knows from the environment. The only reader of either.

mod audit;
mod cache;
mod env;
mod error;
mod http;
mod index;
mod limits;
mod money;
mod phone;
mod secrets;
mod session;
mod settings;
mod sms;
mod token;
mod veri_code;

pub use self::audit::Audit;
pub use self::cache::{Cache, CacheAccess, CacheKind};
pub use self::env::{AwsEnv, Credentials, endpoint_url, function_name, log_settings, stage_name};
pub use self::error::SettingError;
pub use self::http::Http;
pub use self::index::{Audience, Index};
pub use self::limits::{Action, Limit, Limits, Subject, Unverified, Window};
pub use self::secrets::Secrets;
pub use self::session::Session;
pub use self::settings::Config;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use self::settings::Deployed;
pub use self::sms::{Sms, SmsProvider, SmsText, Tencent};
pub use self::token::Token;
pub use self::veri_code::{TestNumber, VeriCode};
