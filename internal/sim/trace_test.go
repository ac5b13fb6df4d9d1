package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
)

// A trace does not change the run and has the events that a person would look for.
func TestTraceRecordsWhatHappensAndChangesNothing(t *testing.T) {
	run := func(trace *bytes.Buffer) (hash uint64) {
		cfg := Config{Seed: 3, Nodes: 8, Core: LAN(), Link: simnet.Link{Latency: simnet.Constant(time.Millisecond), Loss: 0.05}}
		if trace != nil {
			cfg.Trace = trace
		}
		c := New(cfg)
		if _, err := c.Form(time.Minute); err != nil {
			t.Fatal(err)
		}
		c.Do(c.Nodes[1], func(now time.Time) {
			if err := c.Nodes[1].Core.Broadcast(now, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		})
		c.Net.Crash(c.Nodes[7].Addr)
		c.Net.RunFor(30 * time.Second)
		return c.Net.TraceHash()
	}
	var b bytes.Buffer
	if traced, plain := run(&b), run(nil); traced != plain {
		t.Errorf("the run has the trace hash %x, and %x if it is traced", plain, traced)
	}
	type event struct {
		T       float64
		Node    string
		Event   string
		What    string
		Peer    string
		Message string
		Peers   []string
	}
	var all []event
	for lines := bufio.NewScanner(&b); lines.Scan(); {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		if n := len(all); n > 0 && e.T < all[n-1].T {
			t.Fatalf("time goes back: %s", lines.Bytes())
		}
		all = append(all, e)
	}
	for _, x := range []struct {
		name string
		is   func(e event) bool
	}{
		{"packet sent", func(e event) bool { return e.Event == "packet" && e.What == "sent" && e.Peer == "10.0.0.1:6969" }},
		{"packet received", func(e event) bool { return e.Event == "packet" && e.What == "received" }},
		{"packet lost", func(e event) bool { return e.Event == "packet" && e.What == "lost" && e.Node == "node-0" }},
		{"handshake", func(e event) bool { return e.Event == "message" && e.Message == "Hello" }},
		{"message received", func(e event) bool {
			return e.Event == "message" && e.Message == "Heartbeat" && e.Peer == "node-1" && e.Node == "node-0"
		}},
		{"message delivered", func(e event) bool { return e.Event == "message" && e.What == "delivered" }},
		{"link up", func(e event) bool { return e.Event == "link" && e.What == "up" && e.Node == "node-2" }},
		{"link down", func(e event) bool { return e.Event == "link" && e.What == "down" && e.Peer == "node-7" }},
		{"member joined", func(e event) bool { return e.Event == "member" && e.What == "joined" && e.Peer == "node-3" }},
		{"member failed", func(e event) bool { return e.Event == "member" && e.What == "dead" && e.Peer == "node-7" }},
		{"suspicion", func(e event) bool { return e.Event == "suspicion" && e.What == "raised" && e.Peer == "node-7" }},
		{"choice", func(e event) bool { return e.Event == "choice" && slices.Contains(e.Peers, "node-4") }},
		{"node crashed", func(e event) bool { return e.Event == "node" && e.What == "crashed" && e.Node == "node-7" }},
		{"log", func(e event) bool { return e.Event == "log" && e.Node == "node-0" }},
	} {
		if !slices.ContainsFunc(all, x.is) {
			t.Errorf("no event of the kind %q among %d", x.name, len(all))
		}
	}
}
