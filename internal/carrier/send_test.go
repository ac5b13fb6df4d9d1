package carrier

import (
	"slices"
	"strings"
	"testing"

	"github.com/gwyh-go/gwyh/internal/udp"
)

// tooLong is a datagram that is too long for every path.
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
