package entries

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Claim decides whether the node of an alive entry gets the name that it claims, and reports a conflict to the applications
// of both nodes. The caller acts on Contest and Replaced of the claim (PROTOCOL.md M4).
func (e *Entries) Claim(now time.Time, m *wire.Member) members.Claim {
	claim := e.cfg.Members.Claim(now, m, func(holder *members.Entry) bool { return e.isSuccessor(now, m, holder) })
	e.reportClaim(now, m, &claim)
	if p := e.cfg.Delivery.Peer(m.ID); p != nil {
		p.Waits, p.NewRun = !claim.Granted, claim.NewRun
		e.cfg.Delivery.Admit(now, p)
	}
	return claim
}

// Dismiss ends the claim of a new run of holder, if there is one, because holder has answered.
func (e *Entries) Dismiss(now time.Time, holder *members.Entry) {
	if claim, m := e.cfg.Members.Dismiss(now, holder); m != nil {
		e.reportClaim(now, m, &claim)
		if p := e.cfg.Delivery.Peer(m.ID); p != nil {
			e.cfg.Delivery.Dismiss(now, p)
		}
	}
}

// isSuccessor reports whether the node of m is a new run of holder: it has answered at the address of both, and holder does
// not answer in its session, or there is none.
func (e *Entries) isSuccessor(now time.Time, m *wire.Member, holder *members.Entry) bool {
	p, earlier := e.cfg.Delivery.Peer(m.ID), e.cfg.Delivery.Peer(holder.ID)
	if p == nil || !p.HasAnsweredAt(now, m.Addr) {
		return false
	}
	return e.cfg.Detector.Accuses(holder) || earlier == nil || earlier.Sessions.Current(now) == nil
}

// reportClaim reports that a claim of a name was not granted, and why.
func (e *Entries) reportClaim(now time.Time, m *wire.Member, claim *members.Claim) {
	if claim.Reserved != nil {
		e.cfg.Report.Reserved(now, m, claim.Reserved)
	}
	if claim.Conflict {
		other := e.cfg.Members.MemberOf(m)
		e.cfg.Events.Add(event.Event{Kind: event.Conflict, Member: claim.Holder.Member, Other: &other})
		e.cfg.Report.Conflict(now, claim.Holder, m)
	}
	if claim.Notify {
		e.sendClaim(now, e.cfg.Delivery.Peer(claim.Holder.ID), m)
	}
	if claim.Vacates {
		for _, p := range e.cfg.Delivery.Links() {
			e.sendClaim(now, p, m)
		}
	}
}

// sendClaim sends p an entry that claims a name: to the member that has the name, so that its application learns of it, and
// to links that may not know yet that the node of the entry has the address of a dead node. p is nil if there is no session.
func (e *Entries) sendClaim(now time.Time, p *delivery.Peer, m *wire.Member) {
	if p != nil {
		w := e.Answers(p)
		w.Append(now, m)
		w.Flush(now)
	}
}
