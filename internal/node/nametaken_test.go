package node

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestNodeThatLosesItsNameSaysSo(t *testing.T) {
	now := time.Unix(1000, 0)
	named := func(id byte, since uint64) members.Member {
		return members.Member{ID: wire.NodeID{id}, Name: "bob", Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, id}), 6969), Named: since}
	}
	for name, c := range map[string]struct {
		self      byte
		of, other members.Member
		lost      bool
	}{
		"it took the name later":          {2, named(2, 20), named(1, 10), true},
		"it took the name earlier":        {2, named(2, 10), named(1, 20), false},
		"at the same time, a greater id":  {2, named(2, 10), named(1, 10), true},
		"at the same time, a lesser id":   {2, named(2, 10), named(3, 10), false},
		"two others have one name":        {9, named(2, 20), named(1, 10), false},
		"it has won after it had lost it": {2, named(2, 20), named(1, 30), false},
	} {
		t.Run(name, func(t *testing.T) {
			var taken nameTaken
			if strings.Contains(name, "after") {
				taken.at = now
			}
			taken.note(now, wire.NodeID{c.self}, &event.Event{Kind: event.Conflict, Member: c.of, Other: &c.other})
			if got := taken.present(now); (got != "") != c.lost || c.lost && !strings.Contains(got, `the node at 10.0.0.1:6969 has this node's name "bob"`) {
				t.Errorf("%q", got)
			}
			if got := taken.present(now.Add(nameTakenFor + 1)); got != "" {
				t.Errorf("later: %q", got)
			}
		})
	}
}
