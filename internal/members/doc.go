// Package members holds the member table of a node: all nodes that it knows, alive, suspected, dead or departed.
//
// The package owns the entries, the index of names, the tombstones, the names reserved for failed nodes, and the
// digests with which two nodes compare their tables. It never sends a message, sets a timer or decides that a member
// has failed. It returns what an entry changes, and the caller acts on that.
//
// Reading order: entry.go, table.go, new.go, self.go, apply.go, contest.go, names.go, budget.go, tombstones.go, news.go,
// changes.go, rank.go, hash.go, then for comparisons compare.go and buckets.go. base.go is for simulations.
package members
