//! Inputs to start from: one of each shape that the targets know, so that mutations begin behind the first checks.

type Seeds = Vec<Vec<u8>>;

fn of(texts: &[&str]) -> Seeds {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

const SID: &str = "3fAbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE";

const REGISTER: &str = r#"{"user_name": "张三", "gender": 1, "birth_day": "1990-01-02", "phone": "13800138000", "veri_code": "864565", "province": 11, "city": "X1"}"#;

pub(crate) fn event() -> Seeds {
    let event = r#"{"version":"2.0","routeKey":"$default","rawPath":"/local/user/13800138000","rawQueryString":"a=1",
"cookies":["a=1","__sid__=3f"],"headers":{"accept-language":"en;q=0.5","authorization":"jwt a.b.c","idempotency-key":"k"},
"queryStringParameters":{"limit":"20","cursor":"AZoAAAAAcACAAAAAAAAAAA"},"pathParameters":{"stage":"local"},
"requestContext":{"routeKey":"$default","http":{"method":"POST","path":"/","sourceIp":"203.0.113.7"},"timeEpoch":1795333020500},
"body":"{\"phone\":\"13800138000\",\"veri_code\":\"012345\"}","isBase64Encoded":false}"#;
    let encoded = event.replace(r#""isBase64Encoded":false"#, r#""isBase64Encoded":true"#);
    let routed = event.replace("$default", "ANY /{stage}/iwc/badge/user/login");
    let rest_api = r#"{"resource":"/iwc/badge/user/login","path":"/iwc/badge/user/login","httpMethod":"POST","headers":{"Cookie":"a=1"},
"multiValueHeaders":{"Cookie":["a=1","b=2"],"Idempotency-Key":["k"]},"multiValueQueryStringParameters":{"limit":["1","2"]},"pathParameters":null,
"requestContext":{"path":"/local/iwc/badge/user/login","identity":{"sourceIp":"203.0.113.7"},"requestTimeEpoch":1795333020500},
"body":"{}","isBase64Encoded":false}"#;
    let load_balancer = r#"{"httpMethod":"GET","path":"/local/iwc/badge/user/index","queryStringParameters":{"limit":"%32%30"},
"headers":{"authorization":"jwt a.b.c","x-forwarded-for":"1.2.3.4, [2001:db8::1]:4711"},"requestContext":{"elb":{}},"body":"","isBase64Encoded":false}"#;
    let least = r#"{"requestContext":{"http":{"method":"GET"},"timeEpoch":0}}"#;
    of(&[event, &encoded, &routed, rest_api, load_balancer, least])
}

pub(crate) fn request() -> Seeds {
    let request = |body: &str| {
        format!(
            "/local/iwc/badge/user/login\nPOST /{{stage}}/iwc/badge/user/login\nlocal\nzh;q=0.8, en\njwt a.b.c\n\
             a=1; __sid__={SID}\nkey-1\nlimit=20&cursor=AZoAAAAAcACAAAAAAAAAAA\n{body}"
        )
    };
    let attempt = r#"{"phone": 13800138000, "veri_code": 123456}"#;
    let odd = r#"{"x": 1e400, "y": "\ud83d", "phone": "\ud83d", "phone": 13800138000.0, "veri_code": "123-456"}"#;
    let marked = "\u{feff}{}";
    [REGISTER, attempt, odd, marked, r#"{"phone": "+86 138-0013-8000"}"#, "[]", ""]
        .map(|body| request(body).into_bytes())
        .into()
}

pub(crate) fn session() -> Seeds {
    of(&[SID, "Bearer a.b.c", &format!("jwt \n__sid__={SID}"), &format!("\na=1; __sid__={SID}\nb=2")])
}

pub(crate) fn phone() -> Seeds {
    of(&[
        "13800138000",
        "+86 138-0013-8000",
        "(0086) 138 0013 8000",
        "１３８００１３８０００",
        "010 6552 9988",
        "+1 415 555 2671",
        "+852 5123 4567",
        "13800138000;ext=5",
        "tel:+86-138-0013-8000",
        "\u{202a}＋８６ 138\u{200c}0013\u{fe0d}8000\u{202c}",
        "١٣٨٠٠١٣٨٠٠٠",
    ])
}

pub(crate) fn fields() -> Seeds {
    of(&[
        "张三",
        "\"\\u0000 a\"",
        "1",
        "\"2\"",
        "1990-01-02",
        "2000-02-30",
        "012345",
        "０１２-３４５ ",
        "\u{3164}",
        "a\u{202e}b",
        "13800138000.0",
        "123456",
        "100",
        "AZoAAAAAcACAAAAAAAAAAA",
        "NS4wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAxMDA",
        "1.5e3",
        "[1]",
        "13800138000",
    ])
}

pub(crate) fn token() -> Seeds {
    let header = r#"{"typ":"JWT","alg":"HS256","type":"jwt","kid":"k2","crit":["exp"]}"#;
    let claims = r#"{"user_id":"019a0000-0000-7000-8000-000000000000","role":"user","iss":"badge","iat":1800000000,"exp":1800001200,"nbf":1,"aud":null}"#;
    let bare = header.replace(r#","crit":["exp"]"#, "");
    let made =
        ["f", "s"].iter().flat_map(|who| [header, &bare].map(|header| format!("{who}{header}\n{claims}").into_bytes()));
    let changed = [b"c\0\x10\0a\x11\0\x81\x12\0\x01".to_vec(), b"c\x01\xff\0=".to_vec(), b"c\x02".to_vec()];
    shared::fuzz::good_tokens().into_iter().chain(made).chain(changed).collect()
}

pub(crate) fn device() -> Seeds {
    let signed = |tail: &[u8]| [b"s".as_slice(), &[1; 24], &1_900_000_000_u64.to_be_bytes(), tail].concat();
    let token = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw";
    vec![format!("t{token}").into_bytes(), signed(&[]), signed(&[7; 32])]
}

pub(crate) fn network() -> Seeds {
    of(&["203.0.113.7", "::ffff:203.0.113.7", "2001:db8:1:2:3:4:5:6", "::1", "203.0.113.7, 10.0.0.1", "fe80::1%eth0"])
}

pub(crate) fn payload() -> Seeds {
    let task = r#"{"task_id":"x","time_epoch_ms":1795333020500,"spawned_at_ms":1795333020500,"task":{"phone":"+8613800138000","seed":"k1.x","good_until_ms":1795333320500,"minutes":5}}"#;
    let job = r#"{"version":"0","id":"x","detail-type":"Scheduled Event","source":"aws.scheduler","time":"2026-11-22T00:00:00Z","resources":[],"detail":{}}"#;
    of(&[task, job, r#"{"time":"9999-12-30T22:00:00.999999999Z"}"#, r#"{"time":"-009999-01-02T01:59:59Z"}"#])
}

pub(crate) fn key_ring() -> Seeds {
    let key = |kid: &str| format!(r#""kid":"{kid}","key":"0123456789abcdef0123456789abcdef""#);
    of(&[
        &format!("{{{}}}", key("k1")),
        &format!(r#"{{{},"previous":{{{}}},"next":{{{}}}}}"#, key("k2"), key("k1"), key("k3")),
        &format!(r#"{{{},"previous":null,"unknown":[1]}}"#, key("k2")),
    ])
}

pub(crate) fn settings() -> Seeds {
    let [local, prod] = [include_str!("../../../conf/local.toml"), include_str!("../../../conf/prod.toml")];
    let number = "\n[[veri_code.test_numbers]]\nphone = \"13900000001\"\ncode = \"042424\"\nexpires = \"2026-12-31\"\n";
    of(&[local, prod, &format!("{local}{number}")])
}

pub(crate) fn language() -> Seeds {
    of(&[
        "en;q=0.9, zh;Q=0.1",
        "zh-CN,zh;q=0.9,en;q=0.8",
        "zh;q=0, *",
        "en-GB, *;q=0.5, zh-TW; q = 0.5",
        "fr, en;q=1e-3",
    ])
}

pub(crate) fn site() -> Seeds {
    of(&[
        "api.example\nhttps://api.example",
        "api.example:443\nhttps://api.example\nsame-origin",
        "127.0.0.1:9600\nhttp://127.0.0.1:9600",
        "api.example\nhttps://evil.example\ncross-site",
        "api.example\nnull\nsame-site",
        "\nhttps://",
    ])
}

pub(crate) fn changes() -> Seeds {
    let event = include_str!("../../local/events/audit.json");
    let least = r#"{"Records":[{"eventID":"1","dynamodb":{"ApproximateCreationDateTime":1,"SequenceNumber":"1","OldImage":{"id":{"S":"019a0000-0000-7000-8000-000000000000"}},"NewImage":{"id":{"S":"019a0000-0000-7000-8000-000000000001"},"role":{"S":"root"},"version":{"N":"2"}}}}]}"#;
    of(&[event, least])
}

pub(crate) fn import() -> Seeds {
    of(&[
        "1\t张三\t\\N\tx\r\n2\ta\\\tb\\\n\t\\\\N\n",
        "\u{feff}1,\"张, 三\",\"a\"\"b\",\"c\\\"d\",e\\,f,\n\n\"a\"b,c\n\"open\n\\N",
    ])
}

pub(crate) fn log_text() -> Seeds {
    of(&[
        "dno answer from 127.0.0.1:41235",
        "duser +8613800138000 is there",
        "dcode 042424, ١٢٣٤٥٦",
        "dtwo\nlines\r\n",
        "dsid 3fAbCdEfGhIjKlMnOpQrStUvWxYz",
        "\u{1}ProvisionedThroughputExceededException",
    ])
}

pub(crate) fn schedule() -> Seeds {
    let expressions = [
        "rate(5 minutes)",
        "rate(1 day)",
        "at(2026-11-22T15:00:00)",
        "cron(0/15 * * * ? *)",
        "cron(0/30 20-2 ? * MON-FRI *)",
        "cron(0 0 31W 11,12 ? 2026)",
        "cron(0 0 LW 5 ? 2026/5)",
        "cron(0 0 L 2 ? *)",
        "cron(15 10 ? * 6L 2022-2023)",
        "cron(30 2 ? * SUN#5 *)",
        "cron(30 1-3 29 2 ? *)",
    ];
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"];
    let pairs = expressions.iter().flat_map(|expression| zones.map(|zone| (expression, zone)));
    pairs
        .map(|(expression, zone)| format!("{expression}\n{zone}\n1774746000\n1700000000\n4000000000").into_bytes())
        .collect()
}

pub(crate) fn template() -> Seeds {
    of(&[
        r#"Parameters: { Stage: { Type: String }, Size: { Type: Number, Default: 3 } }
Conditions: { IsTest: !Equals [!Ref Stage, test], IsOther: !Not [!Condition IsTest], Both: !And [!Condition IsTest, !Condition IsOther] }
Globals: { Function: { Timeout: 5, Environment: { Variables: { STAGE: !Ref Stage, TABLE: !Ref Users } } } }
Resources:
  Users:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub b-${Stage}-users
      KeySchema: [{ AttributeName: phone, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: end, Enabled: true }
  Key: { Type: AWS::SecretsManager::Secret, Properties: { Name: b/key, GenerateSecretString: { PasswordLength: 64 } } }
  Login:
    Type: AWS::Serverless::Function
    Condition: IsOther
    Properties:
      FunctionName: !Sub ["b-${a}-${!x}", { a: !If [IsTest, 1, 2] }]
      CodeUri: ../target/lambda/login/
      EventInvokeConfig: { MaximumRetryAttempts: 2, DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Q.Arn } } }
      Events:
        Route: { Type: HttpApi, Properties: { Method: POST, Path: "/{stage}/{rest+}" } }
        Tick:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: cron(0 0 * * ? *)
            ScheduleExpressionTimezone: Asia/Shanghai
            FlexibleTimeWindow: { Mode: FLEXIBLE, MaximumWindowInMinutes: 5 }
            RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 3600 }
            DeadLetterConfig: { Type: SQS }
            StartDate: 2026-11-22T00:00:00Z
            Input: '{"time":"<aws.scheduler.scheduled-time>","n":<aws.scheduler.attempt-number>}'
  Q: { Type: AWS::SQS::Queue, Properties: { QueueName: !Join [-, [a, &x b, *x]] } }
"#,
        "a: &a [x, x]\nb: &b [*a, *a]\nc: !!str 5\n? 1\n: |-\n  x\n",
    ])
}

pub(crate) fn gateway() -> Seeds {
    of(&[
        &format!(
            "POST /local/iwc/badge/user/register HTTP/1.1\r\nHost: 127.0.0.1:9600\r\nContent-Type: application/json\r\n\r\n{REGISTER}"
        ),
        &format!(
            "GET /local/iwc/badge/user/index?limit=1&cursor=x%20y&limit=2 HTTP/1.1\r\nCookie: a=1; __sid__={SID}\r\nAuthorization: {SID}\r\n\r\n"
        ),
        "PUT /13800138000/iwc/b%61dge/user/lo%67in HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1\r\nIdempotency-Key: a\r\nAccept-Language: en\r\n\r\n\u{0}",
        "DELETE /nowhere/%FF HTTP/1.0\r\nX-Many: 1\r\nX-Many: 2\r\nConnection: close\r\n\r\n",
    ])
}

pub(crate) fn faults() -> Seeds {
    of(&[
        r#"{"redis": {"mode": "hang", "ms": 5}, "dynamodb": {"mode": "conflict", "rate": 0.1}, "sms": {"mode": "slow", "ms": 7}}"#,
        r#"{"invoke": {"mode": "kill_before_reply", "rate": 1e-3}, "redis": null}"#,
    ])
}
