package overlay

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and limits of subscriptions (docs/PROTOCOL.md G3).
const (
	RequestInterval = 500 * time.Millisecond // between repeats of an unanswered StartSubscription
	requestsMax     = 5                      // number of StartSubscriptions before the peer counts as refusing
)

// subscribe asks a chosen member for a subscription, after a handshake if there is no session.
func (o *Overlay) subscribe(now time.Time, c Contacts, id wire.NodeID) {
	p := c.OverlayPeer(id)
	switch {
	case p != nil && p.state != none:
	case p != nil && c.Reachable(now, id):
		o.request(now, p)
	case !c.Dialing(id):
		o.act(Action{Kind: Dial, Member: id})
	}
}

// Subscribe asks a member chosen by the caller for a subscription, regardless of the choice of the Overlay.
func (o *Overlay) Subscribe(out []Action, now time.Time, c Contacts, id wire.NodeID) []Action {
	o.begin(out)
	o.subscribe(now, c, id)
	return o.end()
}

// Request sends a StartSubscription to p.
func (o *Overlay) Request(out []Action, now time.Time, p *Peer) []Action {
	o.begin(out)
	o.request(now, p)
	return o.end()
}

// request sends a StartSubscription, which Tick repeats.
func (o *Overlay) request(now time.Time, p *Peer) {
	p.state = requested
	p.requestedAt = now
	p.requests++
	o.act(Action{Kind: Subscribe, Peer: p, At: now.Add(RequestInterval)})
}

// RequestedAgain records that the caller itself has repeated a StartSubscription.
func (p *Peer) RequestedAgain(now time.Time) { p.requestedAt = now }

// SessionReady records that messages can be sent to p from now on.
func (o *Overlay) SessionReady(out []Action, now time.Time, p *Peer) []Action {
	o.begin(out)
	if p.state == none && o.chosen(p.id) {
		o.request(now, p)
	}
	return o.end()
}

// Tick repeats an unanswered StartSubscription to p when it is due, and gives up after the last one. It returns when
// it must be called next, or zero for never.
func (o *Overlay) Tick(out []Action, now time.Time, p *Peer) (acts []Action, next time.Time) {
	if p.state != requested || p.legacy {
		return out, time.Time{}
	}
	o.begin(out)
	if now.Sub(p.requestedAt) >= RequestInterval {
		if p.requests < requestsMax {
			o.request(now, p)
		} else {
			o.giveUp(now, p)
		}
	}
	if p.state == requested {
		next = p.requestedAt.Add(RequestInterval)
	}
	return o.end(), next
}

// giveUp ends the request for a subscription to p, which refused it or did not answer.
func (o *Overlay) giveUp(now time.Time, p *Peer) {
	o.setState(p, none)
	o.avoid(now, p.id)
}

// HandleStart answers a StartSubscription. It refuses subscribers beyond the limit, which then choose another node.
// excluded says that the peer is not admitted as a member (PROTOCOL.md G1).
func (o *Overlay) HandleStart(out []Action, now time.Time, c Contacts, p *Peer, excluded bool) []Action {
	o.begin(out)
	if !p.subscriber && (!o.accepts(excluded) || o.crowds(c, p)) {
		o.act(Action{Kind: End, Peer: p})
		return o.end()
	}
	o.setSubscriber(p, true)
	o.act(Action{Kind: Confirm, Peer: p})
	return o.end()
}

// accepts reports whether one more subscriber is accepted (PROTOCOL.md G2).
func (o *Overlay) accepts(excluded bool) bool {
	full := o.serving >= SubscribersPer*o.cfg.Subscriptions
	return !excluded && !full && !o.departed()
}

// AddSubscriber makes p a subscriber. The caller sends the answer.
func (o *Overlay) AddSubscriber(out []Action, p *Peer) []Action {
	o.begin(out)
	o.setSubscriber(p, true)
	return o.end()
}

// HandleStarted handles a SubscriptionStarted: p confirms our subscription. If we did not ask for one, p must end it.
func (o *Overlay) HandleStarted(out []Action, c Contacts, p *Peer) []Action {
	o.begin(out)
	if o.departed() {
		o.setState(p, none)
	}
	switch p.state {
	case requested:
		delete(o.avoided, p.id)
		o.setState(p, started)
		o.trim(c)
	case none:
		o.act(Action{Kind: End, Peer: p})
	}
	return o.end()
}

// SetStarted confirms our subscription to p without ending others in its place.
func (o *Overlay) SetStarted(out []Action, p *Peer) []Action {
	o.begin(out)
	o.setState(p, started)
	return o.end()
}

// HandleEnd handles an EndSubscription. If our subscription was not confirmed yet, p refuses it. Otherwise p's
// subscription to us ends; if there is none, p does not know our subscription any more, which then ends
// (PROTOCOL.md G4).
func (o *Overlay) HandleEnd(out []Action, now time.Time, p *Peer) []Action {
	o.begin(out)
	switch {
	case p.state == requested:
		o.giveUp(now, p)
	case p.subscriber:
		o.setSubscriber(p, false)
	case p.state == started:
		o.setState(p, none)
		o.wantChoice(now)
	}
	return o.end()
}

// HandleHeartbeat answers a heartbeat of a peer that assumes a link that does not exist (PROTOCOL.md G5).
func (o *Overlay) HandleHeartbeat(out []Action, p *Peer) []Action {
	o.begin(out)
	if !p.linked && p.state == none {
		o.act(Action{Kind: End, Peer: p})
	}
	return o.end()
}

// LinkFailed ends a link in which one direction does not work although the peer is alive, and avoids the peer.
func (o *Overlay) LinkFailed(out []Action, now time.Time, p *Peer) []Action {
	o.begin(out)
	o.act(Action{Kind: End, Peer: p})
	o.unlink(now, p)
	o.avoid(now, p.id)
	return o.end()
}

// Trim ends the subscriptions to Go nodes that are no longer chosen, once all chosen ones have started.
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

// setState changes the state of our subscription to p.
func (o *Overlay) setState(p *Peer, to state) {
	if p.state == started && !p.legacy {
		o.started--
	}
	if to == started && !p.legacy {
		o.started++
	}
	p.state, p.requests = to, 0
	o.relink(p)
}

// setSubscriber changes whether p is subscribed to us.
func (o *Overlay) setSubscriber(p *Peer, to bool) {
	if p.subscriber != to && !p.legacy {
		if to {
			o.serving++
		} else {
			o.serving--
		}
	}
	p.subscriber = to
	o.relink(p)
}

// relink begins or ends the link with p after a subscription has changed.
func (o *Overlay) relink(p *Peer) {
	linked := p.subscriber || p.state == started
	if linked == p.linked {
		return
	}
	p.linked = linked
	if linked {
		o.links = append(o.links, p)
		o.act(Action{Kind: LinkUp, Peer: p})
		return
	}
	o.links = slices.DeleteFunc(o.links, func(other *Peer) bool { return other == p })
	o.act(Action{Kind: LinkDown, Peer: p})
}

// Unlink ends the link with p, if there is one, without notifying p.
func (o *Overlay) Unlink(out []Action, now time.Time, p *Peer) []Action {
	o.begin(out)
	o.unlink(now, p)
	return o.end()
}

func (o *Overlay) unlink(now time.Time, p *Peer) {
	o.setState(p, none)
	o.setSubscriber(p, false)
	o.wantChoice(now)
}

// Leave ends all links without notifying the peers, and empties the choice.
func (o *Overlay) Leave(out []Action, now time.Time) []Action {
	o.begin(out)
	for _, p := range slices.Clone(o.links) {
		o.unlink(now, p)
	}
	o.choice = o.choice[:0]
	return o.end()
}
