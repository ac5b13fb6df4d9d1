// Package antientropy compares the member tables of two nodes, so that they end up with the same members
// even if news was lost (docs/PROTOCOL.md, "Sync").
//
// Each member belongs to a bucket. A node that begins a comparison sends the hashes of its buckets in parts. The other node
// answers each part with its entries of the buckets that differ, a request for the first node's entries of these buckets, and
// its root. Rounds follow until the roots are equal, or until further rounds change nothing. Each heartbeat carries a root as
// well, so a difference is noticed within a few heartbeats.
//
// The package owns the state of comparisons, and the limits for what requests of other nodes may cause. It never changes a
// member table: the entries that arrive go to package members. It never sends: it returns Outcomes.
//
// Read outcome.go first, then comparer.go (comparisons that this node begins), root.go (the effects of a root) and answer.go
// (comparisons of other nodes). difference.go records comparisons without success, and budget.go limits the answers.
package antientropy
