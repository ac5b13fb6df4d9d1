package pull

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// welcoming is a queue whose node repeats messages to newcomers.
type welcoming struct {
	*queue
	repeated []string // newcomer and message
	full     bool
	chosen   bool
}

func newWelcoming() *welcoming {
	w := &welcoming{queue: newQueue()}
	w.Repeat = func(to wire.NodeID, msg []byte) error {
		if w.full {
			return ErrFull
		}
		w.repeated = append(w.repeated, fmt.Sprintf("%d %.10s", to[0], msg))
		return nil
	}
	w.Chosen = func(wire.NodeID) bool { return w.chosen }
	return w
}

// after polls once after the given time and returns the repeated messages.
func (w *welcoming) after(t *testing.T, at time.Duration, msgs ...[]byte) []string {
	t.Helper()
	w.repeated = nil
	w.give(start.Add(at), msgs...)
	return w.repeated
}

func TestEachNewcomerIsSentOnceWhatIsStillHandedOut(t *testing.T) {
	w, m, n := newWelcoming(), []byte("m"), []byte("n")
	w.Newcomers.Add(start.Add(-time.Second), wire.NodeID{1})
	w.give(start, m, n)
	w.Newcomers.Add(start.Add(time.Second), wire.NodeID{2})    // receives m and n over its links
	w.Newcomers.Add(start.Add(10*time.Second), wire.NodeID{3}) // does not receive them
	w.Newcomers.Add(start.Add(10*time.Second), wire.NodeID{4})
	same(t, "while the newcomers have no links", w.after(t, 10*time.Second+settleFor-1, m, n))
	same(t, "then", w.after(t, 11*time.Second, m), "3 m", "4 m")
	same(t, "again, and the other", w.after(t, 12*time.Second, m, n), "3 n", "4 n")
	w.Newcomers.Add(start.Add(12*time.Second), wire.NodeID{5})
	same(t, "a third", w.after(t, 13*time.Second, m, n), "5 m", "5 n")
	same(t, "nothing is sent to all again", w.sent)
	same(t, "at the end", w.after(t, 14*time.Second, m, n))
}

func TestNewcomerIsSentOnceWhatIsMadeAnewForEachPoll(t *testing.T) {
	w, m := newWelcoming(), []byte("m")
	anew := func() []byte { return bytes.Clone(m) }
	for i := range 10 {
		w.give(start.Add(time.Duration(i)*time.Second), anew())
	}
	w.Newcomers.Add(start.Add(10*time.Second), wire.NodeID{1})
	same(t, "first", w.after(t, 11*time.Second, anew()), "1 m")
	same(t, "then", w.after(t, 12*time.Second, anew()))
}

func TestLargeMessageIsRepeatedToWhoeverJoinsAfterIt(t *testing.T) {
	w, large := newWelcoming(), slices.Repeat([]byte("l"), 5000)
	w.give(start, large)
	w.Newcomers.Add(start.Add(1), wire.NodeID{1}) // does not receive it over its links
	same(t, "large", w.after(t, time.Second, large), "1 llllllllll")
}

func TestRepeatThatFindsNoRoomIsTriedAgain(t *testing.T) {
	w, m := newWelcoming(), []byte("m")
	w.give(start, m)
	w.Newcomers.Add(start.Add(10*time.Second), wire.NodeID{1})
	w.full = true
	same(t, "full", w.after(t, 11*time.Second, m))
	w.full = false
	same(t, "then", w.after(t, 12*time.Second, m), "1 m")
}

func TestRepeatsOfOnePollAreBoundedAndTheRestFollows(t *testing.T) {
	w, m := newWelcoming(), make([]byte, 1000)
	w.give(start, m)
	for i := range 100 {
		w.Newcomers.Add(start.Add(10*time.Second), wire.NodeID{byte(i)})
	}
	total := 0
	for i := range 10 {
		n := len(w.after(t, 11*time.Second+time.Duration(i), m))
		if n > repeatsMax/(1000+repeatCost)+1 {
			t.Errorf("%d repeats in one poll", n)
		}
		total += n
	}
	if total != 100 {
		t.Errorf("%d of 100 newcomers were sent the message", total)
	}
}

func TestKnownNewcomersAreBounded(t *testing.T) {
	var n Newcomers
	for i := range 3 * newcomersMax {
		n.Add(start.Add(time.Duration(i)), wire.NodeID{byte(i), byte(i >> 8)})
	}
	if len(n.list) != newcomersMax {
		t.Errorf("%d newcomers are known", len(n.list))
	}
	if first, number, _ := n.after(0); first.at != start.Add(2*newcomersMax) || number != 2*newcomersMax+1 {
		t.Errorf("the first that is known is number %d, of %v", number, first.at)
	}
	n.Add(start.Add(time.Hour), wire.NodeID{})
	if len(n.list) != 1 {
		t.Errorf("%d newcomers are known after an hour", len(n.list))
	}
}

func TestNewcomersAreForgottenWhileThereIsNothingToRepeat(t *testing.T) {
	w, m := newWelcoming(), []byte("m")
	w.Newcomers.Add(start, wire.NodeID{1})
	w.give(start)
	if len(w.Newcomers.list) > 0 {
		t.Errorf("%d newcomers are known", len(w.Newcomers.list))
	}
	same(t, "new", w.after(t, time.Second, m))
	w.Newcomers.Add(start.Add(10*time.Second), wire.NodeID{2})
	same(t, "again", w.after(t, 11*time.Second, m), "2 m")
	same(t, "not any more", w.after(t, 12*time.Second))
	if len(w.Newcomers.list) != 1 {
		t.Errorf("%d newcomers are known while the message may be returned again", len(w.Newcomers.list))
	}
	w.after(t, time.Minute)
	if len(w.Newcomers.list) > 0 {
		t.Errorf("%d newcomers are known a minute later", len(w.Newcomers.list))
	}
}

func TestRebroadcastIsNotSentButRepeatedToNewcomersByTheChosen(t *testing.T) {
	w, m := newWelcoming(), []byte("m")
	delivered := true
	w.Delivered = func([]byte) bool { return delivered }
	same(t, "just delivered", w.give(start, m))
	delivered = false
	same(t, "handed out again", w.give(start, m))
	if n := w.Rebroadcasts.Load(); n != 1 {
		t.Errorf("%d rebroadcasts counted", n)
	}
	w.Newcomers.Add(start.Add(10*time.Second), wire.NodeID{1})
	same(t, "others are chosen", w.after(t, 11*time.Second, m))
	w.Newcomers.Add(start.Add(12*time.Second), wire.NodeID{2})
	w.chosen = true
	same(t, "this one is", w.after(t, 13*time.Second, m), "2 m")
}

func TestThreeMembersAreChosenForANewcomer(t *testing.T) {
	members := []wire.NodeID{}
	for i := range 50 {
		members = append(members, wire.NodeID{byte(37 * i), byte(i)})
	}
	for i := range 10 {
		newcomer, chosen := members[i], 0
		for _, self := range members {
			if self != newcomer && Chosen(self, newcomer, slices.Values(members)) {
				chosen++
			}
		}
		if chosen != chosenFor {
			t.Errorf("%d members are chosen", chosen)
		}
	}
}
