package handshake

import (
	"net/netip"
	"time"
)

// A class is the budget of verifications for packets of one kind (PROTOCOL.md E6). No kind can use up the budget of
// another.
type class uint8

const (
	answers   class = iota // answers to handshakes that we began, whose ids only the peer knows
	exchanges              // further packets of handshakes that a peer began
	proven                 // Hellos with a valid cookie
	unproven               // Hellos without a cookie, whose source address may be forged
	unbound                // Hellos of legacy nodes, which do not support cookies
	placeless              // Hellos whose source address is missing or is not the one answered
	accepts                // Hellos that verified; accepting one costs about 100 times as much as a verification
	classes
)

// limits are the verifications per second of each class: in all, and for one source if above zero. A source is the
// IPv4 address after a valid cookie, otherwise its /24. In IPv6 it is the /64, which one machine may own.
var limits = [classes]struct{ all, source, bits int }{
	answers:   {all: 20_000},
	exchanges: {all: 20_000},
	proven:    {all: 50_000, source: 2_500, bits: 32},
	unproven:  {all: 10_000},
	unbound:   {all: 2_000, source: 500, bits: 24},
	placeless: {all: 50_000, source: 10_000, bits: 24},
	accepts:   {all: 4_000, source: 1_000, bits: 32},
}

// wideMax is the limit of an IPv6 /48 in a class, as a multiple of the limit for one source.
const wideMax = 4

// A budget limits the work that other nodes can cause by handshake packets. It counts in windows of one second, and
// forgets all sources at the end of a window, so it never holds more sources than verifications were granted.
type budget struct {
	start   time.Time // of the window
	spent   [classes]int
	sources map[payer]int
}

// A payer is a source within one class.
type payer struct {
	class  class
	source netip.Prefix
}

// An allowance charges the work of one packet to a budget. A nil allowance grants everything.
type allowance struct {
	budget *budget
	class  class
	addr   netip.Addr   // source of the packet; invalid if sources are not counted
	source netip.Prefix // invalid if the class has no limit by source
	wide   netip.Prefix // the /48 of source; invalid for IPv4
}

// open returns a packet's allowance in a class. It starts a new window after 1 s, or if the clock went back.
func (b *budget) open(now time.Time, p class, from netip.Addr) allowance {
	if d := now.Sub(b.start); d >= time.Second || d < 0 {
		b.start, b.spent = now, [classes]int{}
		b.sources = clearMap(b.sources)
	}
	a := allowance{budget: b, class: p, addr: from}
	if limits[p].source > 0 && !from.Unmap().IsLoopback() {
		a.source = prefix(from, limits[p].bits)
		if a.source.Addr().Is6() {
			a.wide, _ = a.source.Addr().Prefix(48)
		}
	}
	return a
}

// from returns the allowance of the same packet in another class.
func (a *allowance) from(p class) *allowance {
	if a == nil {
		return nil
	}
	b := a.budget.open(a.budget.start, p, a.addr)
	return &b
}

// take charges one verification, and reports false if the budget does not allow it.
func (a *allowance) take() bool { return a == nil || a.has(1) && a.pay() }

// has reports whether the budget allows n verifications.
func (a *allowance) has(n int) bool {
	limit, b := limits[a.class], a.budget
	return b.spent[a.class]+n <= limit.all && a.within(a.source, n, limit.source) && a.within(a.wide, n, wideMax*limit.source)
}

// within reports whether n more verifications for a prefix stay within its limit. An invalid prefix has no limit.
func (a *allowance) within(source netip.Prefix, n, limit int) bool {
	return !source.IsValid() || a.budget.sources[payer{a.class, source}]+n <= limit
}

func (a *allowance) pay() bool {
	a.budget.spent[a.class]++
	for _, source := range [...]netip.Prefix{a.source, a.wide} {
		if source.IsValid() {
			a.budget.sources[payer{a.class, source}]++
		}
	}
	return true
}

// network returns the source network of an address that has not been verified: the /24 or the /64 (PROTOCOL.md E5).
func network(a netip.Addr) netip.Prefix { return prefix(a, 24) }

// prefix returns the prefix of an IPv4 address with the given number of bits, or the /64 of an IPv6 address. All
// invalid addresses share one prefix.
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

// clearMap empties m, or returns a new map if m has grown large.
func clearMap(m map[payer]int) map[payer]int {
	if m == nil || len(m) > 1024 {
		return make(map[payer]int)
	}
	clear(m)
	return m
}
