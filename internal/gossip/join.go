package gossip

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// JoinToken names a Join in the EventJoined that ends it.
type JoinToken uint64

// joinLinkWait is how long a Join whose tables agree waits for the first link, so that a message sent
// right after it finds one.
const joinLinkWait = time.Second

// joinDoubt is how long a Join waits for anything in a session that stood before it.
const joinDoubt = time.Second

// ErrJoinTimeout says that a node shook hands but did not tell its members in time.
var ErrJoinTimeout = errors.New("shook hands, but the member list did not come in time")

// ErrJoinCancelled says that the caller did not wait for the end.
var ErrJoinCancelled = errors.New("cancelled")

// join is one address on its way into the cluster.
type join struct {
	token   JoinToken // 0 when nobody waits for it
	to      netip.AddrPort
	attempt handshake.AttemptID // 0 where a session stood already
	peer    *peer               // who answered; nil before
	until   time.Time
	most    time.Time // until instead, over a transport that takes long to write
	greeted bool      // it has begun with peer
	late    bool      // synced except for what the application decides about
	timer   timer.Timer
	push    pushpull.Join // what the applications exchange, and whether both sides agree
}

// Join makes contact with the node at an address and exchanges member lists with it. An EventJoined
// with the token tells the end, at the latest shortly after until.
func (c *Core) Join(now time.Time, to netip.AddrPort, until time.Time) JoinToken {
	c.comeBack(now)
	c.lastJoin++
	c.beginJoin(now, c.lastJoin, to, until)
	return c.lastJoin
}

func (c *Core) beginJoin(now time.Time, token JoinToken, to netip.AddrPort, until time.Time) {
	c.beginJoinOf(now, wire.NodeID{}, &join{token: token, to: to, until: until, push: c.push.NewJoin(uint64(token))})
}

// beginJoinOf begins a Join that only the node of the given id may answer; any node, if the id is zero.
func (c *Core) beginJoinOf(now time.Time, id wire.NodeID, j *join) {
	to, until := j.to, j.until
	j.timer.Fire = func(now time.Time) { c.joinTimeout(now, j) }
	c.joins = append(c.joins, j)
	c.timers.Set(&j.timer, until.Add(joinLinkWait))
	if to == c.cfg.Advertise {
		c.endJoin(now, j, nil)
		return
	}
	if p := c.peerAt(now, to); p != nil {
		j.peer = p
		c.timers.Set(&j.timer, now.Add(joinDoubt))
		c.ready(now, p)
		return
	}
	j.attempt = c.dial(now, wire.Path{Remote: to}, dial{join: j, member: id}, until)
}

// doubtJoin goes on with a Join that began in a session which stood already. Where nothing came in it for a
// while the node may have been started anew: the Join begins again, with a handshake.
func (c *Core) doubtJoin(now time.Time, j *join) {
	if now.Sub(j.peer.swim.Heard) < joinDoubt {
		c.timers.Set(&j.timer, now.Add(joinDoubt))
		return
	}
	again := &join{token: j.token, to: j.to, until: j.until, most: j.most, push: c.push.NewJoin(uint64(j.token))}
	j.token, j.push.Token = 0, 0 // nobody is told of its end
	c.endJoin(now, j, nil)
	again.timer.Fire = func(now time.Time) { c.joinTimeout(now, again) }
	c.joins = append(c.joins, again)
	c.timers.Set(&again.timer, again.until.Add(joinLinkWait))
	again.attempt = c.dial(now, wire.Path{Remote: again.to}, dial{join: again}, again.until)
}

// comeBack makes a node that left a member again.
func (c *Core) comeBack(now time.Time) {
	if c.self.Live() {
		return
	}
	c.members.Return(now)
	c.refute(now, c.self.Incarnation)
	c.emitMember(EventJoin, c.self)
	c.log(now, logbook.Joined, "this node is a member again after it left")
}

// peerAt finds a Go member at an address that we hold a session with.
func (c *Core) peerAt(now time.Time, to netip.AddrPort) *peer {
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

// joinReady goes on with the Joins that waited for a session with p.
func (c *Core) joinReady(now time.Time, p *peer) {
	for _, j := range slices.Clone(c.joins) {
		if j.peer == p && !j.greeted {
			j.greeted = true
			if p.legacy {
				c.askSeed(now, p)
				c.endJoin(now, j, nil)
			}
		}
	}
	c.advanceJoins(now)
}

// joining reports whether a Join waits for p.
func (c *Core) joining(p *peer) bool {
	return slices.ContainsFunc(c.joins, func(j *join) bool { return j.peer == p })
}

// joinSynced notes that tables were exchanged with p.
func (c *Core) joinSynced(now time.Time, p *peer) {
	for _, j := range slices.Clone(c.joins) {
		if j.peer == p && j.push.Agreed && !j.push.Synced {
			j.late = true
			c.joinCalm(now, j)
		}
	}
}

// joinCalm goes on with a Join whose tables agree once the application has said who is taken in: it gets
// the other's state. What remains is the wait for a link.
func (c *Core) joinCalm(now time.Time, j *join) {
	if !slices.Contains(c.joins, j) || !j.late || j.push.Votes > 0 {
		return
	}
	if !j.push.Synced {
		j.push.Synced = true
		c.chooseFirst(now)
		c.concludePush(now, c.push.JoinSynced(c.push.outcomes, now, &c.members, &j.push)) // comes back here if there is nothing to merge
	}
	if !j.push.WantsState() && slices.Contains(c.joins, j) {
		c.timers.Set(&j.timer, now.Add(joinLinkWait))
		c.joinLinked(now)
	}
}

// joinLinked ends the Joins that need nothing more than a link, if there is one.
func (c *Core) joinLinked(now time.Time) {
	if !c.overlay.HasLink() {
		return
	}
	for _, j := range slices.Clone(c.joins) {
		if j.push.Synced && !j.push.WantsState() {
			c.endJoin(now, j, nil)
		}
	}
}

func (c *Core) joinTimeout(now time.Time, j *join) {
	switch {
	case j.push.Synced && !j.push.WantsState():
		c.endJoin(now, j, nil)
	case j.attempt == 0 && now.Before(j.until):
		c.doubtJoin(now, j)
	case j.push.Synced:
		c.endJoin(now, j, ErrStateTimeout)
	default:
		c.endJoin(now, j, ErrJoinTimeout)
	}
}

// ExtendJoin lets a Join take longer where the transport takes long to write what it says.
func (c *Core) ExtendJoin(t JoinToken, most time.Time) {
	for _, j := range c.joins {
		if j.token == t {
			j.most = most
		}
	}
}

// CancelJoin ends a Join that nobody waits for any more.
func (c *Core) CancelJoin(now time.Time, t JoinToken) {
	if i := slices.IndexFunc(c.joins, func(j *join) bool { return j.token == t }); i >= 0 {
		c.endJoin(now, c.joins[i], ErrJoinCancelled)
	}
}

// AbandonJoin ends a Join to whom nobody has answered yet, as CancelJoin does.
func (c *Core) AbandonJoin(now time.Time, t JoinToken) {
	if i := slices.IndexFunc(c.joins, func(j *join) bool { return j.token == t && j.peer == nil }); i >= 0 {
		c.endJoin(now, c.joins[i], ErrJoinCancelled)
	}
}

func (c *Core) endJoin(now time.Time, j *join, err error) {
	i := slices.Index(c.joins, j)
	if i < 0 {
		return
	}
	c.joins = slices.Delete(c.joins, i, i+1)
	c.timers.Stop(&j.timer)
	if j.peer == nil && j.attempt != 0 {
		c.hs.Cancel(j.attempt)
		delete(c.dials, j.attempt)
	}
	c.concludePush(now, c.push.EndJoin(c.push.outcomes, &j.push))
	if j.token != 0 {
		c.events = append(c.events, Event{Kind: EventJoined, Token: j.token, Err: err})
	}
}
