// Package pubsub adapts libp2p gossipsub and floodsub.
package pubsub

import (
	"context"
	"math/rand"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/bench/adapter"

	"github.com/libp2p/go-libp2p"
	ps "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

type opts struct {
	flood, quic, nosign, bigq, big bool
	dial                           int
}

func init() {
	reg := func(name, note string, o opts) {
		adapter.Register(adapter.Spec{Name: name, Note: note, Gap: 60 * time.Millisecond,
			New: func() adapter.Cluster { return &cluster{o: o} }})
	}
	reg("gossipsub-tcp", "defaults (D=6, StrictSign), TCP+Noise or TLS, each dials 10 random", opts{dial: 10})
	reg("gossipsub-quic", "defaults (D=6, StrictSign), QUIC-v1, each dials 10 random", opts{dial: 10, quic: true})
	reg("gossipsub-nosign", "StrictNoSign, TCP", opts{dial: 10, nosign: true})
	reg("gossipsub-bigq", "TCP, queues 65536, MaxMessageSize 8 MiB", opts{dial: 10, bigq: true, big: true})
	reg("floodsub-tcp", "defaults (StrictSign), TCP, each dials 5 random (mean degree 10)", opts{dial: 5, flood: true})
}

type cluster struct {
	o       opts
	deliver adapter.DeliverFunc
	ctx     context.Context
	cancel  context.CancelFunc
	hosts   []host.Host
	topics  []*ps.Topic
	degree  []int
}

func (c *cluster) OnDeliver(f adapter.DeliverFunc) { c.deliver = f }

func (c *cluster) host() (host.Host, error) {
	o := []libp2p.Option{libp2p.DisableRelay(), libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{})}
	if c.o.quic {
		o = append(o, libp2p.Transport(quic.NewTransport), libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1"))
	} else {
		o = append(o, libp2p.Transport(tcp.NewTCPTransport), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	}
	return libp2p.New(o...)
}

func (c *cluster) Start(n int) error {
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for i := range n {
		h, err := c.host()
		if err != nil {
			return err
		}
		var o []ps.Option
		so := []ps.SubOpt(nil)
		if c.o.nosign {
			o = append(o, ps.WithMessageSignaturePolicy(ps.StrictNoSign), ps.WithNoAuthor(),
				ps.WithMessageIdFn(payloadID))
		}
		if c.o.bigq {
			o = append(o, ps.WithPeerOutboundQueueSize(65536), ps.WithValidateQueueSize(65536))
			so = append(so, ps.WithBufferSize(65536))
		}
		if c.o.big {
			o = append(o, ps.WithMaxMessageSize(8<<20))
		}
		mk := ps.NewGossipSub
		if c.o.flood {
			mk = func(ctx context.Context, h host.Host, o ...ps.Option) (*ps.PubSub, error) {
				return ps.NewFloodSub(ctx, h, o...)
			}
		}
		p, err := mk(c.ctx, h, o...)
		if err != nil {
			return err
		}
		t, err := p.Join("bench")
		if err != nil {
			return err
		}
		sub, err := t.Subscribe(so...)
		if err != nil {
			return err
		}
		c.hosts, c.topics = append(c.hosts, h), append(c.topics, t)
		go func() {
			for {
				m, err := sub.Next(c.ctx)
				if err != nil {
					return
				}
				c.deliver(i, m.Data, time.Now())
			}
		}()
	}
	return c.dial(n)
}

// payloadID returns the header as the id of an unsigned message: the harness makes the first 16 bytes of every
// payload unique.
func payloadID(m *pb.Message) string { return string(m.GetData()[:16]) }

// dial connects each node to o.dial random others, or to fewer in a small cluster.
func (c *cluster) dial(n int) error {
	rng := rand.New(rand.NewSource(int64(n)))
	var wg sync.WaitGroup
	sem := make(chan struct{}, 32)
	var first error
	var mu sync.Mutex
	links := map[[2]int]bool{}
	c.degree = make([]int, n)
	for i := range n {
		for k, j := range rng.Perm(n) {
			if k > c.o.dial {
				break
			}
			key := [2]int{min(i, j), max(i, j)}
			if i == j || links[key] {
				continue
			}
			links[key] = true
			c.degree[i]++
			c.degree[j]++
			wg.Add(1)
			sem <- struct{}{}
			go func() {
				defer func() { <-sem; wg.Done() }()
				err := c.hosts[i].Connect(c.ctx, peer.AddrInfo{ID: c.hosts[j].ID(), Addrs: c.hosts[j].Addrs()})
				if err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}()
		}
	}
	wg.Wait()
	return first
}

func (c *cluster) Ready(i int) bool      { return len(c.topics[i].ListPeers()) >= c.degree[i] }
func (c *cluster) Settle() time.Duration { return 3 * time.Second } // heartbeats build the mesh
func (c *cluster) Broadcast(from int, p []byte) error {
	return c.topics[from].Publish(c.ctx, append([]byte(nil), p...))
}
func (c *cluster) Stop() {
	c.cancel()
	for _, h := range c.hosts {
		h.Close()
	}
}
