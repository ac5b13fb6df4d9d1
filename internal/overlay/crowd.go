package overlay

import (
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Limits of subscribers.
const (
	SubscribersPer      = 4 // subscribers accepted for each subscription of this node
	SubscribersOfSource = 2 // subscribers accepted from one source, if there are as many as subscriptions of this node
)

// sourceOf returns the source of a member. An entry may contain a false address, so the address of its packets counts
// if there is a session.
func (o *Overlay) sourceOf(c Contacts, m *members.Entry) source {
	if at := c.Remote(m.ID); at.IsValid() {
		return sourceOf(o.members.Self().Addr, at)
	}
	return sourceOf(o.members.Self().Addr, m.Addr)
}

// sourcesOf returns the sources of members.
func (o *Overlay) sourcesOf(c Contacts, ids []wire.NodeID) (list []source) {
	for _, id := range ids {
		if m := o.members.Get(id); m != nil {
			list = append(list, o.sourceOf(c, m))
		}
	}
	return list
}

// crowds reports whether p, as a further subscriber, would leave too little room for other sources. There is enough
// room while there are fewer subscribers than subscriptions. A source of most members gets no link besides one, because
// its members ask most.
func (o *Overlay) crowds(c Contacts, p *Peer) bool {
	if p.linked {
		return false
	}
	self := o.members.Self().Addr
	s, links, subscribers := sourceOf(self, c.Remote(p.id)), 0, 0
	for _, other := range o.links {
		if other.legacy || sourceOf(self, c.Remote(other.id)) != s {
			continue
		}
		if links++; other.subscriber {
			subscribers++
		}
	}
	if s == o.crowd {
		return links > 0
	}
	return subscribers >= SubscribersOfSource && o.serving >= o.cfg.Subscriptions
}

// findCrowd finds the source of more than half of the members, if there is one and the members are so many that they
// could take all places for subscribers.
func (o *Overlay) findCrowd(c Contacts) {
	o.crowd = source{}
	if o.members.Count() <= SubscribersPer*o.cfg.Subscriptions {
		return
	}
	var most source // the one of a majority, if there is one (Boyer and Moore 1981)
	votes, count := 0, 0
	for m := range o.members.Each {
		switch s := o.sourceOf(c, m); {
		case votes == 0:
			most, votes = s, 1
		case s == most:
			votes++
		default:
			votes--
		}
	}
	for m := range o.members.Each {
		if o.sourceOf(c, m) == most {
			count++
		}
	}
	if 2*count > o.members.Count() {
		o.crowd = most
	}
}
