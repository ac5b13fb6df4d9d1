package doctor

import (
	"encoding/binary"
	"net/netip"
)

// udpPorts returns the source and the destination port of an IP packet with UDP. It knows no IPv6 extension headers.
func udpPorts(b []byte) (source netip.AddrPort, to uint16, ok bool) {
	const protocolUDP = 17
	var addr netip.Addr
	var header int
	switch {
	case len(b) >= 20 && b[0]>>4 == 4 && b[9] == protocolUDP:
		addr, header = netip.AddrFrom4([4]byte(b[12:16])), int(b[0]&0x0f)*4
	case len(b) >= 40 && b[0]>>4 == 6 && b[6] == protocolUDP:
		addr, header = netip.AddrFrom16([16]byte(b[8:24])), 40
	default:
		return source, 0, false
	}
	if header < 20 || len(b) < header+4 {
		return source, 0, false
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[header:])), binary.BigEndian.Uint16(b[header+2:]), true
}
