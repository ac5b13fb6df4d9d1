// Package wire appends and parses what gwyh nodes send each other: packets, handshakes and the
// messages inside a box (PROTOCOL.md 1 and 4). It keeps no state.
//
// Parsing is as lenient as gwyh 0.1 is and no more: structs may be maps, integers wide, byte strings bin or arrays.
// All input is taken for hostile. A parser is bounded by the bytes there are, whatever lengths they declare, and
// fails with ErrShort or ErrMalformed. Slices that it gives alias its input, unless its doc says otherwise.
package wire

import (
	"encoding/hex"
	"net/netip"
)

// A NodeID names one run of one node: a UUID. Go nodes draw version 8 at every Create, gwyh 0.1 nodes version 4.
type NodeID [16]byte

// A HandshakeID names one attempt at a handshake.
type HandshakeID [16]byte

// A MessageID names one message. A Go node's own are an 8-byte origin tag, random per start, and a
// big-endian counter; gwyh 0.1 draws UUIDs.
type MessageID [16]byte

// IsGo reports whether id is a UUID of version 8, which only Go nodes use.
func (id NodeID) IsGo() bool { return id[6]>>4 == 8 }

// String is the usual 8-4-4-4-12 form.
func (id NodeID) String() string { return uuidString(id) }

// String is the usual 8-4-4-4-12 form.
func (id HandshakeID) String() string { return uuidString(id) }

// String is the usual 8-4-4-4-12 form.
func (id MessageID) String() string { return uuidString(id) }

func uuidString(id [16]byte) string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], id[10:16])
	return string(b[:])
}

// Encoding selects how byte strings inside a box and its plaintext are written.
type Encoding uint8

const (
	// Arrays writes an integer per byte, the only form gwyh 0.1 emits.
	Arrays Encoding = iota
	// Bin writes MessagePack bin, the form among Go nodes.
	Bin
)

// A Zone is the optional name of a failure domain. The zero value is "none", which the wire tells
// from the empty name.
type Zone struct {
	Name  string
	Valid bool
}

// A Path is the way a datagram took: the peer's address and, where the transport tells it, which
// of our own addresses it came to, so that the answer leaves from there.
type Path struct {
	Remote netip.AddrPort
	Local  netip.Addr // invalid when unknown
}

// A Datagram is one that came, or one to send, and its way.
type Datagram struct {
	Path
	B []byte
}
