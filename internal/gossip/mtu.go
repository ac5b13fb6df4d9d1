package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// The size of the datagrams to a peer follows RFC 8899. It begins at what any path carries. When something larger is
// to be sent, and on a link once in a while, padded Pings probe for larger sizes, the largest first. When datagrams
// of a size that was found do not arrive any more, that size is probed; until the answer comes, and for good if none
// comes, datagrams are small again, and what was lost is cut anew (docs/PROTOCOL.md, "Path MTU").
const (
	mtuTries   = 3 // unanswered probes of one size, after which it counts as too large
	mtuConfirm = 4 // unanswered probes of the size in use, after which it is given up
	mtuLost    = 8 // lost datagrams of a size that was just seen to arrive, with none of it arriving, before it is probed
	mtuPause   = 200 * time.Millisecond
	mtuBegin   = time.Second      // after a link came to stand, and up to as much again
	mtuAgain   = 10 * time.Minute // between two searches
	mtuSoon    = time.Minute      // before the next one when a size was given up, or not found
	mtuFresh   = time.Second      // how long the arrival of a datagram shows that its size passes
)

// mtuSizes are what is tried, in bytes of UDP payload: Ethernet with jumbo frames, FDDI, wireless LAN,
// Ethernet with IPv4 and with IPv6.
var mtuSizes = [...]int{DatagramProbed, 4322, 2272, 1472, 1452}

// DatagramProbed is the largest datagram that is probed for beyond the configured size.
const DatagramProbed = 8952

// mtuSeq marks the sequence numbers of padded Pings. Others count from one, or have the top bit set.
const mtuSeq = 1 << 62

var padding [datagramMax]byte

// pathMTU is what is known of the path to a peer.
type pathMTU struct {
	size   int       // largest datagram that is sent to it, in bytes
	trying int       // size that is probed, that in use or a larger one; 0 for none
	tries  int       // probes of it sent
	got    int       // bytes of the last probe; 0 if it did not go out
	seq    uint64    // of the last probe
	due    time.Time // when the next probe goes out, or the last one has had no answer; of no meaning if trying is 0
	search time.Time // when a search for larger sizes begins by itself; zero for never
	next   time.Time // before which nothing larger is probed for although it is to be sent

	passed   int       // bytes of the largest datagram that arrived lately
	passedAt time.Time // when it did
	lost     int       // datagrams lost since one as large as the smallest of them arrived
	lostSize int       // bytes of that smallest one
	risked   risked
	told     int // size in the last line of the log about it; 0 for none
}

// risked is the last datagram of which it is not known whether its path carries it. An empty Frame goes after it, so
// that its loss is noticed although nothing else is sent.
type risked struct {
	ch      *channel // nil for none
	counter uint64
	size    int // bytes
}

// newPathMTU is that of a path of which nothing is known.
func (c *Core) newPathMTU() pathMTU { return pathMTU{size: min(c.cfg.DatagramSize, datagramMin)} }

// doubted reports whether datagrams of the size in use may not arrive any more.
func (m *pathMTU) doubted() bool { return m.trying != 0 && m.trying <= m.size }

// usable is the largest datagram that is sent now.
func (m *pathMTU) usable() int {
	if m.doubted() {
		return min(m.size, datagramMin)
	}
	return m.size
}

// passes reports whether a datagram of so many bytes would arrive if it were not lost by chance: any path carries it, or
// one as large arrived lately.
func (m *pathMTU) passes(now time.Time, size int) bool {
	return size <= datagramMin || size <= m.passed && now.Sub(m.passedAt) <= mtuFresh
}

// candidateMTU is the largest size below a limit that may be tried; 0 when there is none. Sizes beyond the configured
// one are tried when that has been found to pass.
func (c *Core) candidateMTU(p *peer, below int) (best int) {
	most := c.cfg.DatagramSize
	if p.mtu.size >= min(most, p.maxDatagram) {
		most = c.cfg.DatagramMax
	}
	most = min(most, p.maxDatagram, below-1)
	for _, size := range append(mtuSizes[:len(mtuSizes):len(mtuSizes)], c.cfg.DatagramSize, min(c.cfg.DatagramSize, p.maxDatagram)) {
		if size > p.mtu.size && size <= most {
			best = max(best, size)
		}
	}
	return best
}

// searchMTU begins to look for larger datagrams after a while, where the system can measure paths.
func (c *Core) searchMTU(now time.Time, p *peer, after time.Duration) {
	if c.cfg.DatagramMax > c.cfg.DatagramSize && !p.legacy {
		p.mtu.search = now.Add(after)
		c.timers.Advance(&p.timer, p.mtu.search)
	}
}

// mtuLinkUp begins the search for the largest datagram of a new link.
func (c *Core) mtuLinkUp(now time.Time, p *peer) {
	if c.cfg.DatagramMax > c.cfg.DatagramSize {
		c.searchMTU(now, p, mtuBegin+time.Duration(c.rng.Int64N(int64(mtuBegin))))
	}
}

// widen looks for a larger size because something is to be sent that does not fit into the one in use.
func (c *Core) widen(now time.Time, p *peer) {
	m := &p.mtu
	if m.trying != 0 || p.legacy || m.next.After(now) || m.size >= min(c.cfg.DatagramSize, p.maxDatagram) {
		return
	}
	c.tryMTU(now, p, c.candidateMTU(p, datagramMax+1))
	c.timers.Advance(&p.timer, now)
}

// tryMTU begins to probe a size; 0 ends the search.
func (c *Core) tryMTU(now time.Time, p *peer, size int) {
	m := &p.mtu
	m.trying, m.tries, m.due = size, 0, now
	if size != 0 {
		return
	}
	again := mtuAgain
	if m.size < c.cfg.DatagramSize {
		again = mtuSoon
	}
	m.next = now.Add(again)
	c.logPath(now, p)
	if !m.search.After(now) {
		c.searchMTU(now, p, again)
	}
}

// tickMTU goes on with a search or a confirmation. It returns when it is next needed.
func (c *Core) tickMTU(now time.Time, p *peer) time.Time {
	m := &p.mtu
	switch {
	case m.trying == 0 && (!p.linked || m.search.IsZero()):
		return time.Time{}
	case m.trying == 0 && m.search.After(now):
		return m.search
	case m.trying == 0:
		c.tryMTU(now, p, c.candidateMTU(p, datagramMax+1))
	case m.due.After(now):
		return m.due
	case m.doubted() && m.tries >= mtuConfirm:
		c.shrinkMTU(now, p)
	case !m.doubted() && m.tries >= mtuTries:
		c.tryMTU(now, p, c.candidateMTU(p, m.trying))
	}
	if m.trying == 0 {
		return m.search
	}
	c.probeMTU(now, p)
	m.due = now.Add(max(4*p.roundTrip(), mtuPause))
	return m.due
}

// probeMTU sends a Ping of the size that is tried. That it is lost says nothing of the rate. Sizes up to the configured one
// are probed as they are used: they may be cut on their way.
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
	pad := m.trying - wire.BoxOverhead + wire.BoxSpare(uint32(ch.Sent()+1)) - empty - 1     // the head of the payload is a byte longer than that of none
	plain := wire.AppendPing(nil, c.newID(), wire.Ping{Seq: m.seq, Payload: padding[:pad]}) // too large for c.plain, which stays
	before := len(c.out.Buffer())
	c.transmit(now, ch, p.set.Path(), plain, sent{probe: true})
	m.got = len(c.out.Buffer()) - before
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
	beyond := m.doubted() || m.got > c.cfg.DatagramSize
	m.size, m.trying = max(m.size, m.got), 0
	c.cameMTU(now, p, m.got)
	switch {
	case m.search.IsZero(), m.search.After(now):
		c.logPath(now, p)
	case beyond:
		c.searchMTU(now, p, mtuAgain)
		c.logPath(now, p)
	default: // the configured size passes: larger ones are next
		c.timers.Advance(&p.timer, now)
	}
	return true
}

// lostMTU notes that a datagram of so many bytes was lost. The path may have become narrower: at once where none as
// large arrived lately, otherwise when several are lost in a row.
func (c *Core) lostMTU(now time.Time, p *peer, size int) {
	m := &p.mtu
	if size <= datagramMin || size > m.size {
		return
	}
	if m.lost++; m.lost == 1 || size < m.lostSize {
		m.lostSize = size
	}
	if m.lost >= mtuLost || !m.passes(now, size) {
		c.doubtMTU(now, p)
	}
}

// doubtMTU probes the size in use, and sends only small datagrams meanwhile.
func (c *Core) doubtMTU(now time.Time, p *peer) {
	if m := &p.mtu; !m.doubted() && m.size > datagramMin {
		c.tryMTU(now, p, m.size)
		c.timers.Advance(&p.timer, now)
	}
}

// cameMTU notes that a datagram of so many bytes arrived.
func (c *Core) cameMTU(now time.Time, p *peer, size int) {
	m := &p.mtu
	if size >= m.passed || now.Sub(m.passedAt) > mtuFresh {
		m.passed, m.passedAt = size, now
	}
	if size >= m.lostSize {
		m.lost = 0
	}
}

// riskMTU sees to it that the loss of a datagram is noticed, if its size may be too large for its path: if none as large
// arrived lately, or one was lost since.
func (c *Core) riskMTU(now time.Time, ch *channel, size int) {
	p := ch.peer
	if size <= datagramMin || p.mtu.lost == 0 && p.mtu.passes(now, size) {
		return
	}
	p.mtu.risked = risked{ch: ch, counter: ch.Sent(), size: size}
	c.probeTailLater(now, p)
}

// settleRisk ends the doubt about the last datagram that may have been too large, if the peer has had all below a counter.
func (c *Core) settleRisk(now time.Time, ch *channel, lowest uint64) {
	p := ch.peer
	r := p.mtu.risked
	if r.ch != ch || r.counter >= lowest {
		return
	}
	p.mtu.risked = risked{}
	if w, _, _, ok := ch.log.Get(r.counter); ok && !w.settled {
		c.cameMTU(now, p, r.size)
		if len(p.bulk) == 0 {
			p.tailAt = time.Time{}
		}
	}
}

// shrinkMTU gives up the size in use, because neither datagrams of it nor probes arrive. The configured size is tried
// next if it is smaller.
func (c *Core) shrinkMTU(now time.Time, p *peer) {
	m := &p.mtu
	old := m.size
	m.lost, m.passed = 0, 0
	c.stats.PathsShrunk++
	if m.size > c.cfg.DatagramSize {
		m.size = c.cfg.DatagramSize
	} else {
		m.size = min(m.size, datagramMin)
	}
	c.warn(now, "mtu", "datagrams of %d bytes to %s do not arrive: going on with %d", old, c.whoIs(p.id), m.size)
	m.told = m.size
	c.searchMTU(now, p, mtuSoon)
	if m.size > datagramMin {
		c.tryMTU(now, p, m.size)
		return
	}
	m.trying, m.next = 0, now.Add(mtuSoon)
}

// Refused notes that the system did not take a datagram. One that is too big for its path makes those to
// its peer smaller, down to what any path carries (the answer of RFC 8899 to a local verdict); for any
// other reason sending pauses for a moment. It is no loss: nothing is said about the path.
func (c *Core) Refused(now time.Time, to wire.Path, size int, tooBig bool) {
	for _, p := range c.peersAt(to) {
		if tooBig {
			c.tooBig(now, p, size)
		} else if p.linked {
			p.pace.Backoff(now)
		}
	}
}

// tooBig ends the use, or the probing, of a size that the system itself refuses.
func (c *Core) tooBig(now time.Time, p *peer, size int) {
	m := &p.mtu
	if size <= m.size {
		c.doubtMTU(now, p)
		c.probeTailLater(now, p) // uncovers what was refused
	}
	if m.trying != 0 {
		m.tries, m.due = mtuConfirm, now
		c.timers.Advance(&p.timer, now)
	}
}

// peersAt is the Go nodes that are sent to at an address.
func (c *Core) peersAt(to wire.Path) (found []*peer) {
	for _, p := range c.peers {
		if !p.legacy && p.set.Path().Remote == to.Remote {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *peer) int { return slices.Compare(a.id[:], b.id[:]) })
	return found
}
