package overlay

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and bounds of subscriptions (docs/PROTOCOL.md, "Links").
const (
	AskInterval    = 500 * time.Millisecond // between repeats of an unanswered StartSubscription
	askMax         = 5                      // StartSubscriptions before the peer counts as unwilling
	SubscribersPer = 4                      // subscribers accepted for each subscription of this node
	avoidBase      = 5 * time.Second        // a member that refused is not asked again for so long, doubled each time
	avoidMax       = 5 * time.Minute
	refusalsMax    = 8 // refusals in a row that are counted
)

// subscribe asks a chosen member, after a handshake if there is no session.
func (o *Overlay) subscribe(now time.Time, c Contacts, id wire.NodeID) {
	p := c.OverlayPeer(id)
	switch {
	case p != nil && p.state != none:
	case p != nil && c.Reachable(now, id):
		o.ask(now, p)
	case !c.Dialing(id):
		o.act(Action{Kind: Dial, Member: id})
	}
}

// Subscribe asks a member that the caller has chosen, whatever the choice of the Overlay.
func (o *Overlay) Subscribe(out []Action, now time.Time, c Contacts, id wire.NodeID) []Action {
	o.begin(out)
	o.subscribe(now, c, id)
	return o.end()
}

// Ask sends a StartSubscription to p.
func (o *Overlay) Ask(out []Action, now time.Time, p *Peer) []Action {
	o.begin(out)
	o.ask(now, p)
	return o.end()
}

// ask sends a StartSubscription. Tick repeats it.
func (o *Overlay) ask(now time.Time, p *Peer) {
	p.state = asked
	p.askedAt = now
	p.asks++
	o.act(Action{Kind: Subscribe, Peer: p, At: now.Add(AskInterval)})
}

// AskedAgain notes that the caller has repeated a StartSubscription of its own accord.
func (p *Peer) AskedAgain(now time.Time) { p.askedAt = now }

// SessionReady says that messages can be sent to p from now on.
func (o *Overlay) SessionReady(out []Action, now time.Time, p *Peer) []Action {
	o.begin(out)
	if p.state == none && o.chosen(p.id) {
		o.ask(now, p)
	}
	return o.end()
}

// Tick repeats an unanswered StartSubscription to p when it is due, and gives up after the last one. It returns when it
// is next due; zero for never.
func (o *Overlay) Tick(out []Action, now time.Time, p *Peer) (acts []Action, next time.Time) {
	if p.state != asked || p.legacy {
		return out, time.Time{}
	}
	o.begin(out)
	if now.Sub(p.askedAt) >= AskInterval {
		if p.asks < askMax {
			o.ask(now, p)
		} else {
			o.giveUp(now, p)
		}
	}
	if p.state == asked {
		next = p.askedAt.Add(AskInterval)
	}
	return o.end(), next
}

// giveUp ends the request for a subscription to p, which refused it or does not answer.
func (o *Overlay) giveUp(now time.Time, p *Peer) {
	o.setState(p, none)
	o.avoid(now, p.id)
}

// HandleStart answers a StartSubscription. A further subscriber than the bound allows is refused, and chooses another
// node. excluded says that the peer is not admitted as a member.
func (o *Overlay) HandleStart(out []Action, now time.Time, p *Peer, excluded bool) []Action {
	o.begin(out)
	if !p.subscriber && !o.accepts(excluded) {
		o.act(Action{Kind: End, Peer: p})
		return o.end()
	}
	o.setSubscriber(p, true)
	o.act(Action{Kind: Confirm, Peer: p})
	return o.end()
}

// accepts reports whether one more subscriber is accepted.
func (o *Overlay) accepts(excluded bool) bool {
	full := o.serving >= SubscribersPer*o.cfg.Subscriptions
	return !excluded && !full && !o.departed()
}

// AddSubscriber makes p a subscriber. The caller answers it.
func (o *Overlay) AddSubscriber(out []Action, p *Peer) []Action {
	o.begin(out)
	o.setSubscriber(p, true)
	return o.end()
}

// HandleStarted takes a SubscriptionStarted: p serves our subscription. If none was asked for, the peer is told to end it.
func (o *Overlay) HandleStarted(out []Action, c Contacts, p *Peer) []Action {
	o.begin(out)
	if o.departed() {
		o.setState(p, none)
	}
	switch p.state {
	case asked:
		delete(o.avoided, p.id)
		o.setState(p, started)
		o.trim(c)
	case none:
		o.act(Action{Kind: End, Peer: p})
	}
	return o.end()
}

// SetStarted makes our subscription to p a confirmed one, without ending others in its place.
func (o *Overlay) SetStarted(out []Action, p *Peer) []Action {
	o.begin(out)
	o.setState(p, started)
	return o.end()
}

// HandleEnd takes an EndSubscription. If our subscription was not confirmed yet, it is a refusal. Otherwise it ends the
// subscription of p to us, or if there is none, p does not know ours any more.
func (o *Overlay) HandleEnd(out []Action, now time.Time, p *Peer) []Action {
	o.begin(out)
	switch {
	case p.state == asked:
		o.giveUp(now, p)
	case p.subscriber:
		o.setSubscriber(p, false)
	case p.state == started:
		o.setState(p, none)
		o.wantChoice(now)
	}
	return o.end()
}

// HandleHeartbeat answers a heartbeat of a peer that takes itself for linked although it is not.
func (o *Overlay) HandleHeartbeat(out []Action, p *Peer) []Action {
	o.begin(out)
	if !p.linked && p.state == none {
		o.act(Action{Kind: End, Peer: p})
	}
	return o.end()
}

// LinkFailed ends a link of which one direction does not work although its peer lives, and avoids the peer.
func (o *Overlay) LinkFailed(out []Action, now time.Time, p *Peer) []Action {
	o.begin(out)
	o.act(Action{Kind: End, Peer: p})
	o.unlink(now, p)
	o.avoid(now, p.id)
	return o.end()
}

// avoidance keeps a member out of the choice.
type avoidance struct {
	refusals uint8 // subscriptions refused or not answered in a row
	until    time.Time
}

// Avoid keeps a member that did not answer out of the next choices.
func (o *Overlay) Avoid(out []Action, now time.Time, id wire.NodeID) []Action {
	o.begin(out)
	o.avoid(now, id)
	return o.end()
}

// avoid keeps a member out of the next choices, longer each time.
func (o *Overlay) avoid(now time.Time, id wire.NodeID) {
	if o.members.Get(id) == nil {
		return
	}
	a := o.avoided[id]
	pause := min(avoidBase<<a.refusals, avoidMax)
	o.act(Action{Kind: Avoided, Member: id, Pause: pause})
	until := now.Add(pause/2 + time.Duration(o.rng.Int64N(int64(pause))))
	o.avoided[id] = avoidance{refusals: min(a.refusals+1, refusalsMax), until: until}
	o.wantChoice(now)
}

// Avoids reports whether a member is kept out of the choice now because it refused or did not answer.
func (o *Overlay) Avoids(now time.Time, id wire.NodeID) bool { return o.avoided[id].until.After(now) }

// Forget forgets that a member was to be avoided: it is not a live member any more.
func (o *Overlay) Forget(id wire.NodeID) { delete(o.avoided, id) }
