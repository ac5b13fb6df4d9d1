// Package joining tracks a node's contacts with other nodes: the handshakes that it begins, its Joins, and its leave.
//
// The package owns the purpose of each handshake, the progress and the deadlines of each Join, and the links that have
// not confirmed that this node leaves. It never sends anything, and it does not know members, sessions or what the
// applications decide during a Join: the caller reports when that is done.
//
// Reading order: join.go, then joins.go. dial.go and leave.go are independent.
package joining
