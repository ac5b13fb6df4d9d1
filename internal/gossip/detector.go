package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// detector is the state of failure detection.
type detector struct {
	suspicions map[wire.NodeID]*suspicion // of live members, by the accused
	aware      awareness
	heardAny   time.Time // when a box of any Go node last opened
	alone      bool      // this node has written that it hears no other
	census     census
	probes     []*probe
	probeSeq   uint64
	helps      []*help     // probes for others
	patrol     timer.Timer // see startPatrol
	partitions partitions
}

// suspicion returns the suspicion against m, or nil if there is none.
func (d *detector) suspicion(m *members.Entry) *suspicion {
	if m.State != wire.StateSuspect {
		return nil
	}
	return d.suspicions[m.ID]
}

// accuses reports whether this node itself accuses m, which may be nil.
func (d *detector) accuses(m *members.Entry) bool {
	if m == nil {
		return false
	}
	s := d.suspicion(m)
	return s != nil && s.own
}

// watch is what failure detection knows of one peer.
type watch struct {
	interval time.Duration // of its heartbeats, as it declares
	heard    time.Time     // when a box of its last opened
	echo     time.Time     // what this node sent then, or later, it has heard, as far as is known
	unheard  time.Time     // since when it says that it has not heard this node for long; zero when it does not say so
	check    time.Time     // when the path was last checked because of silence
	ward     time.Time     // until when it is watched without a link: a new member that nobody else may watch yet
	vouched  time.Time     // when another node last said that it lives
	told     time.Time     // when it was last told that it is accused
	pingSeq  uint64        // of the last Ping
	pings    []sentPing    // that have no answer yet, the oldest first
	pinged   time.Time     // when the last Ping went out; zero once one was answered
	lastTurn time.Time     // when its heartbeat last had one
	indirect quota.Bucket  // indirect probes that it asks for
}
