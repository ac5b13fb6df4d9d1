package selection

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func id(n byte) wire.NodeID { return wire.NodeID{n} }

// judged returns a Selection of members 1 to 4 of version 1, answered at start.
func judged(preferred byte, selected ...byte) *Selection {
	s := &Selection{Used: true}
	answer(s, start, preferred, selected...)
	return s
}

func answer(s *Selection, now time.Time, preferred byte, selected ...byte) {
	s.Asked(now, 1, []wire.NodeID{id(1), id(2), id(3), id(4)})
	var ids []wire.NodeID
	for _, n := range selected {
		ids = append(ids, id(n))
	}
	s.Answered(now, ids, id(preferred))
}

func TestSelectionThatIsNotUsedAllowsAllAndIsNeverDue(t *testing.T) {
	var s Selection
	if !s.Allows(start, id(1)) {
		t.Error("it does not allow a member")
	}
	if ask, again := s.Due(start, 1, true); ask || !again.IsZero() {
		t.Errorf("Due = %v, %v", ask, again)
	}
}

func TestNobodyIsAllowedBeforeTheFirstAnswer(t *testing.T) {
	s := &Selection{Used: true}
	s.Asked(start, 1, []wire.NodeID{id(1)})
	if s.Allows(start.Add(Wait-1), id(1)) {
		t.Error("a member is allowed that was not judged")
	}
}

func TestMemberThatNoAnswerCoversIsAllowedAfterAWait(t *testing.T) {
	s := judged(0, 1)
	s.Asked(start.Add(time.Minute), 2, []wire.NodeID{id(1), id(2), id(5)})
	late := start.Add(time.Minute + Wait)
	if !s.Allows(late, id(5)) {
		t.Error("a member that was never judged is not allowed")
	}
	if s.Allows(late, id(2)) {
		t.Error("a member is allowed that was judged and not selected")
	}
}

func TestPreferredMemberIsAllowedThoughItIsNotSelected(t *testing.T) {
	if s := judged(2, 1); !s.Allows(start, id(2)) {
		t.Error("it is not allowed")
	}
}

func TestAnswerAboutAMemberThatWasNotAskedAboutDoesNotCount(t *testing.T) {
	s := judged(9, 1, 8)
	if s.Allows(start, id(8)) || s.Allows(start, id(9)) {
		t.Error("a member is allowed that was not asked about")
	}
	if s.Preferred() != (wire.NodeID{}) {
		t.Errorf("%v is preferred", s.Preferred())
	}
}

func TestPreferredMemberIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		after    time.Duration
		selected []byte
		want     byte
	}{
		"while it is selected":     {time.Minute, []byte{1, 2, 3}, 2},
		"not if it is deselected":  {time.Minute, []byte{1, 3}, 3},
		"not longer than its time": {Keep, []byte{1, 2, 3}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := judged(2, 1)
			answer(s, start.Add(c.after), 3, c.selected...)
			if got := s.Preferred(); got != id(c.want) {
				t.Errorf("%v is preferred, want %v", got, id(c.want))
			}
			if got := s.Latest(); got != id(3) {
				t.Errorf("the latest is %v, want %v", got, id(3))
			}
		})
	}
}

func TestQuestionIsDue(t *testing.T) {
	asked := func(s *Selection, at time.Time) *Selection { s.Asked(at, 2, []wire.NodeID{id(1)}); return s }
	for name, c := range map[string]struct {
		s       *Selection
		after   time.Duration
		version uint64
		urgent  bool
		ask     bool
		again   time.Duration // after start; zero if it is not due
	}{
		"at first":                          {&Selection{Used: true}, 0, 1, false, true, Wait},
		"not if nothing has changed":        {judged(0, 1), time.Minute, 1, true, false, 0},
		"when members have changed":         {judged(0, 1), Pause, 2, false, true, Pause + Wait},
		"not soon after the last":           {judged(0, 1), Pause / 2, 2, false, false, Pause},
		"soon after the last if urgent":     {judged(0, 1), Pause / 2, 2, true, true, Pause/2 + Wait},
		"not while an answer is owed":       {asked(judged(0, 1), start), Pause, 3, true, false, Wait},
		"not while an answer is owed long":  {asked(judged(0, 1), start), time.Hour, 3, true, false, 0},
		"not while the first answer is due": {asked(&Selection{Used: true}, start), Pause, 2, true, false, Wait},
	} {
		t.Run(name, func(t *testing.T) {
			ask, again := c.s.Due(start.Add(c.after), c.version, c.urgent)
			if ask != c.ask {
				t.Errorf("to be asked now: %v, want %v", ask, c.ask)
			}
			switch want := (time.Time{}); {
			case c.again == 0 && again != want:
				t.Errorf("again at %v, want %v after the start", again.Sub(start), c.again)
			case c.again != 0 && !again.Equal(start.Add(c.again)):
				t.Errorf("again at %v, want %v after the start", again.Sub(start), c.again)
			}
		})
	}
}
