package overlay

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func nearest(cfg *Config) { cfg.Strategy = Nearest }

func nearOffers(of ...candidate) func(yield func(candidate)) {
	return func(yield func(candidate)) {
		for _, o := range of {
			yield(o)
		}
	}
}

func TestNearestKeepsTwoAtRandomAndOneElsewhere(t *testing.T) {
	home := testZone(0)
	var offers []candidate
	for i := range 100 {
		o := candidate{id: testID(i), zone: home, key: float64(i), distance: time.Duration(100-i) * 10 * time.Millisecond}
		if i >= 90 {
			o.zone = testZone(1)
		}
		offers = append(offers, o)
	}
	got := chooseNearest(nearOffers(offers...), chooser{zone: home, count: 5}, 2, false)
	var ids []wire.NodeID
	for _, o := range got {
		ids = append(ids, o.id)
	}
	if want := []wire.NodeID{testID(97), testID(98), testID(99), testID(0), testID(1)}; !slices.Equal(ids, want) {
		t.Errorf("chose %v, want %v", ids, want)
	}
	local := chooseNearest(nearOffers(offers[:92]...), chooser{zone: testZone(2), count: 5}, 2, false)
	if len(local) != 5 {
		t.Errorf("chose %d", len(local))
	}
	for i := range offers {
		offers[i].zone, offers[i].distance = home, time.Millisecond
	}
	offers[50].zone, offers[50].distance = testZone(1), time.Second
	got = chooseNearest(nearOffers(offers...), chooser{zone: home, count: 5}, 2, false)
	if len(got) != 5 || got[4].id != testID(50) {
		t.Errorf("none of another zone: %v", got)
	}
}

func TestNearestTakesWhatThereIs(t *testing.T) {
	for n := range 5 {
		var offers []candidate
		for i := range n {
			offers = append(offers, candidate{id: testID(i), zone: testZone(i % 2), key: float64(i), distance: time.Duration(i) * time.Second})
		}
		if got := chooseNearest(nearOffers(offers...), chooser{zone: testZone(0), count: 5}, 2, false); len(got) != n {
			t.Errorf("of %d members %d were chosen", n, len(got))
		}
	}
	if got := chooseNearest(nearOffers(), chooser{zone: testZone(0), count: 1}, 2, false); len(got) != 0 {
		t.Errorf("chose %v of none", got)
	}
}

func TestKnownDistanceChangesOnlyForAGainOfAFifth(t *testing.T) {
	n := newNode(t, 1, nearest)
	m := n.table.Get(testID(1))
	for _, s := range []struct{ rtt, want time.Duration }{{100, 100}, {85, 100}, {120, 100}, {79, 79}, {98, 79}, {1200, 1200}} {
		before, known := n.Distances(), m.RTT
		n.Measured(m, s.rtt*time.Microsecond)
		if m.RTT != s.want*time.Microsecond {
			t.Errorf("measured %d: known as %v, want %d", s.rtt, m.RTT, s.want)
		}
		if changed := n.Distances() != before; changed != (m.RTT != known) {
			t.Errorf("measured %d: the change was counted: %v", s.rtt, changed)
		}
	}
}

func TestUnmeasuredMemberHasTheDistanceOfItsZone(t *testing.T) {
	n := newNode(t, 12, nearest)
	for i, rtt := range map[int]time.Duration{1: 10, 4: 10, 7: 1000, 2: 50} { // 1, 4 and 7 are of zone 1
		n.table.Get(testID(i)).RTT = rtt * time.Millisecond
	}
	n.distances.survey(&n.table)
	for i, want := range map[int]time.Duration{1: 10, 10: 10, 5: 50, 3: 2} {
		if got := n.distances.of(n.table.Get(testID(i))).Truncate(time.Millisecond); got != want*time.Millisecond {
			t.Errorf("member %d is %v away, want %d ms", i, got, want)
		}
	}
	if got := n.distances.of(n.addMember(testID(99), testZone(9))); got != farAway {
		t.Errorf("a member of an unknown zone is %v away", got)
	}
}

// An insider nearby can declare any zone. It does not make the members of a far zone look near.
func TestNearMemberOfAFarZoneHardlyChangesItsDistance(t *testing.T) {
	for _, far := range []int{1, 2, 5} {
		n := newNode(t, 60, nearest)
		for i := range far {
			n.table.Get(testID(1 + 3*i)).RTT = 100 * time.Millisecond // all of zone 1
		}
		n.table.Get(testID(58)).RTT = time.Millisecond // of zone 1 too
		n.distances.survey(&n.table)
		if got := n.distances.of(n.table.Get(testID(55))); got != 100*time.Millisecond {
			t.Errorf("with %d far members and a near one, the zone is %v away", far, got)
		}
	}
}

func TestNearestChoosesTheNear(t *testing.T) {
	n := newNode(t, 30, nearest, func(cfg *Config) { cfg.Subscriptions = 5 })
	for i := 1; i <= 30; i++ {
		n.table.Get(testID(i)).RTT = time.Duration(i) * 10 * time.Millisecond
	}
	n.now = n.now.Add(time.Minute)
	n.rechoose()
	for i := 1; i <= 3; i++ {
		if !n.chosen(testID(i)) {
			t.Errorf("member %d, one of the three nearest, is not chosen", i)
		}
	}
}

func TestMembersWithoutALinkAreMeasured(t *testing.T) {
	n := newNode(t, 10, nearest)
	n.addMember(legacyID(50), testZone(0))
	if got := n.MeasureAt().Sub(n.now); got != measureInterval {
		t.Errorf("the first measurement is due in %v", got)
	}
	if m := n.Measure(n.now); m != nil {
		t.Errorf("%v is measured although there is no link", m)
	}
	n.does(n.HandleStart(nil, n.now, n, n.peer(testID(1)), false))
	n.does(n.Avoid(nil, n.now, testID(2)))
	drawn := map[wire.NodeID]bool{}
	for range 200 {
		m := n.Measure(n.now)
		if m == nil {
			continue
		}
		drawn[m.ID] = true
		if m.ID == testID(0) || m.Legacy() || m.ID == testID(2) {
			t.Fatalf("member %v is measured", m)
		}
		if wait := n.MeasureAt().Sub(n.now); wait < measureInterval/2 || wait > 2*measureInterval {
			t.Fatalf("the next measurement is due in %v", wait)
		}
	}
	if len(drawn) != 9 {
		t.Errorf("%d members are measured, want 9", len(drawn))
	}
}

// A zone without a measured member is measured first.
func TestUnknownZonesAreMeasuredFirst(t *testing.T) {
	n := newNode(t, 30, nearest)
	n.does(n.HandleStart(nil, n.now, n, n.peer(testID(1)), false))
	for i := 1; i <= 30; i++ {
		if i%3 != 2 {
			n.table.Get(testID(i)).RTT = time.Millisecond
		}
	}
	n.distances.survey(&n.table)
	unknown := 0
	for range 100 {
		if m := n.Measure(n.now); m.Zone == testZone(2) {
			unknown++
		}
	}
	if unknown < 80 {
		t.Errorf("%d of 100 measurements are of the zone of which nothing is known", unknown)
	}
}

func TestOtherStrategiesMeasureNobody(t *testing.T) {
	if n := newNode(t, 10); !n.MeasureAt().IsZero() {
		t.Errorf("a measurement is due at %v", n.MeasureAt())
	}
}
