//! Every operation of the API description is tried without a credential.

use std::fs;

use saphyr::{LoadableYamlNode, Yaml};

use support::{code, root, with_app};

#[tokio::test]
async fn a_stranger_is_refused_wherever_the_description_does_not_say_open() {
    with_app(async |app| {
        let text = fs::read_to_string(root().join("docs/openapi.yaml")).unwrap();
        let document = Yaml::load_from_str(&text).unwrap().remove(0);
        let mut refused = 0;
        for (path, methods) in document.as_mapping_get("paths").unwrap().as_mapping().unwrap() {
            for (method, operation) in methods.as_mapping().unwrap() {
                let (method, path) = (method.as_str().unwrap().to_uppercase(), path.as_str().unwrap());
                let code = app.send(&method, path, &[], "{}").await.code;
                if operation.as_mapping_get("x-badge-open").is_some() {
                    assert_eq!(code, code::PARAMS_INVALID, "{method} {path} is open, and then asks for parameters");
                } else {
                    assert_eq!(code, code::NOT_LOGIN, "{method} {path}");
                    refused += 1;
                }
            }
        }
        assert!(refused >= 2);
    })
    .await;
}
