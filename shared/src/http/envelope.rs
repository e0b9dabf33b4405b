//! `{code, msg, data[, next]}`: the only shape of a reply, and the one table from [`Error`] to its code
//! and its sentences.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::reply::{Page, Reply};
use crate::error::{Error, Reason, TokenFault};
use crate::models::language::Language;

/// The body of the reply to `outcome`, in the caller's language.
pub(crate) fn seal(outcome: &Reply, language: Language) -> String {
    let body = match outcome {
        Ok(success) => write(0, "ok", success.data.as_deref(), success.page.as_ref()),
        Err(error) => {
            let data = data(error, language);
            write(code(error), &sentence(error, language), data.as_deref(), None)
        }
    };
    // A name or a cursor that is valid text always writes; this is the reply if that should ever change.
    body.unwrap_or_else(|_| r#"{"code":15001,"msg":"服务器错误，请稍后再试","data":""}"#.to_owned())
}

/// The body, keys in the order of the contract.
#[derive(Serialize)]
struct Body<'a> {
    code: u32,
    msg: &'a str,
    data: Data<'a>,
    #[serde(flatten)]
    page: Option<&'a Page>,
}

/// Data is never null or absent: without any it is the empty string.
#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Some(&'a RawValue),
    None(&'static str),
}

fn write(code: u32, msg: &str, data: Option<&RawValue>, page: Option<&Page>) -> Result<String, serde_json::Error> {
    let data = data.map_or(Data::None(""), Data::Some);
    serde_json::to_string(&Body { code, msg, data, page })
}

/// The code that clients branch on. A code never changes its meaning.
pub(crate) fn code(error: &Error) -> u32 {
    match error {
        Error::Token(_) => 10005,
        Error::NotLoggedIn => 10006,
        Error::Forbidden => 10007,
        Error::AccountDisabled => 10008,
        Error::AccountDeleted { .. } => 10009,
        Error::NotAnObject | Error::Missing(_) | Error::MissingOne(_) | Error::Invalid(_) | Error::NothingToChange => {
            11001
        }
        Error::PhoneTaken => 11002,
        Error::VeriCodeWrong => 11003,
        Error::UserNotFound => 11004,
        Error::TooManyRequests { .. } => 11005,
        Error::Internal(_) => 15001,
        Error::Http(_) => 15002,
        Error::Db(_) => 15003,
        Error::Redis(_) => 15004,
        Error::Panic(_) => 50000,
        Error::BadEvent(_) => 51400,
        Error::CrossSite | Error::PastOwnFront => 51403,
        Error::NoRoute { .. } => 51404,
        Error::WrongMethod { .. } => 51405,
        Error::BodyTooLarge => 51413,
    }
}

fn sentence(error: &Error, language: Language) -> String {
    let (zh, en) = match error {
        Error::Token(TokenFault::Expired) => ("token已失效", "token has expired"),
        Error::Token(TokenFault::Unverified) => ("token认证失败", "token verification failed"),
        Error::Token(TokenFault::Unacceptable) => ("非法的token", "token is not acceptable"),
        Error::NotLoggedIn => ("用户未登录", "not logged in"),
        Error::Forbidden => ("没有权限", "forbidden"),
        Error::AccountDisabled => ("账号已停用", "account is disabled"),
        Error::AccountDeleted { .. } => ("账号已注销", "account is deleted"),
        Error::NotAnObject => ("请求体必须是JSON对象", "the request body must be a JSON object"),
        Error::Missing(names) => {
            let names = names.join(",");
            return choose(language, format!("{names}参数缺失"), format!("missing parameters: {names}"));
        }
        Error::MissingOne(name) => {
            return choose(language, format!("{name}参数有缺失"), format!("missing parameter: {name}"));
        }
        Error::Invalid(fields) => {
            let names = fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
            return choose(language, format!("{names}参数无效"), format!("invalid parameters: {names}"));
        }
        Error::NothingToChange => ("没有可更新的参数", "no parameters to update"),
        Error::PhoneTaken => ("手机号已注册", "phone is already registered"),
        Error::VeriCodeWrong => ("验证码错误或已过期", "verification code is wrong or has expired"),
        Error::UserNotFound => ("用户不存在", "user not found"),
        Error::TooManyRequests { .. } => ("操作过于频繁，请稍后再试", "too many requests, please try again later"),
        Error::Internal(_) | Error::Http(_) | Error::Db(_) | Error::Redis(_) | Error::Panic(_) => {
            ("服务器错误，请稍后再试", "server error, please try again later")
        }
        // Kept from the old service, which said these in English only.
        Error::BadEvent(_) => ("Bad Request", "Bad Request"),
        Error::CrossSite | Error::PastOwnFront => ("Forbidden", "Forbidden"),
        Error::NoRoute { path } => return format!("Requested URL {path} not found"),
        Error::WrongMethod { method, path } => return format!("Method {method} not allowed for URL {path}"),
        Error::BodyTooLarge => ("Payload Too Large", "Payload Too Large"),
    };
    choose(language, zh.to_owned(), en.to_owned())
}

fn choose(language: Language, zh: String, en: String) -> String {
    match language {
        Language::Chinese => zh,
        Language::English => en,
    }
}

/// What a client can act on beside the code.
fn data(error: &Error, language: Language) -> Option<Box<RawValue>> {
    match error {
        Error::Invalid(fields) => {
            let reasons: serde_json::Map<String, serde_json::Value> =
                fields.iter().map(|(name, reason)| ((*name).to_owned(), explain(*reason, language).into())).collect();
            to_raw_value(&reasons).ok()
        }
        Error::TooManyRequests { retry_after_secs } => {
            to_raw_value(&serde_json::json!({ "retry_after": retry_after_secs })).ok()
        }
        Error::AccountDeleted { restore_until } => {
            to_raw_value(&serde_json::json!({ "restore_until": restore_until })).ok()
        }
        _ => None,
    }
}

/// The sentence of a reason, which stands behind the name of the parameter.
#[must_use]
pub fn explain(reason: Reason, language: Language) -> String {
    let (zh, en) = match reason {
        Reason::NotText => ("必须是字符串".to_owned(), "must be a string".to_owned()),
        Reason::Length(max) => {
            (format!("去掉首尾空白后须为1到{max}个字符"), format!("must have 1 to {max} characters after trimming"))
        }
        Reason::ControlCharacter => ("不能含有控制字符".to_owned(), "must not contain control characters".to_owned()),
        Reason::Invisible => ("至少要有一个可见字符".to_owned(), "must have at least one visible character".to_owned()),
        Reason::Unreadable => (
            "无法读取：字符不完整、数字过大或嵌套过深".to_owned(),
            "cannot be read: half a character, too large a number or too deep a nesting".to_owned(),
        ),
        Reason::NotAGender => ("必须是1或2".to_owned(), "must be 1 or 2".to_owned()),
        Reason::NotADate => {
            ("必须是真实存在的日期，格式YYYY-MM-DD".to_owned(), "must be a real date written as YYYY-MM-DD".to_owned())
        }
        Reason::DateOutOfRange => {
            ("必须在1900-01-01和今天之间".to_owned(), "must be between 1900-01-01 and today".to_owned())
        }
        Reason::NotAPhone => ("不是有效的手机号".to_owned(), "is not a valid phone number".to_owned()),
        Reason::NotAMobile => ("不是移动电话号码".to_owned(), "is not a mobile phone number".to_owned()),
        Reason::RegionNotAllowed => {
            ("不支持该国家或地区的号码".to_owned(), "numbers of this region are not served".to_owned())
        }
        Reason::NotACode => ("必须是6位数字".to_owned(), "must be 6 digits".to_owned()),
        Reason::NotInRange(max) => (format!("必须是1到{max}的整数"), format!("must be a whole number from 1 to {max}")),
        Reason::NotAFlag => ("必须是true或false".to_owned(), "must be true or false".to_owned()),
        Reason::NotAnId => ("不是用户编号".to_owned(), "is not the id of a user".to_owned()),
        Reason::NotARole => ("必须是user或admin".to_owned(), "must be user or admin".to_owned()),
        Reason::NotAState => {
            ("必须是live、disabled或deleted".to_owned(), "must be live, disabled or deleted".to_owned())
        }
        Reason::NotBeside(name) => (format!("不能与{name}同时使用"), format!("cannot stand beside {name}")),
        Reason::NotAKey => {
            ("必须是1到255个可见ASCII字符".to_owned(), "must be 1 to 255 printable ASCII characters".to_owned())
        }
        Reason::NotACursor => ("不是本服务给出的游标".to_owned(), "is not a cursor that this service gave".to_owned()),
    };
    choose(language, zh, en)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reply::{done, page};
    use super::*;
    use crate::error::Cause;

    fn body(outcome: &Reply, language: Language) -> String {
        seal(outcome, language)
    }

    #[test]
    fn the_keys_stand_in_the_order_of_the_contract() {
        let page = page(&[1, 2], Some("c".to_owned()));
        assert_eq!(body(&page, Language::Chinese), r#"{"code":0,"msg":"ok","data":[1,2],"next":"c"}"#);
    }

    #[test]
    fn the_last_page_says_null() {
        assert_eq!(body(&page(&[0; 0], None), Language::Chinese), r#"{"code":0,"msg":"ok","data":[],"next":null}"#);
    }

    #[test]
    fn without_data_there_is_an_empty_string() {
        assert_eq!(body(&done(), Language::Chinese), r#"{"code":0,"msg":"ok","data":""}"#);
    }

    #[test]
    fn a_cause_never_reaches_the_client() {
        for error in [Error::Internal, Error::Http, Error::Db, Error::Redis, Error::Panic, Error::BadEvent] {
            let reply = Err(error(Cause::new("secret-host refused")));
            for language in [Language::Chinese, Language::English] {
                assert!(!body(&reply, language).contains("secret-host"));
            }
        }
    }

    #[test]
    fn a_limit_says_when_to_come_back() {
        let reply = Err(Error::TooManyRequests { retry_after_secs: 42 });
        assert_eq!(
            body(&reply, Language::English),
            r#"{"code":11005,"msg":"too many requests, please try again later","data":{"retry_after":42}}"#
        );
    }

    proptest! {
        #[test]
        fn any_path_makes_a_valid_envelope(path in any::<String>(), method in any::<String>()) {
            for error in [Error::NoRoute { path: path.clone() }, Error::WrongMethod { method, path: path.clone() }] {
                let text = body(&Err(error), Language::Chinese);
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
                prop_assert_eq!(keys, ["code", "data", "msg"]);
                let starts_with_code = text.starts_with(r#"{"code":"#);
                prop_assert!(starts_with_code);
                prop_assert!(!text.contains('\n'));
            }
        }
    }
}
