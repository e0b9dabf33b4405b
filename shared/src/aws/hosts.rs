//! Public hosts of AWS's services that functions inside the network call. They reach AWS over IPv6 alone, as there is no NAT
//! gateway, so each of these has addresses of both kinds. A wrong one shows in an account only, therefore the sources.

/// AWS Secrets Manager. Its dual-stack name is not of the usual form `<service>.<region>.api.aws`, which does not resolve in
/// every region.
///
/// Sources: Secrets Manager User Guide, "AWS Secrets Manager endpoints" (the naming differs from the typical one); botocore
/// 1.43.106, `secretsmanager/2017-10-17/endpoint-rule-set-1.json`; aws-sdk-js-v3 issues 7631 and 5338.
pub(super) fn secrets_manager(region: &str) -> String {
    format!("secretsmanager.{region}.amazonaws.com")
}

/// AWS Lambda. Its plain name, `lambda.<region>.amazonaws.com`, has no address of IPv6.
///
/// Sources: General Reference, "AWS Lambda endpoints and quotas" (dual-stack endpoints); botocore 1.43.106,
/// `lambda/2015-03-31/endpoint-rule-set-1.json`, dual-stack suffix of the partition `aws`.
pub(super) fn lambda(region: &str) -> String {
    format!("lambda.{region}.api.aws")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_is_the_dual_stack_one_of_its_service() {
        assert_eq!(secrets_manager("ap-southeast-1"), "secretsmanager.ap-southeast-1.amazonaws.com");
        assert_eq!(lambda("ap-southeast-1"), "lambda.ap-southeast-1.api.aws");
    }
}
