package delivery

import (
	"bytes"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/beacon"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// newBroadcasts returns the Broadcasts of d, whose Endpoint is set.
func newBroadcasts(now time.Time, d *Delivery) Broadcasts {
	of := broadcast.New(broadcast.Config{Self: d.cfg.IDs.Origin(), HeartbeatGap: d.cfg.heartbeatGap(), Keep: d.announceFor(), SeenMax: d.cfg.Memory.Seen})
	return Broadcasts{d: d, Disseminator: of, timer: timer.Timer{Fire: d.Broadcasts.HandleTimeout}, sweepTimer: timer.Timer{Fire: d.Broadcasts.sweepStore},
		Beacons:     beacon.New(now, beacon.Config{Self: d.cfg.Self, Interval: d.cfg.Beacon, Members: d.cfg.Members}),
		beaconTimer: timer.Timer{Fire: d.Broadcasts.SendBeacon}}
}

// SmallMax returns the size in bytes of the largest message that fits in one datagram of the configured size. A larger
// message is cut into frames.
func (ds *Broadcasts) SmallMax() int {
	return ds.d.cfg.DatagramSize - wire.BoxOverhead - wire.CastOverhead
}

// Broadcast sends data to every member. Without a link, a copy is kept until there is one or it expires; otherwise data
// is not retained. If Broadcast returns a *TooLargeError or direct.ErrQueueFull, nothing was sent.
func (ds *Broadcasts) Broadcast(now time.Time, data []byte) error {
	d := ds.d
	switch {
	case len(data) > MessageMax:
		return &TooLargeError{Size: len(data), Max: MessageMax}
	case len(d.links) > 0 && len(data) > LegacyMax && !slices.ContainsFunc(d.links, func(p *Peer) bool { return !p.Legacy }):
		return &TooLargeError{Size: len(data), Max: LegacyMax}
	case ds.Congested(now, len(data) > ds.SmallMax()), len(data) > ds.SmallMax() && ds.Crowded(now):
		return direct.ErrQueueFull
	}
	id := d.cfg.IDs.Broadcast()
	ds.Disseminator.Seen.First(now, &id, nil)
	if len(d.links) == 0 {
		ds.Held.Add(now, id, data)
		ds.SweepLater(now)
	} else if err := ds.send(now, id, data); err != nil {
		return err
	}
	d.cfg.Stats.BroadcastsSent++
	if len(data) > LegacyMax && d.cfg.Members.CountLegacy() > 0 {
		d.cfg.Report.LegacyLimit(now, len(data), LegacyMax)
	}
	return nil
}

// Has reports whether this node has all of a broadcast, or is its origin. It reports true for broadcasts long past.
func (ds *Broadcasts) Has(id wire.MessageID) bool {
	a := ds.Store.Get(id)
	return (a == nil || a.Complete()) && ds.Disseminator.Seen.Has(&id)
}

// Confirm handles a report of p about what arrived: the lowest packet number that may still be missing on ch.
func (ds *Broadcasts) Confirm(now time.Time, p *Peer, ch *packets.Channel, lowest uint64) {
	ds.arrived = ch.Confirm(now, lowest, ds.arrived[:0])
	for _, a := range ds.arrived {
		LargeOf(a).Shown(&p.Neighbor)
	}
	clear(ds.arrived)
}

func (ds *Broadcasts) send(now time.Time, id wire.MessageID, data []byte) error {
	if len(data) > ds.SmallMax() {
		return ds.broadcastLarge(now, id, data)
	}
	ds.Disseminator.Own(now, &id)
	ds.flood(now, wire.KindCast, id, 0, data, nil)
	return nil
}

// SendBeacon sends a beacon if one is due, and plans the next one (PROTOCOL.md O1).
func (ds *Broadcasts) SendBeacon(now time.Time) {
	d := ds.d
	data, next := ds.Beacons.Next(now, len(d.links) > 0, ds.Congested(now, false), d.cfg.RNG)
	if data != nil {
		id := d.cfg.IDs.Broadcast()
		ds.Disseminator.Seen.First(now, &id, nil)
		ds.Disseminator.Own(now, &id)
		ds.flood(now, wire.KindBeacon, id, 0, data, nil)
	}
	d.cfg.Timers.Plan(&ds.beaconTimer, next)
}

// passBeacon measures the first copy of a beacon and passes it on, in the time of this node's clock (O3).
func (ds *Broadcasts) passBeacon(now time.Time, p *Peer, m *wire.Message, delay wire.Delay) {
	if data := ds.Beacons.Receive(now, p.clockOf(), delay, m.Data); data != nil {
		ds.flood(now, wire.KindBeacon, m.ID, delay, data, p)
	}
}

// AppendClock appends the message that lets p compare its clock with this node's, while beacons pass (O2).
func (ds *Broadcasts) AppendClock(b []byte, now time.Time, p *Peer) []byte {
	if !ds.Beacons.Active(now) {
		return b
	}
	return wire.AppendClock(b, ds.d.newID(), ds.Beacons.ClockFor(now, p.clockOf()))
}

// ReceiveClock handles such a message of p.
func (ds *Broadcasts) ReceiveClock(now time.Time, p *Peer, data []byte) {
	ds.Beacons.HandleClock(now, p.clockOf(), data)
}

// reportDuplicate counts a further copy of a message, and reports it if that is wanted.
func (ds *Broadcasts) reportDuplicate(p *Peer, m *wire.Message) {
	ds.d.cfg.Stats.BroadcastsDuplicate++
	if ds.Watched {
		ds.d.cfg.Events.Add(event.Event{Kind: event.Duplicate, From: p.ID, ID: m.ID, Size: len(m.Data)})
	}
}

// ReceiveBroadcast delivers the first copy of a message and passes it on. The first copy took the fastest path.
// Duplicates are counted (PROTOCOL.md D1), except those of beacons.
func (ds *Broadcasts) ReceiveBroadcast(now time.Time, p *Peer, m *wire.Message) {
	d, isBeacon := ds.d, m.Kind == wire.KindBeacon
	if p.Node.Zone != d.cfg.Zone && !isBeacon {
		d.cfg.Stats.BroadcastsCrossZone++
	}
	if !ds.Disseminator.Seen.First(now, &m.ID, &p.Neighbor.Source) {
		p.Packets.Spare(m.ID)
		if !isBeacon {
			ds.reportDuplicate(p, m)
		}
		ds.Disseminator.Duplicate(now, &p.Neighbor, &m.ID, m.Delay)
		ds.schedule()
		return
	}
	delay := ds.Disseminator.First(now, &p.Neighbor, &m.ID, m.Delay)
	if isBeacon {
		ds.passBeacon(now, p, m, delay)
		return
	}
	d.cfg.Stats.BroadcastsDelivered++
	if a := ds.Store.Get(m.ID); a != nil {
		a.Delivered = true
	}
	ds.flood(now, wire.KindCast, m.ID, delay, m.Data, p)
	e := event.Event{Kind: event.Message, Data: bytes.Clone(m.Data), From: p.ID, ID: m.ID, Size: len(m.Data)}
	if m.ID.HasOrigin() && !p.Legacy { // PROTOCOL.md Q1
		e.Travel, e.Made = delay.Duration(), m.Delay == 0
	}
	d.cfg.Events.Add(e)
}

// flood sends a message along the links that dissemination chooses, but never along the one that it arrived on.
func (ds *Broadcasts) flood(now time.Time, kind wire.Kind, id wire.MessageID, delay wire.Delay, data []byte, from *Peer) {
	d := ds.d
	d.Sender.plain = wire.AppendCast(d.Sender.plain[:0], kind, id, delay, data)
	m := d.Sender.NewSmall(now, d.Sender.plain)
	ds.Disseminator.Kept(now, &id, m.Ref)
	ds.SweepLater(now)
	ds.schedule()
	spread := ds.Disseminator.Spread(&id)
	var large *assembly.Assembly
	for _, p := range d.links {
		switch {
		case p == from, p.Legacy && kind == wire.KindBeacon:
		case p.Legacy:
			d.Sender.sendLegacy(now, p, id, data)
		case len(m.Plain) > p.Packets.Room():
			large = ds.cutFor(now, p, large, id, data, from == nil)
			p.Packets.Widen(now)
			d.Sender.Pump(now, p)
		case spread.Full(now, &p.Neighbor, p.queueState()):
			d.cfg.Stats.BroadcastsForwarded++
			d.Sender.SendSmall(now, p, m)
		}
	}
}

// releaseHeld sends the messages that waited for the first link.
func (ds *Broadcasts) releaseHeld(now time.Time) {
	d := ds.d
	for _, h := range ds.Held.Take(now) {
		if ds.send(now, h.ID, h.Data) != nil {
			d.drop(stats.DropStoreFull)
		}
	}
}

// disseminate acts on the outcomes of one input to d.Broadcasts.
func (ds *Broadcasts) disseminate(now time.Time, out []broadcast.Outcome) {
	ds.outcomes.Work(out, func(o *broadcast.Outcome) { ds.actOnBroadcast(now, o) })
	ds.schedule()
}

// schedule sets the timer that calls tick to the time that dissemination wants.
func (ds *Broadcasts) schedule() {
	ds.d.cfg.Timers.Plan(&ds.timer, ds.Disseminator.Next())
}

// HandleTimeout handles the timeouts of dissemination that are due.
func (ds *Broadcasts) HandleTimeout(now time.Time) {
	ds.disseminate(now, ds.Disseminator.Tick(ds.outcomes, now))
}

func (ds *Broadcasts) actOnBroadcast(now time.Time, o *broadcast.Outcome) {
	d := ds.d
	p := d.peers[o.To.ID]
	if p == nil {
		return
	}
	b := d.Sender.plain[:0]
	switch o.Kind {
	case broadcast.SendPrune:
		b = wire.AppendList(b, wire.KindPrune, d.newID(), o.Steer.Bytes())
	case broadcast.SendGraft:
		b = wire.AppendList(b, wire.KindGraft, d.newID(), o.Steer.Bytes())
	case broadcast.SendStripes:
		b = wire.AppendList(b, wire.KindStripes, d.newID(), o.Stripes.Bytes())
	case broadcast.SendStop:
		b = wire.AppendStop(b, d.newID(), o.Message)
	case broadcast.SendRequest:
		b = wire.AppendList(b, wire.KindWant, d.newID(), o.Want.Bytes())
	case broadcast.SendDigest:
		b = wire.AppendList(b, wire.KindHave, d.newID(), o.Have.Bytes())
	case broadcast.ServeRequest:
		ds.Serve(now, p, o)
		return
	case broadcast.ChangeStripes:
		ds.changeStripes(now, p, o)
		return
	}
	d.Sender.plain = b
	d.Sender.SendPlain(now, p, b)
}

// Digests returns the announcements for the next heartbeat to p: the messages that passed since the last one.
// Announcements that do not fit in the heartbeat are sent separately.
func (ds *Broadcasts) Digests(now time.Time, p *Peer) *digest.List {
	if !p.admitted {
		return nil
	}
	p.Neighbor.Arrived, p.Neighbor.Missed = p.Packets.Arrived(), p.Packets.Missed()
	out, with := ds.Disseminator.Heartbeat(ds.outcomes, now, &p.Neighbor)
	ds.disseminate(now, out)
	return with
}

// carryFor sends p the Prunes and Grafts that wait for the datagram that was just sealed for p (PROTOCOL.md Q5).
func (ds *Broadcasts) carryFor(now time.Time, p *Peer) {
	if p.Neighbor.Carries() {
		ds.disseminate(now, ds.Disseminator.Carry(ds.outcomes, &p.Neighbor))
	}
}

// ReceiveStripes handles which stripes of large messages p takes.
func (ds *Broadcasts) ReceiveStripes(now time.Time, p *Peer, data []byte) {
	ds.disseminate(now, ds.Disseminator.HandleStripes(ds.outcomes, now, &p.Neighbor, data))
	ds.d.Sender.Pump(now, p)
}

// changeStripes sends p the stripes of a message that it takes, and no others.
func (ds *Broadcasts) changeStripes(now time.Time, p *Peer, o *broadcast.Outcome) {
	a := ds.Store.Get(o.Message)
	if a == nil || !a.PassedOn {
		return
	}
	t := p.Packets.Transfer(a)
	switch {
	case t == nil && !p.Packets.Full(true):
		ds.begin(now, p, a, o.Take)
	case t != nil && !t.Requested():
		t.Only(o.Take)
	}
}

// begin begins to send p the given stripes of a message.
func (ds *Broadcasts) begin(now time.Time, p *Peer, a *assembly.Assembly, stripes assembly.Stripes) {
	if stripes != 0 {
		ds.d.cfg.Stats.BroadcastsForwarded++
		p.Packets.Begin(now, a, 0).Only(stripes)
	}
}

// ReceiveStop stops sending p a large message. A message that p requested continues, and so does a message of this node
// that few links carry. A message whose transfer has not begun is announced to p instead.
func (ds *Broadcasts) ReceiveStop(p *Peer, data []byte) {
	stop, ok := ds.Disseminator.HandleStop(&p.Neighbor, data)
	if !ok {
		return
	}
	p.Packets.EndTransfers(func(t *packets.Transfer) bool {
		a := t.Message()
		rare := a.Ours && a.Pending < broadcast.OwnLinks
		needed := a.Direct || t.Requested() || rare
		if a.ID != stop || needed || t.Whole() {
			return false
		}
		if !t.Begun() {
			ds.Disseminator.Announced(LargeOf(a), &p.Neighbor)
		}
		return true
	})
}

// ReceiveHave handles announcements.
func (ds *Broadcasts) ReceiveHave(now time.Time, p *Peer, data []byte) {
	ds.Disseminator.HandleAnnouncements(now, &p.Neighbor, data)
	ds.schedule()
}

// ReceiveWant sends p what it requests, as far as it is stored here, and the rest as it arrives.
func (ds *Broadcasts) ReceiveWant(now time.Time, p *Peer, data []byte) {
	d := ds.d
	ds.disseminate(now, ds.Disseminator.HandleRequests(ds.outcomes, &p.Neighbor, data))
	d.Sender.Pump(now, p)
}

func (ds *Broadcasts) Serve(now time.Time, p *Peer, o *broadcast.Outcome) {
	d := ds.d
	a := ds.Store.Get(o.Message)
	switch {
	case a == nil:
		ds.serveSmall(now, p, &o.Message)
		return
	case !a.PassedOn:
		d.drop(stats.DropForgotten)
		return
	case o.From >= a.Total:
		d.drop(stats.DropUnexpected)
		return
	}
	t := p.Packets.Transfer(a)
	if t == nil {
		t = p.Packets.Begin(now, a, 0)
		t.Has(0, a.Total)
	}
	if t.Ranges() > assembly.RangesMax || p.Packets.Ranges() > packets.RangesMax {
		d.drop(stats.DropOversize)
		return
	}
	p.Packets.Prefer(t)
	t.Lacks(o.From, min(o.Until, a.Total))
}

// serveSmall sends p a small message that p requested.
func (ds *Broadcasts) serveSmall(now time.Time, p *Peer, id *wire.MessageID) {
	d := ds.d
	m, ok := ds.Disseminator.Place(id)
	plain := d.Sender.Arena.Get(m)
	if !ok || plain == nil || packets.IDOf(plain) != *id {
		d.drop(stats.DropForgotten)
		return
	}
	switch p.Packets.SendUrgent(now, m) {
	case packets.Opened:
		d.Sender.list(p)
	case packets.Unfit:
		d.Sender.recut(now, p, plain)
	}
}

// broadcastLarge cuts a message of this node into frames for all links (PROTOCOL.md D3).
func (ds *Broadcasts) broadcastLarge(now time.Time, id wire.MessageID, data []byte) error {
	d := ds.d
	a := ds.AddLarge(now, id, data)
	if a == nil {
		return direct.ErrQueueFull
	}
	a.Ours = true
	ds.SweepLater(now)
	ds.Disseminator.Own(now, &id)
	ds.passOn(now, a, data)
	ds.schedule()
	for _, p := range d.links {
		if !p.Legacy {
			d.Sender.Pump(now, p)
		}
	}
	return nil
}

// passOnFrom is how many bytes of a message must have arrived before it is passed on. A first frame that no other frame
// follows therefore costs only the neighbors of its origin, and does not use up what they may begin elsewhere.
const PassOnFrom = 16 << 10

// passOn queues a large message for each link that takes a stripe of it and is not full, and announces it to all. It is
// kept for peers that have not shown that they have it. Legacy nodes get it in one packet once it is complete, if it fits
// (PROTOCOL.md F2).
func (ds *Broadcasts) passOn(now time.Time, a *assembly.Assembly, whole []byte) {
	d := ds.d
	a.PassedOn = true
	passing := ds.Disseminator.PassOn(LargeOf(a), a.Ours)
	for _, p := range d.links {
		switch {
		case p.Legacy && whole != nil:
			d.Sender.sendLegacy(now, p, a.ID, whole)
		case !p.Legacy:
			ds.passTo(now, p, a, &passing)
		}
	}
}

// passTo queues the stripes of a large message that p is sent at once, and announces the message to p.
func (ds *Broadcasts) passTo(now time.Time, p *Peer, a *assembly.Assembly, passing *broadcast.Passing) {
	if p.Packets.Transfer(a) == nil {
		out, stripes := ds.Disseminator.Offer(ds.outcomes, now, passing, &p.Neighbor, p.Packets.Full(true))
		ds.disseminate(now, out)
		ds.begin(now, p, a, stripes)
	}
	ds.Disseminator.Announced(LargeOf(a), &p.Neighbor)
}

// ReceiveFrame stores a frame of a large message and passes it on at once, except to its sender.
func (ds *Broadcasts) ReceiveFrame(now time.Time, p *Peer, ch *packets.Channel, m *wire.Message) {
	d := ds.d
	d.Sender.ReportSoon(now, p, ch)
	switch {
	case m.Total == 0 && len(m.Data) == 0: // a tail probe: only its packet number matters
		return
	case m.Total > MessageMax || len(m.Data) == 0 || uint64(m.Offset)+uint64(len(m.Data)) > uint64(m.Total):
		d.drop(stats.DropOversize)
		return
	}
	a := ds.Store.Get(m.ID)
	switch {
	case a != nil && a.Total != m.Total:
		d.drop(stats.DropUnexpected)
		return
	case a == nil && ds.Disseminator.Seen.Has(&m.ID):
		d.cfg.Stats.FramesDuplicate++
		ds.duplicatePiece(now, p, m.ID, nil)
		return
	case a == nil:
		if a = ds.beginReceiving(now, p, m.ID, m.Total, false); a == nil {
			return
		}
	}
	ds.Disseminator.Piece(now, &p.Neighbor, LargeOf(a))
	ds.has(now, p, a, m.Offset, m.Offset+uint32(len(m.Data)))
	fresh, ok := ds.Store.Write(now, a, m.Offset, m.Data)
	switch {
	case !ok:
		d.drop(stats.DropStoreFull)
		return
	case !fresh:
		d.cfg.Stats.FramesDuplicate++
		ds.duplicatePiece(now, p, m.ID, LargeOf(a))
		return
	}
	ds.Disseminator.NewPiece(now, &p.Neighbor, LargeOf(a), m.Offset)
	d.cfg.Stats.FramesReceived++
	ds.complete(now, p, a)
	if !a.PassedOn && a.Have.Size() >= min(a.Total, PassOnFrom) {
		ds.passOn(now, a, nil)
	}
	for _, o := range d.links {
		if o != p && len(o.Packets.Transfers()) > 0 && !o.Packets.Paused() {
			d.Sender.Pump(now, o)
		}
	}
}

func (ds *Broadcasts) duplicatePiece(now time.Time, p *Peer, id wire.MessageID, l *broadcast.Large) {
	ds.disseminate(now, ds.Disseminator.DuplicatePiece(ds.outcomes, now, &p.Neighbor, id, l))
}

// cutFor passes a message that fits in one datagram on in frames, along a link with a smaller datagram size.
func (ds *Broadcasts) cutFor(now time.Time, p *Peer, a *assembly.Assembly, id wire.MessageID, data []byte, own bool) *assembly.Assembly {
	if a == nil {
		a = ds.Store.Get(id)
	}
	if a == nil {
		a = ds.AddLarge(now, id, data)
	}
	if a == nil {
		ds.d.drop(stats.DropStoreFull)
		return nil
	}
	a.PassedOn = true
	passing := ds.Disseminator.PassOn(LargeOf(a), own)
	ds.passTo(now, p, a, &passing)
	ds.SweepLater(now)
	return a
}

// complete delivers a complete message, whose last piece came from p, to the application once.
func (ds *Broadcasts) complete(now time.Time, p *Peer, a *assembly.Assembly) {
	d := ds.d
	if !a.Complete() || a.Delivered {
		return
	}
	a.Delivered = true
	d.cfg.Stats.BroadcastsDelivered++
	ds.Disseminator.Complete(now, LargeOf(a))
	ds.schedule()
	data := a.Copy()
	for _, o := range d.links {
		if o.Legacy {
			d.Sender.sendLegacy(now, o, a.ID, data)
		}
	}
	d.cfg.Events.Add(event.Event{Kind: event.Message, Data: data, From: p.ID, ID: a.ID, Size: len(data)})
}

// has records that p has a piece of a message that is passed on.
func (ds *Broadcasts) has(now time.Time, p *Peer, a *assembly.Assembly, from, to uint32) {
	LargeOf(a).Shown(&p.Neighbor)
	t := p.Packets.Transfer(a)
	if takes := ds.Disseminator.Gives(&a.ID, &p.Neighbor); t == nil && !a.PassedOn && takes != 0 {
		t = p.Packets.Begin(now, a, 0)
		t.Only(takes)
	}
	if t != nil {
		t.Has(from, to)
	}
}
