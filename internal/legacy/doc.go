// Package legacy decides what a Go node does about nodes of gwyh 0.1 (docs/PROTOCOL.md, part 3). Such a node is a member that
// cannot tell its own incarnation: the Go nodes that hear it vouch for it.
//
// The package owns what a node knows about each gwyh 0.1 peer, the questions among Go nodes whether such a peer lives, the
// checks of those that are said to be down, the addresses that gwyh 0.1 nodes have named, and what is to be done later
// about all of these. It never opens or seals a packet, chooses Go members, or adds or removes a member: a [Gateway] takes
// messages and the time, and appends [Outcome] values that its caller acts on in order. It changes the member table in one
// respect: the incarnation of a gwyh 0.1 member is what it sets. The table and the [Node] are arguments.
//
// Read peer.go first, then gateway.go and outcome.go; these use no other file. contact.go follows a peer from its handshake to
// its loss, member.go has what Go nodes say about gwyh 0.1 members, question.go and check.go how a member is doubted, status.go
// and seek.go what gwyh 0.1 nodes say about each other, choice.go which Go nodes subscribe to them, and vouch.go what a node
// says about a gwyh 0.1 member itself. message.go routes what a peer sends, timeout.go does what was put off.
package legacy
