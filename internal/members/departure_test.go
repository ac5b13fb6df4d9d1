package members

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// leaver returns a world that knows the node 1, whose id and secret are real, and the secret.
func leaver(t *testing.T) (*world, *wire.Member, *nodeid.Secret) {
	t.Helper()
	id, secret, err := nodeid.New(bytes.NewReader(bytes.Repeat([]byte{7}, 48)), nodeid.X25519)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	e := with(alive(1), func(e *wire.Member) { e.ID = id })
	w.take(e)
	return w, e, secret
}

func left(e *wire.Member, proof wire.Proof, incarnation uint64) *wire.Member {
	return &wire.Member{ID: e.ID, State: wire.StateLeft, Incarnation: incarnation, Proof: proof}
}

func TestDepartureIsBelievedWithAProofThatIsNew(t *testing.T) {
	w, e, secret := leaver(t)
	weigh := func(what string, proof wire.Proof, incarnation uint64, want Verdict) {
		t.Helper()
		_, got := w.Weigh(w.now, left(e, proof, incarnation), false)
		same(t, what, got, want)
	}
	weigh("without a proof", wire.Proof{}, at(0), Unproven)
	weigh("with another proof", wire.Proof{9}, at(0), Unproven)
	first := secret.Departure(1)
	weigh("with the proof", first, at(0), Gone)
	w.take(left(e, first, at(0)))
	weigh("of one that is gone, without a proof", wire.Proof{}, at(time.Second), Stale)
	back := with(alive(1), func(a *wire.Member) {
		a.ID, a.Proof, a.Incarnation, a.Refuted, a.Named = e.ID, first, at(time.Minute), at(0), at(time.Minute)
	})
	w.take(back)
	weigh("with the proof of the departure before", first, at(time.Hour), Unproven)
	weigh("with the next one", secret.Departure(2), at(time.Minute), Gone)

	// A false entry does not make a proof count again.
	w.take(with(back, func(a *wire.Member) { a.Proof, a.Incarnation = wire.Proof{}, at(2*time.Minute) }))
	weigh("after an entry that conceals it", first, at(time.Hour), Unproven)

	newcomer := newWorld(t)
	newcomer.take(with(back, func(a *wire.Member) { a.Proof = first }))
	_, v := newcomer.Weigh(w.now, left(e, first, at(time.Hour)), false)
	same(t, "a newcomer's verdict", v, Unproven)
}

func TestDepartureOfAnUnknownNodeNeedsAProof(t *testing.T) {
	w, e, secret := leaver(t)
	other := newWorld(t)
	_, v := other.Weigh(w.now, left(e, wire.Proof{}, at(0)), false)
	same(t, "without", v, Stale)
	_, v = other.Weigh(w.now, left(e, secret.Departure(1), at(0)), false)
	same(t, "with", v, Gone)
}

func TestEntryWithAProofOfAnotherNodeIsRefused(t *testing.T) {
	w, e, secret := leaver(t)
	e.Proof = secret.Departure(3)
	if r := w.Refusal(e); r.Err != nil {
		t.Error(r.Err)
	}
	e.Proof = wire.Proof{9}
	if w.Refusal(e).Err == nil {
		t.Error("taken in")
	}
}

func TestNodeProvesAsManyDeparturesAsItCan(t *testing.T) {
	id, secret, _ := nodeid.New(bytes.NewReader(make([]byte, 48)), nodeid.X25519)
	self := memberFor(0)
	self.ID = id
	table := NewTable(start, Config{Self: self, Secret: secret, MetaMax: 512, Rand: rand.New(rand.NewPCG(1, 2))})
	other := newWorld(t)
	for n := 1; n <= nodeid.DeparturesMax+1; n++ {
		now := start.Add(time.Duration(n) * time.Minute)
		table.Return(now)
		table.Refute(now, table.self.Incarnation)
		e := with(table.self.Fill(&wire.Member{}), func(e *wire.Member) { e.Addr, e.Name = addr(1), []byte("node-1") })
		other.now = now
		other.take(e)
		table.Leave(now)
		want := Gone
		if n > nodeid.DeparturesMax {
			want = Unproven
		}
		e = table.self.Fill(&wire.Member{})
		_, v := other.Weigh(now, e, false)
		same(t, "departure", v, want)
		if v == Gone {
			other.take(e)
		}
	}
}
