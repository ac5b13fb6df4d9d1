package overlay

import (
	"math"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// linkless reports whether the node has no link with a Go node and is not about to get one.
func (o *Overlay) linkless(c Contacts) bool {
	return !o.HasLink() && !slices.ContainsFunc(o.choice, func(id wire.NodeID) bool { return o.requested(c, id) })
}

// requested reports whether this node has subscribed to a live member, or is asking it or dialing it.
func (o *Overlay) requested(c Contacts, id wire.NodeID) bool {
	if !o.members.IsLive(id) {
		return false
	}
	p := c.OverlayPeer(id)
	return p != nil && p.state != none || c.Dialing(id)
}

// candidate reports whether a member that is not chosen may be chosen.
func (o *Overlay) candidate(now time.Time, m *members.Entry) bool {
	if m.ID == o.self || m.Legacy() || !o.selection.Allows(now, m.ID) {
		return false
	}
	return !o.chosen(m.ID) && !o.Avoids(now, m.ID)
}

// ChooseFirst subscribes to one member at once if the node has no link. It prefers a member that needs no handshake.
// It is for the end of a Join: Rechoose waits for more members while the members change, as in a mass start
// (PROTOCOL.md G10).
func (o *Overlay) ChooseFirst(out []Action, now time.Time, c Contacts) []Action {
	o.begin(out)
	o.chooseFirst(now, c)
	return o.end()
}

func (o *Overlay) chooseFirst(now time.Time, c Contacts) {
	if o.departed() || !o.linkless(c) {
		return
	}
	o.followSelection(now, c) // Select calls chooseFirst again
	first := chooser{count: 1}
	for m := range o.members.Each {
		if !o.candidate(now, m) {
			continue
		}
		x := candidate{id: m.ID, key: o.members.Rank(m)}
		if c.Reachable(now, m.ID) {
			x.key = -1 / x.key // before all others, in the same order
		}
		first.consider(x)
	}
	for _, x := range first.best {
		o.choice = append(o.choice, x.id)
		o.subscribe(now, c, x.id)
	}
}

// Rechoose chooses the members to subscribe to, and asks the new ones. Other subscriptions stay until Trim. While the
// members change, as in a mass start, it only fills vacancies, because each new member would change the choice, and
// each change would cost a handshake. It reports whether a choice was made.
func (o *Overlay) Rechoose(out []Action, now time.Time, c Contacts) (acts []Action, made bool) {
	o.begin(out)
	o.pending = time.Time{}
	if o.departed() {
		o.choiceAt = now.Add(choiceInterval)
		return o.end(), false
	}
	o.before = append(o.before[:0], o.choice...)
	whole := now.Sub(o.changed) >= choiceCalm || now.Sub(o.wholeAt) >= choiceLatest
	o.keepRequested(now, c, whole)
	o.followSelection(now, c)
	o.choosePreferred(now)
	before := len(o.choice)
	for _, x := range o.choose(now, c, whole) {
		o.choice = append(o.choice, x.id)
	}
	if whole {
		o.keep(now, o.choice[before:])
	}
	slices.SortStableFunc(o.choice, o.keptLast)
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

// keepRequested keeps a part of the previous choice: the kept members if whole, otherwise the members that this node has
// subscribed to, is asking or is dialing. The first whole choice also keeps that part, because it would often end the
// first link.
func (o *Overlay) keepRequested(now time.Time, c Contacts, whole bool) {
	if whole && !o.wholeAt.IsZero() {
		o.choice = append(o.choice[:0], o.kept...)
	}
	o.choice = slices.DeleteFunc(o.choice, func(id wire.NodeID) bool {
		return !o.requested(c, id) || !o.selection.Allows(now, id)
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

// candidates yields the members that may be chosen and whose ranks are at most limit.
func (o *Overlay) candidates(now time.Time, c Contacts, limit *float64) func(yield func(candidate)) {
	return func(yield func(candidate)) {
		for m := range o.members.Each {
			if rank := o.members.Rank(m); rank <= *limit && o.candidate(now, m) {
				key := rank / weight(o.cfg.Strategy, m.Zone == o.cfg.Zone)
				yield(candidate{id: m.ID, zone: m.Zone, source: o.sourceOf(c, m), key: key, distance: o.distances.of(m)})
			}
		}
	}
}

// nextFree returns when the next avoided member may be asked again, or zero if none is avoided.
func (o *Overlay) nextFree(now time.Time) (next time.Time) {
	for id, a := range o.avoided {
		if a.until.After(now) && o.members.IsLive(id) {
			next = timer.Soonest(next, a.until)
		}
	}
	return next
}

// choiceChanged reports whether the choice differs from the previous one.
func (o *Overlay) choiceChanged() bool {
	isOut := func(id wire.NodeID) bool { return !o.chosen(id) }
	return len(o.before) != len(o.choice) || slices.ContainsFunc(o.before, isOut)
}

// choose selects from the candidates: the whole choice, or as many as are missing now, without regard to distances and
// zones.
func (o *Overlay) choose(now time.Time, c Contacts, whole bool) []candidate {
	ch := chooser{limit: math.Inf(1)}
	each := o.candidates(now, c, &ch.limit)
	if !whole {
		ch.count, ch.taken = max(o.wanted()-len(o.choice), 0), o.sourcesOf(c, o.choice)
	} else {
		o.findCrowd(c)
		kept := slices.DeleteFunc(slices.Clone(o.choice), func(id wire.NodeID) bool { return !slices.Contains(o.kept, id) })
		ch.zone, ch.strategy, ch.count = o.cfg.Zone, o.cfg.Strategy, o.wanted()
		ch.kept, ch.taken, ch.hubsMost = len(kept), o.sourcesOf(c, kept), hubsPer*o.cfg.Subscriptions
		if o.cfg.Strategy == Nearest {
			o.distances.survey(o.members)
			abroad := slices.ContainsFunc(kept, func(id wire.NodeID) bool { return o.members.Get(id).Zone != o.cfg.Zone })
			return chooseNearest(each, ch, max(nearestRandom-len(kept), 0), abroad)
		}
	}
	if ch.local(0) > 0 {
		each(ch.consider)
	}
	return ch.chosen()
}

// wanted returns the number of members to choose. A node with few subscribers chooses a few more than configured,
// because the last node to receive a broadcast is usually one with few links (docs/PERFORMANCE.md). It does so only
// after the configured ones have started, because until then no node has many subscribers (PROTOCOL.md G9).
func (o *Overlay) wanted() int {
	n := o.cfg.Subscriptions
	if o.started < n {
		return n
	}
	return n + max(0, (n+1)/2-o.serving)
}

// followSelection asks the application which members may be chosen, if the members have changed since it was last
// asked. It also schedules a choice for the time when the selection must be checked again.
func (o *Overlay) followSelection(now time.Time, c Contacts) {
	ask, again := o.selection.Due(now, o.version, o.linkless(c))
	if ask {
		o.askSelection(now)
	}
	o.choiceAt = timer.Soonest(o.choiceAt, again)
}

// AskSelection asks the application about all members, unless an answer is pending.
func (o *Overlay) AskSelection(out []Action, now time.Time) []Action {
	o.begin(out)
	o.askSelection(now)
	return o.end()
}

func (o *Overlay) askSelection(now time.Time) {
	if o.selection.Pending() {
		return
	}
	ids := make([]wire.NodeID, 0, o.members.Count())
	for m := range o.members.Each {
		ids = append(ids, m.ID)
	}
	o.selection.Asked(now, o.version, ids)
	o.act(Action{Kind: AskSelection})
}

// Select handles the application's answer to AskSelection. selected are the members that may be chosen. preferred is
// chosen before all others, even if it is not selected; zero for none. expected reports whether an answer was pending.
// The caller calls Rechoose next.
func (o *Overlay) Select(out []Action, now time.Time, c Contacts, selected []wire.NodeID, preferred wire.NodeID) (acts []Action, expected bool) {
	if !o.selection.Pending() {
		return out, false
	}
	o.begin(out)
	o.selection.Answered(now, selected, preferred)
	o.chooseFirst(now, c)
	return o.end(), true
}

// DrawSelected returns a random selected Go member other than this node, or nil if there is none. If preferred is set,
// it returns the preferred member if that is alive.
func (o *Overlay) DrawSelected(now time.Time, preferred bool) (drawn *members.Entry) {
	if m := o.members.Get(o.selection.Latest()); preferred && m != nil && m.Live() {
		return m
	}
	n := 0
	for m := range o.members.Each {
		if m.ID == o.self || m.Legacy() || !o.selection.Allows(now, m.ID) {
			continue
		}
		if n++; o.rng.IntN(n) == 0 {
			drawn = m
		}
	}
	return drawn
}

// keptMost is the number of members that stay chosen although others have lower keys.
const keptMost = 2

// keptLast orders the kept members after the others.
func (o *Overlay) keptLast(a, b wire.NodeID) int {
	switch ka, kb := slices.Contains(o.kept, a), slices.Contains(o.kept, b); {
	case ka == kb:
		return 0
	case ka:
		return 1
	}
	return -1
}

// keep removes the kept members that are not chosen any more, and replaces them with members drawn from those that were
// just chosen. Ids that appear later, however many, do not displace the kept members. In a mass start it waits until
// the members are calm, because otherwise most nodes would keep the few members that they learned first.
func (o *Overlay) keep(now time.Time, chosen []wire.NodeID) {
	o.kept = slices.DeleteFunc(o.kept, func(id wire.NodeID) bool { return !o.chosen(id) })
	if now.Sub(o.changed) < choiceCalm && now.Sub(o.began) < choiceInterval {
		return
	}
	most := min(keptMost, o.cfg.Subscriptions-1)
	if o.cfg.Strategy == Nearest { // the last ones were chosen without regard to distance
		chosen = chosen[max(len(chosen)-most+len(o.kept), 0):]
	}
	from := slices.DeleteFunc(slices.Clone(chosen), func(id wire.NodeID) bool { return !o.mayKeep(id) })
	for len(o.kept) < most && len(from) > 0 {
		i := o.rng.IntN(len(from))
		o.kept = append(o.kept, from[i])
		from = slices.Delete(from, i, i+1)
	}
}

// mayKeep reports whether a chosen member may be kept. With HubAndSpoke, that is a member of the node's own zone,
// because there is one hub of each other zone.
func (o *Overlay) mayKeep(id wire.NodeID) bool {
	if slices.Contains(o.kept, id) {
		return false
	}
	m := o.members.Get(id)
	return m != nil && (o.cfg.Strategy != HubAndSpoke || m.Zone == o.cfg.Zone)
}
