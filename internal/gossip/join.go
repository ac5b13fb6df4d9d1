package gossip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Why a Join fails that was not refused.
var (
	ErrJoinTimeout   = joining.ErrTimeout
	ErrJoinCancelled = joining.ErrCancelled
)

// join is one address on its way into the cluster.
type join struct {
	joining.Join
	serial uint64 // names it in the table of handshakes
	timer  timer.Timer
	push   pushpull.Join // what the applications exchange, and whether both sides agree
}

// joins are the Joins of a core that have not ended, and what the core does about them.
type joins struct {
	core    *Core
	list    []*join // in the order in which they began
	last    event.JoinToken
	serials uint64
}

// Join contacts the node at an address and exchanges member lists with it. An event.Joined with the token tells the end,
// at the latest shortly after until.
func (c *Core) Join(now time.Time, to netip.AddrPort, until time.Time) event.JoinToken {
	c.joins.comeBack(now)
	c.joins.last++
	c.joins.begin(now, c.joins.last, to, wire.NodeID{}, until)
	return c.joins.last
}

// ExtendJoin lets a Join take longer if the transport takes long to write its packets.
func (c *Core) ExtendJoin(t event.JoinToken, latest time.Time) {
	for _, j := range c.joins.list {
		if j.Token() == t {
			j.Extend(latest)
		}
	}
}

// CancelJoin ends a Join that nobody waits for any more.
func (c *Core) CancelJoin(now time.Time, t event.JoinToken) {
	c.joins.cancel(now, func(j *join) bool { return j.Token() == t })
}

// AbandonJoin ends a Join that nobody has answered yet, as CancelJoin does.
func (c *Core) AbandonJoin(now time.Time, t event.JoinToken) {
	c.joins.cancel(now, func(j *join) bool { return j.Token() == t && j.Peer() == (wire.NodeID{}) })
}

func (s *joins) cancel(now time.Time, which func(*join) bool) {
	if i := slices.IndexFunc(s.list, which); i >= 0 {
		s.end(now, s.list[i], ErrJoinCancelled)
	}
}

// begin begins a Join. token is 0 if nobody waits for it. Only the node of the given id may answer; any node, if the id
// is zero.
func (s *joins) begin(now time.Time, token event.JoinToken, to netip.AddrPort, id wire.NodeID, until time.Time) {
	c := s.core
	j := &join{Join: joining.New(token, to, until), push: c.push.NewJoin(uint64(token))}
	s.add(j)
	if to == c.cfg.Advertise {
		s.end(now, j, nil)
		return
	}
	if p := s.peerAt(now, to); p != nil {
		j.Found(now, p.id)
		c.timers.Set(&j.timer, j.Due())
		c.hs.ready(now, p)
		return
	}
	s.dial(now, j, id)
}

func (s *joins) add(j *join) {
	s.serials++
	j.serial = s.serials
	j.timer.Fire = func(now time.Time) { s.timeout(now, j) }
	s.list = append(s.list, j)
	s.core.timers.Set(&j.timer, j.Due())
}

func (s *joins) dial(now time.Time, j *join, id wire.NodeID) {
	d := joining.Dial{Purpose: joining.ForJoin, Member: id, Token: j.serial}
	j.Dialed(s.core.hs.dial(now, wire.Path{Remote: j.To()}, d, j.Until()))
}

// begun reports whether a Join with the node at an address is under way.
func (s *joins) begun(to netip.AddrPort) bool {
	return slices.ContainsFunc(s.list, func(j *join) bool { return j.To() == to })
}

// of is the Join that a handshake was begun for; nil if it has ended.
func (s *joins) of(d joining.Dial) *join {
	i := slices.IndexFunc(s.list, func(j *join) bool { return j.serial == d.Token })
	if i < 0 || d.Purpose != joining.ForJoin {
		return nil
	}
	return s.list[i]
}

// ofPart is the Join that a part of one belongs to; nil if it has ended.
func (s *joins) ofPart(part *pushpull.Join) *join {
	for _, j := range s.list {
		if &j.push == part {
			return j
		}
	}
	return nil
}

// with is the Join that takes in the members of p; nil for none.
func (s *joins) with(p *peer) *join {
	for _, j := range s.list {
		if j.Peer() == p.id && j.push.Agreed && !j.push.Synced {
			return j
		}
	}
	return nil
}

// waitsFor reports whether a Join goes on with p.
func (s *joins) waitsFor(p *peer) bool {
	return slices.ContainsFunc(s.list, func(j *join) bool { return j.Peer() == p.id })
}

// comeBack makes a node that left a member again.
func (s *joins) comeBack(now time.Time) {
	c := s.core
	if c.members.Self().Live() {
		return
	}
	c.members.Return(now)
	c.membership.refute(now, c.members.Self().Incarnation)
	c.events.EmitMember(event.Join, c.members.Self())
	c.report.Returning(now)
}

// peerAt finds a Go member at an address that there is a session with.
func (s *joins) peerAt(now time.Time, to netip.AddrPort) *peer {
	c := s.core
	var found *peer
	for _, p := range c.peers {
		m := c.members.Get(p.id)
		if m == nil || !m.Live() || m.Addr != to || p.set.Current(now) == nil {
			continue
		}
		if found == nil || slices.Compare(p.id[:], found.id[:]) < 0 {
			found = p
		}
	}
	return found
}

// ready goes on with the Joins that waited for a session with p.
func (s *joins) ready(now time.Time, p *peer) {
	for _, j := range slices.Clone(s.list) {
		if j.Peer() == p.id && j.SessionReady() && p.legacy {
			s.core.gateway.askSeed(now, p)
			s.end(now, j, nil)
		}
	}
	s.advance(now)
}

// advance begins what Joins wait for and the bounds now allow: the exchange of states, and the agreement.
func (s *joins) advance(now time.Time) {
	c := s.core
	for _, j := range slices.Clone(s.list) {
		if p := c.peers[j.Peer()]; j.Ready() && p != nil && !p.legacy {
			c.push.conclude(now, c.push.AdvanceJoin(c.push.outcomes, now, &c.members, &p.push, &j.push, j.Until()))
		}
	}
}

// compared says that member tables were exchanged with p.
func (s *joins) compared(now time.Time, p *peer) {
	for _, j := range slices.Clone(s.list) {
		if j.Peer() == p.id && j.push.Agreed && !j.push.Synced {
			j.ListsAgree()
			s.settle(now, j)
		}
	}
}

// settle goes on with a Join whose tables agree, once the application has decided about all members: the state of the
// other node is merged. After that the Join waits only for a link.
func (s *joins) settle(now time.Time, j *join) {
	c := s.core
	if !slices.Contains(s.list, j) || !j.Compared() || j.push.Votes > 0 {
		return
	}
	if !j.push.Synced {
		j.push.Synced = true
		c.overlay.chooseFirst(now)
		c.push.conclude(now, c.push.JoinSynced(c.push.outcomes, now, &c.members, &j.push)) // comes back here if there is nothing to merge
	}
	if !j.push.WantsState() && slices.Contains(s.list, j) {
		j.AwaitLink(now)
		c.timers.Set(&j.timer, j.Due())
		s.linked(now)
	}
}

// linked ends the Joins that wait only for a link, if there is one.
func (s *joins) linked(now time.Time) {
	if !s.core.overlay.HasLink() {
		return
	}
	for _, j := range slices.Clone(s.list) {
		if j.Linking() {
			s.end(now, j, nil)
		}
	}
}

func (s *joins) timeout(now time.Time, j *join) {
	var heard time.Time
	if p := s.core.peers[j.Peer()]; p != nil {
		heard = p.swim.Heard
	}
	switch j.Timeout(now, heard, j.push.Synced) {
	case joining.Succeed:
		s.end(now, j, nil)
	case joining.Wait:
		s.core.timers.Set(&j.timer, j.Due())
	case joining.Restart:
		s.restart(now, j)
	case joining.FailState:
		s.end(now, j, ErrStateTimeout)
	case joining.FailMembers:
		s.end(now, j, ErrJoinTimeout)
	}
}

// restart begins a Join again, with a handshake, because nothing arrives in the session in which it began.
func (s *joins) restart(now time.Time, j *join) {
	again := &join{Join: j.Again(), push: s.core.push.NewJoin(j.push.Token)}
	j.push.Token = 0 // nobody is told of its end
	s.end(now, j, nil)
	s.add(again)
	s.dial(now, again, wire.NodeID{})
}

// slow gives the Join of a handshake whose packets take long to be written the time that it may take then.
func (s *joins) slow(j *join) {
	if a := j.Attempt(); j.Slow() {
		s.core.timers.Set(&j.timer, j.Due())
		s.core.hs.Extend(a, j.Until())
	}
}

func (s *joins) end(now time.Time, j *join, err error) {
	c := s.core
	i := slices.Index(s.list, j)
	if i < 0 {
		return
	}
	s.list = slices.Delete(s.list, i, i+1)
	c.timers.Stop(&j.timer)
	if a := j.Attempt(); a != 0 {
		c.hs.Cancel(a)
		c.hs.dials.Take(a)
	}
	c.push.conclude(now, c.push.EndJoin(c.push.outcomes, &j.push))
	if j.Token() != 0 {
		c.events.Add(event.Event{Kind: event.Joined, Token: j.Token(), Err: err})
	}
}

// endSilent ends the Joins that nobody waits for.
func (s *joins) endSilent(now time.Time) {
	for _, j := range slices.Clone(s.list) {
		if j.Token() == 0 {
			s.end(now, j, nil)
		}
	}
}

// meetFor is how long a contact with a node that may be there again takes at most.
const meetFor = 10 * time.Second

// healing is the Healing of a core, and what the core does about it.
type healing struct {
	*overlay.Healing
	core    *Core
	contact timer.Timer
	compare timer.Timer
}

// schedule sets the timers after an input to the Healing.
func (h *healing) schedule() {
	h.core.overlay.schedule(&h.contact, h.ContactAt())
	h.core.overlay.schedule(&h.compare, h.CompareAt())
}

// memberDied makes a contact with a dead node due.
func (h *healing) memberDied(now time.Time) {
	h.MemberDied(now)
	h.schedule()
}

// memberReturned says that a node lives after all that was dead to this one.
func (h *healing) memberReturned(now time.Time, m *members.Entry) {
	h.MemberReturned(now, m)
	h.schedule()
}

// contactDead begins a Join with a node that is dead to this one, or with another at its address.
func (h *healing) contactDead(now time.Time) {
	addr, ok := h.Contact(now, h.core.gateway.Admits())
	if h.schedule(); ok {
		h.meet(now, addr)
	}
}

// meet begins a Join at an address that nobody waits for, unless a Join there is under way.
func (h *healing) meet(now time.Time, to netip.AddrPort) {
	if !h.core.joins.begun(to) {
		h.core.joins.begin(now, 0, to, wire.NodeID{}, now.Add(meetFor))
	}
}

// meetNode is meet with one node, and no other that may be at the address.
func (h *healing) meetNode(now time.Time, to netip.AddrPort, id wire.NodeID) {
	if !h.core.joins.begun(to) {
		h.core.joins.begin(now, 0, to, id, now.Add(dialFor))
	}
}

// Seek begins a Join with some of the seeds at whose addresses there is no live member.
func (c *Core) Seek(now time.Time, seeds []netip.AddrPort) {
	linked := func(a netip.AddrPort) bool {
		return slices.ContainsFunc(c.links, func(p *peer) bool { return p.set.Path().Remote == a && p.set.Current(now) != nil })
	}
	for _, to := range c.heal.Seeds(seeds, linked) {
		c.heal.meet(now, to)
	}
}

// compareReturned compares tables and exchanges states with a member that has returned.
func (h *healing) compareReturned(now time.Time) {
	m := h.Compare(now)
	if h.schedule(); m == nil {
		return
	}
	c := h.core
	if p := c.peers[m.ID]; p != nil && p.set.Current(now) != nil {
		c.push.begin(now, p, false)
	} else {
		c.hs.dial(now, wire.Path{Remote: m.Addr}, joining.Dial{Purpose: joining.ForComparison, Member: m.ID}, now.Add(meetFor))
	}
}

// wakeUp follows a time in which this node did not run, so long that the others took it for dead. They have closed its
// sessions, and a packet of a closed session is never answered.
func (h *healing) wakeUp(now time.Time) {
	c := h.core
	if !c.members.Self().Live() || c.members.Count() < 2 {
		return
	}
	c.report.Asleep(now)
	c.membership.refute(now, 0)
	for _, p := range c.links {
		if !p.legacy && !c.hs.dials.Dialing(p.id) {
			c.hs.dial(now, p.set.Path(), joining.Dial{Purpose: joining.ForGreeting, Member: p.id}, now.Add(meetFor))
		}
	}
}

// asleepFor is the lateness of a timer from which on a node counts as dead to the others.
func (h *healing) asleepFor() time.Duration {
	return swim.SilenceOf(h.core.cfg.Heartbeat, h.core.cfg.ProbeInterval, swim.SilenceLost)
}

// leaving is the departure of this node, with the timer that the core keeps for it.
type leaving struct {
	joining.Leave
	core  *Core
	timer timer.Timer
}

// Leave makes this node leave: it tells all links, and takes itself out of its own members. An event.Departed follows
// when all links have confirmed it, or do not answer. The sessions stay until the core is dropped, so that late
// questions are answered.
func (c *Core) Leave(now time.Time) {
	if !c.members.Self().Live() {
		if !c.leaving.timer.Pending() {
			c.events.Add(event.Event{Kind: event.Departed})
		}
		return
	}
	c.events.Emit(c.members.Leave(now))
	c.report.Leaving(now)
	c.memberChanged(now)
	c.membership.spread(now, c.members.Self(), nil, byNews)
	c.membership.flushNews(now)
	c.Flush(now)
	c.gateway.leave(now)
	var links []wire.NodeID
	for _, p := range c.links {
		if !p.legacy {
			links = append(links, p.id)
		}
	}
	c.leaving.Begin(links)
	c.overlay.conclude(now, c.overlay.Leave(c.overlay.acts, now))
	c.joins.endSilent(now)
	c.leaving.stepLeave(now)
}

// stepLeave tells the links that have not confirmed it that this node has left.
func (l *leaving) stepLeave(now time.Time) {
	c := l.core
	tell := l.Step(now, c.members.Self().Live(), func(id wire.NodeID) bool { return c.overlay.Reachable(now, id) })
	for _, id := range tell {
		p := c.peers[id]
		w := wire.BeginMembers(c.transport.plain[:0], c.newID())
		w.Append(c.members.Self().Fill(&c.membership.entry), controlMax)
		c.transport.plain = c.pings.appendPing(w.End(), now, p, swim.Purpose{Leave: true})
		c.transport.sendPlain(now, p, c.transport.plain)
	}
	if c.overlay.schedule(&l.timer, l.Due()); len(tell) == 0 {
		c.events.Add(event.Event{Kind: event.Departed})
	}
}

// leaveConfirmed says that p knows that this node has left.
func (l *leaving) leaveConfirmed(p *peer) {
	c := l.core
	over := l.Confirmed(p.id)
	if c.overlay.schedule(&l.timer, l.Due()); over {
		c.events.Add(event.Event{Kind: event.Departed})
	}
}

// remind tells a peer that takes this node for a member that it has left.
func (l *leaving) remind(now time.Time, p *peer) {
	c := l.core
	if !c.members.Self().Live() && !p.legacy {
		c.swim.notify(now, p, c.members.Self())
	}
}
