package intake

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

// take takes up to n messages.
func take(q *Queue, n int) (got []string) {
	q.Take(func(b []byte) bool {
		if len(got) == n {
			return false
		}
		got = append(got, string(b))
		return true
	})
	return got
}

func TestMessagesComeInOrderWhateverIsLeftOver(t *testing.T) {
	var q Queue
	next, want := 0, 0
	for round := range 1000 {
		for range round % 7 {
			if _, ok := q.Put(fmt.Appendf(nil, "message %d", next)); !ok {
				t.Fatal("refused")
			}
			next++
		}
		for _, m := range take(&q, round%5) {
			if m != fmt.Sprint("message ", want) {
				t.Fatalf("got %q, want message %d", m, want)
			}
			want++
		}
		if round%100 == 0 {
			for _, m := range take(&q, messagesMax) {
				if m != fmt.Sprint("message ", want) {
					t.Fatalf("got %q, want message %d", m, want)
				}
				want++
			}
			q.Rest()
		}
	}
	if got := take(&q, messagesMax); want+len(got) != next {
		t.Errorf("%d of %d came", want+len(got), next)
	}
}

func TestPutReportsTheFirstThatWaits(t *testing.T) {
	var q Queue
	for i, want := range []bool{true, false, false} {
		if first, _ := q.Put([]byte("x")); first != want {
			t.Errorf("put %d: first %v", i, first)
		}
	}
	take(&q, 1)
	if first, _ := q.Put([]byte("x")); first {
		t.Error("first, with two that wait")
	}
	take(&q, 4)
	if first, _ := q.Put(nil); !first {
		t.Error("not first, with none that waits")
	}
}

func TestAQueueIsBounded(t *testing.T) {
	for size, want := range map[int]int{1: messagesMax, bytesMax / 4: 4, 2 * bytesMax: 1} {
		var q Queue
		n := 0
		for ; n < 2*messagesMax; n++ {
			if _, ok := q.Put(make([]byte, size)); !ok {
				break
			}
		}
		if n != want {
			t.Errorf("%d messages of %d bytes wait, want %d", n, size, want)
		}
	}
}

func TestPutWhileTaking(t *testing.T) {
	var q Queue
	var puts sync.WaitGroup
	const each = 5000
	for w := range 4 {
		puts.Go(func() {
			for i := 0; i < each; {
				if _, ok := q.Put([]byte{byte(w), byte(i >> 8), byte(i)}); ok {
					i++
				}
			}
		})
	}
	var next [4]int
	for taken, n := 0, 0; taken < 4*each; n++ {
		q.Take(func(b []byte) bool {
			if n++; n%11 == 0 {
				return false
			}
			if w := b[0]; !bytes.Equal(b[1:], []byte{byte(next[w] >> 8), byte(next[w])}) {
				t.Fatalf("got % x, want %d", b, next[w])
			}
			next[b[0]]++
			taken++
			return true
		})
	}
	puts.Wait()
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	var q Queue
	b := make([]byte, 256)
	turn := func() {
		for range 10 {
			q.Put(b)
		}
		q.Take(func([]byte) bool { return true })
	}
	turn()
	turn()
	if n := testing.AllocsPerRun(100, turn); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Messages put during a Take count as well.
func TestAQueueThatIsNotTakenFromStaysBounded(t *testing.T) {
	var q Queue
	put := 0
	for range 100 {
		for range 2 * messagesMax {
			if _, ok := q.Put([]byte("x")); ok {
				put++
			}
		}
		q.Take(func([]byte) bool {
			if _, ok := q.Put([]byte("y")); ok {
				put++
			}
			return false
		})
	}
	if put != messagesMax || len(take(&q, put)) != put {
		t.Errorf("%d messages went in", put)
	}
}
