package event

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// texts returns the texts of events.
func texts(events []Event) (all []string) {
	for i := range events {
		all = append(all, events[i].Text)
	}
	return all
}

func TestEventsAreTakenOnceAndInOrder(t *testing.T) {
	var q Queue
	q.Add(Event{Text: "a"})
	q.Add(Event{Text: "b"})
	if got := texts(q.Take()); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("took %q", got)
	}
	if got := q.Take(); len(got) != 0 {
		t.Errorf("took %q again", texts(got))
	}
}

func TestEventsThatWereTakenStayAsTheyAreUntilTheNextTake(t *testing.T) {
	var q Queue
	q.Add(Event{Text: "first"})
	taken := q.Take()
	for i := range 3 {
		q.Add(Event{Text: fmt.Sprint(i)})
	}
	if taken[0].Text != "first" {
		t.Errorf("the event that was taken is %q now", taken[0].Text)
	}
}

func TestQueueReusesItsRoom(t *testing.T) {
	var q Queue
	turn := func() {
		for range 10 {
			q.Add(Event{})
		}
		q.Take()
	}
	turn()
	turn()
	if allocs := testing.AllocsPerRun(10, turn); allocs != 0 {
		t.Errorf("%v allocations in a turn", allocs)
	}
}

func TestQueueKeepsNoRoomOfABurst(t *testing.T) {
	var q Queue
	for range 10 * eventsKeep {
		q.Add(Event{})
	}
	q.Take()
	if kept := max(cap(q.queue), cap(q.spare)); kept > eventsKeep {
		t.Errorf("there is room for %d events after a burst, want at most %d", kept, eventsKeep)
	}
}

func TestQueueAtRestGivesBackWhatItDoesNotNeed(t *testing.T) {
	for _, c := range []struct {
		turn int // events in each turn
		most int // capacity afterwards
	}{{1, eventsRest}, {eventsKeep / 4, eventsKeep}} {
		t.Run(fmt.Sprint(c.turn), func(t *testing.T) {
			var q Queue
			for range 2 {
				for range eventsKeep {
					q.Add(Event{})
				}
				q.Take()
			}
			q.Rest()
			for range c.turn {
				q.Add(Event{})
			}
			q.Take()
			q.Rest()
			if kept := max(cap(q.queue), cap(q.spare)); kept > c.most {
				t.Errorf("there is room for %d events, want at most %d", kept, c.most)
			}
		})
	}
}

func TestRestKeepsEventsThatWait(t *testing.T) {
	var q Queue
	for range 10 * eventsKeep {
		q.Add(Event{})
	}
	q.Rest()
	if got := len(q.Take()); got != 10*eventsKeep {
		t.Errorf("%d events are left, want %d", got, 10*eventsKeep)
	}
}

func TestChangeIsTheEventThatTheApplicationKnows(t *testing.T) {
	m := &members.Entry{Member: members.Member{ID: wire.NodeID{15: 1}, Name: "a"}}
	for _, c := range []struct {
		change members.Kind
		want   []Kind
	}{
		{members.Unseen, nil},
		{members.Joined, []Kind{Join}},
		{members.Updated, []Kind{Update}},
		{members.Died, []Kind{Leave}},
		{members.Left, []Kind{Leave}},
	} {
		var q Queue
		q.Emit(members.Change{Kind: c.change, Member: m})
		var got []Kind
		for _, e := range q.Take() {
			got = append(got, e.Kind)
			if e.Member.Name != "a" {
				t.Errorf("change %d is about %q", c.change, e.Member.Name)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("change %d gives %v, want %v", c.change, got, c.want)
		}
	}
}
