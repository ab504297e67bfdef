SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo build check test bench needs

# The race detector makes everything several times slower, so the whole program and the storms
# (tests named TestStorm…) run on plain binaries; everything else is raced.
PLAIN_PACKAGES := ./internal/acceptance/...
# Rows in one process run on embedded parts, then on real ones. What has an underscore in its name, and
# row 46, brings its own and runs once; what needs two processes over one database runs on real parts
# alone. Rows mostly wait: six at a time.
OWN_PARTS := ^Test[^/]*_|^TestOwner$$/^46_
REAL_PARTS := ^TestInvoice$$/^33_once_a_month$$|^TestSchedule$$/^48_two_schedulers$$
STORM_PACKAGES = $(shell grep -rl --include='*_test.go' '^func TestStorm' cmd internal tasks templates workers dashboards 2>/dev/null | xargs -r -n1 dirname | sort -u | grep -v '^internal/acceptance' | sed 's|^|./|')
RACE_PACKAGES  = $(shell go list ./... | grep -v '/internal/acceptance')
# SQLite is C in Go's clothes: it, its libc and its allocator work on memory outside of Go's heap, where the race
# detector sees nothing. Watching them costs most of the time and finds nothing of ours; the driver, which
# takes and gives what is ours, is raced.
RACE := -race $(foreach c,sqlite/lib libc memory,-gcflags=modernc.org/$(c)=-race=false)

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

demo: ## everything in one process on loopback, with a short tour
	go run ./cmd/malgil demo

build: ## bin/malgil, static
	CGO_ENABLED=0 go build -ldflags='-s -w' -o bin/malgil ./cmd/malgil

check: ## format, vet, staticcheck, go.mod, import rules
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt -w these:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff
	go test -count=1 ./internal

test: needs ## every test, on real servers
	@status=0; { \
		go test -json $(RACE) -timeout 40m -skip '^TestStorm' $(RACE_PACKAGES) || status=1; \
		go test -json -timeout 20m -parallel 6 -skip '$(REAL_PARTS)' $(PLAIN_PACKAGES) || status=1; \
		MALGIL_TEST_PARTS=real go test -json -timeout 20m -parallel 6 -skip '$(OWN_PARTS)' $(PLAIN_PACKAGES) || status=1; \
		if [ -n "$(STORM_PACKAGES)" ]; then go test -json -timeout 20m -run '^TestStorm' $(STORM_PACKAGES) || status=1; fi; \
		exit $$status; \
	} | go run ./internal/testreport

BENCHTIME ?= 1s
bench: ## benchmarks
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

needs: # what the tests run beside Go
	@internal/testserver/install.sh
