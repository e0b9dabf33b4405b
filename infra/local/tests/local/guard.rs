//! Requests that a web page of another site may have sent to a local server.

use support::{TestApp, send};

/// Without it a body is base64 in the event, which the probe does not read.
const JSON: (&str, &str) = ("content-type", "application/json");

/// Every HTTP server that is not the API itself, with a path that it answers.
async fn servers(app: &TestApp) -> Vec<(&'static str, String)> {
    let env = app.echo().await["env"].take();
    let text = |name: &str| env[name].as_str().unwrap().to_owned();
    vec![
        ("control API", app.url("/_stage/state")),
        ("console", app.url("/_stage/console/")),
        ("API pages", app.url("/docs/")),
        ("AWS doubles", format!("{}/", app.aws_url().await)),
        ("DynamoDB", app.emulator.dynamodb_url()),
        ("DynamoDB of functions", text("AWS_ENDPOINT_URL_DYNAMODB")),
        ("Runtime API", format!("http://{}/2018-06-01/runtime/invocation/next", text("AWS_LAMBDA_RUNTIME_API"))),
    ]
}

#[tokio::test]
async fn a_host_name_that_resolves_to_this_machine_is_refused_by_every_server() {
    let app = TestApp::with_probe().await;
    for (server, url) in servers(&app).await {
        for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example"] {
            for method in ["GET", "POST"] {
                // A POST to the pages is a request to the API.
                if (server, method) != ("API pages", "POST") {
                    let response = send(method, &url, &[("host", host)], "{}").await;
                    assert_eq!(response.status, 403, "{server}: {method} {host}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_at_any_server() {
    let app = TestApp::with_probe().await;
    for (server, url) in servers(&app).await {
        for headers in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
            let response = send("PUT", &url, &[headers, JSON], "{}").await;
            assert!(response.status == 403 || server == "API pages", "{server}: {headers:?}: {}", response.status);
        }
    }
    let url = app.emulator.dynamodb_url();
    let preflight = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
    assert_eq!(send("OPTIONS", &url, &preflight, "").await.status, 403);
    // More headers than the proxy reads.
    let many: Vec<_> = (0..200).map(|n| format!("x-{n}")).collect();
    let mut headers: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
    headers.push(("host", "evil.example"));
    assert_eq!(send("POST", &url, &headers, "{}").await.status, 403);
}

#[tokio::test]
async fn the_api_itself_answers_to_any_name() {
    let app = TestApp::with_probe().await;
    let response = send("POST", &app.url("/test/probe"), &[("host", "api.example"), JSON], "{}").await;
    assert_eq!(response.json()["event"]["requestContext"]["domainName"], "api.example");
}
