package broadcast

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestNeighborThatAnswersSlowlyIsGivenMoreTime(t *testing.T) {
	w := newWorld(t, 1)
	n, first := w.near[0], id(1)
	usual := w.d.pause(n)
	w.d.requests.put(w.now, first, n)
	w.d.supplied(w.now.Add(time.Second), n, &first)
	if got := w.d.pause(n); got != 2*time.Second {
		t.Errorf("%v after an answer that took a second", got)
	}
	for range 100 {
		w.d.supplied(w.now, n, &first)
	}
	if got := w.d.pause(n); got != usual {
		t.Errorf("%v after many quick answers, %v at first", got, usual)
	}
}

func TestNeighborThatDoesNotAnswerIsAskedLessOften(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	n.patience = time.Second
	for at := w.now; w.d.pause(n) < pauseMax; at = at.Add(pauseMax) {
		before := w.d.pause(n)
		n.unanswered(at.Add(time.Second), at)
		n.unanswered(at.Add(time.Second), at) // on its way together with the first
		if got := w.d.pause(n); got != min(2*before, pauseMax) {
			t.Fatalf("%v after %v brought no answer", got, before)
		}
	}
}

func TestAnswerOfAnotherNeighborSaysNothingOfThePatience(t *testing.T) {
	w := newWorld(t, 2)
	first := id(1)
	w.d.requests.put(w.now, first, w.near[0])
	w.d.supplied(w.now.Add(time.Second), w.near[1], &first)
	if w.near[0].patience != 0 || w.near[1].patience != 0 {
		t.Errorf("patience %v and %v", w.near[0].patience, w.near[1].patience)
	}
}

func TestRequestTableKnowsWhoIsAskedForHowMuch(t *testing.T) {
	w := newWorld(t, 2)
	a, b := w.near[0], w.near[1]
	r := &w.d.requests
	for i := range 10 {
		r.put(w.now, id(i), a)
	}
	for i := range 4 {
		r.put(w.now, id(i), b) // a did not answer
	}
	switch {
	case a.open != 6:
		t.Errorf("a.open is %v, want 6", a.open)
	case b.open != 4:
		t.Errorf("b.open is %v, want 4", b.open)
	case w.d.Requests() != 10:
		t.Errorf("w.d.Requests() is %v, want 10", w.d.Requests())
	}
	r.forget(id(0))
	r.forget(id(0))
	r.forget(id(100))
	if b.open != 3 || w.d.Requests() != 9 {
		t.Errorf("%d open of %d after one was forgotten", b.open, w.d.Requests())
	}
	r.forgetAll(a)
	if a.open != 0 || w.d.Requests() != 3 {
		t.Errorf("%d open of %d after a was forgotten", a.open, w.d.Requests())
	}
}

func TestFullRequestTableIsEmptied(t *testing.T) {
	w := newWorld(t, 2)
	r := &w.d.requests
	for i := range requestsMax {
		r.put(w.now, id(i), w.near[i%2])
	}
	if w.d.Requests() != requestsMax {
		t.Fatalf("%d requests", w.d.Requests())
	}
	r.put(w.now, id(requestsMax), w.near[0])
	switch {
	case w.d.Requests() != 1:
		t.Errorf("w.d.Requests() is %v, want 1", w.d.Requests())
	case w.near[0].open != 1:
		t.Errorf("w.near[0].open is %v, want 1", w.near[0].open)
	case w.near[1].open != 0:
		t.Errorf("w.near[1].open is %v, want 0", w.near[1].open)
	}
}

func TestRequestTableAgreesWithAModel(t *testing.T) {
	w := newWorld(t, 5)
	model := map[wire.MessageID]*Neighbor{}
	rng := newRand(1)
	for step := range 20_000 {
		m, n := id(rng.IntN(300)), w.near[rng.IntN(5)]
		switch rng.IntN(10) {
		case 0:
			w.d.requests.forgetAll(n)
			for k, of := range model {
				if of == n {
					delete(model, k)
				}
			}
		case 1, 2, 3:
			w.d.requests.forget(m)
			delete(model, m)
		default:
			w.d.requests.put(w.now, m, n)
			model[m] = n
		}
		open := map[*Neighbor]int{}
		for _, of := range model {
			open[of]++
		}
		for i, n := range w.near {
			if n.open != open[n] {
				t.Fatalf("step %d: %d requests of neighbor %d are open, want %d", step, n.open, i, open[n])
			}
		}
		if w.d.Requests() != len(model) {
			t.Fatalf("step %d: %d requests, want %d", step, w.d.Requests(), len(model))
		}
	}
}

func TestNodeThatRequestsTooEarlyWaitsLonger(t *testing.T) {
	w := newWorld(t, 2)
	n, other := w.near[0], w.near[1]
	for i := range 5 {
		w.d.requests.put(w.now, id(i), other)
		w.now = w.now.Add(graceMax)
		w.first(n, id(i))
		if want := min(graceMin<<(i+1), graceMax); w.d.grace.length != want {
			t.Errorf("after %d messages that came by themselves it waits %v, want %v", i+1, w.d.grace.length, want)
		}
		if w.d.Requests() != 0 {
			t.Errorf("%d requests are open", w.d.Requests())
		}
	}
}

func TestGraceShrinksWhenNoRequestWasTooEarlyForAWhile(t *testing.T) {
	w := newWorld(t, 1)
	g := &w.d.grace
	*g = grace{length: graceMax, grown: w.now}
	next := 0
	firsts := func() {
		for range firstsPerAward {
			w.first(w.near[0], id(next))
			next++
		}
	}
	if firsts(); g.length != graceMax {
		t.Errorf("at once it waits %v", g.length)
	}
	for range 10 {
		w.now = w.now.Add(graceCalm*graceMax + 1)
		firsts()
	}
	if g.length != graceMin {
		t.Errorf("it still waits %v", g.length)
	}
}

func TestRequestThatItsNeighborAnsweredWasNotTooEarly(t *testing.T) {
	w := newWorld(t, 1)
	w.d.requests.put(w.now, id(1), w.near[0])
	w.now = w.now.Add(time.Second)
	w.first(w.near[0], id(1))
	if w.d.grace.length != graceMin {
		t.Errorf("it waits %v", w.d.grace.length)
	}
}
