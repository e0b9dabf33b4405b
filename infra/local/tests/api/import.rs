//! `make import`: files as each tool writes them, each good row imported once, each other row named.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use support::{DynamoDbProxy, Refusal, TestApp, code, env_option, root, with_app};

/// Rows of the test with a kill; `IMPORT_ROWS=1000000` is the real size.
const ROWS: u64 = 2000;

const COLUMNS: &str = "id,create_time,update_time,user_name,gender,birth_day,province,city,phone,is_delete";

/// A name with all that a tool has to escape or to quote.
const NAME: &str = r#"O"Neil, \ 张"#;

/// NULL is `None`.
type Row = [Option<String>; 10];

fn good(id: u64) -> Row {
    let texts = ["2020-01-02 03:04:05", "2021-01-02 03:04:05", NAME, "2", "1990-01-02", "310000", ""];
    let mut row: Vec<_> = std::iter::once(id.to_string()).chain(texts.map(str::to_owned)).map(Some).collect();
    row.extend([Some(format!("139{id:08}")), Some("0".to_owned())]);
    if id.is_multiple_of(2) {
        row[2] = None;
    }
    row.try_into().unwrap()
}

/// A row with a value that is wrong, and what the report says of it.
fn bad(id: u64) -> (Row, &'static str) {
    const WRONG: [(usize, &str, &str); 7] = [
        (8, "1380013800", "phone is not a valid phone number"),
        (4, "3", "gender must be 1 or 2"),
        (5, "0000-00-00", "birth_day must be a real date written as YYYY-MM-DD"),
        (3, "", "user_name is empty"),
        (1, "2999-01-01 00:00:00", "create_time must be a time of the past as YYYY-MM-DD HH:MM:SS"),
        (9, "2", "is_delete must be 0 or 1"),
        (3, "a\tb", "user_name must not contain control characters"),
    ];
    let (column, value, problem) = WRONG[usize::try_from(id / 100).unwrap() % WRONG.len()];
    let mut row = good(id);
    row[column] = Some(value.to_owned());
    (row, problem)
}

/// Rows of which 1 % are broken and 1 % have the phone of the row before, and what the report must say: problems by lines.
/// `first` is the line of the first row.
fn rows(count: u64, first: u64) -> (impl Iterator<Item = Row>, BTreeMap<u64, String>) {
    let of = |id: u64| match id % 100 {
        7 => bad(id).0,
        13 => {
            let mut row = good(id);
            row[8] = Some(format!("+86 139-{:04}-{:04}", (id - 1) / 10_000, (id - 1) % 10_000));
            row
        }
        _ => good(id),
    };
    let problem = |id: u64| match id % 100 {
        7 => Some(bad(id).1.to_owned()),
        13 => Some(format!("has the phone of line {}", first + id - 2)),
        _ => None,
    };
    let problems = (1..=count).filter_map(|id| Some((first + id - 1, problem(id)?))).collect();
    ((1..=count).map(of), problems)
}

fn escaped(text: &str, also: &[char]) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\t' => escaped.push_str(r"\t"),
            c if c == '\\' || also.contains(&c) => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

fn line_of(row: &Row, separator: &str, field: impl Fn(Option<&str>) -> String) -> String {
    row.iter().map(|text| field(text.as_deref())).collect::<Vec<_>>().join(separator) + "\n"
}

/// How a tool writes a row.
type Style = fn(&Row) -> String;

/// As `mysql --batch` writes: tabs, a header, the word NULL.
fn batch(row: &Row) -> String {
    line_of(row, "\t", |field| field.map_or_else(|| "NULL".to_owned(), |text| escaped(text, &[])))
}

/// As `SELECT … INTO OUTFILE` and `mysqldump --tab` write: tabs, `\N`.
fn outfile(row: &Row) -> String {
    line_of(row, "\t", |field| field.map_or_else(|| r"\N".to_owned(), |text| escaped(text, &[])))
}

/// The same with `FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"'`, of MySQL and of MariaDB.
fn commas(row: &Row) -> String {
    line_of(row, ",", |field| field.map_or_else(|| r"\N".to_owned(), |text| format!("\"{}\"", escaped(text, &['"']))))
}

/// As other tools write CSV: quotes are doubled, NULL is empty, lines end with two characters. A backslash is escaped still.
fn csv(row: &Row) -> String {
    let quoted = |text: &str| format!("\"{}\"", escaped(text, &[]).replace('"', "\"\""));
    line_of(row, ",", |field| field.map(quoted).unwrap_or_default()).replace('\n', "\r\n")
}

/// The import of a file into the users' table at an address of DynamoDB.
fn import(folder: &Path, dynamodb_url: &str, file: &str, options: &[&str]) -> Command {
    let bin_dir = env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let mut command = Command::new(bin_dir.join("import"));
    command
        .env_clear()
        .env("STAGE", "local")
        .env("LAMBDA_TASK_ROOT", root())
        .env("USERS_TABLE", "badge-local-users")
        .env("AWS_REGION", "local")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url)
        .args(options)
        .arg(folder.join(file))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Runs it, and returns what it said.
async fn run(mut command: Command) -> (bool, String) {
    let Output { status, stderr, .. } = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    (status.success(), String::from_utf8(stderr).unwrap())
}

/// The problems in the report, by lines.
fn reported(file: &Path) -> BTreeMap<u64, String> {
    let mut report = file.as_os_str().to_owned();
    report.push(".report");
    let text = fs::read_to_string(PathBuf::from(report)).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("line,id,problem"));
    lines
        .map(|line| {
            let mut parts = line.splitn(3, ',');
            let number = parts.next().unwrap().parse().unwrap();
            (number, parts.nth(1).unwrap().trim_matches('"').to_owned())
        })
        .collect()
}

/// All rows of the users' table.
async fn stored(app: &TestApp) -> Vec<Value> {
    let (mut rows, mut start) = (Vec::new(), None);
    loop {
        let mut scan = json!({ "TableName": "badge-local-users", "ConsistentRead": true });
        if let Some(start) = start.take() {
            scan["ExclusiveStartKey"] = start;
        }
        let mut page = app.dynamodb("Scan", &scan).await;
        rows.extend(page["Items"].take().as_array().unwrap().clone());
        match page.get("LastEvaluatedKey") {
            Some(key) => start = Some(key.clone()),
            None => return rows,
        }
    }
}

/// The ids in the old table of all rows that have one.
fn legacy_ids(rows: &[Value]) -> BTreeSet<u64> {
    let ids = rows.iter().filter_map(|row| row["legacy_id"]["N"].as_str());
    let ids: Vec<u64> = ids.map(|id| id.parse().unwrap()).collect();
    let unique: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "a row was imported twice");
    unique
}

fn expected_ids(count: u64) -> BTreeSet<u64> {
    (1..=count).filter(|id| !matches!(id % 100, 7 | 13)).collect()
}

#[tokio::test]
async fn a_file_of_any_tool_is_reported_without_a_write_and_then_imported() {
    with_app(async |app| {
        let url = app.emulator.dynamodb_url();
        let folder = app.repository.path();
        let tabs = COLUMNS.replace(',', "\t") + "\n";
        let styles: [(&str, String, Style); 4] = [
            ("batch.tsv", tabs, batch),
            ("outfile.txt", String::new(), outfile),
            ("commas.txt", String::new(), commas),
            ("other.csv", format!("\u{feff}{COLUMNS}\r\n"), csv),
        ];
        for (at, (file, header, write)) in styles.into_iter().enumerate() {
            let (rows, problems) = rows(120, if header.is_empty() { 1 } else { 2 });
            let text = rows.fold(header, |mut text, row| {
                text.push_str(&write(&row));
                text
            });
            fs::write(folder.join(file), text).unwrap();
            let before = stored(app).await;
            let (is_good, said) = run(import(folder, &url, file, &[])).await;
            assert!(is_good && said.contains("120 rows: 116 good, 2 bad, 2 doubled, 0 of deleted users"), "{said}");
            let next = "Nothing was written. To import the good rows type: make import STAGE=local FILE=";
            assert!(said.contains(next) && said.contains("WRITE=1"), "{said}");
            assert!(!said.contains("139") && !said.contains("Neil"), "personal data: {said}");
            assert_eq!(reported(&folder.join(file)), problems, "{file}");
            assert_eq!(stored(app).await, before, "{file}");

            // The same people in every file, so that only the first one brings somebody.
            let (is_good, said) = run(import(folder, &url, file, &["--write"])).await;
            let counts =
                if at == 0 { "116 imported, 0 were imported before" } else { "0 imported, 116 were imported before" };
            assert!(is_good && said.contains(counts), "{file}: {said}");
            assert_eq!(legacy_ids(&stored(app).await), expected_ids(120), "{file}");
        }

        // What is imported is a user like others.
        app.add_secret("13900000001");
        let user = app.code("13900000001", 1).await;
        let reply = app.post("/user/login", &json!({ "phone": "13900000001", "veri_code": user })).await;
        assert_eq!(reply.code, 0, "{reply:?}");
        let authorization = format!("jwt {}", reply.data["token"].as_str().unwrap());
        let page = app.send("GET", "/user/index?limit=1", &[("authorization", &authorization)], "").await;
        let row = &page.data[0];
        assert_eq!((&row["user_name"], &row["gender"], &row["city"]), (&json!(NAME), &json!(2), &json!("")));
        assert_eq!(row["create_time"], "2020-01-02 03:04:05");
        let session = reply.signed_in().sid;
        for (path, member) in [("/user/me", "/legacy_id"), ("/user/export", "/user/legacy_id")] {
            let own = app.send("GET", path, &[("authorization", &session)], "").await;
            assert_eq!(own.data.pointer(member), Some(&json!(1)), "{path}: {own:?}");
        }
        let rows = stored(app).await;
        let row = rows.iter().find(|row| row["legacy_id"]["N"] == "1").unwrap();
        assert_eq!(
            (&row["version"], &row["changed_by"]["M"]["role"]),
            (&json!({ "N": "1" }), &json!({ "S": "operator" }))
        );
    })
    .await;
}

#[tokio::test]
async fn an_import_that_is_killed_goes_on_and_brings_each_good_row_once() {
    with_app(async |app| {
        let count = env_option("IMPORT_ROWS").unwrap_or(ROWS);
        let url = app.emulator.dynamodb_url();
        let file = app.repository.file("users.tsv");
        let (rows, mut problems) = rows(count, 1);
        {
            let mut out = std::io::BufWriter::new(fs::File::create(&file).unwrap());
            for row in rows {
                std::io::Write::write_all(&mut out, outfile(&row).as_bytes()).unwrap();
            }
        }
        // The phone of the first row has a user of this stage.
        app.register("13900000001").await;
        app.add_secret("13900000001");

        let rate = (count / 2).clamp(400, 40_000).to_string();
        let mut first =
            import(app.repository.path(), &url, "users.tsv", &["--write", "--rate", &rate]).spawn().unwrap();
        let table = json!({ "TableName": "badge-local-users" });
        while app.dynamodb("DescribeTable", &table).await["Table"]["ItemCount"].as_u64().unwrap() < count / 2 {
            assert_eq!(first.try_wait().unwrap(), None, "it ended before it was killed");
            sleep(Duration::from_millis(10)).await;
        }
        first.kill().unwrap();
        first.wait().unwrap();
        // Writes that it had sent.
        sleep(Duration::from_secs(1)).await;
        let mut expected = expected_ids(count);
        expected.remove(&1);
        let half = legacy_ids(&stored(app).await);
        assert!(half.len() < expected.len() && half.is_subset(&expected), "{} rows", half.len());

        let options = ["--write", "--rate", "40000"];
        let (is_good, said) = run(import(app.repository.path(), &url, "users.tsv", &options)).await;
        let new = expected.len() - half.len();
        let mut counts = String::new();
        write!(counts, "{new} imported, {} were imported before, 1 have a phone of another user", half.len()).unwrap();
        assert!(is_good && said.contains(&counts), "{said}");
        problems.insert(1, "has the phone of another user of the stage".to_owned());
        assert_eq!(reported(&file), problems);
        let rows = stored(app).await;
        assert_eq!((legacy_ids(&rows), rows.len()), (expected.clone(), expected.len() + 1));
    })
    .await;
}

#[tokio::test]
async fn a_throttled_table_slows_the_import_down_and_loses_nothing() {
    let proxy = DynamoDbProxy::new().await;
    with_app(async |app| {
        proxy.lead_to(app);
        let text: String = (1..=40).map(|id| outfile(&good(id))).collect();
        fs::write(app.repository.file("users.tsv"), text).unwrap();
        let refusal = |kind: &str| Refusal::new(&format!("com.amazonaws.dynamodb.v20120810#{kind}"), "m");
        proxy.refuse_next((0..150).map(|_| refusal("ProvisionedThroughputExceededException")));
        let (is_good, said) = run(import(app.repository.path(), &proxy.url, "users.tsv", &["--write"])).await;
        assert!(is_good && said.contains("40 imported, 0 were imported before"), "{said}");
        assert_eq!(legacy_ids(&stored(app).await), (1..=40).collect());

        // Something is in the log, to be searched.
        assert_eq!(app.post("/user/veri_code", &json!({})).await.code, code::PARAMS_INVALID);

        // What does not pass by waiting stops it, and the operator reads what to do.
        proxy.refuse_all(Some(refusal("ResourceNotFoundException")));
        let (is_good, said) = run(import(app.repository.path(), &proxy.url, "users.tsv", &["--write"])).await;
        assert!(!is_good && said.contains("the stage has no users' table there; deploy it first"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn what_a_beginner_types_wrong_is_answered_by_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    for (file, text, expected) in [
        ("none.csv", None, "there is no file"),
        ("empty.csv", Some(""), "is empty"),
        ("few.csv", Some("1,2,3\n"), "export with these columns: SELECT id, create_time,"),
        ("header.csv", Some("id,phone\n"), "the header has no column create_time,"),
        ("bad.csv", Some("1,2,3,4,5,6,7,8,9,0\n"), "no row can be imported"),
    ] {
        if let Some(text) = text {
            fs::write(folder.path().join(file), text).unwrap();
        }
        let (is_good, said) = run(import(folder.path(), "http://127.0.0.1:9", file, &[])).await;
        assert!(!is_good && said.contains(expected), "{file}: {said}");
    }
    for (variables, expected) in [
        ("", "which file? type: make import STAGE=local FILE=users.csv"),
        ("FILE=nowhere.csv", "there is no file nowhere.csv"),
        ("FILE=README.md STAGE=nowhere", "there is no stage nowhere; there are: local"),
        ("FILE=README.md RATE=fast", "RATE is the most writes a second"),
        ("FILE=README.md WRITE=1 PORT=9", "no emulator listens on http://127.0.0.1:9; start it with: make run"),
    ] {
        let mut command = Command::new(root().join("infra/deploy/import.sh"));
        command.envs(variables.split_whitespace().filter_map(|variable| variable.split_once('=')));
        command.env("CARGO_TARGET_DIR", folder.path());
        let (is_good, said) = run(command).await;
        assert!(!is_good && said.contains(expected), "{variables}: {said}");
    }
}
