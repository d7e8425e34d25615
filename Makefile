# The project's commands. `make` or `make help` lists them; each may be run again at any time.
.DEFAULT_GOAL := help
.PHONY: help demo run test test-postgresql soak chaos bench crowd scheme visibility screenshots lint audit lab-up lab-down lock

PYTHON := .venv/bin/python
LISTEN ?= 127.0.0.1:8000

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 17

demo: ## the panel with the manual's three servers on this machine (root; Ctrl-C stops everything)
	@scripts/prepare.sh demo
	@# A folder of its own: `make run` in this checkout is another panel, for real servers.
	@VNETPANEL_VAR="$${VNETPANEL_VAR:-var/demo}" exec $(PYTHON) manage.py up --lab --listen $(LISTEN)

run: ## the panel without the lab, for real servers (LISTEN=address:port)
	@scripts/prepare.sh run
	@exec $(PYTHON) manage.py up --listen $(LISTEN)

test: ## all tests; those that need root, the lab or Chromium are skipped where these are missing
	@scripts/prepare.sh test
	@# Two of the three wait for the lab more than they compute; the others' share is two processors' work.
	@exec $(PYTHON) -m pytest -n 3 --dist loadgroup $(ARGS)

test-postgresql: ## the tests of the database's part, on a private PostgreSQL
	@scripts/prepare.sh test
	@VNP_TEST_DATABASE=postgresql exec $(PYTHON) -m pytest -n 2 --dist loadgroup -m "not lab and not browser and not netns" \
		tests/networks tests/nodes tests/pages tests/trust tests/domain/test_state.py $(ARGS)

soak: ## the long loops: 200 confirmations against the deadline, 20 moves of a NIC, random faults (root; half an hour)
	@scripts/prepare.sh test
	@VNP_TEST_CONFIRMS=200 VNP_TEST_MOVES=10 VNP_TEST_LAB_MOVES=20 VNP_TEST_RANDOM=40 \
		$(PYTHON) -m pytest -s -p no:randomly tests/host -k "against or open_connection or again_and_again or random" --timeout 3000 $(ARGS)

screenshots: ## the pictures of docs/ anew (needs Chromium)
	@scripts/prepare.sh test
	@$(PYTHON) scripts/screenshots.py

chaos: ## N=60 changes under random faults on the lab, an oracle after each (root; SEED=1 draws those runs again)
	@scripts/prepare.sh test
	@exec $(PYTHON) -m chaos --runs $(or $(N),60) $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: ## the panel beside Ansible, ssh and paramiko, and its pages (root; QUICK=1: under three minutes)
	@scripts/prepare.sh bench
	@exec $(PYTHON) -m bench $(if $(QUICK),--quick) $(ARGS)

crowd: ## 200 users reading pages while 20 Changes are applied at once (root; two minutes)
	@scripts/prepare.sh bench
	@exec $(PYTHON) -m bench.crowd $(ARGS)

scheme: ## builds the manual's networks on the lab, measures, compares cell by cell with the manual (root)
	@scripts/prepare.sh test
	@exec $(PYTHON) -m proof scheme

visibility: ## N random topologies on the lab, predicted against measured (root; N=30 SEED=…)
	@scripts/prepare.sh test
	@exec $(PYTHON) -m proof visibility $(or $(N),30) $(SEED)

lint: ## formatting, types, the arrows between packages, shell scripts, migrations, deployment checks
	@scripts/prepare.sh lint
	@exec scripts/lint.sh

audit: ## known faults of the locked packages; advice only, needs the internet and pip-audit
	@scripts/audit.sh

lab-up: ## boot the lab's servers and leave them running (root)
	@scripts/prepare.sh demo
	@exec $(PYTHON) manage.py lab up

lab-down: ## stop the lab's servers and remove what they left
	@scripts/prepare.sh demo
	@exec $(PYTHON) manage.py lab down

lock: ## write requirements/*.txt anew from pyproject.toml (needs uv)
	@scripts/lock.sh
