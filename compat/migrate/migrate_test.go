package migrate

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// inbox counts the messages that a node received.
type inbox struct {
	mu  sync.Mutex
	got map[string]int
}

func (i *inbox) take(msg []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got[string(msg)]++
}

func (i *inbox) count(msg string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.got[msg]
}

// freePort returns a port that is free for UDP and TCP.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", fmt.Sprint("127.0.0.1:", port))
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !holds(); <-tick.C {
		if time.Since(begin) > 40*time.Second {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestClusterMigratesNodeByNodeWithoutMissingAMessageOrAMember(t *testing.T) {
	const nodes = 3
	names := []string{"n0", "n1", "n2"}
	var oldPorts, newPorts [nodes]int
	for i := range nodes {
		oldPorts[i], newPorts[i] = freePort(t), freePort(t)
	}
	var cluster [nodes]*Node
	var boxes [nodes]*inbox
	start := func(i int, r Release) {
		t.Helper()
		c := Config{Name: names[i], Release: r, Key: []byte("0123456789abcdef"), Host: "127.0.0.1",
			OldPort: oldPorts[i], NewPort: newPorts[i]}
		for o := range nodes {
			if o != i && cluster[o] != nil {
				c.OldJoin = append(c.OldJoin, fmt.Sprint("127.0.0.1:", oldPorts[o]))
				c.NewJoin = append(c.NewJoin, fmt.Sprint("127.0.0.1:", newPorts[o]))
			}
		}
		boxes[i] = &inbox{got: make(map[string]int)}
		c.Receive = boxes[i].take
		n, err := Start(c)
		if err != nil {
			t.Fatal(err)
		}
		cluster[i] = n
	}
	defer func() {
		for _, n := range cluster {
			if n != nil {
				n.Stop()
			}
		}
	}()
	sent := 0
	check := func(what string) {
		t.Helper()
		for i, n := range cluster {
			await(t, what+": all know all", func() bool { return slices.Equal(n.Members(), names) })
			msg := fmt.Sprint(what, ", message ", sent, " of ", names[i])
			sent++
			if err := n.Send([]byte(msg)); err != nil {
				t.Fatal(err)
			}
			for o, box := range boxes {
				if o != i {
					await(t, msg+" at "+names[o], func() bool { return box.count(msg) > 0 })
				}
			}
		}
	}
	for i := range nodes {
		start(i, OldOnly)
	}
	check("old only")
	for r := OldLeads; r <= NewOnly; r++ {
		for i := range nodes {
			cluster[i].Stop()
			cluster[i] = nil
			start(i, r)
			check(fmt.Sprint("release ", r, " at ", i+1, " nodes"))
		}
		for _, n := range cluster {
			await(t, "ready for the next", n.Ready)
		}
	}
	for i, box := range boxes {
		for msg, times := range box.got {
			if times != 1 || strings.HasSuffix(msg, names[i]) {
				t.Errorf("%s got %d times %q", names[i], times, msg)
			}
		}
	}
}

func TestMessagesKeepTheirIDs(t *testing.T) {
	of := id{"name", 1 << 60, 42}
	b := wrap(of, []byte("message"))
	if got, msg, ok := unwrap(b); got != of || string(msg) != "message" || !ok {
		t.Errorf("%v %q %v", got, msg, ok)
	}
	for n := range len(b) - len("message") {
		if _, _, ok := unwrap(b[:n]); ok {
			t.Errorf("%d bytes are enough", n)
		}
	}
}

func TestRecentIDsAreBounded(t *testing.T) {
	var r recent
	for n := range uint64(recentMax + 10) {
		if !r.add(id{number: n}) {
			t.Fatal(n)
		}
	}
	switch {
	case len(r.known) != recentMax:
		t.Errorf("%v ids are known, want %v", len(r.known), recentMax)
	case len(r.order) != recentMax:
		t.Errorf("%v ids are in order, want %v", len(r.order), recentMax)
	case !r.add(id{number: 0}):
		t.Error("an id that was forgotten does not count as new")
	case r.add(id{number: recentMax}):
		t.Error("an id that is remembered counts as new")
	}
}
