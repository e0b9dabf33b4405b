# shellcheck shell=sh
# What the verbs for AWS share. Sourced, never run; the working folder is the repository's root.
. infra/dev/lib.sh

# Whether STAGE can be in an account of AWS: it has settings, and is not the local one.
need_stage() {
    [ -n "${STAGE-}" ] && [ "$STAGE" != local ] ||
        fail "STAGE is missing, or \`local\`, which is not in AWS; type: make $1 STAGE=test"
    [ -f "conf/$STAGE.toml" ] || fail "the stage $STAGE has no settings; write conf/$STAGE.toml"
}

# Sets AWS to the command line of AWS, and gets it where there is none. Credentials are their own matter.
need_aws() {
    for AWS in .tools/aws/bin/aws "$(command -v aws || true)"; do
        [ -n "$AWS" ] && [ -x "$AWS" ] && return
    done
    say "The AWS command line is missing: installing awscli into .tools/aws (half a minute)"
    venv .tools/aws
    pip install awscli==1.46.3 || fail "could not install awscli; put an \`aws\` on the PATH"
    AWS=.tools/aws/bin/aws
}

# Sets AWS, and REGION to what the settings of AWS's own tools say. Version 1 of the command line does not know AWS_REGION.
need_region() {
    need_aws
    REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-$("$AWS" configure get region || true)}}
    [ -n "$REGION" ] || fail "no region is set; type: export AWS_REGION=ap-southeast-1"
    export AWS_DEFAULT_REGION="$REGION" AWS_REGION="$REGION" AWS_PAGER=
}

# Sets ACCOUNT as well, to what the credentials say.
need_account() {
    need_region
    ACCOUNT=$("$AWS" sts get-caller-identity --query Account --output text) ||
        fail "AWS does not know who you are; the line above says why. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    say "Stage $STAGE: account $ACCOUNT, $REGION"
}

# One output of the stage's stack.
output() {
    "$AWS" cloudformation describe-stacks --stack-name "badge-$STAGE" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

# Names of the stage's functions in AWS.
functions_of_stage() {
    "$AWS" cloudformation list-stack-resources --stack-name "badge-$STAGE" --output text \
        --query "StackResourceSummaries[?ResourceType=='AWS::Lambda::Function'].[PhysicalResourceId]"
}

# alias_of FUNCTION ALIAS: the version that it is of; nothing if there is none.
alias_of() {
    "$AWS" lambda get-alias --function-name "$1" --name "$2" --query FunctionVersion --output text 2>/dev/null || true
}

# set_alias FUNCTION ALIAS VERSION: makes the alias where there is none. An error is printed.
set_alias() {
    error=$("$AWS" lambda update-alias --function-name "$1" --name "$2" --function-version "$3" 2>&1 >/dev/null) && return
    case $error in
    *ResourceNotFoundException*)
        "$AWS" lambda create-alias --function-name "$1" --name "$2" --function-version "$3" >/dev/null
        ;;
    *)
        say "$error"
        return 1
        ;;
    esac
}

# at_once WORDS FUNCTION: calls a function of this file with so many words of the input at a time, many calls side by side: one
# of the command line takes half a second and more.
at_once() {
    AWS=$AWS xargs -P 8 -n "$1" sh -c ". infra/deploy/lib.sh; set -eu; [ \$# = 0 ] || $2 \"\$@\"" sh
}

# A function and its version that is live; nothing if none is.
print_live() {
    live=$(alias_of "$1" live)
    [ -z "$live" ] || printf '%s %s\n' "$1" "$live"
}

# move FUNCTION VERSION: makes it live, and prints what has changed.
move() {
    live=$(alias_of "$1" live)
    [ "$live" != "$2" ] || return 0
    if set_alias "$1" live "$2"; then
        printf '%s: %s -> %s\n' "$1" "${live:-nothing}" "$2"
    else
        say "$1 is still ${live:-nothing}, not $2"
        return 1
    fi
}

# Every function of the stage with the version that is live, in lines.
live_versions() { functions_of_stage | at_once 1 print_live | sort; }

# The same, as the stage's stack says it.
stack_versions() {
    "$AWS" cloudformation list-stack-resources --stack-name "badge-$STAGE" --output text \
        --query "StackResourceSummaries[?ResourceType=='AWS::Lambda::Version'].[PhysicalResourceId]" |
        sed -n 's/.*:function:\([^:]*\):\([0-9][0-9]*\)$/\1 \2/p' | sort
}

# make_live FILE: sets what live_versions would print. Goes on where one function refuses, and fails in the end.
make_live() { at_once 2 move <"$1" >&2; }

# Sets BUCKET to that of code and releases, one for all stages of the account and the region, and makes it where there is
# none. Every call on it names the account, as somebody else may have taken the name.
need_bucket() {
    BUCKET=badge-code-$ACCOUNT-$REGION
    "$AWS" s3api head-bucket --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT" >/dev/null 2>&1 && return
    "$AWS" s3 mb "s3://$BUCKET" >/dev/null || fail "the bucket $BUCKET could not be made; the line above says why"
    # Packages stay: a rollback of CloudFormation reads those of before. Uploads that were broken off do not.
    "$AWS" s3api put-bucket-lifecycle-configuration --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT" \
        --lifecycle-configuration '{"Rules": [{"ID": "broken-off", "Status": "Enabled", "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}]}' ||
        say "the bucket $BUCKET has no lifecycle; the line above says why"
}

# What infra/deploy/releases.py knows and does.
releases() { AWS=$AWS BUCKET=$BUCKET ACCOUNT=$ACCOUNT STAGE=$STAGE python3 infra/deploy/releases.py "$@"; }

# take_lock WHAT: one deployment at a time. The lock is given back at the end of the script, and ends by itself if that is lost.
take_lock() {
    releases lock "$1"
    trap 'releases unlock' EXIT
    trap 'exit 130' INT TERM
}

# answers FUNCTION VERSION: whether that version starts, which it does with its settings and its secrets. An endpoint is asked
# with a method that it does not have, which it refuses before it does anything. A job or a task gets an event that it cannot
# read: the error is then its own, and not Lambda's (`Runtime.…`, or a timeout).
answers() {
    probe=$(mktemp -d)
    case $(ls -d functions/*/"$1") in
    functions/api/*) event='{"version":"2.0","routeKey":"$default","rawPath":"/'$STAGE'/smoke","rawQueryString":"","headers":{"host":"smoke"},"requestContext":{"accountId":"0","apiId":"smoke","domainName":"smoke","domainPrefix":"smoke","http":{"method":"PUT","path":"/'$STAGE'/smoke","protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"smoke"},"requestId":"smoke","routeKey":"$default","stage":"$default","time":"01/Jan/2026:00:00:00 +0000","timeEpoch":1767225600000},"isBase64Encoded":false}' ;;
    *) event='{}' ;;
    esac
    printf '%s' "$event" >"$probe/event"
    AWS_MAX_ATTEMPTS=1 "$AWS" lambda invoke --function-name "badge-$STAGE-$1" --qualifier "$2" \
        --payload "fileb://$probe/event" "$probe/answer" >/dev/null 2>"$probe/error" || cat "$probe/error" >"$probe/answer"
    is_good=1
    case $event in
    '{}') grep -q '"errorType" *: *"\(Runtime\|Sandbox\|Extension\)\.\|Task timed out\|An error occurred' "$probe/answer" && is_good= ;;
    *) grep -q 'code\\":5140[45]' "$probe/answer" || is_good= ;;
    esac
    [ -n "$is_good" ] || say "$1, version $2: $(cat "$probe/answer")"
    rm -rf "$probe"
    [ -n "$is_good" ]
}

# Whether the stage works: the job that looks at every part, and one request through the front.
smoke() {
    NAME=deployed infra/deploy/job.sh || return 1
    url="$(output Url)/iwc/badge/user/index"
    wanted=10006 what="not logged in"
    origin=$(output Origin)
    case $origin in "" | None) ;; *) url=$origin/iwc/badge/user/index wanted=51403 what="refused past the front" ;; esac
    # Also while the name of one's own does not point there yet.
    target=$(output DomainTarget)
    case $target in "" | None) set -- ;; *) set -- --connect-to "::$target:443" ;; esac
    answer=$(curl --silent --show-error --max-time 10 "$@" "$url") || return 1
    case $answer in
    *'"code":'"$wanted"','*) say "$url: $what, as it should be" ;;
    *)
        say "$url answered: $answer"
        return 1
        ;;
    esac
}
