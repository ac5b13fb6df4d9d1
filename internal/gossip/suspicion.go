package gossip

import (
	"math"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A suspicion is what is held against a member between the first accusation and the verdict. The member
// counts as part of the cluster meanwhile, and has time to say that it lives: the less the more nodes
// accuse it independently of each other (Lifeguard, arXiv 1707.00788).
type suspicion struct {
	incarnation uint64 // of the accused as its accusers knew it; a higher one refutes
	began       time.Time
	accusers    []wire.NodeID // the first, and those that confirm it
	passedOn    int           // of them
	own         bool          // this node is an accuser
	private     bool          // it is the only one, and has told nobody, because it heard nobody
	timer       timer.Timer
}

// suspect takes in that a node accuses m of being gone.
func (c *Core) suspect(now time.Time, m *members.Entry, from wire.NodeID, how origin) {
	c.accuse(now, m, m.Incarnation, from, nil)
}

// applySuspect takes in an accusation that another node passed on.
func (c *Core) applySuspect(now time.Time, m *members.Entry, e *wire.Member, via *peer) {
	if m == nil || !m.Live() || e.Incarnation <= m.Refuted {
		c.stats.MembersStale++
		return
	}
	c.accuse(now, m, e.Incarnation, e.From, via)
}

// accuse begins a suspicion, or confirms one. What is news goes on to the links, the accused among them.
func (c *Core) accuse(now time.Time, m *members.Entry, incarnation uint64, by wire.NodeID, via *peer) {
	if m == c.self || !m.Live() || m.Legacy() {
		return
	}
	s := c.swim.suspicion(m)
	if s == nil || incarnation > s.incarnation {
		s = c.beginDoubt(now, m, incarnation)
	}
	s.private = false
	if by == c.cfg.ID && !s.own {
		s.own = true // and the verdict sooner
		c.stats.SuspicionsRaised++
	}
	c.awaitVerdict(now, m)
	if incarnation < s.incarnation || len(s.accusers) > c.confirmations(now) || slices.Contains(s.accusers, by) {
		c.stats.MembersStale++
		return
	}
	s.accusers = append(s.accusers, by)
	c.logSuspicion(now, m, by)
	c.awaitVerdict(now, m)
	c.spreadDoubt(now, m, via)
	if by != c.cfg.ID && c.triedFor(m.ID) {
		c.accuse(now, m, incarnation, c.cfg.ID, nil)
	}
	if p := c.peers[m.ID]; p != nil && !p.linked {
		c.tell(now, p, m)
	}
}

// accuseMyself makes this node an accuser of m.
func (c *Core) accuseMyself(now time.Time, m *members.Entry) {
	incarnation := m.Incarnation
	if s := c.swim.suspicion(m); s != nil && !s.private { // what others accuse it of is confirmed, not begun anew
		incarnation = s.incarnation
	}
	c.accuse(now, m, incarnation, c.cfg.ID, nil)
}

// doubtAlone suspects m without telling anybody: this node hears nobody. If it is deaf, what it would say is wrong and
// it would not hear the refutations. If it is alone, there is nobody to tell.
func (c *Core) doubtAlone(now time.Time, m *members.Entry) {
	c.swim.aware.note(1)
	c.swim.alone = true
	c.warn(now, "alone", "nothing has come from any other node for %v: this node is cut off, or cannot receive, or is the only one left",
		now.Sub(c.swim.heardAny).Round(time.Millisecond))
	s := c.swim.suspicion(m)
	if s == nil {
		s = c.beginDoubt(now, m, m.Incarnation)
		s.private = true
	}
	if s.own {
		return
	}
	s.own = true
	s.accusers = append(s.accusers, c.cfg.ID)
	c.logSuspicion(now, m, c.cfg.ID)
	c.stats.SuspicionsRaised++
	c.awaitVerdict(now, m)
}

// clearDoubt ends a suspicion of which nobody knows.
func (c *Core) clearDoubt(now time.Time, m *members.Entry) {
	c.absolve(m)
	c.members.SetState(now, m, wire.StateAlive)
}

// doubtAnew probes m anew, of which this node thought ill while it heard nobody.
func (c *Core) doubtAnew(now time.Time, m *members.Entry) {
	c.clearDoubt(now, m)
	c.startProbe(now, m, false)
}

func (c *Core) beginDoubt(now time.Time, m *members.Entry, incarnation uint64) *suspicion {
	c.absolve(m)
	s := &suspicion{incarnation: incarnation, began: now}
	s.timer.Fire = func(now time.Time) { c.judge(now, m) }
	c.swim.suspicions[m.ID] = s
	if m.State != wire.StateSuspect {
		c.members.SetState(now, m, wire.StateSuspect)
	}
	return s
}

// absolve ends a suspicion, whatever the verdict. The state is the caller's to set.
func (c *Core) absolve(m *members.Entry) {
	if s := c.swim.suspicions[m.ID]; s != nil {
		c.timers.Stop(&s.timer)
		delete(c.swim.suspicions, m.ID)
	}
}

// endRefuted ends the suspicion against m if its alive entry refutes it.
func (c *Core) endRefuted(now time.Time, m *members.Entry) {
	if s := c.swim.suspicion(m); s != nil && s.incarnation <= m.Refuted {
		c.absolve(m)
		c.members.SetState(now, m, wire.StateAlive)
		c.logRefutation(now, m)
	}
}

// confirmations is how many nodes beside the first accuser bring a verdict forward. Those that are suspect themselves
// confirm nothing, and without a link no confirmation arrives. Where there are not enough others, the verdict waits for
// none.
func (c *Core) confirmations(now time.Time) int {
	k := min(c.cfg.SuspicionMult-2, c.cfg.Subscriptions-1)
	if c.members.CountGo()-1-max(len(c.swim.suspicions), 1) < k || !slices.ContainsFunc(c.links, func(p *peer) bool { return c.linkWorks(now, p) }) {
		return 0
	}
	return max(k, 0)
}

// patience is how long the accused has, from the first accusation on. Nodes that watched it themselves
// decide; the others wait for their verdict, and only take twice the time for one.
func (c *Core) patience(now time.Time, m *members.Entry) time.Duration {
	s := c.swim.suspicion(m)
	least := float64(time.Duration(c.cfg.SuspicionMult) * c.cfg.ProbeInterval / 2)
	if !s.private && !c.hearsNobody(now) { // ill health gives others more time to contradict; nobody hears this one
		least = float64(c.swim.aware.stretch(time.Duration(least)))
	}
	wait := least
	if k := c.confirmations(now); k > 0 {
		most := least * float64(c.cfg.SuspicionMaxTimeoutMult)
		confirmed := math.Log(float64(max(len(s.accusers), 1))) / math.Log(float64(k+1))
		wait = max(least, most-confirmed*(most-least))
	}
	if p := c.peers[m.ID]; !s.own && (p == nil || !p.linked) {
		wait *= 2
	}
	return time.Duration(wait)
}

// awaitVerdict sets the time of the verdict, or of a look whether this node's health has changed it.
func (c *Core) awaitVerdict(now time.Time, m *members.Entry) {
	s := c.swim.suspicion(m)
	at, look := s.began.Add(c.patience(now, m)), now.Add(c.cfg.ProbeInterval)
	if look.Before(at) {
		at = look
	}
	c.timers.Set(&s.timer, at)
}

// judge declares an accused dead whose time is up. One that has answered this node since is not: it is told again, and
// its refutation will come.
func (c *Core) judge(now time.Time, m *members.Entry) {
	s := c.swim.suspicion(m)
	if s.began.Add(c.patience(now, m)).After(now) {
		c.awaitVerdict(now, m)
		return
	}
	if s.private && !c.heardNobodySince(s.began) {
		c.doubtAnew(now, m)
		return
	}
	if p := c.peers[m.ID]; p != nil && p.swim.echo.After(s.began) && now.Sub(p.mutual()) < p.silence(silenceCheck) {
		c.tell(now, p, m)
		c.ping(now, p)
		c.timers.Set(&s.timer, now.Add(c.cfg.ProbeInterval))
		return
	}
	if s.incarnation > m.Incarnation {
		c.members.SetIncarnation(m, s.incarnation)
	}
	if s.private || c.hearsNobody(now) {
		c.memberRemoved(now, c.members.Fail(now, m, c.cfg.ID))
		return
	}
	c.declareDead(now, m)
}

// spreadDoubt passes the accusations of m on at once: what else waits goes with them.
func (c *Core) spreadDoubt(now time.Time, m *members.Entry, from *peer) {
	if !m.Queued {
		m.Queued = true
		c.news = append(c.news, news{m: m, from: from, doubt: true})
	} else if i := slices.IndexFunc(c.news, func(n news) bool { return n.m == m }); c.news[i].from != from {
		c.news[i].from = nil
	}
	c.timers.Advance(&c.newsTimer, now)
}

// addDoubt writes the accusations of m that were not passed on yet.
func (w *entryWriter) addDoubt(now time.Time, m *members.Entry, all bool) {
	s, e := w.c.swim.suspicion(m), &w.c.entry
	first := s.passedOn
	if all {
		first = 0
	}
	for _, by := range s.accusers[first:] {
		e.State, e.ID, e.Incarnation, e.From = wire.StateSuspect, m.ID, s.incarnation, by
		w.append(now, e)
	}
}

// tellInterval is the least time between two notices to a peer that it is accused.
const tellInterval = 250 * time.Millisecond

// tell lets a peer know that it is accused, or dead to us: if it lives it shall refute.
func (c *Core) tell(now time.Time, p *peer, m *members.Entry) {
	if now.Sub(p.swim.told) >= tellInterval && !p.legacy && p.set.Current(now) != nil {
		p.swim.told = now
		c.correct(now, p, m)
	}
}

// defend answers an entry about this node itself. One that calls it gone, or that is ahead of it, is outdone with a
// higher incarnation. If that was refuted already, its sender is told so.
func (c *Core) defend(now time.Time, e *wire.Member, from *peer) {
	me := c.self
	switch {
	case !me.Live(), members.TooFarAhead(now, e.Incarnation):
	case e.State != wire.StateAlive && e.Incarnation <= me.Refuted:
		if from != nil {
			c.tell(now, from, me)
		}
	case e.State != wire.StateAlive, e.Incarnation > me.Incarnation:
		c.warn(now, "defend", "other nodes took this node for %s: telling them that it is alive", e.State)
		c.stats.SuspicionsRefuted++
		c.swim.aware.note(1)
		c.refute(now, e.Incarnation)
		c.timers.Advance(&c.newsTimer, now)
	}
}

// refute gives this node an incarnation that ends all suspicions of those up to above, and of its own before. Others
// take it as proof that this node heard what it is accused of, so nothing else may do it.
func (c *Core) refute(now time.Time, above uint64) {
	c.members.Refute(now, above)
	c.selfChanged(now)
}
