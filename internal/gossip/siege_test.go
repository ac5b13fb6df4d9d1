package gossip

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// siegeFor is the virtual duration of TestClusterWithstandsASiege, and siegeSeeds how often it runs. "make siege" runs it for
// ten minutes.
var (
	siegeFor   = flag.Duration("siege", 3*time.Second, "virtual duration of the siege")
	siegeSeeds = flag.Int("sieges", 1, "number of sieges, each with another seed")
)

// deaf is the Suite of an insider that reports nothing, and neither takes nor passes on a broadcast of others.
type deaf struct{ session.Suite }

func (d deaf) Seal(key *[32]byte, tail *[8]byte, tag *[16]byte, dst, plain []byte) {
	d.Suite.Seal(key, tail, tag, dst, bytes.ReplaceAll(plain, []byte("Report"), []byte("Rep0rt")))
}

func (d deaf) Open(key *[32]byte, tail *[8]byte, tag *[16]byte, data []byte) bool {
	ok := d.Suite.Open(key, tail, tag, data)
	if ok {
		copy(data, bytes.ReplaceAll(data, []byte("Cast"), []byte("C4st")))
		copy(data, bytes.ReplaceAll(data, []byte("Have"), []byte("H4ve")))
	}
	return ok
}

// A siege is one insider, which runs several nodes, against a cluster of honest nodes.
type siege struct {
	*cluster
	honest   int // the nodes before this one are honest
	insiders int // then come those of the insider, and after them one that the honest nodes do not admit
	turn     uint32
	sent     map[string]int // honest broadcasts
	invented int
}

const siegeTick = 50 * time.Millisecond

func newSiege(t *testing.T, seed uint64, honest, insiders int) *siege {
	c := newCluster(t, seed, lan())
	s := &siege{cluster: c, honest: honest, insiders: insiders, sent: map[string]int{}}
	allowed := netip.MustParsePrefix("10.0.0.0/8")
	c.tweak = func(i int, cfg *Config) {
		cfg.AllowLegacy, cfg.State, cfg.PushPullInterval = false, true, 10*time.Second
		switch {
		case i < honest:
			cfg.Allow = allowed.Contains
		case i < honest+insiders:
			cfg.Suite = deaf{session.Null}
		default:
			cfg.Suite = deaf{session.Null}
			cfg.Advertise = netip.MustParseAddrPort("172.16.0.9:6969")
		}
	}
	c.add(honest)
	c.form(3 * time.Second)
	c.net.RunFor(10 * time.Second)
	c.add(insiders + 1)
	for i := honest; i < len(c.nodes); i++ {
		c.join(i, i%honest)
	}
	c.net.RunFor(10 * time.Second)
	return s
}

func (s *siege) id(kind byte) wire.MessageID {
	id := wire.MessageID{1: kind, 6: 0x80, 8: 0x80}
	binary.BigEndian.PutUint32(id[2:6], s.turn)
	binary.BigEndian.PutUint16(id[14:], uint16(s.turn>>8)+1)
	return id
}

// weapons are the attacks of the insider's node i on node k: each returns a plaintext for one datagram.
func (s *siege) weapons(now time.Time, i, k int) []func() []byte {
	at := uint64(now.UnixMilli())
	own := s.nodes[i].members.Self()
	members := func(n int, entry func(j int, e *wire.Member)) []byte {
		w := wire.BeginMembers(nil, s.id(1))
		for j := range n {
			var e wire.Member
			s.nodes[j%s.honest].members.Self().Fill(&e)
			entry(j, &e)
			w.Append(&e, 1300)
		}
		return w.End()
	}
	next := func() int { s.turn++; return int(s.turn) }
	return []func() []byte{
		func() []byte { // item 4: links
			return wire.AppendRequest(nil, s.id(2), wire.KindStartSubscription)
		},
		func() []byte { // item 5: names
			return members(6, func(j int, e *wire.Member) {
				*e = *inventedMember(now, next(), 0)
				victim := s.nodes[next()%s.honest]
				e.Name = []byte(victim.cfg.Name)
				if e.Named, e.Addr = 1, own.Addr; j%2 == 0 {
					e.Named, e.Addr = at, victim.addr
				}
			})
		},
		func() []byte { // item 6: addresses and metadata
			return members(s.honest, func(j int, e *wire.Member) {
				e.Incarnation += uint64(next() % 3)
				e.Meta, e.Addr = []byte("poison"), own.Addr
			})
		},
		func() []byte { // item 7: deaths and departures
			return members(s.honest, func(j int, e *wire.Member) {
				e.State = []wire.State{wire.StateSuspect, wire.StateDead, wire.StateLeft}[next()%3]
				e.From = wire.NodeID{byte(s.turn), byte(s.turn >> 8), 6: 0x80, 8: 0x80}
				if e.State == wire.StateDead {
					e.From = own.ID
				}
			})
		},
		func() []byte { // item 8: origins
			var b []byte
			for range 8 {
				next()
				b = wire.AppendBroadcast(b, wire.Bin, s.id(3), []byte("x"))
			}
			return b
		},
		func() []byte { // item 8: direct messages
			var b []byte
			for range 12 {
				next()
				b = wire.AppendDirect(b, s.id(4), wire.Direct{Total: 1, Data: []byte("x")})
			}
			return b
		},
		func() []byte { // item 8: members
			w := wire.BeginSyncMembers(nil, s.id(5))
			for range 12 {
				s.invented++
				w.Append(inventedMember(now, s.invented, 0), 1300)
			}
			return w.End()
		},
		func() []byte { // item 9: questions
			var b []byte
			var all wire.SyncWant
			all.Add(0)
			for range 8 {
				next()
				b = wire.AppendSyncWant(b, s.id(6), all)
				b = wire.AppendProbeFor(b, s.id(7), wire.ProbeFor{Seq: uint64(s.turn), Target: s.nodes[next()%s.honest].cfg.ID, Addr: testAddr(int(s.turn%200) + 30)})
				b = wire.AppendDirect(b, s.id(8), wire.Direct{Use: wire.UseReliable})
				b = wire.AppendRequest(b, s.id(9), wire.KindStartSubscription)
			}
			return b
		},
		func() []byte { // item 10: traffic that nobody reports, and sequence numbers ahead of honest ones
			id := s.nodes[k].ids.Broadcast()
			binary.BigEndian.PutUint64(id[8:], id.Counter()+uint64(next()%1000))
			return wire.AppendBroadcast(nil, wire.Bin, s.id(10), make([]byte, 1000))
		},
	}
}

// attack makes each node of the insider send each honest node one datagram.
func (s *siege) attack(tick int) {
	for i := s.honest; i < len(s.nodes); i++ {
		s.do(i, func(now time.Time) {
			for k := range s.honest {
				victim := s.nodes[k]
				p := s.nodes[i].peers[victim.cfg.ID]
				if p == nil || p.Sessions.Current(now) == nil {
					if tick%20 == k%20 {
						s.nodes[i].hs.dialMember(now, wire.Path{Remote: victim.addr}, victim.cfg.ID, time.Second)
					}
					continue
				}
				w := s.weapons(now, i, k)
				s.nodes[i].sender.SendPlain(now, &p.Peer, w[(tick+i+k)%len(w)]())
			}
		})
	}
}

// broadcasts makes each honest node broadcast a message.
func (s *siege) broadcasts() {
	for i := range s.honest {
		msg := fmt.Sprintf("honest %d of %d", len(s.sent), i)
		s.sent[msg] = i
		s.do(i, func(now time.Time) {
			if err := s.nodes[i].Broadcast(now, []byte(msg)); err != nil {
				s.t.Errorf("Broadcast: %v", err)
			}
		})
	}
}

// forget drops what the applications got of the insider, which is not memory of the nodes.
func (s *siege) forget() {
	for _, n := range s.nodes {
		for msg := range n.got {
			if !bytes.HasPrefix([]byte(msg), []byte("honest")) {
				delete(n.got, msg)
				delete(n.at, msg)
			}
		}
		kept := n.events[:0]
		for _, e := range n.events {
			if e.Kind == event.Leave {
				kept = append(kept, e)
			}
		}
		n.events, n.logs, n.joined, n.conflicts = kept, nil, nil, nil
	}
}

// ends returns the link ends of honest nodes, and how many of them lead to honest nodes.
func (s *siege) ends() (honest, all int) {
	friends := map[wire.NodeID]bool{}
	for _, n := range s.nodes[:s.honest] {
		friends[n.cfg.ID] = true
	}
	for _, n := range s.nodes[:s.honest] {
		for _, p := range n.links {
			all++
			if friends[p.ID] {
				honest++
			}
		}
	}
	return honest, all
}

// One insider runs two nodes, and a third one that the others do not admit, and attacks twelve honest nodes at once in most of
// the ways of docs/SECURITY.md.
func TestClusterWithstandsASiege(t *testing.T) {
	for seed := range *siegeSeeds {
		t.Run(fmt.Sprint("seed ", seed+1), func(t *testing.T) {
			s := newSiege(t, uint64(seed+1), 12, 2)
			before := heap()
			for tick := range int(*siegeFor / siegeTick) {
				s.attack(tick)
				s.net.RunFor(siegeTick)
				if tick%20 == 0 {
					s.broadcasts()
					s.forget()
				}
				if tick%200 == 199 {
					honest, all := s.ends()
					t.Logf("%v: %d of %d link ends honest, %d members, %d MiB", s.net.Elapsed(), honest, all, s.nodes[0].members.Count(), heap()>>20)
				}
			}
			s.net.RunFor(5 * time.Second)
			s.forget()
			s.checkMessages(t)
			s.checkMembers(t)
			grown := (heap() - before) / len(s.nodes)
			honest, all := s.ends()
			t.Logf("%d of %d link ends honest; %d MiB more for a node", honest, all, grown>>20)
			if 5*honest < 4*all {
				t.Errorf("%d of %d link ends are honest, want 80 %%", honest, all)
			}
			if grown > 64<<20 {
				t.Errorf("a node takes %d MiB more, want at most 64", grown>>20)
			}
			runtime.KeepAlive(s)
		})
	}
}

// checkMessages checks that each honest node received each honest broadcast once.
func (s *siege) checkMessages(t *testing.T) {
	lost := 0
	for msg, origin := range s.sent {
		for k, n := range s.nodes[:s.honest] {
			if k != origin && n.got[msg] != 1 {
				lost++
			}
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d deliveries are missing or repeated", lost, len(s.sent)*(s.honest-1))
	}
}

// checkMembers checks that the honest nodes have kept their names and addresses, and that no honest node was said to have left.
func (s *siege) checkMembers(t *testing.T) {
	for _, n := range s.nodes[:s.honest] {
		for k, o := range s.nodes[:s.honest] {
			switch m := n.members.Named(o.cfg.Name); {
			case m == nil:
				t.Errorf("%s does not know %s", n.cfg.Name, o.cfg.Name)
			case m.ID != o.cfg.ID:
				t.Errorf("%s takes %v for %s", n.cfg.Name, m.ID, o.cfg.Name)
			case m.Addr != testAddr(k):
				t.Errorf("%s has %v as the address of %s", n.cfg.Name, m.Addr, o.cfg.Name)
			}
			if left := n.count(event.Leave, o.cfg.Name); left > 0 {
				t.Errorf("%s was told %d times that %s left", n.cfg.Name, left, o.cfg.Name)
			}
		}
	}
}
