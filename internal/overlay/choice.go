package overlay

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times of the choice (docs/PROTOCOL.md, "Links").
const (
	choiceSoon     = 20 * time.Millisecond // until the next choice while subscriptions are missing
	choiceCalm     = time.Second           // without changes of the members before an existing choice is improved,
	choiceLatest   = 5 * time.Second       // but no later than this after the first change
	choiceInterval = time.Minute           // between choices when nothing changes
)

// MembersChanged says that a member has joined, changed or gone.
func (o *Overlay) MembersChanged(now time.Time) {
	o.version++
	o.changed = now
	o.wantChoice(now)
}

// WantChoice makes a choice due although no member has changed.
func (o *Overlay) WantChoice(now time.Time) { o.wantChoice(now) }

// wantChoice makes a choice due: soon while subscriptions are missing, otherwise when the members have been calm for a
// while. In a mass start, links would otherwise be replaced as quickly as they are made.
func (o *Overlay) wantChoice(now time.Time) {
	if o.pending.IsZero() {
		o.pending = now
	}
	if o.started < o.cfg.Subscriptions {
		o.choiceAt = timer.Soonest(o.choiceAt, now.Add(choiceSoon))
		return
	}
	o.choiceAt = timer.Soonest(now.Add(choiceCalm), o.pending.Add(choiceLatest))
}

func (o *Overlay) chosen(id wire.NodeID) bool { return slices.Contains(o.choice, id) }

// linkless reports whether the node has no link with a Go node and does not pursue one.
func (o *Overlay) linkless(c Contacts) bool {
	return !o.HasLink() && !slices.ContainsFunc(o.choice, func(id wire.NodeID) bool { return o.pursued(c, id) })
}

// pursued reports whether a subscription to a member stands, or is on its way.
func (o *Overlay) pursued(c Contacts, id wire.NodeID) bool {
	if !o.members.IsLive(id) {
		return false
	}
	p := c.OverlayPeer(id)
	return p != nil && p.state != none || c.Dialing(id)
}

// candidate reports whether a member that is not chosen may be.
func (o *Overlay) candidate(now time.Time, m *members.Entry) bool {
	if m.ID == o.self || m.Legacy() || !o.selection.Allows(now, m.ID) {
		return false
	}
	return !o.chosen(m.ID) && !o.Avoids(now, m.ID)
}

// ChooseFirst subscribes to one member at once if the node has no link: if possible to one that can be reached
// without a handshake. It is for the end of a Join. While the members still change, as in a mass start, a choice waits
// for more of them.
func (o *Overlay) ChooseFirst(out []Action, now time.Time, c Contacts) []Action {
	o.begin(out)
	o.chooseFirst(now, c)
	return o.end()
}

func (o *Overlay) chooseFirst(now time.Time, c Contacts) {
	if o.departed() || !o.linkless(c) {
		return
	}
	o.followSelection(now, c) // Select comes back here
	first := chooser{count: 1}
	for m := range o.members.Each {
		if !o.candidate(now, m) {
			continue
		}
		x := candidate{id: m.ID, key: pairKey(o.self, m.ID, 1)}
		if c.Reachable(now, m.ID) {
			x.key = -1 / x.key // before all others, in the same order
		}
		first.offer(x)
	}
	for _, x := range first.best {
		o.choice = append(o.choice, x.id)
		o.subscribe(now, c, x.id)
	}
}

// Rechoose chooses the members to subscribe to, and asks those that are new. The subscriptions to members that are no
// longer chosen stay until Trim. While the members change, as in a mass start, only vacancies are filled: each new member
// would change the choice, and each change would cost a handshake. It reports whether a choice was made.
func (o *Overlay) Rechoose(out []Action, now time.Time, c Contacts) (acts []Action, made bool) {
	o.begin(out)
	o.pending = time.Time{}
	if o.departed() {
		o.choiceAt = now.Add(choiceInterval)
		return o.end(), false
	}
	o.before = append(o.before[:0], o.choice...)
	whole := now.Sub(o.changed) >= choiceCalm || now.Sub(o.wholeAt) >= choiceLatest
	o.keepPursued(now, c, whole)
	o.followSelection(now, c)
	o.choosePreferred(now)
	for _, x := range o.choose(o.candidates(now), whole) {
		o.choice = append(o.choice, x.id)
	}
	if o.choiceChanged() {
		o.act(Action{Kind: Chosen})
	}
	if len(o.choice) < o.cfg.Subscriptions {
		o.choiceAt = timer.Soonest(o.choiceAt, o.nextFree(now))
	}
	for _, id := range o.choice {
		o.subscribe(now, c, id)
	}
	return o.end(), true
}

// keepPursued begins a choice with what remains of the previous one: nothing if the whole is chosen anew, otherwise the
// members that a subscription stands with, or is on its way to. The first whole choice adds to the first link, which it
// would often end otherwise.
func (o *Overlay) keepPursued(now time.Time, c Contacts, whole bool) {
	if whole && !o.wholeAt.IsZero() {
		o.choice = o.choice[:0]
	}
	o.choice = slices.DeleteFunc(o.choice, func(id wire.NodeID) bool {
		return !o.pursued(c, id) || !o.selection.Allows(now, id)
	})
	o.choiceAt = now.Add(choiceCalm)
	if whole {
		o.wholeAt, o.choiceAt = now, now.Add(choiceInterval)
	}
}

// choosePreferred puts the member that the application prefers before all others.
func (o *Overlay) choosePreferred(now time.Time) {
	m := o.members.Get(o.selection.Preferred())
	if m != nil && m.Live() && o.candidate(now, m) {
		o.choice = slices.Insert(o.choice, 0, m.ID)
	}
}

// candidates yields the members that may be chosen.
func (o *Overlay) candidates(now time.Time) func(yield func(candidate)) {
	return func(yield func(candidate)) {
		for m := range o.members.Each {
			if o.candidate(now, m) {
				key := pairKey(o.self, m.ID, weight(o.cfg.Strategy, m.Zone == o.cfg.Zone))
				yield(candidate{id: m.ID, zone: m.Zone, key: key, distance: o.distance(m)})
			}
		}
	}
}

// nextFree is when the next avoided member may be asked again; zero if none is avoided.
func (o *Overlay) nextFree(now time.Time) (next time.Time) {
	for m := range o.members.Each {
		if until := o.avoided[m.ID].until; until.After(now) {
			next = timer.Soonest(next, until)
		}
	}
	return next
}

// choiceChanged reports whether other members are chosen than before.
func (o *Overlay) choiceChanged() bool {
	isOut := func(id wire.NodeID) bool { return !o.chosen(id) }
	return len(o.before) != len(o.choice) || slices.ContainsFunc(o.before, isOut)
}

// choose picks from the candidates: the whole choice, or as many as are missing for now, without regard to distances
// and zones.
func (o *Overlay) choose(each func(yield func(candidate)), whole bool) []candidate {
	if !whole {
		ch := chooser{count: max(o.wanted()-len(o.choice), 0)}
		each(ch.offer)
		return ch.chosen()
	}
	if o.cfg.Strategy == Nearest {
		o.surveyZones()
		return chooseNearest(each, o.cfg.Zone, o.wanted())
	}
	ch := chooser{zone: o.cfg.Zone, strategy: o.cfg.Strategy, count: o.wanted()}
	each(ch.offer)
	return ch.chosen()
}

// wanted is how many members to choose. A node with few subscribers takes a few more than configured: the last node to
// receive a broadcast is nearly always one with few links, and receives it a fifth sooner with eight
// (docs/PERFORMANCE.md). It does so only when the configured ones have started, because until then no node has many
// subscribers.
func (o *Overlay) wanted() int {
	n := o.cfg.Subscriptions
	if o.started < n {
		return n
	}
	return n + max(0, (n+1)/2-o.serving)
}

// Trim ends the subscriptions to Go nodes that are no longer chosen, once all of the choice have started.
func (o *Overlay) Trim(out []Action, c Contacts) []Action {
	o.begin(out)
	o.trim(c)
	return o.end()
}

func (o *Overlay) trim(c Contacts) {
	for _, id := range o.choice {
		if p := c.OverlayPeer(id); p == nil || p.state != started {
			return
		}
	}
	if len(o.choice) == 0 {
		return
	}
	for _, p := range slices.Clone(o.links) {
		if p.state != none && !p.legacy && !o.chosen(p.id) {
			o.setState(p, none)
			o.act(Action{Kind: End, Peer: p})
		}
	}
}
