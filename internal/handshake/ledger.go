package handshake

import (
	"container/list"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	ledgerLife   = 121 * time.Second // twice the time window and a second
	ledgerStamps = 16                // timestamps kept per node id
	ledgerLegacy = 8192              // legacy ids kept; anyone on the path can make these up
	ledgerGo     = 131072            // Go ids kept; only a holder of a key can make these up
)

// A ledger remembers the newest Hello timestamps that were accepted of each node id, so that a
// replay is told without a verification (PROTOCOL.md 4, "Handshake economy"). When it holds as many
// ids as it may, the one that was quiet for longest is forgotten: a legacy one's timestamps are
// outside their window of one second by then.
type ledger struct {
	max      int                           // ids
	accounts map[wire.NodeID]*list.Element // of quiet
	quiet    list.List                     // of *account, the one longest without a record first
}

// An account is what the ledger knows of one node id.
type account struct {
	id     wire.NodeID
	stamps []stamp // at most ledgerStamps, in the order recorded
}

type stamp struct {
	nanos int64     // the Hello's timestamp
	at    time.Time // when it was recorded
}

func newLedger(max int) ledger {
	return ledger{max: max, accounts: make(map[wire.NodeID]*list.Element)}
}

// seen reports whether a Hello with this timestamp may be a replay: it is among those remembered, or
// older than all of a full set.
func (l *ledger) seen(now time.Time, id wire.NodeID, nanos int64) bool {
	at, ok := l.accounts[id]
	if !ok {
		return false
	}
	a := at.Value.(*account)
	a.expire(now)
	newer := 0
	for _, s := range a.stamps {
		if s.nanos == nanos {
			return true
		}
		if s.nanos > nanos {
			newer++
		}
	}
	return newer == ledgerStamps
}

// record remembers the timestamp of a Hello that was accepted; the oldest timestamp of a full set goes.
func (l *ledger) record(now time.Time, id wire.NodeID, nanos int64) {
	l.expire(now)
	at, ok := l.accounts[id]
	if ok {
		l.quiet.MoveToBack(at)
	} else {
		if len(l.accounts) >= l.max {
			l.forget(l.quiet.Front())
		}
		at = l.quiet.PushBack(&account{id: id})
		l.accounts[id] = at
	}
	at.Value.(*account).add(stamp{nanos, now})
}

// expire forgets the ids of which nothing was recorded for ledgerLife.
func (l *ledger) expire(now time.Time) {
	for at := l.quiet.Front(); at != nil; at = l.quiet.Front() {
		a := at.Value.(*account)
		if a.expire(now); len(a.stamps) > 0 {
			return
		}
		l.forget(at)
	}
}

func (l *ledger) forget(at *list.Element) {
	delete(l.accounts, at.Value.(*account).id)
	l.quiet.Remove(at)
}

// expire drops the timestamps recorded too long ago.
func (a *account) expire(now time.Time) {
	a.stamps = slices.DeleteFunc(a.stamps, func(s stamp) bool { return now.Sub(s.at) >= ledgerLife })
}

func (a *account) add(s stamp) {
	if len(a.stamps) == ledgerStamps {
		oldest := 0
		for i := range a.stamps {
			if a.stamps[i].nanos < a.stamps[oldest].nanos {
				oldest = i
			}
		}
		a.stamps = slices.Delete(a.stamps, oldest, oldest+1)
	}
	a.stamps = append(a.stamps, s)
}
