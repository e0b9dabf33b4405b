//! The HTTP response for a function's answer in payload format 2.0.
//!
//! Source: Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs": an object with
//! `statusCode` is a response; any other JSON is the body of a 200.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de::Error as _};

use crate::lambda::Payload;
use crate::server::{self, Reply};

/// Separates the prelude of a streamed response from its body.
const PRELUDE_END: [u8; 8] = [0; 8];

/// A larger body is not searched for its `code`.
const MAX_ENVELOPE_BYTES: usize = 64 * 1024;

/// The response, and the `code` of the JSON envelope in its body if there is one; `None` if the answer is no response.
pub(crate) fn read(payload: &Payload) -> Option<(Reply, Option<i64>)> {
    if payload.has_prelude {
        let end = payload.bytes.windows(PRELUDE_END.len()).position(|window| window == PRELUDE_END)?;
        let prelude: Answer<'_> = serde_json::from_slice(&payload.bytes[..end]).ok()?;
        let body = payload.bytes.slice(end + PRELUDE_END.len()..);
        return Some(respond(prelude.status_code.unwrap_or(StatusCode::OK), prelude.headers, &prelude.cookies, body));
    }
    let answer = serde_json::from_slice::<Answer<'_>>(&payload.bytes);
    let Some((status, answer)) = answer.ok().and_then(|answer| Some((answer.status_code?, answer))) else {
        return plain_body(&payload.bytes).map(|reply| (reply, None));
    };
    let body = match answer.body {
        None => Bytes::new(),
        Some(text) if answer.is_base64_encoded => STANDARD.decode(&*text).ok()?.into(),
        Some(text) => text.into_owned().into(),
    };
    Some(respond(status, answer.headers, &answer.cookies, body))
}

/// `code` of a JSON envelope.
fn code(body: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Envelope {
        code: i64,
    }
    if body.first() != Some(&b'{') || body.len() > MAX_ENVELOPE_BYTES {
        return None;
    }
    serde_json::from_slice::<Envelope>(body).ok().map(|envelope| envelope.code)
}

/// JSON without a `statusCode`: a text is sent as it is, anything else as JSON.
fn plain_body(bytes: &Bytes) -> Option<Reply> {
    match serde_json::from_slice(bytes).ok()? {
        serde_json::Value::String(text) => Some(server::json(StatusCode::OK, text)),
        serde_json::Value::Object(object) if object.contains_key("statusCode") => None,
        _ => Some(server::json(StatusCode::OK, bytes.clone())),
    }
}

fn respond(
    status: StatusCode,
    headers: Option<ReplyHeaders>,
    cookies: &[Cow<'_, str>],
    body: Bytes,
) -> (Reply, Option<i64>) {
    let code = code(&body);
    let mut reply = Reply::new(body.into());
    *reply.status_mut() = status;
    *reply.headers_mut() = headers.map(|headers| headers.0).unwrap_or_default();
    let headers = reply.headers_mut();
    // API Gateway's default.
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain;charset=UTF-8"));
    for cookie in cookies {
        if let Ok(cookie) = HeaderValue::from_str(cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    (reply, code)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(default, deserialize_with = "status_code")]
    status_code: Option<StatusCode>,
    #[serde(default)]
    headers: Option<ReplyHeaders>,
    #[serde(default, borrow)]
    cookies: Vec<Cow<'a, str>>,
    #[serde(default, borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// Headers of an answer; a value may be a text, a number or a boolean.
struct ReplyHeaders(HeaderMap);

impl<'de> Deserialize<'de> for ReplyHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeadersVisitor;
        impl<'de> Visitor<'de> for HeadersVisitor {
            type Value = HeaderMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderMap, A::Error> {
                let mut headers = HeaderMap::new();
                while let Some((name, value)) = map.next_entry::<Cow<'_, str>, Scalar>()? {
                    let name = HeaderName::from_bytes(name.as_bytes()).map_err(A::Error::custom)?;
                    let value = HeaderValue::try_from(value.0).map_err(A::Error::custom)?;
                    if !is_owned_by_connection(&name) {
                        headers.append(name, value);
                    }
                }
                Ok(headers)
            }
        }
        deserializer.deserialize_map(HeadersVisitor).map(Self)
    }
}

/// Set by the gateway itself, whatever the function says.
fn is_owned_by_connection(name: &HeaderName) -> bool {
    const OWNED: [HeaderName; 4] =
        [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE];
    OWNED.contains(name)
}

struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => Ok(Self(value.to_string())),
            _ => Err(D::Error::custom("a header is neither text nor number nor boolean")),
        }
    }
}

fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StatusCode>, D::Error> {
    let number = match Option::<serde_json::Value>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    // Below 200 a response would not be the last one to its request.
    let status = number.filter(|number| *number >= 200).and_then(|number| StatusCode::from_u16(number).ok());
    status.map(Some).ok_or_else(|| de::Error::custom("not a status code"))
}

#[cfg(test)]
mod tests {
    use http::header;
    use http_body_util::BodyExt;

    use super::{code, read};
    use crate::lambda::Payload;

    async fn response(payload: &'static [u8], has_prelude: bool) -> Option<(u16, String, Vec<String>, String)> {
        let (reply, _) = read(&Payload { bytes: payload.into(), has_prelude })?;
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let status = reply.status().as_u16();
        let kind = text(&reply.headers()[header::CONTENT_TYPE]);
        let cookies = reply.headers().get_all(header::SET_COOKIE).iter().map(text).collect();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        Some((status, kind, cookies, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn an_object_with_a_status_is_the_response() {
        let payload = br#"{"statusCode": "201", "headers": {"Content-Type": "a/b", "X-N": 5, "content-length": "9"},
            "cookies": ["a=1", "b=2"], "body": "\"hi\"\n", "isBase64Encoded": false}"#;
        let cookies = vec!["a=1".to_owned(), "b=2".to_owned()];
        assert_eq!(response(payload, false).await, Some((201, "a/b".to_owned(), cookies, "\"hi\"\n".to_owned())));
    }

    #[tokio::test]
    async fn a_base64_body_is_decoded() {
        let answer = response(br#"{"statusCode":200,"body":"aGk=","isBase64Encoded":true}"#, false).await.unwrap();
        assert_eq!(answer.3, "hi");
        assert_eq!(response(br#"{"statusCode":200,"body":"*","isBase64Encoded":true}"#, false).await, None);
    }

    #[tokio::test]
    async fn json_without_a_status_is_the_body() {
        for (payload, body) in [
            (br#"{"a": 1}"#.as_slice(), r#"{"a": 1}"#),
            (br#""Hello""#.as_slice(), "Hello"),
            (b"[1]".as_slice(), "[1]"),
        ] {
            let answer = response(payload, false).await.unwrap();
            assert_eq!((answer.0, answer.1.as_str(), answer.3.as_str()), (200, "application/json", body));
        }
    }

    #[tokio::test]
    async fn anything_else_is_no_response() {
        for payload in [
            b"".as_slice(),
            b"hello",
            br#"{"statusCode": "many"}"#,
            br#"{"statusCode": 99}"#,
            br#"{"statusCode": 200, "body": {}}"#,
            br#"{"statusCode": 200, "headers": {"a b": "c"}}"#,
        ] {
            assert_eq!(response(payload, false).await, None, "{payload:?}");
        }
    }

    #[tokio::test]
    async fn a_streamed_response_carries_its_head_before_eight_nuls() {
        let payload = b"{\"statusCode\":202,\"headers\":{\"content-type\":\"a/b\"}}\0\0\0\0\0\0\0\0body";
        assert_eq!(response(payload, true).await, Some((202, "a/b".to_owned(), vec![], "body".to_owned())));
    }

    #[test]
    fn the_code_of_an_envelope_is_found() {
        assert_eq!(code(br#"{"code":11001,"msg":"ok","data":""}"#), Some(11001));
        assert_eq!(code(br#"{"msg":"ok"}"#), None);
        assert_eq!(code(b"hello"), None);
    }
}
