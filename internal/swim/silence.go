package swim

import "time"

// Times of silence in heartbeat intervals (docs/PROTOCOL.md G7).
const (
	SilenceAsk   = 2.1  // before a peer is asked for an answer
	SilenceCheck = 2.2  // before a peer is probed
	SilenceLost  = 5.0  // before a link ends although other nodes report that its peer is alive
	beatJitter   = 1.05 // maximum time between two heartbeats
)

// silencePing is the time between two Pings to a silent peer.
const silencePing = 500 * time.Millisecond

// SilenceOf returns the length of the given heartbeat intervals for a node with ProbeInterval probe. If heartbeats are
// rarer than probes, the intervals after the first count less, so a lost heartbeat costs a Ping (PROTOCOL.md G7).
func SilenceOf(interval, probe time.Duration, intervals float64) time.Duration {
	if interval <= probe {
		return time.Duration(intervals * float64(interval))
	}
	return time.Duration(beatJitter*float64(interval) + (intervals-1.1)*float64(max(probe, interval/3)))
}
