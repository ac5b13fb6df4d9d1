// Package resolve turns the addresses that users write into IP addresses and ports. See resolve.go, bind.go, seeds.go.
package resolve

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Lookup returns the addresses of a host name, like net.DefaultResolver.LookupNetIP.
type Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// maxTargets bounds the number of addresses of one name.
const maxTargets = 256

// Address returns all addresses that s stands for. s is "host", "host:port" or "name/host:port", where host is a name
// or an IP address; IPv6 needs brackets before a port. The default port is defaultPort. An IPv6 address without
// brackets whose end could be a port is an error. The name before the slash, as memberlist writes it, is the node's
// name and is returned as name.
func Address(ctx context.Context, s string, defaultPort int, lookup Lookup) (name string, targets []netip.AddrPort, err error) {
	rest := s
	if before, after, ok := strings.Cut(s, "/"); ok {
		if before == "" {
			return "", nil, fmt.Errorf("address %q: nothing stands before the slash", s)
		}
		name, rest = before, after
	}
	host, port, err := split(rest, defaultPort)
	if err != nil {
		return name, nil, fmt.Errorf("address %q: %w", s, err)
	}
	addrs := []netip.Addr{}
	if ip, e := netip.ParseAddr(host); e == nil {
		addrs = append(addrs, ip)
	} else if addrs, err = lookup(ctx, "ip", host); err != nil {
		return name, nil, fmt.Errorf("address %q: %w", s, err)
	}
	for _, ip := range addrs {
		to := netip.AddrPortFrom(ip.Unmap(), port)
		if !slices.Contains(targets, to) && len(targets) < maxTargets {
			targets = append(targets, to)
		}
	}
	if len(targets) == 0 {
		return name, nil, fmt.Errorf("address %q: the name has no IP address", s)
	}
	return name, targets, nil
}

// split splits s into host and port.
func split(s string, defaultPort int) (host string, port uint16, err error) {
	host, text := s, ""
	switch colons := strings.Count(s, ":"); {
	case strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]"):
		host = s[1 : len(s)-1]
	case strings.HasPrefix(s, "[") || colons == 1:
		if host, text, err = net.SplitHostPort(s); err != nil {
			return "", 0, err
		}
	case colons > 1:
		if err := ambiguous(s); err != nil {
			return "", 0, err
		}
	}
	if host == "" {
		return "", 0, fmt.Errorf("no host")
	}
	if text == "" && strings.HasSuffix(s, ":") && !strings.HasSuffix(s, "::") {
		return "", 0, fmt.Errorf("no port after the colon")
	}
	if text == "" {
		text = strconv.Itoa(defaultPort)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("port %q, want 1 to 65535", text)
	}
	return host, uint16(n), nil
}

// ambiguous returns an error if s, an IPv6 address without brackets, probably ends in a port: the end is a decimal
// number of four digits or more, and the rest is an address itself. Ports below 1000 are rare, but such ends of
// addresses are common.
func ambiguous(s string) error {
	colon := strings.LastIndexByte(s, ':')
	host, port := s[:colon], s[colon+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	ip, notAddress := netip.ParseAddr(host)
	if err != nil || n < 1000 || notAddress != nil {
		return nil
	}
	if _, err := netip.ParseAddr(s); err != nil || ip.Zone() != "" {
		return fmt.Errorf("an IPv6 address needs brackets before a port: write [%s]:%s", ip, port)
	}
	return fmt.Errorf("ambiguous: write [%s]:%s if %s is a port, and [%s] if it belongs to the address", ip, port, port, s)
}
