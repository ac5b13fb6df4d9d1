# What a change has to pass, in pieces; .ci/run runs all of it and more.

staticcheck := honnef.co/go/tools/cmd/staticcheck@v0.8.2
misspell := github.com/golangci/misspell/cmd/misspell@v0.8.0
# Runs of each fuzz target. A count, because a limit in time now and then ends a target in the middle of a run.
fuzzruns := 20000x

.PHONY: quick test race fuzz golden bench plots load junk mutants model siege release

# About a minute on two cores that do nothing else: formatting, spelling, go vet, staticcheck and the tests of the library, of
# which the large ones are smaller. Some packages and tests wait for real sockets, so four packages are tested at a time, with
# eight tests of each. "make test" tests all modules of go.work, whole.
quick:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go run $(misspell) -locale US -error $$(git ls-files '*.go' '*.md' '*.py' '*.sh' '*.html' '*.yml' '*.yaml' Makefile .ci/run)
	go vet ./...
	go run $(staticcheck) ./...
	go test -short -p 4 -parallel 8 ./...

# "work" stands for the packages of all modules of go.work, and with GOWORK=off for those of the library alone.
test:
	go test work

race:
	go test -race -shuffle=on -timeout 30m ./...

# Each fuzz target of each package, a few seconds' worth.
fuzz:
	@targets=$$(go test -list '^Fuzz' ./... | \
		awk '/^Fuzz/ { name[++n] = $$1 } /^ok/ { for (i = 1; i <= n; i++) print $$2, name[i]; n = 0 }'); \
	[ -n "$$targets" ] || { echo 'no fuzz target found'; exit 1; }; \
	echo "$$targets" | while read -r package target; do \
		echo "$$package $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(fuzzruns) -fuzzminimizetime 100x "$$package" </dev/null || exit 1; \
	done

# What 100,000 packets of junk a second leave of a node, on real sockets: it needs a machine of two cores or more that does nothing else.
junk:
	go test -v -full -run 'TestNodeThatGetsJunk' .
	go test -run '^$$' -bench 'Junk' ./internal/gossip

# Changes lines on which security depends, one after the other, and fails if the tests do not notice one. About a quarter of an hour.
mutants:
	go run ./internal/mutants

# One insider against twelve nodes, in most ways at once, for ten minutes and with five seeds. Hours; for the night.
siege:
	go test ./internal/gossip -count=1 -v -timeout 0 -run TestClusterWithstandsASiege -siege 10m -sieges 5

# All that an attacker can do with the handshake, in runs of more machines than the tests search. A few minutes; for the night.
model:
	go test ./internal/handshake -count=1 -v -run 'TestHandshakeHolds|TestModel' -model.full

# After a change that is meant to alter behavior, or that improves the structure. Look at the difference before you commit it.
golden:
	go test ./internal/gossip -run 'TestGoldenTraces|TestTranscripts' -update
	go test ./internal/house -update

# The benchmarks of the packages. bench/ compares with other libraries.
bench:
	go test -run '^$$' -bench . -benchmem ./...

# The charts of docs/PERFORMANCE.md, from what was recorded in bench/recorded; bench/README.md says how to record it.
plots:
	cd bench && go run ./cmd/gossipbench plot

# Load on real sockets at full length, as docs/PERFORMANCE.md quotes it: it needs a machine that does nothing else.
load:
	go test -v -full -timeout 30m -run 'Steady|Flood|FullQueues|LargeMessagesReach' .

# A release of the version that is the latest in CHANGELOG.md: checks, and binaries for six platforms in dist/. It publishes nothing.
# RELEASE may select steps: where vuln.go.dev cannot be reached, RELEASE="-only changelog,modules,api,build", or -vulndb with a copy of the database.
VERSION ?= $(shell sed -n 's/^## \[\([0-9.]*\)\].*/\1/p' CHANGELOG.md | head -n 1)
release:
	go run ./release -version $(VERSION) -out dist $(RELEASE)
