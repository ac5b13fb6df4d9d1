package carrier

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gwyh-go/gwyh/internal/udp"
)

// tooLong is a datagram that no path takes.
var tooLong = make([]byte, udp.MaxDatagram+1)

func TestRunArrivesAsTheDatagramsThatItIsMadeOf(t *testing.T) {
	for _, addrs := range [][]string{one, two} {
		a, b := over(t, addrs, nil), over(t, one, nil)
		a.SendRun(to(b), []byte("firstothr.last"), 5)
		if got := receive(t, b, 3); !slices.Equal(got, []string{"first", "othr.", "last"}) {
			t.Errorf("%v: %q", addrs, got)
		}
	}
}

func TestRunThatTheSystemRefusesGoesOneByOneAndIsTheLast(t *testing.T) {
	a, b := over(t, one, nil), over(t, one, nil)
	if !a.sockets[0].Runs() {
		t.Skip("no runs on this system")
	}
	const datagrams = 200 // more than Linux takes as one
	a.SendRun(to(b), []byte(strings.Repeat("x", datagrams)), 1)
	receive(t, b, datagrams)
	if a.sockets[0].Runs() {
		t.Error("asks again")
	}
	if got := a.Stats().WriteErrors; got != 0 {
		t.Errorf("%d errors", got)
	}
}

func TestRunOfDatagramsThatAreRefusedThemselvesIsNotTheLast(t *testing.T) {
	a, b := over(t, one, nil), over(t, one, nil)
	if !a.sockets[0].Runs() {
		t.Skip("no runs on this system")
	}
	a.SendRun(to(b), append(tooLong[:len(tooLong):len(tooLong)], "rest"...), len(tooLong))
	if got := receive(t, b, 1); got[0] != "rest" {
		t.Errorf("%q", got)
	}
	if !a.sockets[0].Runs() {
		t.Error("says nothing about runs")
	}
	if got := a.Stats().WriteErrors; got != 1 {
		t.Errorf("%d errors", got)
	}
}

func TestDatagramThatIsTooBigIsToldOnceAndCounted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has an error of its own for it")
	}
	for _, addrs := range [][]string{one, two} {
		c := over(t, addrs, nil)
		c.SendRun(to(c), tooLong, len(tooLong))
		c.SendWhole(to(c), tooLong)
		want := Refusal{To: to(c), Size: len(tooLong), TooBig: true}
		if got := c.Refused(); !slices.Equal(got, []Refusal{want, want}) {
			t.Errorf("%v: %+v", addrs, got)
		}
		if got := c.Refused(); len(got) > 0 {
			t.Errorf("%v: told twice: %+v", addrs, got)
		}
		if got := c.Stats(); got != (Stats{WriteErrors: 2}) {
			t.Errorf("%v: %+v", addrs, got)
		}
	}
}

func TestProbeArrivesWhole(t *testing.T) {
	for _, addrs := range [][]string{one, two} {
		a, b := over(t, addrs, nil), over(t, one, nil)
		probe := strings.Repeat("x", 8952)
		a.SendWhole(to(b), []byte(probe))
		if got := receive(t, b, 1); got[0] != probe {
			t.Errorf("%v: %d bytes", addrs, len(got[0]))
		}
	}
}

func TestWhatSocketsWereSentIsFlushedAtOnce(t *testing.T) {
	select {
	case <-over(t, one, nil).Flushed():
	default:
		t.Error("is yet to be sent")
	}
}
