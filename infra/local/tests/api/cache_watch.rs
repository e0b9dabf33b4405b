//! The job `cache_watch`, with answers as AWS gives them. `elasticache/` has them, one file for each reply.

use serde_json::{Value, json};

use support::{Form, QueryReply, QueryService, TestApp, TestAppBuilder, query_error, with_app, with_settings};

const SERVERLESS: &str = include_str!("elasticache/serverless_caches.xml");
const SERVERLESS_PAGE_1: &str = include_str!("elasticache/serverless_caches_page_1.xml");
const SERVERLESS_SNAPSHOTS: &str = include_str!("elasticache/serverless_cache_snapshots.xml");
const SERVERLESS_SNAPSHOTS_PAGE_1: &str = include_str!("elasticache/serverless_cache_snapshots_page_1.xml");
const GROUPS: &str = include_str!("elasticache/replication_groups.xml");
const CLUSTERS: &str = include_str!("elasticache/cache_clusters.xml");
const SNAPSHOTS: &str = include_str!("elasticache/snapshots.xml");
const SNAPSHOTS_PAGE_1: &str = include_str!("elasticache/snapshots_page_1.xml");

/// The address of the cache that functions have, and that AWS reports.
const CACHE_URL: &str = "rediss://badge-local-a1b2c3.serverless.use1.cache.amazonaws.com:6379";
const GROUP_URL: &str = "rediss://badge-local.a1b2c3.ng.0001.use1.cache.amazonaws.com:6379";

/// Nine hours after the newest snapshot that is in the answers.
const NOW: &str = "2026-11-22T12:00:00Z";

/// AWS, when all is well.
fn aws(form: &Form) -> QueryReply {
    let is_first = !form.contains_key("NextToken") && !form.contains_key("Marker");
    let body = match (form["Action"].as_str(), is_first) {
        ("DescribeServerlessCaches", _) => SERVERLESS,
        ("DescribeServerlessCacheSnapshots", true) => SERVERLESS_SNAPSHOTS_PAGE_1,
        ("DescribeServerlessCacheSnapshots", false) => SERVERLESS_SNAPSHOTS,
        ("DescribeReplicationGroups", _) => GROUPS,
        ("DescribeCacheClusters", _) => CLUSTERS,
        ("DescribeSnapshots", true) => SNAPSHOTS_PAGE_1,
        ("DescribeSnapshots", false) => SNAPSHOTS,
        (other, _) => return query_error(400, "InvalidAction", other),
    };
    (200, body.to_owned())
}

/// AWS, with some answer about serverless caches put otherwise.
fn aws_with(from: &'static str, to: &'static str) -> impl Fn(&Form, usize) -> QueryReply + Send + Sync {
    assert!(SERVERLESS.contains(from), "{from}");
    move |form, _| {
        let (status, body) = aws(form);
        (status, if body.contains("DescribeServerlessCachesResult") { body.replace(from, to) } else { body })
    }
}

async fn fire(app: &TestApp) -> Value {
    app.control("POST", "schedules/cache_watch", json!({ "time": NOW })).await
}

fn line(fired: &Value) -> Value {
    serde_json::from_str(fired["log"][0].as_str().unwrap()).unwrap()
}

/// What the first run says when `answer` is AWS's, with an app whose cache is at `url`, of that kind, and has snapshots.
async fn watch_at(
    url: &str,
    kind: &str,
    answer: impl Fn(&Form, usize) -> QueryReply + Send + Sync + 'static,
    test: impl AsyncFnOnce(&TestApp, &QueryService, Value),
) {
    watch(url, &format!("kind = \"{kind}\"\nsnapshot_max_hours = 26"), answer, test).await;
}

/// The same, with these settings of the cache.
async fn watch(
    url: &str,
    settings: &str,
    answer: impl Fn(&Form, usize) -> QueryReply + Send + Sync + 'static,
    test: impl AsyncFnOnce(&TestApp, &QueryService, Value),
) {
    let service = QueryService::new(answer).await;
    TestAppBuilder::new()
        .variable("AWS_ENDPOINT_URL_ELASTICACHE", &service.url)
        .settings(|all| all.replace("kind = \"serverless\"", settings))
        .parameter("CacheUrl", url)
        .run(async |app| {
            let fired = fire(app).await;
            test(app, &service, fired).await;
        })
        .await;
}

/// The one finding of a run, which is no failure and is not repeated.
async fn finding(answer: impl Fn(&Form, usize) -> QueryReply + Send + Sync + 'static) -> String {
    let mut found = String::new();
    watch_at(CACHE_URL, "serverless", answer, async |app, _, fired| {
        assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("ok"), &json!(1)), "{fired}");
        assert_eq!(fired["log"].as_array().unwrap().len(), 1, "{fired}");
        let line = line(&fired);
        assert_eq!((&line["level"], &line["code"], &line["cache_findings"]), (&json!("ERROR"), &json!(0), &json!(1)));
        assert_eq!(app.inspect("dead_letters").await, json!([]));
        found = format!("{}, available {}", line["findings"][0].as_str().unwrap(), line["cache_available"]);
    })
    .await;
    found
}

/// What a run failed with, three times.
async fn failure(answer: impl Fn(&Form, usize) -> QueryReply + Send + Sync + 'static) -> String {
    let mut error = String::new();
    watch_at(CACHE_URL, "serverless", answer, async |app, _, fired| {
        assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("error"), &json!(3)), "{fired}");
        let line = line(&fired);
        assert!(line["_aws"].is_null(), "a run that saw nothing has no numbers: {line}");
        assert_eq!(app.inspect("dead_letters").await.as_array().unwrap().len(), 1);
        line["error"].as_str().unwrap().clone_into(&mut error);
    })
    .await;
    error
}

#[tokio::test]
async fn a_cache_as_configured_is_reported_and_measured() {
    watch_at(
        CACHE_URL,
        "serverless",
        |form, _| aws(form),
        async |app, service, fired| {
            assert_eq!(fired["outcome"], "ok", "{fired}");
            let line = line(&fired);
            assert_eq!((&line["level"], &line["findings"]), (&json!("INFO"), &Value::Null), "{line}");
            let expected = json!({
                "cache": "badge-local", "status": "available", "engine": "valkey", "version": "8.1",
                "endpoint": CACHE_URL.strip_prefix("rediss://").unwrap(), "snapshot_age_secs": 9 * 3600
            });
            assert_eq!(line["report"], expected);
            let metrics = json!([
                { "Name": "cache_available", "Unit": "Count" }, { "Name": "cache_findings", "Unit": "Count" },
                { "Name": "cache_snapshot_age", "Unit": "Seconds" }
            ]);
            assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"], metrics);
            assert_eq!((&line["cache_available"], &line["cache_snapshot_age"]), (&json!(1), &json!(9 * 3600)));
            let asked = service.received();
            assert_eq!(asked.len(), 3, "one page of caches, two of snapshots");
            for one in asked {
                assert_eq!(
                    (one.form["ServerlessCacheName"].as_str(), one.form["Version"].as_str()),
                    ("badge-local", "2015-02-02")
                );
                assert!(one.authorization.contains("/us-east-1/elasticache/aws4_request"), "{}", one.authorization);
            }
            assert_eq!(self::line(&fire(app).await)["report"], "done before");
            assert_eq!(service.received().len(), 3, "once for each scheduled time");
        },
    )
    .await;
}

#[tokio::test]
async fn a_replication_group_is_reported_by_its_members_and_its_snapshots() {
    watch_at(
        GROUP_URL,
        "replication_group",
        |form, _| aws(form),
        async |_, _, fired| {
            let line = line(&fired);
            assert_eq!((&line["level"], &line["cache_findings"]), (&json!("INFO"), &json!(0)), "{line}");
            let expected = json!({
                "cache": "badge-local", "status": "available", "engine": "redis", "version": "7.1.0",
                "endpoint": GROUP_URL.strip_prefix("rediss://").unwrap(), "snapshot_age_secs": 9 * 3600
            });
            assert_eq!(line["report"], expected);
        },
    )
    .await;
}

#[tokio::test]
async fn snapshots_that_are_not_expected_are_not_requested() {
    for (url, kind, expected) in [
        (CACHE_URL, "serverless", vec!["DescribeServerlessCaches"]),
        (GROUP_URL, "replication_group", vec!["DescribeReplicationGroups", "DescribeCacheClusters"]),
    ] {
        let settings = format!("kind = \"{kind}\"");
        watch(
            url,
            &settings,
            |form, _| aws(form),
            async |_, service, fired| {
                let line = line(&fired);
                assert_eq!((&line["level"], &line["cache_findings"]), (&json!("INFO"), &json!(0)), "{line}");
                assert_eq!(line["report"]["snapshot_age_secs"], Value::Null);
                let asked = service.received();
                assert_eq!(asked.iter().map(|one| one.form["Action"].as_str()).collect::<Vec<_>>(), expected);
            },
        )
        .await;
    }
}

#[tokio::test]
async fn a_cache_that_is_not_as_configured_is_a_finding_and_no_failure() {
    let modifying = finding(aws_with("<Status>available<", "<Status>modifying<")).await;
    assert_eq!(modifying, "the cache is modifying, available 0");
    let moved = finding(aws_with("badge-local-a1b2c3", "badge-local-d4e5f6")).await;
    assert!(moved.contains("is at badge-local-d4e5f6.") && moved.ends_with(", available 1"), "{moved}");
    let port = finding(aws_with("<Port>6379<", "<Port>6479<")).await;
    assert!(port.contains("amazonaws.com:6479"), "{port}");
    let engine = finding(aws_with("<Engine>valkey<", "<Engine>memcached<")).await;
    assert_eq!(engine, "the engine is memcached, available 1");
    let stale = finding(|form, _| {
        let (status, body) = aws(form);
        (status, body.replace("<CreateTime>2026-11-2", "<CreateTime>2026-11-1"))
    });
    assert_eq!(stale.await, "the newest snapshot is 249 hours old, available 1");
}

#[tokio::test]
async fn a_cache_that_aws_does_not_know_is_a_finding() {
    let missing = finding(|_, _| query_error(404, "ServerlessCacheNotFoundFault", "ServerlessCache not found"));
    assert_eq!(missing.await, "there is no cache badge-local, available 0");
}

#[tokio::test]
async fn the_cache_is_found_on_the_second_page() {
    let pages = |form: &Form, _| match (form["Action"].as_str(), form.get("NextToken").map(String::as_str)) {
        ("DescribeServerlessCaches", None) => (200, SERVERLESS_PAGE_1.to_owned()),
        ("DescribeServerlessCaches", Some("page-2")) => (200, SERVERLESS.to_owned()),
        _ => aws(form),
    };
    watch_at(CACHE_URL, "serverless", pages, async |_, service, fired| {
        assert_eq!(line(&fired)["cache_findings"], 0, "{fired}");
        assert_eq!(service.received().len(), 4);
    })
    .await;
}

#[tokio::test]
async fn what_aws_does_not_tell_is_a_failure_of_the_run() {
    let message = "User is not authorized to perform: elasticache:DescribeServerlessCaches";
    let denied = failure(move |_, _| query_error(403, "AccessDenied", message)).await;
    assert!(denied.contains("AccessDenied: User is not authorized"), "{denied}");
    let throttled = failure(|_, _| query_error(400, "Throttling", "Rate exceeded")).await;
    assert!(throttled.contains("Throttling: Rate exceeded"), "{throttled}");
    let garbled = failure(|_, _| (200, "<html>a proxy's page</html>".to_owned())).await;
    assert!(garbled.contains("cannot be read"), "{garbled}");
}

#[tokio::test]
async fn aws_may_throttle_for_a_while() {
    let busy = |form: &Form, before| match before {
        0 | 1 => query_error(400, "Throttling", "Rate exceeded"),
        _ => aws(form),
    };
    watch_at(CACHE_URL, "serverless", busy, async |_, service, fired| {
        assert_eq!((&fired["outcome"], &fired["attempts"]), (&json!("ok"), &json!(1)), "{fired}");
        assert_eq!(service.received().len(), 5);
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_none_stops_the_cold_start_by_name() {
    watch_at(
        "rediss://",
        "serverless",
        |form, _| aws(form),
        async |_, service, fired| {
            assert_ne!(fired["outcome"], "ok");
            assert!(fired["log"].to_string().contains("CACHE_URL"), "{fired}");
            assert!(service.received().is_empty());
        },
    )
    .await;
}

#[tokio::test]
async fn the_emulator_reports_the_cache_that_its_functions_use() {
    with_app(async |app| {
        let line = line(&fire(app).await);
        assert_eq!(
            (&line["level"], &line["cache_available"], &line["cache_findings"]),
            (&json!("INFO"), &json!(1), &json!(0))
        );
        let endpoint = line["report"]["endpoint"].as_str().unwrap();
        assert!(endpoint.starts_with("127.0.0.1:"), "where functions find it, so without a finding: {endpoint}");
    })
    .await;
}

#[tokio::test]
async fn the_emulator_reports_no_snapshot() {
    let expecting = |settings: &str| settings.replacen("[cache]\n", "[cache]\nsnapshot_max_hours = 26\n", 1);
    with_settings(expecting, async |app| {
        assert_eq!(line(&fire(app).await)["findings"], json!(["there is no snapshot"]));
    })
    .await;
}
