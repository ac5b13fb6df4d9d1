// Package rawudp is the lower bound for the costs of a library. Each node has one UDP socket. A static random digraph
// gives every node exactly 5 subscribers and 5 parents. Nodes flood, with deduplication by a 16-byte id and nacl/box
// SealAfterPrecomputation per link. There is no membership, retransmission or flow control.
package rawudp

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mrand "math/rand"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/bench/adapter"

	"golang.org/x/crypto/nacl/box"
	"golang.org/x/net/ipv4"
)

const (
	fanout   = 5
	batchLen = 32
	nonceLen = 24
	// header inside the box: id16 | base16 | index u32 | count u32
	headLen = 40
)

func init() {
	chunk := 8192
	if s := os.Getenv("RAW_CHUNK"); s != "" {
		chunk, _ = strconv.Atoi(s)
	}
	reg := func(name, note string, batch bool, chunk int) {
		adapter.Register(adapter.Spec{Name: name, Note: note, Gap: 60 * time.Millisecond,
			New: func() adapter.Cluster { return &cluster{batch: batch, chunk: chunk} }})
	}
	reg("raw", "WriteToUDPAddrPort/ReadFromUDPAddrPort", false, chunk)
	reg("raw-batch", "ipv4 WriteBatch/ReadBatch (32)", true, chunk)
	reg("raw-batch-1200", "as raw-batch, chunks of 1200 B", true, 1200)
	reg("raw-batch-60k", "as raw-batch, chunks of 60000 B", true, 60000)
}

type cluster struct {
	batch   bool
	chunk   int
	deliver adapter.DeliverFunc
	nodes   []*node
}

type link struct {
	to   netip.AddrPort
	addr *net.UDPAddr
	key  [32]byte
}

type node struct {
	c     *cluster
	i     int
	conn  *net.UDPConn
	pc    *ipv4.PacketConn
	pub   *[32]byte
	priv  *[32]byte
	out   []link
	in    map[netip.AddrPort]*[32]byte
	mu    sync.Mutex // guards seen, parts, nonce and the send buffers
	seen  map[[16]byte]struct{}
	parts map[[16]byte]*partial
	nonce [nonceLen]byte
	ctr   uint64
	plain []byte
	tx    []ipv4.Message
	ntx   int
}

// partial is an assembly: a large payload as far as it has arrived.
type partial struct {
	buf       []byte
	got, want int
	have      []bool
	last      int
}

// digraph returns the union of k random derangements: in-degree and out-degree are both k.
func digraph(n, k int, rng *mrand.Rand) [][]int {
	k = min(k, n-1)
	out := make([][]int, n)
	has := make([]map[int]bool, n)
	for i := range has {
		has[i] = map[int]bool{i: true}
	}
	for range k {
		for {
			p := rng.Perm(n)
			ok := false
			for range 200 { // resolve conflicts by random swaps
				ok = true
				for i := range p {
					if has[i][p[i]] {
						j := rng.Intn(n)
						p[i], p[j] = p[j], p[i]
						ok = false
					}
				}
				if ok {
					break
				}
			}
			if !ok {
				continue
			}
			for i, j := range p {
				has[i][j] = true
				out[i] = append(out[i], j)
			}
			break
		}
	}
	return out
}

func (c *cluster) OnDeliver(f adapter.DeliverFunc) { c.deliver = f }

func (c *cluster) Start(n int) error {
	for i := range n {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		conn.SetReadBuffer(4 << 20)
		conn.SetWriteBuffer(4 << 20)
		pub, priv, err := box.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		nd := &node{c: c, i: i, conn: conn, pub: pub, priv: priv, in: map[netip.AddrPort]*[32]byte{},
			seen: map[[16]byte]struct{}{}, parts: map[[16]byte]*partial{}}
		rand.Read(nd.nonce[:])
		if c.batch {
			nd.pc = ipv4.NewPacketConn(conn)
		}
		nd.tx = make([]ipv4.Message, batchLen)
		for k := range nd.tx {
			nd.tx[k].Buffers = [][]byte{nil}
		}
		c.nodes = append(c.nodes, nd)
	}
	for i, outs := range digraph(n, fanout, mrand.New(mrand.NewSource(int64(n)))) {
		a := c.nodes[i]
		for _, j := range outs {
			b := c.nodes[j]
			var l link
			l.addr = b.conn.LocalAddr().(*net.UDPAddr)
			l.to = l.addr.AddrPort()
			box.Precompute(&l.key, b.pub, a.priv)
			a.out = append(a.out, l)
			k := new([32]byte)
			box.Precompute(k, a.pub, b.priv)
			b.in[a.conn.LocalAddr().(*net.UDPAddr).AddrPort()] = k
		}
	}
	for _, nd := range c.nodes {
		if c.batch {
			go nd.readBatches()
		} else {
			go nd.read()
		}
	}
	return nil
}

func (n *node) maxPacket() int { return n.c.chunk + nonceLen + box.Overhead + headLen }

func (n *node) read() {
	buf := make([]byte, n.maxPacket())
	for {
		m, from, err := n.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		n.mu.Lock()
		n.receive(buf[:m], from)
		n.mu.Unlock()
	}
}

func (n *node) readBatches() {
	ms := make([]ipv4.Message, batchLen)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, n.maxPacket())}
	}
	for {
		k, err := n.pc.ReadBatch(ms, 0)
		if err != nil {
			return
		}
		n.mu.Lock()
		for _, m := range ms[:k] {
			n.receive(m.Buffers[0][:m.N], m.Addr.(*net.UDPAddr).AddrPort())
		}
		n.flush()
		n.mu.Unlock()
	}
}

func (n *node) receive(p []byte, from netip.AddrPort) {
	key := n.in[netip.AddrPortFrom(from.Addr().Unmap(), from.Port())]
	if key == nil || len(p) < nonceLen+box.Overhead+headLen {
		return
	}
	plain, ok := box.OpenAfterPrecomputation(n.plain[:0], p[nonceLen:], (*[nonceLen]byte)(p), key)
	if !ok {
		return
	}
	n.plain = plain[:0]
	id := [16]byte(plain)
	if _, dup := n.seen[id]; dup {
		return
	}
	n.seen[id] = struct{}{}
	n.accept(plain)
	n.forward(plain, from)
}

// accept delivers a complete payload, or stores one chunk of a larger one.
func (n *node) accept(plain []byte) {
	idx, count := int(binary.LittleEndian.Uint32(plain[32:])), int(binary.LittleEndian.Uint32(plain[36:]))
	body := plain[headLen:]
	if count <= 1 {
		n.c.deliver(n.i, body, time.Now())
		return
	}
	base := [16]byte(plain[16:])
	m := n.parts[base]
	if m == nil {
		m = &partial{buf: make([]byte, count*n.c.chunk), want: count, have: make([]bool, count)}
		n.parts[base] = m
	}
	if idx >= m.want || m.have[idx] {
		return
	}
	m.have[idx] = true
	m.got++
	copy(m.buf[idx*n.c.chunk:], body)
	if idx == m.want-1 {
		m.last = len(body)
	}
	if m.got == m.want {
		delete(n.parts, base)
		n.c.deliver(n.i, m.buf[:(m.want-1)*n.c.chunk+m.last], time.Now())
	}
}

// forward seals plain for every subscriber except the one that it came from.
func (n *node) forward(plain []byte, from netip.AddrPort) {
	for i := range n.out {
		l := &n.out[i]
		if l.to == from {
			continue
		}
		n.ctr++
		binary.LittleEndian.PutUint64(n.nonce[16:], n.ctr)
		m := &n.tx[n.ntx]
		b := append(m.Buffers[0][:0], n.nonce[:]...)
		b = box.SealAfterPrecomputation(b, plain, &n.nonce, &l.key)
		m.Buffers[0] = b
		if !n.c.batch {
			n.conn.WriteToUDPAddrPort(b, l.to)
			continue
		}
		m.Addr = l.addr
		if n.ntx++; n.ntx == batchLen {
			n.flush()
		}
	}
}

func (n *node) flush() {
	for sent := 0; sent < n.ntx; {
		k, err := n.pc.WriteBatch(n.tx[sent:n.ntx], 0)
		if err != nil || k == 0 {
			break
		}
		sent += k
	}
	n.ntx = 0
}

func (c *cluster) Broadcast(from int, p []byte) error {
	n := c.nodes[from]
	count := max(1, (len(p)+c.chunk-1)/c.chunk)
	plain := make([]byte, 0, headLen+min(len(p), c.chunk))
	var base [16]byte
	rand.Read(base[:])
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range count {
		var id [16]byte
		rand.Read(id[:])
		plain = append(append(plain[:0], id[:]...), base[:]...)
		plain = binary.LittleEndian.AppendUint32(plain, uint32(i))
		plain = binary.LittleEndian.AppendUint32(plain, uint32(count))
		plain = append(plain, p[i*c.chunk:min(len(p), (i+1)*c.chunk)]...)
		n.seen[id] = struct{}{}
		n.forward(plain, netip.AddrPort{})
	}
	if c.batch {
		n.flush()
	}
	return nil
}

func (c *cluster) Ready(int) bool { return true }
func (c *cluster) Stop() {
	for _, n := range c.nodes {
		n.conn.Close()
	}
}

func (c *cluster) String() string { return fmt.Sprintf("rawudp batch=%v chunk=%d", c.batch, c.chunk) }
