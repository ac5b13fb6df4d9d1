// Package legacy decides how a Go node treats nodes of gwyh 0.1 (docs/PROTOCOL.md, part 3). Such a node is a member that cannot
// state its own incarnation, so the Go nodes that hear it vouch for it.
//
// The package owns the state of each gwyh 0.1 peer, the queries among Go nodes about whether such a peer is alive, the checks of
// peers that are reported down, the addresses that gwyh 0.1 nodes have named, and the work scheduled for later about all of
// these. It never opens or seals a packet, chooses Go members, or adds or removes a member: a [Gateway] takes messages and the
// time, and appends [Outcome] values on which its caller acts in order. The only change that it makes in the member table is the
// incarnation of a gwyh 0.1 member. The table and the [Node] are arguments.
//
// Read peer.go first, then gateway.go and outcome.go; these use no other file. contact.go follows a peer from its handshake to
// its loss, member.go handles what Go nodes report about gwyh 0.1 members, question.go and check.go test whether a member lives,
// status.go and search.go handle what gwyh 0.1 nodes report about each other, choice.go decides which Go nodes subscribe to them,
// and vouch.go declares members dead or alive. message.go routes messages of a peer, timeout.go runs scheduled work.
package legacy
