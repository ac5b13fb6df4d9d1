package swim

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the probes for others (docs/PROTOCOL.md V3).
const (
	RequestedMax  = 256 // nodes probed for others at once
	requestersMax = 16  // nodes that one of these is probed for
	RequestRate   = 32  // requests taken per peer and second
)

// An indirectProbe is a node that this node probes because others asked for it.
type indirectProbe struct {
	target     wire.NodeID
	addr       netip.AddrPort
	began      time.Time
	requesters []requester // that wait for the result
	again      bool        // the target was asked twice
	failed     bool        // it did not answer; this is remembered, to accuse it as well if the requesters do
	timer      timer.Timer
}

type requester struct {
	peer *Peer
	seq  uint64
}

// HandleProbeFor probes a node on behalf of p. The address in f is used only if this node does not know the target; it
// is zero if members may not have it. It returns false if p asks for more than it may.
func (d *Detector) HandleProbeFor(out []Action, now time.Time, p *Peer, f *wire.ProbeFor) (_ []Action, ok bool) {
	d.begin(out)
	ok = d.takeRequest(now, requester{p, f.Seq}, f)
	return d.take(), ok
}

func (d *Detector) takeRequest(now time.Time, from requester, f *wire.ProbeFor) bool {
	if f.Target == d.self.ID {
		d.sendResult(from, d.self.Live())
		return true
	}
	if !from.peer.indirect.Take(now, quota.PerSecond(RequestRate)) {
		return false
	}
	x := d.requestedOf(f.Target)
	if x == nil {
		if len(d.requested) >= RequestedMax {
			return false
		}
		x = d.startRequested(now, f)
	}
	if x.failed {
		d.sendResult(from, false)
	} else if len(x.requesters) < requestersMax {
		x.requesters = append(x.requesters, from)
	}
	return true
}

func (d *Detector) requestedOf(id wire.NodeID) *indirectProbe {
	for _, x := range d.requested {
		if x.target == id {
			return x
		}
	}
	return nil
}

func (d *Detector) startRequested(now time.Time, f *wire.ProbeFor) *indirectProbe {
	x := &indirectProbe{target: f.Target, addr: f.Addr, began: now}
	x.timer.Fire = func(now time.Time) { d.stepRequested(now, x) }
	m := d.table.Get(f.Target)
	switch {
	case m != nil && m.Addr.IsValid():
		x.addr = m.Addr
	case f.Addr.Addr().IsUnspecified(), f.Addr.Port() == 0:
		x.addr = netip.AddrPort{}
	}
	d.requested = append(d.requested, x)
	d.add(Action{Kind: Reach, ID: x.target, Addr: x.addr})
	d.timers.Set(&x.timer, now.Add(d.cfg.ProbeTimeout*2/5))
	return x
}

// stepRequested asks again, and at last answers that there was nothing, while the requesters still wait for it.
func (d *Detector) stepRequested(now time.Time, x *indirectProbe) {
	switch {
	case !x.again:
		x.again = true
		d.add(Action{Kind: Reach, ID: x.target, Addr: x.addr, Again: true})
		d.timers.Set(&x.timer, now.Add(d.cfg.ProbeTimeout*2/5))
	case !x.failed:
		x.failed = true
		d.answerRequests(x, false)
		d.timers.Set(&x.timer, now.Add(d.cfg.ProbeTimeout))
	default:
		d.endRequested(x)
	}
}

// failedFor reports whether this node has just probed a node for others in vain.
func (d *Detector) failedFor(id wire.NodeID) bool {
	x := d.requestedOf(id)
	return x != nil && x.failed
}

func (d *Detector) endRequested(x *indirectProbe) {
	d.timers.Stop(&x.timer)
	d.requested = slices.DeleteFunc(d.requested, func(o *indirectProbe) bool { return o == x })
}

func (d *Detector) answerRequests(x *indirectProbe, answered bool) {
	for _, r := range x.requesters {
		d.sendResult(r, answered)
	}
	x.requesters = nil
}

// sendResult answers a request, unless the peer that made it is gone.
func (d *Detector) sendResult(to requester, answered bool) {
	if d.peers[to.peer.ID] == to.peer {
		d.add(Action{Kind: SendProbeResult, Peer: to.peer, ProbeResult: wire.ProbeResult{Seq: to.seq, Answered: answered}})
	}
}
