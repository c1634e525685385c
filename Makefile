# Six verbs. `demo` and `test` do all their own set-up in .venv.
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export HF_HUB_DISABLE_PROGRESS_BARS := 1
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: demo demo-translate test check bench docs

# The pinned torch goes in first: a range would resolve to a build with gigabytes of CUDA libraries.
$(STAMP): pyproject.toml constraints.txt
	test -x $(PY) || python3 -m venv $(VENV)
	$(PY) -m pip install -q -c constraints.txt torch
	$(PY) -m pip install -q -c constraints.txt -e ".[train,dev]"
	touch $@

demo: $(STAMP)
	$(PY) -m benchmarks.demo

# English to French in less than a quarter of an hour.
demo-translate: $(STAMP)
	$(PY) -m benchmarks.demo translations

test: $(STAMP)
	$(PY) -m pytest -n 2

check: $(STAMP)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# The peers are installed here and nowhere else; BENCH=--quick takes under five minutes once they are.
bench: $(STAMP)
	$(PY) -m pip install -q -c constraints.txt -e ".[train,dev,bench]"
	$(PY) -m benchmarks.encode $(BENCH)
	$(PY) -m benchmarks.train $(filter --quick,$(BENCH))

docs: $(STAMP)
	$(PY) -m benchmarks.demo --picture docs/front.png
