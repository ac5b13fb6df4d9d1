package handshake

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
)

// The extension block is at the start of the message of every Hmac that a Go node sends (PROTOCOL.md X1).
// A legacy node treats it as part of a random message.
//
//	 0  8  magic "gwyh-ext"        8  1  version = 1      9  1  role: 1 Hello, 2 Ohai     10  2  length of the block with its tail
//	12  4  capabilities (bits)    16  8  incarnation     24  4  largest datagram taken   28  4  heartbeat interval, ms
//	32 32  binding                64  .. tail of TLVs (u8 type, u16 length): 1 name, 2 advertised address, 3 versions,
//	                                4 cookie, of a Hello; 5 claim to the node id, of an Ohai
const (
	blockMagic   = "gwyh-ext"
	blockVersion = 1
	blockHeader  = 64

	messageMin = 69 // bytes; the shortest message that gwyh 0.1 sends
	messageMax = 96 // bytes; the longest message with padding
	nameMax    = 64 // bytes; a longer name is omitted
	tlvName    = 1
	tlvAddr    = 2
	tlvVersion = 3
	tlvCookie  = 4
	tlvClaim   = 5
)

// A role is the kind of packet that a block is for, so a block of one kind is not accepted in the other.
type role uint8

const (
	roleHello role = 1
	roleOhai  role = 2
)

// A Block is what a node declares about itself in the extension block. Durations and sizes are the peer's claims,
// and the user of a session must bound them.
type Block struct {
	Capabilities uint32
	Incarnation  uint64
	MaxDatagram  uint32        // bytes; the largest datagram that the node accepts
	Heartbeat    time.Duration // encoded as whole milliseconds
	Name         string        // omitted if longer than 64 bytes
	Advertise    netip.AddrPort
	HasVersions  bool
	Versions     [6]byte      // of the protocols, as in the alive entry; zero unless HasVersions
	cookie       cookie       // omitted if zero
	claim        nodeid.Claim // omitted if zero
}

// append appends the block with a zero binding, which setBinding overwrites.
func (k *Block) append(b []byte, r role) []byte {
	start := len(b)
	b = append(b, blockMagic...)
	b = append(b, blockVersion, byte(r), 0, 0)
	b = binary.BigEndian.AppendUint32(b, k.Capabilities)
	b = binary.BigEndian.AppendUint64(b, k.Incarnation)
	b = binary.BigEndian.AppendUint32(b, k.MaxDatagram)
	b = binary.BigEndian.AppendUint32(b, milliseconds(k.Heartbeat))
	b = append(b, make([]byte, 32)...)
	b = k.appendTail(b)
	binary.BigEndian.PutUint16(b[start+10:], uint16(len(b)-start))
	return b
}

func (k *Block) appendTail(b []byte) []byte {
	if n := len(k.Name); n > 0 && n <= nameMax {
		b = append(b, tlvName, 0, byte(n))
		b = append(b, k.Name...)
	}
	if k.Advertise.IsValid() {
		ip := k.Advertise.Addr().Unmap().AsSlice()
		b = append(b, tlvAddr, 0, byte(len(ip)+2))
		b = append(b, ip...)
		b = binary.BigEndian.AppendUint16(b, k.Advertise.Port())
	}
	if k.HasVersions {
		b = append(b, tlvVersion, 0, byte(len(k.Versions)))
		b = append(b, k.Versions[:]...)
	}
	if k.cookie != (cookie{}) {
		b = append(b, tlvCookie, 0, byte(len(k.cookie)))
		b = append(b, k.cookie[:]...)
	}
	if k.claim != (nodeid.Claim{}) {
		b = append(b, tlvClaim, 0, byte(len(k.claim)))
		b = append(b, k.claim[:]...)
	}
	return b
}

// milliseconds returns d in milliseconds, limited to the range of the field.
func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(d.Milliseconds(), 0), math.MaxUint32))
}

func setBinding(block []byte, sum *binding) { copy(block[32:blockHeader], sum[:]) }

// pad returns a message that starts with the block, followed by random bytes up to a random length from 69 to 96. A
// longer block is not padded.
func pad(block []byte, rand io.Reader) []byte {
	size := len(block)
	if low := max(size, messageMin); low < messageMax {
		size = low + int(random64(rand)%uint64(messageMax-low+1))
	}
	m := make([]byte, max(size, messageMin))
	fill(rand, m[copy(m, block):])
	return m
}

// hasBlock reports whether the message starts with the magic of a block.
func hasBlock(message []byte) bool { return bytes.HasPrefix(message, []byte(blockMagic)) }

// parseBlock parses the block at the start of a message. The returned block aliases the message. A version above 1
// is read as 1, so that later versions can extend the tail. Version 0 is rejected (PROTOCOL.md I2, X4).
func parseBlock(k *Block, message []byte, r role) (block []byte, ok bool) {
	if len(message) < blockHeader || message[8] == 0 || role(message[9]) != r {
		return nil, false
	}
	n := int(binary.BigEndian.Uint16(message[10:]))
	if n < blockHeader || n > len(message) {
		return nil, false
	}
	block = message[:n]
	*k = Block{
		Capabilities: binary.BigEndian.Uint32(block[12:]),
		Incarnation:  binary.BigEndian.Uint64(block[16:]),
		MaxDatagram:  binary.BigEndian.Uint32(block[24:]),
		Heartbeat:    time.Duration(binary.BigEndian.Uint32(block[28:])) * time.Millisecond,
	}
	return block, k.parseTail(block[blockHeader:])
}

// parseTail parses the TLVs. It skips unknown types. If a type occurs twice, the last one counts. A TLV that
// extends past the end of the tail makes the block invalid (PROTOCOL.md X2).
func (k *Block) parseTail(tail []byte) bool {
	for len(tail) > 0 {
		if len(tail) < 3 {
			return false
		}
		n := int(binary.BigEndian.Uint16(tail[1:]))
		if n > len(tail)-3 {
			return false
		}
		k.parseTLV(tail[0], tail[3:3+n])
		tail = tail[3+n:]
	}
	return true
}

// parseTLV stores a value whose form matches its type, and ignores any other value.
func (k *Block) parseTLV(kind byte, value []byte) {
	switch {
	case kind == tlvName && len(value) <= nameMax:
		k.Name = string(value)
	case kind == tlvAddr && (len(value) == 6 || len(value) == 18):
		ip, _ := netip.AddrFromSlice(value[:len(value)-2])
		k.Advertise = netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(value[len(value)-2:]))
	case kind == tlvVersion && len(value) == len(k.Versions):
		k.HasVersions, k.Versions = true, [6]byte(value)
	case kind == tlvClaim && len(value) == len(k.claim):
		copy(k.claim[:], value)
	}
}

// cookieOf returns the cookie in a message's extension block, or zero if there is none.
func cookieOf(message []byte) (k cookie) {
	if len(message) < blockHeader {
		return k
	}
	end := min(int(binary.BigEndian.Uint16(message[10:])), len(message))
	for at := blockHeader; at+3 <= end; {
		n := int(binary.BigEndian.Uint16(message[at+1:]))
		if message[at] == tlvCookie && n == len(k) && at+3+n <= end {
			copy(k[:], message[at+3:])
		}
		at += 3 + n
	}
	return k
}
