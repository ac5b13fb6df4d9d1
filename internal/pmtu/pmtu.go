// Package pmtu finds how large the datagrams to a peer may be, after RFC 8899 (docs/PROTOCOL.md, "Path MTU", Z1 to Z5).
//
// A Path begins with what any path carries. When something larger is to be sent, and on a link once in a while, it has
// padded Pings probe larger sizes, the largest first. When datagrams of a size that was found do not arrive any more, that
// size is probed again, and datagrams are small until an answer comes. If none comes, the size is given up.
//
// A Path sends nothing and logs nothing: Tick returns what is to be done. It knows neither sessions nor packet numbers.
//
// To read it: pmtu.go has the state and what may be sent, search.go looks for larger sizes, loss.go notices that a size
// does not pass any more.
package pmtu

import (
	"math/rand/v2"
	"time"
)

const (
	Min    = 1200   // bytes of UDP payload that any path carries
	Max    = 65_507 // the largest UDP payload over IPv4
	Probed = 8952   // the largest datagram that is probed beyond the configured size
)

// sizes are what is probed, in bytes of UDP payload: Ethernet with jumbo frames, FDDI, wireless LAN, Ethernet with IPv4
// and with IPv6.
var sizes = [...]int{Probed, 4322, 2272, 1472, 1452}

// Config is what all paths of a node have in common.
type Config struct {
	Size int // the configured size: the largest datagram that a path is expected to carry
	Max  int // the largest size that is searched for; no search if it is not above Size
}

// searches reports whether a node looks for sizes beyond the configured one.
func (c *Config) searches() bool { return c.Max > c.Size }

// A Path is what is known of the path to one peer. Not for concurrent use.
type Path struct {
	cfg     *Config
	peerMax int  // largest datagram that the peer takes, in bytes
	fixed   bool // never probed
	linked  bool // a link, on which larger sizes are searched for from time to time

	size   int       // largest datagram that is known to pass
	trying int       // size that is probed, which is the one in use or a larger one; 0 for none
	tries  int       // probes of it sent
	probed int       // bytes of the last probe; 0 if it was not sent
	seq    uint64    // of the last probe
	due    time.Time // when the next probe is sent, or the last one counts as lost; has no meaning if trying is 0
	search time.Time // when the next search begins on a link; zero for never
	paused time.Time // until when nothing larger is probed although it is to be sent

	arrived   int       // bytes of the largest datagram that is known to have arrived lately
	arrivedAt time.Time // when it did
	lost      int       // datagrams lost since one as large as the smallest of them arrived
	lostSize  int       // bytes of that smallest one

	found    bool // Found has something to tell, if the size differs from reported
	reported int  // size that Found, or a step back, last reported; 0 for none
}

// New returns what is known of a new path: nothing. cfg must stay as it is. A fixed path is never probed, and its
// datagrams keep the size that they begin with.
func New(cfg *Config, fixed bool) Path {
	return Path{cfg: cfg, fixed: fixed, size: min(cfg.Size, Min), peerMax: Max}
}

// SetPeerMax sets the largest datagram, in bytes, that the peer says it takes. Less than Min counts as Min.
func (m *Path) SetPeerMax(bytes int) { m.peerMax = min(max(bytes, Min), Max) }

// Size returns the largest datagram that is known to pass, in bytes.
func (m *Path) Size() int { return m.size }

// Usable returns the largest datagram that may be sent now, in bytes.
func (m *Path) Usable() int {
	if m.confirming() {
		return min(m.size, m.peerMax, Min)
	}
	return min(m.size, m.peerMax)
}

// confirming reports whether the size in use is being probed again, because its datagrams may not arrive any more.
func (m *Path) confirming() bool { return m.trying != 0 && m.trying <= m.size }

// Moved forgets what was known, because the path has changed.
func (m *Path) Moved(now time.Time) {
	old := *m
	*m = New(old.cfg, old.fixed)
	m.peerMax, m.linked, m.seq = old.peerMax, old.linked, old.seq
	m.searchAfter(now, searchBegin)
}

// LinkUp begins to search for larger sizes, one to two seconds from now.
func (m *Path) LinkUp(now time.Time, rng *rand.Rand) {
	m.linked = true
	if m.cfg.searches() {
		m.searchAfter(now, searchBegin+time.Duration(rng.Int64N(int64(searchBegin))))
	}
}

// LinkDown ends the searches that begin by themselves.
func (m *Path) LinkDown() { m.linked, m.search = false, time.Time{} }

// NextTimeout returns when Tick wants to be called; the zero time for never.
func (m *Path) NextTimeout() time.Time {
	if m.trying != 0 {
		return m.due
	}
	return m.search
}

// Found returns the size that a search has ended with, if that is worth a line in the log: if it differs from what was
// reported last, and is not just the configured size on a new path. It reports each size once.
func (m *Path) Found() (size int, ok bool) {
	if !m.found {
		return 0, false
	}
	m.found = false
	expected := m.reported == 0 && m.size == min(m.cfg.Size, m.peerMax)
	changed := m.reported != m.size
	m.reported = m.size
	return m.size, changed && !expected
}

// Due is NextTimeout for callers that set a timer: a time that is past counts as now.
func (m *Path) Due(now time.Time) time.Time {
	at := m.NextTimeout()
	if !at.IsZero() && at.Before(now) {
		return now
	}
	return at
}
