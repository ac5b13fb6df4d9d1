package inspect

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/carrier"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/telemetry"
	"github.com/gwyh-go/gwyh/internal/wire"
	"github.com/gwyh-go/gwyh/status"
)

func TestHistoryKeepsTheLastEvents(t *testing.T) {
	var h history
	if got := h.list(); got != nil {
		t.Errorf("%d events before the first", len(got))
	}
	var want []status.Event
	for i := range status.HistoryMax + 3 {
		m := members.Member{ID: wire.NodeID{byte(i), byte(i >> 8)}, Name: "n", Zone: wire.Zone{Name: "z", Valid: true}}
		e := status.Event{At: time.Unix(int64(i), 0), Kind: status.Joined, Node: status.Node{ID: m.ID.String(), Name: "n", Zone: "z"}}
		switch i % 5 {
		case 1:
			e.Kind, e.By = status.Suspected, status.Node{ID: "by"}
		case 2:
			e.Kind, e.Heard = status.MemberDied, time.Unix(1, 0)
		case 3:
			e.Kind, e.DeafSince = status.MemberDied, time.Unix(2, 0)
		}
		want = append(want, e)
		if i%5 == 0 || i%5 == 4 {
			h.add(e.At, e.Kind, &m, nil)
		} else {
			h.add(e.At, e.Kind, &m, &e)
		}
	}
	if got := h.list(); !reflect.DeepEqual(got, want[3:]) {
		t.Errorf("%d events, want the last %d: %v", len(got), status.HistoryMax, got)
	}
}

func TestWarningsNameWhatIsWrong(t *testing.T) {
	now := time.Unix(10_000, 0)
	var c Counted
	f := telemetry.Figures{}
	c.Update(now.Add(-time.Hour), &f)
	f.Core.Rejected[handshake.TimeOff], f.Core.Rejected[handshake.BadKey], f.Core.Rejected[handshake.Unfinished] = 2, 3, 4
	stranger := netip.MustParseAddrPort("10.0.0.9:50123")
	f.Core.RejectedFrom[handshake.TimeOff], f.Core.RejectedFrom[handshake.BadKey], f.Core.RejectedFrom[handshake.Unfinished] = stranger, stranger, stranger
	f.Shell.MessagesDropped = 4
	c.Update(now.Add(-time.Minute), &f)
	drops, refusals := c.lists(&f)
	s := status.Status{At: now, Refusals: refusals, Drops: drops, Health: 2, Alone: true, Links: []status.Link{
		{Node: status.Node{Name: "narrow"}, Narrow: true, MTU: 1200},
		{Node: status.Node{Name: "deaf"}, DeafSince: now},
	}}
	var got []status.Code
	for _, w := range warnings(&s, []string{"weak"}, []string{"forbidden"}, "taken") {
		got = append(got, w.Code)
		if w.Text == "" {
			t.Errorf("%s has no text", w.Code)
		}
		if refused := w.Code == status.Clock || w.Code == status.WrongKey || w.Code == status.DeafNode; refused != strings.HasSuffix(w.Text, " so far, the last one from 10.0.0.9:50123)") {
			t.Errorf("%s: %s", w.Code, w.Text)
		}
	}
	want := []status.Code{status.WeakKey, status.NameTaken, status.CannotSend, status.Clock, status.WrongKey, status.DeafNode, status.SlowApplication, status.NarrowPath,
		status.DeafNeighbor, status.NobodyHeard, status.Unwell}
	if !slices.Equal(got, want) {
		t.Errorf("warnings %v, want %v", got, want)
	}
	s.At = now.Add(2 * time.Minute)
	for _, w := range warnings(&s, nil, nil, "") {
		if w.Code == status.DeafNode {
			t.Errorf("three minutes later: %v", w)
		}
	}
	s.At = now.Add(time.Hour)
	s.Links, s.Health, s.Alone = nil, 0, false
	if got := warnings(&s, nil, nil, ""); len(got) > 0 {
		t.Errorf("an hour later: %v", got)
	}
}

func TestDropsAreListedForEveryReason(t *testing.T) {
	var c Counted
	now := time.Unix(10_000, 0)
	f := telemetry.Figures{}
	c.Update(now, &f)
	f.Core.Dropped[stats.DropForged] = 7
	c.Update(now.Add(time.Second), &f)
	c.Update(now.Add(2*time.Second), &f)
	drops, refusals := c.lists(&f)
	if len(drops) != len(stats.Drops())+4+int(carrier.Causes) || len(refusals) != int(handshake.Reasons)-1 {
		t.Errorf("%d reasons of drops, %d of refusals", len(drops), len(refusals))
	}
	for _, d := range drops {
		grew := d.Reason == stats.DropForged.String()
		if (d.Count > 0) != grew || d.Last.Equal(now.Add(time.Second)) != grew {
			t.Errorf("%+v", d)
		}
	}
}
