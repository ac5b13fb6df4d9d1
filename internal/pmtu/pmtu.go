// Package pmtu finds the maximum datagram size to a peer, following RFC 8899 (docs/PROTOCOL.md, "Path MTU", Z1 to Z5).
//
// A Path begins with the size that any path carries. When something larger must be sent, and periodically on a link, it
// requests padded Pings that probe larger sizes, the largest first. When datagrams of a found size no longer arrive,
// that size is probed again, and datagrams stay small until an answer arrives. If none arrives, the size is given up.
//
// A Path sends and logs nothing: Tick returns what to do. It does not know sessions or packet numbers.
//
// Reading order: pmtu.go (the state and what may be sent), search.go (finds larger sizes), loss.go (notices that a size
// does not pass any more).
package pmtu

import (
	"math/rand/v2"
	"time"
)

const (
	Min    = 1200   // bytes of UDP payload that any path carries
	Max    = 65_507 // the largest UDP payload over IPv4
	Probed = 8952   // largest datagram that is probed beyond the configured size
)

// sizes are the probed sizes in bytes of UDP payload: Ethernet with jumbo frames, FDDI, wireless LAN, and Ethernet with
// IPv4 and with IPv6.
var sizes = [...]int{Probed, 4322, 2272, 1472, 1452}

// Config is shared by all paths of a node.
type Config struct {
	Size int // configured size: the largest datagram that a path is expected to carry
	Max  int // largest size searched for; there is no search if it is not above Size
}

// searches reports whether the node searches for sizes above the configured one.
func (c *Config) searches() bool { return c.Max > c.Size }

// A Path is the state of the path to one peer. It is not safe for concurrent use.
type Path struct {
	cfg     *Config
	peerMax int  // largest datagram that the peer accepts, in bytes
	fixed   bool // never probed
	linked  bool // the peer has a link, on which larger sizes are searched for periodically

	size   int       // largest datagram size known to pass
	trying int       // size being probed, which is the one in use or larger; 0 for none
	tries  int       // number of its probes sent
	probed int       // bytes of the last probe; 0 if it was not sent
	seq    uint64    // sequence number of the last probe
	due    time.Time // when the next probe is sent or the last one counts as lost; meaningless if trying is 0
	search time.Time // when the next search begins on a link; zero for never
	paused time.Time // time until which no larger size is probed, even if needed

	arrived   int       // bytes of the largest datagram known to have arrived recently
	arrivedAt time.Time // when it arrived
	lost      int       // datagrams lost since one of at least lostSize arrived
	lostSize  int       // size of the smallest of them in bytes

	found    bool // Found has something to report, if the size differs from reported
	reported int  // the size last reported by Found or a step back; 0 for none
}

// New returns the state of a new path. The Path keeps cfg, which must not change. A fixed path is never probed, and its
// datagrams keep the initial size.
func New(cfg *Config, fixed bool) Path {
	return Path{cfg: cfg, fixed: fixed, size: min(cfg.Size, Min), peerMax: Max}
}

// SetPeerMax sets the largest datagram, in bytes, that the peer accepts. A value below Min means Min (PROTOCOL.md P10).
func (m *Path) SetPeerMax(bytes int) { m.peerMax = min(max(bytes, Min), Max) }

// Size returns the largest datagram size known to pass, in bytes.
func (m *Path) Size() int { return m.size }

// Usable returns the maximum size of a datagram sent now, in bytes.
func (m *Path) Usable() int {
	if m.confirming() {
		return min(m.size, m.peerMax, Min)
	}
	return min(m.size, m.peerMax)
}

// confirming reports whether the size in use is being probed again because its datagrams may not arrive any more.
func (m *Path) confirming() bool { return m.trying != 0 && m.trying <= m.size }

// Moved resets the state because the path has changed (PROTOCOL.md Z5).
func (m *Path) Moved(now time.Time) {
	old := *m
	*m = New(old.cfg, old.fixed)
	m.peerMax, m.linked, m.seq = old.peerMax, old.linked, old.seq
	m.searchAfter(now, searchBegin)
}

// LinkUp schedules a search for larger sizes in one to two seconds.
func (m *Path) LinkUp(now time.Time, rng *rand.Rand) {
	m.linked = true
	if m.cfg.searches() {
		m.searchAfter(now, searchBegin+time.Duration(rng.Int64N(int64(searchBegin))))
	}
}

// LinkDown stops the periodic searches.
func (m *Path) LinkDown() { m.linked, m.search = false, time.Time{} }

// NextTimeout returns when Tick must be called. The zero time means never.
func (m *Path) NextTimeout() time.Time {
	if m.trying != 0 {
		return m.due
	}
	return m.search
}

// Found returns the size that a search ended with if it should be logged: if it differs from the last reported size and
// is not just the configured size on a new path. It reports each size once.
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

// Due is like NextTimeout, for callers that set a timer: it returns now instead of a time in the past.
func (m *Path) Due(now time.Time) time.Time {
	at := m.NextTimeout()
	if !at.IsZero() && at.Before(now) {
		return now
	}
	return at
}
