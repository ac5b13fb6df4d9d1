package peers

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bound returns the maximum memory in bytes of the peers, without handshakes and the records of packets. own is the
// memory that the owner of the table needs for each peer.
func Bound(links, own int) int {
	each := own + int(memory.Of[Peer]()) + session.MaxSessions*(peer.ChannelBound()+memory.Map(1, 16, memory.Of[box]())) +
		memory.Map(1, memory.Of[wire.NodeID](), 8)
	return (UnlinkedMax+links)*(each+peer.PeerBound(false)) + links*(peer.PeerBound(true)-peer.PeerBound(false)) +
		memory.LRU(seqsMax, memory.Of[netip.AddrPort](), 4)
}
