// Package members holds the member table of a node: every node it knows, alive, suspected, dead or departed.
//
// The package owns the entries, the index of names, the tombstones, the names reserved for failed nodes, and the
// digests by which two nodes compare their tables. It never sends a message, sets a timer, or decides that a
// member has failed: it says what an entry changes, and its caller acts on that.
//
// Read entry.go first, then table.go, new.go, budget.go, tombstones.go and hash.go, and for comparisons compare.go and buckets.go. base.go is
// for simulations.
package members
