// Package compat holds one suite of behavioural cases that runs against gwyh and, with the build tag
// memberlist, against hashicorp/memberlist v0.6: what programs rely on is proven by the original, not
// by our reading of it. Where the two differ by design a case has an expectation for each, under a
// number that docs/MIGRATING.md lists with the reason.
//
//	go test ./...
//	go test -tags memberlist ./...
//
// It is a module of its own, so that the library does not depend on memberlist.
package compat
