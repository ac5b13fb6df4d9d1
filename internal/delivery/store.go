package delivery

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// LargeOf returns the dissemination state of a large message, or nil for a direct message.
func LargeOf(a *assembly.Assembly) *broadcast.Large {
	l, _ := a.Spread.(*broadcast.Large)
	return l
}

// AddLarge keeps a whole message that is sent in frames. It returns nil if there is no room.
func (ds *Broadcasts) AddLarge(now time.Time, id wire.MessageID, data []byte) *assembly.Assembly {
	a := ds.Store.Add(now, id, data, false)
	if a != nil {
		ds.track(now, a)
	}
	return a
}

// track registers a large message with dissemination, unless it is a direct message.
func (ds *Broadcasts) track(now time.Time, a *assembly.Assembly) *assembly.Assembly {
	if !a.Direct {
		a.Spread = ds.Disseminator.Begin(now, a.ID, a.Total, &a.Have)
	}
	return a
}

// beginReceiving makes room for a message of p. It returns nil if p has begun too many.
func (ds *Broadcasts) beginReceiving(now time.Time, p *Peer, id wire.MessageID, total uint32, direct bool) *assembly.Assembly {
	d := ds.d
	evicted, ok := p.Receiving.Admit(now, total)
	if !ok || !ds.Store.Room() {
		d.drop(stats.DropStoreFull)
		return nil
	}
	for _, old := range evicted {
		ds.Store.Remove(old)
		d.drop(stats.DropIncomplete)
	}
	ds.SweepLater(now)
	a := ds.track(now, ds.Store.Begin(now, id, total, direct))
	p.Receiving = append(p.Receiving, a)
	return a
}

// SweepLater schedules the sweep that removes large messages.
func (ds *Broadcasts) SweepLater(now time.Time) {
	d := ds.d
	if !ds.sweepTimer.Pending() {
		d.cfg.Timers.Set(&ds.sweepTimer, now.Add(assembly.SweepInterval))
	}
}

func (ds *Broadcasts) sweepStore(now time.Time) {
	d := ds.d
	promised := func(a *assembly.Assembly) bool { return ds.Disseminator.IsAnnounced(a.ID) }
	for range ds.Store.Sweep(now, promised) {
		d.drop(stats.DropIncomplete)
	}
	more := ds.Held.sweep(now)
	if ds.Disseminator.Sweep(now) || more || ds.Store.Len() > 0 {
		ds.SweepLater(now)
	}
}
