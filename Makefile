# Each target sets up what it needs in .venv. PIP_ARGS goes to pip: see "PyTorch's CPU build" in the README.
PYTHON ?= python3
PIP_ARGS ?=
ENGINE ?=
KERAS = $(if $(filter jax,$(KERAS_BACKEND)),jax,keras)
VENV := .venv
BIN := $(VENV)/bin
export PYTHONUTF8 = 1

ifneq (,$(wildcard ../shared/data/mnist))
export LATENTLAB_DATA ?= $(abspath ../shared/data)
endif

# Two processes of one thread each: files side by side, the tests of one file in order.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -rs

# The notebooks' language: NOTEBOOK_LANG=fr, else that of the system.
NOTEBOOK_LANG ?= $(if $(filter fr%,$(or $(LC_ALL),$(LC_MESSAGES),$(LANG))),fr,en)

.PHONY: help lab studio notebook notebooks wheel test test-all check bench options starters screenshots clean

help:
	@echo "make lab       train AE, VAE, GAN and VAE -> GAN on the embedded digits into runs/lab (at most 3 minutes on 2 cores)"
	@echo "make studio    the page in the browser: train, watch, explore, generate, compare, learn"
	@echo "make notebook  JupyterLab on the notebooks (NOTEBOOK_LANG=en or fr; without, the system's language)"
	@echo "make notebooks write the notebooks anew from notebooks/source and run them all (about half an hour on 2 cores)"
	@echo "make wheel     the wheel, and the one that notebooks without internet need beside it, into dist/"
	@echo "make test      the test suite (15 to 25 minutes on 2 cores)"
	@echo "make test-all  the slow proofs too (about an hour)"
	@echo "make check     lint, types and import contract (about 1 minute)"
	@echo "make bench     the programs under benchmarks/ that show speed and quality (three quarters of an hour)"
	@echo "make options   write src/latentlab/config/options.py anew, after a change of the configuration's fields"
	@echo "make starters  train the small models that come with the studio anew (about a quarter of an hour on 2 cores)"
	@echo "make screenshots  pictures of every page and state of the studio, in both languages and themes, into screenshots/ (half an hour)"
	@echo "make clean     remove .venv and caches; runs/ stays"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "latentlab needs Python 3.11 or later: make PYTHON=python3.11 …")'
	@echo "making $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing latentlab and what it needs (PyTorch is large: some minutes the first time) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing what tests and checks need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e ".[dev,studio,notebook,keras,jax,export,cluster,remote]"
	@# torch-fidelity is what our measures are compared with; of its dependencies torchvision is not needed for that.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt torch-fidelity
	@touch $@

$(VENV)/.installed-studio: $(VENV)/.installed
	@echo "installing the studio's page (Streamlit) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e ".[studio]"
	@touch $@

studio: $(VENV)/.installed-studio
	@$(BIN)/latentlab studio

$(VENV)/.installed-notebook: $(VENV)/.installed
	@echo "installing JupyterLab and what the notebooks need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e ".[notebook]"
	@touch $@

notebook: $(VENV)/.installed-notebook
	@cd notebooks/$(NOTEBOOK_LANG) && $(abspath $(BIN))/jupyter lab

notebooks: $(VENV)/.installed-notebook $(VENV)/.installed-keras
	@echo "running the notebooks of both languages: about half an hour on 2 cores …"
	@$(BIN)/python notebooks/make.py --run

# latex2mathml is what Colab and Kaggle lack of latentlab's needs.
wheel: $(BIN)/python
	@rm -rf build # where setuptools would find files again that are gone
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -c constraints.txt --wheel-dir dist . latex2mathml
	@ls dist/*.whl

# ENGINE=keras trains the four by Keras, on TensorFlow, or on JAX with KERAS_BACKEND=jax.
lab: $(VENV)/.installed $(if $(filter keras,$(ENGINE)),$(VENV)/.installed-$(KERAS))
	@echo "training AE, VAE, GAN and VAE -> GAN on real digits into runs/lab: at most 3 minutes on 2 cores …"
	@$(BIN)/latentlab lab $(if $(ENGINE),--engine $(ENGINE))

$(VENV)/.installed-keras $(VENV)/.installed-jax: $(VENV)/.installed-%: $(VENV)/.installed
	@echo "installing Keras and what it computes with (large: some minutes the first time) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e ".[$*]"
	@touch $@

test: $(VENV)/.installed-dev
	@echo "running the test suite: 15 to 25 minutes on 2 cores …"
	@$(PYTEST) -m "not slow"

test-all: $(VENV)/.installed-dev
	@echo "running all tests, the slow proofs too: about an hour on 2 cores …"
	@$(PYTEST)

check: $(VENV)/.installed-dev
	@echo "linting, checking types and the import contract: about 1 minute …"
	@$(BIN)/ruff check src tests benchmarks docs notebooks
	@$(BIN)/ruff format --check src tests benchmarks docs notebooks
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	@echo "measuring speed and quality on MNIST: about three quarters of an hour; leave the machine alone …"
	@for program in benchmarks/bench_*.py; do $(BIN)/python $$program || exit 1; done; $(BIN)/python benchmarks/summarize.py

options: $(VENV)/.installed
	@$(BIN)/python -c "from latentlab.config.parts import options_source; print(options_source(), end='')" > src/latentlab/config/options.py.new
	@mv src/latentlab/config/options.py.new src/latentlab/config/options.py

starters: $(VENV)/.installed
	@echo "training the models that come with the studio: about a quarter of an hour on 2 cores …"
	@OMP_NUM_THREADS=1 $(BIN)/python docs/starters.py

screenshots: $(VENV)/.installed-dev
	@echo "drawing every page of the studio into screenshots/: about half an hour …"
	@$(BIN)/python docs/screenshots.py screenshots

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build src/*.egg-info
