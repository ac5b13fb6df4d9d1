package dispatch

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slow runs f with a running queue in which each call takes as long as its text says.
func slow(t *testing.T, f func(t *testing.T, q *Queue[string])) {
	synctest.Test(t, func(t *testing.T) {
		take := func(s string) {
			d, _ := time.ParseDuration(s)
			time.Sleep(d)
		}
		q := New(Handlers[string]{Message: func(b []byte) { take(string(b)) }, Join: take, Update: take, Leave: take, Log: take}, 64<<20)
		stop := make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() { q.Run(stop) })
		f(t, q)
		close(stop)
		running.Wait()
	})
}

// awaited returns how long AwaitMembers takes.
func awaited(q *Queue[string], atMost time.Duration) time.Duration {
	begin := time.Now()
	q.AwaitMembers(atMost, nil)
	return time.Since(begin)
}

func TestWaitEndsWithTheLastMembershipEvent(t *testing.T) {
	const most = time.Hour
	for name, c := range map[string]struct {
		fill func(q *Queue[string])
		want time.Duration
	}{
		"nothing queued":     {func(*Queue[string]) {}, 0},
		"only messages":      {func(q *Queue[string]) { q.Message(time.Now(), Broadcast, []byte("5s")) }, 0},
		"an event":           {func(q *Queue[string]) { q.Member(Join, "a", "3s") }, 3 * time.Second},
		"messages behind":    {func(q *Queue[string]) { q.Member(Join, "a", "3s"); q.Message(time.Now(), Broadcast, []byte("5s")) }, 3 * time.Second},
		"messages before":    {func(q *Queue[string]) { q.Message(time.Now(), Broadcast, []byte("5s")); q.Member(Join, "a", "3s") }, 8 * time.Second},
		"a merged event":     {func(q *Queue[string]) { q.Log("1s"); q.Member(Join, "a", "9s"); q.Member(Update, "a", "3s") }, 4 * time.Second},
		"an event in a call": {func(q *Queue[string]) { q.Member(Join, "a", "3s"); time.Sleep(time.Second) }, 2 * time.Second},
		"a delivered event":  {func(q *Queue[string]) { q.Member(Join, "a", "3s"); time.Sleep(4 * time.Second); q.Log("9s") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			slow(t, func(t *testing.T, q *Queue[string]) {
				c.fill(q)
				if got := awaited(q, most); got != c.want {
					t.Errorf("took %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestWaitEndsWhenEventsWereTakenBackAndTheQueueWasCompacted(t *testing.T) {
	slow(t, func(t *testing.T, q *Queue[string]) {
		q.Log("1s")
		for i := range 2 * takenMax {
			q.Member(Join, fmt.Sprint(i), "1h")
			q.Member(Leave, fmt.Sprint(i), "1h")
		}
		q.Member(Join, "a", "3s")
		ended := make(chan time.Duration, 1)
		go func() { ended <- awaited(q, time.Hour) }()
		synctest.Wait()
		for i := range 4 * takenMax { // compacts the queue during a wait
			q.Member(Join, fmt.Sprint(i), "1h")
			q.Member(Leave, fmt.Sprint(i), "1h")
		}
		q.Log("9s")
		if got := <-ended; got != 4*time.Second {
			t.Errorf("took %v", got)
		}
		time.Sleep(time.Hour)
	})
}

func TestCallThatDidNotReturnInTimeIsNotWaitedForAgain(t *testing.T) {
	slow(t, func(t *testing.T, q *Queue[string]) {
		q.Message(time.Now(), Broadcast, []byte("10s"))
		synctest.Wait()
		q.Member(Join, "a", "2s")
		if got := awaited(q, time.Second); got != time.Second {
			t.Errorf("the first wait took %v", got)
		}
		if got := awaited(q, time.Second); got != 0 {
			t.Errorf("the second wait took %v", got)
		}
		time.Sleep(10 * time.Second)
		if got := awaited(q, time.Hour); got != time.Second {
			t.Errorf("a wait for the next call took %v", got)
		}
	})
}
