package delivery

import (
	"time"

	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// New returns a Delivery without peers. Before the first peer is added, the caller calls SetSessions.
func New(now time.Time, cfg Config) *Delivery {
	d := &Delivery{cfg: cfg, peers: make(map[wire.NodeID]*Peer)}
	d.Endpoint = packets.NewEndpoint(packets.Config{HeartbeatGap: cfg.heartbeatGap(), Paths: pmtu.Config{Size: cfg.DatagramSize, Max: cfg.DatagramMax},
		IDs: cfg.IDs, Out: cfg.Out, Arena: &d.Sender.Arena, Timers: cfg.Timers, Records: cfg.Memory.Records})
	d.Sender, d.Broadcasts, d.Directs, d.Pings, d.Beats = newSender(d), newBroadcasts(now, d), newDirects(d), newPings(d), Beats{d: d}
	d.Broadcasts.SendBeacon(now)
	return d
}
