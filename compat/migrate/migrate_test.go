package migrate

import (
	"fmt"
	"math/rand/v2"
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

// freePort returns a port that is free for UDP and TCP. It is below those that systems give to sockets that ask for any
// port: while a node restarts, another program's socket must not get its port.
func freePort(t *testing.T) int {
	t.Helper()
	const first, end = 10000, 32000
	for range 100 {
		port := first + rand.IntN(end-first)
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			continue
		}
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

// holds reports whether a condition holds within 90 seconds. On a busy machine memberlist can miss a restart, and
// corrects this within a minute (see leavePropagateDelay).
func holds(condition func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !condition(); <-tick.C {
		if time.Since(begin) > 90*time.Second {
			return false
		}
	}
	return true
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	if !holds(condition) {
		t.Fatalf("not in time: %s", what)
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
	// views returns what each node knows of each library's members, for a failure.
	views := func() (views []string) {
		for i, n := range cluster {
			if old := n.old.Load(); old != nil {
				views = append(views, fmt.Sprint(names[i], " by memberlist: ", old.Members()))
			}
			if n.new != nil {
				views = append(views, fmt.Sprint(names[i], " by gwyh: ", n.new.Members()))
			}
		}
		return views
	}
	sent := 0
	check := func(what string) {
		t.Helper()
		for i, n := range cluster {
			if !holds(func() bool { return slices.Equal(n.Members(), names) }) {
				t.Fatalf("%s: %s does not know all; the nodes know %v", what, names[i], views())
			}
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
		box.mu.Lock() // a copy may still arrive
		defer box.mu.Unlock()
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
