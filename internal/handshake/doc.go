// Package handshake implements the handshake that turns two nodes with a common pre-shared key into the two ends of
// a session: PROTOCOL.md parts 1 and 3 with gwyh 0.1 nodes ("legacy"), part 4 between Go nodes ("bound").
//
// [Initiator] and [Responder] are values. Their methods work on a copy and return the next value with the verdict,
// so a rejected packet leaves no trace. [Endpoint] owns the machines of one node and enforces the bounds of
// PROTOCOL.md E1 to E10.
//
// The package never opens a socket, reads a clock, starts a goroutine, takes a lock or calls back: time and
// randomness are arguments, and each input of an Endpoint appends its [Outcome] values to a buffer of the caller.
// Read endpoint.go first, then attempt.go and initiator.go, answering.go and responder.go, and admission.go and
// budget.go.
package handshake
