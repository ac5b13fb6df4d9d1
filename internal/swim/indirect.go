package swim

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
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

// requests is the nodes that this node probes for others.
type requests struct {
	effects effects
	timeout time.Duration // ProbeTimeout
	probes  []*indirectProbe
}

// take probes a node for a peer, from its own member list's address if it has one. It returns false if there are too
// many requests.
func (x *requests) take(now time.Time, from requester, f *wire.ProbeFor, known *members.Entry) bool {
	if !from.peer.indirect.Take(now, quota.PerSecond(RequestRate)) {
		return false
	}
	pr := x.of(f.Target)
	if pr == nil {
		if len(x.probes) >= RequestedMax {
			return false
		}
		pr = x.start(now, f.Target, addrOf(f, known))
	}
	if pr.failed {
		x.answer(from, false)
	} else if len(pr.requesters) < requestersMax {
		pr.requesters = append(pr.requesters, from)
	}
	return true
}

// addrOf is the address at which the target of a request is asked.
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

// step asks again, and at last answers that there was nothing, while the requesters still wait for it.
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

// failed reports whether this node has just probed a node for others in vain.
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

// answer answers a request, unless the peer that made it is gone.
func (x *requests) answer(to requester, alive bool) {
	if !to.peer.gone {
		x.effects.add(Action{Kind: SendProbeResult, Peer: to.peer, ProbeResult: wire.ProbeResult{Seq: to.seq, Answered: alive}})
	}
}
