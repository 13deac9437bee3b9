# The two commands: make run, make test. `make help` lists the rest.
GO ?= go
BIN = bin/weir
export CGO_ENABLED = 1

.PHONY: help run build test check lint fuzz bench regress regress-mysql leaks servers clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

run: build ## throw-away databases, weir in front of them, three people to try
	@deploy/install.sh server mariadb
	@$(BIN) demo

build: ## build bin/weir
	@deploy/install.sh build
	@$(GO) build -trimpath -o $(BIN) ./cmd/weir

servers: ## install what the tests need
	@deploy/install.sh build server server18 mariadb clients identity promtool

test: servers build ## everything that must pass; installs what it needs
	$(GO) vet ./...
	$(GO) test -p 1 -timeout 20m ./...
	$(BIN) demo --check

check: lint ## the quick loop, without servers: format, vet, lint, import rules, race tests
	@deploy/install.sh build promtool
	$(GO) test -race -skip '^TestLive' ./...

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

FUZZTIME ?= 30s

fuzz: ## run every fuzz target for FUZZTIME (30s) each
	@for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    echo "== $$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
	  done; \
	done

bench: build ## compare with a direct connection, HAProxy and PgBouncer; prints ratios
	@deploy/install.sh server mariadb peers
	$(GO) run ./bench

regress: build ## other projects' suites, direct and through weir; prints both counts
	@deploy/install.sh server
	$(GO) run ./bench/regress

regress-mysql: build ## the same for MariaDB: the Go driver's suite, and the server's own as text and prepared
	@deploy/install.sh mariadb mariadb-suite
	$(GO) run ./bench/regress -only driver,main,main-ps -timeout 60m

leaks: build ## what gets past the masks, and what everyday work is refused; SERVERS, and SEED, STATEMENTS for what is made up
	@deploy/install.sh server server18 mariadb
	$(GO) run ./bench/leaks -weir $(BIN) -server $(SERVERS) -cache .cache/leaks.json -seed $(SEED) -random $(STATEMENTS)

SERVERS ?= 15,18,mariadb
SEED ?= 1
STATEMENTS ?= 2000

clean: ## remove what was built and cached
	rm -rf bin .cache
