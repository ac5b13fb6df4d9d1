package swim

import "time"

// Times of silence in heartbeat intervals (docs/PROTOCOL.md G7).
const (
	SilenceCheck = 2.2 // before a peer is probed
	SilenceLost  = 5.0 // before a link ends although other nodes report that its peer is alive
	beatJitter   = 1.1 // maximum time between two heartbeats
)

// silencePing is the time between two Pings to a silent peer.
const silencePing = 500 * time.Millisecond

// SilenceOf returns the length of the given heartbeat intervals for a node with ProbeInterval probe. If heartbeats are
// rarer than probes, the intervals after the first count less, so a lost heartbeat costs a probe (PROTOCOL.md G7).
func SilenceOf(interval, probe time.Duration, intervals float64) time.Duration {
	if further := max(probe, interval/3); further < interval {
		return time.Duration(beatJitter*float64(interval) + (intervals-beatJitter)*float64(further))
	}
	return time.Duration(intervals * float64(interval))
}
