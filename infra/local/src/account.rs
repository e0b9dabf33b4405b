//! The AWS account that the emulator plays: its names and ARNs.

/// The region in every ARN and in `AWS_REGION`.
pub(crate) const REGION: &str = "us-east-1";

/// The account number in every ARN, as DynamoDB Local and its successors write it.
pub(crate) const ACCOUNT: &str = "000000000000";

/// The partition in every ARN.
pub(crate) const PARTITION: &str = "aws";

/// Formats `arn:aws:<service>:<region>:<account>:<resource>`.
pub(crate) fn arn(service: &str, resource: &str) -> String {
    format!("arn:{PARTITION}:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// The ARN of the function with that name.
pub(crate) fn function_arn(name: &str) -> String {
    arn("lambda", &format!("function:{name}"))
}

/// What `Ref` gives for the queue with that name.
pub(crate) fn queue_url(name: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}")
}

/// The ARN of the secret with that name. AWS adds six random characters; here they are fixed.
pub(crate) fn secret_arn(name: &str) -> String {
    arn("secretsmanager", &format!("secret:{name}-Local0"))
}
