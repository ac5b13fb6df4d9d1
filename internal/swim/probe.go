package swim

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// patrolInterval is the time between two patrols, unless two heartbeat intervals are longer.
const patrolInterval = 10 * time.Second

// patrolDraws is the maximum number of members that are drawn to find one that is not linked.
const patrolDraws = 8

func (d *Detector) probeOf(id wire.NodeID) *probe {
	for _, pr := range d.probes {
		if pr.m.ID == id {
			return pr
		}
	}
	return nil
}

// startProbe asks m to answer, and asks helpers to probe m. If patrol is set, it does not ask helpers yet
// (PROTOCOL.md V1).
func (d *Detector) startProbe(now time.Time, m *members.Entry, patrol bool) {
	if d.probeOf(m.ID) != nil || !d.self.Live() || m.Legacy() {
		return
	}
	d.probeSeq++
	pr := &probe{m: m, refuted: m.Refuted, began: now, seq: d.probeSeq, patrol: patrol}
	pr.timer.Fire = func(now time.Time) { d.stepProbe(now, pr) }
	d.probes = append(d.probes, pr)
	if patrol { // too many for a ProbeStarted each
		d.add(Action{Kind: Reach, ID: m.ID, Addr: m.Addr})
	} else {
		d.add(Action{Kind: ProbeStarted, Member: m})
		d.probeAll(now, pr)
	}
	d.timers.Set(&pr.timer, now.Add(d.probeTimeout(now)/2))
}

// probeTimeout returns the time that a probe waits for an answer. A node in ill health waits longer, to avoid false
// accusations. A node that hears no node sends no accusations, so it does not wait longer.
func (d *Detector) probeTimeout(now time.Time) time.Duration {
	if d.HearsNobody(now) {
		return d.cfg.ProbeTimeout
	}
	return d.health.stretch(d.cfg.ProbeTimeout)
}

// probeAll asks m once more, and asks helpers for the first time.
func (d *Detector) probeAll(now time.Time, pr *probe) {
	if p := d.peers[pr.m.ID]; p != nil {
		d.add(Action{Kind: CheckPath, Peer: p})
	}
	d.add(Action{Kind: Reach, ID: pr.m.ID, Addr: pr.m.Addr})
	pr.patrol, pr.half, pr.askedAt = false, false, now
	for _, p := range d.drawHelpers(now, pr.m) {
		d.Stats.ProbesIndirect++
		pr.helpers = append(pr.helpers, p.ID)
		d.add(Action{Kind: SendProbeFor, Peer: p, ProbeFor: wire.ProbeFor{Seq: pr.seq, Target: pr.m.ID, Addr: pr.m.Addr}})
	}
	if pr.helpersAsked = len(pr.helpers); pr.helpersAsked > 0 {
		d.add(Action{Kind: HelpersAsked, Member: pr.m, Count: pr.helpersAsked})
	}
}

// drawHelpers returns linked members, drawn at random, that are asked to probe m.
func (d *Detector) drawHelpers(now time.Time, m *members.Entry) (helpers []*Peer) {
	for _, p := range d.links {
		if d.mayHelp(now, p, m) {
			helpers = append(helpers, p)
		}
	}
	d.rng.Shuffle(len(helpers), func(i, j int) { helpers[i], helpers[j] = helpers[j], helpers[i] })
	return helpers[:min(len(helpers), max(d.cfg.IndirectChecks, 0))]
}

// mayHelp reports whether p is an alive member other than m that was heard recently.
func (d *Detector) mayHelp(now time.Time, p *Peer, m *members.Entry) bool {
	o := d.table.Get(p.ID)
	if o == nil || o == m || p.legacy() {
		return false
	}
	return o.State == wire.StateAlive && p.works(now)
}

// stepProbe asks m again at half of the timeout, and ends a probe that was not answered.
func (d *Detector) stepProbe(now time.Time, pr *probe) {
	m := pr.m
	switch {
	case !m.Live() || m.Refuted != pr.refuted || !d.self.Live():
		d.endProbe(pr)
	case !pr.half:
		pr.half = true
		d.add(Action{Kind: Reach, ID: m.ID, Addr: m.Addr, Again: true})
		d.timers.Set(&pr.timer, now.Add(d.probeTimeout(now)/2))
	case pr.patrol:
		d.probeAll(now, pr)
		d.timers.Set(&pr.timer, now.Add(d.probeTimeout(now)/2))
	default:
		d.endProbe(pr)
		d.probeFailed(now, pr)
	}
}

// probeFailed accuses a member that did not answer this node or a helper.
func (d *Detector) probeFailed(now time.Time, pr *probe) {
	d.Stats.ProbesFailed++
	d.add(Action{Kind: ProbeFailed, Member: pr.m})
	if d.heardNobodySince(pr.began) {
		d.suspectAlone(now, pr.m)
	} else {
		d.health.note(d.silentHelpers(pr))
		d.addSelfAsAccuser(now, pr.m)
	}
	if d.linksFail(now) {
		d.add(Action{Kind: TakeCensus})
	}
}

// silentHelpers counts the helpers that indicate a fault of this node: they are alive, but the requests to them or their
// answers were lost. Helpers that fell silent themselves indicate nothing, because many nodes may fail at once.
func (d *Detector) silentHelpers(pr *probe) (count int) {
	if pr.helpersAsked == 0 && d.table.CountGo() > 2 && d.health.score == 0 { // no other link works, which may be this node's fault
		return 1
	}
	for _, id := range pr.helpers {
		if p := d.peers[id]; p != nil && p.Heard.After(pr.askedAt) {
			count++
		}
	}
	return count
}

func (d *Detector) endProbe(pr *probe) {
	d.timers.Stop(&pr.timer)
	d.probes = slices.DeleteFunc(d.probes, func(o *probe) bool { return o == pr })
}

func (d *Detector) probeAnswered(p *Peer, pr *probe) {
	d.endProbe(pr)
	if !pr.patrol {
		d.add(Action{Kind: ProbeAnswered, Member: pr.m})
	}
	d.health.note(-1)
	if pr.patrol && p.pingedAt.IsZero() { // the answer was a handshake
		d.add(Action{Kind: SendPing, Peer: p})
	}
}

// HandleProbeFor probes a node on behalf of p. The address in f is used only if this node does not know the target,
// and is zero if members may not have it. HandleProbeFor returns false if p exceeds its limits.
func (d *Detector) HandleProbeFor(out []Action, now time.Time, p *Peer, f *wire.ProbeFor) (_ []Action, ok bool) {
	d.begin(out)
	from := requester{p, f.Seq}
	switch ok = p.indirect.Take(now, quota.PerSecond(RequestRate)); {
	case !ok:
	case f.Target == d.self.ID:
		d.requests.answer(from, d.self.Live())
	default:
		ok = d.requests.take(now, from, f, d.table.Get(f.Target))
	}
	return d.take(), ok
}

// HandleProbeResult handles the result of the helper p. A late or repeated result is only counted.
func (d *Detector) HandleProbeResult(out []Action, now time.Time, p *Peer, r wire.ProbeResult) []Action {
	if r.Answered {
		d.Stats.ResultsAlive++
	} else {
		d.Stats.ResultsNone++
	}
	i := slices.IndexFunc(d.probes, func(pr *probe) bool { return pr.seq == r.Seq })
	if i < 0 || !slices.Contains(d.probes[i].helpers, p.ID) {
		return out
	}
	pr := d.probes[i]
	pr.helpers = slices.DeleteFunc(pr.helpers, func(id wire.NodeID) bool { return id == p.ID })
	if !r.Answered {
		return out
	}
	if target := d.peers[pr.m.ID]; target != nil {
		target.vouched = now
	}
	d.endProbe(pr)
	d.health.note(-1)
	return append(out, Action{Kind: ProbeVouched, Member: pr.m})
}

// startPatrol probes a random member that is not linked, because possibly no other node watches it (PROTOCOL.md V2).
func (d *Detector) startPatrol(now time.Time) {
	i := max(patrolInterval, 2*d.cfg.Heartbeat)
	d.timers.Set(&d.patrol, now.Add(i-i/10+time.Duration(d.rng.Int64N(int64(i/5)))))
	if !d.self.Live() {
		return
	}
	for range patrolDraws {
		if m := d.table.Draw(d.rng); d.needsPatrol(m) {
			d.startProbe(now, d.table.Get(m.ID), true)
			return
		}
	}
}

// needsPatrol reports whether m is an alive member that is not linked.
func (d *Detector) needsPatrol(m *members.Entry) bool {
	if m.ID == d.self.ID || m.State != wire.StateAlive || m.Legacy() {
		return false
	}
	p := d.peers[m.ID]
	return p == nil || !p.linked
}
