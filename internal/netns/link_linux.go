package netns

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h.
const vethInfoPeer = 1

// Cable connects a new interface of s with a new interface of another namespace. Both are down.
func (s *Space) Cable(name string, other *Space, otherName string) {
	s.t.Helper()
	far := linkMessage(0, 0)
	far = attribute(far, unix.IFLA_IFNAME, zeroEnded(otherName))
	far = attribute(far, unix.IFLA_NET_NS_FD, number(uint32(other.file.Fd())))
	info := attribute(nil, unix.IFLA_INFO_KIND, []byte("veth"))
	info = attribute(info, unix.IFLA_INFO_DATA, attribute(nil, vethInfoPeer, far))
	near := attribute(linkMessage(0, 0), unix.IFLA_IFNAME, zeroEnded(name))
	s.request("join "+name+" with "+otherName, unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, attribute(near, unix.IFLA_LINKINFO, info))
}

// Bridge creates a bridge of interfaces of s and brings it up. Like a switch, it silently drops frames that are
// larger than the MTU of the outgoing interface.
func (s *Space) Bridge(name string, ports ...string) {
	s.t.Helper()
	b := attribute(linkMessage(0, 0), unix.IFLA_IFNAME, zeroEnded(name))
	b = attribute(b, unix.IFLA_LINKINFO, attribute(nil, unix.IFLA_INFO_KIND, []byte("bridge")))
	s.request("make the bridge "+name, unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, b)
	for _, port := range ports {
		s.set(port, unix.IFLA_MASTER, s.index(name))
		s.Up(port)
	}
	s.Up(name)
}

// MTU sets the MTU of an interface in bytes.
func (s *Space) MTU(name string, bytes int) {
	s.t.Helper()
	s.set(name, unix.IFLA_MTU, uint32(bytes))
}

// Whole disables segmentation offload (UDP_SEGMENT) on an interface: the kernel splits a run of datagrams before it
// reaches the interface, as it does on a real network.
func (s *Space) Whole(name string) {
	s.t.Helper()
	s.set(name, unix.IFLA_GSO_MAX_SEGS, 1)
}

// Up brings an interface up.
func (s *Space) Up(name string) {
	s.t.Helper()
	s.request("bring "+name+" up", unix.RTM_NEWLINK, 0, linkMessage(s.index(name), unix.IFF_UP))
}

// Address adds an address with a prefix length to an interface.
func (s *Space) Address(name, prefix string) {
	s.t.Helper()
	s.address(name, prefix, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
}

// RemoveAddress removes an address from an interface.
func (s *Space) RemoveAddress(name, prefix string) {
	s.t.Helper()
	s.address(name, prefix, unix.RTM_DELADDR, 0)
}

// Unreachable makes s reject packets to a network: its own programs get EHOSTUNREACH, and the senders of packets
// that it forwards get the corresponding ICMP message.
func (s *Space) Unreachable(network string) {
	s.t.Helper()
	s.route(network, unix.RTN_UNREACHABLE, nil)
}

// Prohibited makes s reject packets to a network as a firewall does: with EACCES or the ICMP message for filtered.
func (s *Space) Prohibited(network string) {
	s.t.Helper()
	s.route(network, unix.RTN_PROHIBIT, nil)
}

// Blackhole makes s silently drop the packets to a network that it forwards. Its own programs get EINVAL.
func (s *Space) Blackhole(network string) {
	s.t.Helper()
	s.route(network, unix.RTN_BLACKHOLE, nil)
}

// Via makes s send packets for a network to a router.
func (s *Space) Via(network, router string) {
	s.t.Helper()
	s.route(network, unix.RTN_UNICAST, netip.MustParseAddr(router).AsSlice())
}

func (s *Space) route(network string, kind byte, gateway []byte) {
	s.t.Helper()
	p := netip.MustParsePrefix(network)
	family := byte(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	// struct rtmsg: family, lengths of destination and source, TOS, table, protocol, scope, type, flags.
	b := []byte{family, byte(p.Bits()), 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, kind}
	b = attribute(append(b, number(0)...), unix.RTA_DST, p.Masked().Addr().AsSlice())
	if gateway != nil {
		b = attribute(b, unix.RTA_GATEWAY, gateway)
	}
	s.request("route to "+network, unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, b)
}

// Forward makes s forward IPv4 packets between its interfaces.
func (s *Space) Forward() {
	s.t.Helper()
	if err := s.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) }); err != nil {
		s.t.Fatalf("forward packets: %v", err)
	}
}

func (s *Space) address(name, prefix string, kind uint16, flags uint16) {
	s.t.Helper()
	p := netip.MustParsePrefix(prefix)
	family := byte(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	// struct ifaddrmsg: family, length of the prefix, flags, scope, index. IFA_F_NODAD makes an IPv6 address usable
	// at once.
	b := []byte{family, byte(p.Bits()), unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE}
	b = append(b, number(s.index(name))...)
	b = attribute(b, unix.IFA_LOCAL, p.Addr().AsSlice())
	b = attribute(b, unix.IFA_ADDRESS, p.Addr().AsSlice())
	s.request(fmt.Sprintf("address %s of %s", prefix, name), kind, flags, b)
}

// set sets a numeric attribute of an interface.
func (s *Space) set(name string, kind uint16, to uint32) {
	s.t.Helper()
	s.request("change "+name, unix.RTM_NEWLINK, 0, attribute(linkMessage(s.index(name), 0), kind, number(to)))
}

func (s *Space) index(name string) (index uint32) {
	s.t.Helper()
	err := s.Do(func() error {
		i, err := net.InterfaceByName(name)
		if err == nil {
			index = uint32(i.Index)
		}
		return err
	})
	if err != nil {
		s.t.Fatalf("find the interface %s: %v", name, err)
	}
	return index
}
