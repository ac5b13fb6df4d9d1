// Package antientropy compares the member tables of two nodes, so that they end up with the same members
// even if news was lost (docs/PROTOCOL.md, "Sync").
//
// Each member belongs to a bucket. A node that begins a comparison sends the hashes of its buckets in parts. The
// other node answers each part with its entries of the buckets that differ, a request for the first node's entries
// of them, and its root. Rounds follow until the roots are equal, or until further rounds change nothing. Each
// heartbeat carries a root as well, so a difference is noticed within a few of them.
//
// The package owns the state of comparisons, and the bounds on what other nodes may cause by asking. It never changes a
// member table: the entries that arrive go to package members. It sends nothing itself: it returns Outcomes.
//
// Read outcome.go first, then comparer.go (a comparison of our own), root.go (what a root causes) and answer.go (a
// comparison of another node). difference.go remembers comparisons that were in vain, budget.go bounds the answers.
package antientropy
