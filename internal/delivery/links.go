package delivery

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Links returns the links over which broadcasts and news are exchanged, in the order in which that began. The caller must
// not change the slice.
func (d *Delivery) Links() []*Peer { return d.links }

// Link begins a link with p. The caller then calls Admit, and again when p has become a member.
func (d *Delivery) Link(now time.Time, p *Peer) {
	p.Linked = true
	p.Packets.SetLinked(now, true)
}

// Unlink ends the link with p. The caller then notifies Broadcasts with LinkEnded.
func (d *Delivery) Unlink(now time.Time, p *Peer) {
	p.Linked = false
	d.removeLink(p)
	p.Packets.SetLinked(now, false)
}

// removeLink removes p from the links over which broadcasts and news are exchanged.
func (d *Delivery) removeLink(p *Peer) {
	d.links = slices.DeleteFunc(d.links, func(o *Peer) bool { return o == p })
}

// LinkBegan begins to exchange broadcasts with p, and announces recent messages to it. A node that joins receives
// the application state before it has links, and would miss messages sent in between.
func (ds *Broadcasts) LinkBegan(now time.Time, p *Peer) {
	d := ds.d
	p.admitted = true
	d.links = append(d.links, p)
	if !p.Legacy {
		ds.Disseminator.LinkUp(&p.Neighbor, p.ID, p.Packets.RoundTrip(), p.Node.Zone != d.cfg.Zone)
	}
	if len(d.links) == 1 {
		ds.releaseHeld(now)
	}
	ds.Carry(now, p)
	if !p.Legacy {
		ds.disseminate(now, ds.Disseminator.AnnounceRecent(ds.outcomes, now, &p.Neighbor))
	}
}

// LinkEnded ends the exchange of broadcasts with p, if it has begun. Messages queued for p alone are sent to other
// neighbors.
func (ds *Broadcasts) LinkEnded(now time.Time, p *Peer) {
	if !p.admitted {
		return
	}
	p.admitted = false
	m := ds.d.cfg.Members.Get(p.ID)
	p.Neighbor.Failed = m != nil && m.State == wire.StateDead
	ds.Disseminator.LinkDown(now, &p.Neighbor)
	ds.schedule()
	ds.redirect(now, p)
}

// Admit begins the exchange of broadcasts and news over the link with p, if there is one, p is a member or a legacy node or
// may be a new run of a member, and the exchange has not begun. Other nodes that wait for their name have a link before
// they are members (PROTOCOL.md G2).
func (d *Delivery) Admit(now time.Time, p *Peer) {
	if takesPart := p.Legacy || p.NewRun || d.cfg.Members.IsLive(p.ID); takesPart && p.Linked && !p.admitted {
		d.Broadcasts.LinkBegan(now, p)
	}
}

// Dismiss ends the exchange of broadcasts and news with p, which is no new run of a member.
func (d *Delivery) Dismiss(now time.Time, p *Peer) {
	p.NewRun = false
	if p.admitted && !d.cfg.Members.IsLive(p.ID) {
		d.removeLink(p)
		d.Broadcasts.LinkEnded(now, p)
	}
}

// Carry offers the large messages in progress at this node on the new link to p. If p was a member already when a message
// arrived, p may have lost the links that announced the message, so the message is announced to p (PROTOCOL.md D5).
func (ds *Broadcasts) Carry(now time.Time, p *Peer) {
	d := ds.d
	if p.Legacy {
		return
	}
	m := d.cfg.Members.Get(p.ID)
	for a := range ds.Store.All {
		switch {
		case !a.PassedOn || p.Packets.Transfer(a) != nil:
		case !a.Complete() || a.Pending > 0:
			passing := ds.Disseminator.PassOn(LargeOf(a), a.Ours && a.Pending < broadcast.OwnLinks)
			ds.passTo(now, p, a, &passing)
		case m != nil && d.cfg.Members.WasMember(m, a.Began):
			ds.Disseminator.Announced(LargeOf(a), &p.Neighbor)
		}
	}
	d.Sender.Pump(now, p)
}

// redirect sends the messages that were queued for an ended link along another link, unless some node has them already:
// a message that few links carry would be lost otherwise.
func (ds *Broadcasts) redirect(now time.Time, p *Peer) {
	d := ds.d
	for _, t := range p.Packets.Transfers() {
		a := t.Message()
		if a.Direct || !a.Complete() {
			continue
		}
		if t.Whole() || LargeOf(a).Owned() {
			continue
		}
		var to *Peer
		for _, o := range d.links {
			shorter := to == nil || len(o.Packets.Transfers()) < len(to.Packets.Transfers())
			if !o.Legacy && shorter && o.Packets.Transfer(a) == nil {
				to = o
			}
		}
		if to != nil {
			to.Packets.Begin(now, a, 0)
			d.Sender.Pump(now, to)
		}
	}
}
