# One virtual environment, .venv, that the targets make by themselves.
PYTHON ?= python3
BIN := .venv/bin
# Compiling modules that are never imported would take a fifth of the time and space.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
# Where it is set, each of the hundreds of processes of the tests compiles PyTorch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-cluster test-export test-inference test-web web-peers test-label-studio \
	test-x-anylabeling test-labelme web web-figures edge-tools fuzz kill-tests load-test lint release docs \
	weights report clicks video edge clean

demo: .venv/installed
	$(BIN)/picosam2 segment src/picosam2/examples/images/astronaut.jpg --point 398,427 --out demo

test: .venv/developing lint
	$(BIN)/python -m pytest

# The browser page (docs/web.md), into src/picosam2/web: needs Node 20.
web: web/node_modules/installed
	cd web && npm run build

# The page's linter, types, units against Python's vectors, and walks through it in Debian's Chromium
# (apt-get install nodejs npm chromium).
test-web: .venv/developing web
	$(BIN)/python scripts/web_vectors.py web/tests/vectors
	data=$${PICOSAM2_DATA:-../shared/data}/coco-val; if [ -d $$data ]; then \
		$(BIN)/python scripts/web_objects.py $$data web/tests/vectors; fi
	$(BIN)/python -m pytest -n 0 tests/test_web.py
	cd web && npm run lint && npm test && PYTHON=../.venv/bin/python npm run e2e

# The figures of docs/web.md, and its picture. The machine should do nothing else.
web-figures: .venv/developing web
	cd web && FIGURES=1 PYTHON=../.venv/bin/python npx playwright test e2e/figures.spec.ts

# The page beside larger networks in the same browser, on annotated photographs.
web-peers: .venv/developing web
	$(BIN)/python benchmarks/web_peers.py --data $(DATA)/coco-val --json docs/results/web_peers.json

web/node_modules/installed: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

# The environments of the tools that cannot share .venv: 4 GB, once; run it again after a stop.
edge-tools: .venv/edge
	$(BIN)/python scripts/edge_tools.py

# Every export target, for real.
test-export: edge-tools
	$(BIN)/python -m pytest -m edge -n 0 tests/test_edge.py tests/test_export.py

# Damaged input for every reader (docs/robustness.md): make fuzz FUZZ=100000
FUZZ ?= 1000
fuzz: .venv/developing
	$(BIN)/python fuzz/run.py --inputs $(FUZZ)

# kill -9 of every verb at random moments (docs/robustness.md): make kill-tests KILLS=10
KILLS ?= 10
kill-tests: .venv/developing
	$(BIN)/python kill/kill_tests.py --kills $(KILLS)

# Many clients, slow ones and broken uploads (docs/serving.md): make load-test SECONDS_OF_LOAD=1800
SECONDS_OF_LOAD ?= 30
load-test: .venv/developing
	$(BIN)/python benchmarks/serving.py --seconds $(SECONDS_OF_LOAD)

# A real Label Studio, X-AnyLabeling and Labelme, each in an environment of its own (1 GB each), with a
# picture of each (apt-get install chromium xvfb; X-AnyLabeling's Qt wants libegl1 libxcb-cursor0
# libxkbcommon-x11-0 libxcb-icccm4 libxcb-keysyms1 libxcb-image0 libxcb-render-util0 libxcb-shape0).
test-label-studio: .venv/developing e2e/env/label_studio/installed
	e2e/env/label_studio/bin/python e2e/label_studio.py $(BIN)/picosam2 docs/tools/label-studio.jpg

test-x-anylabeling: .venv/developing e2e/env/x_anylabeling/installed
	rm -rf exported/x-anylabeling
	$(BIN)/python -m picosam2.integrations.x_anylabeling exported/x-anylabeling
	$(BIN)/python e2e/x_anylabeling.py e2e/env/x_anylabeling/bin/python \
		exported/x-anylabeling/picosam2.yaml docs/tools/x-anylabeling.jpg

test-labelme: .venv/developing e2e/env/labelme/installed
	$(BIN)/python e2e/labelme_files.py e2e/env/labelme/bin/python docs/tools/labelme.jpg

e2e/env/%/installed: e2e/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-compile -r $<
	@touch $@

# What needs a Ray or torchrun: labelling, training, and the HTTP service as two replicas.
test-cluster: .venv/developing
	$(BIN)/python -m pytest -m cluster -n 0 tests/test_labelling.py tests/test_distributed.py tests/test_ray_serve.py

# The wheel and the tests of inference: make test-inference WITH="--python python3.13", or
# WITH=--lowest for the lowest versions of what it needs.
test-inference: .venv/developing
	$(BIN)/python scripts/inference_tests.py $(WITH)

lint: .venv/developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2

# The documents as pages, in site/index.html; links and anchors are checked.
docs: .venv/developing
	$(BIN)/mkdocs build

# What a release consists of, in dist/ (CONTRIBUTING.md): make release KEY=~/.ssh/id_ed25519
KEY ?=
release: .venv/developing web
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --no-isolation
	$(PYTHON) -m venv dist/env
	dist/env/bin/pip install --quiet --disable-pip-version-check --no-compile dist/*.whl
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/cyclonedx-py environment dist/env/bin/python \
		--pyproject pyproject.toml --mc-type library --output-reproducible -o dist/picosam2.cdx.json
	rm -rf dist/env
	cd web && npm sbom --package-lock-only --omit dev --sbom-format cyclonedx > ../dist/picosam2-web.cdx.json
	cd dist && sha256sum * > SHA256SUMS
	if [ -n "$(KEY)" ]; then ssh-keygen -Y sign -f $(KEY) -n picosam2 dist/SHA256SUMS; fi
	last=$$(git describe --tags --abbrev=0 2> /dev/null) || exit 0; \
		$(BIN)/griffe check picosam2 --search src --against $$last

# make weights RUN=runs/x DATA=../shared/data: export, measure and describe a run's weights.
weights: .venv/developing
	$(BIN)/python scripts/release_weights.py --run $(RUN) --data $(DATA)

# make report DATA=../shared/data: README's tables, and a page with masks in runs/report/page.
REPORT := runs/report
DATA ?= ../shared/data
EVAL := $(BIN)/picosam2 eval --weights small,small-fp32,paper --peers all --workers 2
PROTOCOLS := crop96,paper96,click,box
JITTERED := box_j05,box_j10,box_j20,box_j30
report: .venv/developing
	$(EVAL) --data $(DATA)/coco-val --protocol $(PROTOCOLS),$(JITTERED) --out $(REPORT)/coco-val
	$(EVAL) --data $(DATA)/lvis-val --protocol $(PROTOCOLS) --out $(REPORT)/lvis-val
	$(BIN)/picosam2 report $(REPORT)/coco-val $(REPORT)/lvis-val --out $(REPORT)/page
	mkdir -p docs/results
	cp $(REPORT)/page/report.json $(REPORT)/page/report.md docs/results/
	$(BIN)/python scripts/plot_predicted_iou.py $(REPORT)/coco-val docs/predicted-iou.svg
	$(BIN)/python benchmarks/prompt_steps.py --data $(DATA)/coco-val --json docs/results/prompt_steps.json
	$(BIN)/python benchmarks/box_bounds.py --data $(DATA)/coco-val --json docs/results/box_bounds.json
	$(BIN)/python scripts/fill_tables.py

# make clicks DATA=../shared/data: what several clicks do, ours and the peers' (hours).
CLICKED := $(BIN)/picosam2 eval --limit 300 --peers sam2-tiny,mobilesam --workers 2
clicks: .venv/developing
	$(CLICKED) --data $(DATA)/coco-val --protocol noc,mask_fix --out $(REPORT)/clicks
	for data in clicks-grabcut clicks-coco; do \
		$(CLICKED) --data $(DATA)/$$data --protocol noc --out $(REPORT)/$$data || exit 1; done
	$(BIN)/picosam2 report $(REPORT)/clicks $(REPORT)/clicks-grabcut $(REPORT)/clicks-coco \
		--out $(REPORT)/clicks-page
	cp $(REPORT)/clicks-page/report.json docs/results/clicks.json
	$(BIN)/python scripts/fill_tables.py

# make video DATA=../shared/data: objects followed, ours and who else follows; SAM 2, which takes
# seconds a frame, from the true first mask alone.
video: .venv/developing
	for prompt in mask click box; do \
		peers=boxed,mil; if [ $$prompt = mask ]; then peers=$$peers,sam2-tiny; fi; \
		$(BIN)/picosam2 eval --protocol video --data $(DATA)/davis-dev --prompt $$prompt \
			--peers $$peers --threads 1 --json $(REPORT)/video-$$prompt.json || exit 1; done
	$(BIN)/python scripts/video_table.py $(REPORT)/video-*.json --json docs/results/video.json
	$(BIN)/python scripts/fill_tables.py

# make edge DATA=../shared/data: every export target of both networks, verified, and the table of
# them. The machine should do nothing else.
TARGETS := onnx onnx-int8 openvino openvino-int8 litert litert-int8 executorch executorch-int8 \
	ethos-u imx500 c-array
edge: edge-tools $(TARGETS:%=exported/small/%/done) $(TARGETS:%=exported/paper/%/done)
	$(BIN)/picosam2 fit exported --json docs/results/edge.json
	$(BIN)/python scripts/fill_tables.py

FLOAT := onnx openvino litert executorch
EXPORTERS := $(wildcard src/picosam2/export/*.py src/picosam2/export/*/* src/picosam2/runtime/*.py)
define EXPORT
exported/$(1)/%/done: src/picosam2/weights/$(1)/picosam2.safetensors $(EXPORTERS)
	rm -rf $$(@D)
	$(BIN)/picosam2 export $$* --weights $(1) --out $$(@D) \
		$$(if $$(filter $(FLOAT),$$*),,--calibration $(DATA)/coco-train) --verify $(DATA)/coco-val
	@touch $$@
endef
$(foreach family,small paper,$(eval $(call EXPORT,$(family))))

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	@touch $@

.venv/edge: .venv/developing
	$(PIP) -e '.[dev,edge]'
	@touch $@

.venv/developing: .venv/installed
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps label-studio-sdk
	@touch $@

clean:
	rm -rf .venv demo dist
