package gossip

import (
	"strings"
	"testing"
	"time"
)

func TestDumpSaysWhatAPersonLooksFor(t *testing.T) {
	c := formed(t, 4)
	c.net.Crash(c.nodes[3].addr)
	c.net.RunFor(20 * time.Second)
	var b strings.Builder
	c.nodes[0].Dump(&b, c.net.Now())
	for _, want := range []string{`node "node-0" `, "members 3", `"node-1" (10.0.0.1:6969) alive for `, `"node-3" (10.0.0.3:6969) dead for `,
		`subscription "node-2": round trip `, "datagrams of 1200 bytes", "Links=2", "SuspicionsRaised=", "next timeout in "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("nothing like %q in\n%s", want, b.String())
		}
	}
}
