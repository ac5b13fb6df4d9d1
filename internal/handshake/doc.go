// Package handshake turns two strangers that share a pre-shared key into two ends of a session:
// PROTOCOL.md parts 1 and 3 with gwyh 0.1 nodes ("legacy"), part 4 among Go nodes ("bound").
//
// [Initiator] and [Responder] are value machines: a method works on its copy and hands back the next
// value together with the verdict, so a packet that is refused leaves nothing behind. [Endpoint]
// holds the machines of one node and keeps the economy of part 4: what is remembered, for how long,
// how much of it, and how much work a stranger may cause.
//
// The package is pure: no sockets, no clock, no goroutines, no locks. Time and randomness are
// arguments. An Endpoint calls nobody: each of its inputs appends what follows from it, as an [Outcome], to a
// buffer of the caller.
package handshake
