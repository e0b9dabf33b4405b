//! The codes of replies; `docs/openapi.yaml` describes them.

macro_rules! codes {
    ($($name:ident = $code:literal),+ $(,)?) => {
        $(#[doc = concat!("`", stringify!($code), "`")] pub const $name: i64 = $code;)+
    };
}

codes! {
    OK = 0,
    NO_AUTH = 10005,
    NOT_LOGIN = 10006,
    FORBIDDEN = 10007,
    ACCOUNT_DISABLED = 10008,
    ACCOUNT_DELETED = 10009,
    PARAMS_INVALID = 11001,
    PHONE_TAKEN = 11002,
    VERI_CODE_WRONG = 11003,
    USER_NOT_FOUND = 11004,
    TOO_MANY_REQUESTS = 11005,
    INTERNAL_ERROR = 15001,
    HTTP_ERROR = 15002,
    DB_ERROR = 15003,
    REDIS_ERROR = 15004,
    UNCAUGHT = 50000,
    BAD_REQUEST = 51400,
    CROSS_SITE = 51403,
    NOT_FOUND = 51404,
    METHOD_NOT_ALLOWED = 51405,
    PAYLOAD_TOO_LARGE = 51413,
}
