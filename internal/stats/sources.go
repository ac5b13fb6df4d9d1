package stats

import (
	"github.com/gwyh-go/gwyh/internal/beacon"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/legacy"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/swim"
)

// AddPackets adds the counters of the peers.
func (s *Stats) AddPackets(e *packets.Stats) {
	s.FrameBytes += e.FrameBytes
	s.NaksSent += e.NaksSent
	s.Resent += e.Resent
	s.DatagramsLost += e.DatagramsLost
	s.PathsShrunk += e.PathsShrunk
	s.Dropped[DropUnknownSession] += e.UnknownSession
	s.Dropped[DropMalformedBody] += e.MalformedBody
	s.Dropped[DropUnexpected] += e.Unexpected
	s.Dropped[DropForgotten] += e.Forgotten
	s.Dropped[DropQueueFull] += e.QueueFull
	s.Dropped[DropQueueOld] += e.QueueOld
	s.Dropped[DropUnreachable] += e.Unreachable
}

// AddHandshakes adds the counters of handshakes and boxes.
func (s *Stats) AddHandshakes(x *peers.Stats) {
	s.HandshakesStarted, s.HandshakesInitiated, s.HandshakesAccepted = x.Started, x.Initiated, x.Accepted
	s.Rejected, s.RejectedFrom = x.Rejected, x.RejectedFrom
	for _, n := range x.Rejected {
		s.HandshakesRejected += n
	}
	s.Dropped[DropHandshake] += s.HandshakesRejected
	s.Dropped[DropUnknownSession] += x.UnknownSession
	s.Dropped[DropForged] += x.Forged
	s.Dropped[DropReplay] += x.Replayed
}

// AddPushPull adds the counters of exchanges with other nodes.
func (s *Stats) AddPushPull(x *pushpull.Stats) {
	s.StatesSent, s.StatesReceived, s.StatesRefused, s.StatesTooLarge = x.Sent, x.Received, x.Refused, x.TooLarge
	s.Vetoed, s.StateLocal, s.StateRemote = x.Vetoed, x.LocalSize, x.RemoteSize
	s.Dropped[DropMalformedBody] += x.Malformed
	s.Dropped[DropUnexpected] += x.Unexpected
	s.Dropped[DropQueueFull] += x.Crowded
	s.Dropped[DropVersions] += x.Unfit
}

// AddDetection adds the counters of the failure detector.
func (s *Stats) AddDetection(x *swim.Stats) {
	s.ProbesFailed, s.ProbesIndirect = x.ProbesFailed, x.ProbesIndirect
	s.SuspicionsRaised, s.SuspicionsRefuted = x.SuspicionsRaised, x.SuspicionsRefuted
	s.MembersStale += x.AccusationsStale
	s.Dropped[DropOversize] += x.AccusationsRationed
}

// AddLegacy adds the counters of requests by legacy nodes that were not fulfilled.
func (s *Stats) AddLegacy(x *legacy.Stats) {
	s.MembersStale += x.Stale
	s.Dropped[DropMalformedBody] += x.Malformed
	s.Dropped[DropUnexpected] += x.Unexpected
	s.Dropped[DropOversize] += x.Excess
	s.Dropped[DropAddress] += x.Address
}

// AddHeld adds the counters of messages that wait for the first link.
func (s *Stats) AddHeld(count, dropped uint64) {
	s.BroadcastsHeld += count
	s.Dropped[DropHeldOld] += dropped
}

// AddBroadcast adds the counters of dissemination.
func (s *Stats) AddBroadcast(d *broadcast.Disseminator) {
	b := &d.Stats
	s.Announced, s.Wanted, s.Repaired, s.Prunes, s.Grafts, s.Stripes, s.Stops = b.Announced, b.Requested, b.Repaired, b.Prunes, b.Grafts, b.Stripes, b.Stops
	s.Origins, s.Parents = d.Origins(), d.Parents()
	s.Dropped[DropOutrun] = d.Seen.Outrun()
	s.Dropped[DropMalformedBody] += b.Malformed
	s.Dropped[DropUnexpected] += b.Unexpected
	s.Dropped[DropOversize] += b.Oversize
	s.Dropped[DropQueueFull] += b.Overflow
	s.Dropped[DropAnnounced] += b.Abandoned
}

// AddBeacons adds the counters of beacons.
func (s *Stats) AddBeacons(x *beacon.Stats) {
	s.BeaconsSent, s.BeaconsReceived, s.BeaconsUnmeasured = x.Sent, x.Received, x.Unmeasured
	s.Dropped[DropMalformedBody] += x.Malformed
	s.Dropped[DropUnexpected] += x.Unexpected
}

// AddDirect adds the counters of direct messages.
func (s *Stats) AddDirect(sent *direct.SenderStats, received *direct.ReceiverStats) {
	s.DirectSent, s.Repeated, s.DirectDelivered = sent.Sent, sent.Repeated, received.Delivered
	s.Resent += sent.Resent
	s.FramesReceived += received.Pieces
	s.FramesDuplicate += received.Duplicates
	s.Dropped[DropUnreachable] += sent.Unreachable
	s.Dropped[DropMalformedBody] += received.Malformed
	s.Dropped[DropUnknownBody] += received.Unknown
	s.Dropped[DropOversize] += received.Oversize
	s.Dropped[DropUnexpected] += received.Unexpected
	s.Dropped[DropStoreFull] += received.StoreFull
}
