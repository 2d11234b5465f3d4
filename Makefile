# One word per chore.
PORT ?= 8000
MINUTES ?= 10
# The environment is made once and again when pyproject.toml changes.
dev = @sh scripts/environment.sh dev .venv
python = .venv/bin/python

.PHONY: help demo test check coverage chaos conformance security fuzz lint types format bench bench-quick bench-render docs pictures dist upgrade lowest clean

help:
	@echo "make demo     serve the examples, with a front page on http://127.0.0.1:$(PORT); make demo APP=chat: one alone"
	@echo "make test     install what the tests need, then lint, types, layering and every test"
	@echo "make test ARGS=...   a part of the tests, as pytest takes it; make check: what is quick"
	@echo "make coverage  every test on one Python, with branch coverage of at least 95 %"
	@echo "make chaos    what kills processes and counts messages, at full size, with its figures (minutes)"
	@echo "make conformance   the protocols case by case, then Autobahn's suite (PYTHON27=...; an hour)"
	@echo "make security   bad input, case by case: directly, and behind Debian's nginx and HAProxy"
	@echo "make fuzz     both HTTP/1.1 engines compared, then all fuzzers with new inputs (MINUTES=$(MINUTES))"
	@echo "make lint     ruff, the import contracts, and types: source and tests"
	@echo "make types    mypy, strict for the source"
	@echo "make format   let ruff rewrite what it can"
	@echo "make bench    the same work against the originals, other servers and us; into the pages (25 minutes)"
	@echo "make bench-quick   the same with fewer contenders, into benchmarks/results/quick.md (three minutes)"
	@echo "make bench-render  write the pages again from the last results"
	@echo "make docs     write docs/reference/ from the docstrings, draw docs/explanation/architecture.md, build build/site/"
	@echo "make pictures  take those of the examples anew, by their browser tests, into docs/examples/images/"
	@echo "make dist     build django-fairway and the three empty distributions into dist/"
	@echo "make upgrade  pin the newest allowed releases for the tests, and ask for known vulnerabilities"
	@echo "make lowest   a quick part of the tests with the lowest releases that are allowed"
	@echo "make clean    remove what the other words made"

demo:
	@sh scripts/environment.sh runtime .venv
	@$(python) scripts/vendor.py
	@exec $(python) examples/demo.py $(APP) --port $(PORT)

test:  # make test ARGS="tests/test_routing.py -x": only these, on one Python
ifdef ARGS
	$(dev)
	@$(python) -m pytest $(ARGS)
else
	@sh scripts/test.sh
endif

check:  # types are looked at on one processor while tests run on the other
	$(dev)
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --check .
	@.venv/bin/lint-imports >/dev/null || .venv/bin/lint-imports
	@$(python) -m mypy & types=$$!; \
	$(python) -m pytest -q -n 2 -p no:cacheprovider tests/protocols tests/test_[a-r]*.py tests/generic tests/layers/test_*.py \
		-m "not browser and not packaging" --ignore tests/generic/test_work.py --deselect tests/layers/test_loops.py \
		--ignore tests/protocols/centrifuge/test_fossil.py --ignore tests/protocols/centrifuge/test_filters.py \
		--deselect tests/test_consumer.py::test_twenty_thousand_connections_leave_nothing \
		--deselect tests/protocols/http2/hpack/test_decoder.py::test_the_same_as_another_decoder \
	&& wait $$types

coverage:
	$(dev)
	@$(python) -m pytest -q -n 4 --dist worksteal --cov --cov-branch --cov-report=term --cov-fail-under=95

chaos:
	$(dev)
	@LAYER_TESTS=full $(python) -m pytest -q -rP --timeout 1200 tests/layers/host/test_chaos.py tests/layers/redis/test_chaos.py tests/tasks/kills/test_kills.py tests/tasks/worker/test_processes.py tests/journal/test_kills.py \
		tests/layers/backends/test_connects.py tests/topics/kills tests/mqtt/kills tests/outbox/relay/test_kills.py

conformance:
	$(dev)
	@$(python) -m pytest -q tests/conformance
	@sh scripts/autobahn.sh

security:
	@sh scripts/programs.sh
	$(dev)
	@$(python) -m pytest -q tests/security tests/conformance/test_http1_rfc9112.py tests/conformance/test_http2_rfc9113.py

fuzz:
	$(dev)
	@$(python) -m tests.fuzz $(MINUTES)

lint: types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports

types:
	$(dev)
	@$(python) -m mypy

format:
	$(dev)
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

bench:
	$(dev)
	@$(python) -m benchmarks --publish
	@$(python) -m benchmarks.tasks --publish

bench-quick:
	$(dev)
	@$(python) -m benchmarks --quick --publish

bench-render:
	$(dev)
	@$(python) -m benchmarks --render

docs:
	$(dev)
	@$(python) scripts/reference.py
	@$(python) scripts/architecture.py
	@$(python) scripts/site.py

pictures:
	$(dev)
	@DOCS_PICTURES=1 $(python) -m pytest -q -m browser tests/e2e/test_chat_topics.py tests/e2e/test_notifications.py tests/e2e/test_editor.py \
		tests/e2e/test_game.py tests/e2e/test_ticker.py tests/e2e/devices/test_example.py tests/e2e/test_demo_page.py

dist:
	$(dev)
	@$(python) scripts/dist.py dist

upgrade:  # not after $(dev): it is what helps when a pin and pyproject.toml disagree
	@sh scripts/upgrade.sh

lowest:
	$(dev)
	@sh scripts/lowest.sh

clean:
	rm -rf .venv .venv-* dist build .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	rm -f examples/*/db.sqlite3*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
