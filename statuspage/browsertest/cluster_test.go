package browsertest

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh"
)

// start starts a node on loopback and makes it join others.
func start(t *testing.T, name string, port int, join ...*gwyh.Memberlist) *gwyh.Memberlist {
	t.Helper()
	c := gwyh.DefaultLANConfig()
	c.Name, c.Zone = name, "zone-"+name[len(name)-1:]
	c.BindAddr, c.BindPort, c.LogOutput = "127.0.0.1", port, io.Discard
	c.SecretKey = []byte("sixteen bytes or more, at random")
	list, err := gwyh.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = list.Shutdown() })
	for _, other := range join {
		if _, err := list.Join([]string{other.LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func TestNodeDiesAndComesBackLive(t *testing.T) {
	first := start(t, "ann", 0)
	var others []*gwyh.Memberlist
	for _, name := range []string{"bob", "cleo", "dora", "emil"} {
		others = append(others, start(t, name, 0, first))
	}
	p := open(t, first, desktop)
	member := func(name, state string) string {
		return fmt.Sprintf(`[...document.querySelectorAll("#table-members tbody tr")].some(r => r.cells[0].innerText === %q && r.cells[1].innerText === %q)`, name, state)
	}
	p.visit("members")
	p.until(`document.querySelectorAll("#table-members .badge.alive").length === 5`)

	emil := others[3]
	if err := emil.Shutdown(); err != nil { // without Leave, as by kill -9
		t.Fatal(err)
	}
	begin := time.Now()
	p.until(member("emil", "suspect"))
	p.until(member("emil", "failed"))
	t.Logf("failed on the page after %v", time.Since(begin).Round(100*time.Millisecond))
	p.shoot("cluster-failed", false)

	start(t, "emil", int(emil.LocalNode().Port), first)
	begin = time.Now()
	p.until(member("emil", "alive"))
	t.Logf("back on the page after %v", time.Since(begin).Round(time.Millisecond))

	p.visit("messages")
	for i := range 5 {
		if err := others[i%3].Broadcast(fmt.Appendf(nil, "message %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	p.until(`document.querySelectorAll("#table-messages tbody tr").length === 5`)
	// Every node is a neighbor of every other one, so a copy comes from the origin itself, and each origin has a name.
	p.until(`[...document.querySelectorAll("#table-messages tbody tr")].every(r => /^(bob|cleo|dora) · /.test(r.cells[0].innerText) && r.cells[2].innerText.startsWith("≥ "))`)
	p.until(`[...document.querySelectorAll("#table-messages tbody tr")].some(r => /bob|cleo|dora|emil|not chosen yet/.test(r.cells[5].innerText))`)
	p.shoot("cluster-messages", false)
	p.visit("links")
	p.until(`document.querySelectorAll("#graph .neighbor").length === 4`)
	p.shoot("cluster-links", true)
	p.visit("history")
	p.until(`document.querySelector("#table-history").innerText.includes("failed")`)
	p.until(`/[2-9]\.\d s before$/m.test([...document.querySelectorAll("#table-history tbody tr")].find(r => r.cells[1].innerText === "failed").cells[4].innerText)`)
	p.shoot("cluster-history", false)
	p.visit("security")
	if !eval[bool](p, fmt.Sprintf(`document.querySelector("#table-keys").innerText.includes(%q)`, gwyh.KeyFingerprint([]byte("sixteen bytes or more, at random")))) {
		t.Error("the fingerprint of the key is not shown")
	}
	p.visit("overview")
	p.shoot("cluster-overview", true)
}
