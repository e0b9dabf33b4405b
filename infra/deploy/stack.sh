# shellcheck shell=sh
# The states of a stage's stack, and what a deployment does about them. Sourced after lib.sh, never run.

# The state of the stack; nothing if there is none.
stack_state() {
    "$AWS" cloudformation describe-stacks --stack-name "badge-$STAGE" --query 'Stacks[0].StackStatus' --output text \
        2>/dev/null || true
}

# Prints the events that failed since the newest operation began, the first cause first. Resources that were only cancelled
# with it say nothing of their own.
print_failures() {
    "$AWS" cloudformation describe-stack-events --stack-name "badge-$STAGE" --max-items 200 --output json 2>/dev/null |
        python3 infra/deploy/failures.py >&2 || true
}

# A stack whose first deployment failed takes no update (CloudFormation User Guide, "Stack status codes": ROLLBACK_COMPLETE can
# only be deleted), so it is deleted, which loses nothing: it never served.
discard_stack() {
    say "The first deployment of $STAGE failed before ($1); deleting what is left of it"
    users=badge-$STAGE-users
    # A rollback cannot delete a table that is protected; one that was never used may go.
    kept=$("$AWS" cloudformation describe-stack-resource --stack-name "badge-$STAGE" --logical-resource-id UsersTable \
        --query StackResourceDetail.ResourceStatus --output text 2>/dev/null || true)
    "$AWS" cloudformation delete-stack --stack-name "badge-$STAGE"
    "$AWS" cloudformation wait stack-delete-complete --stack-name "badge-$STAGE" || {
        print_failures
        fail "what is left of the stack badge-$STAGE could not be deleted; the lines above say why"
    }
    [ "$kept" = DELETE_FAILED ] || return 0
    rows=$("$AWS" dynamodb scan --table-name "$users" --select COUNT --limit 1 --no-paginate --query Count --output text 2>/dev/null) ||
        return 0
    [ "$rows" = 0 ] || fail "$users has users although its stack never served; look at it, and delete it by hand"
    "$AWS" dynamodb update-table --table-name "$users" --no-deletion-protection-enabled >/dev/null
    "$AWS" dynamodb delete-table --table-name "$users" >/dev/null
    "$AWS" dynamodb wait table-not-exists --table-name "$users"
}

# Brings the stack into a state that takes a deployment, or says why it does not. Sets RETRY to 1 after an update that failed:
# Lambda keeps the versions that it published, refuses to publish the same bytes again ("A version for this Lambda function
# exists", serverless-application-model issue 1375), and so gets marked packages.
prepare_stack() {
    RETRY=
    state=$(stack_state)
    case $state in
    ROLLBACK_COMPLETE | ROLLBACK_FAILED | CREATE_FAILED) discard_stack "$state" ;;
    DELETE_FAILED) fail "the stage was not deleted as a whole; type: make destroy STAGE=$STAGE" ;;
    # Of a change set that nobody has executed: there is nothing in it, and a CREATE takes it over.
    REVIEW_IN_PROGRESS | "") ;;
    UPDATE_ROLLBACK_COMPLETE) RETRY=1 ;;
    UPDATE_ROLLBACK_FAILED)
        print_failures
        fail "an update and its rollback failed. Mend what the lines above name, then type:
    aws cloudformation continue-update-rollback --stack-name badge-$STAGE" ;;
    *_IN_PROGRESS) fail "the stack badge-$STAGE is busy ($state); wait until it is done" ;;
    esac
}
