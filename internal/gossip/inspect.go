package gossip

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Member returns what is known of a live member.
func (c *Core) Member(id wire.NodeID) (Member, bool) {
	if m := c.members.Get(id); m != nil && m.Live() {
		return m.Member, true
	}
	return Member{}, false
}

// NumMembers is the number of live members, oneself included.
func (c *Core) NumMembers() int { return c.members.Count() }

// NumGo is the number of live members that are Go nodes, this node included.
func (c *Core) NumGo() int { return c.members.CountGo() }

// Holdings counts what a core keeps at a moment. Whoever drives it can tell what is left over of
// something by comparing with a core to which nothing happened.
type Holdings struct {
	Tombstones int // nodes that died or left and are remembered
	Peers      int // nodes with a session
	Links      int
	Sessions   int
	Timers     int
	Dials      int // handshakes under way, or done and not confirmed
	Joins      int // under way
	Sends      int // messages to one node that wait for a session or an acknowledgement
	Queued     int // bytes of messages that wait for a link or to be repaired, or for the first link
}

// Holdings counts what the core keeps.
func (c *Core) Holdings() Holdings {
	waiting, awaited := c.direct.Len()
	h := Holdings{Tombstones: c.members.CountTombstones(), Peers: len(c.peers), Links: len(c.links), Sessions: len(c.hs.boxes),
		Timers: c.timers.Len(), Dials: c.hs.dials.Len(), Joins: len(c.joins.list), Sends: waiting + awaited, Queued: c.broadcast.store.Size() + c.broadcast.Held.Bytes()}
	return h
}

// Dump writes the state of the core for a person to read; tests print it when they fail. Its form may change at any time.
func (c *Core) Dump(w io.Writer, now time.Time) {
	fmt.Fprintf(w, "node %q %s at %s\n", c.members.Self().Name, c.members.Self().ID, c.members.Self().Addr)
	c.reporter.dumpMembers(w, now)
	c.reporter.dumpPeers(w, now)
	fmt.Fprintf(w, "  holds %s\n", nonzero(c.Holdings()))
	fmt.Fprintf(w, "  counted %s\n", nonzero(c.Stats()))
	if next := c.NextTimeout(); !next.IsZero() {
		fmt.Fprintf(w, "  next timeout in %v\n", next.Sub(now))
	}
}

// dumpMembers writes a line for each node that is a member, or was one.
func (rp *reporter) dumpMembers(w io.Writer, now time.Time) {
	c := rp.core
	var all []*members.Entry
	for m := range c.members.All {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *members.Entry) int { return slices.Compare(a.ID[:], b.ID[:]) })
	slices.SortStableFunc(all, func(a, b *members.Entry) int { return strings.Compare(a.Name, b.Name) })
	fmt.Fprintf(w, "  members %d\n", c.members.Count())
	for _, m := range all {
		fmt.Fprintf(w, "    %s %s for %v, incarnation %d%s\n", m, m.State, now.Sub(m.Since), m.Incarnation, inZone(m.Zone))
	}
}

// dumpPeers writes a line for each node with a session.
func (rp *reporter) dumpPeers(w io.Writer, now time.Time) {
	c := rp.core
	fmt.Fprintf(w, "  peers %d, links %d\n", len(c.peers), len(c.links))
	for _, p := range c.hs.sortedPeers() {
		what := "peer"
		switch {
		case p.linked && slices.Contains(c.overlay.Choice(), p.id):
			what = "subscription"
		case p.linked:
			what = "subscriber"
		}
		fmt.Fprintf(w, "    %s %s: round trip %v, heard %v ago, datagrams of %d bytes, %d messages and %d transfers wait\n",
			what, rp.whoIs(p.id), p.packets.RTT(), now.Sub(p.set.LastOpened()), p.packets.Path().Size(), p.packets.Waiting(), len(p.packets.Transfers()))
	}
}

// nonzero returns the fields of a struct that are not zero, by name.
func nonzero(of any) string {
	var b strings.Builder
	v := reflect.ValueOf(of)
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			fmt.Fprintf(&b, " %s=%v", v.Type().Field(i).Name, f)
		}
	}
	return strings.TrimPrefix(b.String(), " ")
}
