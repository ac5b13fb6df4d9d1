package entries

import (
	"github.com/gwyh-go/gwyh/internal/members"
)

// New returns an Entries without news.
func New(cfg Config) *Entries {
	e := &Entries{cfg: cfg, sender: &cfg.Delivery.Sender, news: members.NewNews(), Comparer: cfg.Comparer}
	e.timer.Fire = e.FlushNews
	return e
}
