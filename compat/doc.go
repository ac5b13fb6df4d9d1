// Package compat is a suite of behavioral tests that runs against gwyh and, with the build tag memberlist, against
// hashicorp/memberlist v0.6 and v0.7. So the original itself shows what programs can rely on. Where the two differ by
// design, a test has an expectation for each, with an id that docs/MIGRATING.md explains.
//
//	go test ./...
//	go test -tags memberlist ./...
//	GOWORK=off GOFLAGS="-modfile=$PWD/v07.mod -tags=hashicorpmetrics" go test ./...
//	GOWORK=off GOFLAGS="-modfile=$PWD/v07.mod -tags=memberlist,hashicorpmetrics" go test ./...
//
// The last two use memberlist v0.7 and hashicorp/go-metrics, the only go-metrics that v0.7 supports. The flags are in
// the environment because the suite builds programs. A workspace does not allow -modfile, so GOWORK is off.
//
// The suite is a separate module, so that the library does not depend on memberlist.
package compat
