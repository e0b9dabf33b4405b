# `make` prints the daily verbs, `make help-all` all of them.

PORT ?= 9600
STAGE ?= local

# Cargo's own folder, unless the environment names another one, as CI does.
CARGO_TARGET_DIR ?= $(CURDIR)/target
# cargo-deny takes minutes to build, so clones share it.
BADGE_TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/badge/tools
export CARGO_TARGET_DIR BADGE_TOOLS PORT STAGE

# Tests wait for processes more than they compute.
RUST_TEST_THREADS ?= $(shell expr 2 \* $$(nproc 2>/dev/null || echo 2))
export RUST_TEST_THREADS

# A lock file that does not fit its manifests is an error in CI, and a thing to be updated elsewhere.
LOCKED := $(if $(CI),--locked)
# Built for a debugger: the function and `shared`; everything else stays as it is.
DEBUGGABLE := $(if $(DEBUG),$(foreach package,shared $(FN),\
    --config profile.dev.package.$(package).debug=2 --config profile.dev.package.$(package).opt-level=0))
DEV_BIN := $(CARGO_TARGET_DIR)/debug
VENV_BIN := .tools/venv/bin

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

# A line `##@ title` begins a group of verbs. `## text` describes a verb of `make`, `# text` one of `make help-all`.
HELP = awk -v all=$(1) -F ':.*\#\#? ' '/^\#\#@ / { title = substr($$0, 5) } \
    /^[a-z-]+:.*\#\# / || (all && /^[a-z-]+:.*\# /) { \
        if (title) printf "\n%s\n", title; title = ""; printf "  %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

help:
	@$(call HELP,)
	@printf '\nEvery other verb: make help-all\n'

help-all:
	@$(call HELP,1)

##@ Daily

run: fn-needs-debug redis build-local ## start the local emulator on http://127.0.0.1:9600 (PORT=9601; OPEN=1 opens the console; KEEP=1 keeps data; FN=login DEBUG=1 waits for a debugger)
	@exec "$(DEV_BIN)/local" --port "$(PORT)" --stage "$(STAGE)" --at-start deployed $(if $(KEEP),--keep) $(if $(OPEN),--open) \
	    $(if $(DEBUG),--debug "$(FN)")

watch: redis build-local ## the same, and rebuild and reload when a file changes
	@exec infra/dev/watch.sh

test: test-rust ## run the tests: Rust, API description, cost of each function
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target test-api guard test-cost

job: ## run a job now (NAME=daily STAGE=local TIME=2026-11-22T00:00:00Z)
	@NAME="$(NAME)" TIME="$(TIME)" infra/deploy/job.sh

new-endpoint: toolchain python ## create an endpoint: function, route, description and test (NAME=ping METHOD=GET ROUTE=/ping)
	@$(VENV_BIN)/python infra/dev/scaffold.py endpoint "$(NAME)" "$(METHOD)" "$(ROUTE)"
	@$(MAKE) --no-print-directory cost

new-job: toolchain python ## create a job: function, schedule and test (NAME=report SCHEDULE="rate(1 hour)")
	@$(VENV_BIN)/python infra/dev/scaffold.py job "$(NAME)" "$(SCHEDULE)"
	@$(MAKE) --no-print-directory cost

remove-endpoint: toolchain python # delete an endpoint from every place that names it (NAME=ping)
	@$(VENV_BIN)/python infra/dev/remove.py api "$(NAME)"
	@$(MAKE) --no-print-directory cost

remove-job: toolchain python # delete a job (NAME=report)
	@$(VENV_BIN)/python infra/dev/remove.py jobs "$(NAME)"
	@$(MAKE) --no-print-directory cost

doctor: ## list what this machine lacks, with the command that adds it
	@infra/dev/doctor.sh

rotate: python # rotate the keys of a stage (STAGE=test SECRET=jwt; by default every secret; FORCE=1 for leaked keys)
	@$(VENV_BIN)/python infra/deploy/rotate.py $(if $(FORCE),--force) "$(STAGE)" $(SECRET)

redrive: # retry the failed events of a stage (STAGE=local)
	@infra/deploy/redrive.sh

docs: python # build the API pages in both languages for /docs/ of `make run` (needs npm)
	@infra/dev/docs.sh

picture: # take docs/console.png, the picture in README.md
	@$(MAKE) --no-print-directory test-console K=picture_of_the_readme
	@cp .tools/console-shots/readme.png docs/console.png

fork: python # rename the service, its tables and its route prefix (NAME=acme PREFIX=acme/user)
	@$(VENV_BIN)/python infra/dev/fork.py fork "$(NAME)" "$(PREFIX)"

upgrade: python # merge a newer version of the original into a fork (FROM=upstream/main)
	@$(VENV_BIN)/python infra/dev/fork.py upgrade "$(FROM)"

build-local: toolchain # build the emulator and the functions for this machine
	@[ -x "$(DEV_BIN)/local" ] || echo "The first build takes some minutes" >&2
	@cargo build $(LOCKED) --workspace --bins $(DEBUGGABLE)

redis: toolchain # find a Redis or Valkey server, or unpack one into .tools
	@infra/dev/redis.sh

tools: toolchain redis python # get what other verbs need: Redis or Valkey, Python tools, cargo-deny
	@infra/dev/deny.sh --install

clean: # delete what was built, fetched and stored in this clone
	@rm -rf target .tools .local logs

##@ AWS

deploy: toolchain ## create or update a stage, then check that it works (STAGE=test)
	@infra/deploy/deploy.sh

diff: toolchain ## show what `make deploy` would change (STAGE=test)
	@infra/deploy/deploy.sh --diff

push: toolchain ## update the code of one function, in seconds (FN=login STAGE=test)
	@FN="$(FN)" infra/deploy/push.sh

rollback: ## make the release before the last deploy or push live, or another one (STAGE=test TO=20261126-120000-123)
	@TO="$(TO)" infra/deploy/rollback.sh

releases: # list the releases of a stage (STAGE=test)
	@infra/deploy/releases.sh

logs: ## follow the log of a stage (FN=login STAGE=test)
	@FN="$(FN)" infra/deploy/logs.sh

destroy: ## delete a stage with all that it stores (STAGE=test)
	@CONFIRM="$(CONFIRM)" infra/deploy/destroy.sh

build: toolchain # build and package the functions for Lambda on ARM: target/lambda/<function>.zip
	@infra/deploy/build.sh

admin: # make a user an admin (PHONE=+8613800138000 STAGE=test)
	@PHONE="$(PHONE)" CHANGE=promote infra/deploy/admin.sh

demote: # make an admin a user again (PHONE=+8613800138000 STAGE=test)
	@PHONE="$(PHONE)" CHANGE=demote infra/deploy/admin.sh

disable: # disable an account, so that nobody signs in to it (PHONE=+8613800138000 STAGE=test)
	@PHONE="$(PHONE)" CHANGE=disable infra/deploy/admin.sh

enable: # undo `make disable` (PHONE=+8613800138000 STAGE=test)
	@PHONE="$(PHONE)" CHANGE=enable infra/deploy/admin.sh

end-sessions: # end all sessions and tokens of a user (PHONE=+8613800138000 STAGE=test)
	@PHONE="$(PHONE)" CHANGE=end_sessions infra/deploy/admin.sh

delete-user: # delete a user; the job `daily` erases the row later (PHONE=+8613800138000 STAGE=test)
	@PHONE="$(PHONE)" CHANGE=delete infra/deploy/admin.sh

import: toolchain # import users of the old table t_user; reports on the file until WRITE=1 (FILE=users.csv STAGE=test RATE=1000)
	@FILE="$(FILE)" WRITE="$(WRITE)" RATE="$(RATE)" infra/deploy/import.sh

outputs: # print the addresses and names of a stage (STAGE=test)
	@infra/deploy/outputs.sh

restore-user: # copy one user from a restored table over the stage's (PHONE=+8613800138000 FROM=badge-prod-users-restored STAGE=prod)
	@PHONE="$(PHONE)" FROM="$(FROM)" infra/deploy/restore_user.sh

drill: # restore a stage's users' table under another name, count it, and delete the copy (STAGE=prod)
	@infra/deploy/drill.sh

sms-key: # print the key that signs messages to the SMS provider `http` (STAGE=test)
	@infra/deploy/sms_key.sh

audit: python # check the template with the SAM command line and checkov; both take minutes to install
	@infra/deploy/audit.sh

##@ Checks

check: lint test ## everything that must pass before a commit

lint: toolchain lint-texts ## check format, clippy, template, API description, API pages, dependencies
	@echo "Format" >&2
	@cargo fmt --all --check
	@echo "Clippy, warnings denied" >&2
	@cargo clippy $(LOCKED) --workspace --all-targets --features shared/fuzz,local/fuzz -- --deny warnings
	@infra/dev/deny.sh

fmt: toolchain ## format the code
	@cargo fmt --all

advisories: # look for known vulnerabilities of the dependencies; needs the network, and fails without it
	@infra/dev/deny.sh --advisories

lint-texts: python # check the template, the API description, the API pages and the bill: all of lint that compiles nothing
	@echo "Template: cfn-lint, and again after SAM's transformation" >&2
	@$(VENV_BIN)/cfn-lint infra/template.yaml infra/front.yaml infra/deploy/role.yaml infra/deploy/backup.yaml
	@$(VENV_BIN)/python infra/deploy/translate.py infra/template.yaml | $(VENV_BIN)/cfn-lint
	@echo "API description: openapi-spec-validator, examples, client generators" >&2
	@$(VENV_BIN)/openapi-spec-validator docs/openapi.yaml >/dev/null
	@$(VENV_BIN)/python infra/local/tests/contract/examples.py docs/openapi.yaml
	@echo "API pages: translation, samples, limits" >&2
	@$(VENV_BIN)/python infra/api-docs/build.py --check
	@echo "Bill: docs/cost.md, an idle month, memory" >&2
	@$(VENV_BIN)/python infra/cost/page.py --check

test-rust: redis python build-local # run cargo test for the workspace
	@echo "Tests of the workspace: cargo test" >&2
	@cargo test $(LOCKED) --workspace

test-api: redis python build-local # test the emulator against the API description (SEED=2 for other requests)
	@infra/dev/api_check.sh

test-cost: python # test the computation of the bill, and the role that deploys
	@echo "Tests of the bill and of the role: pytest" >&2
	@$(VENV_BIN)/pytest --quiet -p no:cacheprovider infra/cost infra/deploy/test_role.py

test-console: redis build-local # test the console in a browser: journeys, accessibility, languages, themes; four minutes
	@infra/dev/console.sh $(if $(K),-k "$(K)")

test-docs: redis python build-local # test the API pages, and run their samples (needs node)
	@infra/dev/test_docs.sh

test-clients: redis python build-local # test the TypeScript client, and clients generated from the API description (ONLY="badge-client orval"; needs npm)
	@ONLY="$(ONLY)" infra/dev/test_clients.sh

test-deploy: redis python build-local # deploy to an emulator of AWS that enforces policies; some minutes (ONLY=rights)
	@ONLY="$(ONLY)" infra/deploy/test_deploy.sh

# In CI those whose requests write several keys: what else there is does not know where the cache has them.
OF_THE_CACHE := $(if $(CI),login:: logout:: register:: veri_code:: limits:: idempotency:: device:: sessions:: own_sessions:: rights:: \
    change_phone:: delete_account:: admin:: race:: cluster:: failover::)

test-cluster: redis build-local # run the API's tests with a cache in cluster mode
	@TEST_CACHE=cluster cargo test $(LOCKED) --workspace --test api -- --test-threads 4 $(OF_THE_CACHE)

test-arm: redis build-local # run the API's tests on the ARM binaries; skipped without Rust's library for ARM
	@infra/dev/test_arm.sh

test-fork: redis python # rename a copy, check it, use it, and merge a change into it (FULL=1 runs all its tests)
	@FULL="$(FULL)" infra/dev/test_fork.sh

attack: redis python build-local # run the attacks on the limits at full size; some minutes
	@BADGE_ATTACK_PART=1 cargo test $(LOCKED) --workspace --test api attack:: -- --nocapture --test-threads=1

soak: redis build-local # run mixed traffic while each store fails in turn (SOAK_SECS=60 SOAK_CLIENTS=24)
	@SOAK_SECS="$${SOAK_SECS:-60}" SOAK_CLIENTS="$${SOAK_CLIENTS:-24}" cargo test $(LOCKED) --workspace --test api what_was_acknowledged -- --nocapture

fuzz: toolchain # fuzz every parser of client input (RUNS=1000000 SECONDS=600 per target, SEED=1 TARGET=phone)
	@RUNS="$(RUNS)" SECONDS_EACH="$(SECONDS)" SEED="$(SEED)" TARGET="$(TARGET)" infra/dev/fuzz.sh

##@ Measurements

guard: redis build-local # compare round trips, units and instructions of each function with infra/bench/baseline.json
	@echo "Round trips, units and instructions beside infra/bench/baseline.json" >&2
	@"$(DEV_BIN)/bench" guard

size: build-local # compare the size of each endpoint with infra/bench/baseline.json, and count TLS stacks (FN="login logout")
	@FN="$(FN)" infra/dev/size.sh

bench: redis build-local # measure the functions beside a hello-world and AWS's example (RUNS=61 WARM=400 FN="login logout" TLS=1 SHARE=14)
	@RUNS="$(RUNS)" WARM="$(WARM)" FN="$(FN)" BASE="$(BASE)" TLS="$(TLS)" SHARE="$(SHARE)" infra/dev/bench.sh

bench-compare: # the same, beside the functions of another commit (BASE=HEAD~1)
	@[ -n "$(BASE)" ] || { echo "error: with which commit? type: make bench-compare BASE=HEAD~1" >&2; exit 1; }
	@$(MAKE) --no-print-directory bench

bench-growth: redis build-local # measure requests with more and more stored (SIZES="100 10000" REQUESTS=100000 SIGN_INS=300)
	@SIZES="$(or $(SIZES),100 10000 1000000)" REQUESTS="$(or $(REQUESTS),1000000)" WARM="$(WARM)" SIGN_INS="$(SIGN_INS)" \
	    FN="$(or $(FN),user_index login register logout veri_code)" infra/dev/bench.sh

bench-stage: redis # measure the whole emulator under load (REQUESTS=1000 ROUNDS=3 KIND="register login" BASE=HEAD~1)
	@REQUESTS="$(REQUESTS)" ROUNDS="$(ROUNDS)" KIND="$(KIND)" BASE="$(BASE)" infra/dev/bench_stage.sh

bench-baseline: redis build-local # accept the present figures: writes infra/bench/baseline.json and docs/cost.md
	@"$(DEV_BIN)/bench" guard --renew
	@infra/dev/size.sh --renew
	@$(MAKE) --no-print-directory cost

cost: python # compute the cost of requests and of an idle month: writes docs/cost.md (TAKE=1 after `make bench TLS=1`)
	@$(VENV_BIN)/python infra/cost/page.py $(if $(TAKE),--take)

# ---- what verbs need -----------------------------------------------------------------------------------------

fn-needs-debug:
	@[ -z "$(FN)" ] || [ -n "$(DEBUG)" ] || \
	    { echo "error: FN names the function to debug; type: make run FN=$(FN) DEBUG=1" >&2; exit 1; }

toolchain:
	@infra/dev/toolchain.sh

python:
	@infra/dev/python.sh
