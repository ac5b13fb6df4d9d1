// Package exchange carries the push/pulls of a node: their messages to peers, and their questions to the application.
//
// A Messenger owns nothing except what it needs to send. Which states and member lists are exchanged, and what the
// application must decide, is decided by internal/pushpull. How a message reaches its peer is decided by
// internal/delivery. The Messenger puts an outcome of the one in the form of the other. It never changes a member or a
// Join, and begins no handshake: those outcomes are the caller's, and Perform says which they are.
package exchange

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config configures a Messenger. All fields are required.
type Config struct {
	Exchanger *pushpull.Exchanger
	Delivery  *delivery.Delivery
	IDs       *wire.IDs
	Events    *event.Queue // where questions to the application are queued
	Report    *report.Reporter
}

// A Messenger carries the push/pulls of one node. Create it with New. It is not safe for concurrent use.
type Messenger struct {
	cfg    Config
	sender *delivery.Sender // of cfg.Delivery
}

// New returns a Messenger.
func New(cfg Config) *Messenger { return &Messenger{cfg: cfg, sender: &cfg.Delivery.Sender} }

// Perform executes an outcome of the Exchanger that means to ask the application, to answer a peer briefly, or to log. It
// reports false if the outcome is the caller's.
func (m *Messenger) Perform(now time.Time, o *pushpull.Outcome) bool {
	switch o.Kind {
	case pushpull.StateWanted, pushpull.StateArrived, pushpull.MergeAsked, pushpull.AliveAsked:
		m.cfg.Events.Add(question(o))
	case pushpull.OwnStateTooLarge:
		m.cfg.Report.OwnStateTooLarge(now, o.Size, delivery.MessageMax)
	case pushpull.SendNothing, pushpull.SendRefusal, pushpull.VetoedHere, pushpull.VetoedByPeer, pushpull.StateTooLarge:
		if p := m.cfg.Delivery.Peer(o.Peer.ID); p != nil {
			m.performOn(now, p, o)
		}
	default:
		return false
	}
	return true
}

// question returns the event that asks the application, or passes it a state.
func question(o *pushpull.Outcome) event.Event {
	e := event.Event{State: o.Token, Joining: o.Joining}
	if o.Join != nil {
		e.Token = event.JoinToken(o.Join.Token)
	}
	switch o.Kind {
	case pushpull.StateWanted:
		e.Kind = event.StateWanted
	case pushpull.StateArrived:
		e.Kind, e.Data = event.State, o.Data
	case pushpull.MergeAsked:
		e.Kind, e.Peers = event.MergeAsked, o.Members
	case pushpull.AliveAsked:
		e.Kind, e.Vote, e.Member = event.AliveAsked, o.Vote, *o.Member
	}
	return e
}

// performOn executes an outcome that concerns p.
func (m *Messenger) performOn(now time.Time, p *delivery.Peer, o *pushpull.Outcome) {
	switch at := p.Sessions.Path().Remote; o.Kind {
	case pushpull.SendNothing:
		m.sender.Send(now, p, wire.AppendDirect(m.sender.Begin(), o.ID, wire.Direct{Use: o.Use}))
	case pushpull.SendRefusal:
		m.sender.Send(now, p, wire.AppendStateRefused(m.sender.Begin(), m.cfg.IDs.Control(), o.ID))
	case pushpull.VetoedHere:
		m.cfg.Report.Vetoed(now, p.ID, at, o.Err)
	case pushpull.VetoedByPeer:
		m.cfg.Report.VetoedByPeer(now, p.ID, at, o.Err.(*pushpull.VetoError).Reason)
	case pushpull.StateTooLarge:
		m.cfg.Report.StateTooLarge(now, p.ID, at, o.Size, delivery.MessageMax)
	}
}

// Send begins to send a push or an answer as a direct message, and appends the outcomes of that to out. If it cannot be sent,
// or its exchange has ended, Send returns false. The caller reports the result to the Exchanger.
func (m *Messenger) Send(out []direct.Outcome, now time.Time, o *pushpull.Outcome) (_ []direct.Outcome, id wire.MessageID, ok bool) {
	p := m.cfg.Delivery.Peer(o.Peer.ID)
	if p == nil || !m.cfg.Exchanger.InProgress(o.Exchange) {
		return out, id, false
	}
	directs := &m.cfg.Delivery.Directs
	if id = o.ID; id == (wire.MessageID{}) {
		id = directs.Sender.NewID()
	}
	out, err := directs.Start(out, now, &direct.Message{ID: id, To: p.Sessions.Path().Remote, Use: o.Use, Until: o.Until, For: o.Exchange}, p, o.Data)
	return out, id, err == nil
}

// ExchangeOf returns the exchange that a direct message belongs to, or nil if it is of no exchange.
func ExchangeOf(m *direct.Message) *pushpull.Exchange {
	e, _ := m.For.(*pushpull.Exchange)
	return e
}
