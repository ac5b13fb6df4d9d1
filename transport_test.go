package gwyh

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A slowTransport is a MockTransport whose writes take a configurable time.
type slowTransport struct {
	*MockTransport
	mu     sync.Mutex                      // guards the following fields
	takes  func(addr string) time.Duration // how long a write takes; nil means no time
	blocks map[string]chan struct{}        // writes to these addresses block until the channel is closed
	writes map[string]int                  // writes begun, by address
	within map[string]int                  // writes in progress, by address
	twice  bool                            // two concurrent writes to one address occurred
}

func newSlowTransport(n *MockNetwork, name string) *slowTransport {
	return &slowTransport{MockTransport: n.NewTransport(name), blocks: make(map[string]chan struct{}),
		writes: make(map[string]int), within: make(map[string]int)}
}

func (s *slowTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	return s.WriteToAddress(b, Address{Addr: addr})
}

func (s *slowTransport) WriteToAddress(b []byte, addr Address) (time.Time, error) {
	s.mu.Lock()
	s.writes[addr.Addr]++
	s.within[addr.Addr]++
	s.twice = s.twice || s.within[addr.Addr] > 1
	takes, blocks := s.takes, s.blocks[addr.Addr]
	s.mu.Unlock()
	if takes != nil {
		time.Sleep(takes(addr.Addr))
	}
	if blocks != nil {
		<-blocks
	}
	s.mu.Lock()
	s.within[addr.Addr]--
	s.mu.Unlock()
	return s.MockTransport.WriteToAddress(b, addr)
}

// block makes writes to an address block until the channel is closed.
func (s *slowTransport) block(addr string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks[addr] = make(chan struct{})
	return s.blocks[addr]
}

// begun returns the number of writes begun to an address.
func (s *slowTransport) begun(addr string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes[addr]
}

// wroteTwice reports whether two writes to one address were in progress at once.
func (s *slowTransport) wroteTwice() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.twice
}

// slow sets how long each write to an address takes.
func (s *slowTransport) slow(addr string, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes = func(to string) time.Duration {
		if to == addr {
			return takes
		}
		return 0
	}
}

func TestWritesThatTakeLongToOneNodeMakeNobodyElseSeemDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		var nodes []*Memberlist
		var ends []*slowTransport
		var heard []*recorder
		for i := range 5 {
			r, end := newRecorder(), newSlowTransport(&network, fmt.Sprint("n", i))
			conf := testConfig(fmt.Sprint("n", i), r)
			conf.Transport = end
			nodes, ends, heard = append(nodes, create(t, conf)), append(ends, end), append(heard, r)
			if i > 0 {
				join(t, nodes[i], nodes[0])
			}
		}
		time.Sleep(10 * time.Second)
		killed := nodes[4].LocalNode().Address()
		for _, e := range ends {
			e.slow(killed, 3*time.Second)
		}
		_ = nodes[4].Shutdown()
		time.Sleep(40 * time.Second)
		for i, r := range heard[:4] {
			for _, e := range r.told() {
				if strings.HasPrefix(e, "leave ") && e != "leave n4" {
					t.Errorf("n%d: %s", i, e)
				}
			}
			if nodes[i].NumMembers() != 4 {
				t.Errorf("n%d has %d members", i, nodes[i].NumMembers())
			}
			if ends[i].wroteTwice() {
				t.Errorf("n%d wrote twice at once to one address", i)
			}
		}
	})
}

// blockedPair returns two nodes, a and b, and the transport of a. Its writes to b block until let is closed.
func blockedPair(t *testing.T) (a, b *Memberlist, end *slowTransport, let chan struct{}) {
	t.Helper()
	var network MockNetwork
	end = newSlowTransport(&network, "a")
	ca, cb := testConfig("a", nil), testConfig("b", nil)
	ca.Transport, cb.Transport = end, network.NewTransport("b")
	a, b = create(t, ca), create(t, cb)
	join(t, a, b)
	return a, b, end, end.block(b.LocalNode().Address())
}

func TestShutdownReturnsWhileAWriteBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, end, let := blockedPair(t)
		time.Sleep(10 * time.Second)
		begin := time.Now()
		if err := a.Shutdown(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > a.config.TCPTimeout {
			t.Errorf("took %v", took)
		}
		before := end.begun(b.LocalNode().Address())
		close(let)
		synctest.Wait()
		if begun := end.begun(b.LocalNode().Address()) - before; begun > 0 {
			t.Errorf("%d writes began after Shutdown", begun)
		}
	})
}

func TestLeaveWaitsForNoNodeThatIsNotWrittenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		end := newSlowTransport(&network, "a")
		ca, cb, cc, atB := testConfig("a", nil), testConfig("b", nil), testConfig("c", nil), newRecorder()
		ca.Transport, cb.Transport, cc.Transport = end, network.NewTransport("b"), network.NewTransport("c")
		cb.Events = atB
		a, b, c := create(t, ca), create(t, cb), create(t, cc)
		join(t, a, b)
		join(t, c, b)
		time.Sleep(5 * time.Second)
		defer close(end.block(c.LocalNode().Address()))
		time.Sleep(time.Second)
		if err := a.Leave(3 * time.Second); err != nil {
			t.Error(err)
		}
		if told := atB.told(); told[len(told)-1] != "leave a" {
			t.Errorf("b was told %q", told)
		}
	})
}

func TestStatsCountWhatASlowTransportLeavesUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _, let := blockedPair(t)
		time.Sleep(10 * time.Second)
		close(let)
		time.Sleep(time.Second)
		f, err := a.node.Figures()
		if err != nil {
			t.Fatal(err)
		}
		elsewhere := uint64(0)
		for _, n := range f.Core.Dropped {
			elsewhere += n
		}
		if got := a.Stats().Dropped; f.Late == 0 || got != elsewhere+f.Late {
			t.Errorf("%d dropped: %d late, %d elsewhere", got, f.Late, elsewhere)
		}
	})
}

// A refusingTransport is a MockTransport that fails every write, as under a firewall that forbids sending.
type refusingTransport struct{ *MockTransport }

func (r refusingTransport) WriteTo([]byte, string) (time.Time, error) {
	return time.Time{}, errors.New("operation not permitted")
}

func (r refusingTransport) WriteToAddress(b []byte, addr Address) (time.Time, error) {
	return r.WriteTo(b, addr.Addr)
}

func TestStatsCountDatagramsThatTheTransportDoesNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		b := testConfig("b", nil)
		b.Transport = network.NewTransport("b")
		to := create(t, b)
		a := testConfig("a", nil)
		a.Transport = refusingTransport{network.NewTransport("a")}
		from := create(t, a)
		if _, err := from.Join([]string{to.LocalNode().Address()}); err == nil {
			t.Fatal("joined without a datagram")
		}
		if from.Stats().Dropped == 0 {
			t.Error("no datagram was dropped")
		}
	})
}

// BenchmarkBroadcastInMemory measures a broadcast over a MockNetwork to all of ten nodes in one process.
func BenchmarkBroadcastInMemory(b *testing.B) {
	var network MockNetwork
	var nodes []*Memberlist
	heard := newRecorder()
	for i := range 10 {
		conf := testConfig(fmt.Sprint("n", i), nil)
		conf.Transport, conf.Delegate = network.NewTransport(conf.Name), heard
		nodes = append(nodes, create(b, conf))
		join(b, nodes[i], nodes[0])
	}
	msg := make([]byte, 200)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := nodes[i%len(nodes)].Broadcast(msg); err != nil {
			b.Fatal(err)
		}
		for range len(nodes) - 1 {
			<-heard.arrived
		}
	}
}
