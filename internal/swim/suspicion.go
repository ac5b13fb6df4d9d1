package swim

import (
	"math"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Suspicions returns the number of suspected members.
func (d *Detector) Suspicions() int { return len(d.suspicions) }

// EachSuspicion calls yield with each suspected member and the time when its suspicion began, in random order.
func (d *Detector) EachSuspicion(yield func(m *members.Entry, began time.Time)) {
	for id, s := range d.suspicions {
		if m := d.table.Get(id); m != nil {
			yield(m, s.began)
		}
	}
}

// Accusers returns the accusers of m, in the order of their accusations, and the accused incarnation. If all is false,
// it omits accusers that were already sent to the links. The slice is read-only and valid until the next input.
func (d *Detector) Accusers(m *members.Entry, all bool) (accusers []wire.NodeID, incarnation uint64) {
	s := d.suspicionOf(m)
	switch {
	case s == nil:
		return nil, 0
	case all:
		return s.accusers, s.incarnation
	}
	return s.accusers[s.passedOn:], s.incarnation
}

// PassedOn records that all accusers of m were sent to the links.
func (d *Detector) PassedOn(m *members.Entry) {
	if s := d.suspicionOf(m); s != nil {
		s.passedOn = len(s.accusers)
	}
}

// HandleAccusation handles an accusation, by the node by, of the given incarnation of m, which may be nil. via is the
// peer that passed the accusation on, or nil.
func (d *Detector) HandleAccusation(out []Action, now time.Time, m *members.Entry, incarnation uint64, by wire.NodeID, via *Peer) []Action {
	if d.isStale(m, incarnation, by) {
		return out
	}
	return d.Accuse(out, now, m, incarnation, by, via)
}

// HandleEntry handles an accusation, or an unproven claim that m is dead or has left. compared says that the entry comes
// from a comparison of tables, so it may be old.
func (d *Detector) HandleEntry(out []Action, now time.Time, m *members.Entry, e *wire.Member, compared bool, via *Peer) []Action {
	if e.State == wire.StateSuspect || compared {
		return d.HandleAccusation(out, now, m, e.Incarnation, e.From, via)
	}
	return d.handleUnproven(out, now, m, e.Incarnation, e.From, via)
}

// handleUnproven handles an unproven claim of the node by that the live member m is dead or has left. It is an
// accusation whose accused has no more than the shortest time to refute, counted from the first accusation.
func (d *Detector) handleUnproven(out []Action, now time.Time, m *members.Entry, incarnation uint64, by wire.NodeID, via *Peer) []Action {
	d.begin(out)
	if d.isStale(m, incarnation, by) {
		return d.take()
	}
	d.accuse(now, m, incarnation, by, via)
	if s := d.suspicionOf(m); s != nil && incarnation >= s.incarnation {
		s.decided = true
		d.decide(now, m, s)
	}
	return d.take()
}

// isStale reports, and counts, that an accusation is about no member, was refuted, or claims to be by this node.
func (d *Detector) isStale(m *members.Entry, incarnation uint64, by wire.NodeID) bool {
	isMember := m != nil && m.Live()
	if isMember && incarnation > m.Refuted && by != d.self.ID {
		return false
	}
	d.Stats.AccusationsStale++
	return true
}

// Accuse is like HandleAccusation for a live member, but ignores earlier refutations.
func (d *Detector) Accuse(out []Action, now time.Time, m *members.Entry, incarnation uint64, by wire.NodeID, via *Peer) []Action {
	d.begin(out)
	d.accuse(now, m, incarnation, by, via)
	return d.take()
}

// accuse begins or confirms a suspicion. A new accusation is sent to the links and to the accused (PROTOCOL.md V4).
func (d *Detector) accuse(now time.Time, m *members.Entry, incarnation uint64, by wire.NodeID, via *Peer) {
	if m == d.self || !isGoMember(m) {
		return
	}
	s := d.suspicionOf(m)
	begins := s == nil || incarnation > s.incarnation
	news := begins || d.isNews(now, s, incarnation, by)
	if news && via != nil && !d.ration.mayBring(now, m.ID, via, begins, d.cfg.ProbeInterval) {
		d.Stats.AccusationsRationed++
		return
	}
	if begins {
		s = d.beginSuspicion(now, m, incarnation)
	}
	s.private = false
	if by == d.self.ID && !s.own {
		s.own = true // shortens the time until the decision
		d.Stats.SuspicionsRaised++
	}
	d.awaitDecision(now, m, s)
	if !d.isNews(now, s, incarnation, by) {
		d.Stats.AccusationsStale++
		return
	}
	s.accusers = append(s.accusers, by)
	d.add(Action{Kind: Suspected, Member: m, By: by})
	d.awaitDecision(now, m, s)
	d.add(Action{Kind: Spread, Member: m, Peer: via})
	if by != d.self.ID && d.requests.failed(m.ID) {
		d.accuse(now, m, incarnation, d.self.ID, nil)
	}
	if p := d.peers[m.ID]; p != nil && !p.linked {
		d.add(Action{Kind: SendNotice, Peer: p, Member: m})
	}
}

// isNews reports whether an accusation is by a new accuser of the current incarnation, within the number that counts.
func (d *Detector) isNews(now time.Time, s *suspicion, incarnation uint64, by wire.NodeID) bool {
	if incarnation < s.incarnation || len(s.accusers) > d.confirmationsWanted(now) {
		return false
	}
	return !slices.Contains(s.accusers, by)
}

// addSelfAsAccuser makes this node an accuser of m.
func (d *Detector) addSelfAsAccuser(now time.Time, m *members.Entry) {
	incarnation := m.Incarnation
	if s := d.suspicionOf(m); s != nil && !s.private { // confirm the accusation of others instead of starting a suspicion
		incarnation = s.incarnation
	}
	d.accuse(now, m, incarnation, d.self.ID, nil)
}

// suspectAlone suspects m without telling any node, because this node hears none (PROTOCOL.md V11). If this node is
// deaf, its accusation is wrong and it would not hear the refutation. If it is alone, there is no node to tell.
func (d *Detector) suspectAlone(now time.Time, m *members.Entry) {
	d.health.note(1)
	d.alone = true
	d.add(Action{Kind: NobodyHeard, Age: now.Sub(d.heardAny)})
	s := d.suspicionOf(m)
	if s == nil {
		s = d.beginSuspicion(now, m, m.Incarnation)
		s.private = true
	}
	if s.own {
		return
	}
	s.own = true
	s.accusers = append(s.accusers, d.self.ID)
	d.add(Action{Kind: Suspected, Member: m, By: d.self.ID})
	d.Stats.SuspicionsRaised++
	d.awaitDecision(now, m, s)
}

func (d *Detector) beginSuspicion(now time.Time, m *members.Entry, incarnation uint64) *suspicion {
	d.EndSuspicion(m)
	s := &suspicion{incarnation: incarnation, began: now}
	s.timer.Fire = func(now time.Time) { d.decide(now, m, s) }
	d.suspicions[m.ID] = s
	if m.State != wire.StateSuspect {
		d.table.SetState(now, m, wire.StateSuspect)
	}
	return s
}

// EndSuspicion ends the suspicion of m, if there is one. The caller sets the state of m.
func (d *Detector) EndSuspicion(m *members.Entry) {
	if s := d.suspicions[m.ID]; s != nil {
		d.timers.Stop(&s.timer)
		delete(d.suspicions, m.ID)
	}
}

// HandleRefutation ends the suspicion of m if m's entry refutes it, and reports whether it did.
func (d *Detector) HandleRefutation(now time.Time, m *members.Entry) bool {
	s := d.suspicionOf(m)
	if s == nil || s.incarnation > m.Refuted {
		return false
	}
	d.EndSuspicion(m)
	d.table.SetState(now, m, wire.StateAlive)
	return true
}

// dropSuspicion ends a suspicion that no other node knows about.
func (d *Detector) dropSuspicion(now time.Time, m *members.Entry) {
	d.EndSuspicion(m)
	d.table.SetState(now, m, wire.StateAlive)
}

// confirmationsWanted returns the number of nodes besides the first accuser that bring a decision forward. Suspects do
// not confirm, and without a link no confirmation arrives. If there are too few other nodes, it returns 0
// (PROTOCOL.md V4).
func (d *Detector) confirmationsWanted(now time.Time) int {
	k := min(d.cfg.SuspicionMult-2, d.cfg.Subscriptions-1)
	others := d.table.CountGo() - 1 - max(len(d.suspicions), 1)
	if others < k || !slices.ContainsFunc(d.links, func(p *Peer) bool { return d.linkWorks(now, p) }) {
		return 0
	}
	return max(k, 0)
}

// timeout returns the time that the accused has to refute, counted from the first accusation. Nodes that are linked to
// it or accuse it decide first. The others wait for that decision, and decide themselves after twice the time
// (PROTOCOL.md V5).
func (d *Detector) timeout(now time.Time, m *members.Entry, s *suspicion) time.Duration {
	shortest := float64(time.Duration(d.cfg.SuspicionMult) * d.cfg.ProbeInterval / 2)
	if s.decided {
		return time.Duration(shortest)
	}
	if !s.private && !d.HearsNobody(now) { // avoids false accusations; a node that hears no node sends none
		shortest = float64(d.health.stretch(time.Duration(shortest)))
	}
	wait := shortest
	if k := d.confirmationsWanted(now); k > 0 {
		longest := shortest * float64(d.cfg.SuspicionMaxTimeoutMult)
		confirmed := math.Log(float64(max(len(s.accusers), 1))) / math.Log(float64(k+1))
		wait = max(shortest, longest-confirmed*(longest-shortest))
	}
	if p := d.peers[m.ID]; !s.own && (p == nil || !p.linked) {
		wait *= 2
	}
	return time.Duration(wait)
}

// awaitDecision sets the timer to the decision, or to an earlier check whether a change of health has moved it.
func (d *Detector) awaitDecision(now time.Time, m *members.Entry, s *suspicion) {
	at, look := s.began.Add(d.timeout(now, m, s)), now.Add(d.cfg.ProbeInterval)
	if look.Before(at) {
		at = look
	}
	d.timers.Set(&s.timer, at)
}

// decide declares a suspect dead when its time is up. A suspect that has answered this node since the suspicion began
// is not dead: it is notified again, and its refutation will arrive.
func (d *Detector) decide(now time.Time, m *members.Entry, s *suspicion) {
	switch {
	case s.began.Add(d.timeout(now, m, s)).After(now):
		d.awaitDecision(now, m, s)
		return
	case s.private && !d.heardNobodySince(s.began): // begun while this node heard no node: probe again
		d.dropSuspicion(now, m)
		d.startProbe(now, m, false)
		return
	}
	if p := d.peers[m.ID]; p != nil && p.heardUs.After(s.began) && p.works(now) {
		d.add(Action{Kind: SendNotice, Peer: p, Member: m})
		d.add(Action{Kind: SendPing, Peer: p})
		d.timers.Set(&s.timer, now.Add(d.cfg.ProbeInterval))
		return
	}
	if s.incarnation > m.Incarnation {
		d.table.SetIncarnation(m, s.incarnation)
	}
	d.ration.suspicions.Delete(m.ID) // it was not accused in vain
	kind := DeclareDead
	if s.private || d.HearsNobody(now) {
		kind = RemoveAlone
	}
	d.add(Action{Kind: kind, Member: m})
}

// HandleSelf handles an entry about this node. It refutes an entry that is not alive, has a higher incarnation, or differs
// at the same incarnation, but not at any rate. If this node has refuted the entry already, it notifies from, unless from
// is nil.
func (d *Detector) HandleSelf(out []Action, now time.Time, e *wire.Member, from *Peer) []Action {
	d.begin(out)
	me := d.self
	switch {
	case !me.Live():
	case e.State != wire.StateAlive && e.Incarnation <= me.Refuted:
		if from != nil {
			d.add(Action{Kind: SendNotice, Peer: from, Member: me})
		}
	case e.State != wire.StateAlive, e.Incarnation > me.Incarnation, e.Incarnation == me.Incarnation && !me.Says(e):
		d.refutals.refute(now, e.State, e.Incarnation)
	}
	return d.take()
}
