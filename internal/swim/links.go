package swim

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
)

// HearsNobody reports whether this node has not heard any Go node for so long that it is cut off, deaf or the only one
// left. Its view of the other members is then useless to them, and they cannot contradict it.
func (d *Detector) HearsNobody(now time.Time) bool {
	if now.Sub(d.heardAny) < d.cfg.ownSilence(SilenceCheck) {
		return false
	}
	return !slices.ContainsFunc(d.links, func(p *Peer) bool { return !p.legacy() && now.Sub(p.Heard) < p.check })
}

// heardNobodySince reports whether no packet of any Go node has opened after t.
func (d *Detector) heardNobodySince(t time.Time) bool { return !d.heardAny.After(t) }

// linkWorks reports whether p is a Go member that this node does not accuse, and both directions of the link work.
func (d *Detector) linkWorks(now time.Time, p *Peer) bool {
	m := d.table.Get(p.ID)
	return isGoMember(m) && !d.Accuses(m) && p.works(now)
}

// linksFail reports whether more than three quarters of the links to Go members do not work, or there is no such link.
func (d *Detector) linksFail(now time.Time) bool {
	bad, all := 0, 0
	for _, p := range d.links {
		if !isGoMember(d.table.Get(p.ID)) {
			continue
		}
		all++
		if !d.linkWorks(now, p) {
			bad++
		}
	}
	return 4*bad > 3*all || all == 0
}

// isGoMember reports whether m, which may be nil, is a live member and not a legacy node.
func isGoMember(m *members.Entry) bool { return m != nil && m.Live() && !m.Legacy() }
