package gossip

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// questions returns messages that ask for something, with which a member can fill a datagram.
func questions(c *cluster, now time.Time) map[string]func(b []byte, i uint32) []byte {
	attacker := c.nodes[1]
	id := func(i uint32) (id wire.MessageID) {
		binary.BigEndian.PutUint32(id[:4], i)
		id[6], id[8] = 0x40, 0x80
		return id
	}
	request := func(k wire.Kind) func(b []byte, i uint32) []byte {
		return func(b []byte, i uint32) []byte { return wire.AppendRequest(b, id(i), k) }
	}
	var all wire.SyncWant
	all.Add(0)
	root := attacker.members.Root(0)
	return map[string]func(b []byte, i uint32) []byte{
		"SyncWant": func(b []byte, i uint32) []byte { return wire.AppendSyncWant(b, id(i), all) },
		"SyncRoot": func(b []byte, i uint32) []byte {
			return wire.AppendSyncRoot(b, id(i), wire.SyncRoot{Root: root + uint64(i), Count: 1})
		},
		"SyncBuckets": func(b []byte, i uint32) []byte {
			return wire.AppendSyncBuckets(b, id(i), wire.SyncBuckets{Hashes: make([]byte, 8)})
		},
		"Start":     request(wire.KindStartSubscription),
		"Started":   request(wire.KindSubscriptionStarted),
		"End":       request(wire.KindEndSubscription),
		"Heartbeat": request(wire.KindHeartbeat),
		"Start and End": func(b []byte, i uint32) []byte {
			return request(wire.KindEndSubscription)(request(wire.KindStartSubscription)(b, i), i)
		},
		"Direct": func(b []byte, i uint32) []byte {
			return wire.AppendDirect(b, id(i), wire.Direct{Use: wire.UseReliable})
		},
		"push": func(b []byte, i uint32) []byte { return wire.AppendDirect(b, id(i), wire.Direct{Use: wire.UsePush}) },
		"Direct again": func(b []byte, i uint32) []byte {
			return wire.AppendDirect(b, id(7), wire.Direct{Use: wire.UseReliable})
		},
		"Ping": func(b []byte, i uint32) []byte {
			return wire.AppendPing(b, wire.KindPing, id(i), wire.Ping{Seq: uint64(i)})
		},
		"ProbeFor": func(b []byte, i uint32) []byte {
			return wire.AppendProbeFor(b, id(i), wire.ProbeFor{Seq: uint64(i), Target: wire.NodeID{byte(i >> 8), byte(i), 6: 0x80, 8: 0x80}, Addr: testAddr(int(i%200) + 10)})
		},
		"ProbeFor of the asker": func(b []byte, i uint32) []byte {
			return wire.AppendProbeFor(b, id(i), wire.ProbeFor{Seq: uint64(i), Target: attacker.cfg.ID, Addr: attacker.cfg.Advertise})
		},
		"Nak": func(b []byte, i uint32) []byte { return wire.AppendNak(b, id(i), i%8, i%8+1) },
		"Have": func(b []byte, i uint32) []byte {
			var h digest.List
			h.Add(&digest.Digest{Origin: 0x8000 + uint64(i)<<16, Top: 1 << 20, Below: 1<<16 - 1, Age: wire.DelayMax, Kept: true})
			return wire.AppendList(b, wire.KindHave, id(i), h.Bytes())
		},
		"Members about oneself": func(b []byte, i uint32) []byte {
			e := inventedMember(now, 0, 0)
			e.ID, e.State, e.Incarnation = c.nodes[0].cfg.ID, wire.StateDead, uint64(now.UnixMilli())+uint64(i)
			w := wire.BeginMembers(b, id(i))
			w.Append(e, 1<<20)
			return w.End()
		},
		"SyncMembers that are stale": func(b []byte, i uint32) []byte {
			e := inventedMember(now, int(i%1000), 0)
			e.Incarnation = 1
			w := wire.BeginSyncMembers(b, id(i))
			w.Append(e, 1<<20)
			return w.End()
		},
	}
}

// Whatever requests a member packs into one datagram, and however many: the answer is few packets, and not many times
// the size of the datagram (PROTOCOL.md P12).
func TestAllAnswersToADatagramAreBoundedTogether(t *testing.T) {
	const size, packets, times = 60_000, 160, 4
	for name := range questions(duo(t), time.Time{}) {
		t.Run(name, func(t *testing.T) {
			c := duo(t)
			n := c.nodes[0]
			c.do(0, func(now time.Time) {
				c.handInvented(now, 2000, 100)
				n.Drain(now, func(wire.Path, []byte) {})
				ask := questions(c, now)[name]
				var plain []byte
				for i := uint32(0); len(plain) < size; i++ {
					plain = ask(plain, i)
				}
				count, bytes := 0, 0
				c.hand(now, plain)
				for range 50 { // and the packets that follow at once
					n.Drain(now, func(_ wire.Path, b []byte) { count++; bytes += len(b) })
					now = now.Add(time.Millisecond)
					n.HandleTimeout(now)
				}
				t.Logf("%d datagrams of %d bytes", count, bytes)
				if count > packets {
					t.Errorf("%d datagrams for one, want at most %d", count, packets)
				}
				if bytes > times*size {
					t.Errorf("%d bytes for one datagram of %d, want at most %d times as many", bytes, len(plain), times)
				}
			})
		})
	}
}
