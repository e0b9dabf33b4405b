# shellcheck shell=sh
# What the verbs for AWS share. Sourced, never run; the working folder is the repository's root.
. infra/dev/lib.sh

# Whether STAGE can be in an account of AWS: it has settings, and is not the local one.
need_stage() {
    [ -n "${STAGE-}" ] && [ "$STAGE" != local ] ||
        fail "which stage? there is nothing of \`local\` in AWS; type: make $1 STAGE=test"
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
    [ -n "$REGION" ] || fail "in which region? type: export AWS_REGION=ap-southeast-1"
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

# set_alias FUNCTION ALIAS VERSION
set_alias() {
    "$AWS" lambda update-alias --function-name "$1" --name "$2" --function-version "$3" >/dev/null 2>&1 ||
        "$AWS" lambda create-alias --function-name "$1" --name "$2" --function-version "$3" >/dev/null
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

# keep_before FUNCTION VERSION: where a rollback goes to.
keep_before() { set_alias "$1" before "$2"; }

# Exchanges what is live with what was before, and prints it; nothing if nothing was.
exchange() {
    live=$(alias_of "$1" live)
    before=$(alias_of "$1" before)
    case $before in "" | "$live") return 0 ;; esac
    set_alias "$1" live "$before"
    set_alias "$1" before "$live"
    printf '%s: %s -> %s\n' "$1" "$live" "$before"
}

# Every function of the stage with the version that is live, in lines.
live_versions() { functions_of_stage | at_once 1 print_live | sort; }

# remember FILE: what was live before, as live_versions printed it, is the alias `before`, which a rollback goes to. Where
# nothing has changed it stays what it was, or a second deployment would take the way back away.
remember() {
    [ -s "$1" ] || return 0
    live_versions >"$1.now"
    cmp -s "$1" "$1.now" || at_once 2 keep_before <"$1"
    rm -f "$1.now"
}

# Whether the stage works: the job that looks at every part, and one request through the front.
smoke() {
    NAME=deployed infra/deploy/job.sh || return 1
    url="$(output Url)/iwc/badge/user/index"
    answer=$(curl --silent --show-error --max-time 10 "$url") || return 1
    case $answer in
    *'"code":10006,'*) say "$url: not logged in, as it should be" ;;
    *)
        say "$url answered: $answer"
        return 1
        ;;
    esac
}
