package beacon

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

var start = time.UnixMilli(1_700_000_000_000)

func nodeID(i int) wire.NodeID { return wire.NodeID{0: byte(i), 1: byte(i >> 8), 6: 0x80, 8: 0x80} }

// beacons returns the Beacons of node 0 among n nodes, of which node i is in the zone zoneOf(i).
func beacons(t *testing.T, interval time.Duration, n int, zoneOf func(i int) string) *Beacons {
	t.Helper()
	self := members.Member{ID: nodeID(0), Name: "node-0", Addr: netip.MustParseAddrPort("10.0.0.1:6969")}
	table := members.NewTable(start, members.Config{Self: self, MetaMax: 512, Rand: rand.New(rand.NewPCG(1, 2))})
	for i := 1; i < n; i++ {
		e := wire.Member{State: wire.StateAlive, ID: nodeID(i), Incarnation: uint64(start.UnixMilli()), Name: fmt.Appendf(nil, "node-%d", i),
			Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 6969), ZoneName: []byte(zoneOf(i)), HasZone: true, Versions: [6]byte{1, 5, 2}}
		table.SetAlive(start, &e, table.Claim(start, &e, nil))
	}
	if table.Count() != n {
		t.Fatalf("%d members", table.Count())
	}
	return New(start, Config{Self: self.ID, Interval: interval, Members: &table})
}

// A neighbor is another node with a clock of its own.
type neighbor struct {
	ahead  time.Duration // of the clock of the node that is tested
	rate   float64       // of its clock; 0 means 1
	theirs Clock
}

func (n *neighbor) reading(now time.Time) uint64 {
	rate := n.rate
	if rate == 0 {
		rate = 1
	}
	return 1<<40 + uint64((rate*float64(now.Sub(start))+float64(n.ahead))/float64(time.Microsecond))
}

// exchange lets both nodes send each other a Clock message, with one-way times there and back. It returns the end.
func (n *neighbor) exchange(b *Beacons, c *Clock, now time.Time, there, back time.Duration) time.Time {
	m := b.ClockFor(now, c)
	now = now.Add(there)
	n.theirs.sent, n.theirs.arrived = m.Sent, n.reading(now)
	now = now.Add(300 * time.Millisecond)
	answer := n.theirs.message(n.reading(now))
	now = now.Add(back)
	var wm wire.Message
	if _, err := wire.ParseMessage(&wm, wire.AppendClock(nil, wire.MessageID{}, answer)); err != nil {
		panic(err)
	}
	b.HandleClock(now, c, wm.Data)
	return now
}

// arrive lets a beacon of an origin arrive that was made at a time of the neighbor's clock.
func (n *neighbor) arrive(b *Beacons, c *Clock, now, made time.Time, origin wire.NodeID) []byte {
	m := Message{Origin: origin, Made: n.reading(made), Interval: 10_000}
	return b.Receive(now, c, 0, m.Data())
}

func inOneZone(int) string { return "north" }

func TestPropagationTimeDoesNotDependOnTheClocks(t *testing.T) {
	for _, ahead := range []time.Duration{0, 3 * time.Second, -time.Hour, 40 * 24 * time.Hour} {
		b := beacons(t, 0, 3, inOneZone)
		n, c := neighbor{ahead: ahead}, Clock{}
		now := n.exchange(b, &c, start.Add(time.Minute), 20*time.Millisecond, 20*time.Millisecond)
		n.arrive(b, &c, now.Add(time.Second+70*time.Millisecond), now.Add(time.Second), nodeID(1))
		z := b.Zones()
		if len(z) != 1 || z[0].Count != 1 || (z[0].Recent[0]-70*time.Millisecond).Abs() > 10*time.Microsecond {
			t.Errorf("%v ahead: %+v, %+v", ahead, z, b.Stats)
		}
	}
}

// The estimate of a clock is wrong by half of the difference between the two directions, never by more than half of the
// round trip.
func TestAsymmetricPathCausesHalfOfItsDifferenceAsError(t *testing.T) {
	for _, path := range [][2]time.Duration{{10, 10}, {10, 50}, {50, 10}, {0, 100}, {100, 0}} {
		there, back := path[0]*time.Millisecond, path[1]*time.Millisecond
		b := beacons(t, 0, 3, inOneZone)
		n, c := neighbor{ahead: -5 * time.Second}, Clock{}
		now := n.exchange(b, &c, start.Add(time.Minute), there, back)
		n.arrive(b, &c, now.Add(time.Second+200*time.Millisecond), now.Add(time.Second), nodeID(1))
		off := b.Zones()[0].Recent[0] - 200*time.Millisecond
		if want := (there - back) / 2; (off - want).Abs() > 10*time.Microsecond {
			t.Errorf("%v there, %v back: wrong by %v, want %v", there, back, off, want)
		}
	}
}

func TestSampleWithTheSmallestRoundTripCounts(t *testing.T) {
	b := beacons(t, 0, 3, inOneZone)
	n, c, now := neighbor{ahead: time.Second}, Clock{}, start
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 8 {
		slow := time.Duration(rng.IntN(80)+20) * time.Millisecond
		if i == 3 {
			slow = 0
		}
		now = n.exchange(b, &c, now.Add(time.Second), 5*time.Millisecond, 5*time.Millisecond+slow)
	}
	n.arrive(b, &c, now.Add(time.Second+30*time.Millisecond), now.Add(time.Second), nodeID(1))
	if off := b.Zones()[0].Recent[0] - 30*time.Millisecond; off.Abs() > time.Millisecond {
		t.Errorf("wrong by %v", off)
	}
}

// After eight exchanges a second apart, clocks whose rates differ by 100 ppm cause an error below a millisecond.
func TestRateOfTheClocksMattersLittle(t *testing.T) {
	b := beacons(t, 0, 3, inOneZone)
	n, c, now := neighbor{rate: 1 - 100e-6}, Clock{}, start
	for range 3600 {
		now = n.exchange(b, &c, now.Add(700*time.Millisecond), 5*time.Millisecond, 5*time.Millisecond)
	}
	n.arrive(b, &c, now.Add(30*time.Millisecond), now, nodeID(1))
	if off := b.Zones()[0].Recent[0] - 30*time.Millisecond; off.Abs() > time.Millisecond {
		t.Errorf("wrong by %v after an hour", off)
	}
}

func TestClockThatWasSetIsMeasuredAnew(t *testing.T) {
	b := beacons(t, 0, 3, inOneZone)
	n, c, now := neighbor{}, Clock{}, start
	for range 8 {
		now = n.exchange(b, &c, now.Add(time.Second), 5*time.Millisecond, 5*time.Millisecond)
	}
	n.ahead, n.theirs = -20*time.Second, Clock{}                                            // the neighbor's host slept
	now = n.exchange(b, &c, now.Add(time.Minute), 40*time.Millisecond, 45*time.Millisecond) // a slow exchange
	n.arrive(b, &c, now.Add(30*time.Millisecond), now, nodeID(1))
	if off := b.Zones()[0].Recent[0] - 30*time.Millisecond; off.Abs() > 3*time.Millisecond {
		t.Errorf("wrong by %v", off)
	}
}

// PROTOCOL.md O3.
func TestBeaconOfAnUnknownClockIsPassedOnAndNotMeasured(t *testing.T) {
	b := beacons(t, 0, 3, inOneZone)
	n, c := neighbor{}, Clock{}
	m, err := Parse(n.arrive(b, &c, start.Add(time.Minute), start, nodeID(1)))
	if err != nil || m.Made != 0 || m.Origin != nodeID(1) || m.Interval != 10_000 {
		t.Errorf("%+v, %v", m, err)
	}
	if len(b.Zones()) != 0 || b.Stats.Received != 1 || b.Stats.Unmeasured != 1 {
		t.Errorf("%+v, %+v", b.Zones(), b.Stats)
	}
	if o := b.Origins(start.Add(time.Minute), 10); len(o) != 1 || o[0].Measured {
		t.Errorf("%+v", o) // it was heard nevertheless
	}
	now := n.exchange(b, &c, start.Add(time.Minute), 0, 0)
	if m, _ := Parse(b.Receive(now, &c, 0, (&Message{Origin: nodeID(1)}).Data())); m.Made != 0 {
		t.Error("a time became known on the way")
	}
}

// A node that joins requests the last messages, so it gets beacons late that were made before it was there.
func TestBeaconFromBeforeTheFirstNeighborIsNotMeasured(t *testing.T) {
	b := beacons(t, 0, 3, inOneZone)
	n, c := neighbor{}, Clock{}
	now := n.exchange(b, &c, start.Add(time.Minute), 0, 0)
	n.arrive(b, &c, now.Add(time.Second), now.Add(-time.Second), nodeID(1))
	if b.Stats.Unmeasured != 1 || len(b.Zones()) != 0 {
		t.Errorf("%+v", b.Stats)
	}
}

// PROTOCOL.md O2 and O4.
func TestImpossibleValuesAreCountedAndChangeNothing(t *testing.T) {
	b := beacons(t, 0, 3, inOneZone)
	n, c := neighbor{}, Clock{}
	now := n.exchange(b, &c, start.Add(time.Minute), 0, 0)
	for _, m := range []Message{
		{Origin: nodeID(1), Made: n.reading(now.Add(time.Hour))},
		{Origin: nodeID(1), Made: n.reading(now.Add(-time.Hour))}, // before this node had a neighbor
		{Origin: nodeID(1), Made: 1<<64 - 1},
		{Origin: nodeID(9), Made: n.reading(now)}, // no member
	} {
		if b.Receive(now.Add(2*time.Minute), &c, 0, m.Data()) == nil {
			t.Errorf("%+v is not passed on", m)
		}
	}
	if len(b.Zones()) != 0 || b.Stats.Received != 4 || b.Stats.Unexpected+b.Stats.Unmeasured != 4 {
		t.Errorf("%+v, %+v", b.Zones(), b.Stats)
	}
	before, stats := c, b.Stats
	here := b.reading(now)
	for _, m := range []wire.Clock{
		{},
		{Sent: 1, Echo: here + 1e6},
		{Sent: 1, Echo: here - 60e6},
		{Sent: 1, Echo: here - 1, Held: 1<<32 - 1},
	} {
		var wm wire.Message
		_, _ = wire.ParseMessage(&wm, wire.AppendClock(nil, wire.MessageID{}, m))
		b.HandleClock(now, &c, wm.Data)
	}
	b.HandleClock(now, &c, []byte{0x93})
	if b.Stats.Unexpected-stats.Unexpected != 4 || b.Stats.Malformed != 1 || c.samples != before.samples {
		t.Errorf("%+v", b.Stats)
	}
	if b.Receive(now, &c, 0, bytes.Repeat([]byte{1}, MessageSize-1)) != nil || b.Stats.Malformed != 2 {
		t.Errorf("a short beacon: %+v", b.Stats)
	}
}

func TestStateOfZonesAndOriginsIsBounded(t *testing.T) {
	const nodes = OriginsMax + 200
	b := beacons(t, 0, nodes, func(i int) string { return fmt.Sprintf("zone-%03d", i%100) })
	n, c := neighbor{}, Clock{}
	now := n.exchange(b, &c, start.Add(time.Minute), 0, 0)
	for i := 1; i < nodes; i++ {
		n.arrive(b, &c, now.Add(time.Millisecond), now, nodeID(i))
	}
	z := b.Zones()
	if len(z) != ZonesMax+1 || z[ZonesMax].Name != OtherZones || len(z[0].Recent) > recentMax {
		t.Errorf("%d zones, the last one %q", len(z), z[len(z)-1].Name)
	}
	if got := b.origins.Len(); got != OriginsMax {
		t.Errorf("%d origins", got)
	}
	if o := b.Origins(now, 10); len(o) != 10 {
		t.Errorf("%d of at most 10 origins", len(o))
	}
	now = now.Add(zoneLife + time.Second) // all zones are silent, so another one has room
	now = n.exchange(b, &c, now, 0, 0)
	n.arrive(b, &c, now.Add(time.Millisecond), now, nodeID(99))
	if z := b.Zones(); len(z) != ZonesMax+1 || z[ZonesMax-1].Name != "zone-099" {
		t.Errorf("%d zones, %q", len(z), z[ZonesMax-1].Name)
	}
}

func TestOriginThatIsOverdueOrSlowComesFirst(t *testing.T) {
	b := beacons(t, 0, 5, inOneZone)
	n, c := neighbor{}, Clock{}
	now := n.exchange(b, &c, start.Add(time.Minute), 0, 0)
	n.arrive(b, &c, now, now, nodeID(3))
	now = now.Add(31 * time.Second)
	n.arrive(b, &c, now.Add(2*time.Second), now, nodeID(2))
	n.arrive(b, &c, now.Add(50*time.Millisecond), now, nodeID(1))
	got := b.Origins(now.Add(2*time.Second), 10)
	var order []wire.NodeID
	for _, o := range got {
		order = append(order, o.ID)
	}
	if want := []wire.NodeID{nodeID(3), nodeID(2), nodeID(1)}; !slices.Equal(order, want) {
		t.Fatalf("the order is %v, want %v", order, want)
	}
	if !got[0].Overdue(now) {
		t.Error("the first origin is not overdue")
	}
}

// PROTOCOL.md O1.
func TestBeaconsOfALargeClusterAreRarer(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n, most := range map[int]time.Duration{2: 11 * time.Second, 64: 11 * time.Second, 640: 110 * time.Second} {
		b := beacons(t, 10*time.Second, n, inOneZone)
		now := start
		var sent []time.Time
		for len(sent) < 20 {
			data, next := b.Next(now, true, false, rng)
			if data != nil {
				sent = append(sent, now)
			}
			if !next.After(now) {
				t.Fatalf("next at %v of %v", next, now)
			}
			now = next
		}
		for i := 1; i < len(sent); i++ {
			if pause := sent[i].Sub(sent[i-1]); pause > most || pause < most*8/11 {
				t.Errorf("%d nodes: a pause of %v", n, pause)
			}
		}
		if b.Stats.Sent != 20 {
			t.Errorf("%d counted", b.Stats.Sent)
		}
	}
}

func TestBeaconWaitsForRoomAndCountsThat(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	b := beacons(t, 10*time.Second, 2, inOneZone)
	_, due := b.Next(start, true, false, rng)
	now := due
	for range 5 {
		data, next := b.Next(now, true, true, rng)
		if data != nil || next.Sub(now) != retry {
			t.Fatalf("%x at %v", data, next.Sub(now))
		}
		now = next
	}
	data, _ := b.Next(now, true, false, rng)
	m, err := Parse(data)
	if err != nil || b.reading(now)-m.Made != uint64(5*retry/time.Microsecond) || m.Interval != 10_000 {
		t.Errorf("made %d us ago, %v", b.reading(now)-m.Made, err)
	}
	if data, next := b.Next(now.Add(time.Minute), false, false, rng); data != nil || next.Before(now.Add(time.Minute+8*time.Second)) {
		t.Errorf("without links: %x, %v", data, next)
	}
}

func TestNodeWithoutAnIntervalSendsNothingAndComparesClocksAfterABeacon(t *testing.T) {
	b := beacons(t, 0, 2, inOneZone)
	if data, next := b.Next(start, true, false, nil); data != nil || !next.IsZero() || b.Active(start) {
		t.Errorf("%x, %v, active %v", data, next, b.Active(start))
	}
	n, c := neighbor{}, Clock{}
	n.arrive(b, &c, start, start, nodeID(1))
	if !b.Active(start.Add(activeFor-1)) || b.Active(start.Add(activeFor)) {
		t.Error("clocks are compared for another time")
	}
}

func TestQuantilesAndBuckets(t *testing.T) {
	var z Zone
	if z.Quantile(0.5) != 0 {
		t.Error("a quantile of nothing")
	}
	for i := 200; i >= 1; i-- {
		z.add(start, time.Duration(i)*time.Millisecond, 0)
	}
	// The latest 128 are those from 128 ms to 1 ms.
	for q, want := range map[float64]time.Duration{0.5: 64, 0.95: 122, 1: 128, 0.0001: 1} {
		if got := z.Quantile(q); got != want*time.Millisecond {
			t.Errorf("%v: %v, want %v", q, got, want*time.Millisecond)
		}
	}
	var sum uint64
	for _, n := range z.Buckets {
		sum += n
	}
	if sum != 200 || z.Count != 200 {
		t.Errorf("%d delays in buckets, a count of %d, want 200", sum, z.Count)
	}
	for bucket, want := range map[int]uint64{0: 1, 1: 1, 7: 100} {
		if got := z.Buckets[bucket]; uint64(got) != want {
			t.Errorf("bucket %d has %d delays, want %d", bucket, got, want)
		}
	}
	if want := 20100 * time.Millisecond; z.Sum != want {
		t.Errorf("the sum is %v, want %v", z.Sum, want)
	}
}
