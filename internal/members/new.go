package members

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// zonesMax limits the number of zone names that entries share.
const zonesMax = 4096

// NewTable returns a table with this node and the members of cfg.Base.
func NewTable(now time.Time, cfg Config) Table {
	if cfg.Budget == 0 {
		cfg.Budget = Budget
	}
	t := Table{
		byID: make(map[wire.NodeID]*Entry), byName: make(map[string]*Entry), reserved: make(map[string]*Entry),
		epoch: now, rank: unranked, cfg: cfg, base: cfg.Base,
		zones: zoneNames{quota.NewMap[string, string](zonesMax)}, contests: newContests(),
	}
	if cfg.Base != nil {
		t.epoch = cfg.Base.epoch
		t.hidden = make(map[int32]struct{})
		t.root = cfg.Base.root
	}
	if cfg.Rand != nil {
		t.salt = cfg.Rand.Uint64()
	}
	introduce(now, &t, cfg.Self)
	return t
}

// introduce adds this node's own entry to t. If the shared base contains it, the base determines its incarnation.
func introduce(now time.Time, t *Table, self Member) {
	incarnation := uint64(now.UnixMilli())
	if t.self = t.Get(self.ID); t.self != nil {
		incarnation = t.self.Incarnation
	} else {
		t.self = NewEntry(self.ID)
		t.self.since = now.Sub(t.epoch)
	}
	self.Incarnation, self.Named = incarnation, incarnation
	t.unindex(t.self)
	t.self.Member = self
	t.index(t.self)
	if t.self.Live() {
		t.reseal(t.self)
	} else {
		t.Add(t.self)
	}
}
