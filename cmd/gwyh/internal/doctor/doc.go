// Package doctor finds out, from one machine, why a Join of an address on another one fails.
//
// It checks the name, the route, what answers, the handshake, the clocks, the size of datagrams, and finally a Join.
// A node that cannot verify a Hello answers nothing, so the doctor then tries likely causes: other labels, other
// notations of the keys, other times. It tells the remaining causes apart by the other machine's other answers, by
// what arrives here before the firewall, and by the log of the other node, if that is an agent whose API it may use.
//
// Reading order: report.go has the results, examine.go the order of the examination, handshake.go the handshakes,
// silence.go the causes of silence.
package doctor
