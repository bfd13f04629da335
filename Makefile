# Everything runs in .venv, made from the locked versions. `make demo` first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
DATA := $(abspath $(or $(MLOPS_DATA),data))
DAGSTER_PORT ?= 3000
MLFLOW_PORT ?= 5000

export DAGSTER_HOME := $(DATA)/dagster
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.PHONY: demo demo-external test test-storage test-lifecycle test-jobs test-ceph test-deploy test-fev test-scale test-wheel test-pythons test-airflow test-time test-year test-chaos services vendor lint types imports pytest dev shell mlflow-ui lock schema bench clean help

help:  ## Show this help.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# uv does in seconds what takes pip a minute, from the same lock with the same hashes. Of pip's configuration it is told the
# index; where it cannot be had, or does not get there, pip does it.
UV = $(or $(shell command -v uv),$(BIN)/uv)
.venv/installed: requirements.lock pyproject.toml
	@echo "setting up .venv from requirements.lock"
	@$(PYTHON) -m venv .venv
	@command -v uv >/dev/null || $(BIN)/pip install -qq --disable-pip-version-check uv || true
	@index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null)}}; \
	by_uv() { $(UV) pip install --quiet --python .venv --no-deps $${index:+--default-index "$$index"} "$$@"; }; \
	by_pip() { $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-compile "$$@"; }; \
	set -- --require-hashes -r requirements.lock; by_uv "$$@" || by_pip "$$@" && { by_uv -e . || by_pip -e .; }
	@touch $@

demo: .venv/installed  ## Set up, run the example forecast end to end, and show what came of it.
	$(BIN)/python -m mlops_assets run nyc_departures --partition 2013-12-03...2013-12-16

EXTERNAL := $(DATA)/external
STAND_IN_PORT ?= 8765
demo-external: .venv/installed  ## The example beside an external service, which a stand-in on this machine plays.
	@mkdir -p $(EXTERNAL)/forecasts && cp mlops_assets/forecasts/nyc_departures.csv $(EXTERNAL)/forecasts
	@cat mlops_assets/forecasts/nyc_departures.yaml docs/examples/rest_service.yaml | \
	  sed 's/:8765/:$(STAND_IN_PORT)/' > $(EXTERNAL)/forecasts/nyc_departures.yaml
	@$(BIN)/python -m mlops_assets stand-in --port $(STAND_IN_PORT) & stand_in=$$!; trap 'kill $$stand_in' EXIT INT TERM; \
	export MLOPS_DATA=$(EXTERNAL) MLOPS_FORECASTS=$(EXTERNAL)/forecasts DAGSTER_HOME=$(EXTERNAL)/dagster; \
	$(BIN)/python -m mlops_assets run nyc_departures --partition 2013-12-09...2013-12-16 && \
	kill -0 $$stand_in && \
	$(BIN)/python -m mlops_assets external nyc_departures

shell: .venv/installed  ## A shell that finds mlops-assets, dagster and mlflow, as after `. .venv/bin/activate`.
	@VIRTUAL_ENV=$(CURDIR)/.venv PATH="$(CURDIR)/.venv/bin:$$PATH" exec $${SHELL:-sh}

MLFLOW = MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --workers 1 --port $(MLFLOW_PORT) \
  --backend-store-uri sqlite:///$(DATA)/mlflow/mlflow.db --default-artifact-root $(DATA)/mlflow/artifacts
answers = $(BIN)/python -c 'import socket; socket.create_connection(("127.0.0.1", $(1)), 1)' 2>/dev/null

# What MLflow prints goes to a file: it would end with a trace when it is interrupted.
dev: .venv/installed  ## Dagster's web UI and MLflow's over what `make demo` wrote; MLOPS_DATA, DAGSTER_PORT=3000, MLFLOW_PORT=5000.
	@mkdir -p $(DAGSTER_HOME) $(DATA)/mlflow && cp dagster.yaml $(DAGSTER_HOME)/dagster.yaml
	@trap 'kill $$mlflow $$told 2>/dev/null' EXIT; trap 'exit 0' INT TERM; \
	export MLOPS_DATA=$(DATA) MLOPS_DAGSTER_UI=$${MLOPS_DAGSTER_UI:-http://127.0.0.1:$(DAGSTER_PORT)}; \
	export MLOPS_MLFLOW_UI=$${MLOPS_MLFLOW_UI:-http://127.0.0.1:$(MLFLOW_PORT)}; \
	$(MLFLOW) >$(DATA)/mlflow/server.log 2>&1 & mlflow=$$!; \
	{ until $(call answers,$(DAGSTER_PORT)) && $(call answers,$(MLFLOW_PORT)); do sleep 1; \
	    kill -0 $$mlflow 2>/dev/null || { echo "MLflow has ended; its log: $(DATA)/mlflow/server.log"; exit 1; }; done; \
	  sleep 2; printf '%s\n' "" "Dagster  http://127.0.0.1:$(DAGSTER_PORT)" \
	    "MLflow   http://127.0.0.1:$(MLFLOW_PORT)/#/models?workflowType=machine_learning" "Ctrl-C ends both."; \
	} & told=$$!; \
	$(BIN)/python -m mlops_assets dev --workspace workspace.yaml --port $(DAGSTER_PORT)

mlflow-ui: .venv/installed
	@exec env $(MLFLOW)

test: lint types imports pytest  ## Set up, then check style, types and imports and run the tests.

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/pyright

imports: .venv/installed
	$(BIN)/lint-imports

test-storage: .venv/installed  ## Every kill, partition count, example and server of the storage tests (long).
	MLOPS_TEST_STORAGE=all $(BIN)/python -m pytest mlops_assets_tests/io_managers mlops_assets_tests/rounds/test_certification.py

test-ceph: .venv/installed  ## The storage contract on Ceph's S3, from Debian's packages (apt-get; outside the default run).
	{ command -v radosgw && command -v ceph-mon && command -v ceph-osd; } >/dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends radosgw ceph-mon ceph-osd >/dev/null; }
	MLOPS_TEST_CEPH=1 MLOPS_TEST_SERVICES=all $(BIN)/python -m pytest mlops_assets_tests/io_managers -k ceph

test-lifecycle: .venv/installed  ## Twenty rounds of eight promoters, and a kill before every write of a promotion.
	MLOPS_TEST_LIFECYCLE=all $(BIN)/python -m pytest mlops_assets_tests/lifecycle/test_lifecycle.py

test-jobs: .venv/installed  ## Pollers killed at every point, and 10,000 jobs while PostgreSQL and pollers are killed at random (long).
	MLOPS_TEST_JOBS=all $(BIN)/python -m pytest mlops_assets_tests/jobs

test-deploy: .venv/installed  ## A deployment's backup from the middle of a round, restored into another: all processes twice (long).
	MLOPS_TEST_DEPLOY=all OMP_NUM_THREADS=1 $(BIN)/python -m pytest mlops_assets_tests/test_backup.py

test-fev: .venv/installed  ## Our engine on made tasks of fev, which is installed beside .venv.
	test -d .services/fev || $(BIN)/python -m venv .services/fev
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > \
	  "$$(.services/fev/bin/python -c 'import site; print(site.getsitepackages()[0])')/beside.pth"
	.services/fev/bin/python -m pip install --quiet --disable-pip-version-check fev
	PYTHONPATH=$(CURDIR) MLOPS_TEST_FEV=1 HF_HUB_OFFLINE=1 .services/fev/bin/python -m pytest mlops_assets_tests/test_fev_adapter.py

test-scale: .venv/installed  ## Whole rounds on Dask, Spark (its Java from Debian's packages), Spark Connect and processes (long).
	command -v java >/dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends default-jre-headless >/dev/null; }
	test -d .services/spark || $(BIN)/python -m venv .services/spark
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > \
	  "$$(.services/spark/bin/python -c 'import site; print(site.getsitepackages()[0])')/beside.pth"
	.services/spark/bin/python -m pip install --quiet --disable-pip-version-check "pyspark[connect]==4.*"
	PYTHONPATH=$(CURDIR) MLOPS_TEST_SCALE=all OMP_NUM_THREADS=1 .services/spark/bin/python -m pytest mlops_assets_tests/scale

test-wheel: .venv/installed  ## The wheel on an empty virtual environment, with its dependencies from the package index.
	MLOPS_TEST_WHEEL=all $(BIN)/python -m pytest mlops_assets_tests/test_wheel.py

test-pythons: .venv/installed  ## A short suite on every Python from 3.10 to 3.14 that is here, and which were not; for those the lock's wheels.
	$(BIN)/python -m mlops_assets_tests.pythons

test-airflow: .venv/installed  ## docs/orchestrators under a real Airflow 3, and against its other makers' own models, installed beside .venv.
	test -d .services/orchestrators || $(BIN)/python -m venv .services/orchestrators
	.services/orchestrators/bin/python -m pip install --quiet --disable-pip-version-check \
	  "apache-airflow==3.3.*" "azure-mgmt-datafactory==10.*" "databricks-bundles==1.22.*"
	MLOPS_TEST_AIRFLOW=1 $(BIN)/python -m pytest mlops_assets_tests/test_airflow.py mlops_assets_tests/test_orchestrators.py

test-time: .venv/installed  ## Windows of partitions around every change of every zone's clocks, 1970 to 2037.
	MLOPS_TEST_TIME=all $(BIN)/python -m pytest mlops_assets_tests/catalog/test_windows.py

test-year: .venv/installed  ## Months of a made-up forecast by eight seeds: nothing is lost, and everything happens that can.
	MLOPS_TEST_YEAR=8 $(BIN)/python -m pytest mlops_assets_tests/simulation/test_reach.py mlops_assets_tests/simulation/test_life.py

SEED ?= $(shell date +%s)
test-chaos: .venv/installed  ## Real processes killed, servers away, two daemons, a spec edited: SEED says when (long).
	@echo "make test-chaos SEED=$(SEED)"
	MLOPS_TEST_CHAOS=$(SEED) $(BIN)/python -m pytest -v mlops_assets_tests/test_chaos.py

# Threads of OpenMP would wait for one another where every core has a worker already.
pytest: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Packages of npm's registry are unpacked into .services where their checksum is right.
SHA256-uplot-1.6.32 := 4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d
SHA256-axe-core-4.14.1 := e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
UPLOT := uplot-1.6.32
AXE := axe-core-4.14.1
$(UPLOT:%=.services/%) $(AXE:%=.services/%):
	mkdir -p .services && cd .services && npm pack --silent $(shell echo $(@F) | sed 's/-\([0-9.]*\)$$/@\1/') >/dev/null
	cd .services && echo "$(SHA256-$(@F))  $(@F).tgz" | sha256sum --check --quiet
	mkdir $@ && tar -xzf $@.tgz -C $@ --strip-components=1 && rm $@.tgz

VENDOR := mlops_assets/explorer/vendor
vendor: $(VENDOR)/uPlot.iife.min.js  ## Fetch the explorer's charting library, pinned by version and checksum (npm).

$(VENDOR)/uPlot.iife.min.js: | .services/$(UPLOT)
	mkdir -p $(VENDOR)
	cp $(addprefix .services/$(UPLOT)/,LICENSE dist/uPlot.min.css dist/uPlot.iife.min.js) $(VENDOR)

services: vendor .services/$(AXE)  ## Install servers, browser and checkers of the tests that want real ones (apt-get, npm); CI has them all.
	command -v chromedriver >/dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; }
	command -v mariadbd >/dev/null || { apt-get update -qq && apt-get install -y -qq mariadb-server >/dev/null; }
	test -x .services/node_modules/.bin/azurite-blob || npm install --silent --no-fund --no-audit --prefix .services azurite

lock: .venv/installed  ## Renew requirements.lock.
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --upgrade --quiet --universal --python-version 3.10 --extra test --generate-hashes \
	  --no-strip-extras --no-emit-index-url --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

schema: .venv/installed  ## Renew the JSON Schema of the spec and docs/tables.md.
	$(BIN)/python -m mlops_assets.spec > mlops_assets/forecasts/forecast.schema.json
	$(BIN)/python -c 'from mlops_assets.catalog.descriptions import to_markdown; print(to_markdown(), end="")' > docs/tables.md

bench: .venv/installed  ## Measure what the code location costs to start; the others are in benchmarks/README.md.
	$(BIN)/python benchmarks/startup.py

clean:  ## Remove what the demo and the tools have written; .venv stays.
	rm -rf data .pytest_cache .ruff_cache .hypothesis .import_linter_cache
