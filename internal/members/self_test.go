package members

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestRenewedIncarnationIsAboveAllThatIsKnown(t *testing.T) {
	w := newWorld(t)
	last := w.Self().Incarnation
	for _, above := range []uint64{0, 0, at(time.Hour), at(time.Minute), 0} {
		w.Renew(w.now, above)
		if got := w.Self().Incarnation; got <= last || got <= above {
			t.Errorf("%d after %d, above %d", got, last, above)
		}
		last = w.Self().Incarnation
		w.check()
	}
	w.sleep(2 * time.Hour)
	if w.Renew(w.now, 0); w.Self().Incarnation < uint64(w.now.UnixMilli()) || w.Self().Incarnation >= uint64(w.now.UnixMilli())+renewStep {
		t.Errorf("%d is not about the time", w.Self().Incarnation)
	}
	if w.Self().Refuted != 0 {
		t.Error("a new incarnation refutes something")
	}
}

// Otherwise a node could spread an entry with the next incarnation of this node, and it would count (PROTOCOL.md M2).
func TestRenewedIncarnationCannotBePredicted(t *testing.T) {
	steps := map[uint64]bool{}
	for range 100 {
		w := newWorld(t)
		w.cfg.Rand = rand.New(rand.NewPCG(uint64(len(steps)), 7))
		w.Renew(w.now, at(time.Hour))
		steps[w.Self().Incarnation-at(time.Hour)] = true
	}
	if len(steps) < 50 {
		t.Errorf("%d different steps", len(steps))
	}
}

// PROTOCOL.md M5.
func TestRefutationCoversTheAccusationAndOwnIncarnationsBefore(t *testing.T) {
	w := newWorld(t)
	w.Refute(w.now, at(time.Minute))
	if s := w.Self(); s.Refuted != at(time.Minute) || s.Incarnation <= s.Refuted {
		t.Errorf("%+v", s)
	}
	before := w.Self().Incarnation
	w.Refute(w.now, at(0))
	if s := w.Self(); s.Refuted != before || s.Incarnation <= s.Refuted {
		t.Errorf("%+v", s)
	}
	other := newWorld(t)
	other.take(with(alive(1), func(e *wire.Member) { *e = *w.Self().Fill(e); e.ID = goID(1); e.Name = []byte("x"); e.Addr = addr(1) }))
	if _, v := other.Weigh(w.now, gone(1, wire.StateDead, before), false); v != Stale {
		t.Errorf("a death of a refuted incarnation is %d", v)
	}
}

func TestNodeLeavesAndReturns(t *testing.T) {
	w := newWorld(t, 1)
	if c := w.Leave(w.now); c.Kind != Left || c.Member != w.Self() {
		t.Errorf("%+v", c)
	}
	w.check()
	w.want(0, wire.StateLeft)
	same(t, "counts", w.counts(), counts{live: 1, tombstones: 1})
	named := w.Self().Named
	w.Return(w.now)
	w.Refute(w.now, w.Self().Incarnation)
	w.check()
	w.want(0, wire.StateAlive)
	if w.Self().Named <= named {
		t.Errorf("named at %d, before at %d: a node that took the name meanwhile keeps it", w.Self().Named, named)
	}
}

func TestMetadataThatDoesNotFitIsLeftAsItWas(t *testing.T) {
	w := newWorld(t)
	meta := []byte("one")
	for _, x := range []struct {
		meta    []byte
		changed bool
		refused bool
		want    string
	}{
		{meta, true, false, "one"},
		{[]byte("one"), false, false, "one"},
		{make([]byte, 2000), false, true, "one"},
		{nil, true, false, ""},
	} {
		changed, err := w.SetMeta(x.meta, 1000)
		same(t, "changed", changed, x.changed)
		same(t, "refused", err != nil, x.refused)
		clear(meta) // the caller owns it
		same(t, "metadata", string(w.Self().Meta), x.want)
	}
}

func TestOwnEntryMustFit(t *testing.T) {
	w := newWorld(t)
	var e wire.Member
	size := w.Self().Fill(&e).Size()
	if err := w.Fits(size); err != nil {
		t.Errorf("%v", err)
	}
	w.Self().Meta = []byte("m")
	if err := w.Fits(size); err == nil || !strings.Contains(err.Error(), "name, zone and metadata") {
		t.Errorf("%v", err)
	}
}
