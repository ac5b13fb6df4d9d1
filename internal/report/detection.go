package report

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Detection writes what the failure detector reports.
func (r *Reporter) Detection(now time.Time, a *swim.Action) {
	switch a.Kind {
	case swim.NobodyHeard:
		r.warn(now, "alone", "nothing has arrived from any other node for %v: this node is cut off, or cannot receive, or is the only one left",
			a.Age.Round(time.Millisecond))
	case swim.FailedTogether:
		p := a.Partition
		r.log(now, logbook.Partition, "%d of %d members failed within %v: the network is partitioned, or they crashed together",
			p.Failed, p.Members, p.Last.Sub(p.Began).Round(time.Millisecond))
	case swim.BackTogether:
		r.backTogether(now, a.Partition)
	case swim.Suspected:
		r.traceSuspicion(now, "raised", a.Member, a.By)
		r.probe(now, a)
	default:
		r.probe(now, a)
	}
}

func (r *Reporter) backTogether(now time.Time, p *swim.Partition) {
	verdict := "the partition is over"
	if p.Restarted == p.Back {
		verdict = "they were restarted"
	}
	r.log(now, logbook.Partition, "%d of %d members that failed together are back, %v after the first of them failed: %s",
		p.Back, p.Failed, now.Sub(p.Began).Round(time.Millisecond), verdict)
}

// probe writes a step of a probe, or of a suspicion.
func (r *Reporter) probe(now time.Time, a *swim.Action) {
	if !r.cfg.Debug {
		return
	}
	switch a.Kind {
	case swim.Suspected:
		r.log(now, logbook.Suspicion, "%s suspects that member %s has failed", r.Who(a.By), a.Member)
	case swim.ProbeStarted:
		r.log(now, logbook.Probe, "probing member %s, which is silent or does not hear this node", a.Member)
	case swim.HelpersAsked:
		r.log(now, logbook.Probe, "asked %d other nodes to probe member %s too", a.Count, a.Member)
	case swim.ProbeAnswered:
		r.log(now, logbook.Probe, "member %s answered the probe", a.Member)
	case swim.ProbeVouched:
		r.log(now, logbook.Probe, "member %s answered another node that probed it", a.Member)
	case swim.ProbeFailed:
		r.log(now, logbook.Probe, "member %s did not answer the probe", a.Member)
	}
}

// Refutation writes that a member has refuted a suspicion.
func (r *Reporter) Refutation(now time.Time, m *members.Entry) {
	r.traceSuspicion(now, "refuted", m, wire.NodeID{})
	if r.cfg.Debug {
		r.log(now, logbook.Refutation, "member %s is alive: it refuted the suspicion", m)
	}
}

// Accused writes that other nodes believed this node to be in the given state.
func (r *Reporter) Accused(now time.Time, as wire.State) {
	r.warn(now, "defend", "other nodes consider this node %s: sending a refutation", as)
}

// HeardAgain writes that this node hears other nodes again, after receiving nothing for some time.
func (r *Reporter) HeardAgain(now time.Time, silence time.Duration) {
	r.log(now, logbook.Partition, "this node hears other nodes again, after %v in which nothing came", silence.Round(time.Millisecond))
}

// Asleep writes that this node did not run for some time.
func (r *Reporter) Asleep(now time.Time) {
	r.warn(now, "asleep", "this node did not run for a while: it begins new handshakes with its links")
}

// traceSuspicion traces that a suspicion of a member begins or ends. by is the accuser, or zero for none.
func (r *Reporter) traceSuspicion(now time.Time, what string, m *members.Entry, by wire.NodeID) {
	if r.cfg.Trace == nil {
		return
	}
	e := trace.Event{Kind: trace.Suspicion, What: what, Peer: m.Name}
	if by != (wire.NodeID{}) {
		e.By = r.plain(by)
	}
	r.cfg.Trace.Emit(now, e)
}
