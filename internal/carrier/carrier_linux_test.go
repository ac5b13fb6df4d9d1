package carrier

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestReadingPausesAfterAnErrorButTheLoopDoesNot(t *testing.T) {
	var lines []string
	c := over(t, one, func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) })
	if c.reader == nil {
		t.Fatal("the loop does not read itself")
	}
	begin := time.Now()
	c.readFailed(errors.New("out of memory"))
	if want := "read UDP packet at " + to(c).Remote.String() + ": out of memory"; !slices.Equal(lines, []string{want}) {
		t.Errorf("%q", lines)
	}
	c.SendRun(to(c), []byte("later"), 100)
	c.Ingest(wire.Path{}, []byte("now"))
	if got := c.Wait(soon()); len(got) != 1 || string(got[0].B) != "now" {
		t.Fatalf("%+v", got)
	}
	if got := receive(t, c, 1); got[0] != "later" || time.Since(begin) < udp.ErrorPause {
		t.Errorf("%q after %v", got, time.Since(begin))
	}
}

func TestLoopThatReadsItselfDoesNotAllocate(t *testing.T) {
	c := over(t, one, nil)
	if c.reader == nil {
		t.Fatal("the loop does not read itself")
	}
	b, due, path := make([]byte, 256), soon(), to(c)
	n := testing.AllocsPerRun(100, func() {
		c.SendRun(path, b, 1400)
		if got := c.Wait(due); len(got) != 1 || len(c.More()) > 0 || len(c.Refused()) > 0 {
			t.Fatal(got)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRunThatTheSystemRefusesGoesOneByOne(t *testing.T) {
	a, b := over(t, one, nil), over(t, one, nil)
	const datagrams = 200 // more than Linux takes in one run
	a.SendRun(to(b), []byte(strings.Repeat("x", datagrams)), 1)
	receive(t, b, datagrams)
	if got := a.Stats().WriteErrors; got != [Causes]uint64{} {
		t.Errorf("errors %v", got)
	}
}

func TestRestOfARunArrivesWhenOneOfItsDatagramsIsRefused(t *testing.T) {
	a, b := over(t, one, nil), over(t, one, nil)
	a.SendRun(to(b), append(tooLong[:len(tooLong):len(tooLong)], "rest"...), len(tooLong))
	if got := receive(t, b, 1); got[0] != "rest" {
		t.Errorf("%q", got)
	}
	if got := a.Stats().WriteErrors; got != [Causes]uint64{TooBig: 1} {
		t.Errorf("errors %v", got)
	}
}

func TestDatagramThatIsTooBigIsReturnedOnceAndCounted(t *testing.T) {
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
		if got := c.Stats(); got != (Stats{WriteErrors: [Causes]uint64{TooBig: 2}}) {
			t.Errorf("%v: %+v", addrs, got)
		}
	}
}
