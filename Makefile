# make study   set up, compute the study and render it
# make test    set up and run the tests
# make report  render the newest study again
PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
ARGS ?=

.PHONY: study test report clean

study: $(VENV)/.installed
	$(BIN)/python -m pipeline all $(ARGS)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 3 $(ARGS)

report: $(VENV)/.installed
	$(BIN)/python -m report $(ARGS)

$(VENV)/bin-made:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed; set PYTHON=...')"
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/bin-made pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

clean:
	rm -rf $(VENV) _site .quarto
