// Package hashi adapts hashicorp/memberlist and hashicorp/serf.
package hashi

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/bench/adapter"

	"github.com/hashicorp/memberlist"
)

// Secret is the key of AES-256-GCM in all memberlist and serf clusters.
var Secret = []byte("0123456789abcdef0123456789abcdef")

func init() {
	reg := func(name, note string, gap time.Duration, conf func() *memberlist.Config) {
		adapter.Register(adapter.Spec{Name: name, Note: note, Gap: gap,
			New: func() adapter.Cluster { return &mlCluster{conf: conf} }})
	}
	reg("memberlist-lan", "DefaultLANConfig, AES-256", 300*time.Millisecond, memberlist.DefaultLANConfig)
	reg("memberlist-local", "DefaultLocalConfig, AES-256", 300*time.Millisecond, memberlist.DefaultLocalConfig)
	reg("memberlist-tuned", "LAN + GossipInterval 10ms, GossipNodes 5, AES-256", 100*time.Millisecond, func() *memberlist.Config {
		c := memberlist.DefaultLANConfig()
		c.GossipInterval, c.GossipNodes = 10*time.Millisecond, 5
		return c
	})
	adapter.Register(adapter.Spec{Name: "memberlist-direct", Note: "LAN; SendReliable (TCP) from the origin to each member, no gossip", Gap: 100 * time.Millisecond,
		New: func() adapter.Cluster { return &mlCluster{conf: memberlist.DefaultLANConfig, direct: true} }})
}

type mlCluster struct {
	conf    func() *memberlist.Config
	direct  bool // the origin sends to every member over TCP (SendReliable); no node forwards
	deliver adapter.DeliverFunc
	event   adapter.EventFunc
	nodes   []*mlNode
}

// mlNode is one member, with its own Delegate and EventDelegate. It queues a broadcast again on first receipt, as
// serf does, because memberlist itself sends a user message only one hop.
type mlNode struct {
	c    *mlCluster
	i    int
	ml   *memberlist.Memberlist
	q    *memberlist.TransmitLimitedQueue
	mu   sync.Mutex
	seen map[[16]byte]struct{}
}

// item is id16 | payload. No other item invalidates it.
type item []byte

func (item) Invalidates(memberlist.Broadcast) bool { return false }
func (b item) Message() []byte                     { return b }
func (item) Finished()                             {}
func (item) UniqueBroadcast()                      {}

func name(i int) string { return "n" + strconv.Itoa(i) }
func index(name string) int {
	i, _ := strconv.Atoi(strings.TrimPrefix(name, "n"))
	return i
}

func (n *mlNode) NodeMeta(int) []byte                    { return nil }
func (n *mlNode) LocalState(bool) []byte                 { return nil }
func (n *mlNode) MergeRemoteState([]byte, bool)          {}
func (n *mlNode) NotifyJoin(*memberlist.Node)            {}
func (n *mlNode) NotifyUpdate(*memberlist.Node)          {}
func (n *mlNode) GetBroadcasts(over, limit int) [][]byte { return n.q.GetBroadcasts(over, limit) }
func (n *mlNode) NotifyMsg(b []byte) {
	if len(b) < 16 {
		return
	}
	now := time.Now()
	if !n.fresh([16]byte(b[:16])) {
		return
	}
	n.c.deliver(n.i, b[16:], now)
	if n.c.direct {
		return
	}
	n.q.QueueBroadcast(item(append([]byte(nil), b...)))
}
func (n *mlNode) NotifyLeave(m *memberlist.Node) {
	if n.c.event != nil && index(m.Name) != n.i {
		n.c.event(n.i, index(m.Name), "dead", time.Now())
	}
}

func (n *mlNode) fresh(id [16]byte) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, dup := n.seen[id]; dup {
		return false
	}
	n.seen[id] = struct{}{}
	return true
}

// suspectLog watches the log for the first local suspicion of a node, because memberlist shows it nowhere else.
type suspectLog struct{ n *mlNode }

func (s suspectLog) Write(b []byte) (int, error) {
	if s.n.c.event != nil {
		line := string(b)
		if k := strings.Index(line, "memberlist: Suspect "); k >= 0 {
			f := strings.Fields(line[k:])
			if len(f) > 2 {
				s.n.c.event(s.n.i, index(f[2]), "suspect", time.Now())
			}
		}
	}
	return len(b), nil
}

func freeUDPTCPPort() (int, error) {
	for try := 0; try < 50; try++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		p := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p})
		l.Close()
		if err == nil {
			u.Close()
			return p, nil
		}
	}
	return 0, fmt.Errorf("no free port")
}

func loopback(c *memberlist.Config, i int) error {
	c.Name = name(i)
	c.BindAddr, c.AdvertiseAddr = "127.0.0.1", "127.0.0.1"
	p, err := freeUDPTCPPort()
	if err != nil {
		return err
	}
	c.BindPort, c.AdvertisePort = p, p
	c.SecretKey = Secret
	return nil
}

func (c *mlCluster) OnDeliver(f adapter.DeliverFunc) { c.deliver = f }
func (c *mlCluster) OnEvent(f adapter.EventFunc)     { c.event = f }
func (c *mlCluster) Start(n int) error {
	for i := range n {
		node := &mlNode{c: c, i: i, seen: map[[16]byte]struct{}{}}
		conf := c.conf()
		if err := loopback(conf, i); err != nil {
			return err
		}
		conf.Delegate, conf.Events = node, node
		conf.LogOutput = nil
		conf.Logger = log.New(suspectLog{node}, "", 0)
		node.q = &memberlist.TransmitLimitedQueue{RetransmitMult: conf.RetransmitMult,
			NumNodes: func() int { return n }}
		ml, err := memberlist.Create(conf)
		if err != nil {
			return err
		}
		node.ml = ml
		c.nodes = append(c.nodes, node)
	}
	seed := c.nodes[0].ml.LocalNode().Address()
	return joinAll(n, func(i int) error { _, err := c.nodes[i].ml.Join([]string{seed}); return err })
}

// joinAll runs join for 1 to n-1, up to 64 in parallel, with retries.
func joinAll(n int, join func(i int) error) error {
	sem := make(chan struct{}, 64)
	errs := make(chan error, n)
	for i := 1; i < n; i++ {
		sem <- struct{}{}
		go func() {
			defer func() { <-sem }()
			var err error
			for range 20 {
				if err = join(i); err == nil {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			errs <- err
		}()
	}
	for i := 1; i < n; i++ {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func (c *mlCluster) Broadcast(from int, p []byte) error {
	n := c.nodes[from]
	b := make([]byte, 16+len(p))
	binary.LittleEndian.PutUint64(b, uint64(from)+1)
	binary.LittleEndian.PutUint64(b[8:], uint64(time.Now().UnixNano()))
	copy(b[16:], p)
	n.fresh([16]byte(b[:16]))
	if c.direct {
		return n.sendAll(b)
	}
	n.q.QueueBroadcast(item(b))
	return nil
}

// sendAll sends to every other member over TCP, a few at a time.
func (n *mlNode) sendAll(b []byte) error {
	sem := make(chan struct{}, 8)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	for _, m := range n.ml.Members() {
		if index(m.Name) == n.i {
			continue
		}
		wg.Add(1)
		sem <- struct{}{}
		go func() {
			defer func() { <-sem; wg.Done() }()
			if err := n.ml.SendReliable(m, b); err != nil {
				mu.Lock()
				first = err
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	return first
}

func (c *mlCluster) Known(i int) int  { return c.nodes[i].ml.NumMembers() - 1 }
func (c *mlCluster) Kill(i int) error { return c.nodes[i].ml.Shutdown() } // without a leave
func (c *mlCluster) Stop() {
	for _, n := range c.nodes {
		n.ml.Shutdown()
	}
}

var _ io.Writer = suspectLog{}
