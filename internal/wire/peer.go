package wire

import "net/netip"

// A Peer describes a node to other nodes in the form of gwyh 0.1 (PROTOCOL.md part 1):
//
//	Peer = [{"V4": [[4 ints], port]} | {"V6": [[16 ints], port]}, id bin(16), zone nil|str]
//
// The scope of an IPv6 address is not encoded.
type Peer struct {
	Addr netip.AddrPort
	ID   NodeID
	Zone Zone
}

var (
	peerFields   = fields{names: []string{"addr", "id", "zone"}, optional: 1 << 2}
	peerStatuses = [...]string{"Down", "Up"}
)

// The types that go-msgpack encodes.
type (
	peerValue struct {
		Addr map[string]addrValue
		ID   []byte
		Zone *string
	}
	addrValue struct {
		IP   []uint16
		Port uint16
	}
	peerStatusValue struct {
		Peer   peerValue
		Status string
	}
)

func valueOf(p *Peer) peerValue {
	ip, family := p.Addr.Addr(), "V6"
	if ip.Is4() {
		family = "V4"
	}
	return peerValue{
		Addr: map[string]addrValue{family: {IP: integers(ip.AsSlice()), Port: p.Addr.Port()}},
		ID:   p.ID[:],
		Zone: zoneValue(p.Zone),
	}
}

// AppendPeers appends an answer to a PeerList. Every peer must have a valid address.
func AppendPeers(b []byte, id MessageID, peers []Peer) []byte {
	v := make([]peerValue, len(peers))
	for i := range peers {
		v[i] = valueOf(&peers[i])
	}
	b = appendVariant(appendMessageHead(b, &id, "PeerRequest"), "Peers")
	return appendValue(b, v)
}

// AppendPeerStatus appends a report that p is up or down. Its address must be valid.
func AppendPeerStatus(b []byte, id MessageID, p Peer, up bool) []byte {
	v := peerStatusValue{Peer: valueOf(&p), Status: peerStatuses[0]}
	if up {
		v.Status = peerStatuses[1]
	}
	b = appendVariant(appendMessageHead(b, &id, "PeerRequest"), "PeerStatus")
	return appendValue(b, v)
}

// ParsePeers parses the Data of a KindPeers. It allocates only for peers that are in the input.
func ParsePeers(data []byte) ([]Peer, error) {
	var list []Peer
	c := cursor{b: data}
	for n := c.arrayLen(); n > 0 && c.err == nil; n-- {
		if p := c.peer(); c.err == nil {
			list = append(list, p)
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	return list, nil
}

// ParsePeerStatus parses the Data of a KindPeerStatus.
func ParsePeerStatus(data []byte) (p Peer, up bool, err error) {
	c := cursor{b: data}
	if n := c.arrayLen(); c.err == nil && n != 2 {
		c.fail(ErrMalformed)
	}
	p = c.peer()
	status, hasValue := c.variant()
	up = string(status) == peerStatuses[1]
	if known := up || string(status) == peerStatuses[0]; c.err == nil && (hasValue || !known) {
		c.fail(ErrMalformed)
	}
	if c.err != nil {
		return Peer{}, false, c.err
	}
	return p, up, nil
}

func (c *cursor) peer() Peer {
	var p Peer
	r := c.record(&peerFields)
	for f := r.next(c); f >= 0; f = r.next(c) {
		switch f {
		case 0:
			p.Addr = c.addrPort()
		case 1:
			c.uuid((*[16]byte)(&p.ID))
		case 2:
			p.Zone = c.zone("")
		}
	}
	return p
}

func (c *cursor) addrPort() netip.AddrPort {
	family, hasValue := c.variant()
	is4 := string(family) == "V4"
	if known := is4 || string(family) == "V6"; c.err == nil && (!hasValue || !known) {
		c.fail(ErrMalformed)
	}
	if n := c.arrayLen(); c.err == nil && n != 2 {
		c.fail(ErrMalformed)
	}
	var b [16]byte
	if is4 {
		c.exact(b[:4])
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), uint16(c.uint(0xffff)))
	}
	c.exact(b[:])
	return netip.AddrPortFrom(netip.AddrFrom16(b), uint16(c.uint(0xffff)))
}
