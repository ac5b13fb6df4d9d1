package handshake

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"net/netip"
	"time"
)

// The extension block stands at the start of the message of every Hmac that a Go node emits
// (PROTOCOL.md 4, "Extension block"). To a legacy node it is part of a random message.
//
//	 0  8  magic "gwyh-ext"        8  1  version = 1      9  1  role: 1 Hello, 2 Ohai     10  2  length of the block with its tail
//	12  4  capabilities (bits)    16  8  incarnation     24  4  largest datagram taken   28  4  heartbeat interval, ms
//	32 32  binding                64  .. tail of TLVs (u8 type, u16 length): 1 name, 2 advertised address, 3 versions,
//	                                4 cookie, of a Hello
const (
	blockMagic   = "gwyh-ext"
	blockVersion = 1
	blockHeader  = 64

	messageMin = 69 // bytes; the shortest message that gwyh 0.1 emits
	messageMax = 96 // bytes; the longest padded one, unless the tail needs more
	nameMax    = 64 // bytes; a longer name is left out
	tlvName    = 1
	tlvAddr    = 2
	tlvVersion = 3
	tlvCookie  = 4
)

// A role says which packet a block is for, so that none serves as the other.
type role uint8

const (
	roleHello role = 1
	roleOhai  role = 2
)

// A Block is what a node says of itself in the extension block. Durations and sizes are as the
// peer declares them; the user of a session bounds them.
type Block struct {
	Capabilities uint32
	Incarnation  uint64
	MaxDatagram  uint32        // bytes; the largest datagram the node takes
	Heartbeat    time.Duration // whole milliseconds on the wire
	Name         string        // left out above 64 bytes
	Advertise    netip.AddrPort
	HasVersions  bool
	Versions     [6]byte // of the protocols, as in the alive entry; zero unless HasVersions
	cookie       cookie  // left out when zero
}

// append appends the block with a zero binding, which setBinding fills in.
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
	return b
}

// milliseconds of d, at least 0 and at most what the field holds.
func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(d.Milliseconds(), 0), math.MaxUint32))
}

func setBinding(block []byte, sum *binding) { copy(block[32:blockHeader], sum[:]) }

// pad makes a message of the block: random bytes fill it to a random length from 69 to 96, unless
// the block alone is longer.
func pad(block []byte, rand io.Reader) []byte {
	size := len(block)
	if low := max(size, messageMin); low < messageMax {
		size = low + int(random64(rand)%uint64(messageMax-low+1))
	}
	m := make([]byte, max(size, messageMin))
	fill(rand, m[copy(m, block):])
	return m
}

// hasBlock reports whether a message claims to start with a block.
func hasBlock(message []byte) bool { return bytes.HasPrefix(message, []byte(blockMagic)) }

// parseBlock splits the block off a message that has one and reads it. block aliases the message.
// A version above 1 reads as 1, so that later versions can add to the tail; version 0 is refused.
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

// parseTail reads the TLVs. Unknown types are skipped; of a type that comes twice the last counts;
// one that runs past the tail makes the block bad.
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

// parseTLV takes a value of the known form; one of another form is as if it were left out.
func (k *Block) parseTLV(kind byte, value []byte) {
	switch {
	case kind == tlvName && len(value) <= nameMax:
		k.Name = string(value)
	case kind == tlvAddr && (len(value) == 6 || len(value) == 18):
		ip, _ := netip.AddrFromSlice(value[:len(value)-2])
		k.Advertise = netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(value[len(value)-2:]))
	case kind == tlvVersion && len(value) == len(k.Versions):
		k.HasVersions, k.Versions = true, [6]byte(value)
	}
}

// cookieOf is the cookie in a message's extension block. It is zero if there is none.
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
