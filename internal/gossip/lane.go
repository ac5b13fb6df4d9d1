package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Large messages go in full along few links and are announced on the others, which ask for what does not
// come (docs/PROTOCOL.md, "Announcements"; the idea is Plumtree's, Leitão et al., DI-FCUL TR-07-14). Each
// node says on each link whether it is to be sent messages: it wants them from the two that were first lately.
const (
	sourcesMax = 2                     // links that a node wants messages from in full
	ownLinks   = 3                     // links that a message of our own goes along in full, at least
	offersMax  = 1 << 15               // announcements of one peer that wait, and pieces that it may ask for
	offersTidy = 256                   // of them, before those that have come are first taken out
	askedMax   = offersMax             // messages of which it is known when they were asked for
	askWindow  = incompleteCount / 2   // messages that one peer is asked for at once
	askTries   = 5                     // times that one announcement is answered by a Want
	askQuiet   = 10 * time.Millisecond // beyond a round trip, for the scheduling of either end
	askLongest = 10 * time.Second      // pause after a Want at most
	wantSpans  = 32                    // pieces of one message that are asked for at once
	tellAgain  = 50 * time.Millisecond // before the same is said again to a peer that does not heed it
	scoreKept  = 31. / 32              // of a score, with each message
	haltsMax   = 16                    // messages that a peer is told in tellAgain to send no more of
)

// lane is who sends what in full along a link.
type lane struct {
	source    bool           // we want messages from the peer in full
	wanted    bool           // it wants ours
	score     float64        // how often it was among the first two lately
	advised   time.Time      // when it was last told whether it is a source
	halted    wire.MessageID // the message that it was last told to stop
	wantedAt  time.Time      // when it was last sent a Want
	offers    []offer        // what it has announced, in the order in which it is due
	late      []offer        // what was due and did not come
	lateAt    time.Time      // when the first of late is due; zero for none
	tidyAt    int            // length at which those that have come are taken out of offers
	pursued   int            // entries of Core.asked that name it
	patience  time.Duration  // how long it takes to answer a Want, at least; zero until it was slow to
	impatient time.Time      // when patience last grew because no answer came
	credit    int            // pieces that it may still ask for
	halting   time.Time      // since when halts are counted
	halts     int            // messages that it was told to send no more of
	noticed   time.Time      // scratch of rank
}

// offer is a message that a peer has announced.
type offer struct {
	id    wire.MessageID
	total uint32
	tries uint8
	at    time.Time // when it was announced
	due   time.Time // when to ask for it if it has not come
}

// ask is when a message was last asked for, and of whom.
type ask struct {
	at time.Time
	of *peer
}

// newLane is that of a link that has just come to stand: until either end says otherwise all is sent.
func newLane() lane { return lane{source: true, wanted: true} }

// broadcastLinkUp begins to exchange broadcasts with p.
func (c *Core) broadcastLinkUp(now time.Time, p *peer) {
	c.resetLane(p)
	if !p.legacy {
		p.lane = newLane()
	}
	if len(c.links) == 1 {
		c.releaseHeld(now)
	}
	c.carry(now, p)
	c.welcome(now, p)
}

// broadcastLinkDown ends the exchange of broadcasts with p. Others are sent what only p was about to be sent.
func (c *Core) broadcastLinkDown(now time.Time, p *peer) {
	c.resetLane(p)
	p.deaf = p.swim.Silent(now)
	c.redirect(now, p)
}

// resetLane forgets what was known of a link.
func (c *Core) resetLane(p *peer) {
	c.unaskAll(p)
	p.lane, p.load = lane{}, load{listed: p.listed}
}

// sources is how many links messages are wanted from.
func (c *Core) sources() (n int) {
	for _, p := range c.links {
		if p.source {
			n++
		}
	}
	return n
}

// wanting is how many peers want messages in full.
func (c *Core) wanting() (n int) {
	for _, p := range c.links {
		if p.wanted {
			n++
		}
	}
	return n
}

// promote asks p to send messages in full.
func (c *Core) promote(now time.Time, p *peer) {
	p.source, p.advised = true, now
	c.stats.Grafts++
	c.plain = wire.AppendGraft(c.plain[:0], c.newID())
	c.sendPlain(now, p, c.plain)
}

// demote asks p to announce messages only, and to send no more of one.
func (c *Core) demote(now time.Time, p *peer, stop wire.MessageID) {
	p.source, p.advised, p.halted = false, now, stop
	c.stats.Prunes++
	c.plain = wire.AppendPrune(c.plain[:0], c.newID(), stop)
	c.sendPlain(now, p, c.plain)
}

// halt asks p to send no more of one message; it stays a source.
func (c *Core) halt(now time.Time, p *peer, stop wire.MessageID) {
	p.advised, p.halted = now, stop
	c.stats.Prunes++
	c.plain = wire.AppendPrune(c.plain[:0], c.newID(), stop)
	c.plain = wire.AppendGraft(c.plain, c.newID())
	c.sendPlain(now, p, c.plain)
}

// handlePrune begins to send nothing more to p in full, and stops what it names. Other messages go on, for
// it may have them from nobody else; of those that were not begun it is told, but for our own that go along few links.
func (c *Core) handlePrune(now time.Time, p *peer, data []byte) {
	stop, err := wire.ParsePrune(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	p.wanted = false
	if a := c.store.byID[stop]; a != nil {
		a.shown(p)
	}
	var untold []*assembly
	p.packets.EndTransfers(func(t *transfer) bool {
		a := t.Assembly()
		if a.direct || t.Asked() || t.Whole() || t.Begun() && a.id != stop || a.ours && a.pending <= sourcesMax {
			return false
		}
		if !t.Begun() {
			untold = append(untold, a)
		}
		return true
	})
	for _, a := range untold {
		c.announce(now, a, p)
	}
	c.tellQueued(now, p)
}

// handleGraft goes on to send to p in full.
func (c *Core) handleGraft(p *peer) {
	if p.linked {
		p.wanted = true
	}
}

// announce tells peers that a large message is here, or comes. It is kept for them.
func (c *Core) announce(now time.Time, a *assembly, to ...*peer) {
	for _, p := range to {
		a.tell(p)
	}
	c.mention(now, a, to...)
}

// mention tells peers that a large message is here. They may have it already, and would not say so.
func (c *Core) mention(now time.Time, a *assembly, to ...*peer) {
	if len(to) == 0 {
		return
	}
	c.have.Reset()
	c.have.Add(&a.id, a.total)
	c.plain = wire.AppendHave(c.plain[:0], c.newID(), &c.have)
	m := c.newSmall(now, c.plain)
	for _, p := range to {
		c.stats.Announced++
		p.credit = min(p.credit+wantSpans*askTries, offersMax)
		c.sendSmall(now, p, m)
	}
}

// handleHave takes note of what p announces. It is asked for if it does not come by itself.
func (c *Core) handleHave(now time.Time, p *peer, data []byte) {
	have, err := wire.ParseHave(data)
	switch {
	case err != nil:
		c.drop(DropMalformedBody)
		return
	case !p.linked:
		c.drop(DropUnexpected)
		return
	}
	news := false
	for i := range have.Len() {
		id, total := have.At(i)
		if a := c.store.byID[id]; a != nil {
			a.shown(p)
		}
		switch {
		case total == 0 || total > MessageMax:
			c.drop(DropOversize)
		case c.seen.Has(&id):
		default:
			news = true
			c.offered(now, p, offer{id: id, total: total, at: now, due: now.Add(p.roundTrip() + c.quiet)})
		}
	}
	if news && (p.source && now.Sub(p.advised) > tellAgain || !p.source && c.sources() < sourcesMax) {
		c.promote(now, p) // it has not heard that it is a source
	}
}

// offered remembers what p has.
func (c *Core) offered(now time.Time, p *peer, o offer) {
	if len(p.offers)+len(p.late) >= offersMax {
		c.drop(DropQueueFull)
		return
	}
	if len(p.offers) == 0 {
		c.timers.Advance(&p.timer, o.due)
	}
	p.offers = append(p.offers, o)
	if len(p.offers) >= max(p.tidyAt, offersTidy) { // most of them have come meanwhile
		p.offers = slices.DeleteFunc(p.offers, func(o offer) bool { return c.seen.Has(&o.id) })
		p.tidyAt = 2 * len(p.offers)
	}
}

// tickOffers asks p for what it has announced and nobody sent. It returns when it is next needed.
func (c *Core) tickOffers(now time.Time, p *peer) time.Time {
	if len(p.offers) == 0 && len(p.late) == 0 {
		return time.Time{}
	}
	c.want.Reset()
	graft := false
	ask := func(o *offer) (again bool) {
		again, nothing := c.pursue(now, p, o)
		graft = graft || nothing
		return again
	}
	room := func() bool {
		return (c.want.Len()+wantSpans)*wire.WantEntry < p.packets.Room()-wire.SpreadOverhead
	}
	if len(p.late) > 0 && !p.lateAt.After(now) {
		late := p.late
		p.late, p.lateAt = late[:0], time.Time{}
		for _, o := range late {
			switch {
			case c.seen.Has(&o.id):
				c.unask(o.id) // it came, or can be told from those that came no more
			case c.tooOld(now, &o):
			case o.due.After(now) || !room() || ask(&o):
				p.goesOn(o)
			}
		}
	}
	for len(p.offers) > 0 && !p.offers[0].due.After(now) && room() {
		if c.tooOld(now, &p.offers[0]) {
			p.offers = p.offers[1:]
			continue
		}
		if p.pursued >= askWindow { // it has enough to do
			p.offers[0].due = now.Add(c.askPause(p))
			break
		}
		o := p.offers[0]
		p.offers = p.offers[1:]
		if ask(&o) {
			p.goesOn(o)
		}
	}
	if c.want.Len() > 0 {
		c.stats.Wanted += uint64(c.want.Len())
		p.wantedAt = now
		c.plain = wire.AppendWant(c.plain[:0], c.newID(), &c.want)
		c.sendPlain(now, p, c.plain)
		if graft && !p.source && c.sources() <= sourcesMax {
			c.promote(now, p)
		}
	}
	if len(p.late) == 0 {
		p.late = nil
	}
	if len(p.offers) == 0 {
		p.offers = nil
		return p.lateAt
	}
	return timer.Soonest(p.lateAt, p.offers[0].due)
}

// announced reports whether the peer has announced a message that has not come.
func (l *lane) announced(id wire.MessageID) bool {
	is := func(o offer) bool { return o.id == id }
	return slices.ContainsFunc(l.offers, is) || slices.ContainsFunc(l.late, is)
}

// goesOn puts an announcement among those that are late.
func (l *lane) goesOn(o offer) {
	l.late = append(l.late, o)
	l.lateAt = timer.Soonest(l.lateAt, o.due)
}

// tooOld gives up an announcement whose message is not kept for us any more.
func (c *Core) tooOld(now time.Time, o *offer) bool {
	if now.Sub(o.at) <= announcedKeep || c.seen.Has(&o.id) {
		return false
	}
	c.unask(o.id)
	c.drop(DropAnnounced)
	return true
}

// pursue decides what becomes of an announcement whose time has come: nothing when the message is here;
// patience while it comes, or while somebody else was just asked; else a Want. nothing says that none of
// the message has come from anybody: who announced it shall be a source.
func (c *Core) pursue(now time.Time, p *peer, o *offer) (again, nothing bool) {
	if c.seen.Has(&o.id) {
		return false, false
	}
	a := c.store.byID[o.id]
	asked := c.asked[o.id]
	last := asked.at
	pause := c.askPause(p)
	if a != nil && a.came.After(last) {
		last = a.came
	}
	if due := last.Add(pause); due.After(now) {
		o.due = due
		return true, false
	}
	if asked.of == p {
		p.unanswered(now, asked.at)
		pause = c.askPause(p)
	}
	if o.tries == askTries {
		c.unask(o.id)
		c.drop(DropAnnounced)
		return false, false
	}
	if p.pursued >= askWindow && c.asked[o.id].of != p {
		o.due = now.Add(pause)
		return true, false
	}
	o.tries++
	o.due = now.Add(min(pause<<o.tries, askLongest)) // others that announced it are asked before
	c.askOf(now, o.id, p)
	if a == nil {
		c.want.Add(&o.id, 0, o.total)
		return true, true
	}
	a.have.Gaps(a.total, wantSpans, func(from, to uint32) { c.want.Add(&o.id, from, to) })
	return true, len(a.have) == 0
}

// askPause is how long p has to answer a Want.
func (c *Core) askPause(p *peer) time.Duration {
	return min(max(2*p.roundTrip()+c.quiet, p.patience), askLongest)
}

// supplied learns how long p takes to answer a Want: it may be slow, or have much to send before.
func (c *Core) supplied(now time.Time, p *peer, id *wire.MessageID) {
	if ask, ok := c.asked[*id]; ok && ask.of == p {
		took := now.Sub(ask.at)
		p.patience = max(p.patience*7/8, min(2*took, askLongest))
	}
}

// unanswered has p get more time for the next Want. Of those that were on their way together one counts.
func (l *lane) unanswered(now, asked time.Time) {
	if asked.After(l.impatient) {
		l.patience, l.impatient = min(2*max(l.patience, askQuiet), askLongest), now
	}
}

// askOf notes that p is asked for a message.
func (c *Core) askOf(now time.Time, id wire.MessageID, p *peer) {
	c.unask(id)
	if len(c.asked) >= askedMax {
		clear(c.asked)
		for _, o := range c.links {
			o.pursued = 0
		}
	}
	c.asked[id] = ask{now, p}
	p.pursued++
}

// unask forgets of whom a message was asked, because it is here, or given up.
func (c *Core) unask(id wire.MessageID) {
	if a, ok := c.asked[id]; ok {
		a.of.pursued--
		delete(c.asked, id)
	}
}

// unaskAll forgets what was asked of p.
func (c *Core) unaskAll(p *peer) {
	for id, a := range c.asked {
		if a.of == p {
			delete(c.asked, id)
		}
	}
	p.pursued = 0
}

// handleWant sends p what it asks for, as far as it is here and as it comes. A peer may ask for what it was
// told of, a few times.
func (c *Core) handleWant(now time.Time, p *peer, data []byte) {
	want, err := wire.ParseWant(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	for i := range want.Len() {
		id, from, to := want.At(i)
		if !p.linked || p.credit == 0 || from >= to {
			c.drop(DropUnexpected)
			continue
		}
		p.credit--
		if a := c.store.byID[id]; a != nil {
			c.serve(now, p, a, from, to)
		} else {
			c.serveSmall(now, p, &id)
		}
	}
	c.pump(now, p)
}

func (c *Core) serve(now time.Time, p *peer, a *assembly, from, to uint32) {
	switch {
	case !a.passed:
		c.drop(DropForgotten)
		return
	case from >= a.total, to > a.total+wire.BroadcastOverhead: // of a small message the whole plaintext was announced
		c.drop(DropUnexpected)
		return
	}
	to = min(to, a.total)
	t := p.packets.Transfer(a)
	if t == nil {
		t = p.packets.Begin(now, a, 0)
		t.Has(0, a.total)
	}
	if t.Pieces() > rangesMax {
		c.drop(DropOversize)
		return
	}
	p.packets.Prefer(t)
	t.Lacks(from, to)
}

// notice is when a peer first sent a piece of a message.
type notice struct {
	peer *peer
	at   time.Time
}

// noticed notes that p sends a message, in the order of the first pieces.
func (a *assembly) noticed(now time.Time, p *peer) (first bool) {
	if first = !slices.ContainsFunc(a.from, func(n notice) bool { return n.peer == p }); first {
		a.from = append(a.from, notice{p, now})
	}
	return first
}

// early reports whether p was among the first that sent a piece.
func (a *assembly) early(p *peer) bool {
	return slices.ContainsFunc(a.from[:min(len(a.from), sourcesMax)], func(n notice) bool { return n.peer == p })
}

// superfluous notes that p sent a piece of a message, if that is still here, that others had sent before.
// It stops the peer when there are quicker sources, or when it was stopped and has not heard that. Whoever was
// the first to send a message goes on until it is whole: nodes that are passed a message piece by piece
// and lean on each other only would else all wait for the rest.
func (c *Core) superfluous(now time.Time, p *peer, id wire.MessageID, a *assembly) {
	switch {
	case !p.linked || now.Sub(p.wantedAt) < 4*p.roundTrip()+askQuiet:
		return
	case a != nil && !a.complete() && a.early(p):
		return
	case id == p.halted && now.Sub(p.advised) <= max(tellAgain, 2*p.roundTrip()):
		return
	case !p.mayHalt(now):
		return
	}
	if p.source && c.sources() <= sourcesMax {
		c.halt(now, p, id)
	} else {
		c.demote(now, p, id)
	}
	if a != nil && !a.complete() { // it may still be needed
		c.offered(now, p, offer{id: a.id, total: a.total, at: now, due: now.Add(2*p.roundTrip() + askQuiet)})
	}
}

// mayHalt reports whether p is told of one more message. It may have many on their way, and send the pieces of
// each after another's.
func (l *lane) mayHalt(now time.Time) bool {
	if now.Sub(l.halting) > tellAgain {
		l.halting, l.halts = now, 0
	}
	l.halts++
	return l.halts <= haltsMax
}

// rank learns from a large message that is whole who was first to have it.
func (c *Core) rank(now time.Time, a *assembly) {
	c.award(c.byNotice(a))
	c.chooseSources(now, a.id)
}

// award gives points to the first of some links.
func (c *Core) award(order []*peer) {
	for _, p := range c.links {
		p.score *= scoreKept
	}
	for i, p := range order[:min(len(order), sourcesMax)] {
		p.score += 1 / float64(i+1)
	}
}

// chooseSources chooses the two links with the highest scores, of which one gives way only to a much better
// one. A message with the given id need not be sent on by who is dismissed.
func (c *Core) chooseSources(now time.Time, id wire.MessageID) {
	n := c.sources()
	for ; n > sourcesMax; n-- {
		c.demote(now, c.extreme(func(p *peer) bool { return p.source }, -1), id)
	}
	best := c.extreme(func(p *peer) bool { return !p.source && !p.legacy }, 1)
	if best == nil {
		return
	}
	worst := c.extreme(func(p *peer) bool { return p.source }, -1)
	if n < sourcesMax {
		c.promote(now, best)
	} else if best.score > 2*worst.score+2 {
		c.promote(now, best)
		c.demote(now, worst, id)
	}
}

// byNotice is the links in the order in which they told of a message, by a piece or by an announcement. An
// announcement counts a little later than it came: it overtakes pieces, and a link on which pieces come
// knows its rate, which another would have to find.
func (c *Core) byNotice(a *assembly) (order []*peer) {
	for _, p := range c.links {
		p.noticed = time.Time{}
		if i := slices.IndexFunc(p.offers, func(o offer) bool { return o.id == a.id }); i >= 0 {
			p.noticed = p.offers[i].at.Add(p.roundTrip()/4 + askQuiet/4)
		}
	}
	for _, n := range a.from {
		if n.peer.noticed.IsZero() || n.at.Before(n.peer.noticed) {
			n.peer.noticed = n.at
		}
		order = append(order, n.peer)
	}
	for _, p := range c.links {
		if !p.noticed.IsZero() && !slices.Contains(order, p) {
			order = append(order, p)
		}
	}
	slices.SortStableFunc(order, func(p, q *peer) int { return p.noticed.Compare(q.noticed) })
	return order
}

// extreme is the link of those that ok takes with the highest score (sign 1) or the lowest (-1): the
// earliest of equals.
func (c *Core) extreme(ok func(*peer) bool, sign float64) (x *peer) {
	for _, p := range c.links {
		if ok(p) && (x == nil || sign*p.score > sign*x.score) {
			x = p
		}
	}
	return x
}
