package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// floodInterval is how long membership news waits for company: many joins at once share datagrams. While
// news keeps coming the wait doubles with each flush, up to floodMost: the cost of a mass start lies in
// the number of datagrams.
// Deaths and departures do not wait.
const (
	floodInterval = 10 * time.Millisecond
	floodMost     = 160 * time.Millisecond
)

// incarnationAhead is how far in the future an incarnation may be. An entry beyond it is ignored.
const incarnationAhead = 24 * time.Hour

// entriesBatch is how many entries of a message are taken in together.
const entriesBatch = 16

// membersOverhead is the bytes of a message of entries beyond them, at most.
const membersOverhead = 64

// news is a membership entry that waits to be flooded.
type news struct {
	m     *members.Entry
	from  *peer // who told us, and needs no telling; nil when it is our own
	doubt bool  // nothing but accusations is new
}

// origin is how a membership entry reached us.
type origin uint8

const (
	flooded origin = iota // passed on along the links, to be passed on if it is news
	synced                // learnt by comparing tables: the neighbours compare theirs too
)

// handleMembers takes in the entries of one Members message.
func (c *Core) handleMembers(now time.Time, p *peer, data []byte, how origin) {
	it := wire.IterMembers(data)
	c.behind = c.behind[:0]
	for more := true; more; {
		n := 0
		for n < len(c.batch) && more {
			if more = it.Next(&c.batch[n]); more {
				n++
			}
		}
		c.members.Touch(c.batch[:n])
		for i := range n {
			c.apply(now, &c.batch[i], p, how)
		}
	}
	if len(c.behind) > 0 {
		w := c.answers(p)
		for _, m := range c.behind {
			if w.sent+1 >= syncAnswers { // a comparison brings the rest
				break
			}
			w.add(now, m)
		}
		w.flush(now)
	}
	if it.Err() != nil {
		c.drop(DropMalformedBody)
	}
}

// apply takes in one entry, and passes it on only if it changed what this node knows.
func (c *Core) apply(now time.Time, e *wire.Member, from *peer, how origin) {
	if e.ID == c.cfg.ID {
		c.defend(now, e, from)
		return
	}
	if !e.ID.IsGo() {
		c.applyLegacy(now, e, from, how)
		return
	}
	m := c.members.Get(e.ID)
	switch {
	case e.Incarnation > uint64(now.Add(incarnationAhead).UnixMilli()):
		c.drop(DropUnexpected)
	case e.State == wire.StateSuspect:
		c.stats.EntriesSuspect++
		c.applySuspect(now, m, e, from)
	case m != nil && !supersedes(e, m):
		c.stats.MembersStale++
		if how == synced && (e.Incarnation < m.Incarnation || e.State < m.State) {
			c.behind = append(c.behind, m)
		}
	case e.State == wire.StateDead && how == synced && m != nil && m.Live():
		c.stats.EntriesDead++
		c.applySuspect(now, m, e, from) // it may know better, or say so itself
	case e.State == wire.StateAlive:
		c.stats.EntriesAlive++
		if c.goesWithOthers(now, e, from) && !c.heldForVerdict(now, m, e, from, how) {
			c.applyAlive(now, m, e, from, how)
		}
		if from != nil && from.id == e.ID {
			from.introduced = true
			c.mergeWaiting(now, from)
		}
	default:
		c.stats.EntriesDead++
		c.applyGone(now, m, e, from, how)
	}
}

// supersedes reports whether an entry tells more than is known: a higher incarnation, or at the same
// one a worse state. A death yields only to a refutation, however high the other incarnation is: a node that cannot
// hear goes on to send, and its entry may change.
func supersedes(e *wire.Member, m *members.Entry) bool {
	switch {
	case m.Legacy():
	case e.State == wire.StateAlive && m.State == wire.StateDead:
		return e.Incarnation > m.Incarnation && e.Refuted >= m.Incarnation
	case e.State == wire.StateDead && m.Live():
		return e.Incarnation > m.Refuted
	}
	if e.Incarnation != m.Incarnation {
		return e.Incarnation > m.Incarnation
	}
	return e.State > m.State
}

// applyAlive adds a member, brings one back, or updates it.
func (c *Core) applyAlive(now time.Time, m *members.Entry, e *wire.Member, from *peer, how origin) {
	if !c.admissible(now, e, from) {
		return
	}
	before, ok := c.claimName(now, e)
	if !ok {
		return
	}
	if m == nil {
		m = members.NewEntry(e.ID)
	}
	kind, same := EventJoin, false
	if m.Live() {
		before = m
	}
	if before != nil {
		kind, same = EventUpdate, before.Addr == e.Addr && bytes.Equal(before.Meta, e.Meta)
	}
	if m.State == wire.StateDead && !m.Live() && kind == EventJoin {
		c.noteReturn(now, m)
	}
	arrived := c.arrivalOf(m, before, string(e.Name))
	c.setAlive(now, m, e)
	if !m.Legacy() {
		c.noteVersions(m.Versions)
	}
	if from != nil && from.id == m.ID && !from.linked {
		from.swim.ward = now.Add(wardFor)
		c.timers.Advance(&from.timer, now)
	}
	if !same {
		c.emitMember(kind, m)
	}
	c.logArrival(now, m, arrived, kind == EventJoin)
	c.memberChanged(now)
	c.spread(now, m, from, how)
	if p := c.peers[m.ID]; p != nil {
		p.approved = nil
		c.mergeWaiting(now, p)
	}
}

// setAlive writes an alive entry into its row.
func (c *Core) setAlive(now time.Time, m *members.Entry, e *wire.Member) {
	c.members.SetIncarnation(m, e.Incarnation)
	if s := c.swim.suspicion(m); s != nil && s.incarnation <= e.Refuted {
		c.absolve(m)
		c.logRefutation(now, m)
	}
	if c.swim.suspicion(m) == nil {
		m.State, m.Since = wire.StateAlive, now
	}
	m.Vacated = false
	m.Addr, m.Versions, m.Zone, m.Named, m.Refuted = e.Addr, e.Versions, c.zoneOf(e), e.Named, e.Refuted
	m.Meta = bytes.Clone(e.Meta)
	switch {
	case !m.Live():
		c.members.Release(m)
		m.Name = string(e.Name)
		c.members.Add(m)
	case m.Name != string(e.Name):
		c.members.Rename(m, string(e.Name))
	}
	if p := c.peers[m.ID]; p != nil {
		p.set.SetAdvertised(m.Addr)
		c.measured(p, p.packets.RTT())
	}
}

// refusal is why an alive entry is not taken in, whoever sends it; nil if it may be.
func (c *Core) refusal(e *wire.Member) (Drop, error) {
	m := c.members.Get(e.ID)
	switch {
	case len(e.Name) == 0 || !e.Addr.IsValid() || e.Addr.Port() == 0:
		return DropOversize, errNameless
	case e.Refuted >= e.Incarnation && e.Refuted != 0:
		return DropOversize, errRefuted
	case len(e.Meta) > c.cfg.MetaMax:
		return DropOversize, fmt.Errorf("metadata of %d bytes, of which MetaMax allows %d", len(e.Meta), c.cfg.MetaMax)
	case c.cfg.Allow != nil && !c.cfg.Allow(e.Addr.Addr()):
		return DropAddress, fmt.Errorf("address %s is not among CIDRsAllowed", e.Addr.Addr())
	case (m == nil || !m.Live()) && c.members.Count() >= members.Max:
		return DropOversize, errMembersMany
	}
	return 0, nil
}

var (
	errNameless    = errors.New("name, address or port is missing")
	errRefuted     = errors.New("it refutes a later incarnation than its own")
	errMembersMany = fmt.Errorf("there are %d members already", members.Max)
)

// admissible reports whether an alive entry may be taken in. If not it is dropped, counted and logged, and the node
// gets no link when it has sent the entry itself.
func (c *Core) admissible(now time.Time, e *wire.Member, from *peer) bool {
	d, err := c.refusal(e)
	if err == nil {
		return true
	}
	c.drop(d)
	c.warn(now, "refusal "+d.String(), "member %q at %s is not taken in: %v", e.Name, e.Addr, err)
	if from != nil && from.id == e.ID {
		from.vetoed = !c.isLive(e.ID)
	}
	return false
}

// applyGone takes in a death or a departure.
func (c *Core) applyGone(now time.Time, m *members.Entry, e *wire.Member, from *peer, how origin) {
	if m == nil {
		m = members.NewEntry(e.ID)
	}
	was := m.Live()
	c.members.SetIncarnation(m, max(m.Incarnation, e.Incarnation))
	m.Accuser = e.From
	c.removeMember(now, m, e.State)
	if was {
		c.spread(now, m, from, how)
		c.timers.Advance(&c.newsTimer, now)
	}
}

// removeMember makes m a tombstone in the given state, and tells the application if it was live.
func (c *Core) removeMember(now time.Time, m *members.Entry, s wire.State) {
	was := m.Live()
	m.State = s
	c.entomb(now, m)
	if was {
		c.emitMember(EventLeave, m)
		c.logRemoval(now, m)
		c.memberChanged(now)
	}
}

// entomb takes m off the live members and ends its link. One that is called dead is told so: if it
// lives, it shall refute.
func (c *Core) entomb(now time.Time, m *members.Entry) {
	c.absolve(m)
	c.members.Remove(now, m)
	if m.State == wire.StateDead {
		c.seekDead(now)
	}
	delete(c.avoided, m.ID)
	p := c.peers[m.ID]
	if p == nil {
		return
	}
	p.introduced = false
	if m.State == wire.StateDead && !c.hearsNobody(now) {
		c.correct(now, p, m)
	}
	c.unlink(now, p)
}

// declareDead ends a member that this node itself found silent.
func (c *Core) declareDead(now time.Time, m *members.Entry) {
	m.Accuser = c.cfg.ID
	c.removeMember(now, m, wire.StateDead)
	c.spread(now, m, nil, flooded)
	c.flushNews(now)
}

// renewSelf gives this node a higher incarnation than it and the cluster know, and spreads it.
func (c *Core) renewSelf(now time.Time, above uint64) {
	c.members.SetIncarnation(c.self, max(c.self.Incarnation+1, above+1, uint64(now.UnixMilli())))
	c.hs.SetIncarnation(c.self.Incarnation)
	c.memberChanged(now)
	c.spread(now, c.self, nil, flooded)
}

// spread queues an entry for the links.
func (c *Core) spread(now time.Time, m *members.Entry, from *peer, how origin) {
	if how != flooded {
		return
	}
	if m.Queued {
		n := &c.news[slices.IndexFunc(c.news, func(n news) bool { return n.m == m })]
		n.doubt = false
		if n.from != from {
			n.from = nil
		}
		return
	}
	m.Queued = true
	c.news = append(c.news, news{m: m, from: from})
	at := c.flushed.Add(c.floodWait)
	if at.Before(now) { // a timer in the past would look as if this node were late
		at = now
	}
	c.timers.Advance(&c.newsTimer, at)
}

// flushNews sends what is queued along all links, a datagram for as many entries as it holds.
func (c *Core) flushNews(now time.Time) {
	c.timers.Stop(&c.newsTimer)
	if len(c.news) == 0 {
		return
	}
	if now.Sub(c.flushed) > 2*c.floodWait {
		c.floodWait = floodInterval
	} else {
		c.floodWait = min(2*c.floodWait, floodMost)
	}
	c.flushed = now
	for _, p := range c.links {
		c.sendNews(now, p)
	}
	for i, n := range c.news {
		n.m.Queued = false
		if s := c.swim.suspicion(n.m); s != nil {
			s.passedOn = len(s.accusers)
		}
		c.news[i] = news{}
	}
	c.news = c.news[:0]
}

func (c *Core) sendNews(now time.Time, p *peer) {
	w := c.entries(p)
	for _, n := range c.news {
		switch {
		case n.from == p, n.m.ID == p.id && c.swim.suspicion(n.m) == nil:
		case n.doubt && c.swim.suspicion(n.m) != nil:
			c.stats.MembersForwarded++
			w.addDoubt(now, n.m, false)
		default:
			c.stats.MembersForwarded++
			w.add(now, n.m)
		}
	}
	w.flush(now)
}

// entryWriter packs membership entries for one peer into as few datagrams as hold them.
type entryWriter struct {
	c     *Core
	p     *peer
	begin func(b []byte, id wire.MessageID) wire.MembersWriter
	mb    wire.MembersWriter
	limit int
	open  bool
	sent  int // datagrams
}

// entries writes news for p.
func (c *Core) entries(p *peer) entryWriter {
	return entryWriter{c: c, p: p, begin: wire.BeginMembers, limit: p.packets.Room()}
}

// answers writes entries that p or its table asked for.
func (c *Core) answers(p *peer) entryWriter {
	return entryWriter{c: c, p: p, begin: wire.BeginSyncMembers, limit: p.packets.Room()}
}

// add writes what is known of m.
func (w *entryWriter) add(now time.Time, m *members.Entry) {
	w.append(now, m.Fill(&w.c.entry))
	if w.c.swim.suspicion(m) != nil {
		w.addDoubt(now, m, true)
	}
}

func (w *entryWriter) append(now time.Time, e *wire.Member) {
	if w.p.legacy { // who does not know what an entry is
		return
	}
	if w.open && w.mb.Append(e, w.limit) {
		return
	}
	if w.open {
		w.p.packets.Widen(now)
	}
	w.flush(now)
	w.mb = w.begin(w.c.plain[:0], w.c.newID())
	w.open = true
	if !w.mb.Append(e, max(w.limit, controlMax)) { // one that no datagram to p holds goes in pieces
		w.c.drop(DropOversize)
	}
}

func (w *entryWriter) flush(now time.Time) {
	if w.open {
		w.c.plain = w.mb.End()
		w.c.sendPlain(now, w.p, w.c.plain)
		w.open = false
		w.sent++
	}
}
