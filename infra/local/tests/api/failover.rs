//! A cache whose nodes change their roles: the connection to a node that no longer serves is left, and a new one is
//! opened at the same address.

mod proxy;
mod server;

use std::time::Duration;

use local::CacheMode;
use serde_json::json;

use self::proxy::Proxy;
use self::server::{Server, command};
use support::{Reply, SignedIn, TestApp, TestAppBuilder, account_calls, applicant, code};

/// The contract's bound on every answer.
const IN_TIME: Duration = Duration::from_millis(2500);

/// What a node answers that is not, or not yet, the one to ask. Source: `replication.c`, `server.c` and `cluster.c` of
/// Redis 7.
const WRONG_NODE: [&str; 7] = [
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "MOVED 3999 127.0.0.1:6381",
    "CLUSTERDOWN The cluster is down",
    "NOAUTH Authentication required.",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
];

/// Runs a test on functions that reach the emulator's cache through a proxy.
async fn behind_a_proxy(cache: Option<CacheMode>, test: impl AsyncFnOnce(&TestApp, &Proxy)) {
    let proxy = Proxy::new().await;
    TestAppBuilder::new()
        .options(|options| {
            options.cache = cache.unwrap_or(options.cache);
            // Or a second sandbox, with a connection of its own, could take a second request.
            options.sandbox_limit = 1;
        })
        .parameter("CacheUrl", &format!("redis://{}", proxy.address))
        .run(async |app| {
            proxy.lead_to(address(app));
            test(app, &proxy).await;
        })
        .await;
}

fn address(app: &TestApp) -> String {
    app.emulator.cache_url().strip_prefix("redis://").unwrap().to_owned()
}

/// Sends a request, and once more if the cache failed it; the second time it has to succeed.
async fn succeeds_at_the_second_try(what: &str, ask: impl AsyncFn() -> Reply) -> Reply {
    let first = ask().await;
    let reply = if first.code == code::REDIS_ERROR { ask().await } else { first };
    assert_eq!(reply.code, 0, "{what}: {reply:?}");
    reply
}

async fn index(app: &TestApp, who: &SignedIn) -> Reply {
    app.send("GET", "/user/index", &[("authorization", &who.sid)], "").await
}

#[tokio::test]
async fn when_two_nodes_change_their_roles_each_function_fails_one_request_at_most() {
    // A node of a cluster takes no `REPLICAOF`.
    behind_a_proxy(Some(CacheMode::Alone), async |app, proxy| {
        let old = address(app);
        let new = Server::start().await;
        let (stays, leaves) = (app.somebody().await, app.somebody().await);
        let end = async |who: &SignedIn| app.send("POST", "/user/logout", &[("authorization", &who.sid)], "").await;
        assert_eq!((index(app, &stays).await.code, end(&leaves).await.code), (0, 0));
        let (known, unknown) = (app.phone(), app.phone());
        app.register(&known).await;
        let (known_code, unknown_code) = (app.code(&known, 2).await, app.code(&unknown, 1).await);

        let (host, port) = old.split_once(':').unwrap();
        let (_, new_port) = new.address.split_once(':').unwrap();
        assert_eq!(command(&new.address, &[&format!("REPLICAOF {host} {port}")]).await, "+OK");
        assert_eq!(command(&old, &["SET failover 1", "WAIT 1 30000"]).await, ":1", "nothing is lost");
        assert_eq!(command(&new.address, &["REPLICAOF NO ONE"]).await, "+OK");
        assert_eq!(command(&old, &[&format!("REPLICAOF {host} {new_port}")]).await, "+OK");
        proxy.lead_to(new.address.clone());

        let attempt = json!({ "phone": known, "veri_code": known_code });
        let form = applicant(&unknown, &unknown_code);
        let asks = json!({ "phone": app.phone() });
        succeeds_at_the_second_try("index", async || index(app, &stays).await).await;
        succeeds_at_the_second_try("veri_code", async || app.post("/user/veri_code", &asks).await).await;
        succeeds_at_the_second_try("register", async || app.post("/user/register", &form).await).await;
        let login = succeeds_at_the_second_try("login", async || app.post("/user/login", &attempt).await).await;
        let came = login.signed_in();
        succeeds_at_the_second_try("logout", async || end(&came).await).await;
        assert_eq!(index(app, &came).await.code, code::NOT_LOGIN, "sessions end on the new node");

        let (phone, asks) = (app.phone(), json!({ "phone": app.phone() }));
        let code = app.code(&phone, 1).await;
        assert_eq!(app.post("/user/register", &applicant(&phone, &code)).await.code, 0);
        assert_eq!(app.post("/user/veri_code", &asks).await.code, 0);
        assert_eq!(index(app, &stays).await.code, 0);
    })
    .await;
}

#[tokio::test]
async fn a_connection_to_the_wrong_node_is_left_for_a_new_one_after_one_request_at_most() {
    behind_a_proxy(None, async |app, proxy| {
        let somebody = app.somebody().await;
        // The function of the stream has opened its connection.
        app.streams_are_empty().await;
        assert_eq!(index(app, &somebody).await.code, 0);
        let (open, mut wrong) = (proxy.open(), Vec::new());
        for refusal in WRONG_NODE {
            let before = proxy.opened();
            proxy.refuse_on_open_connections(refusal);
            let codes = [index(app, &somebody).await.code, index(app, &somebody).await.code];
            if !matches!(codes, [0 | code::REDIS_ERROR, 0]) || proxy.opened() != before + 1 {
                wrong.push((refusal, codes, proxy.opened() - before));
            }
        }
        assert!(wrong.is_empty(), "answer, two codes, new connections: {wrong:#?}");
        proxy.has_at_most(open).await;
    })
    .await;
}

#[tokio::test]
async fn every_function_leaves_the_wrong_node() {
    behind_a_proxy(None, async |app, proxy| {
        let somebody = app.somebody().await;
        let (known, unknown) = (app.phone(), app.phone());
        app.register(&known).await;
        let (known_code, unknown_code) = (app.code(&known, 2).await, app.code(&unknown, 1).await);
        proxy.refuse_on_open_connections(WRONG_NODE[0]);
        let (attempt, asks) = (json!({ "phone": known, "veri_code": known_code }), json!({ "phone": app.phone() }));
        let form = applicant(&unknown, &unknown_code);
        succeeds_at_the_second_try("veri_code", async || app.post("/user/veri_code", &asks).await).await;
        succeeds_at_the_second_try("register", async || app.post("/user/register", &form).await).await;
        let came = succeeds_at_the_second_try("login", async || app.post("/user/login", &attempt).await).await;
        let came = came.signed_in();
        succeeds_at_the_second_try("index", async || index(app, &somebody).await).await;
        let end = async || app.send("POST", "/user/logout", &[("authorization", &came.sid)], "").await;
        succeeds_at_the_second_try("logout", end).await;
    })
    .await;
}

#[tokio::test]
async fn every_route_of_accounts_for_life_leaves_the_wrong_node() {
    behind_a_proxy(None, async |app, proxy| {
        let cases = account_calls(app).await;
        for refusal in WRONG_NODE {
            // Functions that have a connection, and few enough exports for a day.
            for case in cases.iter().filter(|case| case.path != "/user/export" || refusal == WRONG_NODE[0]) {
                assert_eq!(case.send(app).await.code, case.good, "{}", case.path);
            }
            proxy.refuse_on_open_connections(refusal);
            for case in cases.iter().filter(|case| case.path != "/user/export" || refusal == WRONG_NODE[0]) {
                let codes = [case.send(app).await.code, case.send(app).await.code];
                let is_good = [case.good, code::REDIS_ERROR].contains(&codes[0]) && codes[1] == case.good;
                assert!(is_good, "{} {}, {refusal}: {codes:?}", case.method, case.path);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn while_no_node_serves_requests_fail_in_time_and_no_connection_is_opened_in_a_loop() {
    behind_a_proxy(None, async |app, proxy| {
        let somebody = app.somebody().await;
        // The function of the stream has opened its connection.
        app.streams_are_empty().await;
        assert_eq!(index(app, &somebody).await.code, 0);
        for refusal in WRONG_NODE {
            proxy.refuse_on_all_connections(Some(refusal));
            let before = proxy.opened();
            let failed = index(app, &somebody).await;
            assert_eq!(failed.code, code::REDIS_ERROR, "{refusal}");
            let took = app.duration(&failed).await;
            assert!(took < IN_TIME, "{refusal}: {took:?}");
            assert!(proxy.opened() <= before + 2, "{refusal}: {} new connections", proxy.opened() - before);
            proxy.refuse_on_all_connections(None);
            let codes = [index(app, &somebody).await.code, index(app, &somebody).await.code];
            assert!(matches!(codes, [0 | code::REDIS_ERROR, 0]), "{refusal}: {codes:?}");
        }
    })
    .await;
}
