package peer

import (
	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/session"
)

// ChannelBound returns the maximum memory of a channel and its session in bytes, without the sent log.
func ChannelBound() int {
	return session.Bound() + int(memory.Of[Channel]()+memory.Of[session.SentLog[content]]())
}

// PeerBound returns the maximum memory of a peer in bytes, without its channels, records and the messages themselves. Only
// a peer with a link, or one that this node sends direct messages to, has transfers.
func PeerBound(transfers bool) int {
	size := int(memory.Of[Peer]()+memory.Of[pacing.Controller]()+memory.Of[session.Set]()) +
		memory.List(64, memory.Of[arena.Ref]()) // the open datagram
	if transfers {
		size += TransfersMax*int(memory.Of[Transfer]()) + memory.List(RangesMax+assembledRanges, memory.Of[rangeset.Range]())
	}
	return size
}

// assembledRanges is how many ranges a Want may add when there are nearly RangesMax.
const assembledRanges = TransfersMax
