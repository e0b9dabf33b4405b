# `make` alone prints what it can do.

PORT ?= 9600
STAGE ?= local

# One target folder for every clone, so that a new clone does not build the third-party crates again.
# What the clones do not share, the workspace's own crates, infra/setup/target.sh keeps apart.
CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/badge/target
BADGE_TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/badge/tools
export CARGO_TARGET_DIR BADGE_TOOLS PORT STAGE

# A lock file that does not fit its manifests is an error in CI, and a thing to be updated elsewhere.
LOCKED := $(if $(CI),--locked)
# What somebody wants to step through is built for that; the rest stays as it is.
DEBUGGABLE := $(if $(DEBUG),$(foreach package,shared $(FN),\
    --config profile.dev.package.$(package).debug=2 --config profile.dev.package.$(package).opt-level=0))
DEV_BIN := $(CARGO_TARGET_DIR)/debug
VENV_BIN := .tools/venv/bin

.DEFAULT_GOAL := help
.PHONY: help doctor run watch rotate endpoint job redrive test test-rust test-api test-console picture docs test-docs test-clients attack test-deploy test-cluster test-arm
.PHONY: soak fuzz bench bench-compare bench-growth bench-baseline guard size bench-stage check lint audit fmt build-local build deploy diff push
.PHONY: rollback logs admin outputs destroy cost test-cost tools clean toolchain redis python

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: redis build-local ## bring up the local stage on http://127.0.0.1:9600 (PORT=9601; OPEN=1 opens the console; KEEP=1 keeps what is stored; FN=login DEBUG=1 waits for a debugger)
	@exec "$(DEV_BIN)/local" --port "$(PORT)" --stage "$(STAGE)" --at-start deployed $(if $(KEEP),--keep) $(if $(OPEN),--open) \
	    $(if $(DEBUG),--debug "$(FN)")

watch: redis build-local ## the same, and rebuild and reload at each change of a file
	@exec infra/setup/watch.sh

rotate: python ## another key signs, and nobody is refused for it (STAGE=test SECRET=jwt; by default every secret)
	@$(VENV_BIN)/python infra/setup/rotate.py $(if $(FORCE),--force) "$(STAGE)" $(SECRET)

endpoint: toolchain python ## make an endpoint, with its route, description and test (NAME=ping METHOD=GET ROUTE=/ping)
	@python3 infra/setup/scaffold.py endpoint "$(NAME)" "$(METHOD)" "$(ROUTE)"
	@$(MAKE) --no-print-directory cost

ifdef SCHEDULE
job: toolchain python
	@python3 infra/setup/scaffold.py job "$(NAME)" "$(SCHEDULE)"
	@$(MAKE) --no-print-directory cost
else
job: ## run a job now (NAME=daily STAGE=local TIME=2026-11-22T00:00:00Z), or make one (NAME=report SCHEDULE="rate(1 hour)")
	@NAME="$(NAME)" TIME="$(TIME)" infra/setup/job.sh
endif

redrive: ## drive the failed events of a stage again (STAGE=local)
	@infra/setup/redrive.sh

test: test-rust test-api guard test-cost ## every test: units, the stage from outside, the API description, what functions cost

test-rust: redis python build-local
	@echo "Tests of the workspace: cargo test" >&2
	@python3 infra/setup/cargo.py test $(LOCKED) --workspace --no-run
	@cargo test $(LOCKED) --workspace

test-api: redis python build-local ## only the API description against a running stage (SEED=2 for other requests)
	@infra/setup/api_check.sh

test-console: redis build-local ## the console in a browser: journeys, accessibility, both languages and themes; two minutes
	@infra/setup/console.sh $(if $(K),-k "$(K)")

picture: ## take the picture of the console that README.md shows, docs/console.png, anew
	@$(MAKE) --no-print-directory test-console K=picture_of_the_readme
	@cp .tools/console-shots/readme.png docs/console.png

docs: python ## build the API pages in both languages, which `make run` then shows at /docs/ (needs npm)
	@infra/setup/docs.sh

test-docs: redis python build-local ## the API pages' parts, and their samples run against a stage (needs node)
	@infra/setup/test_docs.sh

test-clients: redis python build-local ## clients of the API description by each generator, compiled and used (ONLY="orval hey-api"; needs npm)
	@ONLY="$(ONLY)" infra/setup/test_clients.sh

attack: redis python build-local ## attacks on the limits at full size, with their figures; some minutes
	@BADGE_ATTACK_PART=1 cargo test $(LOCKED) --workspace --test api attack:: -- --nocapture --test-threads=1

test-deploy: redis python build-local ## the deployment, on an emulator of AWS that enforces policies; some minutes (ONLY=rights)
	@ONLY="$(ONLY)" infra/setup/test_deploy.sh

test-cluster: redis build-local ## the API's tests again, on a cache in cluster mode
	@TEST_CACHE=cluster cargo test $(LOCKED) --workspace --test api -- --test-threads 4

test-arm: redis ## the API's tests on the functions as they are shipped, for ARM; skipped without Rust's library for it
	@infra/setup/test_arm.sh

soak: redis build-local ## mixed traffic while each store fails in turn, with figures (SOAK_SECS=60 SOAK_CLIENTS=24)
	@SOAK_SECS="$${SOAK_SECS:-60}" SOAK_CLIENTS="$${SOAK_CLIENTS:-24}" cargo test $(LOCKED) --workspace --test api what_was_acknowledged -- --nocapture

fuzz: toolchain ## fuzz all that reads what strangers write, with figures (RUNS=1000000 SECONDS=600 per target, SEED=1 TARGET=phone)
	@infra/setup/target.sh
	@RUNS="$(RUNS)" SECONDS_EACH="$(SECONDS)" SEED="$(SEED)" TARGET="$(TARGET)" infra/setup/fuzz.sh

bench: redis build-local ## the functions beside one that says hello (RUNS=61 WARM=400 FN="login logout" TLS=1 SHARE=14)
	@RUNS="$(RUNS)" WARM="$(WARM)" FN="$(FN)" BASE="$(BASE)" TLS="$(TLS)" SHARE="$(SHARE)" infra/setup/bench.sh

bench-compare: ## the same, and beside the functions of another commit (BASE=HEAD~1)
	@[ -n "$(BASE)" ] || { echo "error: with which commit? type: make bench-compare BASE=HEAD~1" >&2; exit 1; }
	@$(MAKE) --no-print-directory bench

bench-growth: redis build-local ## the same requests with ever more stored, and one sandbox with ever more (SIZES="100 10000" REQUESTS=100000)
	@SIZES="$(or $(SIZES),100 10000 1000000)" REQUESTS="$(or $(REQUESTS),1000000)" WARM="$(WARM)" \
	    FN="$(or $(FN),user_index login register logout veri_code)" infra/setup/bench.sh

bench-stage: redis ## the whole local stage under load (REQUESTS=1000 ROUNDS=3 KIND="register login" BASE=HEAD~1; CONSOLE=inbox beside one with that view open)
	@REQUESTS="$(REQUESTS)" ROUNDS="$(ROUNDS)" KIND="$(KIND)" BASE="$(BASE)" CONSOLE="$(CONSOLE)" infra/setup/bench_stage.sh

guard: redis build-local ## whether a function makes more round trips, units or instructions than agreed
	@echo "Round trips, units and instructions beside infra/bench/baseline.json" >&2
	@"$(DEV_BIN)/bench" guard

size: build-local ## whether an endpoint, as it is shipped, is larger than agreed, or has two TLS stacks
	@infra/setup/size.sh

bench-baseline: redis build-local ## agree to what functions cost and weigh now: writes infra/bench/baseline.json and docs/cost.md
	@"$(DEV_BIN)/bench" guard --renew
	@infra/setup/size.sh --renew
	@$(MAKE) --no-print-directory cost

cost: python ## what requests and an idle month cost in dollars: writes docs/cost.md (TAKE=1 after `make bench TLS=1`)
	@$(VENV_BIN)/python infra/cost/page.py $(if $(TAKE),--take)

test-cost: python
	@echo "Tests of the bill: pytest" >&2
	@$(VENV_BIN)/pytest --quiet -p no:cacheprovider infra/cost

check: lint test ## everything that must hold before a commit: lint, then test

lint: toolchain python ## format, clippy, template, API description, API pages, dependencies
	@echo "Format" >&2
	@cargo fmt --all --check
	@echo "Clippy, warnings denied" >&2
	@infra/setup/target.sh
	@python3 infra/setup/cargo.py clippy $(LOCKED) --workspace --all-targets --features shared/fuzz,local/fuzz -- --deny warnings
	@echo "Template: cfn-lint, and again of what SAM makes of it" >&2
	@$(VENV_BIN)/cfn-lint infra/template.yaml
	@$(VENV_BIN)/python infra/setup/translate.py infra/template.yaml | $(VENV_BIN)/cfn-lint
	@echo "API description: openapi-spec-validator, examples, client generators" >&2
	@$(VENV_BIN)/openapi-spec-validator docs/openapi.yaml >/dev/null
	@$(VENV_BIN)/python infra/local/tests/contract/examples.py docs/openapi.yaml
	@echo "API pages: translation, samples, limits" >&2
	@$(VENV_BIN)/python infra/api-docs/build.py --check
	@echo "Bill: docs/cost.md, an idle month, memory" >&2
	@$(VENV_BIN)/python infra/cost/page.py --check
	@infra/setup/deny.sh

audit: python ## the template, as the SAM command line and checkov see it; both take minutes to install
	@infra/setup/audit.sh

fmt: toolchain ## format the code
	@cargo fmt --all

build-local: toolchain ## build the functions and the stage as `make run` uses them
	@infra/setup/target.sh
	@[ -x "$(DEV_BIN)/local" ] || \
	    echo "The first build takes some minutes" >&2
	@python3 infra/setup/cargo.py build $(LOCKED) --workspace --bins $(DEBUGGABLE)

build: toolchain ## build and pack the functions as they are shipped, for ARM: target/lambda/<function>.zip
	@infra/setup/build.sh

deploy: toolchain ## bring a stage up in AWS, or up to date, and see whether it works (STAGE=test)
	@infra/setup/deploy.sh

diff: toolchain ## what `make deploy` would change (STAGE=test)
	@infra/setup/deploy.sh --diff

push: toolchain ## the code of one function, in seconds (FN=login STAGE=test)
	@FN="$(FN)" infra/setup/push.sh

rollback: ## the code before the last deploy or push (STAGE=test)
	@infra/setup/rollback.sh

logs: ## follow the log of a stage in AWS (FN=login STAGE=test)
	@FN="$(FN)" infra/setup/logs.sh

admin: ## make a user an admin (PHONE=+8613800138000 STAGE=test)
	@PHONE="$(PHONE)" infra/setup/admin.sh

outputs: ## where a stage in AWS is: its addresses and names (STAGE=test)
	@infra/setup/outputs.sh

destroy: ## take a stage in AWS down, with all that it has stored (STAGE=test)
	@CONFIRM="$(CONFIRM)" infra/setup/destroy.sh

doctor: ## what this machine lacks of what the verbs need, and the command that adds it
	@infra/setup/doctor.sh

tools: toolchain redis python ## get what the other verbs need: Redis or Valkey, Python tools, cargo-deny
	@infra/setup/deny.sh --install

clean: ## remove what was built and fetched for this clone; third-party crates stay in the shared folder
	@infra/setup/target.sh --clean
	@rm -rf .tools .local logs

toolchain:
	@infra/setup/toolchain.sh

redis: toolchain
	@infra/setup/redis.sh

python:
	@infra/setup/python.sh
