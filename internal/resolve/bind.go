package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	sockaddr "github.com/hashicorp/go-sockaddr"
)

// Bind returns the address that a bind address stands for. s is an IP address, empty (all addresses), or a host name. A
// host name stands for its first IPv4 address on this machine, or if there is none for its first IPv6 address, as with
// net.Listen. own reports whether an address is one of this machine's.
func Bind(ctx context.Context, s string, lookup Lookup, own func(netip.Addr) bool) (netip.Addr, error) {
	if s == "" {
		return netip.IPv4Unspecified(), nil
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		bindable := ip.IsUnspecified() || ip.IsLinkLocalUnicast()
		if why := Unreachable(ip, nil); why != "" && !bindable {
			return netip.Addr{}, fmt.Errorf("bind address %q: %s", s, why)
		}
		return ip.Unmap(), nil
	}
	if !IsHost(s) {
		return netip.Addr{}, fmt.Errorf("bind address %q is neither an IP address nor a host name", s)
	}
	found, err := lookup(ctx, "ip", s)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("bind address %q: %w", s, err)
	}
	best := netip.Addr{}
	for _, ip := range found {
		ip = ip.Unmap()
		better := !best.IsValid() || best.Is6() && ip.Is4()
		if better && own(ip) {
			best = ip
		}
	}
	if !best.IsValid() {
		return best, fmt.Errorf("bind address %q: it resolves to %v, and none of these is an address of this machine", s, found)
	}
	return best, nil
}

// Own reports whether a socket can be bound to an address, which is true for the addresses of this machine.
func Own(ip netip.Addr) bool {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// IsHost reports whether s is an IP address or has the form of a host name. A name whose last label consists of digits
// is a mistyped IPv4 address and not a host name.
func IsHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, l := range labels {
		if !isLabel(l) {
			return false
		}
	}
	return len(s) <= 254 && strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// isLabel reports whether s may be a label of a host name. RFC 1123 does not allow underscores, but names in use have
// them, for example those of Docker Compose.
func isLabel(s string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	if s == "" || len(s) > 63 {
		return false
	}
	return s[0] != '-' && strings.Trim(s, allowed) == ""
}

// BindAll returns the addresses that the bind addresses stand for on this machine, by the system's resolver. It takes
// at most 10 s.
func BindAll(bind []string) (addrs []netip.Addr, err error) {
	if len(bind) == 0 {
		return nil, errors.New("BindAddrs is empty, want at least one address")
	}
	ctx, cancel := context.WithTimeout(context.Background(), bindLookup)
	defer cancel()
	for _, s := range bind {
		a, err := Bind(ctx, s, net.DefaultResolver.LookupNetIP, Own)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// bindLookup bounds the time of looking up all host names among the bind addresses.
const bindLookup = 10 * time.Second

// Advertised returns the address at which other nodes reach a socket bound to bound: bound itself, or if it is
// unspecified the machine's private address.
func Advertised(bound netip.Addr) (netip.Addr, error) {
	if !bound.IsUnspecified() {
		return bound, nil
	}
	private, err := sockaddr.GetPrivateIP()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("look for a private IP address to advertise: %w", err)
	}
	a, err := netip.ParseAddr(private)
	if err != nil {
		return netip.Addr{}, errors.New("the machine has no private IP address to advertise: set AdvertiseAddr, or BindAddr to the address that others reach it at")
	}
	return a, nil
}
