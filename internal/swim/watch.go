package swim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Tick checks whether a peer that should be heard is silent or does not hear this node. It returns when it must be
// called next, or zero if the link must end.
func (d *Detector) Tick(out []Action, now time.Time, p *Peer) (next time.Time, _ []Action) {
	d.begin(out)
	if m := d.table.Get(p.ID); m != nil && m.Live() {
		next = d.watchMember(now, p, m)
	} else {
		next = d.watchStranger(now, p)
	}
	return next, d.take()
}

// contestNodes is the number of nodes, besides those with a session, that try to reach a new run of a member. In large
// clusters, the others wait until these have found the earlier run dead.
const contestNodes = 256

// Contest finds out which node is at the address of m: m, which then answers in its session, or the node with the given
// id, which claims the name of m and then answers a handshake at the address.
func (d *Detector) Contest(out []Action, now time.Time, m *members.Entry, id wire.NodeID) []Action {
	d.begin(out)
	if d.peers[m.ID] != nil {
		d.startProbe(now, m, false)
	} else if d.rng.IntN(d.table.CountGo()) >= contestNodes {
		return d.take()
	}
	d.add(Action{Kind: Reach, ID: id, Addr: m.Addr, Again: true})
	return d.take()
}

func (d *Detector) watchMember(now time.Time, p *Peer, m *members.Entry) (next time.Time) {
	heard := p.mutual()
	if p.vouched.After(heard) {
		if now.Sub(heard) >= p.lost && !d.Suspects(m) && p.linked {
			d.add(Action{Kind: EndLink, Peer: p, Member: m})
			return time.Time{}
		}
		heard = p.vouched
	}
	switch {
	case now.Sub(heard) < p.ask:
		return heard.Add(p.ask)
	case now.Sub(heard) < p.check:
		d.ask(now, p, m, heard)
		return heard.Add(p.check)
	case now.Sub(p.deafSince) < d.deafPause():
		return p.deafSince.Add(d.deafPause())
	case !d.Accuses(m):
		d.startProbe(now, m, !p.linked)
	case now.Sub(p.checkedAt) >= silencePing: // the accused has time to show that it is alive
		d.checkPath(now, p)
	}
	return now.Add(silencePing)
}

// ask asks a linked peer for an answer, once in a silence that began at heard. Usually one heartbeat was lost.
func (d *Detector) ask(now time.Time, p *Peer, m *members.Entry, heard time.Time) {
	if p.linked && p.askedAt.Before(heard) {
		p.askedAt = now
		d.add(Action{Kind: Reach, ID: m.ID, Addr: m.Addr})
	}
}

// watchStranger watches a peer that is not a member. Its loss is not reported to other nodes.
func (d *Detector) watchStranger(now time.Time, p *Peer) (next time.Time) {
	heard := p.mutual()
	switch silent := now.Sub(heard); {
	case silent >= p.lost:
		d.add(Action{Kind: DropLink, Peer: p})
		return time.Time{}
	case silent < p.check:
		return heard.Add(p.check)
	case now.Sub(p.checkedAt) >= silencePing:
		d.checkPath(now, p)
	}
	return p.checkedAt.Add(silencePing)
}

// checkPath asks a silent peer for an answer, on every possible path.
func (d *Detector) checkPath(now time.Time, p *Peer) {
	p.checkedAt = now
	d.add(Action{Kind: CheckPath, Peer: p})
	d.add(Action{Kind: SendPing, Peer: p})
}
