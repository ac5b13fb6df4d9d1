package gwyh

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// pinger is a PingDelegate that counts what it gives and remembers what it is told.
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

// The figure goes to docs/PERFORMANCE.md.
func TestCrashOfARealNodeIsKnownToAllOthers(t *testing.T) {
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
