package handshake

import (
	"net/netip"
	"time"
)

const (
	verifyPerSecond       = 50_000 // verifications, from everywhere
	verifyPerSourceSecond = 10_000 // verifications from one source network; loopback excepted
)

// A budget bounds the verifications that strangers can make a node do (PROTOCOL.md 4, "Handshake
// economy"). It counts in windows of one second; what it remembers of sources it forgets with the
// window, so it never holds more of them than verifications were granted.
type budget struct {
	start   time.Time // of the window
	left    int       // verifications, from everywhere
	sources map[netip.Prefix]int
}

// An allowance is one packet's way to the budget. A nil allowance grants everything.
type allowance struct {
	budget *budget
	source netip.Prefix // invalid: not counted by source
	spent  int
}

// open starts a packet's account. A clock that went back starts a window as well.
func (b *budget) open(now time.Time, from netip.Addr) allowance {
	if d := now.Sub(b.start); d >= time.Second || d < 0 {
		b.start, b.left = now, verifyPerSecond
		b.sources = clearMap(b.sources)
	}
	a := allowance{budget: b}
	if !from.Unmap().IsLoopback() {
		a.source = network(from)
		a.spent = b.sources[a.source]
	}
	return a
}

// take pays for one verification, or reports that it cannot.
func (a *allowance) take() bool {
	if a == nil {
		return true
	}
	if a.budget.left == 0 || a.source.IsValid() && a.spent >= verifyPerSourceSecond {
		return false
	}
	a.budget.left--
	if a.source.IsValid() {
		a.spent++
		a.budget.sources[a.source] = a.spent
	}
	return true
}

// network is the /24 or /64 that a source is counted under. An address that is none shares one network
// with all others of the kind.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 64
	if !a.IsValid() {
		a = netip.IPv4Unspecified()
	}
	if a.Is4() {
		bits = 24
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		panic("handshake: " + err.Error())
	}
	return p
}

// clearMap empties m, or makes a new one when m has grown large.
func clearMap(m map[netip.Prefix]int) map[netip.Prefix]int {
	if m == nil || len(m) > 1024 {
		return make(map[netip.Prefix]int)
	}
	clear(m)
	return m
}
