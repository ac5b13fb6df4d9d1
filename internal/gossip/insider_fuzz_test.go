package gossip

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An insiderStep is one datagram of an attacking member, as a fuzzer writes it: which message, with which argument, how
// often, whether it is changed, and the time since the previous datagram.
const insiderStep = 1 + 4 + 1 + 1 + 1

func appendStep(b []byte, kind byte, argument uint32, times, change, wait byte) []byte {
	return append(binary.BigEndian.AppendUint32(append(b, kind), argument), times, change, wait)
}

// Limits for what one datagram, and timeouts before the next one, may cause.
const (
	insiderPackets = 400
	insiderBytes   = 1 << 20
)

// FuzzInsider makes a member send any messages in authentic packets: of every kind, valid and changed, alone and many
// in one datagram. The application of the receiving node is asked about everything. The node must continue, stay within
// its limits, and send a bounded answer.
func FuzzInsider(f *testing.F) {
	var all []byte
	for kind := range byte(64) { // each message once, then many times in one datagram, then changed
		all = appendStep(all, kind, uint32(kind)*7, 1, 0, 1)
	}
	f.Add(all)
	for kind := range byte(64) {
		var b []byte
		for i := range byte(4) {
			b = appendStep(b, kind, uint32(i)<<8, 255, i%2, 10*i)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		c := duo(t)
		n, attacker := c.nodes[0], c.nodes[1]
		asks := &n.push.Config
		asks.State, asks.AskMerge, asks.AskAlive = true, true, true
		n.cfg.AskAlive = true
		now, path := c.net.Now(), wire.Path{Remote: attacker.addr}
		seal := attacker.peers[n.cfg.ID].Sessions.Current(now)
		plains := specimens()
		asked := questions(c, now)
		var names []string
		for name := range asked {
			names = append(names, name)
		}
		slices.Sort(names)
		var packet []byte
		for ; len(steps) >= insiderStep && len(steps) < 300*insiderStep; steps = steps[insiderStep:] {
			kind, argument := int(steps[0]), binary.BigEndian.Uint32(steps[1:])
			times, change := int(steps[5])%64+1, steps[6]
			now = now.Add(time.Duration(steps[7]) * time.Duration(steps[7]) * time.Millisecond)
			var plain []byte
			for i := range times {
				if k := kind % (len(names) + len(plains)); k < len(names) {
					plain = asked[names[k]](plain, argument+uint32(i))
				} else {
					plain = append(plain, plains[k-len(names)]...)
				}
			}
			if change%2 == 1 {
				plain = mutate(rand.New(rand.NewPCG(uint64(argument), uint64(change))), plain, plains)
			}
			packet = seal.Seal(now, packet[:0], plain[:min(len(plain), 60_000)])
			n.Core.HandleDatagram(now, path, packet)
			n.check(t, now, argument)
		}
	})
}

// check runs what is due, answers the application's queries, and fails the test if the node exceeds its limits.
func (n *node) check(t *testing.T, now time.Time, argument uint32) {
	t.Helper()
	if due := n.NextTimeout(); !due.IsZero() && !due.After(now) {
		n.Core.HandleTimeout(now)
		if due := n.NextTimeout(); !due.IsZero() && !due.After(now) {
			t.Fatal("after a timeout the next is not later than now")
		}
	}
	for _, e := range n.Events() {
		if argument%3 > 0 { // the application is sometimes slow
			n.app.answer(now, n.Core, e)
		}
	}
	packets, bytes := 0, 0
	n.Drain(now, func(_ wire.Path, b []byte) { packets++; bytes += len(b) })
	switch {
	case packets > insiderPackets || bytes > insiderBytes:
		t.Fatalf("%d datagrams of %d bytes are the answer to one", packets, bytes)
	case n.members.Bytes() > members.Budget:
		t.Fatalf("the member table has %d bytes", n.members.Bytes())
	case n.broadcast.Store.Size() > assembly.StoreMax:
		t.Fatalf("large messages take %d bytes", n.broadcast.Store.Size())
	}
}
