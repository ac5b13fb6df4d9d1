package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// What is said to be down is asked first (docs/PROTOCOL.md L6).
const (
	legacyFrames   = 500 * time.Millisecond // between empty Frames
	legacyAsked    = 3                      // of them
	legacyClaims   = 8                      // heard during one check
	refuteMin      = 1500 * time.Millisecond
	refuteMax      = 3 * time.Second
	refuteInterval = 10 * time.Second
)

// claim is somebody's word that a gwyh 0.1 peer is down: of a Go node, with an incarnation, or a PeerStatus to be
// passed on if it is true.
type claim struct {
	incarnation uint64
	status      wire.MessageID // zero for a Go node's
	from        *peer          // who sent the status
}

// downCheck is a peer being asked whether it is down.
type downCheck struct {
	claims []claim
	began  uint64 // the peer's incarnation then
}

// checkDown asks a peer three times in a second and a half, and the other Go nodes once. Any box of the peer answers,
// and so does another node that vouches for it.
func (c *Core) checkDown(now time.Time, p *peer, what claim) {
	if check := p.old.check; check != nil {
		if len(check.claims) < legacyClaims {
			check.claims = append(check.claims, what)
		}
		return
	}
	m := c.members.Get(p.id)
	if m == nil || !m.Live() {
		return
	}
	check := &downCheck{claims: []claim{what}, began: max(m.Incarnation, what.incarnation)}
	if !c.legacyLater(now, legacyAsked*legacyFrames, func(now time.Time) { c.believe(now, p, check) }) {
		return
	}
	p.old.check = check
	c.askOthers(now, m, check.began)
	c.ping(now, p)
	for i := 1; i < legacyAsked; i++ {
		c.legacyLater(now, time.Duration(i)*legacyFrames, func(now time.Time) {
			if p.old.check == check && c.peers[p.id] == p {
				c.ping(now, p)
			}
		})
	}
}

// believe ends a check that nothing answered.
func (c *Core) believe(now time.Time, p *peer, check *downCheck) {
	if p.old.check != check {
		return
	}
	p.old.check = nil
	m := c.members.Get(p.id)
	if m == nil || !m.Live() || m.Incarnation > check.began {
		return // gone, or somebody has vouched for it since
	}
	latest := millis(p.set.LastOpened())
	for _, cl := range check.claims {
		latest = max(latest, cl.incarnation)
		if cl.status != (wire.MessageID{}) {
			c.passStatus(now, cl.from, cl.status, wire.Peer{Addr: m.Addr, ID: m.ID, Zone: m.Zone}, false)
		}
	}
	c.buryLegacy(now, m, latest)
}

// refuteFor tells the Go nodes that a peer which some took for dead has just been heard.
func (c *Core) refuteFor(now time.Time, p *peer, check *downCheck) {
	var above uint64
	for _, cl := range check.claims {
		above = max(above, cl.incarnation)
	}
	if m := c.members.Get(p.id); above > 0 && m != nil && m.Live() {
		c.vouch(now, m, above)
	}
}

// refuteOwnDown answers that gwyh 0.1 nodes call this node down: once the flood has passed it shakes hands with each of
// them again, for each has forgotten it.
func (c *Core) refuteOwnDown(now time.Time) {
	wait := c.between(refuteMin, refuteMax)
	if again := c.old.refuted.Add(refuteInterval); again.After(now.Add(wait)) {
		if c.old.refuted.After(now) {
			return // it is about to
		}
		wait = again.Sub(now)
	}
	c.warn(now, "legacy down", "gwyh 0.1 nodes took this node for down: shaking hands with them again")
	c.old.refuted = now.Add(wait)
	c.legacyLater(now, wait, func(now time.Time) {
		for _, m := range c.members.Live() {
			p := c.peers[m.ID]
			if p == nil || !p.legacy || !p.linked || !c.self.Live() {
				continue
			}
			p.old.forgot = p.overlay.Subscribing()
			if !c.dialing(p.id) {
				c.dial(now, p.set.Path(), dial{member: p.id}, now.Add(dialFor))
			}
		}
	})
}
