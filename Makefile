# OneGrid. `make` alone lists the targets.
#
#   make demo ARGS=--once     arguments for the demo
#   make test QUICK=1         the newcomer's path, under three minutes after the build
#   make soak SEEDS=20000 CUTS=10000   longer or shorter

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
ARGS ?=
SEEDS ?= 20000
STEPS ?= 200
CUTS ?= 10000
export QUICK

.PHONY: help demo test sdk bench verify lint docs soak size prereqs

help: ## this list / 本列表
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

prereqs: ## install or name missing software / 安装或指出缺少的软件
	@scripts/prereqs build

demo: prereqs ## play the scenarios with a server and phones / 演示：服务器与手机一起跑场景
	@echo "== build / 编译"
	@$(CARGO) build -p onegrid-server -p onegrid-demo
	@target/debug/onegrid-demo $(ARGS)

test: ## all tests, fast suites first / 全部测试，快的在前
	@scripts/prereqs build test $(if $(QUICK),,kotlin)
	@scripts/test

sdk: ## the suites of the phone SDK in Kotlin, Python and Swift / 手机 SDK 的各语言测试
	@scripts/prereqs build test kotlin
	@SDK=only scripts/test

bench: prereqs ## measure; one table, one JSON file / 性能测量
	@$(CARGO) run --release -p onegrid-tests --bin bench -- $(ARGS)

soak: prereqs ## the simulator and power cuts, long / 长时间模拟与断电测试
	@$(CARGO) run --release -p onegrid-tests --bin sim -- --seeds $(SEEDS) --steps $(STEPS) $(ARGS)
	@POWER_CUTS=$(CUTS) $(CARGO) test --workspace --test kill power::

lint: ## format, clippy, tidy, cargo-deny / 代码检查
	@scripts/prereqs build lint
	@scripts/lint

docs: ## reference pages of the code, warnings as errors / 代码参考文档
	@scripts/prereqs build
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

size: prereqs ## size of the phone library, stripped / 手机库的大小
	@scripts/size $(ARGS)

verify: ## run the acceptance checks and keep a log / 逐项验证并留日志
	@scripts/verify
