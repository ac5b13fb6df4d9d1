package pull

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"
)

// queue is an application and its node, as a Puller sees them.
type queue struct {
	*Puller
	gives    [][]byte // result of the next poll
	sent     []string
	warnings []string
	linked   bool
}

// maxBytes is the Size of the Puller of newQueue.
const maxBytes = 8 << 20

func newQueue() *queue {
	q := &queue{linked: true}
	q.Puller = &Puller{
		Get:      func(int, int) [][]byte { return q.gives },
		Interval: 20 * time.Millisecond,
		Limit:    1200,
		Size:     maxBytes,
		Send:     func(msg []byte) error { q.sent = append(q.sent, string(msg)); return nil },
		Linked:   func() bool { return q.linked },
		Warn:     func(format string, args ...any) { q.warnings = append(q.warnings, fmt.Sprintf(format, args...)) },
	}
	return q
}

// give polls once at now with the result msgs, and returns the messages sent.
func (q *queue) give(now time.Time, msgs ...[]byte) []string {
	q.gives, q.sent = msgs, nil
	if q.ready(now) {
		q.poll(now)
	}
	return q.sent
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

var start = time.Unix(1e9, 0)

func TestPollThatReturnsNothingAllocatesNothing(t *testing.T) {
	q, now := newQueue(), start
	if n := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Second)
		q.give(now)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSliceThatIsHandedOutAgainIsSentOnce(t *testing.T) {
	q, m := newQueue(), []byte("m")
	same(t, "first poll", q.give(start, m), "m")
	same(t, "again", q.give(start, m))
	q.give(start, []byte("other"))
	now := start
	for range 5 { // each return extends the time that it is remembered
		now = now.Add(age - 1)
		same(t, "within its time", q.give(now, m))
	}
	q.give(now)
	same(t, "forgotten", q.give(now.Add(age), m), "m")
}

// On a busy machine, a round of a long queue takes longer than a slice is otherwise remembered.
func TestSliceThatALongQueueHandsOutMuchLaterIsSentOnce(t *testing.T) {
	q, m := newQueue(), []byte("m")
	full := make([]byte, q.Limit)
	same(t, "first poll", q.give(start, m), "m")
	for i := range 3 {
		q.give(start.Add(time.Duration(i)*age), full)
	}
	same(t, "polls had no room for it", q.give(start.Add(3*age), m))
	q.give(start.Add(3*age), []byte("short"))
	same(t, "a poll had room for it", q.give(start.Add(4*age), m), "m")
}

func TestPartOfAKnownSliceIsAMessageOfItsOwn(t *testing.T) {
	q, m := newQueue(), []byte("message")
	same(t, "polls", slices.Concat(q.give(start, m[:4]), q.give(start, m), q.give(start, m[1:]), q.give(start, m, m[:4], m[1:])), "mess", "message", "essage")
}

// A slice that starts a remembered one may be new content in its buffer. So the whole is sent again, once.
func TestSliceOfWhichOnlyTheBeginningIsHandedOutIsForgotten(t *testing.T) {
	q, m := newQueue(), []byte("message")
	q.give(start, m)
	same(t, "the beginning", q.give(start, m[:4]), "mess")
	same(t, "the whole", q.give(start, m), "message")
	same(t, "both again", q.give(start, m, m[:4]))
}

func TestBufferWithOtherContentIsAnotherMessage(t *testing.T) {
	q, buffer := newQueue(), make([]byte, 16)
	write := func(s string) []byte { return buffer[:copy(buffer, s)] }
	for _, m := range []string{"a", "b", "a", "longer", "a", "longer", "other"} {
		same(t, "handed out", q.give(start, write(m)), m)
		q.give(start, []byte("something else"))
		same(t, "again with the same content", q.give(start, write(m)))
	}
}

func TestMessagesWrittenAnewIntoOneBufferAreSent(t *testing.T) {
	q, buffer := newQueue(), make([]byte, 16)
	write := func(a, b string) [][]byte { // b is returned first, so that a is sent first
		n := copy(buffer, a)
		m := copy(buffer[n:], b)
		return [][]byte{buffer[n : n+m], buffer[:n]}
	}
	for _, pair := range [][2]string{{"aa", "bb"}, {"ccc", "d"}, {"aa", "bb"}, {"d", "ccc"}, {"aa", "bb"}} {
		same(t, "sent", q.give(start, write(pair[0], pair[1])...), pair[0], pair[1])
		same(t, "again", q.give(start, write(pair[0], pair[1])...))
	}
}

func TestSliceThatIsGivenTwiceInOnePollIsSentOnce(t *testing.T) {
	q, m := newQueue(), []byte("m")
	same(t, "sent", q.give(start, m, m), "m")
}

func TestMessagesThatWaitAreCopied(t *testing.T) {
	q, buffer, full := newQueue(), []byte("before"), true
	q.Send = func(msg []byte) error {
		if full {
			return ErrFull
		}
		q.sent = append(q.sent, string(msg))
		return nil
	}
	q.give(start, buffer)
	copy(buffer, "after!")
	full = false
	q.send()
	same(t, "sent", q.sent, "before")
}

func TestEqualBytesAreANewMessageUnlessThePollBeforeGaveThem(t *testing.T) {
	q := newQueue()
	anew := func() []byte { return []byte(strings.Clone("same")) }
	same(t, "first", q.give(start, anew()), "same")
	same(t, "made anew for each poll", q.give(start, anew()))
	same(t, "and anew", q.give(start, anew()))
	q.give(start)
	same(t, "after a poll without it", q.give(start, anew()), "same")
	q.give(start)
	same(t, "two in one poll", q.give(start, anew(), anew()), "same", "same")
}

func TestWhatWasGivenLastIsSentFirst(t *testing.T) {
	q := newQueue()
	same(t, "order", q.give(start, []byte("newest"), []byte("newer"), []byte("oldest")), "oldest", "newer", "newest")
}

func TestKnownSlicesAreBounded(t *testing.T) {
	q := newQueue()
	first, big := []byte("first"), make([]byte, maxBytes)
	q.give(start, first)
	q.give(start, big)
	same(t, "the oldest gave way", q.give(start, first), "first")
	for i := range 20 {
		q.give(start, make([]byte, maxBytes/8+i))
	}
	if q.known.bytes > maxBytes+maxBytes/8+20 || q.known.recent.Len() > 9 || len(q.known.byAddr) != q.known.recent.Len() {
		t.Errorf("%d bytes of %d slices are kept, %d by address", q.known.bytes, q.known.recent.Len(), len(q.known.byAddr))
	}
	q.give(start.Add(age))
	if q.known.bytes != 0 || q.known.recent.Len() != 0 || len(q.known.byAddr) != 0 {
		t.Errorf("%d bytes of %d slices are kept when their time is over, %d by address", q.known.bytes, q.known.recent.Len(), len(q.known.byAddr))
	}
}

func TestKnownSliceIsKeptSoThatNothingElseComesToItsAddress(t *testing.T) {
	q := newQueue()
	kept := func() weak.Pointer[byte] {
		m := make([]byte, 64<<10)
		q.give(start, m)
		return weak.Make(&m[0])
	}()
	q.give(start)
	q.give(start) // the previous poll did not return it
	runtime.GC()
	if kept.Value() == nil {
		t.Error("a slice that is known was freed")
	}
	q.give(start.Add(age))
	runtime.GC()
	if kept.Value() != nil {
		t.Error("a slice that was forgotten is kept")
	}
}

func TestQueueWithoutLinkWaitsAndIsThenDrainedAndCounted(t *testing.T) {
	q := newQueue()
	q.linked = false
	polls := 0
	q.Get = func(int, int) [][]byte { polls++; return q.gives }
	q.give(start, []byte("a"))
	q.give(start.Add(aloneFor-1), []byte("a"))
	if polls != 0 {
		t.Fatalf("%d polls without a link", polls)
	}
	q.give(start.Add(aloneFor), []byte("a"), []byte("b"))
	q.give(start.Add(aloneFor), []byte("c"))
	same(t, "sent", q.give(start.Add(aloneFor)))
	same(t, "warnings", q.warnings, "3 messages of GetBroadcasts dropped: no other node for 30s")
	q.linked = true
	same(t, "with a link", q.give(start.Add(aloneFor+1), []byte("d")), "d")
	q.linked = false
	same(t, "alone anew", q.give(start.Add(aloneFor+2), []byte("e")))
	same(t, "no further warnings", q.warnings, q.warnings[0])
}

func TestMessageThatIsNotTakenIsWarnedOf(t *testing.T) {
	q := newQueue()
	q.Send = func([]byte) error { return fmt.Errorf("full") }
	q.give(start, []byte("m"))
	same(t, "warnings", q.warnings, "message of GetBroadcasts not sent: full")
}

func TestRunPollsOnIntervalAndAtOnceWhilePollsAreFullAndAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, begin := newQueue(), time.Now()
		asked, stop, ended := make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
		var polls, answers []time.Duration
		q.Get = func(over, limit int) [][]byte {
			if over != 3 || limit != 1200 {
				t.Errorf("GetBroadcasts(%d, %d)", over, limit)
			}
			switch polls = append(polls, time.Since(begin)); len(polls) {
			case 1:
				return [][]byte{make([]byte, 598), make([]byte, 597)}
			case 2:
				return [][]byte{make([]byte, 596)} // there is room for another message
			}
			return nil
		}
		q.Send = func(msg []byte) error { q.sent = append(q.sent, fmt.Sprint(len(msg))); return nil }
		q.Asked, q.Answer = asked, func() { answers = append(answers, time.Since(begin)) }
		go func() { q.Run(stop); close(ended) }()
		time.Sleep(30 * time.Millisecond)
		asked <- struct{}{}
		time.Sleep(20 * time.Millisecond)
		close(stop)
		<-ended
		same(t, "sent", q.sent, "597", "598", "596")
		if got := fmt.Sprint(polls, answers); got != "[20ms 20ms 40ms] [30ms]" {
			t.Errorf("polls and answers at %s", got)
		}
	})
}

// polled returns how often an application is polled in the given number of seconds. give returns the result of a poll.
func polled(t *testing.T, seconds int, give func(poll int) [][]byte) (n int) {
	synctest.Test(t, func(t *testing.T) {
		q, stop, ended := newQueue(), make(chan struct{}), make(chan struct{})
		q.Get = func(int, int) [][]byte { n++; return give(n) }
		go func() { q.Run(stop); close(ended) }()
		time.Sleep(time.Duration(seconds)*time.Second + 10*time.Millisecond)
		close(stop)
		<-ended
	})
	return n
}

// An interval is 20 ms. In the first second the polls have the pace of an application with new messages.
func TestPollsInTenSecondsAreBoundedWhateverTheyGive(t *testing.T) {
	number := func(poll, size int) []byte { return fmt.Appendf(nil, "%0*d", size, poll) }
	for name, c := range map[string]struct {
		give func(poll int) [][]byte
		most int
	}{
		"a new message":                     {func(i int) [][]byte { return [][]byte{number(i, 500)} }, 51 + 90},
		"a new message that fills the poll": {func(i int) [][]byte { return [][]byte{number(i, 900)} }, 3 * (51 + 90)},
		"a new message beyond the limit":    {func(i int) [][]byte { return [][]byte{number(i, 5000)} }, 3 * (51 + 90)},
		"new messages that fill the poll":   {func(i int) [][]byte { return [][]byte{number(i, 400), number(-i, 400)} }, 3 * 500},
		"an equal message":                  {func(int) [][]byte { return [][]byte{number(0, 900)} }, 51 + 90},
		"an old message and a new one":      {func(i int) [][]byte { return [][]byte{old, number(i, 1190)} }, 3 * 500},
		"an old message":                    {func(i int) [][]byte { return [][]byte{old} }, 51 + 225},
		"nothing":                           {func(i int) [][]byte { return nil }, 250},
	} {
		if n := polled(t, 10, c.give); n > c.most || n < 100 {
			t.Errorf("%s: %d polls, want at most %d", name, n, c.most)
		}
	}
}

var old = make([]byte, 8)

func TestPaceOfNewMessagesIsNoSlowerThanMemberlists(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{
		20 * time.Millisecond: 100 * time.Millisecond, 50 * time.Millisecond: 200 * time.Millisecond,
		200 * time.Millisecond: 200 * time.Millisecond, time.Second: time.Second,
	} {
		var p pace
		for i := range 10 {
			p.note(start.Add(time.Duration(i)*time.Second), &gave{messages: 1, fresh: true})
		}
		if got := p.pause(start.Add(9*time.Second), interval); got != want {
			t.Errorf("interval %v: a pause of %v, want %v", interval, got, want)
		}
	}
}

// Polls are not rarer: networkdb of moby sends its table entries itself, four GossipIntervals apart, to nodes that
// accept them only after the messages in its queue of broadcasts.
func TestRunPollsHalfAsOftenAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		polls, stop, ended := 0, make(chan struct{}), make(chan struct{})
		q.Get = func(int, int) [][]byte { polls++; return nil }
		go func() { q.Run(stop); close(ended) }()
		time.Sleep(1010 * time.Millisecond)
		close(stop)
		<-ended
		if polls != 25 { // the first after 20 ms, then one every 40 ms
			t.Errorf("%d polls in a second", polls)
		}
	})
}

func TestRunWithoutPollsAnswers(t *testing.T) {
	for name, without := range map[string]func(*Puller){
		"a delegate":  func(p *Puller) { p.Get = nil },
		"an interval": func(p *Puller) { p.Interval = 0 },
	} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			asked, stop, ended, answers := make(chan struct{}, 1), make(chan struct{}), make(chan struct{}), 0
			q.gives = [][]byte{[]byte("m")}
			q.Asked, q.Answer = asked, func() { answers++ }
			without(q.Puller)
			go func() { q.Run(stop); close(ended) }()
			time.Sleep(time.Second)
			asked <- struct{}{}
			time.Sleep(time.Second)
			close(stop)
			<-ended
			if answers != 1 || len(q.sent) != 0 {
				t.Errorf("without %s: %d answers, sent %q", name, answers, q.sent)
			}
		})
	}
}

// Messages without room wait in order and are sent once; the application keeps the rest.
func TestMessagesThatFindNoRoomWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards the following variables
		q, room, polls := newQueue(), 2, 0
		var msgs [][]byte
		for i := range 10 {
			msgs = append(msgs, fmt.Appendf(nil, "message %d", i))
		}
		q.Get = func(int, int) [][]byte {
			mu.Lock()
			defer mu.Unlock()
			polls++
			n := min(4, len(msgs))
			given := slices.Clone(msgs[:n])
			slices.Reverse(given) // the newest first
			msgs = msgs[n:]
			return given
		}
		q.Send = func(msg []byte) error {
			mu.Lock()
			defer mu.Unlock()
			if room == 0 {
				return ErrFull
			}
			room--
			q.sent = append(q.sent, string(msg))
			return nil
		}
		stop := make(chan struct{})
		go q.Run(stop)
		// step makes room after some time, and returns the number of polls and the messages sent by then.
		step := func(after time.Duration, more int) (int, []string) {
			time.Sleep(after)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			room += more
			return polls, slices.Clone(q.sent)
		}
		if n, sent := step(time.Minute, 3); n != 1 || len(sent) != 2 {
			t.Errorf("without room: %d polls, sent %q", n, sent)
		}
		if n, sent := step(fullPause, 100); n != 2 || len(sent) != 5 {
			t.Errorf("with room for three more: %d polls, sent %q", n, sent)
		}
		_, sent := step(time.Second, 0)
		close(stop)
		synctest.Wait()
		for i, m := range sent {
			if m != fmt.Sprint("message ", i) {
				t.Errorf("%q was sent in place %d", m, i)
			}
		}
		if len(sent) != 10 || len(q.warnings) != 0 {
			t.Errorf("%d messages were sent, warned %q", len(sent), q.warnings)
		}
	})
}
