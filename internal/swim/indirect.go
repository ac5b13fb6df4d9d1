package swim

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Limits of the probes for other nodes (docs/PROTOCOL.md V3).
const (
	RequestedMax  = 256 // targets at the same time
	requestersMax = 16  // requesters per target
	RequestRate   = 32  // requests accepted per peer and second
)

// An indirectProbe is the probe of a node that other nodes asked for.
type indirectProbe struct {
	target     wire.NodeID
	addr       netip.AddrPort
	began      time.Time
	requesters []requester // nodes that wait for the result
	again      bool        // the target was asked twice
	failed     bool        // no answer came; this node also accuses the target if it hears of an accusation
	timer      timer.Timer
}

type requester struct {
	peer *Peer
	seq  uint64
}

// requests holds the probes that this node makes for other nodes.
type requests struct {
	effects effects
	timeout time.Duration // ProbeTimeout
	probes  []*indirectProbe
}

// take probes a node for a peer, at the address in this node's own member table if it has one. It returns false if too
// many nodes are probed, or if too many requesters wait for this one.
func (x *requests) take(now time.Time, from requester, f *wire.ProbeFor, known *members.Entry) bool {
	pr := x.of(f.Target)
	if pr == nil {
		if len(x.probes) >= RequestedMax {
			return false
		}
		pr = x.start(now, f.Target, addrOf(f, known))
	}
	switch {
	case pr.failed:
		x.answer(from, false)
	case len(pr.requesters) >= requestersMax:
		return false
	default:
		pr.requesters = append(pr.requesters, from)
	}
	return true
}

// addrOf returns the address at which the target of a request is probed.
func addrOf(f *wire.ProbeFor, known *members.Entry) netip.AddrPort {
	switch {
	case known != nil && known.Addr.IsValid():
		return known.Addr
	case f.Addr.Addr().IsUnspecified(), f.Addr.Port() == 0:
		return netip.AddrPort{}
	}
	return f.Addr
}

func (x *requests) of(id wire.NodeID) *indirectProbe {
	for _, pr := range x.probes {
		if pr.target == id {
			return pr
		}
	}
	return nil
}

func (x *requests) start(now time.Time, target wire.NodeID, at netip.AddrPort) *indirectProbe {
	pr := &indirectProbe{target: target, addr: at, began: now}
	pr.timer.Fire = func(now time.Time) { x.step(now, pr) }
	x.probes = append(x.probes, pr)
	x.effects.add(Action{Kind: Reach, ID: target, Addr: at})
	x.effects.timers.Set(&pr.timer, now.Add(x.timeout*2/5))
	return pr
}

// step asks the target again, then answers the requesters that it did not answer, in time for their own timeout.
func (x *requests) step(now time.Time, pr *indirectProbe) {
	switch {
	case !pr.again:
		pr.again = true
		x.effects.add(Action{Kind: Reach, ID: pr.target, Addr: pr.addr, Again: true})
		x.effects.timers.Set(&pr.timer, now.Add(x.timeout*2/5))
	case !pr.failed:
		pr.failed = true
		x.answerAll(pr, false)
		x.effects.timers.Set(&pr.timer, now.Add(x.timeout))
	default:
		x.end(pr)
	}
}

// heard ends the probe of p if p has answered it.
func (x *requests) heard(p *Peer) {
	if pr := x.of(p.ID); pr != nil && !p.heardUs.Before(pr.began) {
		x.answerAll(pr, true)
		x.end(pr)
	}
}

// failed reports whether this node has recently probed a node for others without an answer.
func (x *requests) failed(id wire.NodeID) bool {
	pr := x.of(id)
	return pr != nil && pr.failed
}

func (x *requests) end(pr *indirectProbe) {
	x.effects.timers.Stop(&pr.timer)
	x.probes = slices.DeleteFunc(x.probes, func(o *indirectProbe) bool { return o == pr })
}

func (x *requests) answerAll(pr *indirectProbe, alive bool) {
	for _, r := range pr.requesters {
		x.answer(r, alive)
	}
	pr.requesters = nil
}

// answer sends the result of a request, unless the requesting peer is gone.
func (x *requests) answer(to requester, alive bool) {
	if !to.peer.gone {
		x.effects.add(Action{Kind: SendProbeResult, Peer: to.peer, ProbeResult: wire.ProbeResult{Seq: to.seq, Answered: alive}})
	}
}
