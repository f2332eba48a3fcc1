# kiwi: `make pickplace` and `make test` set up everything they need. `make help` lists the rest.

SHELL := /bin/bash
ROLLOUTS ?= 5
ARGS ?=
run := scripts/with_env.sh

.DEFAULT_GOAL := help
.PHONY: help setup build pickplace test demos train eval bakeoff bags bench-executor bench-faults bench-loop bench-recording shell \
        lock clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16
	@echo
	@echo 'Variables: ROLLOUTS=5, SEED=..., ARGS="name:=value ..." (pickplace), ARGS="--flag ..." (the others), RAY=1 (bakeoff).'
	@echo 'make pickplace ARGS=--show-args lists the arguments of the closed loop.'

setup:  ## Set up: system packages, virtual environment, workspace
	@$(run) true
	@echo 'kiwi: ready'

build: setup  ## The same; rebuilds what changed in the workspace

pickplace:  ## Run the closed loop: ROLLOUTS=5 pick-and-place rollouts
	@$(run) scripts/pickplace.sh rollouts:=$(ROLLOUTS) $(if $(SEED),seed:=$(SEED)) $(ARGS)

test:  ## Run all tests
	@$(run) scripts/test.sh

demos:  ## Record demonstrations in simulation (kiwi-demos)
	@$(run) kiwi-demos $(ARGS)

train:  ## Train a head on a dataset (kiwi-train)
	@$(run) kiwi-train $(ARGS)

eval:  ## Evaluate a checkpoint in simulated time (kiwi-eval)
	@$(run) kiwi-eval $(ARGS)

bakeoff:  ## Compare action heads: train, roll out, report (kiwi-bakeoff); takes some hours on two cores
	@RAY=$(RAY) $(run) scripts/bakeoff.sh $(ARGS)

bags:  ## Recorded rollouts: ARGS="report|replay|to-dataset|info|recover|from-dataset ..." (kiwi-bags)
	@$(run) kiwi-bags $(ARGS)

bench-executor:  ## Compare executors under late, lost, doubled and reordered chunks (kiwi-bench-executor); writes docs/executor
	@$(run) kiwi-bench-executor --docs docs/executor $(ARGS)

bench-faults:  ## Make faults in the running graph, measure the stop on the servo bus (bench_faults); writes docs/executor
	@$(run) python -m kiwi_bench.nodes.bench_faults --output docs/executor $(ARGS)

bench-loop:  ## Measure how late the control loop starts on a busy machine (bench_loop), 20 minutes; writes docs/executor
	@$(run) python -m kiwi_bench.loop.command $(ARGS)

bench-recording:  ## Measure what recording costs: rollouts with and without it in turn; MB per minute, processor, jitter
	@$(run) python scripts/measure_recording.py $(ARGS)

shell:  ## A shell in kiwi's environment, for ros2-free work: python, colcon, kiwi-train ...
	@$(run) bash

lock:  ## Choose the versions of requirements/constraints.txt anew
	@scripts/lock.sh

clean:  ## Remove the built workspace; the virtual environment stays
	rm -rf build install log
