package gossip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// payload is size bytes that differ from place to place and from message to message.
func payload(size int, salt byte) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i*7) ^ salt
	}
	copy(b, fmt.Sprint("message ", salt))
	return string(b)
}

func TestMessagesOfAnySizeArrive(t *testing.T) {
	t.Parallel()
	for _, loss := range []float64{0, 0.05} {
		c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(5 * time.Millisecond), Loss: loss})
		c.add(5)
		c.form(5 * time.Second)
		edge := c.nodes[0].BroadcastMax()
		sizes := []int{1, edge - 1, edge, edge + 1, passOnFrom - 1, passOnFrom, passOnFrom + 1, chunkSize - 1, chunkSize, chunkSize + 1, 1 << 20}
		if loss > 0 {
			sizes = append(sizes, MessageMax)
		}
		for i, size := range sizes {
			took := c.broadcast(i%5, payload(size, byte(i)), 20*time.Second)
			t.Logf("loss %v: %d bytes took %v", loss, size, took)
		}
	}
}

func TestLargeMessagesAreForgottenWhenTheyAreEverywhere(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond), Loss: 0.05})
	c.add(10)
	c.form(5 * time.Second)
	c.broadcast(0, payload(1<<20, 1), 20*time.Second)
	c.net.RunFor(10 * time.Second)
	for i, n := range c.nodes {
		if len(n.store.all) != 0 || len(n.store.byID) != 0 || n.store.size != 0 {
			t.Errorf("node %d holds %d messages, %d bytes", i, len(n.store.all), n.store.size)
		}
		for _, p := range n.links {
			if len(p.packets.transfers.list) != 0 || len(p.packets.queue.normal) != 0 {
				t.Errorf("node %d has %d large and %d small messages queued", i, len(p.packets.transfers.list), len(p.packets.queue.normal))
			}
		}
	}
}

// The pace changes all the time, from nothing for seconds to megabytes in a moment.
func TestArenaGivesBackWhatWasPutOrNothingAndForgetsNothingYoung(t *testing.T) {
	var a arena
	type entry struct {
		off uint64
		b   []byte
		at  time.Time
	}
	var all []entry
	rng := newTestRand(3)
	now := time.Unix(0, 0)
	pace := 0
	for i := range 60_000 {
		if i%500 == 0 {
			pace = []int{1, 20_000, 2_000_000, 40_000_000}[rng.IntN(4)]
			now = now.Add(time.Duration(rng.Int64N(int64(3 * time.Second))))
			a.rest(now)
		}
		b := bytes.Repeat([]byte{byte(i), byte(i >> 8), 1}, 1+rng.IntN(200))
		now = now.Add(time.Duration(rng.IntN(pace)))
		all = append(all, entry{a.put(now, b), b, now})
		for _, back := range []int{rng.IntN(20), rng.IntN(4000)} {
			e := all[max(0, len(all)-1-back)]
			got := a.get(e.off, len(e.b))
			if got != nil && !bytes.Equal(got, e.b) {
				t.Fatalf("entry %d, %d back: other bytes", i, back)
			}
			if got == nil && now.Sub(e.at) < arenaKeep && a.head-e.off < arenaMax {
				t.Fatalf("entry %d, %d back, is gone after %v", i, back, now.Sub(e.at))
			}
		}
	}
	if len(a.buf) > arenaMax {
		t.Errorf("grew to %d", len(a.buf))
	}
}

func TestArenaTakesWhatIsLargerThanItself(t *testing.T) {
	var a arena
	small, large := []byte("small"), bytes.Repeat([]byte{7}, arenaMost)
	first := a.put(time.Unix(0, 0), small)
	second := a.put(time.Unix(60, 0), large)
	if !bytes.Equal(a.get(second, len(large)), large) {
		t.Error("the large one is not there")
	}
	if got := a.get(first, len(small)); got != nil && !bytes.Equal(got, small) {
		t.Error("the small one became another")
	}
	if a.put(time.Unix(60, 0), append(large, 0)) != 0 {
		t.Error("took more than it says")
	}
}

func TestArenaAtRestIsGivenBackAndTakesNoOldOffsetForANewOne(t *testing.T) {
	var a arena
	now := time.Unix(0, 0)
	var old []uint64
	for range 10_000 {
		old = append(old, a.put(now, make([]byte, 100)))
	}
	a.rest(now.Add(arenaRest - 1))
	if a.buf == nil {
		t.Fatal("given back too soon")
	}
	if a.rest(now.Add(arenaRest)); a.buf != nil {
		t.Fatal("kept")
	}
	now = now.Add(time.Minute)
	for range 100_000 {
		off := a.put(now, make([]byte, 100))
		if a.get(off, 100) == nil || a.get(old[len(old)-1], 100) != nil || a.get(old[0], 100) != nil {
			t.Fatal("an old offset names something")
		}
	}
}

// A large message takes its time, and its origin says more meanwhile than any window of ids holds.
func TestLargeMessageIsDeliveredOnceHoweverMuchItsOriginSaysMeanwhile(t *testing.T) {
	c := duo(t)
	n, id := c.nodes[0], originID(9, 1)
	piece := func(from int) {
		c.say(1, 0, wire.AppendFrame(nil, wire.Bin, id, 1000, uint32(from), make([]byte, 500)))
	}
	before := n.stats.BroadcastsDelivered
	piece(0)
	c.do(0, func(now time.Time) {
		for i := range uint64(4 * 1 << 16) {
			other := originID(9, 2+i)
			n.broadcast.Seen.First(now, &other)
		}
	})
	piece(500)
	piece(0)
	if got := n.stats.BroadcastsDelivered - before; got != 1 {
		t.Errorf("it was delivered %d times", got)
	}
}

// originID is the id of the n-th broadcast of an origin.
func originID(origin byte, n uint64) (id wire.MessageID) {
	id[0], id[6] = origin, 0x80
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}
