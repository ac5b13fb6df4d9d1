package gossip

import (
	"slices"
	"time"

	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// What was made for one datagram and does not fit into any that its path carries is cut into pieces: broadcasts into
// frames, all else into pieces of a direct message.

// controlMax is the most bytes of a plaintext of control that goes in pieces.
const controlMax = datagramMax - wire.BoxOverhead

// recut queues a message of one datagram for p in pieces. The caller pumps.
func (tr *transport) recut(now time.Time, p *peer, plain []byte) {
	c := tr.core
	p.packets.Widen(now)
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil { // not of what we have written ourselves
		return
	}
	switch m.Kind {
	case wire.KindBroadcast:
		c.broadcast.cutFor(now, p, nil, m.ID, m.Data, true)
	case wire.KindDirect:
		c.direct.cut(now, p, m.ID, m.Data)
	default:
		c.direct.sendControl(now, p, plain)
	}
}

// cut sends a small direct message in pieces. One that is to be acknowledged stays a large message until it is.
func (x *directs) cut(now time.Time, p *peer, id wire.MessageID, data []byte) {
	c := x.core
	d, err := wire.ParseDirect(data)
	if err != nil || int(d.Total) != len(d.Data) {
		return
	}
	m := x.Awaited(id)
	if m == nil {
		x.sendPieces(now, p, id, d.Use, d.Data)
		return
	}
	if !x.Enlarge(now, m) { // tried again with its next repeat
		c.drop(DropStoreFull)
		return
	}
	if p.packets.Transfer(m.Large) == nil {
		p.packets.Begin(now, m.Large, m.Use)
	}
	c.broadcast.sweepLater(now)
}

// sendControl sends a plaintext of control in pieces.
func (x *directs) sendControl(now time.Time, p *peer, plain []byte) {
	p.packets.Widen(now)
	if len(plain) > controlMax {
		x.core.drop(DropOversize)
		return
	}
	x.sendPieces(now, p, x.NewID(), wire.UseControl, plain)
	p.packets.PumpSoon(now)
}

// sendPieces queues a message that nobody acknowledges in pieces for p.
func (x *directs) sendPieces(now time.Time, p *peer, id wire.MessageID, use wire.Use, data []byte) {
	c := x.core
	if len(p.packets.Transfers()) >= packets.TransfersMax {
		c.drop(DropQueueFull)
		return
	}
	again := slices.ContainsFunc(p.packets.Transfers(), func(t *packets.Transfer) bool { return t.Message().Direct && t.Message().ID == id })
	if again { // two copies of it were lost
		return
	}
	a := c.broadcast.store.Add(now, id, data, true)
	if a == nil {
		c.drop(DropStoreFull)
		return
	}
	p.packets.Begin(now, a, use)
	c.broadcast.sweepLater(now)
}
