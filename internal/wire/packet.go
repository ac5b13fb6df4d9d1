package wire

import "slices"

// PacketKind distinguishes the two kinds of packets.
type PacketKind uint8

const (
	// PacketHandshake carries a step of a handshake, unencrypted.
	PacketHandshake PacketKind = iota
	// PacketBox carries sealed messages.
	PacketBox
)

// A Packet is one packet of a datagram (PROTOCOL.md W1):
//
//	Packet = [s uint32, id bin(16), {"H": Handshake} | {"B": [Box, nonce bin(24)]}]
//	Box    = [nil, tag bin(16), data ARRAY or bin]
type Packet struct {
	Seq       uint32 // number of the packet to its address, from 1; of a bound box the low half of its packet number
	Sender    NodeID // not authenticated by the packet alone
	Kind      PacketKind
	Handshake []byte // the encoded Handshake; aliases the input
	Rest      []byte // what follows the packet in the datagram; see NextPacket
	Box       Box
}

// A Box is a NaCl box.
type Box struct {
	Nonce    [24]byte
	Tag      [16]byte
	Data     []byte   // the ciphertext without its tag; aliases the input
	Encoding Encoding // the encoding of Data
}

var (
	packetFields = fields{names: []string{"s", "id", "body"}}
	boxFields    = fields{names: []string{"ephemeral_pk", "tag", "data"}, optional: 1 << 0}
)

// The bounds of a datagram with several packets to a Go node (PROTOCOL.md W10).
const (
	PackedMax  = 1200 // bytes
	PacketsMax = 8
)

// ParsePacket parses one packet without allocating. It overwrites all fields of p, and parts of b, because an ARRAY
// is decoded in place. Bytes after the packet are ignored. After an error p is undefined.
func ParsePacket(p *Packet, b []byte) error {
	err := NextPacket(p, b)
	if p.Rest = nil; err != nil || p.Kind != PacketHandshake {
		return err
	}
	c := cursor{b: p.Handshake}
	p.Handshake = c.raw()
	return c.err
}

// NextPacket is ParsePacket, but sets p.Rest to the bytes after the packet: a datagram between Go nodes may have several.
// It does not look for the end of a Handshake, so a long packet that is refused costs as little as a short one. Then
// p.Handshake has all bytes up to the end of b, and Packet.ParseHandshake moves those that follow to p.Rest.
func NextPacket(p *Packet, b []byte) error {
	if p.parseGoBox(b) {
		return nil
	}
	return p.parse(b)
}

// parse reads every form of a packet.
func (p *Packet) parse(b []byte) error {
	*p = Packet{}
	c := cursor{b: b}
	r := c.record(&packetFields)
	for f := r.next(&c); f >= 0; f = r.next(&c) {
		switch f {
		case 0:
			p.Seq = uint32(c.uint(1<<32 - 1))
		case 1:
			c.uuid((*[16]byte)(&p.Sender))
		case 2:
			c.packetBody(p, r.left > 0)
		}
	}
	p.Rest = c.rest()
	return c.err
}

// boxHead is the encoding between sender and tag.
const boxHead = "\x81\xa1B\x92\x93\xc0\xc4\x10"

// parseGoBox parses only the form that ReserveBox writes, which nearly all packets have, and is much faster than
// parse. For any other form it reports false and leaves b unchanged, but may modify p.
func (p *Packet) parseGoBox(b []byte) (ok bool) {
	c := cursor{b: b}
	if c.byte() != tagFixArray|3 {
		return false
	}
	p.Seq = uint32(c.uint(1<<32 - 1))
	h := c.take(18 + uint64(len(boxHead)) + 16)
	if !beginsBin(h, 16) || string(h[18:26]) != boxHead {
		return false
	}
	p.Sender, p.Kind, p.Handshake = NodeID(h[2:18]), PacketBox, nil
	p.Box.Tag, p.Box.Data, p.Box.Encoding = [16]byte(h[26:42]), c.bin(), Bin
	n := c.take(26)
	if !beginsBin(n, 24) {
		return false
	}
	p.Box.Nonce = [24]byte(n[2:])
	p.Rest = c.rest()
	return true
}

// beginsBin reports whether b begins with the head of a bin 8 of the given size.
func beginsBin(b []byte, size byte) bool { return len(b) > 1 && b[0] == tagBin8 && b[1] == size }

// packetBody reads the body of a packet. more says whether another field follows, which only a map can have.
func (c *cursor) packetBody(p *Packet, more bool) {
	name, hasValue := c.variant()
	switch {
	case hasValue && string(name) == "B":
		p.Kind = PacketBox
		if n := c.arrayLen(); c.err == nil && n != 2 {
			c.fail(ErrMalformed)
		}
		c.box(&p.Box)
		c.exact(p.Box.Nonce[:])
	case hasValue && string(name) == "H":
		p.Kind = PacketHandshake
		if p.Handshake = c.rest(); more {
			p.Handshake = c.raw()
		} else {
			c.i = len(c.b)
		}
	default:
		c.fail(ErrMalformed)
	}
}

func (c *cursor) box(x *Box) {
	r := c.record(&boxFields)
	for f := r.next(c); f >= 0; f = r.next(c) {
		switch f {
		case 0:
			if !c.isNil() { // the key of a sealed box, which gwyh 0.1 reads and ignores
				var pk [32]byte
				c.exact(pk[:])
			}
		case 1:
			c.exact(x.Tag[:])
		case 2:
			x.Data, x.Encoding = c.data()
		}
	}
}

// BoxOverhead is the maximum number of bytes that ReserveBox adds to a plaintext that fits in a datagram.
const BoxOverhead = 1 + 5 + 18 + 3 + 1 + 2 + 18 + 3 + 26

// BoxSize returns the maximum number of bytes that ReserveBox appends for n bytes of ciphertext. A seq below 1<<16
// takes 2 to 4 bytes less.
func BoxSize(n int) int { return BoxOverhead - 3 + binHeadSize(n) + n }

// BoxSpare returns by how many bytes a packet with this seq is shorter than BoxOverhead assumes.
func BoxSpare(seq uint32) int { return 5 - uintSize(uint64(seq)) }

// ReserveBox appends a whole packet, in the form between Go nodes, with room for n bytes of ciphertext. The caller
// seals into tag (16 bytes) and data (n bytes), which alias packet and are not initialized.
func ReserveBox(b []byte, seq uint32, sender NodeID, nonce *[24]byte, n int) (packet, tag, data []byte) {
	b = slices.Grow(b, BoxSize(n))
	b = appendPacketHead(b, seq, &sender)
	b = append(b, boxHead...)
	t := len(b)
	b = appendBinHead(b[:t+16], n)
	d := len(b)
	b = append(b[:d+n], tagBin8, 24)
	b = append(b, nonce[:]...)
	return b, b[t : t+16 : t+16], b[d : d+n : d+n]
}

// AppendBoxArrays appends a packet with a sealed box in the only form that gwyh 0.1 sends, in which half of the
// bytes of data take two bytes.
func AppendBoxArrays(b []byte, seq uint32, sender NodeID, nonce *[24]byte, tag *[16]byte, data []byte) []byte {
	b = appendPacketHead(b, seq, &sender)
	b = append(b, boxHead...)
	b = append(b, tag[:]...)
	b = appendBytes(b, Arrays, data)
	b = append(b, tagBin8, 24)
	return append(b, nonce[:]...)
}

func appendPacketHead(b []byte, seq uint32, sender *NodeID) []byte {
	return appendUUID(appendUint(append(b, tagFixArray|3), uint64(seq)), (*[16]byte)(sender))
}
