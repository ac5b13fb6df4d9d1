package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/selection"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// subscription is the state of ours to a peer.
type subscription uint8

const (
	subNone    subscription = iota
	subAsked                // StartSubscription sent
	subStarted              // SubscriptionStarted came
)

// Times of the links (docs/PROTOCOL.md, "Links").
const (
	askInterval    = 500 * time.Millisecond // between repeats of an unanswered StartSubscription
	askMax         = 5                      // sent before the peer counts as unwilling
	avoidBase      = 5 * time.Second        // a peer that refused is not asked again for so long, doubled each time
	avoidMax       = 5 * time.Minute
	choiceSoon     = 20 * time.Millisecond // until the next choice while links are missing
	choiceCalm     = time.Second           // without changes before an existing choice is improved,
	choiceLatest   = 5 * time.Second       // but no later than this after the first of them
	choiceInterval = time.Minute           // between choices when nothing changes
	dialFor        = 5 * time.Second       // a member that does not shake hands in this time is avoided
	wardFor        = 15 * time.Second      // a new member without a link to us is watched for so long
	subscribersPer = 4                     // subscribers accepted for each subscription of our own
)

// subscriptions is the choice of the members to hear from, and how far it has come.
type subscriptions struct {
	timer     timer.Timer
	choice    []wire.NodeID // in order of preference
	started   int           // peers whose SubscriptionStarted came
	changed   time.Time     // first change since the last choice; zero when none
	whole     time.Time     // when the choice was last made anew
	serving   int           // peers subscribed to us
	changes   uint64        // of the live members
	selection selection.Selection
}

func (s *subscriptions) chosen(id wire.NodeID) bool { return slices.Contains(s.choice, id) }

// wantChoice makes a choice due after a change of the members: soon while links are missing, else
// when things have calmed down, so that a mass start does not tear links as fast as it builds them.
func (c *Core) wantChoice(now time.Time) {
	s := &c.subs
	if s.changed.IsZero() {
		s.changed = now
	}
	if s.started < c.cfg.Subscriptions {
		c.timers.Advance(&s.timer, now.Add(choiceSoon))
		return
	}
	at := now.Add(choiceCalm)
	if latest := s.changed.Add(choiceLatest); latest.Before(at) {
		at = latest
	}
	c.timers.Set(&s.timer, at)
}

// linkless reports whether the node has no link with a Go node and is not about to get one.
func (c *Core) linkless() bool { return !c.hasLink() && !slices.ContainsFunc(c.subs.choice, c.pursued) }

// hasLink reports whether the node has a link with a Go node.
func (c *Core) hasLink() bool {
	return slices.ContainsFunc(c.links, func(p *peer) bool { return !p.legacy })
}

// chooseFirst subscribes to one member at once if the node has no link: to one that it has a session with, which
// needs no handshake, if there is one. That is for a Join that has come to its end. While the members still
// change, as in a mass start, a choice waits for more of them.
func (c *Core) chooseFirst(now time.Time) {
	if !c.linkless() || !c.self.Live() {
		return
	}
	c.followSelection(now) // its answer comes back here
	first := chooser{count: 1}
	for m := range c.members.Each {
		if !c.candidate(now, m) {
			continue
		}
		o := candidate{id: m.ID, key: pairKey(c.cfg.ID, m.ID, 1)}
		if p := c.peers[m.ID]; p != nil && p.set.Current(now) != nil {
			o.key = -1 / o.key // before all that have none, in the same order
		}
		first.offer(o)
	}
	for _, o := range first.best {
		c.subs.choice = append(c.subs.choice, o.id)
		c.subscribe(now, o.id)
	}
}

// candidate reports whether a member may be chosen that is not.
func (c *Core) candidate(now time.Time, m *members.Entry) bool {
	if m == c.self || m.Legacy() || !c.subs.selection.Allows(now, m.ID) {
		return false
	}
	return !c.subs.chosen(m.ID) && !c.avoided[m.ID].until.After(now)
}

// rechoose chooses whom to subscribe to and asks those who are new. What is given up goes on until
// the new ones have started. While the table is in flux, as in a mass start, only vacancies are filled:
// each new member would change the choice, and each change would cost a handshake.
func (c *Core) rechoose(now time.Time) {
	s := &c.subs
	s.changed = time.Time{}
	if !c.self.Live() {
		c.timers.Set(&s.timer, now.Add(choiceInterval))
		return
	}
	var before []wire.NodeID
	if c.cfg.Debug {
		before = slices.Clone(s.choice)
	}
	whole := now.Sub(c.changed) >= choiceCalm || now.Sub(s.whole) >= choiceLatest
	if whole && !s.whole.IsZero() { // the first link stays beside the first choice, which would often end it at once
		s.choice = s.choice[:0]
	}
	s.choice = slices.DeleteFunc(s.choice, func(id wire.NodeID) bool { return !c.pursued(id) || !s.selection.Allows(now, id) })
	if whole {
		s.whole = now
		c.timers.Set(&s.timer, now.Add(choiceInterval))
	} else {
		c.timers.Set(&s.timer, now.Add(choiceCalm))
	}
	c.followSelection(now)
	if m := c.members.Get(s.selection.Preferred()); m != nil && m.Live() && c.candidate(now, m) {
		s.choice = slices.Insert(s.choice, 0, m.ID)
	}
	var free time.Time // when the next avoided member may be asked again
	each := func(yield func(candidate)) {
		for m := range c.members.Each {
			if c.candidate(now, m) {
				yield(candidate{id: m.ID, zone: m.Zone, key: pairKey(c.cfg.ID, m.ID, weight(c.cfg.Strategy, m.Zone == c.cfg.Zone)), away: c.distance(m)})
			} else if until := c.avoided[m.ID].until; until.After(now) {
				free = timer.Soonest(free, until)
			}
		}
	}
	for _, o := range c.choose(each, whole) {
		s.choice = append(s.choice, o.id)
	}
	c.logChoice(now, before)
	if len(s.choice) < c.cfg.Subscriptions && !free.IsZero() {
		c.timers.Advance(&s.timer, free)
	}
	for _, id := range s.choice {
		c.subscribe(now, id)
	}
	c.chooseLegacy(now)
	c.trim(now)
}

// pursued reports whether a subscription to a member stands, or is on its way.
func (c *Core) pursued(id wire.NodeID) bool {
	m, p := c.members.Get(id), c.peers[id]
	return m != nil && m.Live() && (p != nil && p.sub != subNone || c.dialing(id))
}

// choose picks whom to subscribe to, of the candidates that each yields: the whole choice, or for the
// time being as many as are missing, without regard to the distances and the zones.
func (c *Core) choose(each func(yield func(candidate)), whole bool) []candidate {
	if !whole {
		ch := chooser{count: max(c.wanted()-len(c.subs.choice), 0)}
		each(ch.offer)
		return ch.chosen()
	}
	if c.cfg.Strategy == Nearest {
		c.surveyZones()
		return chooseNearest(each, c.cfg.Zone, c.wanted())
	}
	ch := chooser{zone: c.cfg.Zone, strategy: c.cfg.Strategy, count: c.wanted()}
	each(ch.offer)
	return ch.chosen()
}

// wanted is how many subscriptions to choose. A node with few subscribers takes a few more than
// configured: the last node to hear of a message is nearly always one with few links, and bringing
// those to eight makes it hear a fifth sooner for 3 % more copies (docs/PERFORMANCE.md). Not before
// the configured ones have started, for until then nobody has many subscribers.
func (c *Core) wanted() int {
	n := c.cfg.Subscriptions
	if c.subs.started < n {
		return n
	}
	return n + max(0, (n+1)/2-c.subs.serving)
}

// subscribe asks a chosen member, after a handshake where there is no session.
func (c *Core) subscribe(now time.Time, id wire.NodeID) {
	p := c.peers[id]
	switch {
	case p != nil && p.sub != subNone:
	case p != nil && p.set.Current(now) != nil:
		c.ask(now, p)
	case !c.dialing(id):
		c.dial(now, wire.Path{Remote: c.members.Get(id).Addr}, dial{member: id}, now.Add(dialFor))
	}
}

// ask sends a StartSubscription; the peer's timer repeats it.
func (c *Core) ask(now time.Time, p *peer) {
	p.sub = subAsked
	p.asked = now
	p.asks++
	c.sendIntroduced(now, p, wire.KindStartSubscription)
	c.timers.Advance(&p.timer, now.Add(askInterval))
}

// avoidance keeps a member out of the choice.
type avoidance struct {
	refusals uint8 // subscriptions refused or unanswered in a row
	until    time.Time
}

// avoid keeps a member that refused, or does not answer, out of the next choices, longer each time.
func (c *Core) avoid(now time.Time, m *members.Entry) {
	a := c.avoided[m.ID]
	pause := min(avoidBase<<a.refusals, avoidMax)
	c.logAvoided(now, m, pause)
	c.avoided[m.ID] = avoidance{refusals: min(a.refusals+1, 8), until: now.Add(pause/2 + time.Duration(c.rng.Int64N(int64(pause))))}
	c.wantChoice(now)
}

// avoidPeer gives up asking p.
func (c *Core) avoidPeer(now time.Time, p *peer) {
	c.setSub(now, p, subNone)
	if m := c.members.Get(p.id); m != nil {
		c.avoid(now, m)
	}
}

// trim ends the subscriptions that are not chosen any more, once all of the choice have started.
func (c *Core) trim(now time.Time) {
	for _, id := range c.subs.choice {
		if p := c.peers[id]; p == nil || p.sub != subStarted {
			return
		}
	}
	if len(c.subs.choice) == 0 {
		return
	}
	for _, p := range slices.Clone(c.links) {
		if p.sub != subNone && !p.legacy && !c.subs.chosen(p.id) {
			c.setSub(now, p, subNone)
			c.sendRequest(now, p, wire.KindEndSubscription)
		}
	}
}

// handleStart answers a peer that wants to subscribe. Past the bound it is refused and picks another.
func (c *Core) handleStart(now time.Time, p *peer) {
	c.remind(now, p)
	if p.vote != nil {
		p.vote.start = true // answered with the verdict
		return
	}
	if !p.subscriber && (!c.self.Live() || p.vetoed || c.subs.serving >= subscribersPer*c.cfg.Subscriptions) {
		c.sendRequest(now, p, wire.KindEndSubscription)
		return
	}
	c.setSubscriber(now, p, true)
	c.sendIntroduced(now, p, wire.KindSubscriptionStarted)
}

// sendIntroduced sends a request behind our own entry: the two that begin a link make sure that both
// ends have each other as members.
func (c *Core) sendIntroduced(now time.Time, p *peer, k wire.Kind) {
	if p.legacy {
		c.sendRequest(now, p, k)
		return
	}
	w := wire.BeginMembers(c.plain[:0], c.newID())
	w.Append(c.self.Fill(&c.entry), controlMax)
	c.plain = wire.AppendRequest(w.End(), c.newID(), k)
	c.sendPlain(now, p, c.plain)
}

// handleStarted takes note that a subscription of ours is served.
func (c *Core) handleStarted(now time.Time, p *peer) {
	if !c.self.Live() {
		c.setSub(now, p, subNone)
	}
	switch p.sub {
	case subAsked:
		delete(c.avoided, p.id)
		c.setSub(now, p, subStarted)
		c.trim(now)
	case subNone:
		c.sendRequest(now, p, wire.KindEndSubscription)
	}
}

// handleEnd takes an EndSubscription. It refuses the subscription that we asked for; else it ends the
// peer's to us; else the peer does not know of ours any more.
func (c *Core) handleEnd(now time.Time, p *peer) {
	switch {
	case p.sub == subAsked:
		c.avoidPeer(now, p)
	case p.subscriber:
		c.setSubscriber(now, p, false)
	case p.sub == subStarted:
		c.setSub(now, p, subNone)
		c.wantChoice(now)
	}
}

// handleHeartbeat answers a heartbeat from a peer that believes in a link which is none.
func (c *Core) handleHeartbeat(now time.Time, p *peer) {
	c.remind(now, p)
	if !p.linked && p.sub == subNone {
		c.sendRequest(now, p, wire.KindEndSubscription)
	}
}

// setSub changes the state of our subscription to p.
func (c *Core) setSub(now time.Time, p *peer, to subscription) {
	if p.sub == subStarted && !p.legacy {
		c.subs.started--
	}
	if to == subStarted && !p.legacy {
		c.subs.started++
	}
	p.sub, p.asks = to, 0
	c.relink(now, p)
}

// setSubscriber changes whether p is subscribed to us.
func (c *Core) setSubscriber(now time.Time, p *peer, to bool) {
	if p.subscriber != to && !p.legacy {
		if to {
			c.subs.serving++
		} else {
			c.subs.serving--
		}
	}
	p.subscriber = to
	c.relink(now, p)
}

// relink begins or ends the link with p after a change of the subscriptions. A link carries both ways, whoever subscribed.
func (c *Core) relink(now time.Time, p *peer) {
	switch linked := p.subscriber || p.sub == subStarted; {
	case linked && !p.linked:
		c.linkUp(now, p)
	case !linked && p.linked:
		c.linkDown(now, p)
	}
}

// unlink ends the link with p on this side, without a word.
func (c *Core) unlink(now time.Time, p *peer) {
	c.setSub(now, p, subNone)
	c.setSubscriber(now, p, false)
	c.wantChoice(now)
}

// tickLink asks again, sends the heartbeat and watches for silence. It returns when it is next needed.
func (c *Core) tickLink(now time.Time, p *peer) (next time.Time) {
	if p.sub == subAsked {
		if now.Sub(p.asked) >= askInterval && !p.legacy {
			if p.asks >= askMax {
				c.avoidPeer(now, p)
			} else {
				c.ask(now, p)
			}
		}
		if p.sub == subAsked && !p.legacy {
			next = p.asked.Add(askInterval)
		}
	}
	if p.legacy && p.sub != subNone && !p.linked {
		return timer.Soonest(next, c.tickLegacy(now, p))
	}
	if !p.linked && !p.swim.ward.After(now) {
		return next
	}
	if !p.linked {
		return timer.Soonest(next, c.tickSilence(now, p))
	}
	if !p.beat.After(now) {
		c.heartbeat(now, p)
	}
	next = timer.Soonest(next, p.beat)
	if p.legacy {
		return timer.Soonest(next, c.tickLegacy(now, p))
	}
	return timer.Soonest(next, c.tickSilence(now, p))
}
