//! API Gateway: routes, the event that a request becomes, and the response that an answer becomes.

mod cors;
mod event;
mod path;
mod response;
mod route;
mod service;

#[cfg(feature = "fuzz")]
pub(crate) use self::event::{Context, write as write_event};
#[cfg(feature = "fuzz")]
pub(crate) use self::path::Path;
pub(crate) use self::route::RouteTable;
pub(crate) use self::service::Gateway;
