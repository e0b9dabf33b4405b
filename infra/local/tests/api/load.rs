//! Mixed traffic while each store is cut off, hangs and is slow in turn: what was acknowledged holds, and nobody waits
//! longer than the contract says. Twelve seconds, or as many as `SOAK_SECS` says (`make soak`: sixty).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use support::{TestApp, applicant, code, env_option, for_crowds, with_settings};

/// Within `make test` so few that the machine is not full, and the time of an answer is that of its stores. `make soak`
/// has enough of them to keep both cores busy.
const CLIENTS: usize = 4;
/// The contract's bound on every answer, in milliseconds.
const IN_TIME_MS: f64 = 2500.0;
/// How soon after a fault everything works again.
const RECOVERY: Duration = Duration::from_secs(1);
/// How long a store refuses at most until a request has met that.
const LONGEST_REFUSAL: Duration = Duration::from_secs(20);
/// How slow a store is, at every request: slow enough to be seen, and fast enough that a new connection comes about.
const SLOW_MS: u64 = 100;
/// A client's pause after an answer that the fault is ours, and between two looks for a message.
const PAUSE: Duration = Duration::from_millis(20);

/// One request, as its client saw it.
struct Seen {
    begin: Instant,
    took: Duration,
    code: i64,
}

/// What the clients know.
struct Traffic<'a> {
    app: &'a TestApp,
    is_over: Cell<bool>,
    phones: Cell<usize>,
    seen: RefCell<BTreeMap<&'static str, Vec<Seen>>>,
    /// Ids of users whose registration was acknowledged.
    users: RefCell<BTreeSet<String>>,
    /// Sessions whose logout was acknowledged.
    ended: RefCell<Vec<String>>,
}

impl Traffic<'_> {
    /// Sends a request until the answer is not that a store failed; gives its code, its data, and how often it failed.
    async fn ask(&self, what: &'static str, sid: &str, body: &Value) -> Option<(i64, support::Reply, u32)> {
        let (method, body) = if body.is_null() { ("GET", String::new()) } else { ("POST", body.to_string()) };
        let headers = [("authorization", sid), ("x-stage-source-ip", "192.0.2.1")];
        for failures in 0.. {
            let begin = Instant::now();
            let reply = self.app.send(method, &format!("/user/{what}"), &headers, body.clone()).await;
            let (took, code) = (begin.elapsed(), reply.code);
            self.seen.borrow_mut().entry(what).or_default().push(Seen { begin, took, code });
            if !matches!(code, code::DB_ERROR | code::REDIS_ERROR) {
                return Some((code, reply, failures));
            }
            if self.is_over.get() {
                break;
            }
            sleep(PAUSE).await;
        }
        None
    }

    /// Asks for a code, and reads it from the message. `Ok(None)`: the phone must cool down. `Err`: a store broke while a
    /// code was made, so that a message may come, now or later, whose code was not stored; the phone is of no more use here.
    async fn code(&self, phone: &str) -> Result<Option<String>, ()> {
        let before = self.inbox(phone).await.len();
        let (code, _, failures) = self.ask("veri_code", "", &json!({ "phone": phone })).await.ok_or(())?;
        if failures > 0 {
            return Err(());
        }
        if code != 0 {
            return Ok(None);
        }
        let give_up = Instant::now() + Duration::from_secs(2);
        while Instant::now() < give_up {
            let messages = self.inbox(phone).await;
            if messages.len() > before {
                return Ok(Some(messages[0]["code"].as_str().unwrap().to_owned()));
            }
            sleep(PAUSE).await;
        }
        Err(())
    }

    async fn inbox(&self, phone: &str) -> Vec<Value> {
        self.app.inspect(&format!("sms?phone={phone}")).await.as_array().unwrap().clone()
    }

    /// One client: registers somebody, and lets who registered before sign in, look around and leave.
    async fn live(&self) {
        let mut registered = VecDeque::new();
        while !self.is_over.get() {
            let number = self.phones.replace(self.phones.get() + 1);
            // Numbers that have no prefix in common, as those of many people.
            let phone = format!("139{:04}{:04}", number % 10_000, number / 10_000);
            if let Ok(Some(code)) = self.code(&phone).await
                && let Some((code, reply, _)) = self.ask("register", "", &applicant(&phone, &code)).await
            {
                assert_eq!(code, 0, "{reply:?}");
                self.users.borrow_mut().insert(reply.data["user_id"].as_str().unwrap().to_owned());
                registered.push_back(phone);
            }
            if let Some(phone) = registered.pop_front() {
                match self.code(&phone).await {
                    Ok(Some(code)) => self.visit(&phone, &code).await,
                    Ok(None) => registered.push_back(phone),
                    Err(()) => {}
                }
            }
        }
    }

    /// Asks both stores again and again. While messages are held up, all other clients may be waiting for theirs.
    async fn look(&self, sid: &str) {
        while !self.is_over.get() {
            self.ask("index", sid, &Value::Null).await;
            sleep(PAUSE).await;
        }
    }

    /// Whether a request met a fault: what is refused fails, what is slow is late, and so is what hangs for a short time.
    fn has_felt(&self, plan: &Value, begin: Instant, end: Instant) -> bool {
        let is_refused = is_refusal(plan);
        let seen = self.seen.borrow();
        let mut hit = seen.values().flatten().filter(|one| one.begin < end && one.begin + one.took > begin);
        hit.any(|one| if is_refused { one.code > 15000 } else { one.took >= Duration::from_millis(SLOW_MS) })
    }

    /// Lets requests come without a fault until one of after the recovery has been answered, on a busy machine too.
    async fn rest(&self, at_least: Duration) {
        let begin = Instant::now();
        sleep(at_least).await;
        let is_normal = |one: &Seen| one.begin > begin + RECOVERY;
        while begin.elapsed() < LONGEST_REFUSAL && !self.seen.borrow().values().flatten().any(is_normal) {
            sleep(PAUSE).await;
        }
    }

    async fn visit(&self, phone: &str, code: &str) {
        let attempt = json!({ "phone": phone, "veri_code": code });
        let Some((code, reply, failures)) = self.ask("login", "", &attempt).await else { return };
        if code == code::VERI_CODE_WRONG && failures > 0 {
            // The store broke between opening the session and saying so. The code is used up, and nobody has the id.
            return;
        }
        assert_eq!(code, 0, "{reply:?}");
        let sid = reply.sid().unwrap();
        let Some((code, ..)) = self.ask("index", &sid, &Value::Null).await else { return };
        assert_eq!(code, 0, "no session is lost");
        let Some((code, _, failures)) = self.ask("logout", &sid, &json!("")).await else { return };
        assert!(code == 0 || code == code::NOT_LOGIN && failures > 0, "{code}");
        self.ended.borrow_mut().push(sid);
    }
}

fn is_refusal(plan: &Value) -> bool {
    plan.to_string().contains("refuse")
}

/// When each fault was, and what.
async fn conduct(traffic: &Traffic<'_>, step: Duration) -> Vec<(Value, Instant, Instant)> {
    let rest = (step / 2).max(RECOVERY + Duration::from_millis(300));
    let mut faults = Vec::new();
    for store in ["redis", "dynamodb"] {
        for fault in [json!({"mode": "refuse"}), json!({"mode": "hang"}), json!({"mode": "slow", "ms": SLOW_MS})] {
            traffic.rest(rest).await;
            let (plan, begin) = (json!({ store: fault }), Instant::now());
            traffic.app.fail(&plan).await;
            sleep(step.saturating_sub(rest)).await;
            // On a busy machine no request may have come so far.
            while is_refusal(&plan)
                && begin.elapsed() < LONGEST_REFUSAL
                && !traffic.has_felt(&plan, begin, Instant::now())
            {
                sleep(PAUSE).await;
            }
            traffic.app.fail(&json!({})).await;
            faults.push((plan, begin, Instant::now()));
        }
    }
    traffic.rest(rest).await;
    traffic.is_over.set(true);
    faults
}

#[tokio::test]
async fn what_was_acknowledged_holds_while_stores_fail() {
    let secs: u64 = env_option("SOAK_SECS").unwrap_or(12);
    let relaxed = |settings: &str| for_crowds(settings).replace("\"60s\"", "\"1s\"");
    with_settings(relaxed, async |app| {
        let somebody = app.somebody().await;
        let traffic = Traffic {
            app,
            is_over: Cell::default(),
            phones: Cell::default(),
            seen: RefCell::default(),
            users: RefCell::default(),
            ended: RefCell::default(),
        };
        let clients = (0..env_option("SOAK_CLIENTS").unwrap_or(CLIENTS)).map(|_| traffic.live());
        let step = Duration::from_secs(secs) / 6;
        let (faults, _, ()) = tokio::join!(conduct(&traffic, step), join_all(clients), traffic.look(&somebody.sid));

        let users = traffic.users.take();
        let (mut stored, mut from) = (BTreeSet::new(), Value::Null);
        loop {
            let mut scan = json!({"TableName": "badge-local-users", "ProjectionExpression": "id"});
            if !from.is_null() {
                scan["ExclusiveStartKey"] = from;
            }
            let mut page = app.dynamodb("Scan", &scan).await;
            stored.extend(
                page["Items"].as_array().unwrap().iter().map(|one| one["id"]["S"].as_str().unwrap().to_owned()),
            );
            from = page["LastEvaluatedKey"].take();
            if from.is_null() {
                break;
            }
        }
        assert!(users.len() > 10 && users.is_subset(&stored), "{} registered, {} stored", users.len(), stored.len());

        let ended = traffic.ended.take();
        assert!(ended.len() > 10, "{}", ended.len());
        for sid in &ended {
            assert_eq!(app.send("GET", "/user/index", &[("authorization", sid)], "").await.code, code::NOT_LOGIN);
        }

        for (plan, begin, end) in &faults {
            assert!(traffic.has_felt(plan, *begin, *end), "nobody felt {plan}");
        }
        let seen = traffic.seen.take();
        for (plan, _, end) in &faults {
            let next = faults.iter().map(|(_, begin, _)| *begin).find(|begin| begin > end);
            let normal = seen
                .values()
                .flatten()
                .filter(|one| one.begin > *end + RECOVERY && next.is_none_or(|next| one.begin + one.took < next));
            let codes: Vec<i64> = normal.map(|one| one.code).collect();
            assert!(!codes.is_empty() && !codes.iter().any(|code| *code > 15000), "after {plan}: {codes:?}");
        }
        report(&seen, &faults, users.len(), ended.len());
        let slowest = slowest(&app.logs());
        println!("slowest answer of a function: {slowest} ms");
        assert!(slowest > 100.0 && slowest < IN_TIME_MS, "{slowest} ms");
    })
    .await;
}

/// The longest that a function needed for an answer, as its log says, in milliseconds.
fn slowest(logs: &str) -> f64 {
    let lines = logs.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let answers = lines.filter(|line| line["path"].as_str().is_some_and(|path| path.contains("/user/")));
    answers.filter_map(|line| line["duration_ms"].as_f64()).fold(0.0, f64::max)
}

/// The figures, for who runs it with `--nocapture`.
#[expect(clippy::print_stdout, reason = "they are what a long run is for")]
fn report(
    seen: &BTreeMap<&str, Vec<Seen>>,
    faults: &[(Value, Instant, Instant)],
    registered: usize,
    logged_out: usize,
) {
    println!("{registered} registrations and {logged_out} logouts were acknowledged, and hold");
    for (what, all) in seen {
        let in_fault =
            |one: &&Seen| faults.iter().any(|(_, begin, end)| one.begin < *end && one.begin + one.took > *begin);
        for (when, mut times) in [
            ("quiet", all.iter().filter(|one| !in_fault(one)).map(|one| one.took).collect::<Vec<_>>()),
            ("fault", all.iter().filter(in_fault).map(|one| one.took).collect()),
        ] {
            times.sort_unstable();
            let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
            println!("{what:<10} {when}: {:>5} requests, median {:?}, 99 % {:?}", times.len(), at(50), at(99));
        }
        let failed = all.iter().filter(|one| one.code > 15000).count();
        println!("{what:<10} failed by a store: {failed}");
    }
}
