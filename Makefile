# Everything is built optimised: numerics in a debug build are a hundred times slower.
SWIFT ?= swift
PREFIX ?= $(HOME)/.local
# In a terminal the compiler would be told to write in colour, elsewhere not: with other options all is compiled anew.
BUILD := $(SWIFT) build -c release --no-color-diagnostics

.DEFAULT_GOAL := help
.PHONY: help setup setup-mpi setup-arm test-arm test-machines test-debian test-reproducible soak build chat serve lint format test tiny-family smollm2-family results results-smollm2 test-peers bench-ui bench-methods bench-peers bench-large-family bench-machines test-mpi-network fuzz fuzz-seeds sanitize crashes sbom pictures install clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: ## install the libraries that are missing (Debian, Ubuntu)
	@SWIFT="$(SWIFT)" ./scripts/setup.sh

setup-mpi: ## install Open MPI, for training on many machines (Debian, Ubuntu)
	@./scripts/setup-mpi.sh

setup-arm: ## install a C compiler for AArch64 and an emulator, for make test-arm (Debian, Ubuntu)
	@./scripts/setup-arm.sh

build: setup ## build everything, optimised
	$(BUILD)

chat: setup ## build, download the default family's model (93 MB, once; not without a network), and chat
	$(BUILD) --product stitch
	@./scripts/pull-model.sh .build/release/stitch
	@.build/release/stitch chat

serve: setup ## build the server, download the default family's model (93 MB, once), and serve OpenAI's API
	$(BUILD) --product stitch
	$(BUILD) --product stitch-serve
	@./scripts/pull-model.sh .build/release/stitch
	@.build/release/stitch serve

lint: ## check formatting and the rules of CONTRIBUTING.md
	@SWIFT="$(SWIFT)" ./scripts/lint.sh

format: ## format all Swift sources
	$(SWIFT) format format --in-place --parallel --recursive Sources Tests Tools Package.swift

test: setup lint ## lint, build and run all tests, the kernels under the undefined behaviour sanitizer too
	@SWIFT="$(SWIFT)" ./scripts/kernel-check.sh undefined
	$(BUILD) --build-tests
	$(SWIFT) test -c release --skip-build --no-color-diagnostics

tiny-family: setup ## make the default family from nothing (hours; resumable)
	$(BUILD)
	./scripts/tiny-family.sh

smollm2-family: setup ## make the default family's healing, weights/smollm2, from nothing (hours; resumable)
	$(BUILD) --product stitch
	./scripts/smollm2-family.sh

results: setup ## run the study of docs/protocol.md and write docs/results.md (three quarters of an hour; resumable)
	$(BUILD) --product stitch
	$(BUILD) --product esta-study
	.build/release/esta-study Benchmarks/study.yaml --output docs

results-smollm2: setup ## run the study of docs/protocol-smollm2.md and write docs/results-smollm2.md (an hour; resumable)
	$(BUILD) --product stitch
	./scripts/smollm2-family.sh base
	./scripts/smollm2-results.py

test-peers: setup ## check the server with OpenAI's client, others and Chromium; formats, tokenizers, chat templates, gradients and a real model with transformers, PEFT and llama.cpp
	$(BUILD) --product stitch
	$(BUILD) --product tiny-corpus
	$(BUILD) --product stitch-serve
	python3 Benchmarks/openai_peer.py
	python3 Benchmarks/clients_peer.py
	python3 Benchmarks/embeddings_peer.py
	python3 Benchmarks/page_peer.py
	python3 Benchmarks/forms_peer.py
	python3 Benchmarks/interop.py
	"$$(Benchmarks/peers/setup.sh)" Tests/LLaMAStitchTests/Fixtures/make_side_gradients.py --check
	python3 Benchmarks/real_model.py
	python3 Benchmarks/templates_peer.py
	python3 Benchmarks/tokenizers_peer.py

test-mpi-network: setup setup-mpi ## train over a slow network that loses packets, between network namespaces (root; a minute)
	$(BUILD) --product stitch
	./scripts/mpi-network.sh .build/release/stitch

test-arm: setup setup-arm ## check the kernels on emulated processors: AArch64, and x86-64 without AVX (two minutes)
	@SWIFT="$(SWIFT)" ./scripts/kernel-check.sh

test-machines: setup ## run on other machines than this one: few cores, limits of containers, every instruction set (root for some; a minute)
	$(BUILD) --product stitch
	python3 scripts/odd-machines.py

test-debian: setup ## set up in a bare Debian 12 and 13, build there without a network, and ask something (root; half an hour)
	./scripts/debian-check.sh bookworm
	./scripts/debian-check.sh trixie

test-reproducible: setup ## build stitch twice from clean clones and compare the programs (half an hour)
	@SWIFT="$(SWIFT)" ./scripts/reproducible.sh

soak: setup ## chat for eight hours (or HOURS) beside training, and say whether memory and descriptors stay as they are
	$(BUILD) --product stitch
	python3 Benchmarks/soak.py --hours "$(or $(HOURS),8)"

fuzz: setup ## fuzz every reader for TIME seconds together (an hour), TARGETS alone if named; writes docs/reliability.md
	STITCH_FUZZ=1 $(BUILD) --scratch-path .build/fuzz --sanitize fuzzer -Xswiftc -sanitize=fuzzer,address \
	  -Xcc -fsanitize=address --disable-dead-strip --product stitch-fuzz
	python3 scripts/fuzz.py --program .build/fuzz/release/stitch-fuzz --time $(or $(TIME),3600) $(TARGETS); \
	  status=$$?; python3 scripts/reliability.py; exit $$status

fuzz-seeds: ## write the seeds of the fuzzers' corpus and their dictionaries anew
	python3 scripts/fuzz-seeds.py

sanitize: setup ## build and run the tests under a sanitizer: KIND=undefined (of the C, with address), address or thread; all, hours
	SWIFT="$(SWIFT)" ./scripts/sanitize.sh $(or $(KIND),undefined address thread)

crashes: setup ## kill commands and fail their calls, N times for each kind (1000: hours); writes docs/reliability.md
	$(BUILD) --product stitch
	$(BUILD) --product stitch-serve
	python3 Tests/Crashes/crashes.py --runs $(or $(N),1000) --output docs/measurements/crashes.json; \
	  status=$$?; python3 scripts/reliability.py; exit $$status

sbom: setup ## write stitch.spdx.json: every dependency with its version and licence
	$(SWIFT) package resolve
	SWIFT="$(SWIFT)" python3 scripts/sbom.py --output stitch.spdx.json

bench-machines: setup setup-mpi ## measure two processes beside two threads, and write docs/many-machines.md (ten minutes)
	$(BUILD) --product stitch
	python3 Benchmarks/bench_machines.py

bench-ui: setup ## measure the terminal UI: first screen, keystrokes, bytes, idling, memory (a few minutes)
	$(BUILD) --product stitch
	python3 Benchmarks/bench_ui.py

bench-peers: setup ## compare speed and memory with llama.cpp, PyTorch, transformers and PEFT, and write the tables (two hours, 27 GB of disk)
	$(BUILD) --product stitch
	python3 Benchmarks/bench_peers.py

bench-methods: setup ## compare the ways to teach a family on a lesson, and write the table of docs/lessons.md (a quarter of an hour)
	$(BUILD) --product stitch
	python3 Benchmarks/methods.py

bench-large-family: setup ## build a family of a 7B and a 13B with random weights (65 GB of disk below WORK, an hour)
	$(BUILD) --product stitch
	.build/release/stitch bench --suite large-family --work "$(or $(WORK),.)"

pictures: setup ## play examples/*.yaml in tmux and draw docs/*.svg from what they show
	$(BUILD) --product stitch
	./scripts/pictures.sh

install: setup ## install stitch, the default families, man pages and completions below PREFIX (~/.local)
	$(BUILD) --product stitch
	install -d "$(PREFIX)/bin" "$(PREFIX)/lib/stitch/weights"
	install .build/release/stitch "$(PREFIX)/lib/stitch/stitch"
	if [ -x .build/release/stitch-serve ]; then install .build/release/stitch-serve "$(PREFIX)/lib/stitch/stitch-serve"; fi
	for part in smollm2 tiny lessons; do \
	  if [ -d "weights/$$part" ]; then cp -R "weights/$$part" "$(PREFIX)/lib/stitch/weights/"; fi; \
	done
	ln -sf ../lib/stitch/stitch "$(PREFIX)/bin/stitch"
	python3 scripts/manual.py .build/release/stitch "$(PREFIX)/share/man/man1"
	install -d "$(PREFIX)/share/bash-completion/completions" "$(PREFIX)/share/zsh/site-functions" \
	  "$(PREFIX)/share/fish/vendor_completions.d"
	.build/release/stitch --generate-completion-script bash >"$(PREFIX)/share/bash-completion/completions/stitch"
	.build/release/stitch --generate-completion-script zsh >"$(PREFIX)/share/zsh/site-functions/_stitch"
	.build/release/stitch --generate-completion-script fish >"$(PREFIX)/share/fish/vendor_completions.d/stitch.fish"

clean: ## remove what was built
	$(SWIFT) package clean
