package peer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPathIsWidenedWhenSomethingLargerIsToBeSent(t *testing.T) {
	w := newWorld(t)
	if got := w.a.peer.Room(); got > 1200 {
		t.Fatalf("a new path has room for %d bytes", got)
	}
	w.a.transfer(100_000)
	w.run(time.Second)
	if got := w.a.peer.Path().Size(); got < 1390 || got > 1400 {
		t.Errorf("datagrams of %d bytes, want about 1400", got)
	}
}

func TestPathThatCarriesNoMoreIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.carry = 1250
	a := w.a.transfer(100_000)
	w.run(time.Minute)
	w.b.wantWhole(a)
	if got := w.a.peer.Path().Size(); got != 1200 {
		t.Errorf("datagrams of %d bytes, want 1200", got)
	}
	if len(w.a.gaveUp) != 0 {
		t.Errorf("sizes %v were given up, which were never in use", w.a.gaveUp)
	}
}

func TestPathThatHasBecomeNarrowIsNoticed(t *testing.T) {
	w := newWorld(t)
	w.widen()
	w.carry = 1250
	payload := strings.Repeat("x", 1280)
	w.a.send(payload)
	a := w.a.transfer(100_000)
	w.run(time.Minute)
	w.b.wantWhole(a)
	if len(w.a.gaveUp) != 1 || w.a.endpoint.Stats().PathsShrunk != 1 {
		t.Errorf("sizes %v were given up, %d were counted", w.a.gaveUp, w.a.endpoint.Stats().PathsShrunk)
	}
	if !slices.Equal(w.a.unfit, []string{payload}) {
		t.Errorf("%d small messages were handed back, want the one that does not fit any more", len(w.a.unfit))
	}
}

func TestSingleLargePacketThatIsLostIsUncovered(t *testing.T) {
	w := newWorld(t)
	w.widen()
	w.run(time.Minute)
	w.carry = 1250
	w.a.send(strings.Repeat("x", 1280))
	w.run(time.Minute)
	if len(w.a.unfit) != 1 {
		t.Error("nobody noticed that the message did not come")
	}
}

func TestRefusedDatagramMakesThePathNarrow(t *testing.T) {
	w := newWorld(t)
	w.widen()
	w.carry = 1250
	w.a.peer.TooBig(w.now, 1400)
	w.run(time.Second)
	if got := w.a.peer.Path().Usable(); got != 1200 {
		t.Errorf("datagrams of %d bytes, want 1200", got)
	}
}

func TestMovedPathIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.widen()
	w.a.peer.Moved(w.now)
	if got := w.a.peer.Path().Usable(); got != 1200 {
		t.Errorf("datagrams of %d bytes on a new path, want 1200", got)
	}
	w.a.transfer(100_000)
	w.run(time.Second)
	if got := w.a.peer.Path().Size(); got < 1390 {
		t.Errorf("datagrams of %d bytes after a search, want about 1400", got)
	}
}

func TestLargerSizesAreSearchedForOnALink(t *testing.T) {
	w := newWorld(t)
	w.a.endpoint.cfg.Paths.Max = 9000
	w.widen()
	w.a.peer.SearchPath(w.now, rand.New(rand.NewPCG(1, 1)))
	w.carry = 4500
	w.run(time.Minute)
	if got := w.a.peer.Path().Size(); got < 4300 || got > 4322 {
		t.Errorf("datagrams of %d bytes, want about 4322", got)
	}
}
