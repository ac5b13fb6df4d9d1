package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// newHandshakes returns the handshakes and sessions of c, whose exchanges are set.
func newHandshakes(c *Core) handshakes {
	cfg := &c.cfg
	return handshakes{core: c, dials: joining.NewDials(), Table: peers.New(peers.Config{Suite: cfg.Suite, Datagram: cfg.DatagramSize,
		Endpoint: c.delivery.Endpoint, IDs: &c.ids, Out: &c.out, Timers: &c.timers, RNG: c.rng, Handshake: handshake.Config{
			Node: cfg.ID, Secret: cfg.Secret, Zone: cfg.Zone, Name: cfg.Name, Advertise: cfg.Advertise, MaxDatagram: uint32(cfg.DatagramTaken),
			Heartbeat: cfg.Heartbeat, Agreement: cfg.Agreement, Incarnation: c.members.Self().Incarnation,
			Keys: cfg.Keys, Labeled: cfg.Labeled, AllowLegacy: cfg.AllowLegacy, Capabilities: c.push.Config.Capabilities(),
			ReplyToAdvertised: cfg.AnswerAdvertised, Unsent: cfg.Unsent, Versions: &cfg.Versions, Rand: cfg.Rand,
		}})}
}

func (h *handshakes) newPeer(now time.Time, e *handshake.Established) *peer {
	c := h.core
	p := &peer{push: pushpull.Peer{ID: e.Peer}}
	p.overlay.Init(e.Peer)
	c.delivery.Add(&p.Peer, h.Add(now, e, &p.Timer))
	c.peers[e.Peer] = p
	c.swim.AddPeer(&p.Swim)
	c.push.AddPeer(&p.push)
	if e.Legacy {
		p.gateway = c.gateway.bridge.Add(&p.Peer, &p.overlay, &p.push)
	}
	return p
}

func (h *handshakes) isSelf(addr netip.AddrPort) bool {
	cfg := &h.core.cfg
	return addr == cfg.Advertise || cfg.Own != nil && cfg.Own(addr)
}

// dial begins a handshake.
func (h *handshakes) dial(now time.Time, to wire.Path, d joining.Dial, until time.Time) handshake.AttemptID {
	d.To = to.Remote
	h.core.report.Dial(now, d.To, d.Member)
	a := h.Dial(now, to, d.Member, until)
	h.dials.Add(a, d)
	return a
}

// dialMember begins a handshake that only the given member may answer, to get a session with it.
func (h *handshakes) dialMember(now time.Time, to wire.Path, id wire.NodeID, timeout time.Duration) {
	h.dial(now, to, joining.Dial{Member: id}, now.Add(timeout))
}

// renewFor is the maximum time of one attempt to renew a session.
const renewFor = 30 * time.Second

// SetKeys changes the pre-shared keys, the primary first. Sessions established with another key than the primary are
// renewed before they are closed. Sessions of a removed key end after the renewal, or after peers.KeyChange.
func (c *Core) SetKeys(now time.Time, keys []handshake.Key) { c.hs.SetKeys(now, keys) }

// DatagramProbed is the largest datagram size that is probed beyond the configured size.
const DatagramProbed = pmtu.Probed

// Refused records that the system refused to send a datagram. If the datagram was too big for its path, datagrams to
// this peer become smaller, down to a size that any path carries (RFC 8899 on local errors). For any other reason
// sending pauses briefly. It does not count as a loss on the path.
func (c *Core) Refused(now time.Time, to wire.Path, size int, tooBig bool) {
	c.hs.Refused(now, to, size, tooBig)
}
