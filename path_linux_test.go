package gwyh

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/netns"
)

// machines are network namespaces at one switch, which silently drops frames larger than its MTU.
type machines struct {
	hosts      []*netns.Space
	middle     *netns.Space
	ports      []string
	transports func(at string) (Transport, error) // nil for the library's own transport
}

func newMachines(t *testing.T, n, mtu int) *machines {
	s := &machines{middle: netns.New(t)}
	for i := range n {
		host, port := netns.New(t), fmt.Sprint("port", i)
		host.Cable("eth0", s.middle, port)
		host.Whole("eth0")
		host.Address("eth0", s.address(i)+"/24")
		host.Up("eth0")
		s.hosts, s.ports = append(s.hosts, host), append(s.ports, port)
	}
	s.narrow(mtu)
	s.middle.Bridge("switch", s.ports...)
	return s
}

func (s *machines) address(i int) string { return fmt.Sprintf("10.9.0.%d", i+1) }

// narrow changes the MTU of the switch.
func (s *machines) narrow(mtu int) {
	for _, port := range s.ports {
		s.middle.MTU(port, mtu)
	}
}

// start starts a node on each machine and waits until all know each other.
func (s *machines) start(t *testing.T) (ms []*Memberlist, rs []*recorder) {
	t.Helper()
	for i, host := range s.hosts {
		r := newRecorder()
		c := testConfig(fmt.Sprint("node-", i), r)
		c.BindAddr, c.AdvertiseAddr, c.MetaMax = s.address(i), s.address(i), 1000
		var m *Memberlist
		if err := host.Do(func() (err error) {
			if s.transports != nil {
				if c.Transport, err = s.transports(s.address(i)); err != nil {
					return err
				}
				c.AdvertisePort = c.Transport.(foreignTransport).port
			}
			m, err = Create(c)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Shutdown() })
		ms, rs = append(ms, m), append(rs, r)
	}
	for _, m := range ms[1:] {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := m.JoinContext(ctx, []string{ms[0].LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range ms {
		until(t, func() bool { return m.NumMembers() == len(ms) && m.Stats().Links == len(ms)-1 })
	}
	return ms, rs
}

// foreignTransport is a type that the library does not know.
type foreignTransport struct {
	Transport
	port int
}

func newForeignTransport(at string) (Transport, error) {
	inner, err := NewNetTransport(&NetTransportConfig{BindAddrs: []string{at}})
	if err != nil {
		return nil, err
	}
	return foreignTransport{inner, inner.GetAutoBindPort()}, nil
}

// quiet sends messages of several sizes, each after the previous one has arrived, so that only the library itself can
// detect a loss.
func quiet(t *testing.T, ms []*Memberlist, rs []*recorder, name string) {
	t.Helper()
	begin := time.Now()
	sized := func(kind string, size int) string {
		text := fmt.Sprintf("%s %s of %d ", name, kind, size)
		return text + strings.Repeat("x", size-len(text))
	}
	for _, size := range []int{1180, 1215, 1250, 1288} {
		msg := sized("broadcast", size)
		if err := ms[0].Broadcast([]byte(msg)); err != nil {
			t.Fatal(err)
		}
		for _, r := range rs[1:] {
			wantLast(t, r, msg)
		}
	}
	to := ms[0].Members()[0]
	for _, n := range ms[0].Members() {
		if n.Name == ms[1].LocalNode().Name {
			to = n
		}
	}
	for _, size := range []int{1200, 1280} {
		msg := sized("reliable message", size)
		if err := ms[0].SendReliable(to, []byte(msg)); err != nil {
			t.Fatal(err)
		}
		wantLast(t, rs[1], msg)
		msg = sized("message", size)
		if err := ms[0].SendBestEffort(to, []byte(msg)); err != nil {
			t.Fatal(err)
		}
		wantLast(t, rs[1], msg)
	}
	rs[0].meta = []byte(sized("metadata", 1000))
	if err := ms[0].UpdateNode(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	for _, m := range ms[1:] {
		until(t, func() bool {
			for _, n := range m.Members() {
				if n.Name == ms[0].LocalNode().Name {
					return string(n.Meta) == string(rs[0].meta)
				}
			}
			return false
		})
	}
	t.Logf("%s: %v", name, time.Since(begin).Round(time.Millisecond))
}

// wantLast waits for one message and checks that it is the only new one.
func wantLast(t *testing.T, r *recorder, want string) {
	t.Helper()
	r.wait(t, 1)
	if got := r.messages(); got[len(got)-1] != want {
		t.Errorf("%.40q came instead of %.40q", got[len(got)-1], want)
	}
}

func eachTransport(t *testing.T, mtu int, f func(t *testing.T, s *machines)) {
	for _, x := range []struct {
		name string
		make func(string) (Transport, error)
	}{{"NetTransport", nil}, {"foreign transport", newForeignTransport}} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			s := newMachines(t, 3, mtu)
			s.transports = x.make
			f(t, s)
		})
	}
}

func TestFirstMessagesArriveOnAPathThatIsNarrowerThanUDPBufferSize(t *testing.T) {
	t.Parallel()
	eachTransport(t, 1280, func(t *testing.T, s *machines) {
		for run := range 3 {
			ms, rs := s.start(t)
			quiet(t, ms, rs, fmt.Sprint("run ", run))
			for _, m := range ms {
				if err := m.Shutdown(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

func TestMessagesArriveWhenTheirPathHasBecomeNarrower(t *testing.T) {
	t.Parallel()
	eachTransport(t, 1500, func(t *testing.T, s *machines) {
		ms, rs := s.start(t)
		quiet(t, ms, rs, "wide")
		s.narrow(1280)
		quiet(t, ms, rs, "narrow")
	})
}
