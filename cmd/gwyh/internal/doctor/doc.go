// Package doctor finds out, from one machine, why a Join of an address on another one fails.
//
// It goes from the outside in: the name, the way there, what answers, the handshake, the clocks, how large datagrams may be, and at last
// a Join. Where a node answers nothing, because it cannot verify what it gets, the doctor tries what is likely instead: other labels, keys in
// other notations, other times. What remains is told apart by what else the machine over there answers, by what arrives here below the
// firewall, and by the log of the other node, if that is an agent whose API may be asked.
//
// To read it: report.go has what is found, examine.go the order of the examination, handshake.go the handshakes, silence.go what
// silence may mean.
package doctor
