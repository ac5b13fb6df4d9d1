package gossip

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
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

// Dump writes the state of the core in readable form when a test fails.
func (c *Core) Dump(w io.Writer, now time.Time) {
	fmt.Fprintf(w, "node %q %s at %s\n", c.members.Self().Name, c.members.Self().ID, c.members.Self().Addr)
	c.dumpMembers(w, now)
	c.dumpPeers(w, now)
	fmt.Fprintf(w, "  holds %s\n", nonzero(c.Holdings()))
	fmt.Fprintf(w, "  counted %s\n", nonzero(c.Stats()))
	if next := c.NextTimeout(); !next.IsZero() {
		fmt.Fprintf(w, "  next timeout in %v\n", next.Sub(now))
	}
}

// dumpMembers writes a line for each current or former member.
func (c *Core) dumpMembers(w io.Writer, now time.Time) {
	var all []*members.Entry
	for m := range c.members.All {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *members.Entry) int { return slices.Compare(a.ID[:], b.ID[:]) })
	slices.SortStableFunc(all, func(a, b *members.Entry) int { return strings.Compare(a.Name, b.Name) })
	fmt.Fprintf(w, "  members %d\n", c.members.Count())
	for _, m := range all {
		fmt.Fprintf(w, "    %s %s for %v, incarnation %d, zone %q\n", m, m.State, now.Sub(c.members.Since(m)), m.Incarnation, m.Zone.Name)
	}
}

// dumpPeers writes a line for each node with a session.
func (c *Core) dumpPeers(w io.Writer, now time.Time) {
	fmt.Fprintf(w, "  peers %d, links %d\n", len(c.peers), len(c.links))
	for _, of := range c.hs.Sorted() {
		p := c.peers[of.ID]
		what := "peer"
		switch {
		case p.Linked && slices.Contains(c.overlay.Choice(), p.ID):
			what = "subscription"
		case p.Linked:
			what = "subscriber"
		}
		fmt.Fprintf(w, "    %s %s: round trip %v, heard %v ago, datagrams of %d bytes, %d messages and %d transfers wait\n",
			what, c.report.Who(p.ID), p.Packets.RTT(), now.Sub(p.Sessions.LastOpened()), p.Packets.Path().Size(), p.Packets.Waiting(), len(p.Packets.Transfers()))
	}
}

// nonzero returns the fields of a struct that are not zero, by name.
func nonzero(of any) string {
	var b strings.Builder
	v := reflect.ValueOf(of)
	for _, field := range reflect.VisibleFields(v.Type()) {
		if f := v.FieldByIndex(field.Index); !field.Anonymous && !f.IsZero() {
			fmt.Fprintf(&b, " %s=%v", field.Name, f)
		}
	}
	return strings.TrimPrefix(b.String(), " ")
}
