package swim

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// pingsMax is the maximum number of unanswered Pings to a peer that are remembered. A further one replaces the oldest.
const pingsMax = 8

// An Answer is the result of a Ping.
type Answer struct {
	RTT     time.Duration // above zero
	Purpose Purpose
}

// AppendPing appends a Ping for the peer with the given message id to b, and records that it is sent now.
func (p *Peer) AppendPing(b []byte, now time.Time, id wire.MessageID, purpose Purpose) []byte {
	p.pingedAt = now
	p.pingSeq++
	if len(p.pings) >= pingsMax {
		p.pings = slices.Delete(p.pings, 0, 1)
	}
	p.pings = append(p.pings, sentPing{seq: p.pingSeq, at: now, purpose: purpose})
	return wire.AppendPing(b, wire.KindPing, id, wire.Ping{Seq: p.pingSeq})
}

// PingedAt returns when the last Ping was sent, or zero after an answer.
func (p *Peer) PingedAt() time.Time { return p.pingedAt }

// takePing removes the Ping with the given number, and earlier Pings, which will not be answered any more.
func (p *Peer) takePing(seq uint64) (s sentPing, ok bool) {
	i := slices.IndexFunc(p.pings, func(s sentPing) bool { return s.seq == seq })
	if i < 0 {
		return s, false
	}
	s = p.pings[i]
	p.pings = slices.Delete(p.pings, 0, i+1)
	return s, true
}
