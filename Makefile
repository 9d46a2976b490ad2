# Every target sets up what it needs in .venv: nothing is installed by hand.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help sam-local torch-image bench-env build deploy demo test test-torch check models format clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.dev: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"Preheat needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}: make PYTHON=python3.12 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once, a few minutes) …"
	@$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.torch: $(VENV)/.dev
	@echo "Installing torch into $(VENV) (once) …"
	@$(PIP) --editable '.[torch]'
	@touch $@

$(VENV)/.bench: $(VENV)/.torch
	@$(PIP) --editable '.[bench]'
	@touch $@

bench-env: $(VENV)/.bench ## what `preheat bench` needs: torch, the real MiniLM, AWS's runtime client

demo: $(VENV)/.dev ## deploy to a local AWS and measure cold against warm (JSON=FILE writes the numbers)
	@$(BIN)/preheat demo $(if $(JSON),--json '$(JSON)')

test: $(VENV)/.dev ## every test that needs no torch
	@$(BIN)/python -m pytest -m 'not torch' $(ARGS)

test-torch: $(VENV)/.torch ## the tests that need torch
	@$(BIN)/python -m pytest -m torch $(ARGS)

check: $(VENV)/.dev ## types, style, arrows between parts, template
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@if test -f template.yaml; then $(BIN)/cfn-lint template.yaml && SAM_CLI_TELEMETRY=0 $(BIN)/sam validate --lint --region us-east-1; fi

# What a build is for and what the template is told must agree: both are said here once.
FOR ?= python3.13
ARCHITECTURE ?= x86_64
build: $(VENV)/.dev ## build for AWS (FOR=python3.13 ARCHITECTURE=x86_64)
	@PREHEAT_PYTHON=$(FOR:python%=%) PREHEAT_ARCHITECTURE=$(ARCHITECTURE) SAM_CLI_TELEMETRY=0 $(BIN)/sam build \
		--parameter-overrides Runtime=$(FOR) Architecture=$(ARCHITECTURE)

deploy: build ## deploy to the AWS account that the environment names (SETTINGS='Memory=3538 …')
	@SAM_CLI_TELEMETRY=0 $(BIN)/sam deploy --parameter-overrides Runtime=$(FOR) Architecture=$(ARCHITECTURE) $(SETTINGS)

torch-image: $(VENV)/.torch ## train, pack for torch and build the image of functions/recommend_torch (IMAGE=name:tag)
	@$(BIN)/preheat models --out build/onnx-packs --weights build/weights
	@$(BIN)/python -m preheat_tools.models.torch_packs --weights build/weights --out build/torch-packs
	@$(MAKE) --no-print-directory -C functions/recommend_torch package INTO=$(CURDIR)/build/torch PACKS=$(CURDIR)/build/torch-packs
	@docker build --tag $(or $(IMAGE),preheat-recommend-torch) build/torch

sam-local: $(VENV)/.dev ## every event under sam local, where there is a container engine (ARGS='--skip-pull')
	@$(BIN)/python -m preheat_tools.sam_local $(ARGS)

models: $(VENV)/.torch ## train, evaluate, export and pack the recommenders
	@$(BIN)/preheat models

format: $(VENV)/.dev ## rewrite the code in the house's format
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean: ## remove what was built and installed here
	rm -rf $(VENV) .aws-sam .preheat .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
