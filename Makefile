# Everything is built by Go alone; a C compiler is used for the race detector of
# the tests where there is one.
DAPR_VERSION := 1.18.3
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

GO ?= go
EXE := $(shell $(GO) env GOEXE)
CC := $(shell $(GO) env CC)
RACE := $(shell command -v $(CC) >/dev/null 2>&1 && echo -race)

# In the sidecar's module, as its build is: its 1,600 packages are compiled once.
SIDECAR := cd sidecar && CGO_ENABLED=0 GOFLAGS="$$GOFLAGS -trimpath"

.PHONY: help run build todoctl daprd test faults bench lint tidy clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

run: build ## build both programs and run the whole stack
	bin/todoctl$(EXE) dev

build: todoctl daprd ## build bin/todoctl and bin/daprd

todoctl: ## build bin/todoctl
	@echo "building todoctl $(VERSION): a minute or two the first time, seconds after"
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/todoctl$(EXE) ./cmd/todoctl

daprd: bin/daprd$(EXE) ## build bin/daprd, the slim Dapr sidecar (minutes the first time)

bin/daprd$(EXE): sidecar/go.mod sidecar/go.sum $(wildcard sidecar/*.go sidecar/*/*.go) sidecar/build.sh
	@GO=$(GO) DAPR_VERSION=$(DAPR_VERSION) sh sidecar/build.sh $@

test: daprd ## run every test, with the real sidecar and Apache Kafka
	@[ -n "$(RACE)" ] || echo "no C compiler ($(CC)): the tests run without the race detector"
	GORACE="$$GORACE atexit_sleep_ms=0" TODOCTL_DAPRD=$(CURDIR)/bin/daprd$(EXE) $(GO) test $(RACE) -timeout 45m $(TESTFLAGS) ./...
	$(SIDECAR) $(GO) vet ./...

faults: daprd ## run the long fault campaigns: relay and workers (an hour)
	$(GO) test -tags failpoint ./internal/failpoint ./internal/publish
	TODOCTL_DAPRD=$(CURDIR)/bin/daprd$(EXE) $(GO) test -count=1 -timeout 0 -v ./test/faults -run Campaign -faults.long $(FAULTFLAGS)

bench: build ## measure against pgbench and others, print tables (half an hour)
	TODOCTL_DAPRD=$(CURDIR)/bin/daprd$(EXE) $(GO) run ./bench $(BENCHFLAGS)

lint: bin/golangci-lint$(EXE) ## check the style and the import rules
	bin/golangci-lint$(EXE) run ./...
	$(SIDECAR) ../bin/golangci-lint$(EXE) run -c ../.golangci.yml ./...

bin/golangci-lint$(EXE): tools/go.mod tools/go.sum
	cd tools && $(GO) build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

tidy: ## bring the module files up to date
	for m in . sidecar tools; do (cd $$m && $(GO) mod tidy) || exit 1; done

clean: ## remove what was built; the data folder .todoctl stays
	rm -rf bin
