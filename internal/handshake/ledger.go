package handshake

import (
	"container/list"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	ledgerLife   = 121 * time.Second // twice the time window plus one second
	ledgerStamps = 16                // timestamps kept per node id
	ledgerLegacy = 8192              // legacy ids kept; anyone on the path can invent these
	ledgerGo     = 131072            // Go ids kept; only a holder of a key can complete handshakes under these
)

// A ledger records the newest timestamps of Hellos for each node id, so a replay is detected without a verification
// (PROTOCOL.md E2). A Hello with a block is recorded when its handshake is complete, because only then its id is
// proved. If the ledger is full, it removes the id without a record for the longest time. The timestamps of a removed
// legacy id are outside their window of one second by then.
type ledger struct {
	max      int                           // ids
	accounts map[wire.NodeID]*list.Element // elements of quiet
	quiet    list.List                     // of *account; the one without a record for the longest time first
}

// An account contains the timestamps of one node id.
type account struct {
	id     wire.NodeID
	stamps []stamp // at most ledgerStamps, in the order in which they were recorded
}

type stamp struct {
	nanos int64     // the Hello's timestamp
	at    time.Time // when it was recorded
}

func newLedger(max int) ledger {
	return ledger{max: max, accounts: make(map[wire.NodeID]*list.Element)}
}

// seen reports whether a Hello with this timestamp may be a replay: the timestamp is recorded, or it is older than
// all records of a full account.
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

// record adds the timestamp of a Hello. If the account is full, its oldest timestamp is removed.
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

// expire removes the ids without a record for ledgerLife.
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

// expire removes the timestamps that were recorded at least ledgerLife ago.
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
