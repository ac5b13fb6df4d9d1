package assembly

import (
	"slices"
	"testing"
	"time"
)

// expected says that any requesting neighbor was heard, and unexpected that none was.
func expected(a *Assembly) bool { return a.requestable() }
func unexpected(*Assembly) bool { return false }

// promised and unpromised say whether a link has announced a message.
func promised(*Assembly) bool   { return true }
func unpromised(*Assembly) bool { return false }

// full returns a full store of four messages of the largest size.
func full(t *testing.T) (s *Store, all []*Assembly) {
	s = &Store{}
	for i := range StoreMax / MessageMax {
		all = append(all, add(t, s, begin, i, MessageMax))
	}
	return s, all
}

// PROTOCOL.md F4.
func TestStoreForgetsWhatIsNeededLeast(t *testing.T) {
	s, all := full(t)
	all[0].Ours = true // no other node has it
	all[1].Pending = 1 // being sent
	all[2].Spread = &spread{awaited: true}
	all[3].Spread = &spread{owned: true}
	now := begin.Add(time.Minute)
	for i, want := range []*Assembly{all[3], all[2], all[1], all[0]} {
		for _, a := range all {
			wantForgotten(t, "before it is its turn", a, slices.Index([]*Assembly{all[3], all[2], all[1], all[0]}, a) < i)
		}
		late := add(t, s, now, 100+i, MessageMax)
		wantForgotten(t, "the one that is needed least", want, true)
		late.Kept = true
	}
}

func TestMessageInProgressOrKeptIsNotForgotten(t *testing.T) {
	var s Store
	for i := range StoreMax / MessageMax {
		a := s.Begin(begin, id(i), MessageMax, false)
		for at := uint32(0); at < MessageMax-chunkSize; at += chunkSize {
			s.Write(begin, a, at, make([]byte, chunkSize))
		}
		s.Write(begin, a, MessageMax-chunkSize, []byte{1})
		a.Kept = i%2 == 0
	}
	if s.Add(begin, id(100), make([]byte, 1), false) != nil {
		t.Error("a message in progress gave way")
	}
	if s.Add(begin.Add(StallGrace+1), id(101), make([]byte, MessageMax), false) == nil {
		t.Error("a message that stands still did not give way")
	}
	for a := range s.All {
		if a.Kept {
			wantForgotten(t, "a kept message", a, false)
		}
	}
	if s.Size() > StoreMax {
		t.Errorf("%d bytes", s.Size())
	}
}

func TestNumberOfMessagesIsBounded(t *testing.T) {
	var s Store
	first := add(t, &s, begin, 0, 1)
	for i := 1; i < StoreCount; i++ {
		add(t, &s, begin, i, 1).Pending = 1
	}
	if !s.Room() {
		t.Error("no place was made")
	}
	wantForgotten(t, "one that nobody needs", first, true)
	add(t, &s, begin, StoreCount, 1).Pending = 1
	if s.Room() {
		t.Error("room for more than StoreCount messages")
	}
	if s.Add(begin, id(StoreCount+1), []byte{1}, false) != nil {
		t.Error("one was added")
	}
}

func TestOnlyCopyOfAMessageGivesNoPlaceToAnother(t *testing.T) {
	var s Store
	for i := range StoreCount {
		add(t, &s, begin, i, 1).Ours = true
	}
	if s.Room() {
		t.Error("one was dropped")
	}
	for a := range s.All {
		a.Spread = &spread{owned: true}
		break
	}
	if !s.Room() {
		t.Error("one that another node has was not dropped")
	}
}

func TestStoreIsCrowdedByManySmallMessages(t *testing.T) {
	var s Store
	for i := range StoreCount / 2 {
		if s.Crowded(begin.Add(time.Minute), expected) {
			t.Fatalf("crowded by %d messages", i)
		}
		add(t, &s, begin, i, 1).Pending = 1
	}
	if !s.Crowded(begin.Add(time.Minute), expected) {
		t.Errorf("not crowded by %d messages", StoreCount/2)
	}
}

func TestStoreIsCrowdedByWhatOthersMayStillWant(t *testing.T) {
	const ago = time.Second // since the messages were last sent
	for _, x := range []struct {
		name     string
		do       func(a *Assembly)
		expected func(*Assembly) bool
		want     bool
	}{
		{"all have it", func(*Assembly) {}, expected, false},
		{"on its way", func(a *Assembly) { a.Pending = 1 }, expected, true},
		{"announced", func(a *Assembly) { a.Spread = &spread{awaited: true} }, expected, true},
		{"announced to a silent neighbor", func(a *Assembly) { a.Spread = &spread{awaited: true} }, unexpected, false},
		{"only here, for a minute", func(a *Assembly) {
			a.Ours, a.Spread, a.Progress = true, &spread{awaited: true}, begin.Add(-time.Minute)
		}, expected, true},
		{"sent just now", func(a *Assembly) { a.Progress = begin.Add(ago) }, unexpected, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			s, all := full(t)
			for _, a := range all[:2] {
				x.do(a)
			}
			if got := s.Crowded(begin.Add(ago), x.expected); got != x.want {
				t.Errorf("crowded: %v", got)
			}
			if s.Crowded(begin.Add(completeAge), unexpected) && x.name != "on its way" {
				t.Error("crowded for long")
			}
		})
	}
	var s Store
	add(t, &s, begin, 1, 1000)
	if s.Crowded(begin, expected) {
		t.Error("crowded by a thousand bytes")
	}
}

// PROTOCOL.md F4.
func TestSweepForgetsWhatHasBeenServed(t *testing.T) {
	for _, x := range []struct {
		name  string
		do    func(a *Assembly)
		after time.Duration // how long it is kept
	}{
		{"all have it", func(*Assembly) {}, completeAge},
		{"announced", func(a *Assembly) { a.Spread = &spread{awaited: true} }, AnnouncedAge},
		{"announced, and supplied from elsewhere", func(a *Assembly) { a.Spread = &spread{owned: true} }, completeAge},
	} {
		t.Run(x.name, func(t *testing.T) {
			var s Store
			a := add(t, &s, begin, 1, 1000)
			x.do(a)
			if lost := s.Sweep(begin.Add(x.after), promised); lost != 0 {
				t.Errorf("%d messages were given up", lost)
			}
			wantForgotten(t, "at its time", a, false)
			s.Sweep(begin.Add(x.after+1), promised)
			wantForgotten(t, "after its time", a, true)
		})
	}
	var s Store
	a := add(t, &s, begin, 1, 1000)
	a.Pending = 1
	s.Sweep(begin.Add(time.Hour), unpromised)
	wantForgotten(t, "a message on its way", a, false)
}

func TestSweepGivesUpWhatMakesNoProgress(t *testing.T) {
	for _, x := range []struct {
		name         string
		direct, kept bool
		promised     func(*Assembly) bool
		after        time.Duration // how long it is kept; 0 means forever
	}{
		{"nobody has announced it", false, false, unpromised, incompleteAge},
		{"a link has announced it", false, false, promised, AnnouncedAge},
		{"a direct message", true, false, promised, incompleteAge},
		{"somebody waits for it", false, true, unpromised, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			var s Store
			a := s.Begin(begin, id(1), 1000, x.direct)
			a.Kept = x.kept
			s.Write(begin, a, 0, []byte{1})
			if lost := s.Sweep(begin.Add(x.after), x.promised); lost != 0 {
				t.Errorf("%d were given up too soon", lost)
			}
			lost := s.Sweep(begin.Add(x.after+time.Hour), x.promised)
			if want := x.after != 0; (lost == 1) != want {
				t.Errorf("%d were given up", lost)
			}
			wantForgotten(t, "after an hour", a, x.after != 0)
		})
	}
}
