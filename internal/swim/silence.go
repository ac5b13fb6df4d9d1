package swim

import "time"

// What silence means (docs/PROTOCOL.md G7), in heartbeat intervals.
const (
	SilenceCheck = 2.2 // before a peer is probed
	SilenceLost  = 5.0 // before a link ends although other nodes say that its peer lives
	beatJitter   = 1.1 // between two heartbeats at most
)

// silencePing is the time between two Pings to a silent peer.
const silencePing = 500 * time.Millisecond

// SilenceOf returns how long so many heartbeat intervals are to a node that probes in the given interval. If heartbeats
// are rarer than probes, the intervals after the first count less: a lost heartbeat costs a probe (PROTOCOL.md G7).
func SilenceOf(interval, probe time.Duration, intervals float64) time.Duration {
	if further := max(probe, interval/3); further < interval {
		return time.Duration(beatJitter*float64(interval) + (intervals-beatJitter)*float64(further))
	}
	return time.Duration(intervals * float64(interval))
}
