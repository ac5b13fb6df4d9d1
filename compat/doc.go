// Package compat holds one suite of behavioural cases that runs against gwyh and, with the build tag
// memberlist, against hashicorp/memberlist v0.6 and v0.7: what programs rely on is proven by the original,
// not by our reading of it. Where the two differ by design a case has an expectation for each, under a
// number that docs/MIGRATING.md lists with the reason.
//
//	go test ./...
//	go test -tags memberlist ./...
//	GOWORK=off GOFLAGS="-modfile=$PWD/v07.mod -tags=hashicorpmetrics" go test ./...
//	GOWORK=off GOFLAGS="-modfile=$PWD/v07.mod -tags=memberlist,hashicorpmetrics" go test ./...
//
// The last two run with memberlist v0.7 and hashicorp/go-metrics, which is the only one that it knows. The flags
// stand in the environment because the suite builds programs of its own. A workspace does not allow -modfile, so
// GOWORK is off.
//
// It is a module of its own, so that the library does not depend on memberlist.
package compat
