.DEFAULT_GOAL := help
.PHONY: help run rehearse rehearse-kafka test check check-api contracts lock compose-smoke bench-registration bench-mail bench-matching bench-blocking bench-schedule bench-push bench-live bench-edge bench-b2b bench-repair bench-partners

# `exec` gives the terminal's Ctrl-C, and a supervisor's SIGTERM, to Python instead of a shell.
PYTHON := exec .venv/bin/python
# Every process would otherwise compile what it imports, the libraries too: eight seconds of each start.
unexport PYTHONDONTWRITEBYTECODE
CHECKED := services shared tests scripts bench
EXAMPLE := examples/cleantech-china-2023
COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header $(ARGS)

help: ## say what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## run everything here, with its own servers (ARGS: see `python -m services --help`)
	@scripts/setup run
	@$(PYTHON) -m services $(ARGS)

rehearse: ## play the example's day on embedded servers
	@scripts/setup run
	@$(PYTHON) -m services rehearse $(EXAMPLE) $(ARGS)

rehearse-kafka: ## the same over a real Kafka
	@scripts/setup dev
	@$(PYTHON) -m services rehearse $(EXAMPLE) --log kafka $(ARGS)

test: ## check, and all tests (ARGS: pytest's)
	@scripts/setup dev
	@exec scripts/test $(ARGS)

check: ## linters, types, and who may import whom
	@scripts/setup dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy $(wildcard $(CHECKED))
	.venv/bin/lint-imports

check-api: ## ask a running installation everything that docs/openapi.json says (ARGS: schemathesis's)
	@scripts/setup dev
	@$(PYTHON) -m scripts.conformance $(ARGS)

contracts: ## write the schemas, docs/asyncapi.yaml and docs/openapi.json anew
	@scripts/setup run
	@$(PYTHON) -m scripts.contracts

lock: ## pin the requirements anew (ARGS=--upgrade for newer ones)
	@scripts/setup dev
	echo 'uv>=0.13,<0.14' | $(COMPILE) --no-annotate - -o requirements-bootstrap.txt
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) --extra embedded pyproject.toml -o requirements-embedded.txt
	$(COMPILE) --extra embedded --extra dev pyproject.toml -o requirements-dev.txt
	$(COMPILE) requirements-pretix.in -o requirements-pretix.txt

compose-smoke: ## bring the deployment up in containers, and ask it one question
	@scripts/compose-smoke $(ARGS)

bench-registration: ## registration beside pgbench (ARGS=--quick for a short look)
	@scripts/setup dev
	@$(PYTHON) -m bench.registration $(ARGS)

bench-push: ## live streams beside centrifuge and a loop in C (needs cc and go; ARGS="--streams 2000")
	@scripts/setup dev
	@$(PYTHON) -m bench.push $(ARGS)

bench-live: ## from a command to the last listener over Kafka, rebuilds of the live state, the end (ARGS="--listeners 500")
	@scripts/setup dev
	@$(PYTHON) -m bench.live $(ARGS)

bench-edge: ## what the gateway costs for each stream, with and without TLS (needs nginx and openssl)
	@scripts/setup dev
	@$(PYTHON) -m bench.edge $(ARGS)

bench-mail: ## how fast mail goes out, and how soon a stop's calendar is made (ARGS="--people 400")
	@scripts/setup dev
	@$(PYTHON) -m bench.mail $(ARGS)

bench-matching: ## how well offers and needs are matched (FILE=: graded texts of your own)
	@scripts/setup dev
	@$(PYTHON) -m bench.matching $(FILE)

bench-blocking: ## what a search for a schedule costs those who ask for something else meanwhile
	@scripts/setup dev
	@$(PYTHON) -m bench.blocking $(ARGS)

bench-schedule: ## how soon a schedule is there, and how compact it becomes, beside CP-SAT (ARGS=--quick)
	@scripts/setup dev
	@$(PYTHON) -m bench.schedule $(ARGS)

bench-b2b: ## schedules with the fewest breaks, beside the literature (DIR=: instances; ARGS=--no-peer)
	@scripts/setup dev
	@$(PYTHON) -m bench.b2b $(DIR) $(ARGS)

bench-repair: ## how fast and how well disturbed days are repaired (ARGS=--quick)
	@scripts/setup dev
	@$(PYTHON) -m bench.repair $(ARGS)

bench-partners: ## how fast partners read the feed, and are told by webhooks (ARGS=--quick)
	@scripts/setup dev
	@$(PYTHON) -m bench.partners $(ARGS)
