# One virtual environment, .venv, that the targets make by themselves.
PYTHON ?= python3
BIN := .venv/bin
# Compiling modules that are never imported would take a fifth of the time and space.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

.PHONY: demo test test-export fuzz lint weights report edge clean

demo: .venv/installed
	$(BIN)/picosam2 segment src/picosam2/examples/images/astronaut.jpg --point 398,427 --out demo

test: .venv/developing lint
	$(BIN)/python -m pytest

# Every export target, for real: the tools take 8 GB and some minutes, once.
test-export: .venv/edge
	$(BIN)/python -m pytest -m edge -n 0 tests/test_edge.py

# Damaged input for every reader (docs/robustness.md): make fuzz FUZZ=100000
FUZZ ?= 1000
fuzz: .venv/developing
	$(BIN)/python fuzz/run.py --inputs $(FUZZ)

lint: .venv/developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# make weights RUN=runs/x DATA=../shared/data: export, measure and describe a run's weights.
weights: .venv/developing
	$(BIN)/python scripts/release_weights.py --run $(RUN) --data $(DATA)

# make report DATA=../shared/data: README's tables, and a page with masks in runs/report/page.
REPORT := runs/report
DATA ?= ../shared/data
EVAL := $(BIN)/picosam2 eval --weights int8,fp32 --workers 2
report: .venv/developing
	$(EVAL) --data $(DATA)/coco-val --peers all --protocol crop96,paper96,click,box --out $(REPORT)/coco-val
	$(EVAL) --data $(DATA)/lvis-val --peers all --protocol crop96,paper96,click,box --out $(REPORT)/lvis-val
	$(EVAL) --data $(DATA)/coco-val --protocol box,box_j05,box_j10,box_j20,box_j30 --out $(REPORT)/coco-val-jitter
	$(BIN)/picosam2 report $(REPORT)/coco-val $(REPORT)/lvis-val $(REPORT)/coco-val-jitter --out $(REPORT)/page
	mkdir -p docs/results
	cp $(REPORT)/page/report.json $(REPORT)/page/report.md docs/results/
	$(BIN)/python scripts/plot_predicted_iou.py $(REPORT)/coco-val docs/predicted-iou.svg
	$(BIN)/python benchmarks/prompt_steps.py --data $(DATA)/coco-val --json docs/results/prompt_steps.json
	$(BIN)/python scripts/fill_tables.py

# make edge DATA=../shared/data: every export target, verified, and README's table of them. The
# machine should do nothing else.
TARGETS := onnx onnx-int8 openvino openvino-int8 litert litert-int8 executorch executorch-int8 \
	ethos-u imx500 c-array
edge: .venv/edge $(TARGETS:%=exported/%/done)
	$(BIN)/picosam2 fit exported --json docs/results/edge.json
	$(BIN)/python scripts/fill_tables.py

EXPORTERS := $(wildcard src/picosam2/export/*.py src/picosam2/export/*/* src/picosam2/runtime/*.py)
exported/%/done: src/picosam2/weights/picosam2.safetensors $(EXPORTERS)
	rm -rf $(@D)
	$(BIN)/picosam2 export $* --out $(@D) --calibration $(DATA)/coco-train --verify $(DATA)/coco-val
	@touch $@

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	@touch $@

.venv/edge: .venv/developing
	$(PIP) -e '.[dev,edge]'
	@touch $@

.venv/developing: .venv/installed
	$(PIP) -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv demo dist
