package entries

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Request sends a request after this node's own entry. Because of the two requests that begin a link, each end knows the
// other as a member.
func (e *Entries) Request(now time.Time, p *delivery.Peer, k wire.Kind) {
	if p.Legacy {
		e.sender.SendRequest(now, p, k)
		return
	}
	e.sender.Send(now, p, wire.AppendRequest(e.appendSelf(e.sender.Begin()), e.newID(), k))
}

// SendDeparture sends this node's own entry with a Ping, whose answer shows that p knows that this node has left.
func (e *Entries) SendDeparture(now time.Time, p *delivery.Peer) {
	e.sender.Send(now, p, p.Swim.AppendPing(e.appendSelf(e.sender.Begin()), now, e.newID(), swim.Purpose{Leave: true}))
}

// appendSelf appends a message of this node's own entry to b.
func (e *Entries) appendSelf(b []byte) []byte {
	w := wire.BeginMembers(b, e.newID())
	w.Append(e.cfg.Members.Self().Fill(&e.entry), delivery.ControlMax)
	return w.End()
}
