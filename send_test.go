package gwyh

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDirectMessagesReachOneNodeInAllWays(t *testing.T) {
	ra, rb, rc := newRecorder(), newRecorder(), newRecorder()
	a, b, c := create(t, testConfig("a", ra)), create(t, testConfig("b", rb)), create(t, testConfig("c", rc))
	join(t, b, a)
	join(t, c, a)
	to := b.LocalNode()
	udp := &net.UDPAddr{IP: to.Addr, Port: int(to.Port)}
	err := errors.Join(
		a.SendBestEffort(to, []byte("best effort")),
		a.SendReliable(to, []byte("reliable")),
		a.SendToAddress(to.FullAddress(), []byte("address")),
		a.SendTo(udp, []byte("to")),
		a.SendToUDP(to, []byte("udp")),
		a.SendToTCP(to, []byte("tcp")),
		a.SendReliable(to, nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	rb.wait(t, 7)
	got := rb.messages()
	slices.Sort(got)
	if want := []string{"", "address", "best effort", "reliable", "tcp", "to", "udp"}; !slices.Equal(got, want) {
		t.Errorf("b got %q, want %q", got, want)
	}
	if len(ra.messages())+len(rc.messages()) != 0 {
		t.Errorf("a got %q, c got %q", ra.messages(), rc.messages())
	}
}

// The caller made the Node and knows only its name and address. The two nodes are not in one cluster.
func TestDirectMessageToANodeNeverMet(t *testing.T) {
	rb := newRecorder()
	a, b := create(t, testConfig("a", nil)), create(t, testConfig("b", rb))
	to := &Node{Name: "b", Addr: b.LocalNode().Addr, Port: b.LocalNode().Port}
	if err := a.SendReliable(to, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := a.SendBestEffort(to, []byte("and again")); err != nil {
		t.Fatal(err)
	}
	rb.wait(t, 2)
	if a.NumMembers() != 1 || b.NumMembers() != 1 {
		t.Errorf("a message made members: %d, %d", a.NumMembers(), b.NumMembers())
	}
}

func TestReliableMessageToNobodySaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		a := node("a", nil)
		begin := time.Now()
		err := a.SendReliable(&Node{Name: "b", Addr: net.IPv4(10, 9, 9, 9), Port: 1}, []byte("hello"))
		if err == nil || !strings.Contains(err.Error(), "10.9.9.9:1") {
			t.Errorf("err = %v", err)
		}
		if took := time.Since(begin); took > 11*time.Second {
			t.Errorf("took %v", took)
		}
		if err := a.SendBestEffort(&Node{Name: "b", Addr: net.IPv4(10, 9, 9, 9), Port: 1}, []byte("hello")); err != nil {
			t.Errorf("best effort: %v", err)
		}
	})
}

func TestReliableMessageToACrashedNodeSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		a, b := node("a", nil), node("b", nil)
		join(t, b, a)
		_ = b.Shutdown()
		if err := a.SendReliable(b.LocalNode(), []byte("hello")); err == nil {
			t.Error("no error")
		}
	})
}

func TestRequireNodeNamesRejectsBareAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		conf := testConfig("a", nil)
		conf.Transport, conf.RequireNodeNames = network.NewTransport("a"), true
		a := create(t, conf)
		conf = testConfig("b", nil)
		conf.Transport = network.NewTransport("b")
		to := create(t, conf).LocalNode()
		if err := a.SendToAddress(Address{Addr: to.Address()}, []byte("x")); err == nil {
			t.Error("no error")
		}
		if err := a.SendToAddress(to.FullAddress(), []byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := a.Join([]string{to.Address()}); err == nil {
			t.Error("Join of a bare address")
		}
		if _, err := a.Join([]string{"b/" + to.Address()}); err != nil {
			t.Error(err)
		}
	})
}

func TestLargeMessagesReachAllOverUDP(t *testing.T) {
	const n = 10
	var rs []*recorder
	var ms []*Memberlist
	for i := range n {
		rs = append(rs, newRecorder())
		ms = append(ms, create(t, testConfig(fmt.Sprint("n", i), rs[i])))
		if i > 0 {
			join(t, ms[i], ms[0])
		}
	}
	until(t, func() bool {
		return !slices.ContainsFunc(ms, func(m *Memberlist) bool { return m.NumMembers() != n || m.Stats().Subscriptions < 5 })
	})
	rounds, sizes := 3, []int{64 << 10, 1 << 20}
	switch {
	case *full:
		rounds, sizes = 20, append(sizes, 16<<20)
	case raceEnabled:
		rounds = 1
	}
	for _, size := range sizes {
		begin := time.Now()
		for round := range rounds {
			msg := bytes.Repeat([]byte{byte(round), byte(size >> 8), 3, 4, 5, 6, 7}, size/7+1)[:size]
			from := (round + size) % n
			if err := ms[from].Broadcast(msg); err != nil {
				t.Fatal(err)
			}
			for i, r := range rs {
				if i == from {
					continue
				}
				r.wait(t, 1)
				if got := r.messages(); len(got) != 1 || got[0] != string(msg) {
					t.Fatalf("node %d, %d bytes: %d messages", i, size, len(got))
				}
				r.mu.Lock()
				r.got = nil
				r.mu.Unlock()
			}
		}
		t.Logf("%d bytes to %d nodes: %d of %d, %v each", size, n, rounds, rounds, time.Since(begin)/time.Duration(rounds))
	}
}

func TestReliableLargeMessagesOverUDP(t *testing.T) {
	rb := newRecorder()
	a, b := create(t, testConfig("a", nil)), create(t, testConfig("b", rb))
	join(t, b, a)
	sizes := []int{1, 1 << 20, 16 << 20}
	if raceEnabled {
		sizes = sizes[:2]
	}
	for _, size := range sizes {
		msg := bytes.Repeat([]byte{1, 2, 3, 4, 5}, size/5+1)[:size]
		if err := a.SendReliable(b.LocalNode(), msg); err != nil {
			t.Fatal(err)
		}
		rb.wait(t, 1)
		if got := rb.messages(); got[len(got)-1] != string(msg) {
			t.Fatalf("%d bytes came otherwise", size)
		}
	}
}

func TestErrorsThatProgramsCompareComeBare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testConfig("a", nil)
		c.Transport = new(MockNetwork).NewTransport("a")
		a := create(t, c)
		calls := map[string]func([]byte) error{
			"Broadcast":      a.Broadcast,
			"SendReliable":   func(b []byte) error { return a.SendReliable(&Node{Addr: net.IPv4(127, 0, 0, 9), Port: 9}, b) },
			"SendBestEffort": func(b []byte) error { return a.SendBestEffort(a.LocalNode(), b) },
			"SendTo":         func(b []byte) error { return a.SendTo(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 9), Port: 9}, b) },
			"SendToAddress":  func(b []byte) error { return a.SendToAddress(Address{Addr: "127.0.0.9:9"}, b) },
		}
		for name, call := range calls {
			err := call(make([]byte, 16<<20+1))
			if large, ok := err.(*TooLargeError); !ok || large.Max != 16<<20 {
				t.Errorf("%s: %T %v", name, err, err)
			}
		}
		_ = a.Shutdown()
		calls["Ping"] = func([]byte) error {
			_, err := a.Ping("b", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9), Port: 9})
			return err
		}
		for name, call := range calls {
			if err := call([]byte("late")); err != ErrShutdown {
				t.Errorf("%s after Shutdown: %T %v", name, err, err)
			}
		}
	})
}

func TestNilArgumentsAreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := new(MockNetwork).NewTransport("a")
		c := testConfig("a", nil)
		c.Transport = transport
		a := create(t, c)
		for name, call := range map[string]func() error{
			"SendReliable":            func() error { return a.SendReliable(nil, nil) },
			"SendBestEffort":          func() error { return a.SendBestEffort(nil, nil) },
			"SendToUDP":               func() error { return a.SendToUDP(nil, nil) },
			"SendToTCP":               func() error { return a.SendToTCP(nil, nil) },
			"SendTo":                  func() error { return a.SendTo(nil, nil) },
			"SendTo, a nil of a type": func() error { return a.SendTo((*net.UDPAddr)(nil), nil) },
			"Ping":                    func() error { _, err := a.Ping("b", nil); return err },
			"Create":                  func() error { _, err := Create(nil); return err },
			"NewNetTransport":         func() error { _, err := NewNetTransport(nil); return err },
			"IngestPacket":            func() error { return transport.IngestPacket(nil, nil, time.Time{}, true) },
		} {
			if err := call(); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}

func TestNodeSendsToItself(t *testing.T) {
	r := newRecorder()
	a := create(t, testConfig("a", r))
	if err := errors.Join(a.SendBestEffort(a.LocalNode(), []byte("one")), a.SendReliable(a.LocalNode(), []byte("two"))); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 2)
	if got := r.messages(); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("%q", got)
	}
}
