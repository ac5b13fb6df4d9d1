package stats

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/legacy"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/swim"
)

func TestEveryDropHasANameOfItsOwn(t *testing.T) {
	all := Drops()
	if len(all) != int(dropReasons) {
		t.Fatalf("%d reasons, want %d", len(all), dropReasons)
	}
	var names []string
	for _, d := range all {
		names = append(names, d.String())
	}
	slices.Sort(names)
	if names[0] == "" {
		t.Error("a reason has no name")
	}
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
		t.Errorf("two reasons have one name: %q", names)
	}
}

// unpublished lists counters that only tests of their component read.
var unpublished = []string{"ResultsAlive", "ResultsNone"}

// each calls check with a zero struct for each of its fields, in which only that counter is 1, or only that address is set.
func each[T any](t *testing.T, check func(t *testing.T, source *T)) {
	var zero T
	of := reflect.TypeOf(zero)
	for i := range of.NumField() {
		if slices.Contains(unpublished, of.Field(i).Name) {
			continue
		}
		t.Run(of.String()+"."+of.Field(i).Name, func(t *testing.T) {
			source := zero
			switch f := reflect.ValueOf(&source).Elem().Field(i); {
			case f.CanUint():
				f.SetUint(1)
			case f.CanInt():
				f.SetInt(1)
			case f.Type() == reflect.TypeFor[[handshake.Reasons]netip.AddrPort]():
				f.Index(0).Set(reflect.ValueOf(netip.MustParseAddrPort("10.0.0.1:1")))
			case f.Kind() == reflect.Array:
				f.Index(0).SetUint(1)
			default:
				t.Fatalf("a counter of kind %v", f.Kind())
			}
			check(t, &source)
		})
	}
}

// seen fails the test if nothing was added.
func (s *Stats) seen(t *testing.T) {
	t.Helper()
	if *s == (Stats{}) {
		t.Error("the counter of the component is in no figure")
	}
}

func TestEveryCounterOfAComponentIsInAFigure(t *testing.T) {
	each(t, func(t *testing.T, x *packets.Stats) {
		var s Stats
		s.AddPackets(x)
		s.seen(t)
	})
	each(t, func(t *testing.T, x *peers.Stats) {
		var s Stats
		s.AddHandshakes(x)
		s.seen(t)
	})
	each(t, func(t *testing.T, x *pushpull.Stats) {
		var s Stats
		s.AddPushPull(x)
		s.seen(t)
	})
	each(t, func(t *testing.T, x *swim.Stats) {
		var s Stats
		s.AddDetection(x)
		s.seen(t)
	})
	each(t, func(t *testing.T, x *legacy.Stats) {
		var s Stats
		s.AddLegacy(x)
		s.seen(t)
	})
	each(t, func(t *testing.T, x *direct.SenderStats) {
		var s Stats
		s.AddDirect(x, &direct.ReceiverStats{})
		s.seen(t)
	})
	each(t, func(t *testing.T, x *direct.ReceiverStats) {
		var s Stats
		s.AddDirect(&direct.SenderStats{}, x)
		s.seen(t)
	})
	each(t, func(t *testing.T, x *broadcast.Stats) {
		d := broadcast.New(broadcast.Config{})
		d.Stats = *x
		var s Stats
		s.AddBroadcast(d)
		s.seen(t)
	})
}

func TestRejectedHandshakesAreCountedOnceInAllAndByReason(t *testing.T) {
	var s Stats
	s.AddHandshakes(&peers.Stats{Rejected: [handshake.Reasons]uint64{1: 2, 2: 3}})
	if s.HandshakesRejected != 5 || s.Dropped[DropHandshake] != 5 {
		t.Errorf("%d rejected, %d dropped, want 5 of each", s.HandshakesRejected, s.Dropped[DropHandshake])
	}
	if s.Rejected[1] != 2 || s.Rejected[2] != 3 {
		t.Errorf("by reason: %v", s.Rejected)
	}
}
