# make quickstart   set up .venv, then the whole chain: datasets, training, evaluation, a page; minutes on two cores
# make dataset      set up .venv without the training stack and build a first dataset; half a minute
# make train        add the training stack, make a random checkpoint to try the recipes on
# make check        lint, format and types        make test    run the tests        make clean   remove .venv and runs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/$@
# one more than cores: while a test waits for a limit another one runs (on two cores 0.3 % of the time was idle)
WORKERS ?= $(shell echo $$(( $$(nproc) + 1 )))
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# a folder of wheels that pip is given is given to uv too
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.PHONY: quickstart dataset train test check clean

quickstart: $(VENV)/installed-train
	$(BIN)/codepref quickstart --out $(OUT)

dataset: $(VENV)/installed
	$(BIN)/codepref build codedpo --config builders/configs/codedpo/quickstart.yaml --out $(OUT)

train: $(VENV)/installed-train
	$(BIN)/python recipes/tiny/model.py runs/tiny

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not alone"
	$(BIN)/python -m pytest -m alone

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) runs

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "codepref needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@if command -v uv >/dev/null; then uv venv --quiet --seed --python $(PYTHON) $(VENV); else \
		$(PYTHON) -m venv $(VENV) || { echo "python3 has no venv module. On Debian: apt install python3-venv"; exit 1; }; fi

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	@if command -v uv >/dev/null; then VIRTUAL_ENV=$(VENV) uv pip install --quiet -e . -c constraints.txt; else \
		$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1" -c constraints.txt && \
		$(BIN)/python -m pip install --quiet -e . -c constraints.txt; fi
	@touch $@

$(VENV)/installed-train: $(VENV)/installed
	@if command -v uv >/dev/null; then VIRTUAL_ENV=$(VENV) uv pip install --quiet -e ".[train,tracking]" -c constraints.txt; else \
		$(BIN)/python -m pip install --quiet -e ".[train,tracking]" -c constraints.txt; fi
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@if command -v uv >/dev/null; then VIRTUAL_ENV=$(VENV) uv pip install --quiet -e ".[train,tracking,ray,s3]" --group dev -c constraints.txt; else \
		$(BIN)/python -m pip install --quiet -e ".[train,tracking,ray,s3]" --group dev -c constraints.txt; fi
	@touch $@
