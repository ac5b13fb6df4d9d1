package handshake

import (
	"net/netip"
	"time"
)

// A purse is what packets of one kind pay their verifications from (PROTOCOL.md E6), so that no kind uses up
// what another needs.
type purse uint8

const (
	answers   purse = iota // to handshakes that we began: nobody else knows their ids
	exchanges              // further packets of handshakes that a peer began
	proven                 // Hellos with a cookie of their source
	unproven               // Hellos without one, from wherever their senders wrote
	unbound                // Hellos of legacy nodes, which know no cookies
	placeless              // Hellos over a transport that tells no addresses, or not those that are answered
	accepts                // Hellos that verified, each of which costs a hundred times a verification
	purses
)

// limits are what each purse holds for a second: in all, and for one source if that is above zero. A source that has shown its
// IPv4 address is that address; otherwise it is the /24. In IPv6 it is the /64, in which one machine may have all addresses.
var limits = [purses]struct{ all, source, bits int }{
	answers:   {all: 20_000},
	exchanges: {all: 20_000},
	proven:    {all: 50_000, source: 2_500, bits: 32},
	unproven:  {all: 10_000},
	unbound:   {all: 2_000, source: 500, bits: 24},
	placeless: {all: 50_000, source: 10_000, bits: 24},
	accepts:   {all: 4_000, source: 1_000, bits: 32},
}

// wideMax is what a purse holds for a second for a /48 of IPv6, in sources.
const wideMax = 4

// A budget bounds the work that other nodes can cause by handshake packets. It counts in windows of one second. It
// forgets sources with their window, so it never holds more of them than verifications were granted.
type budget struct {
	start   time.Time // of the window
	spent   [purses]int
	sources map[payer]int
}

// A payer is a source, as far as one purse is concerned.
type payer struct {
	purse  purse
	source netip.Prefix
}

// An allowance is one packet's way to the budget. A nil allowance grants everything.
type allowance struct {
	budget *budget
	purse  purse
	addr   netip.Addr   // where the packet came from; invalid if nobody counts that
	source netip.Prefix // invalid: not counted by source
	wide   netip.Prefix // the /48 of source; invalid for IPv4
}

// open starts the account of a packet from an address with a purse. A clock that went back starts a window as well.
func (b *budget) open(now time.Time, p purse, from netip.Addr) allowance {
	if d := now.Sub(b.start); d >= time.Second || d < 0 {
		b.start, b.spent = now, [purses]int{}
		b.sources = clearMap(b.sources)
	}
	a := allowance{budget: b, purse: p, addr: from}
	if limits[p].source > 0 && !from.Unmap().IsLoopback() {
		a.source = prefix(from, limits[p].bits)
		if a.source.Addr().Is6() {
			a.wide, _ = a.source.Addr().Prefix(48)
		}
	}
	return a
}

// from is the same packet's account with another purse.
func (a *allowance) from(p purse) *allowance {
	if a == nil {
		return nil
	}
	b := a.budget.open(a.budget.start, p, a.addr)
	return &b
}

// take pays for one verification, or reports that it cannot.
func (a *allowance) take() bool { return a == nil || a.has(1) && a.pay() }

// has reports whether n verifications could be paid for.
func (a *allowance) has(n int) bool {
	limit, b := limits[a.purse], a.budget
	return b.spent[a.purse]+n <= limit.all && a.within(a.source, n, limit.source) && a.within(a.wide, n, wideMax*limit.source)
}

// within reports whether n more verifications for a prefix stay within its limit. An invalid prefix has no limit.
func (a *allowance) within(source netip.Prefix, n, limit int) bool {
	return !source.IsValid() || a.budget.sources[payer{a.purse, source}]+n <= limit
}

func (a *allowance) pay() bool {
	a.budget.spent[a.purse]++
	for _, source := range [...]netip.Prefix{a.source, a.wide} {
		if source.IsValid() {
			a.budget.sources[payer{a.purse, source}]++
		}
	}
	return true
}

// network is the /24 or /64 that a source is counted under that may have written any address.
func network(a netip.Addr) netip.Prefix { return prefix(a, 24) }

// prefix is that of so many bits of an IPv4 address, or the /64 of an IPv6 one. An address that is none shares one prefix with
// all others of the kind.
func prefix(a netip.Addr, bits int) netip.Prefix {
	a = a.Unmap()
	if !a.IsValid() {
		a = netip.IPv4Unspecified()
	}
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		panic("handshake: " + err.Error())
	}
	return p
}

// clearMap empties m, or makes a new one when m has grown large.
func clearMap(m map[payer]int) map[payer]int {
	if m == nil || len(m) > 1024 {
		return make(map[payer]int)
	}
	clear(m)
	return m
}
