package gwyh

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pinger is a PingDelegate that counts its payloads and records its notifications.
type pinger struct {
	name string

	mu    sync.Mutex
	asked int
	told  []string
}

func (p *pinger) AckPayload() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	return []byte("payload of " + p.name)
}

func (p *pinger) NotifyPingComplete(other *Node, rtt time.Duration, payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, fmt.Sprintf("%s %v %s", other.Name, rtt > 0, payload))
}

func TestPingDelegateLearnsTimesAndPayloads(t *testing.T) {
	var ps []*pinger
	var first *Memberlist
	for _, name := range []string{"a", "b", "c"} {
		c := testConfig(name, nil)
		p := &pinger{name: name}
		c.ProbeInterval, c.HeartbeatInterval, c.Ping = 10*time.Millisecond, 100*time.Millisecond, p
		m := create(t, c)
		if len(ps) > 0 {
			join(t, m, first)
		} else {
			first = m
		}
		ps = append(ps, p)
	}
	until(t, func() bool {
		ps[0].mu.Lock()
		defer ps[0].mu.Unlock()
		return slices.Contains(ps[0].told, "b true payload of b") && slices.Contains(ps[0].told, "c true payload of c") && ps[0].asked > 1
	})
}

func TestPingOfANodeTakesTimeAndOfNobodyIsAnError(t *testing.T) {
	a, b := create(t, testConfig("a", nil)), create(t, testConfig("b", nil))
	addr := func(m *Memberlist) net.Addr {
		n := m.LocalNode()
		return &net.UDPAddr{IP: n.Addr, Port: int(n.Port)}
	}
	if rtt, err := a.Ping("b", addr(b)); err != nil || rtt <= 0 {
		t.Errorf("before the Join: %v, %v", rtt, err)
	}
	join(t, b, a)
	if rtt, err := a.Ping("b", addr(b)); err != nil || rtt <= 0 {
		t.Errorf("%v, %v", rtt, err)
	}
	var none NoPingResponseError
	if _, err := a.Ping("c", addr(b)); !errors.As(err, &none) || !strings.Contains(err.Error(), "node c") {
		t.Errorf("another name: %v", err)
	}
	nobody := addr(b)
	_ = b.Shutdown()
	if _, err := a.Ping("b", nobody); !errors.As(err, &none) {
		t.Errorf("nobody: %v", err)
	}
	_ = a.Shutdown()
	if _, err := a.Ping("b", nobody); !errors.Is(err, ErrShutdown) {
		t.Errorf("after Shutdown: %v", err)
	}
	if got := a.GetHealthScore(); got != 0 {
		t.Errorf("health %d", got)
	}
}

func TestSuspectIsAMemberOfThatState(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		r := newRecorder()
		a, b, c := node("a", r), node("b", nil), node("c", nil)
		join(t, b, a)
		join(t, c, a)
		time.Sleep(5 * time.Second)
		_ = c.Shutdown()
		seen := map[NodeStateType]bool{}
		for range 600 {
			time.Sleep(10 * time.Millisecond)
			for _, n := range a.Members() {
				if n.Name == "c" {
					seen[n.State] = true
				}
			}
		}
		if !seen[StateAlive] || !seen[StateSuspect] || len(seen) != 2 {
			t.Errorf("states of the member: %v", seen)
		}
		if got := names(a.Members()); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("members in the end: %v", got)
		}
		if got := r.told(); !slices.Equal(got, []string{"join a", "join b", "join c", "leave c"}) {
			t.Errorf("events %v", got)
		}
	})
}

// docs/PERFORMANCE.md quotes the result.
func TestCrashOfARealNodeIsKnownToAllOthers(t *testing.T) {
	t.Parallel()
	n := 10
	if *full {
		n = 50
	}
	ms, _ := crowd(t, n, 0)
	victim := ms[n/2]
	begin := time.Now()
	_ = victim.Shutdown()
	until(t, func() bool {
		known := 0
		for _, m := range ms {
			if m != victim && m.NumMembers() == n-1 {
				known++
			}
		}
		return known == n-1
	})
	t.Logf("crash of one of %d nodes known to all others after %v", n, time.Since(begin))
}

// lossyTransport drops datagrams to one address and from another one, if these are set.
type lossyTransport struct {
	*MockTransport
	to, from *atomic.Pointer[string]
}

func (l *lossyTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	return l.WriteToAddress(b, Address{Addr: addr})
}

func (l *lossyTransport) WriteToAddress(b []byte, addr Address) (time.Time, error) {
	is := func(p *atomic.Pointer[string], a string) bool { s := p.Load(); return s != nil && *s == a }
	if is(l.to, addr.Addr) || is(l.from, l.MockTransport.addr.String()) {
		return time.Now(), nil
	}
	return l.MockTransport.WriteToAddress(b, addr)
}

// sixNodes runs f with six nodes of the LAN preset in a bubble. Datagrams to the address in to and from the address in
// from are lost, if these are set.
func sixNodes(t *testing.T, f func(t *testing.T, nodes []*Memberlist, to, from *atomic.Pointer[string])) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		var to, from atomic.Pointer[string]
		var nodes []*Memberlist
		for i := range 6 {
			c := testConfig(fmt.Sprint("n", i+1), nil)
			c.Transport = &lossyTransport{network.NewTransport(c.Name), &to, &from}
			m := create(t, c)
			if i > 0 {
				join(t, m, nodes[0])
			}
			nodes = append(nodes, m)
		}
		time.Sleep(5 * time.Second)
		f(t, nodes, &to, &from)
	})
}

// Six seconds are enough in 99 of 100 runs: the deaf node goes on sending, and its silence is noticed between two heartbeats.
func TestMemberThatCannotHearIsDroppedWithinEightSeconds(t *testing.T) {
	sixNodes(t, func(t *testing.T, nodes []*Memberlist, to, _ *atomic.Pointer[string]) {
		addr := nodes[3].LocalNode().Address()
		to.Store(&addr)
		for range 80 {
			time.Sleep(100 * time.Millisecond)
			_ = nodes[3].Broadcast([]byte("here I am"))
			_ = nodes[3].UpdateNode(time.Second)
		}
		for i, m := range nodes {
			if i != 3 && m.NumMembers() != 5 {
				t.Errorf("%s has %v", m.LocalNode().Name, names(m.Members()))
			}
		}
		if nodes[3].GetHealthScore() == 0 {
			t.Error("the deaf node believes that it is well")
		}
	})
}

func TestIsolatedMemberFindsItselfAloneWithinThirtySeconds(t *testing.T) {
	sixNodes(t, func(t *testing.T, nodes []*Memberlist, to, from *atomic.Pointer[string]) {
		addr := nodes[3].LocalNode().Address()
		to.Store(&addr)
		from.Store(&addr)
		time.Sleep(15 * time.Second)
		if got := nodes[3].NumMembers(); got == 6 {
			t.Error("no death is known after 15 s")
		}
		time.Sleep(15 * time.Second)
		if got := nodes[3].NumMembers(); got != 1 {
			t.Errorf("it has %v", names(nodes[3].Members()))
		}
	})
}
