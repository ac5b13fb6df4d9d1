package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// How large a datagram the path to a linked peer carries is found by padded Pings (RFC 8899), the largest
// first. Datagrams are as large as configured until one is answered, and again when larger ones do not arrive
// any more; when these do not either, they are as small as any path carries.
const (
	mtuTries   = 3 // unanswered probes of one size, after which it counts as too large
	mtuConfirm = 4 // unanswered probes of the size in use, after which it is given up
	mtuLost    = 4 // datagrams of the size in use that are lost, with none reported, before it is probed
	mtuPause   = 200 * time.Millisecond
	mtuBegin   = time.Second      // after a link came to stand, and up to as much again
	mtuAgain   = 10 * time.Minute // between two searches
	mtuSoon    = time.Minute      // before the next one when a size was given up
)

// mtuSizes are what is tried, in bytes of UDP payload: Ethernet with jumbo frames, FDDI, wireless LAN,
// Ethernet with IPv4 and with IPv6.
var mtuSizes = [...]int{DatagramProbed, 4322, 2272, 1472, 1452}

// DatagramProbed is the largest datagram that is probed for.
const DatagramProbed = 8952

// mtuSeq marks the sequence numbers of padded Pings. Others count from one, or have the top bit set.
const mtuSeq = 1 << 62

var padding [DatagramProbed]byte

// pathMTU is what is known of the path to a peer.
type pathMTU struct {
	size   int       // largest datagram sent to it, in bytes
	trying int       // size that is probed, that in use or a larger one; 0 for none
	tries  int       // probes of it sent
	got    int       // bytes of the last probe; 0 if it did not go out
	seq    uint64    // of the last probe
	due    time.Time // when something is to be done; zero for never
	lost   int       // datagrams of about the size in use that were lost since one was last reported
}

// candidateMTU is the largest size below a limit that may be tried; 0 when there is none.
func (c *Core) candidateMTU(p *peer, below int) (best int) {
	most := min(c.cfg.DatagramMax, p.maxDatagram, below-1)
	for _, size := range append(mtuSizes[:len(mtuSizes):len(mtuSizes)], c.cfg.DatagramSize) {
		if size > p.mtu.size && size <= most {
			best = max(best, size)
		}
	}
	return best
}

// searchMTU begins to look for larger datagrams after a while.
func (c *Core) searchMTU(now time.Time, p *peer, after time.Duration) {
	p.mtu.trying = 0
	if c.cfg.DatagramMax > c.cfg.DatagramSize && !p.legacy {
		p.mtu.due = now.Add(after)
		c.timers.advance(&p.timer, p.mtu.due)
	}
}

// tickMTU goes on with a search or a confirmation. It returns when it is next needed.
func (c *Core) tickMTU(now time.Time, p *peer) time.Time {
	m := &p.mtu
	if !p.linked || m.due.IsZero() {
		return time.Time{}
	}
	if m.due.After(now) {
		return m.due
	}
	switch {
	case m.trying == 0:
		m.trying, m.tries = c.candidateMTU(p, DatagramProbed+1), 0
	case m.trying <= m.size && m.tries >= mtuConfirm:
		c.shrinkMTU(now, p)
		return m.due
	case m.trying > m.size && m.tries >= mtuTries:
		m.trying, m.tries = c.candidateMTU(p, m.trying), 0
	}
	if m.trying == 0 {
		m.due = now.Add(mtuAgain)
		return m.due
	}
	c.probeMTU(now, p)
	m.due = now.Add(max(4*p.roundTrip(), mtuPause))
	return m.due
}

// probeMTU sends a Ping of the size that is tried. That it is lost says nothing of the rate.
func (c *Core) probeMTU(now time.Time, p *peer) {
	m := &p.mtu
	m.tries++
	m.seq = mtuSeq | (m.seq+1)&(mtuSeq-1)
	m.got = 0
	ch := p.channel(now)
	if ch == nil {
		return
	}
	empty := len(wire.AppendPing(nil, c.newID(), wire.Ping{Seq: m.seq}))
	pad := m.trying - wire.BoxOverhead - empty - 1                                          // the head of the payload is a byte longer than that of none
	plain := wire.AppendPing(nil, c.newID(), wire.Ping{Seq: m.seq, Payload: padding[:pad]}) // too large for c.plain, which stays
	before := len(c.out.buf)
	c.transmit(now, ch, p.set.Path(), plain, sent{probe: true})
	m.got = len(c.out.buf) - before
	if n := len(c.out.list); n > 0 && m.got > 0 {
		c.out.list[n-1].probe = true
	}
}

// answeredMTU takes the answer to a probe, and reports whether it is one.
func (c *Core) answeredMTU(now time.Time, p *peer, seq uint64) bool {
	m := &p.mtu
	if seq != m.seq || seq&mtuSeq == 0 || m.trying == 0 {
		return false
	}
	if m.got == 0 { // it did not even go out
		return true
	}
	if m.trying > m.size {
		m.size = m.got
	}
	m.lost = 0
	c.searchMTU(now, p, mtuAgain)
	return true
}

// lostMTU notes that a datagram of so many bytes was lost. When several of about the largest size were, and
// none came, the path may have changed.
func (c *Core) lostMTU(now time.Time, p *peer, size int) {
	m := &p.mtu
	if size <= datagramMin || size < m.size*3/4 || c.cfg.DatagramMax <= c.cfg.DatagramSize {
		return
	}
	if m.lost++; m.lost >= mtuLost && (m.trying == 0 || m.trying > m.size) {
		m.trying, m.tries, m.due = m.size, 0, now
		c.timers.advance(&p.timer, now)
	}
}

// cameMTU notes that a datagram of so many bytes came.
func (p *peer) cameMTU(size int) {
	if size >= p.mtu.size*3/4 {
		p.mtu.lost = 0
	}
}

// shrinkMTU gives up the size in use, because neither datagrams of it nor probes arrive.
func (c *Core) shrinkMTU(now time.Time, p *peer) {
	m := &p.mtu
	old := m.size
	if m.size > c.cfg.DatagramSize {
		m.size = c.cfg.DatagramSize
	} else {
		m.size = min(m.size, datagramMin)
	}
	m.lost = 0
	c.stats.PathsShrunk++
	c.logLimited(now, "mtu", "[WARN] gwyh: datagrams of %d bytes to %s do not arrive: going on with %d", old, p.id, m.size)
	c.searchMTU(now, p, mtuSoon)
}

// Probing reports, during a call of Drain's send, whether the datagram must not be cut on its way: it measures
// what the path carries whole.
func (c *Core) Probing() bool { return c.out.probing }
