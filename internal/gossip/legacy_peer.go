package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and bounds of what gwyh 0.1 peers make us do (docs/PROTOCOL.md, part 3).
const (
	legacySilence    = 15 * time.Second // of a gwyh 0.1 node before it is lost, and without a heartbeat before it has forgotten us
	legacyAgain      = 10 * time.Second // between two handshakes with one that seems to have forgotten us, doubled
	legacyAgainMax   = 5 * time.Minute  // up to this while it does not help
	legacyAnswers    = 16               // SubscriptionStarted to one peer in a burst,
	legacyAnswer     = time.Second / 4  // and one more after each of these
	legacyLinksMax   = 64               // peers that messages are exchanged with: their clusters are small
	legacyMembersMax = 1024             // members that are gwyh 0.1 nodes
	legacyCourt      = 10               // empty Frames, one in a second, to a peer of which nothing came since the handshake
	chores           = 256              // things put off at once: see Core.legacyLater
)

// oldPeer is what a peer has that is a gwyh 0.1 node.
type oldPeer struct {
	checked time.Time     // when the path was last checked because of silence
	beat    time.Time     // its last heartbeat, be it its own or one that it passed on
	forgot  bool          // no heartbeat came, or it was told that we are down: the next handshake asks for its messages anew
	fresh   bool          // there was a handshake since it was last asked
	again   time.Time     // no handshake of ours before, but for a Join's
	pause   time.Duration // until that, the last time
	lease   time.Duration // the age of its incarnation at which we renew it

	answers quota.Bucket // of SubscriptionStarted

	listWanted bool       // it was, or will be, asked as a seed
	listAsked  time.Time  // when we last sent PeerList; zero if never
	check      *downCheck // of what others say of it; nil for none

	doubted  time.Time      // when the others were last asked whether they hear it,
	doubt    uint64         // and its incarnation then
	question legacyQuestion // of others about it
}

// oldCluster is what a node has to do later because of gwyh 0.1 peers.
type oldCluster struct {
	timer   timer.Timer
	chores  []chore // soonest first
	refuted time.Time
	hopes   int          // addresses that will be tried
	hints   quota.Bucket // of PeerStatus about unknown Go nodes

	questions quota.Bucket                      // about gwyh 0.1 members,
	asked     quota.Map[wire.NodeID, time.Time] // and when one was last asked, answered or passed on, by member

	listNext time.Time     // before which no further seed is asked for the nodes that it knows
	listLast time.Time     // when any was asked
	listWait time.Duration // since then, until one is asked again
}

type chore struct {
	at time.Time
	do func(now time.Time)
}

// legacyLater puts something off. It reports false when too much waits already.
func (c *Core) legacyLater(now time.Time, after time.Duration, do func(now time.Time)) bool {
	o := &c.old
	if len(o.chores) >= chores {
		c.drop(DropOversize)
		return false
	}
	at := now.Add(after)
	i := len(o.chores)
	for i > 0 && o.chores[i-1].at.After(at) {
		i--
	}
	o.chores = append(o.chores, chore{})
	copy(o.chores[i+1:], o.chores[i:])
	o.chores[i] = chore{at, do}
	o.timer.Fire = c.runChores
	c.timers.Set(&o.timer, o.chores[0].at)
	return true
}

func (c *Core) runChores(now time.Time) {
	o := &c.old
	for len(o.chores) > 0 && !o.chores[0].at.After(now) {
		do := o.chores[0].do
		o.chores[0] = chore{}
		o.chores = o.chores[1:]
		do(now)
	}
	if len(o.chores) > 0 {
		c.timers.Set(&o.timer, o.chores[0].at)
	}
}

// between draws a time from lo up to hi.
func (c *Core) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(c.rng.Int64N(int64(hi-lo)))
}

// admitsLegacy reports whether this node speaks to gwyh 0.1 nodes.
func (c *Core) admitsLegacy() bool { return c.cfg.AllowLegacy && !c.cfg.Labelled }

func (c *Core) makeOld(p *peer) {
	p.old = &oldPeer{lease: legacyLease + c.between(0, legacyLease/4)}
}

// mayAnswer rations the answers to StartSubscription, for each runs through the cluster of gwyh 0.1 nodes and
// any number of them may come of one that was passed on.
func (o *oldPeer) mayAnswer(now time.Time) bool {
	return o.answers.Take(now, quota.Rate{Burst: legacyAnswers, Every: legacyAnswer})
}

// readyLegacy follows a handshake with a gwyh 0.1 peer.
func (c *Core) readyLegacy(now time.Time, p *peer) {
	p.old.fresh = true
	if !c.askLegacy(now, p) {
		c.courtLegacy(now, p, legacyCourt)
	}
}

// askLegacy asks for the messages of a member that hands were shaken with: once, and again only if it has forgotten that
// we asked. It reports whether there is nothing more to wait for.
func (c *Core) askLegacy(now time.Time, p *peer) bool {
	if !p.old.fresh || !c.self.Live() || p.push.Vetoed {
		return true
	}
	if !c.isMember(p) {
		return false
	}
	switch {
	case !p.overlay.Subscribing() && (p.linked || c.legacyLinks() < legacyLinksMax):
		c.overlaid(now, c.overlay.Ask(c.overlay.acts, now, &p.overlay))
	case p.overlay.Subscribing() && p.old.forgot:
		p.overlay.AskedAgain(now)
		c.sendRequest(now, p, wire.KindStartSubscription)
	}
	p.old.fresh, p.old.forgot = false, false
	return true
}

// courtLegacy asks a peer that is no member yet for a sign of life, which makes it one, a few times: the sign may be
// lost, and the application may have to decide.
func (c *Core) courtLegacy(now time.Time, p *peer, tries int) {
	if !p.set.LastOpened().Equal(now) { // else it has just given one
		c.ping(now, p)
	}
	c.legacyLater(now, time.Second, func(now time.Time) {
		if c.peers[p.id] == p && !c.askLegacy(now, p) && tries > 1 {
			c.courtLegacy(now, p, tries-1)
		}
	})
}

// tickLegacy watches a gwyh 0.1 peer. It returns when it is next needed.
func (c *Core) tickLegacy(now time.Time, p *peer) (next time.Time) {
	if !p.linked && !p.overlay.Subscribing() {
		return time.Time{}
	}
	check := p.swim.Check()
	switch silent := now.Sub(p.swim.Heard); {
	case silent >= legacySilence:
		c.lostLegacy(now, p)
		return time.Time{}
	case silent < check:
		next = p.swim.Heard.Add(check)
	default: // it may have gone, or hold no key of ours any more
		if now.Sub(p.old.checked) >= legacyFrames {
			p.old.checked = now
			c.ping(now, p)
		}
		c.shakeAgain(now, p)
		c.watchLegacy(now, p)
		next = p.old.checked.Add(legacyFrames)
	}
	if !p.overlay.Subscribing() {
		return next
	}
	beat := p.old.beat
	if asked := p.overlay.AskedAt(); asked.After(beat) {
		beat = asked
	}
	forgot := beat.Add(legacySilence)
	if !forgot.After(now) {
		p.old.forgot = true
		c.shakeAgain(now, p)
		forgot = p.old.again
	}
	return timer.Soonest(next, forgot)
}

// shakeAgain begins a new handshake with a peer that seems to have forgotten us, more and more seldom.
func (c *Core) shakeAgain(now time.Time, p *peer) {
	o := p.old
	if o.again.After(now) {
		return
	}
	o.pause = min(max(2*o.pause, legacyAgain), legacyAgainMax)
	o.again = now.Add(o.pause)
	if !c.dialing(p.id) {
		c.dial(now, p.set.Path(), dial{member: p.id}, now.Add(dialFor))
	}
}

// beats notes that the peer beats for us.
func (o *oldPeer) beats(now time.Time) {
	o.beat = now
	o.pause = 0
	o.forgot = false
}
