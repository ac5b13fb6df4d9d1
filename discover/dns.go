package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// A Resolver resolves names. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// resolverOr returns r, or the system's resolver if r is nil.
func resolverOr(r Resolver) Resolver {
	if r == nil {
		return net.DefaultResolver
	}
	return r
}

// DNS is a Source of the A and AAAA records of a name, such as that of a headless service of Kubernetes.
type DNS struct {
	Host string // a trailing dot keeps the resolver from trying search domains first
	Port int    // of the nodes, 1 to 65535
	// Network is "ip4", "ip6" or "ip". Empty means "ip": both.
	Network string
	// Resolver resolves the name. Nil means the system's resolver.
	Resolver Resolver
}

// String returns the URL that Parse accepts.
func (d *DNS) String() string { return fmt.Sprintf("dns://%s:%d", d.Host, d.Port) }

// Find resolves the name. It returns an error if the name has no address.
func (d *DNS) Find(ctx context.Context) ([]string, error) {
	network := d.Network
	if network == "" {
		network = "ip"
	}
	return hostAddresses(ctx, resolverOr(d.Resolver), network, d.Host, d.Port)
}

// hostAddresses returns all addresses of a name, each with the port.
func hostAddresses(ctx context.Context, r Resolver, network, host string, port int) ([]string, error) {
	ips, err := r.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, ip := range ips[:min(len(ips), maxFound)] {
		address, err := withPort(ip.String(), port)
		if err != nil {
			return nil, err
		}
		found = append(found, address)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("look up %s: the name has no IP address", host)
	}
	return found, nil
}

// SRV is a Source of the SRV records of a name. Each record gives a host and a port; the hosts are resolved too.
// Priorities and weights are ignored, because the nodes of a cluster are equal.
type SRV struct {
	Name string // the complete name, as in "_gwyh._udp.example.com"
	// Resolver resolves the names. Nil means the system's resolver.
	Resolver Resolver
}

// maxTargets is the number of hosts of one SRV answer that are resolved.
const maxTargets = 256

// String returns the URL that Parse accepts.
func (s *SRV) String() string { return "srv://" + s.Name }

// Find looks up the records and then their hosts. It returns an error only if no host has an address.
func (s *SRV) Find(ctx context.Context) ([]string, error) {
	r := resolverOr(s.Resolver)
	// Without service and protocol the name is queried as it is.
	_, records, err := r.LookupSRV(ctx, "", "", s.Name)
	if err != nil && len(records) == 0 {
		return nil, err
	}
	var found []string
	var errs []error
	for _, record := range records[:min(len(records), maxTargets)] {
		if strings.Trim(record.Target, ".") == "" {
			continue // RFC 2782: the service is not available at this domain
		}
		addresses, err := hostAddresses(ctx, r, "ip", record.Target, int(record.Port))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, addresses...)
	}
	if len(found) == 0 {
		return nil, errors.Join(append(errs, fmt.Errorf("look up SRV %s: no record leads to an IP address", s.Name))...)
	}
	return found, nil
}
