package gossip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A help is a member that this node probes because others asked it to.
type help struct {
	target wire.NodeID
	addr   netip.AddrPort
	began  time.Time
	askers []asker
	again  bool // it was asked twice
	tried  bool // in vain; what is left is to accuse it too if the askers do
	timer  timer.Timer
}

type asker struct {
	peer *peer
	seq  uint64
}

// handleProbeFor asks a member for a sign of life on behalf of p.
func (c *Core) handleProbeFor(now time.Time, p *peer, data []byte) {
	f, err := wire.ParseProbeFor(data)
	switch {
	case err != nil:
		c.drop(DropMalformedBody)
		return
	case !f.Target.IsGo():
		c.drop(DropUnexpected)
		return
	case f.Target == c.cfg.ID:
		c.sendProbeResult(now, asker{p, f.Seq}, c.self.Live())
		return
	case !p.swim.indirect.Take(now, quota.PerSecond(helpRate)):
		c.drop(DropOversize)
		return
	}
	i := slices.IndexFunc(c.swim.helps, func(h *help) bool { return h.target == f.Target })
	if i < 0 {
		if len(c.swim.helps) >= helpsMax {
			c.drop(DropOversize)
			return
		}
		i = len(c.swim.helps)
		c.swim.helps = append(c.swim.helps, c.startHelp(now, &f))
	}
	if h := c.swim.helps[i]; h.tried {
		c.sendProbeResult(now, asker{p, f.Seq}, false)
	} else if len(h.askers) < helpAskers {
		h.askers = append(h.askers, asker{p, f.Seq})
	}
}

// startHelp begins to probe. The address that was asked for is used only for a node that we do not know.
func (c *Core) startHelp(now time.Time, f *wire.ProbeFor) *help {
	h := &help{target: f.Target, addr: f.Addr, began: now}
	h.timer.Fire = func(now time.Time) { c.stepHelp(now, h) }
	m := c.members.Get(f.Target)
	switch {
	case m != nil && m.Addr.IsValid():
		h.addr = m.Addr
	case f.Addr.Addr().IsUnspecified(), f.Addr.Port() == 0, c.cfg.Allow != nil && !c.cfg.Allow(f.Addr.Addr()):
		h.addr = netip.AddrPort{}
	}
	c.reachOut(now, h.target, h.addr, false)
	c.timers.Set(&h.timer, now.Add(c.cfg.ProbeTimeout*2/5))
	return h
}

// stepHelp asks again, and at last tells that there was no answer, while those that wait can still hear it.
func (c *Core) stepHelp(now time.Time, h *help) {
	switch {
	case !h.again:
		h.again = true
		c.reachOut(now, h.target, h.addr, true)
		c.timers.Set(&h.timer, now.Add(c.cfg.ProbeTimeout*2/5))
	case !h.tried:
		h.tried = true
		c.answerFor(now, h, false)
		c.timers.Set(&h.timer, now.Add(c.cfg.ProbeTimeout))
	default:
		c.endHelp(h)
	}
}

// triedFor reports whether this node has just probed a node for others in vain.
func (c *Core) triedFor(id wire.NodeID) bool {
	return slices.ContainsFunc(c.swim.helps, func(h *help) bool { return h.target == id && h.tried })
}

// helped tells those that wait for an answer of a node that there was one.
func (c *Core) helped(now time.Time, p *peer) {
	if i := slices.IndexFunc(c.swim.helps, func(h *help) bool { return h.target == p.id }); i >= 0 && !p.swim.echo.Before(c.swim.helps[i].began) {
		c.answerFor(now, c.swim.helps[i], true)
		c.endHelp(c.swim.helps[i])
	}
}

func (c *Core) endHelp(h *help) {
	c.timers.Stop(&h.timer)
	c.swim.helps = slices.DeleteFunc(c.swim.helps, func(o *help) bool { return o == h })
}

func (c *Core) answerFor(now time.Time, h *help, answered bool) {
	for _, a := range h.askers {
		c.sendProbeResult(now, a, answered)
	}
	h.askers = nil
}

func (c *Core) sendProbeResult(now time.Time, a asker, answered bool) {
	if c.peers[a.peer.id] == a.peer {
		c.plain = wire.AppendProbeResult(c.plain[:0], c.newID(), wire.ProbeResult{Seq: a.seq, Answered: answered})
		c.sendPlain(now, a.peer, c.plain)
	}
}
