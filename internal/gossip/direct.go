package gossip

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/joining"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// SendToken names a reliable message in the EventSent that ends it.
type SendToken uint64

// Bounds of direct messages (docs/PROTOCOL.md, "Direct messages").
const (
	unsentMax  = 1024     // messages that wait for a session
	unsentSize = 32 << 20 // bytes of them
	sendsMax   = 4096     // reliable messages that wait for their acknowledgement
	retryMin   = 200 * time.Millisecond
	retryMax   = 2 * time.Second
	redialIdle = time.Second // a peer silent for so long while we wait for it gets a new handshake
)

// Errors of sending.
var (
	ErrQueueFull  = errors.New("the queues of this node are full")
	ErrUnanswered = errors.New("no acknowledgement came in time")
	ErrLegacy     = errors.New("the node speaks gwyh 0.1, which knows no messages to one node")
	errOneself    = errors.New("the address is this node's own")
)

// outgoing is a message to one node alone.
type outgoing struct {
	token   SendToken // 0 for one that nobody waits for
	id      wire.MessageID
	use     wire.Use
	to      netip.AddrPort
	data    []byte             // of a small one
	asm     *assembly.Assembly // of a large one
	attempt handshake.AttemptID
	peer    *peer // nil while it waits for a session
	until   time.Time
	pause   time.Duration
	upto    uint32                         // acknowledged
	done    func(now time.Time, err error) // hears how it ended instead of the owner of the core; nil for EventSent
	timer   timer.Timer
}

// acknowledged reports whether somebody waits to hear that the message came.
func (o *outgoing) acknowledged() bool { return o.use.Acknowledged() }

func (o *outgoing) size() int {
	if o.asm != nil {
		return int(o.asm.Total)
	}
	return len(o.data)
}

// Send sends data to the node at an address, after a handshake where there is no session. A reliable
// message is repeated until it is acknowledged or until has passed; an EventSent with the token ends
// it. Any other is sent once. data is not kept.
func (c *Core) Send(now time.Time, to netip.AddrPort, data []byte, reliable bool, until time.Time) (SendToken, error) {
	p, legacy := c.reach(now, to)
	if legacy && len(data) <= MessageMax {
		return 0, ErrLegacy
	}
	o := &outgoing{id: c.newDirectID(), to: to, use: wire.UseMessage, until: until}
	if reliable {
		o.token, o.use = c.lastSend+1, wire.UseReliable
	}
	if err := c.submit(now, o, p, data); err != nil {
		return 0, err
	}
	c.lastSend = max(c.lastSend, o.token)
	return o.token, nil
}

// Repeat sends a broadcast from before a member joined to that member alone, once. A member that is gone, or that
// speaks gwyh 0.1, is sent nothing. data is not kept.
func (c *Core) Repeat(now time.Time, to wire.NodeID, data []byte, until time.Time) error {
	m := c.members.Get(to)
	if m == nil || !m.Live() || m.Legacy() || m == c.self {
		return nil
	}
	p, legacy := c.reach(now, m.Addr)
	if legacy {
		return nil
	}
	o := &outgoing{id: c.newDirectID(), to: m.Addr, use: wire.UseRepeat, until: until}
	if err := c.submit(now, o, p, data); err != nil {
		return err
	}
	c.stats.Repeated++
	return nil
}

// submit begins to send data to p, or lets it wait for a session if p is nil.
func (c *Core) submit(now time.Time, o *outgoing, p *peer, data []byte) error {
	large := len(data) > c.cfg.DatagramSize-wire.BoxOverhead-wire.DirectOverhead
	waited := o.acknowledged()
	switch {
	case len(data) > MessageMax:
		return &TooLargeError{Size: len(data), Max: MessageMax}
	case waited && len(c.sends) >= sendsMax, p == nil && !c.mayWait(len(data)), p != nil && p.packets.Full(large),
		waited && large && c.ownBytes+len(data) > ownMax:
		return ErrQueueFull
	}
	if large {
		if o.asm = c.store.Add(now, o.id, data, true); o.asm == nil {
			return ErrQueueFull
		}
		o.asm.Use = o.use
		o.asm.Pending++ // until it is acknowledged, or handed to a link
		c.sweepLater(now)
	} else {
		o.data = append([]byte(nil), data...)
	}
	if waited {
		c.sends[o.id] = o
		if large {
			o.asm.Kept = true
			c.ownBytes += len(data)
		}
	}
	o.timer.Fire = func(now time.Time) { c.retry(now, o) }
	c.timers.Set(&o.timer, o.until)
	if p == nil {
		c.await(now, o)
	} else {
		c.sendDirect(now, o, p)
	}
	return nil
}

// newDirectID draws the id of a direct message. It is random: a receiver gets few of a sender's, so
// that a window over a counter would forget the wrong ones.
func (c *Core) newDirectID() (id wire.MessageID) {
	binary.BigEndian.PutUint64(id[:8], c.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], c.rng.Uint64())
	id[6] = id[6]&0x0f | 0x40
	return id
}

// reach finds a Go node at an address that boxes may be sealed for; legacy says that a gwyh 0.1 node is
// there instead.
func (c *Core) reach(now time.Time, to netip.AddrPort) (p *peer, legacy bool) {
	if p, _ := c.direct.Get(to); p != nil && c.peers[p.id] == p && p.set.Current(now) != nil {
		if m := c.members.Get(p.id); m == nil || m.Live() {
			return p, false
		}
	}
	c.direct.Delete(to)
	if p = c.joins.peerAt(now, to); p == nil || p.legacy {
		return nil, p != nil
	}
	c.noteReach(to, p)
	return p, false
}

func (c *Core) noteReach(to netip.AddrPort, p *peer) {
	c.direct.Set(to, p)
}

func (c *Core) mayWait(size int) bool {
	for _, o := range c.unsent {
		size += o.size()
	}
	return len(c.unsent) < unsentMax && size <= unsentSize
}

// await lets a message wait for a session with the node at its address, and begins a handshake unless
// one is under way.
func (c *Core) await(now time.Time, o *outgoing) {
	o.peer = nil
	for _, other := range c.unsent {
		if other.to == o.to {
			o.attempt = other.attempt
			c.unsent = append(c.unsent, o)
			return
		}
	}
	c.unsent = append(c.unsent, o)
	o.attempt = c.hs.dial(now, wire.Path{Remote: o.to}, joining.Dial{Purpose: joining.ForDirect}, o.until)
}

// takeWaiting takes out what waits for one of some handshakes.
func (c *Core) takeWaiting(attempts ...handshake.AttemptID) (taken []*outgoing) {
	c.unsent = slices.DeleteFunc(c.unsent, func(o *outgoing) bool {
		ours := slices.Contains(attempts, o.attempt)
		if ours {
			taken = append(taken, o)
		}
		return ours
	})
	return taken
}

// sendWaiting sends what waited for a session with p.
func (c *Core) sendWaiting(now time.Time, p *peer) {
	if len(c.unsent) == 0 {
		return
	}
	for _, o := range c.takeWaiting(p.dials...) {
		if p.legacy {
			c.endSend(now, o, ErrLegacy)
			continue
		}
		c.noteReach(o.to, p)
		c.sendDirect(now, o, p)
	}
}

// failWaiting ends what waited for a handshake that came to nothing. A message that came to wait later,
// and has time left, gets another.
func (c *Core) failWaiting(now time.Time, attempt handshake.AttemptID, err error) {
	for _, o := range c.takeWaiting(attempt) {
		if o.until.After(now) && err != errOneself {
			c.await(now, o)
		} else {
			c.endSend(now, o, err)
		}
	}
}

// sendDirect sends a message to p, with whom there is a session.
func (c *Core) sendDirect(now time.Time, o *outgoing, p *peer) {
	o.peer = p
	c.stats.DirectSent++
	if o.asm == nil {
		c.sendWhole(now, o)
	} else {
		if p.packets.Transfer(o.asm) == nil {
			p.packets.Begin(now, o.asm, o.use)
		}
		c.pump(now, p)
	}
	if !o.acknowledged() {
		c.endSend(now, o, nil)
		return
	}
	o.pause = max(4*p.roundTrip(), retryMin)
	c.retryAt(now, o)
}

// sendWhole sends a small message.
func (c *Core) sendWhole(now time.Time, o *outgoing) {
	c.plain = wire.AppendDirect(c.plain[:0], o.id, wire.Direct{Use: o.use, Total: uint32(len(o.data)), Data: o.data})
	c.sendSmall(now, o.peer, c.newSmall(now, c.plain))
}

// retryAt sets the time of the next repeat, or of the end.
func (c *Core) retryAt(now time.Time, o *outgoing) {
	at := now.Add(o.pause)
	if o.until.Before(at) {
		at = o.until
	}
	c.timers.Set(&o.timer, at)
}

// retry repeats a reliable message, or what asks how much of it has come, and gives up in the end. Any
// other message has a timer only while it waits for a session.
func (c *Core) retry(now time.Time, o *outgoing) {
	switch p := o.peer; {
	case !now.Before(o.until) && p == nil:
		c.endSend(now, o, ErrPeerGone)
	case !now.Before(o.until):
		c.endSend(now, o, ErrUnanswered)
	case p == nil:
		c.timers.Set(&o.timer, o.until)
	case c.peers[p.id] != p || p.set.Current(now) == nil || now.Sub(p.swim.Heard) > max(redialIdle, 2*o.pause):
		c.direct.Delete(o.to)
		c.await(now, o)
		c.timers.Set(&o.timer, o.until)
	case c.unwritten(p.set.Path().Remote):
		c.retryAt(now, o)
	default:
		c.repeat(now, o, p)
		o.pause = min(2*o.pause, retryMax)
		c.retryAt(now, o)
	}
}

func (c *Core) repeat(now time.Time, o *outgoing, p *peer) {
	if o.asm == nil {
		c.stats.Resent++
		c.sendWhole(now, o)
	} else if !p.packets.Transferring(o.asm) { // all of it went out: ask
		p.packets.Resend(now, o.asm, rangeset.Range{From: o.asm.Total - 1, To: o.asm.Total})
		c.pump(now, p)
	}
}

// endSend tells how a message ended, if anybody waits to hear.
func (c *Core) endSend(now time.Time, o *outgoing, err error) {
	c.timers.Stop(&o.timer)
	c.unsent = slices.DeleteFunc(c.unsent, func(x *outgoing) bool { return x == o })
	if o.asm != nil {
		o.asm.Pending--
	}
	if !o.acknowledged() {
		if err != nil {
			c.drop(DropUnreachable)
			c.forgetSend(o)
		}
		return
	}
	delete(c.sends, o.id)
	c.forgetSend(o)
	if o.done != nil {
		o.done(now, err)
		return
	}
	c.events = append(c.events, Event{Kind: EventSent, Send: o.token, Err: err})
}

// forgetSend gives back what a large message holds.
func (c *Core) forgetSend(o *outgoing) {
	if o.asm == nil {
		return
	}
	if o.asm.Kept {
		c.ownBytes -= int(o.asm.Total)
	}
	if o.peer != nil {
		o.peer.packets.EndTransfer(o.asm)
	}
	c.store.Remove(o.asm)
}

// handleDirectAck ends a reliable message, or sends what the receiver says it lacks first, and asks
// again.
func (c *Core) handleDirectAck(now time.Time, p *peer, data []byte) {
	ack, err := wire.ParseDirectAck(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	o := c.sends[ack.ID]
	switch {
	case o == nil || ack.Upto > uint32(o.size()):
	case ack.Upto == uint32(o.size()):
		c.endSend(now, o, nil)
	case o.asm == nil || o.peer != p || p.packets.Transferring(o.asm) || ack.Next <= ack.Upto || ack.Next > o.asm.Total:
	default:
		if ack.Upto > o.upto { // it gets on
			o.upto, o.pause = ack.Upto, max(4*p.roundTrip(), retryMin)
			c.retryAt(now, o)
		}
		p.packets.Resend(now, o.asm, rangeset.Range{From: ack.Upto, To: ack.Next})
		p.packets.Resend(now, o.asm, rangeset.Range{From: o.asm.Total - 1, To: o.asm.Total})
		c.pump(now, p)
	}
}

// handleDirect takes in a piece of a message to this node alone. A reliable one is acknowledged when it
// is whole, and whenever a piece comes that was here before: the sender asks.
func (c *Core) handleDirect(now time.Time, p *peer, ch *packets.Channel, m *wire.Message) {
	d, err := wire.ParseDirect(m.Data)
	switch {
	case err != nil:
		c.drop(DropMalformedBody)
		return
	case !d.Use.Known():
		c.drop(DropUnknownBody)
		return
	case d.Total > MessageMax || len(d.Data) == 0 && d.Total > 0 || d.Use == wire.UseControl && (d.Total > controlMax || c.unpacking):
		c.drop(DropOversize)
		return
	case c.directs.Has(&m.ID):
		c.stats.FramesDuplicate++
		c.ackDirect(now, p, ch, d.Use, wholeAck(m.ID, d.Total))
		return
	case d.Use.Exchanged() && !c.push.expects(now, p, m.ID, d):
		return
	case len(d.Data) == int(d.Total):
		c.deliverDirect(now, p, ch, d.Use, m.ID, append([]byte(nil), d.Data...))
		return
	}
	c.handleDirectPiece(now, p, ch, m.ID, d)
}

func (c *Core) handleDirectPiece(now time.Time, p *peer, ch *packets.Channel, id wire.MessageID, d wire.Direct) {
	c.reportSoon(now, p, ch)
	var a *assembly.Assembly
	if i := slices.IndexFunc(p.receiving, func(a *assembly.Assembly) bool { return a.Direct && a.ID == id && !a.Forgotten() }); i >= 0 {
		a = p.receiving[i]
	} else if a = c.beginReceiving(now, p, id, d.Total, true); a == nil {
		return
	}
	if a.Total != d.Total {
		c.drop(DropUnexpected)
		return
	}
	fresh, ok := c.store.Write(now, a, d.Offset, d.Data)
	switch {
	case !ok:
		c.drop(DropStoreFull)
	case a.Complete():
		data := a.Copy()
		c.store.Remove(a)
		c.deliverDirect(now, p, ch, d.Use, id, data)
	case !fresh:
		c.stats.FramesDuplicate++
		upto := a.Have.Prefix()
		c.ackDirect(now, p, ch, d.Use, wire.DirectAck{ID: id, Upto: upto, Next: a.Have.After(upto, a.Total)})
	default:
		c.stats.FramesReceived++
	}
}

func (c *Core) deliverDirect(now time.Time, p *peer, ch *packets.Channel, use wire.Use, id wire.MessageID, data []byte) {
	first := c.directs.First(now, &id)
	c.ackDirect(now, p, ch, use, wholeAck(id, uint32(len(data))))
	switch {
	case !first:
	case use.Exchanged():
		c.push.conclude(now, c.push.HandleMessage(c.push.outcomes, now, &c.members, &p.push, use, id, data))
	case use == wire.UseRepeat:
		c.stats.DirectDelivered++
		c.events = append(c.events, Event{Kind: EventMessage, Via: ViaRepeat, Data: data})
	case use == wire.UseControl:
		c.handleControl(now, p, ch, data)
	default:
		c.stats.DirectDelivered++
		c.events = append(c.events, Event{Kind: EventMessage, Via: ViaDirect, Data: data})
	}
}

// wholeAck says that all of a message has come.
func wholeAck(id wire.MessageID, total uint32) wire.DirectAck {
	return wire.DirectAck{ID: id, Upto: total, Next: total}
}

func (c *Core) ackDirect(now time.Time, p *peer, ch *packets.Channel, use wire.Use, ack wire.DirectAck) {
	if !use.Acknowledged() {
		return
	}
	c.plain = wire.AppendDirectAck(c.plain[:0], c.newID(), ack)
	ch.Send(now, p.set.Path(), c.plain)
}
