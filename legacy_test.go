package gwyh

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/gwyh01"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// old is a model of a gwyh 0.1 node on a MockNetwork, with the real ciphers.
type old struct {
	mu    sync.Mutex
	model *gwyh01.Node
	heard []string
	end   chan struct{}
	done  sync.WaitGroup
}

func startOld(t *testing.T, network *MockNetwork, key string, seeds ...string) *old {
	transport := network.NewTransport("old")
	cfg := gwyh01.Config{Addr: transport.addr.addr, Keys: []string{key}, Rand: rand.Reader, Zone: wire.Zone{Name: "attic", Valid: true}}
	for _, s := range seeds {
		cfg.Seeds = append(cfg.Seeds, netip.MustParseAddrPort(s))
	}
	o := &old{model: gwyh01.New(time.Now(), cfg), end: make(chan struct{})}
	o.done.Go(func() { o.run(transport) })
	t.Cleanup(o.stop)
	return o
}

// run drives the model as the process of such a node would.
func (o *old) run(transport *MockTransport) {
	for {
		o.mu.Lock()
		o.model.Drain(time.Now(), func(to wire.Path, b []byte) { _, _ = transport.WriteTo(b, to.Remote.String()) })
		for _, b := range o.model.Heard() {
			o.heard = append(o.heard, string(b))
		}
		next := time.NewTimer(time.Until(o.model.NextTimeout()))
		o.mu.Unlock()
		select {
		case p := <-transport.PacketCh():
			o.mu.Lock()
			o.model.HandleDatagram(time.Now(), wire.Path{Remote: netip.MustParseAddrPort(p.From.String())}, p.Buf)
			o.mu.Unlock()
		case <-next.C:
			o.mu.Lock()
			o.model.HandleTimeout(time.Now())
			o.mu.Unlock()
		case <-o.end:
			next.Stop()
			return
		}
		next.Stop()
	}
}

func (o *old) stop() {
	select {
	case <-o.end:
	default:
		close(o.end)
	}
	o.done.Wait()
}

func TestNodeOfGwyh01IsAMemberWithoutMetadataThatHearsAndIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		node := func(name string, r *recorder) *Memberlist {
			c := testConfig(name, r)
			c.AllowLegacy = true
			c.Transport = network.NewTransport(name)
			return create(t, c)
		}
		ra, rb := newRecorder(), newRecorder()
		a, b := node("a", ra), node("b", rb)
		join(t, b, a)
		o := startOld(t, &network, "sixteen byte key", a.LocalNode().Address())
		time.Sleep(10 * time.Second)
		name := "gwyh01-" + o.model.Addr().String()
		for _, m := range []*Memberlist{a, b} {
			if got := names(m.Members()); !slices.Equal(got, []string{"a", "b", name}) {
				t.Fatalf("members %v", got)
			}
		}
		at := slices.IndexFunc(b.Members(), func(n *Node) bool { return n.Name == name })
		n := b.Members()[at]
		switch {
		case n.Zone != "attic":
			t.Errorf("n.Zone is %q, want %q", n.Zone, "attic")
		case n.Address() != o.model.Addr().String():
			t.Errorf("the address of the node is %v, want %v", n.Address(), o.model.Addr().String())
		case len(n.Meta) != 0:
			t.Errorf("the metadata has %v bytes, want 0", len(n.Meta))
		case n.State != StateAlive:
			t.Errorf("the state of the node is %v, want %v", n.State, StateAlive)
		case !slices.Contains(ra.told(), "join "+name):
			t.Errorf("ra.told() lacks %q:\n%v", "join "+name, ra.told())
		}
		if err := b.Broadcast([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		o.mu.Lock()
		o.model.Broadcast([]byte("good old times"))
		o.mu.Unlock()
		time.Sleep(6 * time.Second) // the model's next turn sends it
		ra.wait(t, 2)
		rb.wait(t, 1)
		o.mu.Lock()
		if !slices.Equal(o.heard, []string{"hello"}) || o.model.Stats().NaksReceived != 0 {
			t.Errorf("it heard %q, and %d Naks", o.heard, o.model.Stats().NaksReceived)
		}
		o.mu.Unlock()
		if err := b.SendReliable(n, []byte("to you alone")); err == nil || !strings.Contains(err.Error(), "0.1") {
			t.Errorf("a message to it alone: %v", err)
		}
		o.stop()
		time.Sleep(20 * time.Second)
		if got := names(b.Members()); !slices.Equal(got, []string{"a", "b"}) || !slices.Contains(rb.told(), "leave "+name) {
			t.Errorf("members %v, told %v", got, rb.told())
		}
	})
}

func TestBroadcastThatSkipsANodeOfGwyh01IsInTheStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		c := testConfig("a", newRecorder())
		c.AllowLegacy = true
		c.Transport = network.NewTransport("a")
		a := create(t, c)
		rb := newRecorder()
		c = testConfig("b", rb)
		c.AllowLegacy = true
		c.Transport = network.NewTransport("b")
		b := create(t, c)
		join(t, b, a)
		o := startOld(t, &network, "sixteen byte key", a.LocalNode().Address())
		time.Sleep(10 * time.Second)
		if err := a.Broadcast(make([]byte, 21_001)); err != nil {
			t.Fatal(err)
		}
		rb.wait(t, 1)
		if got := a.Stats(); got.LegacySkipped != 1 || got.Dropped < 1 {
			t.Errorf("%d skipped, %d dropped", got.LegacySkipped, got.Dropped)
		}
		o.stop()
	})
}
