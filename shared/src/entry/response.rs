//! A reply in the shape that the front takes.
//!
//! Sources: as for [`crate::request::Event`].

use std::borrow::Cow;

use serde::Serialize;

use crate::envelope::Sealed;
use crate::request::Front;

/// What a function returns.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers<Text>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<Headers<[Text; 1]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<[String; 1]>,
    body: String,
    is_base64_encoded: bool,
}

type Text = Cow<'static, str>;

/// Those of every reply.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Headers<T> {
    content_type: T,
    cache_control: T,
    x_request_id: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_cookie: Option<T>,
}

impl Headers<Text> {
    fn new(request_id: &str, cookie: Option<String>) -> Self {
        Self {
            content_type: "application/json".into(),
            cache_control: "no-store".into(),
            x_request_id: request_id.to_owned().into(),
            set_cookie: cookie.map(Cow::Owned),
        }
    }

    fn into_lists(self) -> Headers<[Text; 1]> {
        Headers {
            content_type: [self.content_type],
            cache_control: [self.cache_control],
            x_request_id: [self.x_request_id],
            set_cookie: self.set_cookie.map(|cookie| [cookie]),
        }
    }
}

impl Response {
    /// The reply to one request; `request_id` is Lambda's.
    pub(super) fn new(front: Front, sealed: Sealed, request_id: &str, cookie: Option<String>) -> Self {
        let (cookies, cookie) = match front {
            Front::Format2 => (cookie.map(|cookie| [cookie]), None),
            Front::Format1 | Front::LoadBalancer { .. } => (None, cookie),
        };
        let headers = Headers::new(request_id, cookie);
        let (headers, multi_value_headers) = match front {
            Front::Format2 | Front::LoadBalancer { has_multi_value_headers: false } => (Some(headers), None),
            Front::Format1 | Front::LoadBalancer { has_multi_value_headers: true } => {
                (None, Some(headers.into_lists()))
            }
        };
        Self {
            status_code: 200,
            // A load balancer shows it in the status line.
            status_description: matches!(front, Front::LoadBalancer { .. }).then_some("200 OK"),
            headers,
            multi_value_headers,
            cookies,
            body: sealed.body,
            is_base64_encoded: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::envelope;
    use crate::request::Language;

    fn response(front: Front, cookie: Option<&str>) -> Value {
        let sealed = envelope::seal(&envelope::done(), Language::Chinese);
        serde_json::to_value(Response::new(front, sealed, "id-1", cookie.map(str::to_owned))).unwrap()
    }

    /// With the headers that every reply has.
    fn expected(mut of_the_front: Value, listed: bool) -> Value {
        let mut headers =
            json!({ "content-type": "application/json", "cache-control": "no-store", "x-request-id": "id-1" });
        let place = if listed { "multiValueHeaders" } else { "headers" };
        for (name, value) in headers.as_object_mut().unwrap() {
            of_the_front[place][name] = if listed { json!([value]) } else { value.take() };
        }
        of_the_front["statusCode"] = 200.into();
        of_the_front["body"] = r#"{"code":0,"msg":"ok","data":""}"#.into();
        of_the_front["isBase64Encoded"] = false.into();
        of_the_front
    }

    #[test]
    fn each_front_gets_its_own_shape() {
        for (front, with_cookie, without, listed) in [
            (Front::Format2, json!({ "cookies": ["a=b"] }), json!({}), false),
            (Front::Format1, json!({ "multiValueHeaders": { "set-cookie": ["a=b"] } }), json!({}), true),
            (
                Front::LoadBalancer { has_multi_value_headers: false },
                json!({ "statusDescription": "200 OK", "headers": { "set-cookie": "a=b" } }),
                json!({ "statusDescription": "200 OK" }),
                false,
            ),
            (
                Front::LoadBalancer { has_multi_value_headers: true },
                json!({ "statusDescription": "200 OK", "multiValueHeaders": { "set-cookie": ["a=b"] } }),
                json!({ "statusDescription": "200 OK" }),
                true,
            ),
        ] {
            assert_eq!(response(front, Some("a=b")), expected(with_cookie, listed), "{front:?}");
            assert_eq!(response(front, None), expected(without, listed), "{front:?}");
        }
    }
}
