package swim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An accusation is passed on to every node, and its refutation is too. So what one node can cause by accusations is
// bounded, whatever it claims about their authors (PROTOCOL.md V12).

// AccusationRate limits the accusations with news that one peer with a link may bring, and those that all peers without
// a link bring together.
var AccusationRate = quota.Rate{Burst: 1024, Every: time.Second / 16}

const (
	suspicionBurst = 4    // suspicions of one member in a row that other nodes may begin
	refutalBurst   = 8    // refutations of this node in a row
	accusedMax     = 4096 // members whose suspicions are counted
)

// ration limits what the accusations of other nodes cause.
type ration struct {
	suspicions quota.Map[wire.NodeID, quota.Bucket] // suspicions of a live member that other nodes began
	strangers  quota.Bucket                         // accusations that peers without a link brought
}

func newRation() ration {
	return ration{suspicions: quota.NewMap[wire.NodeID, quota.Bucket](accusedMax)}
}

// mayBring counts an accusation of a member that is news, and reports whether it may be accepted from the peer via. begins
// says that it would begin a suspicion.
func (r *ration) mayBring(now time.Time, id wire.NodeID, via *Peer, begins bool, probeInterval time.Duration) bool {
	brought := &r.strangers
	if via.linked {
		brought = &via.brought
	}
	if begins && !r.mayBegin(now, id, probeInterval) {
		return false
	}
	return brought.Take(now, AccusationRate)
}

// mayBegin counts a suspicion of a member that another node begins, and reports whether it may begin.
func (r *ration) mayBegin(now time.Time, id wire.NodeID, probeInterval time.Duration) bool {
	begun, _ := r.suspicions.Get(id)
	ok := begun.Take(now, suspicionRate(probeInterval))
	r.suspicions.Set(id, begun)
	return ok
}

// suspicionRate returns how often other nodes may put one member under suspicion.
func suspicionRate(probeInterval time.Duration) quota.Rate {
	return quota.Rate{Burst: suspicionBurst, Every: 4 * probeInterval}
}

// refutals limits how often this node refutes what other nodes claim about it. A refutation that has to wait covers all
// claims until then.
type refutals struct {
	effects effects
	rate    quota.Rate
	made    func(time.Time, wire.State) // called for each refutation with the state that was claimed

	done        quota.Bucket
	state       wire.State // of the last claim that waits for its refutation
	incarnation uint64     // the highest one of these claims
	timer       timer.Timer
}

// init prepares r. A refutation waits for much less time than a suspicion lasts.
func (r *refutals) init(e effects, self *members.Entry, probeInterval time.Duration, made func(time.Time, wire.State)) {
	r.effects, r.made = e, made
	r.rate = quota.Rate{Burst: refutalBurst, Every: probeInterval / 4}
	r.timer.Fire = func(now time.Time) {
		if self.Live() {
			r.refute(now, r.state, r.incarnation)
		}
	}
}

// refute asks the core to refute a claim about this node, at once or as soon as another refutation is allowed.
func (r *refutals) refute(now time.Time, state wire.State, incarnation uint64) {
	if r.timer.Pending() {
		r.state, r.incarnation = state, max(r.incarnation, incarnation)
		return
	}
	if !r.done.Take(now, r.rate) {
		r.state, r.incarnation = state, incarnation
		r.effects.timers.Set(&r.timer, now.Add(r.rate.Every))
		return
	}
	r.made(now, state)
	r.effects.add(Action{Kind: Refute, State: state, Incarnation: incarnation})
}
